"""What a comparison of two versions of a script says: line by line, and how long it takes."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.diffing import LineDiff, NewLine, OldLine, ScriptDiff, Status, diff, has_own_id
from scheduler.scripts.keys import LineKeys


def line(key: str, text: str, section: str = "s1", **more: Any) -> OldLine:
    values: dict[str, Any] = {
        "key": key,
        "section": section,
        "text": text,
        "spoken": text,
        "character": "narrator",
        "voice": "draft-1@1",
        "language": "en",
        "pause_ms": 300,
    }
    return OldLine(**(values | more))


def prose(*sections: Sequence[str], **more: Any) -> list[OldLine]:
    """A script without ids: its keys are what a reader makes of section and text."""
    keys = LineKeys()
    return [
        line(keys.of_text(f"s{number}", text), text, f"s{number}", **more)
        for number, texts in enumerate(sections, 1)
        for text in texts
    ]


def statuses(found: ScriptDiff) -> list[tuple[str, str]]:
    return [(entry.status.value, (entry.new or entry.old).text) for entry in found.lines]  # type: ignore[union-attr]


def apply(found: ScriptDiff) -> list[tuple[str, str, NewLine]]:
    """The new version, made of the old one wherever the comparison says that nothing changed."""
    made = []
    for entry in found.lines:
        if entry.status is Status.REMOVED:
            continue
        source = entry.new if entry.status in (Status.ADDED, Status.CHANGED) else entry.old
        assert source is not None
        assert entry.new is not None
        made.append((entry.new.section, entry.new.key, source))
    return made


def content(section: str, key: str, of: NewLine) -> tuple[Any, ...]:
    facts = (of.text, of.spoken, of.character, of.voice, of.language, of.pause_ms, of.in_ms, of.out_ms)
    return section, key, *facts, tuple(sorted(of.direction.items()))


def check(old: Sequence[OldLine], new: Sequence[NewLine]) -> ScriptDiff:
    found = diff(old, new)
    assert [content(*made) for made in apply(found)] == [content(of.section, of.key, of) for of in new]
    assert [entry.new for entry in found.lines if entry.new] == list(new)
    assert sorted(map(id, (entry.old for entry in found.lines if entry.old))) == sorted(map(id, old))
    counts = found.counts
    both = counts[Status.KEPT] + counts[Status.CHANGED] + counts[Status.MOVED]
    assert both + counts[Status.REMOVED] == len(old)
    assert both + counts[Status.ADDED] == len(new)
    for entry in found.lines:
        assert bool(entry.changes) == (entry.status is Status.CHANGED)
    return found


def test_a_script_is_equal_to_itself() -> None:
    script = prose(["One.", "Yes.", "Yes."], ["Yes.", "Two."])
    found = check(script, script)
    assert {entry.status for entry in found.lines} == {Status.KEPT}
    assert not found.changed
    assert diff([], []).lines == ()


def test_lines_with_ids_are_matched_by_them_wherever_they_stand() -> None:
    old = [line("A1", "Hello."), line("A2", "Who is there?"), line("A3", "Nobody."), line("A4", "Bye.")]
    new = [line("A4", "Bye."), line("A1", "Hello."), line("A2", "It is raining."), line("A5", "Nobody.")]
    found = check(old, new)
    assert [(entry.status, entry.by_id) for entry in found.lines] == [
        (Status.MOVED, True),
        (Status.KEPT, True),
        (Status.CHANGED, True),
        (Status.KEPT, False),
    ]
    assert found.lines[2].changes == ("text", "spoken")


def test_a_line_with_another_id_and_the_same_words_is_the_same_line() -> None:
    found = check([line("A1", "One."), line("A2", "Two.")], [line("A1", "One."), line("B7", "Two.")])
    assert [entry.status for entry in found.lines] == [Status.KEPT, Status.KEPT]


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"spoken": "Wun."}, "spoken"),
        ({"character": "Fox"}, "character"),
        ({"voice": "draft-1@2"}, "voice"),
        ({"language": "de"}, "language"),
        ({"direction": {"emotion": "sad"}}, "direction"),
        ({"in_ms": 5}, "timing"),
        ({"pause_ms": 0}, "pause"),
    ],
)
def test_what_changed_is_named(more: dict[str, Any], what: str) -> None:
    old = prose(["Zero.", "One.", "Two."])
    new = [old[0], dataclasses.replace(old[1], **more), old[2]]
    found = check(old, new)
    assert [entry.changes for entry in found.lines] == [(), (what,), ()]
    assert found.counts[Status.CHANGED] == 1


def test_one_changed_sentence_in_prose_is_one_changed_line() -> None:
    old = prose(["A crow sat in a tree.", "A fox saw her.", "He wanted the cheese.", "She sang."])
    new = prose(["A crow sat in a tree.", "A clever fox saw her.", "He wanted the cheese.", "She sang."])
    found = check(old, new)
    assert [entry.status for entry in found.lines] == ["kept", "changed", "kept", "kept"]
    assert found.lines[1].changes == ("text", "spoken")


def test_a_rewritten_line_is_told_from_the_one_added_beside_it() -> None:
    old = prose(["It begins.", "The fox ran into the wood.", "It ends."])
    new = prose(["It begins.", "Nobody spoke.", "The old fox ran into the dark wood.", "It ends."])
    assert statuses(check(old, new)) == [
        ("kept", "It begins."),
        ("added", "Nobody spoke."),
        ("changed", "The old fox ran into the dark wood."),
        ("kept", "It ends."),
    ]


def test_japanese_lines_are_compared_without_spaces() -> None:
    old = prose(["始まり。", "狐は森の中へ走って行った。", "終わり。"])
    new = prose(["始まり。", "雨だ。", "古い狐は暗い森の中へ走って行った。", "終わり。"])
    assert [entry.status for entry in check(old, new).lines] == ["kept", "added", "changed", "kept"]


def test_a_moved_line_is_moved_not_removed_and_added() -> None:
    texts = ["One.", "Two.", "Three.", "Four.", "Five."]
    found = check(prose(texts), prose([*texts[1:], texts[0]]))
    assert found.counts == {"kept": 4, "changed": 0, "added": 0, "removed": 0, "moved": 1}
    other = check(prose(["One.", "Two."], ["Three.", "Four."]), prose(["Two."], ["Three.", "One.", "Four."]))
    assert other.counts[Status.MOVED] == 1


def test_chapters_are_found_again_by_their_lines() -> None:
    old = prose(["One.", "Two."], ["Three.", "Four."])
    new = prose(["Preface.", "A word before."], ["One.", "Two."], ["Three.", "Four."])
    found = check(old, new)
    assert found.counts == {"kept": 4, "changed": 0, "added": 2, "removed": 0, "moved": 0}
    assert [(part.status, part.old, part.new) for part in found.sections] == [
        ("added", None, "s1"),
        ("changed", "s1", "s2"),
        ("changed", "s2", "s3"),
    ]
    back = check(new, old)
    assert [part.status for part in back.sections] == ["changed", "changed", "removed"]


def test_an_inserted_cue_does_not_change_all_that_follow() -> None:
    texts = [f"Line number {n} of the film." for n in range(20)]
    old = [line(f"cue-{n}", text) for n, text in enumerate(texts, 1)]
    new = [line(f"cue-{n}", text) for n, text in enumerate([*texts[:5], "A new one.", *texts[5:]], 1)]
    counted = [line(str(n), of.text) for n, of in enumerate(new, 1)]
    for version in (new, counted):
        found = check(old, version)
        assert found.counts == {"kept": 20, "changed": 0, "added": 1, "removed": 0, "moved": 0}
    numbered = check([line(str(n), of.text) for n, of in enumerate(old, 1)], counted)
    assert numbered.counts[Status.ADDED] == 1
    assert numbered.counts[Status.CHANGED] == 0


def test_ids_are_told_from_keys_that_readers_make() -> None:
    assert has_own_id("LN_0042")
    assert not has_own_id(LineKeys().of_text("s", "text"))
    assert not has_own_id("cue-12~2")


def test_locks_are_carried_through() -> None:
    old = [line("A", "One.", locked=True), line("B", "Two.")]
    assert [entry.locked for entry in check(old, [line("A", "Other."), line("B", "Two.")]).lines] == [True, False]


WORDS = st.sampled_from(["Yes.", "No.", "The fox ran off.", "The old fox ran off.", "Why?", "愛と平和", ""])


@st.composite
def scripts(draw: st.DrawFn) -> list[OldLine]:
    """Short scripts full of repetitions; some lines have ids, in any order."""
    ids = draw(st.lists(st.sampled_from([f"id{n}" for n in range(12)]), unique=True, max_size=12))
    keys = LineKeys()
    made = []
    for number in range(draw(st.integers(0, 14))):
        text, section = draw(WORDS), draw(st.sampled_from(["a", "b", "c"]))
        own = number < len(ids) and draw(st.booleans())
        key = keys.claim(ids[number]) if own else keys.of_text(section, text)
        made.append(
            line(
                key,
                text,
                section,
                character=draw(st.sampled_from(["narrator", "Fox"])),
                voice=draw(st.sampled_from(["v@1", "v@2"])),
                pause_ms=draw(st.sampled_from([0, 300])),
            )
        )
    return made


@settings(max_examples=150, deadline=None)
@given(scripts(), scripts())
def test_applying_it_gives_the_new_version_and_the_way_back_is_symmetric(
    old: list[OldLine], new: list[OldLine]
) -> None:
    there, back = check(old, new).counts, check(new, old).counts
    assert there[Status.ADDED] == back[Status.REMOVED]
    assert there[Status.REMOVED] == back[Status.ADDED]
    assert [there[s] for s in (Status.KEPT, Status.CHANGED, Status.MOVED)] == [
        back[s] for s in (Status.KEPT, Status.CHANGED, Status.MOVED)
    ]


@settings(max_examples=50, deadline=None)
@given(scripts())
def test_identical_scripts_are_kept_whole(script: list[OldLine]) -> None:
    assert {entry.status for entry in check(script, list(script)).lines} <= {Status.KEPT}


def _edited(texts: list[str], seed: int) -> list[str]:
    random_ = random.Random(seed)
    made = []
    for text in texts:
        chance = random_.random()
        if chance < 0.02:
            continue
        made.append(text + " Really." if chance < 0.05 else text)
        if chance > 0.98:
            made.append("A line that was not there.")
    return made


LARGE = {
    "a book": [f"Sentence {n} says {n * 7919 % 1013} things of {n * 31 % 97}." for n in range(20_000)],
    "one word": ["Yes."] * 20_000,
    "two words": [("Yes.", "No.")[n * n % 7 % 2] for n in range(20_000)],
    "chatter": [f"Line {n % 11}." for n in range(20_000)],
    "half": [f"Unique {n}." if n % 2 else "Yes." for n in range(20_000)],
}


@pytest.mark.parametrize("name", LARGE)
def test_twenty_thousand_lines_are_compared_in_no_time(name: str) -> None:
    old, new = prose(LARGE[name]), prose(_edited(LARGE[name], 1))
    before = time.process_time()
    found = diff(old, new)
    took = time.process_time() - before
    assert took < 4.0, f"{took:.2f} s"  # about 1 s; the bound is for a machine that does other things too
    assert found.counts[Status.KEPT] > 18_900
    assert found.counts[Status.MOVED] == 0


def test_a_script_that_was_rewritten_from_end_to_end_is_compared_in_no_time() -> None:
    old = prose([f"Old {n} words {n * 7} here." for n in range(20_000)])
    new = prose([f"New {n} words {n * 5} there, {n % 3}." for n in range(19_000)])
    before = time.process_time()
    found = diff(old, new)
    assert time.process_time() - before < 6.0
    assert found.counts[Status.KEPT] == 0


def test_texts_unique_only_in_ever_smaller_gaps_cost_no_more() -> None:
    nested = [text for n in range(10_000) for text in (f"t{n}", f"t{n + 2}")]
    before = time.process_time()
    diff(prose(nested), prose(nested[1:] + nested[:1]))
    assert time.process_time() - before < 4.0


def test_entries_are_plain_values() -> None:
    (entry,) = diff([], [line("A", "One.")]).lines
    assert entry == LineDiff(Status.ADDED, None, line("A", "One."))
