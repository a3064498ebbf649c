"""SCC (CEA-608), captions of broadcasters, with the exact times of their frames.

The bytes are laid out here, code by code, so that each fault has a place; the characters they stand for come from
ttconv's tables. A caption that rolls up or is painted row by row is spoken once, not each time it moves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Literal

from scheduler.scripts.captions import turns
from scheduler.scripts.cues import Cue, time_fault
from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.errors import ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.timecode import TimecodeInvalid, parse_timecode
from scheduler.scripts.vtt import subtitle_document

MAX_WORDS = 2_600_000
"""Most codes of an SCC file: one a frame for a whole day."""
MAX_FAULTS = 100_000
"""Most faults that are listed one by one."""

_SCC_HEADER = re.compile(r"\s*Scenarist_SCC\s+V1\.0\s*\Z", re.IGNORECASE)
_SCC_LINE = re.compile(r"\s*(\d{1,3}:\d{2}:\d{2}[:;.,]\d{2})[ \t]+(\S.*)\Z", re.ASCII)
_SCC_TIMED = re.compile(r"\s*-?\d+:\d+:\d+", re.ASCII)
_SCC_WORD = re.compile(r"[0-9A-Fa-f]{4}\Z")
_NTSC = Fraction(30000, 1001)
_BLANK_AFTER = Fraction(16)
"""Seconds after which decoders blank a caption that nothing erases."""


class SccReader:
    """Reads ``.scc``: the first caption channel; one section per file."""

    name = "scc"
    suffixes = (".scc",)
    kind = "dubbing"

    def sniff(self, head: bytes) -> bool:
        """The first line says Scenarist_SCC."""
        return re.match(rb"(?:\xef\xbb\xbf)?\s*Scenarist_SCC", head, re.IGNORECASE) is not None

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read an SCC file whole."""
        text, encoding = decode(source.data(options.max_file_bytes), source.name, options.encoding)
        # one line carries all codes of a long roll-up passage
        lines = to_lines(text, source.name, options.max_file_bytes)
        if not lines or not _SCC_HEADER.match(lines[0].strip("\ufeff")):
            raise ScriptUnreadable(source.name, "line 1", "does not start with Scenarist_SCC V1.0")
        decoder = _Decoder(source.name, options.frame_rate or _NTSC)
        for number, line in enumerate(lines[1:], 2):
            if line.strip():
                decoder.line(line, number)
        decoder.finish()
        cues = sorted(decoder.cues, key=lambda cue: (cue.start, cue.line))
        return subtitle_document(
            source, options, self.name, cues, decoder.rejected, {}, encoding, list(decoder.summary())
        )


_Style = Literal["pop-on", "roll-up", "paint-on", "text", ""]


@dataclass
class _Screen:
    """Rows of characters as a decoder holds them."""

    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    row: int = 15
    column: int = 0
    widths: dict[int, int] = field(default_factory=dict)
    """Columns written in each row."""
    colour: str = "white"
    colours: dict[str, None] = field(default_factory=dict)
    start: Fraction | None = None
    line: int = 0
    style: _Style = ""

    def write(self, text: str) -> None:
        cells = self.rows.setdefault(self.row, {})
        for char in text:
            cells[self.column] = char
            self.column += 1
        self.widths[self.row] = max(self.widths.get(self.row, 0), self.column)
        if text.strip():
            self.colours[self.colour] = None

    def back(self) -> None:
        self.column = max(0, self.column - 1)
        self.rows.get(self.row, {}).pop(self.column, None)

    def cut(self) -> None:
        """Delete to the end of the row."""
        cells = self.rows.get(self.row, {})
        width = self.widths.get(self.row, 0)
        for column in range(self.column, width):
            cells.pop(column, None)
        self.widths[self.row] = min(self.column, width)

    def text(self) -> str:
        found = []
        for _, cells in sorted(self.rows.items()):
            chars = [cells.get(column, " ") for column in range(max(cells, default=-1) + 1)]
            found.append(" ".join("".join(chars).split()))
        return "\n".join(row for row in found if row)


