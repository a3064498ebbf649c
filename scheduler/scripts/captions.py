"""Captions of broadcasters: EBU STL (Tech 3264) and SCC (CEA-608), with the exact times of their frames.

The bytes are laid out here, block by block and code by code, so that each fault has a place; the characters they stand
for come from ttconv's tables. A caption that rolls up or is painted row by row is spoken once, not each time it moves.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Literal

from scheduler.scripts.cues import Cue, Run, labelled, time_fault
from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.errors import ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.timecode import TimecodeInvalid, parse_timecode, shown_rate
from scheduler.scripts.vtt import subtitle_document

MAX_BLOCKS = 100_000
"""Most text blocks of an STL file: its header counts them with five digits."""
MAX_WORDS = 2_600_000
"""Most codes of an SCC file: one a frame for a whole day."""
MAX_FAULTS = 100_000
"""Most faults that are listed one by one."""

_GSI_BYTES = 1024
_TTI_BYTES = 128
_STL_SNIFF = re.compile(rb"[\s\S]{3}STL\d\d\.\d\d")
_STL_RATES = {b"STL23.01": Fraction(24000, 1001), b"STL24.01": Fraction(24), b"STL25.01": Fraction(25),
              b"STL30.01": Fraction(30), b"STL50.01": Fraction(50)}  # fmt: skip
_HEADER_PAGES = {b"437": "cp437", b"850": "cp850", b"860": "cp860", b"863": "cp863", b"865": "cp865"}
_TEXT_PAGES = {b"01": "iso8859-5", b"02": "iso8859-6", b"03": "iso8859-7", b"04": "iso8859-8"}
_LANGUAGES = dict(enumerate((
    "", "sq", "br", "ca", "hr", "cy", "cs", "da", "de", "en", "es", "eo", "et", "eu", "fo", "fr", "fy", "ga", "gd",
    "gl", "is", "it", "se", "la", "lv", "lb", "lt", "hu", "mt", "nl", "no", "oc", "pl", "pt", "ro", "rm", "sr", "sk",
    "sl", "fi", "sv", "tr", "nl", "wa",
))) | {
    0x75: "zh", 0x7E: "ar", 0x77: "bg", 0x70: "el", 0x6C: "he", 0x6B: "hi", 0x6A: "id", 0x69: "ja", 0x65: "ko",
    0x5A: "fa", 0x56: "ru", 0x4A: "th", 0x49: "uk", 0x48: "ur", 0x46: "vi", 0x4B: "te", 0x4D: "ta", 0x78: "bn",
}  # fmt: skip
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_ROW_END, _UNUSED = 0x8A, 0x8F

_SCC_HEADER = re.compile(r"\s*Scenarist_SCC\s+V1\.0\s*\Z", re.IGNORECASE)
_SCC_LINE = re.compile(r"\s*(\d{1,3}:\d{2}:\d{2}[:;.,]\d{2})[ \t]+(\S.*)\Z", re.ASCII)
_SCC_TIMED = re.compile(r"\s*-?\d+:\d+:\d+", re.ASCII)
_SCC_WORD = re.compile(r"[0-9A-Fa-f]{4}\Z")
_NTSC = Fraction(30000, 1001)
_BLANK_AFTER = Fraction(16)
"""Seconds after which decoders blank a caption that nothing erases."""
_LABEL_CHARS = 80
_TURN = re.compile(r"(?:^|(?<=\s))>{2,3}[ \t]*(?=\S|$)|(?<=[.!?])>>", re.MULTILINE)


class StlReader:
    """Reads ``.stl`` of the EBU; one section per file."""

    name = "stl"
    suffixes = (".stl",)
    kind = "dubbing"

    def sniff(self, head: bytes) -> bool:
        """The fourth byte starts the disk format code, such as STL25.01."""
        return _STL_SNIFF.match(head) is not None

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read an EBU STL file whole."""
        data = source.data(options.max_file_bytes)
        if not self.sniff(data) or len(data) < _GSI_BYTES:
            why = "is not EBU STL: its header, 1024 bytes with a code such as STL25.01, is not there"
            raise ScriptUnreadable(source.name, "", why)
        if len(data) > _GSI_BYTES + MAX_BLOCKS * _TTI_BYTES:
            raise ScriptTooLarge(source.name, "", f"holds more than {MAX_BLOCKS:,} text blocks; divide the programme")
        stl = _Stl(data, options, source.name)
        cues = list(stl.cues())
        facts = {"language": stl.language, "title": stl.title}
        return subtitle_document(source, options, self.name, cues, stl.rejected, facts, "", stl.summary())


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


