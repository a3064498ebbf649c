"""Fountain screenplays: only dialogue is speech. Action is read by the narrator where the caller asks for it.

``ReadOptions.include_roles`` with 'action' reads the action too, as an audio play or an audio description needs it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from scheduler.scripts.gametext import Gatherer, Talk, load, short, together
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.segmentation import speakable
from scheduler.scripts.source import ScriptSource

_HEADING = re.compile(r"(?:INT|EXT|EST|INT\.?/EXT|EXT\.?/INT|I/E)(?:\.|\s)", re.IGNORECASE)
_TITLE_KEY = re.compile(r"[^\W\d_][\w ]{0,40}:")
_PAGE_BREAK = re.compile(r"={3,}\Z")
_EMPHASIS = re.compile(r"(?<!\\)\*{1,3}(?=\S)|(?<=[^\s\\])\*{1,3}|(?<![\w\\])_{1,3}(?=\S)|(?<=[^\s\\])_{1,3}(?!\w)")
_ESCAPED = re.compile(r"\\([*_\\])")
_PARENTHETICAL = re.compile(r"\(([^()]{0,400})\)\s*")
_EXTENSIONS = re.compile(r"\s*[,;]\s*|\s+/\s+")
_OFF = frozenset({
    "vo", "v/o", "voiceover", "os", "o/s", "oc", "o/c", "off", "offscreen", "offcamera",
})  # fmt: skip
_MAX_NAME_CHARS = 60
_CONTINUED = ("cont", "more")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()


@dataclass(frozen=True, slots=True)
class _Cue:
    """The line that says who speaks."""

    name: str
    extensions: tuple[str, ...]
    is_dual: bool


@dataclass(slots=True)
class _Speech:
    """Words of one cue under one parenthetical."""

    number: int
    action: str
    sung: bool
    words: list[str] = field(default_factory=list)


class FountainReader:
    """Reads ``.fountain`` and ``.spmd``; one section per scene heading."""

    name = "fountain"
    suffixes = (".fountain", ".spmd")
    kind = "dialogue"

    def sniff(self, head: bytes) -> bool:
        """Fountain has no signature: it is known by its suffix alone."""
        return False

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a screenplay whole."""
        lines, encoding = load(source, options)
        gatherer = Gatherer(source, options, "scene")
        text, notes = _without_notes("\n".join(_without_boneyard(lines, gatherer)))
        kept = [
            _Line(number, line)
            for number, (line, before) in enumerate(zip(text.split("\n"), lines, strict=False), 1)
            if line.strip() or not before.strip()  # a line that held only a note is no blank line
        ]
        facts, start = _title_page(kept)
        title = facts.get("title", "")
        gatherer.stem = title or gatherer.stem
        _Screenplay(gatherer, kept, notes, start).read()
        return gatherer.document(
            self.name,
            encoding,
            title=title,
            author=facts.get("author") or facts.get("authors", ""),
            language=normal_tag(facts.get("language")),
        )


def _without_boneyard(lines: Sequence[str], gatherer: Gatherer) -> list[str]:
    """Take ``/* … */`` out; one that is not closed is kept as it stands."""
    text = "\n".join(lines)
    kept: list[str] = []
    at = 0
    while True:
        start = text.find("/*", at)
        end = text.find("*/", start + 2) if start >= 0 else -1
        if start >= 0 and end < 0:
            place = f"line {text.count(chr(10), 0, start) + 1}"
            gatherer.reject(place, "a boneyard /* is not closed by */; what follows is read")
        if end < 0:
            kept.append(text[at:])
            return "".join(kept).split("\n")
        kept.extend((text[at:start], "\n" * text.count("\n", start, end)))
        at = end + 2


