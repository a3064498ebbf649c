"""A reader of pickles that runs nothing: a pickle is a program, and this machine knows only harmless instructions.

Python's unpickler, even with ``find_class`` overridden, hands live objects to the program: attributes can be set on
them, and whatever is admitted can be called with anything. Here the program works on plain containers and inert
records only. The one thing it may call is what `Maker` describes by name; everything else is refused.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LARGEST_PROGRAM = 32 << 20
"""Bytes; the program of a whole v3 model has about 100 kB, as the tensors lie beside it."""
DEEPEST = 24
"""Containers inside containers; configurations have four."""
MOST_VALUES = 200_000
"""Values of a configuration, counted as often as they are reached."""


class Unsafe(Exception):
    """The program wants something that tensors do not need. ``args``: the reason. Never leaves this package."""


@dataclass(frozen=True)
class Maker:
    """Stands for an admitted name. ``make`` gets the arguments, already plain; None: it may be named, not called."""

    name: str
    make: Callable[[tuple[Any, ...]], Any] | None = None


@dataclass
class Record:
    """An object of an admitted class without behaviour: its attributes and nothing else."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict)


class _Mark:
    """Where the arguments of the next instruction begin."""


_MARK = _Mark()
_CONSTANTS: Mapping[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = frozenset(
    ("BINUNICODE", "SHORT_BINUNICODE", "UNICODE", "BININT", "BININT1", "BININT2", "LONG1", "INT", "LONG", "BINFLOAT")
)
_EMPTY: Mapping[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES: Mapping[str, int] = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = frozenset(("PROTO", "FRAME"))


class Machine:
    """Runs one program. ``makers`` by "module name", ``records`` the classes admitted as `Record`."""

    def __init__(
        self,
        makers: Mapping[str, Maker],
        records: frozenset[str],
        persistent: Callable[[Any], Any],
    ) -> None:
        self._makers = makers
        self._records = records
        self._persistent = persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        """What the program builds. Raises Unsafe."""
        if len(program) > LARGEST_PROGRAM:
            raise Unsafe(f"its pickle has {len(program)} bytes, far more than tensors need")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # a stray backslash in a damaged name
                for opcode, argument, position in pickletools.genops(program):
                    if opcode.name == "STOP":
                        return self._end(position == len(program) - 1)
                    self._step(opcode.name, argument)
        except (ValueError, IndexError, KeyError, TypeError, OverflowError, UnicodeError) as error:
            raise Unsafe(f"its pickle is damaged ({error})") from error
        raise Unsafe("its pickle ends too early")

    def _end(self, at_end: bool) -> Any:
        if len(self._stack) != 1 or not at_end:
            raise Unsafe("its pickle is not one object")
        return self._stack[0]

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack.append(tuple(self._pop() for _ in range(count))[::-1])
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = self._top()
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "MARK":
            stack.append(_MARK)
        elif name not in _IGNORED:
            self._act(name, argument)

    def _act(self, name: str, argument: Any) -> None:
        action = _ACTIONS.get(name)
        if action is None:
            raise Unsafe(f"its pickle uses the instruction {name}")
        action(self, argument)

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise Unsafe("its pickle takes what it did not put down")
        return self._stack[-1]

    def _pop(self) -> Any:
        value = self._top()
        self._stack.pop()
        return value

    def _to_mark(self) -> list[Any]:
        values: list[Any] = []
        while self._stack and self._stack[-1] is not _MARK:
            values.append(self._stack.pop())
        if not self._stack:
            raise Unsafe("its pickle takes what it did not put down")
        self._stack.pop()
        return values[::-1]

    def _tuple(self, _argument: Any) -> None:
        values = tuple(self._to_mark())
        self._stack.append(values)

    def _global(self, argument: Any) -> None:
        self._name(str(argument))

    def _stack_global(self, _argument: Any) -> None:
        attribute, module = self._pop(), self._pop()
        self._name(f"{module} {attribute}")

    def _name(self, name: str) -> None:
        if name in self._makers:
            self._stack.append(self._makers[name])
        elif name in self._records:
            self._stack.append(Maker(name, lambda _arguments: Record(name)))
        else:
            raise Unsafe(f"its pickle names {name.replace(' ', '.')!r}, which no checkpoint needs")

    def _call(self, _argument: Any) -> None:
        arguments, maker = self._pop(), self._pop()
        if not isinstance(maker, Maker) or maker.make is None or not isinstance(arguments, tuple):
            raise Unsafe("its pickle calls something that is no constructor of tensors")
        self._stack.append(maker.make(arguments))

    def _build(self, _argument: Any) -> None:
        state, target = self._pop(), self._top()
        if isinstance(target, Record) and isinstance(state, dict):
            target.fields.update({_key(name): value for name, value in state.items()})
        elif not (type(target) is dict and isinstance(state, dict)):  # an ordered dict's own attributes: not needed
            raise Unsafe("its pickle sets attributes of something that has none")

    def _set_items(self, _argument: Any) -> None:
        self._fill(self._to_mark())

    def _set_item(self, _argument: Any) -> None:
        value, key = self._pop(), self._pop()
        self._fill([key, value])

    def _fill(self, pairs: list[Any]) -> None:
        target = self._top()
        if type(target) is not dict or len(pairs) % 2:
            raise Unsafe("its pickle sets items of something that has none")
        target.update(zip(map(_key, pairs[::2]), pairs[1::2], strict=True))

    def _appends(self, _argument: Any) -> None:
        self._extend(self._to_mark())

    def _append(self, _argument: Any) -> None:
        self._extend([self._pop()])

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if type(target) is not list:
            raise Unsafe("its pickle appends to something that is no list")
        target.extend(values)

    def _persist(self, _argument: Any) -> None:
        self._stack.append(self._persistent(self._pop()))


_ACTIONS: Mapping[str, Callable[[Machine, Any], None]] = {
    "TUPLE": Machine._tuple,
    "GLOBAL": Machine._global,
    "STACK_GLOBAL": Machine._stack_global,
    "REDUCE": Machine._call,
    "NEWOBJ": Machine._call,
    "BUILD": Machine._build,
    "SETITEM": Machine._set_item,
    "SETITEMS": Machine._set_items,
    "APPEND": Machine._append,
    "APPENDS": Machine._appends,
    "BINPERSID": Machine._persist,
}


def _key(value: Any) -> Any:
    """A key of a dict: text or a number. Anything deeper would be hashed recursively, without a limit."""
    if type(value) not in (str, int):
        raise Unsafe("its pickle has keys that are neither text nor numbers")
    return value


def plain(value: Any) -> Any:
    """``value`` with records as dicts: text, numbers, None, lists, tuples and dicts only. Raises Unsafe."""
    budget = [MOST_VALUES]
    return _plain(value, budget, DEEPEST)


def _plain(value: Any, budget: list[int], depth: int) -> Any:
    budget[0] -= 1
    if budget[0] < 0 or depth < 0:
        raise Unsafe("its configuration is endless")
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, Record):
        value = value.fields
    if type(value) is dict:
        return {key: _plain(item, budget, depth - 1) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(item, budget, depth - 1) for item in value)
    raise Unsafe(f"its configuration holds {type(value).__name__}")
