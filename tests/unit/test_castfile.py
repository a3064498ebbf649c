"""Casting files: what they say, what they inherit, and how they are refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from scheduler.castfile import CastFileError, Uncast, read_casting_file
from scheduler.casting import Role

BIBLE = """
narrator: draft-1
dialogue: draft-9
languages: {ja: draft-7}
characters:
  Alice: draft-2
  The Fox:
    voice: draft-3
    also: [FOX, Mr. Fox]
    languages: {ja: draft-8}
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def role(name: str, *languages: str) -> Role:
    return Role(name, languages or ("en",), 1)


def test_a_script_takes_its_part_of_the_bible(tmp_path: Path) -> None:
    made = read_casting_file(write(tmp_path / "cast.yaml", BIBLE))
    told = made.overrides([role("narrator", "en", "ja"), role("ALICE", "en", "ja"), role("Mr. Fox", "ja"), role("Bob")])
    assert told == {
        "narrator:ja": "draft-7",
        "ALICE": "draft-2",  # a voice of her own is hers in every language
        "Mr. Fox": "draft-3",
        "Mr. Fox:ja": "draft-8",
        "Bob": "draft-9",
    }
    assert made.narrator == "draft-1"
    assert made.uncast_of([role("narrator"), role("Fox"), role("fox"), role("Bob")]) == ("Bob",)
    assert made.voices() == {"draft-1", "draft-2", "draft-3", "draft-7", "draft-8", "draft-9"}


def test_the_default_of_a_language_is_for_those_without_a_voice(tmp_path: Path) -> None:
    made = read_casting_file(write(tmp_path / "cast.yaml", BIBLE))
    assert made.overrides([role("Bob", "en", "ja-JP")]) == {"Bob": "draft-9", "Bob:ja": "draft-7"}


def test_an_episode_inherits_from_the_series_and_changes_one_part(tmp_path: Path) -> None:
    write(tmp_path / "series.yaml", BIBLE)
    text = "inherits: ../series.yaml\nuncast: refuse\ncharacters: {Alice: draft-5, Bob: draft-6}\n"
    made = read_casting_file(write(tmp_path / "one" / "cast.yaml", text))
    assert (made.narrator, made.uncast) == ("draft-1", "refuse")
    told = made.overrides([role("Alice"), role("Bob"), role("The Fox")])
    assert told == {"Alice": "draft-5", "Bob": "draft-6", "The Fox": "draft-3"}


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("narator: x", "narator", "known are"),
        ("characters: [a]", "characters", "Name: voice"),
        ("characters: {A: {voise: x}}", "characters.A.voise", "known are"),
        ("characters: {A: {also: [B]}}", "characters.A", "no voice"),
        ("characters: {A: x, a: y}", "characters.a", "named twice"),
        ("characters: {A: 7}", "characters.A", "quotes"),
        ("languages: {no: x}", "languages.False", "quotes"),
        ("uncast: maybe", "uncast", "assign or refuse"),
        ("inherits: cast.yaml", "inherits", "itself"),
        ("inherits: gone.yaml", "", "cannot be read"),
        ("- a\n- b", "", "holds no keys"),
        ("a: [1", "line 1", "no YAML"),
        ("a: &x 1\nb: *x", "", "alias"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, place: str, reason: str) -> None:
    with pytest.raises(CastFileError) as caught:
        read_casting_file(write(tmp_path / "cast.yaml", text))
    assert caught.value.place == place
    assert reason in caught.value.reason
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.file, again.place, again.reason) == (caught.value.file, place, caught.value.reason)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cast.yaml"
    path.write_bytes(b"narrator: \xff\xfe")
    with pytest.raises(CastFileError, match="UTF-8"):
        read_casting_file(path)


def test_uncast_characters_are_listed() -> None:
    error = pickle.loads(pickle.dumps(Uncast("cast.yaml", ("Bob", "Eve"))))
    assert "Bob, Eve" in str(error)