class _Stl:
    """One EBU STL file: the general block, then a text block for each 112 bytes of subtitle."""

    def __init__(self, data: bytes, options: ReadOptions, file: str) -> None:
        self.data = data
        self.rejected: list[Rejection] = []
        self._notices: list[Rejection] = []
        self._comments = self._damaged = 0
        page = _HEADER_PAGES.get(data[0:3], "cp850")
        self.title = _header(data, 80, 32, page) or _header(data, 16, 32, page)
        self.language = self._language(data[14:16])
        self.rate = self._rate(data[3:11], options.frame_rate)
        self._decode = self._text_decoder(data[12:14])
        self._start_of_programme(data[256:264])
        count = data[238:243].strip()
        blocks = (len(data) - _GSI_BYTES) // _TTI_BYTES
        if count.isdigit() and int(count) != blocks:
            self._note(f"its header counts {int(count)} text blocks, and it holds {blocks}")
        if (len(data) - _GSI_BYTES) % _TTI_BYTES:
            self.rejected.append(Rejection(f"block {blocks + 1}", "is cut off; copy the file again"))

    def cues(self) -> Iterator[Cue]:
        """Yield a cue for each subtitle; what extension blocks add belongs to the block that they extend."""
        held = b""
        first = 0
        for at in range(_GSI_BYTES, len(self.data) - _TTI_BYTES + 1, _TTI_BYTES):
            block = self.data[at : at + _TTI_BYTES]
            number = (at - _GSI_BYTES) // _TTI_BYTES + 1
            extension = block[3]
            if 0xF0 <= extension <= 0xFE:
                continue  # user data and reserved blocks hold no subtitle
            first = first if held else number
            held += block[16:].partition(b"\x8f")[0] if extension == 0xFF else block[16:].rstrip(b"\x8f")
            if extension != 0xFF and len(held) < 0xF0 * 112:
                continue
            cue = self._cue(block, held, first)
            held = b""
            if cue is not None:
                yield cue
        if held:
            self.rejected.append(Rejection(f"block {first}", "its last block is missing; copy the file again"))

    def summary(self) -> list[Rejection]:
        """Say what was assumed and left out."""
        if self._comments:
            self._note(f"{self._comments} comments left out")
        if self._damaged:
            self._note(f"{self._damaged} characters are of no known code and were left out")
        return self._notices

    def _note(self, text: str) -> None:
        self._notices.append(Rejection("", text))

    def _language(self, code: bytes) -> str:
        try:
            return normal_tag(_LANGUAGES.get(int(code, 16))) or ""
        except ValueError:
            return ""

    def _rate(self, code: bytes, asked: Fraction | None) -> Fraction:
        stated = _STL_RATES.get(code)
        if asked is not None:
            if stated is not None and asked != stated:
                self._note(f"its frames are counted at {shown_rate(asked)} a second as asked, not {shown_rate(stated)}")
            return asked
        if stated is None:
            self._note(f"{code.decode('latin-1')!r} is no frame rate that is known: 25 a second assumed")
            return Fraction(25)
        if stated == 30:
            self._note("its frames are counted at 30 a second, as it states; --frame-rate 29.97 for NTSC pictures")
        return stated

    def _text_decoder(self, table: bytes) -> Callable[[bytes], str]:
        page = _TEXT_PAGES.get(table)
        if page is not None:
            return lambda data: codecs.decode(data, page, "replace")
        if table != b"00":
            self._note(f"the character table {table.decode('latin-1')!r} is not known: read as Latin (00)")
        from ttconv.stl import iso6937

        return lambda data: str(iso6937.decode(data, errors="replace")[0])

    def _start_of_programme(self, stamp: bytes) -> None:
        text = stamp.decode("latin-1")
        if stamp.isdigit() and int(stamp):
            shown = ":".join(text[at : at + 2] for at in range(0, 8, 2))
            self._note(f"the programme starts at {shown}: not taken off the times")

    def _cue(self, block: bytes, held: bytes, number: int) -> Cue | None:
        place = f"block {number}"
        if block[15] == 1:
            self._comments += 1
            return None
        runs, colours = self._text(held)
        if not any(run.text.strip() for run in runs):
            self.rejected.append(Rejection(place, "the subtitle has no text"))
            return None
        try:
            start, end = (self._time(block[at : at + 4]) for at in (5, 9))
        except TimecodeInvalid as error:
            self.rejected.append(Rejection(place, str(error)))
            return None
        fault = time_fault(start, end)
        if fault is not None:
            shown = " ".join(runs[0].text.split())[:60]
            self.rejected.append(Rejection(place, f"{fault}: {shown!r}"))
            return None
        identity = str(int.from_bytes(block[1:3], "little"))
        extra = {"colour": ", ".join(colours)} if colours else {}
        return Cue(identity, start, end, runs, number, extra=extra, place=place)

    def _time(self, stamp: bytes) -> Fraction:
        return parse_timecode(":".join(f"{value:02}" for value in stamp), self.rate)

    def _text(self, data: bytes) -> tuple[tuple[Run, ...], tuple[str, ...]]:
        """Return the words, rows as lines, and the colours of teletext that are not white."""
        colours: dict[str, None] = {}
        plain = bytearray()
        now = "white"
        rows: list[str] = []
        for code in (*data, _ROW_END):
            if code == _ROW_END:
                rows.append(self._decode(bytes(plain)))
                plain.clear()
                now = "white"  # each row of teletext starts in white
            elif 0x20 <= code <= 0x7E or code >= 0xA0:
                plain.append(code)
                if code != 0x20:
                    colours[now] = None
            elif code <= 0x07:
                now = _COLOURS[code]
                plain.append(0x20)
            elif code <= 0x1F:
                plain.append(0x20)  # a control code takes the place of a character
        text = "\n".join(" ".join(row.split()) for row in rows if row.strip())
        self._damaged += text.count("\ufffd")
        found = tuple(colours) if set(colours) - {"white"} else ()
        return tuple(_turns(text.replace("\ufffd", ""))), found


def _header(data: bytes, at: int, length: int, page: str) -> str:
    text = data[at : at + length].decode(page, "replace").replace("\0", " ")
    return " ".join(text.split()) if text.isprintable() else ""


def _turns(text: str, carried: str = "") -> Iterator[Run]:
    """Divide a caption at ``>>``, which marks a change of speaker; a name and a colon after it say who speaks."""
    at = 0
    name = carried
    for match in _TURN.finditer(text):
        if text[at : match.start()].strip():
            yield Run(text[at : match.start()].strip(), name)
        ahead = text[match.end() : match.end() + _LABEL_CHARS]
        name, rest = labelled(ahead)
        at = match.end() + len(ahead) - len(rest)
    if text[at:].strip():
        yield Run(text[at:].strip(), name)


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
        runs = tuple(_turns(text, self._speaker if shown.style == "roll-up" else ""))
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