class _Decoder:
    """Follows the codes of channel 1 as a caption decoder does, and notes what appears when and until when."""

    def __init__(self, file: str, rate: Fraction) -> None:
        self.file = file
        self.rate = rate
        self.cues: list[Cue] = []
        self.rejected: list[Rejection] = []
        self._style: _Style = ""
        self._shown = _Screen()
        self._hidden = _Screen()
        self._written_on = 0
        """Line of the file that wrote what is shown last."""
        self._done = False
        """Whether the row that rolls up is complete; it stays until the next one is written."""
        self._speaker = ""
        self._start = Fraction(0)
        self._frame = 0
        self._previous: int | None = None
        self._own_channel = True
        self._words = self._other = self._never_erased = self._service = 0
        self._stray: dict[int, int] = {}
        """Characters that come before anything says how to show them, by line."""

    @property
    def _now(self) -> Fraction:
        return self._start + self._frame / self.rate

    def line(self, line: str, number: int) -> None:
        """Take one line: the time of its first code, and the codes, one a frame."""
        place = f"line {number}"
        if len(self.rejected) > MAX_FAULTS:
            raise ScriptTooLarge(self.file, place, f"has more than {MAX_FAULTS:,} faults before it; is it captions?")
        match = _SCC_LINE.match(line)
        if match is None:
            shown = repr(line.strip()[:60])
            why = "has no time as HH:MM:SS:FF" if _SCC_TIMED.match(line) else "is no line of captions"
            self.rejected.append(Rejection(place, f"{shown} {why} and codes after it"))
            return
        stamp = match[1]
        try:
            start = parse_timecode(stamp[:-3] + stamp[-3].replace(".", ";").replace(",", ";") + stamp[-2:], self.rate)
        except TimecodeInvalid as error:
            self.rejected.append(Rejection(place, str(error)))
            return
        words = match[2].split()
        self._words += len(words)
        if self._words > MAX_WORDS:
            raise ScriptTooLarge(self.file, place, f"holds more than {MAX_WORDS:,} codes; divide the programme")
        bad = [word for word in words if not _SCC_WORD.match(word)]
        if bad:
            why = f"{len(bad)} of its codes are not four hexadecimal digits, the first {bad[0][:20]!r}: passed over"
            self.rejected.append(Rejection(place, why))
        self._start = start
        for index, word in enumerate(words):
            self._frame = index
            if _SCC_WORD.match(word):
                self._word(int(word, 16) & 0x7F7F, number)

    def finish(self) -> None:
        """End what is still shown when the file does, and report what never was."""
        if self._shown.text() and self._shown.start is not None:
            self._never_erased += 1
            self._close(self._shown.start + _BLANK_AFTER)
        if self._hidden.text():
            shown = " ".join(self._hidden.text().split())[:60]
            self.rejected.append(Rejection(f"line {self._hidden.line}", f"{shown!r} is loaded and never shown"))
        for number, count in self._stray.items():
            why = f"{count} characters come before any code that says how they are shown"
            self.rejected.append(Rejection(f"line {number}", why))

    def summary(self) -> Iterator[Rejection]:
        """Say what was assumed and left out."""
        if self._never_erased:
            why = f"the last caption is never erased: taken to end {_BLANK_AFTER} s after it appears, as decoders do"
            yield Rejection("", why)
        if self._other:
            yield Rejection("", f"{self._other} codes of the second caption channel left out")
        if self._service:
            yield Rejection("", f"{self._service} characters of the text service left out")

    def _word(self, value: int, number: int) -> None:
        high, low = value >> 8, value & 0xFF
        if not 0x10 <= high <= 0x1F:
            self._previous = None
            if high >= 0x20 and self._own_channel:
                self._write("".join(_standard(byte) for byte in (high, low) if byte >= 0x20), number)
            elif high >= 0x20:
                self._other += 1
            elif low >= 0x20 and high == 0 and self._own_channel:
                self._write(_standard(low), number)
            return
        if value == self._previous:  # every code is sent twice
            self._previous = None
            return
        self._previous = value
        self._own_channel = not high & 0x08
        if not self._own_channel:
            self._other += 1
            return
        self._code(high, low, number)

    def _code(self, high: int, low: int, number: int) -> None:
        if low >= 0x40:
            self._address(high, low)
        elif high in (0x14, 0x15) and 0x20 <= low <= 0x2F:
            self._control(low, number)
        elif high == 0x17 and 0x21 <= low <= 0x23:
            self._target().column += low - 0x20
        elif high == 0x11 and 0x20 <= low <= 0x2F:
            self._mid_row(low, number)
        elif (char := _special(high << 8 | low)) is not None:
            if high != 0x11:  # the letter without its accent was sent before it
                self._target().back()
            self._write(char, number)

    def _target(self) -> _Screen:
        return self._hidden if self._style == "pop-on" else self._shown

    def _address(self, high: int, low: int) -> None:
        """Preamble address code: where the next characters stand, and their colour."""
        row = _row(high, low)
        row = 15 if self._style == "roll-up" else row
        if self._style in ("paint-on", "roll-up") and self._shown.rows.get(row):
            self._close(self._now)  # the row is written anew
        screen = self._target()
        screen.row = row
        attribute = (low & 0x1F) >> 1
        screen.column = (attribute - 8) * 4 if attribute >= 8 else 0
        screen.colour = _SCC_COLOURS[attribute] if attribute < 7 else "white"

    def _mid_row(self, low: int, number: int) -> None:
        attribute = (low & 0x0F) >> 1
        screen = self._target()
        if screen.rows.get(screen.row):
            self._write(" ", number)
        if attribute < 7:
            self._target().colour = _SCC_COLOURS[attribute]

    def _control(self, low: int, number: int) -> None:
        if low == 0x20:
            self._style = "pop-on"
        elif low in (0x25, 0x26, 0x27):
            if self._style != "roll-up":
                self._close(self._now)
                self._hidden = _Screen()
            self._style = "roll-up"
        elif low == 0x29:
            if self._style == "paint-on":
                self._close(self._now)
            self._style = "paint-on"
        elif low in (0x2A, 0x2B):
            self._style = "text"
        elif low == 0x2C:
            self._close(self._now)
        elif low == 0x2E:
            self._hidden = _Screen()
        elif low == 0x2F:
            self._flip(number)
        elif low == 0x2D and self._style == "roll-up":
            self._roll(number)
        elif low == 0x21:
            self._target().back()
        elif low == 0x24:
            self._target().cut()

    def _flip(self, number: int) -> None:
        """End of caption: what was prepared appears, and what was shown goes."""
        self._close(self._now)
        self._style = "pop-on"
        self._shown, self._hidden = self._hidden, _Screen()
        self._shown.start, self._shown.line, self._shown.style = self._now, number, "pop-on"

    def _roll(self, number: int) -> None:
        """Carriage return: the row is complete. One sent with its words leaves them shown until the next row."""
        if self._shown.start is None or self._done:
            return
        if self._written_on == number:
            self._done = True
        else:
            self._close(self._now)

    def _write(self, text: str, number: int) -> None:
        if self._style == "text":
            self._service += len(text)
            return
        if self._style == "":
            self._stray[number] = self._stray.get(number, 0) + len(text)
            return
        if self._done and self._style == "roll-up":
            self._close(self._now)
        screen = self._target()
        if screen is self._shown:
            if screen.start is None and text.strip():
                screen.start, screen.line, screen.style = self._now, number, self._style
            self._written_on = number
        screen.line = screen.line or number
        screen.write(text)

    def _close(self, end: Fraction) -> None:
        """What is shown goes at ``end``: it becomes a cue."""
        shown, self._shown, self._done = self._shown, _Screen(), False
        text = shown.text()
        if not text or shown.start is None:
            return
        place = f"line {shown.line}"
        runs = tuple(turns(text, self._speaker if shown.style == "roll-up" else ""))
        if shown.style == "roll-up" and runs:
            self._speaker = runs[-1].name  # a sentence goes on in the next row
        fault = time_fault(shown.start, end)
        if fault is not None or not runs:
            why = fault or "the caption has no words"
            self.rejected.append(Rejection(place, f"{why}: {' '.join(text.split())[:60]!r}"))
            return
        extra = {"colour": ", ".join(shown.colours)} if set(shown.colours) - {"white"} else {}
        self.cues.append(Cue("", shown.start, end, runs, shown.line, extra=extra))


_SCC_COLOURS = ("white", "green", "blue", "cyan", "red", "yellow", "magenta")
_ROWS = {0x10: (11, 11), 0x11: (1, 2), 0x12: (3, 4), 0x13: (12, 13), 0x14: (14, 15), 0x15: (5, 6), 0x16: (7, 8),
         0x17: (9, 10)}  # fmt: skip


def _row(high: int, low: int) -> int:
    return _ROWS[high][1 if low & 0x20 else 0]


@cache
def _standard(byte: int) -> str:
    from ttconv.scc.codes.standard_characters import SCC_STANDARD_CHARACTERS_MAPPING

    return str(SCC_STANDARD_CHARACTERS_MAPPING.get(byte, " "))


@cache
def _special(value: int) -> str | None:
    """Return the special or extended character of a code, None if it is none."""
    from ttconv.scc.codes.extended_characters import SccExtendedCharacter
    from ttconv.scc.codes.special_characters import SccSpecialCharacter

    found = SccSpecialCharacter.find(value) or SccExtendedCharacter.find(value)
    return None if found is None else str(found.get_unicode_value())
