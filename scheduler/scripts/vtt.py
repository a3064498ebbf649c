"""WebVTT, by the parsing rules of the W3C: cues, voices, languages; styles, regions and comments are not text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath

from scheduler.scripts.blocks import clean
from scheduler.scripts.clock import parse_clock
from scheduler.scripts.cues import Cue, Run, cue_lines, time_fault
from scheduler.scripts.detection import of_text
from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.errors import ScriptEmpty, ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument, ScriptSection
from scheduler.scripts.source import ScriptSource

_TIMING = re.compile(
    r"[ \t\f]*([\d:.,]+)[ \t\f]*-->[ \t\f]*([\d:.,]+(?=[ \t\f]|\Z)|[\d:]+\.\d{3}(?=[^\d:.,])).*\Z", re.ASCII
)
"""What comes after the end are settings, behind a whole time even without a space."""
_MARK = re.compile(
    r"<(/?)([a-z]*)((?:\.[^\s<>]*)?)(?:\s([^<>]*))?>"
    r"|<\d[\d:.\s]*>|<[^\s<>\d][^<>]*>"  # the time of a word; a tag that nobody knows
    r"|<(?:/?(?:[cibuv]|lang|ruby|rt)(?:\.[^\s<>.]+)*\.?|\d+:[\d:.]+)(?=[\s<]|\Z)",  # one that is never closed
    re.IGNORECASE,
)
_HEADER = re.compile(r"(Language|Title)\s*:\s*(.+)\Z", re.IGNORECASE)


class VttReader:
    """Reads ``.vtt``; one section per file."""

    name = "vtt"
    suffixes = (".vtt", ".webvtt")
    kind = "dubbing"

    def sniff(self, head: bytes) -> bool:
        """Every WebVTT file starts with its name."""
        return head.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT")

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a WebVTT file whole."""
        text, encoding = decode(source.data(options.max_file_bytes), source.name, options.encoding)
        lines = to_lines(tidy_ends(text), source.name, options.max_source_line_chars)
        if not lines or not re.match(r"WEBVTT(?:[ \t]|\Z)", lines[0]):
            raise ScriptUnreadable(source.name, "line 1", "does not start with WEBVTT")
        rejected: list[Rejection] = []
        facts: dict[str, str] = {}
        cues = list(_cues(lines, facts, rejected))
        return subtitle_document(source, options, self.name, cues, rejected, facts, encoding)


def tidy_ends(text: str) -> str:
    """Take out byte order marks, which files joined from several have in the middle, and repair doubled line ends."""
    text = text.replace("\ufeff", "")
    doubled = text.count("\r\r\n")
    return text.replace("\r\r\n", "\n") if doubled and doubled == text.count("\n") else text


def subtitle_document(
    source: ScriptSource,
    options: ReadOptions,
    format: str,
    cues: list[Cue],
    rejected: list[Rejection],
    facts: dict[str, str],
    encoding: str,
    choices: Sequence[Rejection] = (),
) -> ScriptDocument:
    """Make the document of a subtitle file; ``choices`` made while reading join its notices.

    ``encoding`` is "" for a file whose own header settles it. Raises ScriptEmpty when no cue was read.
    """
    notices = [] if encoding in ("", "utf-8", "ascii") else [Rejection("", f"read as {encoding}")]
    notices.extend(choices)
    language = normal_tag(options.language) or normal_tag(facts.get("language"))
    if language is None:
        language, sure = of_text("\n".join(run.text for cue in cues for run in cue.runs))
        if not sure:
            notices.append(Rejection("", f"no language is stated: read as {language!r}; --language says otherwise"))
    lines = cue_lines(cues, language, options, rejected)
    if not lines:
        more = f"; the first fault: {rejected[0].place}, {rejected[0].reason}" if rejected else ""
        raise ScriptEmpty(source.name, "", f"holds no cue with words{more}")
    title = clean(facts.get("title", "")).strip() or PurePath(source.name).stem
    return ScriptDocument(
        title=title,
        author="",
        language=language,
        kind="dubbing",
        format=format,
        sections=(ScriptSection("cues", "reel", title, lines),),
        rejected=tuple(rejected),
        notices=tuple(notices),
    )


