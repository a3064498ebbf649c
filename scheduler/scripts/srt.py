"""SubRip: numbered cues, read strictly; whatever stands outside a cue is reported with its line."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from scheduler.scripts.cues import Cue, Run
from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.vtt import subtitle_document, tidy_ends, timed_cue

_TIMING = re.compile(r"\s*([\d:.,]+)\s*-->\s*([\d:.,]+)(?:\s+\S.*)?\s*\Z")
_COLON_MS = re.compile(r"(\d:\d{1,2}:\d{1,2}):(?=\d{3}\b)", re.ASCII)
"""Some writers put a colon before the milliseconds; their three digits tell them from frames."""
_BREAK = re.compile(r"\\[Nh]")
"""A line end and a hard space of SubStation, which converters leave standing."""
_NUMBER = re.compile(r"\s*\d+\s*\Z")
_SNIFF = re.compile(rb"(?:\xef\xbb\xbf)?\s*\d+\s*\r?\n\s*\d+:\d+:\d+[.,]\d+\s*-->")
_MARK = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|\{\\[^{}]{0,200}\}")
_DOTS = re.compile(r"(?<=[:,.])\s{1,4}|\s{1,4}(?=[:,.])")
_ARROW = re.compile(r"\s*-?\d+\s*:.*-->")
"""A timing, or what was meant as one: an arrow among words is text."""


class SrtReader:
    """Reads ``.srt``; one section per file."""

    name = "srt"
    suffixes = (".srt",)
    kind = "dubbing"

    def sniff(self, head: bytes) -> bool:
        """A number, then a timing."""
        return _SNIFF.match(head) is not None

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a SubRip file whole."""
        text, encoding = decode(source.data(options.max_file_bytes), source.name, options.encoding)
        lines = to_lines(tidy_ends(text), source.name, options.max_source_line_chars)
        rejected: list[Rejection] = []
        cues = list(_cues(lines, rejected))
        return subtitle_document(source, options, self.name, cues, rejected, {}, encoding)


def _cues(lines: list[str], rejected: list[Rejection]) -> Iterator[Cue]:
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        numbered = _NUMBER.match(lines[at]) is not None and at + 1 < len(lines) and _is_timing(lines[at + 1])
        timing = at + 1 if numbered else at
        if not _is_timing(lines[timing]):
            end = _end(lines, at)  # past this line: it starts no cue
            rejected.append(Rejection(f"line {at + 1}", f"stands outside any cue: {_short(lines[at])!r}"))
            at = end
            continue
        end = _end(lines, timing + 1)
        cue = timed_cue(
            _TIMING.match(_COLON_MS.sub(r"\1,", _DOTS.sub("", lines[timing]))),
            lines[at].strip() if numbered else "",
            (Run(_plain("\n".join(lines[timing + 1 : end]))),),
            timing + 1,
            lines[timing],
            rejected,
        )
        if cue is not None:
            yield cue
        at = end


def _plain(text: str) -> str:
    """The words of a cue without what styles them."""
    if "\\" in text and ":\\" not in text:  # a path of Windows keeps its backslashes
        text = _BREAK.sub(lambda match: "\n" if match[0] == "\\N" else " ", text)
    return html.unescape(_MARK.sub("", text)) if "<" in text or "&" in text or "{" in text else text


def _end(lines: list[str], start: int) -> int:
    """The text of a cue ends at an empty line, or where the next cue begins without one."""
    at = start
    while at < len(lines) and lines[at].strip():
        starts_next = _is_timing(lines[at]) or (
            _NUMBER.match(lines[at]) is not None and at + 1 < len(lines) and _is_timing(lines[at + 1])
        )
        if starts_next:
            break
        at += 1
    return at


def _is_timing(line: str) -> bool:
    return "-->" in line and _ARROW.match(line) is not None


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 60 else text[:57] + "..."
