"""Twee 3: the passages of Twine stories, written for Harlowe, SugarCube, Chapbook or Snowman.

Each line of a passage is a line. Macros are never run: a line whose words depend on one is rejected with its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scheduler.scripts.gametext import Gatherer, Talk, load, short
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.segmentation import speakable
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.twee_formats import (
    FORMATS,
    HARLOWE_FLOW,
    HARLOWE_LINKS,
    HARLOWE_MACROS,
    HARLOWE_PRINTS,
    told_format,
    without_chapbook_code,
)

_SNIFF = re.compile(rb"(?:\xef\xbb\xbf)?\s*::[ \t]*[^\s:\[{][^\r\n]*[\r\n]")
_COMMENTS = (("/*", "*/"), ("<!--", "-->"), ("/%", "%/"))
_TOKEN = re.compile(
    r"\\\n|\n\\(?!\n)|\n|\[\[|<<|<%(?P<prints>[=-])?|\{\{\{|\}\}\}|\((?P<harlowe>[A-Za-z][\w/-]{0,40})\s*:|\|[\w-]{1,40}[>)](?=\[)|\]<[\w-]{1,40}\||"
    r"[\[\]{}]|<(?P<html>/?[A-Za-z][\w:-]{0,40})(?=[\s/>])[^<>]{0,2000}>|"
    r"\$\$?[A-Za-z_][\w.]{0,200}|(?<!\w)_[A-Za-z]\w{0,200}|(?<![\w?])\?[A-Za-z_][\w-]{0,60}"
)
_MACRO_NAME = re.compile(r"\s*(/?[A-Za-z][\w-]*|[=-])")
_QUOTED = re.compile(r"\"([^\"\\]*(?:\\.[^\"\\]*)*)\"|'([^'\\]*(?:\\.[^'\\]*)*)'")
_MARKS = re.compile(
    r"''|(?<!:)//|\*\*|__|~~|\^\^|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|(?<![=<])==(?=[^\s=>])|(?<=[^\s=<])==(?![=>])|\"\"\"|@@(?:[\w#.:%-]{1,60};){0,9}"
)
_BEFORE = re.compile(r"\s*(?:!{1,6}|#{1,6}(?=\s|[^\W\d_])|>{1,6}(?=\s)|\*{1,6}(?=\s)|-(?=\s)|(?:0\.){1,6}(?=\s))\s*")
_RULE = re.compile(r"[\s\-_*=<>|]*\Z")

_SUGARCUBE_FLOW = frozenset({"if", "elseif", "else", "switch", "case", "default", "for", "capture", "timed", "next",
    "repeat", "linkappend", "linkprepend", "linkreplace", "link", "button"})  # fmt: skip
_SUGARCUBE_LINKS = frozenset({"link", "button", "linkappend", "linkprepend", "linkreplace", "actions", "choice"})
_SUGARCUBE_PRINTS = frozenset({"print", "=", "-", "include", "display", "cycle", "listbox", "textbox"})
_SUGARCUBE_HIDDEN = frozenset({"script", "silently", "silent", "style", "widget", "createplaylist", "cacheaudio"})
_NOT_TOLD = frozenset({"StoryInit", "StoryCaption", "StoryMenu", "StoryBanner", "StorySubtitle", "StoryInterface",
    "StoryShare", "StorySettings", "StoryDisplayTitle", "PassageReady", "PassageDone", "PassageHeader",
    "PassageFooter", "StoryIncludes"})  # fmt: skip
_CODE_TAGS = frozenset({"script", "stylesheet", "widget", "init", "startup", "header", "footer", "debug-startup",
    "debug-header", "debug-footer", "Twine.image", "Twine.audio", "Twine.video", "Twine.vtt"})  # fmt: skip
_SCRIPT_TAGS = frozenset({"script", "stylesheet"})
_MAX_UNCLOSED = 100
"""Macros of one passage that are not closed, after which none is looked for: each search costs time."""
_RUN_TIME = "is known only while the game runs; write a line for each value it can have"


@dataclass(slots=True)
class _Passage:
    number: int
    """Line of its header."""
    name: str
    tags: frozenset[str]
    body: list[str] = field(default_factory=list)

    @property
    def is_code(self) -> bool:
        return bool(self.tags & _CODE_TAGS) or self.name in _NOT_TOLD


class TweeReader:
    """Reads ``.twee`` and ``.tw``; one section per passage."""

    name = "twee"
    suffixes = (".twee", ".tw")
    kind = "dialogue"

    def sniff(self, head: bytes) -> bool:
        """The header of a passage at the start."""
        return _SNIFF.match(head) is not None

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a story whole."""
        lines, encoding = load(source, options)
        gatherer = Gatherer(source, options, "passage")
        passages = list(_passages(lines, gatherer))
        facts = _facts(passages, gatherer)
        names = frozenset(passage.name for passage in passages)
        for passage in passages:
            if passage.is_code:
                gatherer.left_out["passages of code and interface"] += 1
            elif passage.name not in ("StoryTitle", "StoryData", "StoryAuthor"):
                gatherer.open_section(passage.name)
                telling = _Telling(gatherer, passage, facts.get("format", ""), stated="told" not in facts)
                telling.others = names
                telling.read()
        return gatherer.document(
            self.name, encoding, title=facts.get("StoryTitle", ""), author=facts.get("StoryAuthor", "")
        )


