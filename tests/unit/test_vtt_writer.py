from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.deliverables.vtt import ROW_WIDTH, Cue, _width, render_vtt, wrap, write_vtt

TIMING = re.compile(r"(\d\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d\d+):(\d\d):(\d\d)\.(\d{3})")
cue_strategy = st.builds(
    Cue,
    start_ms=st.integers(0, 100_000),
    end_ms=st.integers(0, 120_000),
    text=st.text(max_size=300),
    speaker=st.text(max_size=12),
)


def read(document: str) -> list[tuple[int, int, list[str]]]:
    """A reader of what we write, by the standard's grammar: blocks parted by empty lines."""
    head, _, rest = document.rstrip("\n").partition("\n\n")
    assert head == "WEBVTT"
    cues = []
    for block in rest.split("\n\n") if rest else []:
        timing, *rows = block.split("\n")
        match = TIMING.fullmatch(timing)
        assert match
        h, m, s, f, h2, m2, s2, f2 = map(int, match.groups())
        cues.append((((h * 60 + m) * 60 + s) * 1000 + f, ((h2 * 60 + m2) * 60 + s2) * 1000 + f2, rows))
    return cues


def plain(rows: list[str]) -> list[str]:
    rows = [re.sub(r"^<v [^>]*>", "", row) for row in rows]
    return [row.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for row in rows]


@settings(deadline=None)
@given(st.lists(cue_strategy, max_size=12))
def test_cues_are_in_order_apart_and_small_whatever_went_in(cues: list[Cue]) -> None:
    written = read(render_vtt(cues))
    cursor = 0
    for start, end, rows in written:
        assert cursor <= start < end
        cursor = end
        assert 1 <= len(rows) <= 2
        assert all(_width(row) <= ROW_WIDTH for row in plain(rows))
        assert all("-->" not in row for row in rows)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "Zs")), max_size=400))
def test_no_character_is_lost_in_wrapping(text: str) -> None:
    rows = wrap(text)
    assert "".join("".join(rows).split()) == "".join(text.split())


def test_speaker_and_markup_are_escaped() -> None:
    document = render_vtt([Cue(0, 1000, "a < b & c --> d", "Tom & <Jerry>")])
    assert "<v Tom &amp; &lt;Jerry&gt;>a &lt; b &amp; c --&gt; d" in document


def test_a_long_line_becomes_cues_that_share_its_time() -> None:
    text = "It was the best of times, it was the worst of times, " * 4
    cues = read(render_vtt([Cue(1000, 11_000, text, "Narrator")]))
    assert len(cues) >= 3
    assert cues[0][0] == 1000
    assert cues[-1][1] == 11_000
    assert all(one[1] == two[0] for one, two in itertools.pairwise(cues))
    assert all(rows[0].startswith("<v Narrator>") for _, _, rows in cues)


def test_chinese_and_japanese_break_between_characters_but_not_before_a_full_stop() -> None:
    rows = wrap("天地玄黄，宇宙洪荒。" * 8)
    assert len(rows) > 3
    assert all(_width(row) <= ROW_WIDTH for row in rows)
    assert all(row[0] not in "，。" for row in rows)


@pytest.mark.parametrize("text", ["", "  ", "\n\x00\t"])
def test_a_cue_without_text_is_left_out(text: str) -> None:
    assert read(render_vtt([Cue(0, 1000, text)])) == []


def test_hours_run_past_two_digits_and_the_file_appears_whole(tmp_path: Path) -> None:
    dst = tmp_path / "chapter.vtt"
    write_vtt([Cue(360_000_000, 360_001_000, "late")], dst)
    assert "100:00:00.000 --> 100:00:01.000" in dst.read_text("utf-8")
    assert list(tmp_path.iterdir()) == [dst]
