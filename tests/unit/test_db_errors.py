"""Errors travel between processes and name what they are about."""

from __future__ import annotations

import inspect
import pickle
import typing
from typing import Any

import pytest

from db import errors

SAMPLES: dict[Any, Any] = {str: "x y", int: 7, float: 1.5, str | int: "n", str | None: None}


def _classes() -> list[type[errors.FarmError]]:
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.FarmError)]


@pytest.mark.parametrize("kind", _classes(), ids=lambda kind: kind.__name__)
def test_pickles_with_its_fields_and_says_something(kind: type[errors.FarmError]) -> None:
    if "__init__" in vars(kind):
        hints = typing.get_type_hints(kind.__init__)
        arguments = [SAMPLES[hints[name]] for name in inspect.signature(kind).parameters]
    else:
        arguments = ["reason"]
    error = kind(*arguments)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert vars(copy) == vars(error)
    assert str(copy) == str(error) != ""


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    for kind in _classes():
        assert kind.__name__ in drawn