def _passages(lines: list[str], gatherer: Gatherer) -> Iterator[_Passage]:
    now: _Passage | None = None
    stray = False
    for number, line in enumerate(lines, 1):
        if line.startswith("::"):
            if now is not None:
                yield now
            now = _header(number, line[2:])
            if not now.name:
                gatherer.reject(f"line {number}", "a passage has no name; write :: NAME")
                now.name = f"line {number}"
        elif now is not None:
            now.body.append(line)
        elif line.strip() and not stray:
            stray = True
            gatherer.reject(f"line {number}", "text before the first passage; a passage begins with :: NAME")
    if now is not None:
        yield now


def _header(number: int, text: str) -> _Passage:
    """Read ``Name [tags] {"position": …}``; a backslash keeps a bracket in the name."""
    marks = [match.start() for match in re.finditer(r"\\.|[\[{]", text) if match[0] in "[{"]
    end = marks[0] if marks else len(text)
    name = re.sub(r"\\(.)", r"\1", text[:end]).strip()
    tags: frozenset[str] = frozenset()
    if marks and text[end] == "[":
        tags = frozenset(text[end + 1 :].partition("]")[0].split())
    return _Passage(number, name, tags)


def _facts(passages: list[_Passage], gatherer: Gatherer) -> dict[str, str]:
    """Title, author and story format, from the passages that hold them."""
    facts: dict[str, str] = {}
    for passage in passages:
        text = " ".join("\n".join(passage.body).split())
        if passage.name in ("StoryTitle", "StoryAuthor"):
            facts[passage.name] = text
        elif passage.name == "StoryData":
            try:
                data = json.loads(text)
            except (ValueError, RecursionError):
                gatherer.reject(f"line {passage.number}", "StoryData is not JSON; the story's format stays unknown")
                continue
            stated = data.get("format") if isinstance(data, dict) else None
            facts["format"] = stated.lower() if isinstance(stated, str) else ""
    known = facts.get("format", "")
    if not known:
        told = told_format("\n".join("\n".join(part.body) for part in passages if not part.tags & _SCRIPT_TAGS))
        if told:
            facts["format"], facts["told"] = told, "yes"
            gatherer.notice("", f"no StoryData names the story's format: read as {told} by its macros")
    elif known not in FORMATS:
        gatherer.notice("", f"written for {short(known)!r}, whose macros are not known; they may be read as text")
    return facts


