"""EBU STL (Tech 3264), subtitles of broadcasters, with the exact times of their frames.

The bytes are laid out here, block by block, so that each fault has a place; the characters they stand for come from
ttconv's tables.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache

from scheduler.scripts.captions import turns
from scheduler.scripts.cues import Cue, Run, time_fault
from scheduler.scripts.errors import ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.timecode import TimecodeInvalid, frame_time, shown_rate
from scheduler.scripts.vtt import subtitle_document

MAX_BLOCKS = 100_000
"""Most text blocks of an STL file: its header counts them with five digits."""

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
_WHITE = b"\x07"
_COLOUR = re.compile(rb"[\x00-\x07]")
"""Each takes the place of a character, as all control codes do."""
_ROW_END = b"\x8a"
_AS_SPACES = bytes(0x20 if code < 0x20 else code for code in range(256))
_NO_CHARACTERS = bytes(range(0x7F, 0xA0))
_LATIN = re.compile(rb"[\xc1-\xcf][\s\S]?|[\x80-\xff]")
"""A letter of ISO 6937 beyond ASCII: an accent is sent before the letter that bears it."""


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
        return _latin

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
        hours, minutes, seconds, frames = stamp
        return frame_time(hours, minutes, seconds, frames, self.rate)

    def _text(self, data: bytes) -> tuple[tuple[Run, ...], tuple[str, ...]]:
        """Return the words, rows as lines, and the colours of teletext that are not white."""
        colours: dict[str, None] = {}
        rows: list[str] = []
        for row in filter(None, data.split(_ROW_END)):
            parts = [part.translate(_AS_SPACES, _NO_CHARACTERS) for part in _COLOUR.split(row)]
            codes = [_WHITE, *_COLOUR.findall(row)]  # each row of teletext starts in white
            for code, part in zip(codes, parts, strict=True):
                if part.strip(b" "):
                    colours[_COLOURS[ord(code)]] = None
            rows.append(" ".join(self._decode(b" ".join(parts)).split()))
        text = "\n".join(row for row in rows if row)
        self._damaged += text.count("\ufffd")
        found = tuple(colours) if set(colours) - {"white"} else ()
        return tuple(turns(text.replace("\ufffd", ""))), found


def _latin(row: bytes) -> str:
    """Decode table 00. Most rows are ASCII, and ttconv goes through a row byte by byte."""
    if row.isascii():
        return row.decode("ascii")
    plain = [part.decode("ascii") for part in _LATIN.split(row)]
    beyond = [_letter(code) for code in _LATIN.findall(row)]
    return "".join(part for pair in zip(plain, [*beyond, ""], strict=True) for part in pair)


@cache
def _letter(code: bytes) -> str:
    from ttconv.stl import iso6937

    return str(iso6937.decode(code, errors="replace")[0])


def _header(data: bytes, at: int, length: int, page: str) -> str:
    text = data[at : at + length].decode(page, "replace").replace("\0", " ")
    return " ".join(text.split()) if text.isprintable() else ""
