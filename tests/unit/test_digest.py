"""Digests: one spelling for one value, another digest for anything that can be heard."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import digest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ENCODABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=12,
)
NAMES = st.lists(st.text(), max_size=4)


@given(VALUES)
def test_a_value_has_one_spelling(value: Any) -> None:
    assert digest.canonical(value) == digest.canonical(_shuffled(value))


@given(ENCODABLE)
def test_the_spelling_is_json_and_says_the_same(value: Any) -> None:
    text = digest.canonical(value).decode()
    assert json.loads(text) == value
    assert digest.canonical(json.loads(text)) == text.encode()


@given(ENCODABLE, ENCODABLE)
def test_different_values_differ(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest.digest(one) == digest.digest(other)) == same


def _shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return tuple(_shuffled(item) for item in value)
    return value


def test_known_spelling() -> None:
    value = {"b": [1, 1.0, 0.1, -0.0, True, None], "a": "é🦊\n"}
    assert digest.canonical(value) == '{"a":"é🦊\\n","b":[1,1,0.1,0,true,null]}'.encode()


def test_digests_do_not_change_between_releases() -> None:
    """A changed digest would render every book in the world again."""
    voice = digest.voice_digest("draft-narrator", 1, "draft", "1", {"pitch": 50})
    assert voice == "1afae59725332484c49c58def1cda800ef1dff12e695402389e2a659da65cd13"
    assert digest.seed_for("the-fables", "s1", "s1.1") == 5756077901539175079
    assert digest.seed_for("book", "Mara", "Yes.", "2") == 4571863381182140829
    line = digest.line_digest("Hello.", "en-GB", "v" * 64, {"emotion": "sad", "rate": 0.9}, "draft", "1", 7)
    assert line == "dd94ebd6228aa430584ce49b3d9d2ce87f96db8c5f36947ab0c9d1e0b50a1c6b"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, b"bytes", {1: "a"}, {"a": {2}}, object()])
def test_what_has_no_one_spelling_is_refused(value: Any) -> None:
    with pytest.raises(digest.NotCanonical):
        digest.canonical(value)
    with pytest.raises(digest.NotCanonical):
        digest.canonical(["deep", {"er": value}])


LINE: dict[str, Any] = {
    "spoken": "Hello.",
    "language": "en",
    "voice_digest": "v",
    "direction": {"rate": 1.0},
    "engine": "draft",
    "engine_version": "1",
    "seed": 7,
}


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("spoken", "Hello!"),
        ("spoken", "Hello. "),
        ("language", "en-GB"),
        ("voice_digest", "w"),
        ("direction", {"rate": 1.1}),
        ("direction", {}),
        ("engine", "fake"),
        ("engine_version", "2"),
        ("seed", 8),
    ],
)
def test_everything_that_can_be_heard_moves_the_line_digest(field: str, other: Any) -> None:
    assert digest.line_digest(**{**LINE, field: other}) != digest.line_digest(**LINE)


def test_an_integral_rate_is_the_same_however_it_was_written() -> None:
    assert digest.line_digest(**{**LINE, "direction": {"rate": 1}}) == digest.line_digest(**LINE)


@given(NAMES, NAMES)
def test_seeds(one: list[str], other: list[str]) -> None:
    assert 0 <= digest.seed_for(*one) < 2**63
    assert (digest.seed_for(*one) == digest.seed_for(*other)) == (one == other)


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.floats(-2, 2)), st.text(), st.integers(0, 2**63))
def test_lines_of_one_voice_spelled_together_digest_as_one_by_one(
    spoken: str, language: str, direction: dict[str, Any], engine: str, seed: int
) -> None:
    """The spelling put together of parts is the one that ``canonical`` gives to the whole."""
    whole = digest.digest(["line", spoken, language, "v", direction, engine, "1\x00é", seed])
    assert digest.line_digest(spoken, language, "v", direction, engine, "1\x00é", seed) == whole
    assert digest.line_digests(language, "v", engine, "1\x00é")(spoken, direction, seed) == whole


@given(NAMES, NAMES)
def test_seeds_of_names_that_begin_alike_are_those_of_all_the_names(first: list[str], rest: list[str]) -> None:
    raw = hashlib.sha256(digest.canonical(["seed", *first, *rest])).digest()
    assert digest.seeds_for(*first)(*rest) == digest.seed_for(*first, *rest) == int.from_bytes(raw[:8], "big") >> 1


def test_half_a_surrogate_pair_digests() -> None:
    assert digest.line_digest("\ud83d", "en", "v", {}, "e", "1", 1) == digest.digest(
        ["line", "\ud83d", "en", "v", {}, "e", "1", 1]
    )


TRACK: dict[str, Any] = {"takes": [("a.flac", 300, "v@1"), ("b.flac", 0, "v@1")], "title": "T", "profile": "acx"}


@pytest.mark.parametrize(
    "change",
    [
        {"takes": [("b.flac", 0, "v@1"), ("a.flac", 300, "v@1")]},
        {"takes": [("a.flac", 301, "v@1"), ("b.flac", 0, "v@1")]},
        {"takes": [("a.flac", 300, "v@1")]},
        {"title": "U"},
        {"profile": "audiobook"},
        {"extra": {"head_ms": 1}},
    ],
)
def test_everything_in_a_track_moves_its_digest(change: dict[str, Any]) -> None:
    base = {**TRACK, "extra": {"head_ms": 0}}
    assert digest.track_digest(**base) == digest.track_digest(**{**base, "takes": iter(base["takes"])})
    assert digest.track_digest(**{**base, **change}) != digest.track_digest(**base)


def test_kinds_of_digest_never_meet() -> None:
    assert digest.script_digest(["x"]) != digest.digest(["x"])
