from __future__ import annotations

import pickle
import sys
import typing
from collections.abc import Iterator

import pytest

import synthesis.gptsovits.errors
import synthesis.text.errors  # noqa: F401 - both: every_error finds what is imported
from synthesis.errors import SynthesisError

SAMPLES: dict[object, object] = {
    str: "value",
    int: 3,
    float: -1.5,
    bool: True,
    tuple[str, ...]: ("one", "two"),
    tuple[int, ...]: (3, 4),
}


def every_error(kind: type[SynthesisError] = SynthesisError) -> Iterator[type[SynthesisError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from every_error(child)


def example(kind: type[SynthesisError]) -> SynthesisError:
    hints = typing.get_type_hints(kind.__init__)
    hints.pop("return", None)
    known = {name: hint for name, hint in hints.items() if name not in ("args", "kwargs")}
    return kind(*(SAMPLES[hint] for hint in known.values()))


@pytest.mark.parametrize("kind", sorted(set(every_error()), key=lambda kind: kind.__name__))
def test_every_error_survives_pickling_with_its_fields(kind: type[SynthesisError]) -> None:
    error = example(kind)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert back.args == error.args
    assert vars(back) == vars(error)
    assert str(back) == str(error)


def test_the_tree_at_the_top_of_each_file_is_complete() -> None:
    trees = {kind: sys.modules[kind.__module__].__doc__ or "" for kind in every_error()}
    assert [kind.__name__ for kind, tree in trees.items() if kind.__name__ not in tree] == []


def test_messages_are_one_line_for_people() -> None:
    for kind in every_error():
        if kind.__init__ is not Exception.__init__:
            assert "\n" not in str(example(kind))