@dataclass(slots=True)
class _Now:
    """The line that is being put together."""

    number: int
    parts: list[list[str]] = field(default_factory=lambda: [[]])
    """Divided where a condition begins or ends."""
    problem: str = ""
    shows: str = ""
    """The passage that stands in it; its words are read where it is written."""
    has_link: bool = False
    has_text: bool = False

    def add(self, text: str) -> None:
        self.parts[-1].append(text)
        self.has_text = self.has_text or speakable(text)

    def divide(self) -> None:
        if self.parts[-1]:
            self.parts.append([])


class _Telling:
    """Goes through one passage."""

    def __init__(self, gatherer: Gatherer, passage: _Passage, story_format: str, *, stated: bool) -> None:
        self._gatherer = gatherer
        self._format = story_format
        self._stated = stated
        """Whether the story names its format; else what the format alone makes code of stays text where it may be."""
        body = passage.body
        if story_format == "chapbook":
            body, count = without_chapbook_code(body)
            gatherer.left_out["lines of code and conditions"] += count
        self._text = _without_comments("\n".join(body))
        self._now = _Now(passage.number + 1)
        self._line = passage.number + 1
        self.others: frozenset[str] = frozenset()
        """Names of the passages of the story."""
        self._hooks: list[bool] = []
        """For each ``[`` of Harlowe that is open, whether a condition stands before it."""
        self._unclosed = 0

    def read(self) -> None:
        """Read the passage to its end."""
        at = 0
        while True:
            match = _TOKEN.search(self._text, at)
            self._now.add(self._text[at : match.start() if match else len(self._text)])
            if match is None:
                break
            at = self._token(match)
        self._end_line()
        if self._hooks and self._format == "harlowe":
            self._gatherer.reject(f"line {self._line}", "a [ in this passage is not closed by ]")

    def _token(self, match: re.Match[str]) -> int:
        """Take what matched; returns where to go on."""
        mark = match[0]
        if mark in ("\\\n", "\n\\"):
            self._line += 1
        elif mark == "\n":
            self._end_line()
            self._line += 1
            self._now = _Now(self._line)
        elif mark == "[[":
            return self._link(match.end())
        elif mark == "<<":
            return self._sugarcube(match.end())
        elif mark.startswith("<%"):
            return self._snowman(match)
        elif mark in ("{{{", "}}}"):
            pass  # text that is shown as it is written
        elif match["harlowe"] is not None:
            return self._harlowe(match)
        elif match["html"] is not None:
            return self._html(match)
        elif mark[0] in "$_?":
            self._variable(mark)
        elif mark[0] == "|":
            self._hooks.append(False)
            return match.end() + 1  # the name of a hook, and the [ that opens it
        else:
            self._bracket(mark)
        return match.end()

    def _end_line(self) -> None:
        now, place = self._now, f"line {self._now.number}"
        texts = [text for part in now.parts if speakable(text := _plain("".join(part)))]
        if now.shows and texts:
            self._problem(f"the passage {short(now.shows)!r} stands in it, and its words {_RUN_TIME}")
        if now.problem:
            self._gatherer.reject(place, now.problem)
        elif len(texts) > 1:
            self._gatherer.reject(
                place, "a part of it depends on a condition or a click; write each way on a line of its own"
            )
        elif texts:
            characters, text = self._gatherer.labelled(texts[0])
            is_choice = now.has_link and not now.has_text
            extra = {"role": "choice"} if is_choice else {}
            self._gatherer.say(Talk(text, place, characters=characters, extra=extra))
        else:
            rest = _plain("".join("".join(part) for part in now.parts))
            if not _RULE.match(rest) and rest.strip("[](){}"):
                self._gatherer.reject(place, f"nothing speakable in {short(rest)!r}")

    def _skip(self, end: int, start: int) -> int:
        """Go to ``end``, counting the lines on the way."""
        self._line += self._text.count("\n", start, end)
        return end

    def _closed_at(self, pattern: re.Pattern[str], start: int) -> int:
        """Return the position behind the next match; -1 without one, and always once too many were not closed."""
        close = pattern.search(self._text, start) if self._unclosed < _MAX_UNCLOSED else None
        self._unclosed += close is None
        return close.end() if close is not None else -1

    def _problem(self, reason: str) -> None:
        self._now.problem = self._now.problem or reason

    def _variable(self, mark: str) -> None:
        if mark.startswith("$$"):
            self._now.add(mark[1:])
        elif mark[0] == "?" and self._format != "sugarcube":
            self._now.add(mark)
        elif mark[0] == "$" or (self._format in ("harlowe", "sugarcube") and (self._stated or not mark.endswith("_"))):
            self._problem(f"{short(mark)!r} {_RUN_TIME}")
        else:
            self._now.add(mark)

    def _link(self, start: int) -> int:
        end = self._text.find("]]", start, start + 2000)
        if end < 0 or "\n" in self._text[start:end]:
            self._problem("a link [[ is not closed by ]]")
            return start
        self._link_text(self._text[start:end])
        return end + 2

    def _link_text(self, inner: str) -> None:
        """Keep what a link shows: ``[[a|b]]``, ``[[a->b]]``, ``[[b<-a]]``, ``[[a|b][$x to 1]]``."""
        inner = inner.partition("][")[0]
        if "->" in inner:
            shown = inner.rpartition("->")[0]
        elif "<-" in inner:
            shown = inner.partition("<-")[2]
        else:
            shown = inner.partition("|")[0]
        variable = re.search(r"\$[A-Za-z_][\w.]{0,200}", shown)
        if variable is not None:
            self._problem(f"{short(variable[0])!r} {_RUN_TIME}")
        self._now.parts[-1].append(shown)
        self._now.has_link = True

    def _sugarcube(self, start: int) -> int:
        end = _macro_end(self._text, start) if self._unclosed < _MAX_UNCLOSED else -1
        self._unclosed += end < 0
        name = _MACRO_NAME.match(self._text, start)
        if end < 0 or name is None:
            self._problem("a << is not closed by >>, or names no macro")
            return start
        closing, word = name[1].startswith("/"), name[1].lstrip("/").lower()
        arguments = self._text[name.end() : end]
        self._gatherer.left_out["macros"] += not closing
        if word in _SUGARCUBE_HIDDEN and not closing:
            close = self._closed_at(re.compile(rf"<</{word}\s{{0,9}}>>", re.IGNORECASE), end)
            return self._skip(close if close >= 0 else end + 2, start)
        if word in ("include", "display") and self._shows(arguments):
            pass
        elif word in _SUGARCUBE_PRINTS and not closing:
            self._problem(f"what <<{short(name[1] + arguments)}>> prints {_RUN_TIME}")
        if word in _SUGARCUBE_LINKS and not closing:
            self._argument(arguments)
        if word in _SUGARCUBE_FLOW:
            self._now.divide()
        return self._skip(end + 2, start)

    def _snowman(self, match: re.Match[str]) -> int:
        """Take code in ``<% … %>``; ``<%= … %>`` prints its value."""
        end = self._closed_at(re.compile("%>"), match.end())
        if end < 0:
            self._problem("a <% is not closed by %>")
            return match.end()
        code = self._text[match.end() : end - 2]
        self._gatherer.left_out["macros"] += 1
        if match["prints"]:
            self._problem(f"what {short(match[0] + code)!r} prints {_RUN_TIME}")
        elif "{" in code or "}" in code:
            self._now.divide()
        return self._skip(end, match.start())

    def _shows(self, arguments: str) -> bool:
        """Whether a macro that shows another passage names one of this story."""
        quoted = _QUOTED.fullmatch(arguments.strip())
        name = (quoted[1] if quoted[1] is not None else quoted[2]) if quoted is not None else ""
        if name not in self.others:
            return False
        self._now.shows = name
        return True

    def _argument(self, arguments: str) -> None:
        """Keep the words that a link macro shows."""
        quoted = _QUOTED.match(arguments.strip())
        if arguments.strip().startswith("[["):
            self._link_text(arguments.strip()[2:].partition("]]")[0])
        elif quoted is not None:
            self._link_text(re.sub(r"\\(.)", r"\1", quoted[1] if quoted[1] is not None else quoted[2]) + "|")
        elif arguments.strip():
            self._problem(f"what {short(arguments)!r} shows {_RUN_TIME}")

    def _harlowe(self, match: re.Match[str]) -> int:
        word = match["harlowe"].lower().replace("-", "").replace("_", "")
        known = word in HARLOWE_MACROS
        is_call = self._format != "sugarcube" and (known or (self._format == "harlowe" and self._stated))
        end = _call_end(self._text, match.end()) if is_call and self._unclosed < _MAX_UNCLOSED else -1
        if end < 0:
            self._unclosed += is_call
            self._now.add(match[0])
            return match.end()
        self._gatherer.left_out["macros"] += 1
        if word == "display" and self._shows(self._text[match.end() : end - 1]):
            pass
        elif word in HARLOWE_PRINTS:
            self._problem(f"what {short(self._text[match.start() : end])!r} prints {_RUN_TIME}")
        if word in HARLOWE_LINKS:
            self._argument(self._text[match.end() : end - 1])
        self._skip(end, match.start())
        if self._text.startswith("[", end) and not self._text.startswith("[[", end):
            divides = word in HARLOWE_FLOW or word in HARLOWE_LINKS
            self._hooks.append(divides)
            if divides:
                self._now.divide()
            return end + 1
        return end

    def _bracket(self, mark: str) -> None:
        if mark == "[" and ((self._format == "harlowe" and self._stated) or self._hooks):
            self._hooks.append(False)
        elif mark[0] == "]" and self._hooks:
            if self._hooks.pop():
                self._now.divide()
        elif mark in "{}" and self._format == "harlowe":
            return
        elif mark in "{}" and self._format == "chapbook":
            self._problem(f"what stands in braces {_RUN_TIME}")
        elif mark in "{}" and self._format == "snowman":
            self._now.add(mark)
        elif mark in "{}":
            self._problem(f"a {mark} belongs to a macro that is not known, or its format is; name it in StoryData")
        elif len(mark) == 1:
            self._now.add(mark)

    def _html(self, match: re.Match[str]) -> int:
        name = match["html"].lower()
        if name in ("script", "style"):
            close = self._closed_at(re.compile(rf"</{name}\s{{0,9}}>", re.IGNORECASE), match.end())
            return self._skip(max(close, match.end()), match.start())
        if name == "br":
            self._end_line()
            self._now = _Now(self._line)
        return self._skip(match.end(), match.start())


