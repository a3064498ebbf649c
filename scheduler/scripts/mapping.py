"""A mapping file: what a sheet's columns mean where its headers are none that are known (YAML, ``--map map.yaml``).

    columns:                 # our field: the sheet's header
      text: Adaptation finale
      in: Timecode
    frame_rate: 23.976
    drop_frame: false
    language: fr
    kinds:                   # what the kind column says: speech, reaction, walla or onscreen
      Bruitage: reaction
    sheets: [Bobine 1, Bobine 2]
    header_row: 3
    skip:                    # our field: values; rows with one of them are left out
      kind: [Comment, Camera]

Every key may be missing. An unknown key is an error: a misspelled one would otherwise be a silent nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from scheduler.scripts.columns import FIELDS
from scheduler.scripts.errors import ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import LineKind, ReadOptions
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.timecode import FrameRateInvalid, parse_frame_rate

if TYPE_CHECKING:
    import yaml

_Pairs = dict[str, "tuple[int, yaml.Node]"]
"""Key → (line, value)."""
MAX_MAPPING_BYTES = 256 * 1024
MAX_DEPTH = 8
_KEYS = ("columns", "frame_rate", "drop_frame", "language", "kinds", "sheets", "header_row", "skip")
_MAX_ROW = 1_048_576


@dataclass(frozen=True, slots=True)
class SheetMapping:
    """What a mapping file says; each field as in ``ReadOptions``."""

    columns: Mapping[str, str] = field(default_factory=dict)
    frame_rate: Fraction | None = None
    drop_frame: bool = False
    language: str | None = None
    kinds: Mapping[str, LineKind] = field(default_factory=dict)
    sheets: tuple[str, ...] = ()
    header_row: int | None = None
    skip: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def applied_to(self, options: ReadOptions) -> ReadOptions:
        """Return the options with what the file says where the caller says nothing: the command line counts more."""
        return replace(
            options,
            columns={**self.columns, **options.columns},
            frame_rate=options.frame_rate if options.frame_rate is not None else self.frame_rate,
            drop_frame=options.drop_frame or self.drop_frame,
            language=options.language or self.language,
            kinds={**self.kinds, **options.kinds},
            sheets=options.sheets or self.sheets,
            header_row=options.header_row if options.header_row is not None else self.header_row,
            skip={**self.skip, **options.skip},
        )


def read_mapping(path: Path) -> SheetMapping:
    """Read a mapping file. Raises ScriptError naming the line or the key that is wrong."""
    source = ScriptSource.open(path)
    if source.size > MAX_MAPPING_BYTES:
        raise ScriptTooLarge(source.name, "", f"has {source.size:,} bytes; a mapping file is a page of YAML")
    try:
        text = source.data(MAX_MAPPING_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScriptUnreadable(source.name, "", f"is not UTF-8 at byte {error.start}; save it as UTF-8") from error
    return _Reading(source.name).mapping(text)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Turns the nodes of one file into values, so that each error has its line."""

    file: str

    def mapping(self, text: str) -> SheetMapping:
        import yaml  # here and not above: only sheets with a mapping need it

        try:
            self._refuse_aliases(text)
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"line {mark.line + 1}" if mark is not None else ""
            raise ScriptUnreadable(self.file, place, f"is not YAML: {error.problem or error.context}") from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ScriptUnreadable(self.file, "", f"is not YAML: {' '.join(str(error).split())[:200]}") from error
        if root is None:
            return SheetMapping()
        found = self._pairs(root, "the file")
        self._known(found, _KEYS, "")
        return SheetMapping(
            columns=self._columns(found),
            frame_rate=self._frame_rate(found),
            drop_frame=self._flag(found, "drop_frame"),
            language=self._language(found),
            kinds=self._kinds(found),
            sheets=tuple(self._texts(found["sheets"][1], "sheets")) if "sheets" in found else (),
            header_row=self._header_row(found),
            skip=self._skip(found),
        )

    def _refuse_aliases(self, text: str) -> None:
        """Refuse anchors, aliases and deep nesting before anything is built of them."""
        import yaml

        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            place = f"line {_line(event.start_mark)}"
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise ScriptRefused(
                    self.file, place, "uses an anchor or an alias (& or *); write the value out, quoted"
                )
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                raise ScriptRefused(self.file, place, "is nested deeper than any mapping")

    def _columns(self, found: _Pairs) -> dict[str, str]:
        pairs = self._inner(found, "columns")
        self._known(pairs, FIELDS, "columns")
        return {name: self._text(node, f"columns: {name}") for name, (_, node) in pairs.items()}

    def _kinds(self, found: _Pairs) -> dict[str, LineKind]:
        kinds: dict[str, LineKind] = {}
        for word, (line, node) in self._inner(found, "kinds").items():
            kind = next((kind for kind in get_args(LineKind) if kind == self._text(node, f"kinds: {word}")), None)
            if kind is None:
                known = ", ".join(get_args(LineKind))
                raise self._wrong(line, f"kinds: {word}", f"is {node.value!r}; a line is one of {known}")
            kinds[word] = kind
        return kinds

    def _skip(self, found: _Pairs) -> dict[str, frozenset[str]]:
        pairs = self._inner(found, "skip")
        self._known(pairs, FIELDS, "skip")
        return {name: frozenset(self._texts(node, f"skip: {name}")) for name, (_, node) in pairs.items()}

    def _frame_rate(self, found: _Pairs) -> Fraction | None:
        if "frame_rate" not in found:
            return None
        line, node = found["frame_rate"]
        try:
            return parse_frame_rate(self._text(node, "frame_rate"))
        except FrameRateInvalid as error:
            raise self._wrong(line, "frame_rate", str(error)) from error

    def _language(self, found: _Pairs) -> str | None:
        if "language" not in found:
            return None
        line, node = found["language"]
        tag = normal_tag(self._text(node, "language"))
        if tag is None:
            raise self._wrong(line, "language", f"{node.value!r} is no language; write a tag such as fr or pt-BR")
        return tag

    def _flag(self, found: _Pairs, key: str) -> bool:
        if key not in found:
            return False
        line, node = found[key]
        value = self._text(node, key).lower()
        if value not in ("true", "false", "yes", "no"):
            raise self._wrong(line, key, f"is {node.value!r}; write true or false")
        return value in ("true", "yes")

    def _header_row(self, found: _Pairs) -> int | None:
        if "header_row" not in found:
            return None
        line, node = found["header_row"]
        value = self._text(node, "header_row")
        if not (value.isascii() and value.isdigit() and len(value) <= 7 and 1 <= int(value) <= _MAX_ROW):
            raise self._wrong(line, "header_row", f"is {value[:20]!r}; write the number of a row, from 1")
        return int(value)

    def _inner(self, found: _Pairs, key: str) -> _Pairs:
        return self._pairs(found[key][1], key) if key in found else {}

    def _pairs(self, node: yaml.Node, name: str) -> _Pairs:
        """Return key → (line, value) of a mapping node; each key once."""
        from yaml import MappingNode

        if not isinstance(node, MappingNode):
            raise self._wrong(_line(node.start_mark), name, "holds no 'key: value' lines")
        pairs: _Pairs = {}
        for key_node, value in node.value:
            line = _line(key_node.start_mark)
            key = self._text(key_node, name)
            if key in pairs:
                raise self._wrong(line, key, "stands twice; the later one would hide the earlier")
            pairs[key] = (line, value)
        return pairs

    def _texts(self, node: yaml.Node, name: str) -> list[str]:
        from yaml import SequenceNode

        nodes = node.value if isinstance(node, SequenceNode) else [node]
        return [self._text(part, name) for part in nodes]

    def _text(self, node: yaml.Node, name: str) -> str:
        """Return a value as it is written: ``NO`` is a word here, not a false."""
        from yaml import ScalarNode

        if not isinstance(node, ScalarNode) or not str(node.value).strip():
            raise self._wrong(_line(node.start_mark), name, "is not one word or text")
        return str(node.value).strip()

    def _known(self, pairs: _Pairs, known: Sequence[str], under: str) -> None:
        for key, (line, _) in pairs.items():
            if key not in known:
                near = difflib.get_close_matches(key[:40], known, n=1)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                raise self._wrong(line, under, f"there is no key {key[:40]!r}; known are {', '.join(known)}{meant}")

    def _wrong(self, line: int, name: str, reason: str) -> ScriptUnreadable:
        return ScriptUnreadable(self.file, f"line {line} ({name[:60]})" if name else f"line {line}", reason)


def _line(mark: object) -> int:
    """Return the line of a mark, from 1; the library has two classes of them, one of which it does not name."""
    return int(getattr(mark, "line", 0)) + 1
