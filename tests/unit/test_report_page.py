from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from db.records import DeliveryWork, JobOptions
from synthesis.deliverables.report import (
    ReportChapter,
    ReportCheck,
    ReportData,
    ReportFile,
    ReportFinding,
    ReportLine,
    ReportVoice,
    clock,
    decimal,
    file_size,
    render_report,
    waveform_path,
)
from workers.papers import report_data

PEAKS = tuple((-abs(n % 40) / 80, abs(n % 50) / 90) for n in range(800))
LINE = ReportLine("1", "Alice", "draft-1@1", "“Curiouser & <curiouser>!”", 2345, 500)
CHAPTER = ReportChapter(1, "Down the <Rabbit> Hole", 61_000, -19.04, -3.12, -21.5, None, PEAKS, (LINE,), gain_db=2.0)
DATA = ReportData(
    title="Alice & <friends>", author="Lewis Carroll", language="en", made_at=datetime(2026, 11, 21, 1, 2, tzinfo=UTC),
    software="voicefarm 0.1.0", profile="audiobook",
    checks=(ReportCheck("Level", "-19 ± 0.5 LUFS", "-19.04", "pass"), ReportCheck("Peak", "≤ -3", "-2.9", "fail")),
    voices=(ReportVoice("draft-1@1", "draft", 1, draft=True), ReportVoice("anna@3", "gpt-sovits", 0)),
    chapters=(CHAPTER,), files=(ReportFile("alice.m4b", "m4b", 1_234_567, "ab" * 32, 61_000),), source="alice.epub",
    render_s=6.1, facts={"Job": 7},
)  # fmt: skip

VOID = {"meta", "br", "link", "img", "path", "input", "hr"}


class Page(HTMLParser):
    """Well-formedness, text, and everything that could ask a server for something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def test_the_page_stands_alone() -> None:
    page = render_report(DATA)
    asked = [
        tag
        for tag, attrs in Page(page).tags
        if tag in {"script", "link", "img", "iframe"} or "src" in attrs or "href" in attrs
    ]
    assert asked == []
    assert "url(" not in page
    assert "@import" not in page
    assert "http" not in page


def test_what_was_made_is_told_and_escaped() -> None:
    page = Page(render_report(DATA))
    for expected in [
        "Alice & <friends>", "“Curiouser & <curiouser>!”", "Down the <Rabbit> Hole", "1:01", "−19.0", "−3.1", "10.0 ×",
        "alice.m4b", "1.2 MB", "ab" * 32, "1 of 2 requirements not met", "✓ Pass", "✗ Fail", "0:02.3",
        "voicefarm 0.1.0",
    ]:  # fmt: skip
        assert expected in page.text


def test_generated_and_draft_speech_is_labelled() -> None:
    text = Page(render_report(DATA)).text
    assert "AI-generated speech." in text
    assert "Draft voice: a formant synthesiser" in text
    assert "Heard here: draft-1@1" in text
    assert "Draft voice" not in Page(render_report(replace(DATA, voices=DATA.voices[1:]))).text


def test_what_the_profile_asks_of_people_stands_at_the_top() -> None:
    assert "Before you deliver" not in render_report(DATA)
    text = Page(render_report(replace(DATA, profile="acx", profile_notice="Ask <them> first."))).text
    assert text.index("Before you deliver (acx): Ask <them> first.") < text.index("Down the <Rabbit> Hole")


def test_the_notice_is_that_of_the_profile_of_the_job() -> None:
    work = DeliveryWork(
        job_id=1, revision=1, production_id=1, slug="a", title="A", author="", language="en", kind="audiobook",
        profile="acx", options=JobOptions(), out_url="file:///out", source_name="a.txt", source_sha256="0",
        created_at=DATA.made_at, sections=(),
    )  # fmt: skip
    assert "human narration" in report_data(work, (), DATA.made_at, "voicefarm").profile_notice
    assert report_data(replace(work, profile="audiobook"), (), DATA.made_at, "voicefarm").profile_notice == ""


def test_noticed_lines_come_first_and_only_when_there_are_any() -> None:
    assert "Worth a listen" not in render_report(DATA)
    flagged = replace(LINE, findings=(ReportFinding("pace", "twice as slow as usual"),))
    skipped = replace(LINE, text="Nobody reads this", duration_ms=None, start_ms=None, skipped=True)
    chapter = replace(CHAPTER, lines=(LINE, flagged, skipped), warnings=("target not reachable",))
    text = Page(render_report(replace(DATA, chapters=(chapter,)))).text
    assert text.index("Worth a listen") < text.index("twice as slow as usual") < text.index("Profile:")
    assert "target not reachable" in text
    assert "2 lines flagged or left out" in text
    assert "left out" in text


def test_ten_thousand_lines_stay_a_page() -> None:
    lines = tuple(
        replace(LINE, key=str(n), text=f"Line {n}. " + "words " * 15, findings=(ReportFinding("a", "b"),))
        for n in range(1000)
    )
    page = render_report(replace(DATA, chapters=(replace(CHAPTER, lines=lines),) * 10))
    assert len(page) < 6_000_000
    assert "the first 500 are shown here" in page
    assert page.count("<svg") == 10


def test_nothing_at_all_is_still_a_page() -> None:
    empty = replace(DATA, chapters=(), files=(), voices=(), checks=(), render_s=None, author="")
    Page(render_report(empty))
    silent = replace(CHAPTER, loudness_lufs=None, true_peak_dbtp=None, rms_dbfs=float("-inf"), peaks=((0.0, 0.0),) * 9)
    assert "–" in Page(render_report(replace(DATA, chapters=(silent,)))).text


@pytest.mark.parametrize("count", [0, 1, 399, 400, 401, 800, 5000])
def test_waveform_has_at_most_400_columns(count: int) -> None:
    path = waveform_path(((-0.5, 0.25),) * count)
    columns = re.findall(r"M(\d+) (\d+)V(\d+)", path)
    assert len(columns) == min(count, -(-count // max(1, -(-count // 400))))
    assert len(columns) <= 400
    assert all((top, bottom) == ("38", "74") for _, top, bottom in columns)


def test_figures() -> None:
    assert [clock(ms) for ms in (None, 0, 4_240, 59_949, 59_950, 61_000, 3_600_000, 36_001_000)] == [
        "–", "0:00.0", "0:04.2", "0:59.9", "1:00", "1:01", "1:00:00", "10:00:01",
    ]  # fmt: skip
    assert [decimal(v) for v in (None, -19.04, float("-inf"), 2.0)] == ["–", "−19.0", "–", "2.0"]
    assert [file_size(n) for n in (0, 999, 1500, 12_345, 1_234_567, 3_460_000_000)] == [
        "0 B", "999 B", "1.5 kB", "12 kB", "1.2 MB", "3.46 GB",
    ]  # fmt: skip