def _without_notes(text: str) -> tuple[str, dict[int, str]]:
    """Take ``[[ … ]]`` out; a blank line ends the search. Returns the notes by the line on which they start."""
    kept: list[str] = []
    notes: dict[int, str] = {}
    at = counted = end = 0
    blank = text.find("\n\n")
    number = 1
    while True:
        start = text.find("[[", at)
        end = text.find("]]", start + 2) if start >= 0 and end < start + 2 and end >= 0 else end
        if start < 0 or end < 0:
            return "".join([*kept, text[at:]]), notes
        if 0 <= blank < start:
            blank = text.find("\n\n", start)
        if 0 <= blank < end:
            kept.append(text[at : start + 2])
            at = start + 2
            continue
        number, counted = number + text.count("\n", counted, start), start
        words = " ".join(text[start + 2 : end].split())
        notes[number] = f"{notes[number]} {words}" if number in notes else words
        kept.extend((text[at:start], "\n" * text.count("\n", start, end)))
        at = end + 2


def _title_page(lines: Sequence[_Line]) -> tuple[dict[str, str], int]:
    """Return the facts of the title page and where the script starts."""
    facts: dict[str, str] = {}
    key = ""
    if not lines or not _opens_title_page(lines):
        return facts, 0
    for at, line in enumerate(lines):
        if line.is_blank:
            return facts, at
        if line.text[0] in " \t":
            facts[key] = f"{facts[key]} {_plain(line.text).strip()}".strip()
        else:
            name, _, value = line.text.partition(":")
            key = name.strip().lower()
            facts[key] = _plain(value).strip()
    return facts, len(lines)


def _opens_title_page(lines: Sequence[_Line]) -> bool:
    match = _TITLE_KEY.match(lines[0].text)
    if match is None:
        return False
    has_value = bool(lines[0].text[match.end() :].strip())
    goes_on = len(lines) > 1 and lines[1].text[:1] in (" ", "\t") and not lines[1].is_blank
    return has_value or goes_on


