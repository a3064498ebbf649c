"""The short ways that most rows of a sheet take say the same as the long ones."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.scripts import sheet
from scheduler.scripts.clock import parse_clock, to_ms
from scheduler.scripts.errors import ScriptTooLarge
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.sheet import SheetReader
from scheduler.scripts.source import ScriptSource


def read(path: Path, text: str, **options: object) -> ScriptDocument:
    path.write_bytes(text.encode("utf-8"))
    return SheetReader().read(ScriptSource.open(path), ReadOptions(**{"language": "en", **options}))  # type: ignore[arg-type]


def test_times_of_the_usual_form_are_those_of_every_other_form(tmp_path: Path) -> None:
    luck = random.Random(5)
    cells = [
        f"{luck.randrange(100):02}:{luck.randrange(60):02}:{luck.randrange(60):02}{luck.choice('.,')}{luck.randrange(1000):03}"
        for _ in range(300)
    ]
    cells += ["00:00:00.000", "99:59:59,999", "0:00:01.000", "00:00:01.5", "٠١:٠٢:٠٣.٠٠٤", "1:2:3", "61:01", "12.25"]
    document = read(tmp_path / "a.csv", "In;Text\n" + "".join(f"{cell};Words.\n" for cell in cells))
    lines = document.sections[0].lines
    assert [line.in_time for line in lines] == [parse_clock(cell) for cell in cells]
    assert [line.in_ms for line in lines] == [to_ms(line.in_time) for line in lines if line.in_time is not None]


@pytest.mark.parametrize("cell", ["00:60:00.000", "00:00:60.000", "00:00:00.0000000000", "00:00:00:000.1"])
def test_what_no_clock_shows_is_rejected(cell: str, tmp_path: Path) -> None:
    document = read(tmp_path / "a.csv", f"In;Text\n00:00:01.000;Kept.\n{cell};Words.\n")
    assert [line.text for line in document.sections[0].lines] == ["Kept."]
    assert len(document.rejected) == 1


def test_a_line_may_end_less_than_a_millisecond_after_it_begins_but_not_before(tmp_path: Path) -> None:
    text = "In;Out;Text\n1.0001;1.0002;After.\n1.0002;1.0001;Before.\n1.5;1.5;Same.\n"
    document = read(tmp_path / "a.csv", text)
    assert [line.text for line in document.sections[0].lines] == ["After.", "Same."]
    assert "ends before it begins" in document.rejected[0].reason


def test_rows_go_back_to_a_section_that_was_left(tmp_path: Path) -> None:
    text = "Reel;Text\nR1;One.\nR2;Two.\n;Two again.\nR1;One again.\n"
    sections = read(tmp_path / "a.csv", text).sections
    assert [(section.title, [line.text for line in section.lines]) for section in sections] == [
        ("R1", ["One.", "One again."]),
        ("R2", ["Two.", "Two again."]),
    ]


_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")


@given(st.text(st.sampled_from("ab\r\n\u2028\x0b"), max_size=60), st.integers(1, 20))
def test_lines_found_a_block_at_a_time_are_the_lines_of_the_whole(text: str, block: int) -> None:
    whole = [match[0] for match in _LINE.finditer(text) if match[0]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "_BLOCK_CHARS", block)
        assert list(sheet._physical_lines(text, "a.csv", 1000)) == whole


def test_a_long_line_is_named_wherever_its_block_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "short\n" * 9 + "x" * 50 + "\n" + "short\n" * 9
    for block in (1, 7, 40, 1000):
        monkeypatch.setattr(sheet, "_BLOCK_CHARS", block)
        lines = sheet._physical_lines(text, "a.csv", 20)
        assert [next(lines) for _ in range(9)] == ["short\n"] * 9
        with pytest.raises(ScriptTooLarge, match="line 10: has 51"):
            next(lines)