def _macro_end(text: str, start: int) -> int:
    """Return where ``>>`` closes a macro, past strings; -1 if nothing does within 20,000 characters."""
    limit = start + 20_000
    for match in re.compile(rf"{_QUOTED.pattern}|>>", re.DOTALL).finditer(text, start, limit):
        if match[0] == ">>":
            return match.start()
    return text.find(">>", start, limit)


def _call_end(text: str, start: int) -> int:
    """Return the position behind the ``)`` that closes a call; -1 if nothing does within 20,000 characters."""
    depth = 1
    for match in re.compile(rf"{_QUOTED.pattern}|[()]", re.DOTALL).finditer(text, start, start + 20_000):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return -1


def _without_comments(text: str) -> str:
    """Take comments out, line ends kept; one that is not closed is text."""
    for opening, closing in _COMMENTS:
        kept: list[str] = []
        at = 0
        while True:
            start = text.find(opening, at)
            end = text.find(closing, start + len(opening)) if start >= 0 else -1
            if end < 0:
                kept.append(text[at:])
                break
            kept.extend((text[at:start], "\n" * text.count("\n", start, end)))
            at = end + len(closing)
        text = "".join(kept)
    return text


def _plain(text: str) -> str:
    """Text without the marks of emphasis, headings and lists."""
    before = _BEFORE.match(text)
    return _MARKS.sub("", text[before.end() :] if before is not None else text)