@dataclass(slots=True)
class _Screenplay:
    gatherer: Gatherer
    lines: list[_Line]
    notes: dict[int, str]
    at: int
    speaker: str = ""

    def read(self) -> None:
        """Read element after element."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            if not line.is_blank:
                self._element(line, line.text.strip())

    def _element(self, line: _Line, text: str) -> None:
        after_blank = self.at < 2 or self.lines[self.at - 2].is_blank
        before_blank = self.at >= len(self.lines) or self.lines[self.at].is_blank
        left_out = self.gatherer.left_out
        if _PAGE_BREAK.match(text):
            return
        if text[0] == "!":
            self._action(line, text[1:])
        elif _is_heading(text) and (after_blank or text[0] == "."):
            self._heading(text)
        elif text[0] == "#":
            left_out["sections of the outline"] += 1
        elif text[0] == "=":
            left_out["synopses"] += 1
        elif text[0] == "~":
            left_out["lyrics without a singer"] += 1
        elif text[0] == ">":
            left_out["centered lines" if text[-1] == "<" else "transitions"] += 1
        elif after_blank and before_blank and text.isupper() and text.endswith("TO:"):
            left_out["transitions"] += 1
        else:
            cue = _cue(text) if after_blank and not before_blank else None
            if cue is None:
                self._action(line, line.text)
            else:
                self._dialogue(cue, line.number)

    def _heading(self, text: str) -> None:
        heading = text.removeprefix(".").strip()
        number = ""
        if heading.endswith("#") and heading.count("#") >= 2:
            heading, _, number = heading[:-1].rpartition("#")
        heading, number = _plain(heading).strip(), number.strip()
        self.gatherer.left_out["scene headings"] += 1
        self.gatherer.open_section(number or heading, heading or number)

    def _action(self, line: _Line, first: str) -> None:
        words = [first]
        while self.at < len(self.lines) and not self.lines[self.at].is_blank:
            following = self.lines[self.at].text.strip()
            if following[0] in "!.#=~>" and (following[0] != "." or _is_heading(following)):
                break
            words.append(following)
            self.at += 1
        text = _plain("\n".join(words))
        if "action" not in self.gatherer.options.include_roles:
            self.gatherer.left_out["paragraphs of action"] += 1
        elif speakable(text):
            extra = {"role": "action"}
            self.gatherer.say(
                Talk(text, f"line {line.number}", extra=extra, notes=self._notes(line.number)), divide=True
            )

    def _notes(self, start: int) -> str:
        """The notes beside the lines from ``start`` to where we are."""
        end = self.lines[self.at].number if self.at < len(self.lines) else self.lines[-1].number + 1
        return "; ".join(self.notes[number] for number in range(start, end) if number in self.notes)

    def _dialogue(self, cue: _Cue, cue_number: int) -> None:
        start = self.at
        while self.at < len(self.lines) and (not self.lines[self.at].is_blank or len(self.lines[self.at].text) >= 2):
            self.at += 1
        spoken = [speech for speech in _speeches(self.lines[start : self.at]) if speakable(" ".join(speech.words))]
        place = f"line {cue_number}"
        if not spoken:
            self.gatherer.reject(place, f"{short(cue.name)} has nothing to say")
        elif cue.is_dual and not self.speaker:
            self.gatherer.notice(place, f"{short(cue.name)} is marked ^ and nobody speaks before")
        notes = self._notes(cue_number)
        for number, speech in enumerate(spoken):
            self._say(cue, speech, notes if not number else "")
        self.speaker = cue.name

    def _say(self, cue: _Cue, speech: _Speech, notes: str) -> None:
        others = [part for part in cue.extensions if not _is_off(part)]
        action = "; ".join(part for part in (*others, speech.action, "sings" if speech.sung else "") if part)
        direction = {"action": action} if action else {}
        if len(others) < len(cue.extensions):
            direction["onscreen"] = "off"
        self.gatherer.say(
            Talk(
                _plain("\n".join(speech.words)),
                f"line {speech.number}",
                characters=together(cue.name),
                direction=direction,
                extra={"dual": self.speaker} if cue.is_dual and self.speaker else {},
                notes=notes,
            ),
            divide=True,
        )


def _is_heading(text: str) -> bool:
    if text[0] == ".":
        return len(text) > 1 and text[1] != "." and not text[1].isspace()
    return _HEADING.match(text) is not None


def _cue(text: str) -> _Cue | None:
    """Read a character cue; None for what is none."""
    forced = text[0] == "@"
    name = text[1:] if forced else text
    is_dual = name.endswith("^")
    name = name.removesuffix("^").rstrip()
    found: list[str] = []
    while name.endswith(")") and "(" in name:
        name, _, extension = name[:-1].rpartition("(")
        name = name.rstrip()
        found = [*_EXTENSIONS.split(extension.strip()), *found]
    if name.endswith("^"):  # written before the extension
        name, is_dual = name.removesuffix("^").rstrip(), True
    name = " ".join(_plain(name).split())
    if not speakable(name) or len(name) > _MAX_NAME_CHARS or not (forced or name.isupper()):
        return None
    kept = tuple(part for part in found if part and not part.lower().startswith(_CONTINUED))
    return _Cue(name, kept, is_dual)


def _is_off(extension: str) -> bool:
    return extension.lower().replace(".", "").replace(" ", "").replace("-", "") in _OFF


def _speeches(lines: Sequence[_Line]) -> list[_Speech]:
    """Divide the lines under a cue at parentheticals and where singing begins or ends."""
    done: list[_Speech] = []
    action, open_action = "", ""
    is_new = True
    """Whether the next words begin a speech."""
    waits = False
    """Whether the parenthetical stands over no words yet."""
    for line in lines:
        text = line.text.strip()
        if open_action or (text.startswith("(") and ")" not in text):
            open_action = f"{open_action} {text}".strip()
            if ")" not in text:
                continue
            text, open_action = open_action, ""
        match = _PARENTHETICAL.match(text)
        if match is not None:
            told, text = match[1].strip(), text[match.end() :]
            action = f"{action}; {told}" if waits and action else told
            is_new = waits = True
        if not text:
            continue
        sung = text.startswith("~")
        if is_new or done[-1].sung != sung:
            done.append(_Speech(line.number, action, sung))
        is_new = waits = False
        done[-1].words.append(text.removeprefix("~"))
    if open_action:
        if is_new:
            done.append(_Speech(lines[-1].number, action, False))
        done[-1].words.append(open_action)
    elif waits and done:  # behind the last words: he does it while or after he says them
        done[-1].action = "; ".join(part for part in (done[-1].action, action) if part)
    return done


def _plain(text: str) -> str:
    """Text without the marks of emphasis."""
    return _ESCAPED.sub(r"\1", _EMPHASIS.sub("", text))