def _cues(lines: list[str], facts: dict[str, str], rejected: list[Rejection]) -> Iterator[Cue]:
    at = 1
    while at < len(lines) and lines[at] and "-->" not in lines[at]:  # the header
        match = _HEADER.match(lines[at])
        if match is not None:
            facts[match[1].lower()] = match[2].strip()
        at += 1
    while at < len(lines):
        if not lines[at]:
            at += 1
            continue
        end = _block_end(lines, at)
        cue = _block(lines, at, end, rejected)
        if cue is not None:
            yield cue
        at = end


def _block_end(lines: list[str], start: int) -> int:
    """A block ends at an empty line, and before a timing line that is not its first or second."""
    at = start + 1
    arrow = "-->" in lines[start]
    while at < len(lines) and lines[at]:
        if "-->" in lines[at]:
            if arrow or at > start + 1:
                return at
            arrow = True
        at += 1
    return at


def _block(lines: list[str], start: int, end: int, rejected: list[Rejection]) -> Cue | None:
    timing = start if "-->" in lines[start] else start + 1
    if timing >= end or "-->" not in lines[timing]:
        first = lines[start].rstrip(" \t")
        is_comment = re.match(r"NOTE(?:[ \t]|\Z)", lines[start]) is not None
        if not is_comment and first not in ("STYLE", "REGION"):
            rejected.append(Rejection(f"line {start + 1}", f"no timing stands over {_short(first)!r}"))
        return None
    return timed_cue(
        _TIMING.match(lines[timing]),
        lines[start].strip() if timing > start else "",
        tuple(_runs("\n".join(lines[timing + 1 : end]))),
        timing + 1,
        lines[timing],
        rejected,
    )


def timed_cue(
    match: re.Match[str] | None, identity: str, runs: tuple[Run, ...], number: int, line: str, rejected: list[Rejection]
) -> Cue | None:
    """Make a cue of a timing line that matched, or reject it with the reason."""
    place = f"line {number}"
    start, end = (parse_clock(match[1]), parse_clock(match[2])) if match is not None else (None, None)
    if start is None or end is None:
        rejected.append(Rejection(place, f"{_short(line.strip())!r} is not a timing"))
    elif (fault := time_fault(start, end)) is not None:
        rejected.append(Rejection(place, f"{fault}: {_short(line.strip())!r}"))
    elif not any(run.text.strip() for run in runs):
        rejected.append(Rejection(place, "the cue has no text"))
    else:
        return Cue(identity, start, end, runs, number)
    return None


def _runs(text: str) -> Iterator[Run]:
    """Divide a cue's payload where the voice or the language changes, and take the tags off."""
    if "<" not in text:
        yield Run(html.unescape(text))
        return
    for (name, language), group in groupby(_spans(text), key=lambda span: (span.name, span.language)):
        yield Run("".join(span.text for span in group), name, language)


def _spans(text: str) -> Iterator[Run]:
    at = 0
    name = ""
    languages = [""]
    in_reading = False
    for match in _MARK.finditer(text):
        if not in_reading and match.start() > at:
            yield Run(html.unescape(text[at : match.start()]), name, languages[-1])
        at = match.end()
        closing, tag, _, value = match.groups()
        tag = (tag or "").lower()
        if tag == "v":
            name = "" if closing else clean(html.unescape(value or "")).strip()
        elif tag == "lang" and not closing:
            languages.append(normal_tag(value) or "")
        elif tag == "lang" and len(languages) > 1:
            languages.pop()
        elif tag in ("rt", "ruby"):
            in_reading = tag == "rt" and not closing
    if not in_reading and at < len(text):
        yield Run(html.unescape(text[at:]), name, languages[-1])


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
