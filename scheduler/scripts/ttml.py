"""TTML and its profiles (IMSC 1, EBU-TT-D, SMPTE-TT, DFXP, iTT): timed paragraphs, who says them, in which language.

Times follow the specification: an element's times count from its parent's beginning, or in a sequence from the end of
the one before it, and nothing outlasts its parent. Layout is not read. A dubbing script (DAPT) is TTML too, and says
much more: this reader never claims one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

from scheduler.scripts.cues import Cue, Run, time_fault
from scheduler.scripts.encodings import marked
from scheduler.scripts.errors import ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import LineKind, ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.timecode import TimecodeInvalid
from scheduler.scripts.ttml_times import Clock, attribute, words
from scheduler.scripts.vtt import subtitle_document

if TYPE_CHECKING:
    from lxml import etree

MAX_CUES = 200_000
"""Most cues of a file: word-timed captions of a day of television have as many."""
MAX_DEPTH = 60

_ROOT = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?tt(?=[\s>/])[^>]{0,8000}")
_NAMESPACE = re.compile(r"http://www\.w3\.org/(?:ns/ttml|20\d\d/\d\d/ttaf1)")
_DAPT = re.compile(r"(?:daptm:|[\w.-]+:)scriptType\s*=|/ns/ttml/profile/dapt")
_XML = "{http://www.w3.org/XML/1998/namespace}"
_SPACE = re.compile(r"[ \t\r\n]+")
_KINDS: Mapping[str, LineKind] = {
    "sound": "reaction", "music": "reaction", "lyrics": "reaction", "action": "reaction", "kinesic": "reaction",
    "quality": "reaction", "text": "onscreen", "title": "onscreen",
}  # fmt: skip
_UNSPOKEN_RUBY = frozenset({"text", "textContainer", "delimiter"})


class TtmlReader:
    """Reads ``.ttml``, ``.dfxp``, ``.itt`` and any file that bears the signature; one section per file."""

    name = "ttml"
    suffixes = (".ttml", ".dfxp", ".itt")
    kind = "dubbing"

    def sniff(self, head: bytes) -> bool:
        """A root element ``tt`` of the TTML namespace, and no sign of a dubbing script on it."""
        text = _text(head)
        root = _ROOT.search(text)
        if root is None or _NAMESPACE.search(root[0]) is None:
            return False
        return _DAPT.search(root[0]) is None

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a TTML file whole."""
        from scheduler.scripts.xmlsafe import parse_xml

        root = parse_xml(source.data(options.max_file_bytes), source.name, "")
        if _local(root) != "tt" or not (_space(root) == "" or _NAMESPACE.match(_space(root))):
            raise ScriptUnreadable(source.name, "", "is not TTML: its root element is not tt of that namespace")
        clock = Clock.of(root, options.frame_rate, source.name)
        body = next((child for child in root if _local(child) == "body"), None)
        if body is None:
            raise ScriptUnreadable(source.name, "", "has no body: it holds styles and no captions")
        walk = _Walk(source.name, clock, _Head.of(root), _language(root, body))
        walk.visit(body, _Frame(walk.language), Fraction(0), None)
        facts = {"language": walk.language, "title": walk.head.title}
        return subtitle_document(
            source, options, self.name, walk.cues, walk.rejected, facts, "", [*clock.notices, *walk.summary()]
        )


@dataclass(frozen=True, slots=True)
class _Head:
    """What the head names."""

    title: str
    agents: Mapping[str, str]
    hidden_styles: frozenset[str]
    """Styles that make a span a reading or a bracket beside a word."""

    @classmethod
    def of(cls, root: etree._Element) -> _Head:
        title, agents, hidden = "", {}, set[str]()
        for element in root.iter("{*}head", "{*}agent", "{*}style"):
            local, identity = _local(element), element.get(f"{_XML}id") or ""
            if local == "agent" and identity:
                agents[identity] = _agent_name(element) or identity
            elif local == "head":
                title = title or next((words(found) for found in element.iter("{*}title")), "")
            elif local == "style" and _styling(element, "ruby") in _UNSPOKEN_RUBY:
                hidden.add(identity)
        return cls(title, agents, frozenset(hidden - {""}))


@dataclass(frozen=True, slots=True)
class _Frame:
    """What an element hands down to what is inside it."""

    language: str
    names: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    keeps_space: bool = False
    depth: int = 0


@dataclass(frozen=True, slots=True)
class _Unit:
    """A run of a paragraph with times of its own."""

    start: Fraction
    end: Fraction | None
    run: Run
    kind: LineKind
    roles: tuple[str, ...]
    line: int
    timed: bool


@dataclass
class _Walk:
    """Goes through the body once, from its beginning to its end."""

    file: str
    clock: Clock
    head: _Head
    language: str
    cues: list[Cue] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    joined: int = 0
    suppressed: int = 0
    unitless: int = 0
    unknown: set[str] = field(default_factory=set)

    def visit(self, element: etree._Element, above: _Frame, ref: Fraction, limit: Fraction | None) -> Fraction | None:
        """Read a body, div or paragraph that may begin at ``ref``; returns where it ends, None for never."""
        frame = self._frame(element, above)
        place = _place(element)
        if frame.depth > MAX_DEPTH:
            raise ScriptTooLarge(self.file, place, f"nests more than {MAX_DEPTH} deep; flatten it")
        if len(self.rejected) > MAX_CUES:
            raise ScriptTooLarge(self.file, place, f"has more than {MAX_CUES:,} faults before it; is it captions?")
        times = self._times(element, ref, limit)
        if times is None:
            return limit
        start, end = times
        if _local(element) == "p":
            return self._paragraph(element, frame, start, end)
        self._refuse_picture(element, place)
        is_sequence = element.get("timeContainer") == "seq"
        at: Fraction | None = start
        last: Fraction | None = start
        for child in element:
            local = _local(child)
            if local == "image":
                self.rejected.append(Rejection(_place(child), _PICTURE))
            if local not in ("div", "p"):
                continue
            if at is None:
                self.rejected.append(Rejection(_place(child), "never begins: what is before it has no end"))
                continue
            closed = self.visit(child, frame, at, end)
            last = None if closed is None or last is None else max(last, closed)
            at = closed if is_sequence else start
        return end if _says_end(element) else _first(last, end)

    def summary(self) -> Iterator[Rejection]:
        """Say what was joined, left out or not found."""
        if self.unitless:
            yield Rejection("", f"{self.unitless} times have no unit: read as seconds")
        if self.joined:
            yield Rejection("", f"{self.joined} paragraphs timed word by word read whole")
        if self.suppressed:
            yield Rejection("", f"{self.suppressed} passages of the role 'suppressed' left out")
        for name in sorted(self.unknown):
            yield Rejection("", f"the agent {name!r} is not described in the head: taken as a name")

    def _frame(self, element: etree._Element, above: _Frame) -> _Frame:
        language = element.get(f"{_XML}lang")
        agents = _metadata(element, "agent")
        role = _metadata(element, "role")
        space = element.get(f"{_XML}space")
        return replace(
            above,
            language=above.language if language is None else normal_tag(language) or "",
            names=above.names if agents is None else tuple(self._name(agent) for agent in agents.split()),
            roles=above.roles if role is None else tuple(role.split()),
            keeps_space=above.keeps_space if space is None else space == "preserve",
            depth=above.depth + 1,
        )

    def _name(self, agent: str) -> str:
        if agent not in self.head.agents:
            self.unknown.add(agent)
        return self.head.agents.get(agent, agent)

    def _times(
        self, element: etree._Element, ref: Fraction, limit: Fraction | None
    ) -> tuple[Fraction, Fraction | None] | None:
        """Return when an element is active; None, with the reason recorded, when its times are none."""
        try:
            begin, end, dur = (
                None if (text := element.get(name)) is None else self.clock.seconds(text)
                for name in ("begin", "end", "dur")
            )
        except (ValueError, TimecodeInvalid) as error:
            self.rejected.append(Rejection(_place(element), f"{error}; write it as 00:00:01.000 or 1.5s"))
            return None
        self.unitless += sum(
            self.clock.lacks_unit(text) for name in ("begin", "end", "dur") if (text := element.get(name)) is not None
        )
        start = ref + (begin or 0)
        ends = [limit] if limit is not None else []
        ends += [ref + end] if end is not None else []
        ends += [start + dur] if dur is not None else []
        return start, min(ends, default=None)

    def _refuse_picture(self, element: etree._Element, place: str) -> None:
        if any(str(key).endswith("}backgroundImage") and "smpte" in str(key) for key in element.attrib):
            self.rejected.append(Rejection(place, _PICTURE))

    def _paragraph(
        self, element: etree._Element, frame: _Frame, start: Fraction, end: Fraction | None
    ) -> Fraction | None:
        self._refuse_picture(element, _place(element))
        self.rejected += [Rejection(_place(image), _PICTURE) for image in element.iter("{*}image")]
        is_sequence = element.get("timeContainer") == "seq"
        units = _without_gaps(self._units(element, frame, start, end, timed=False))
        identity = (element.get(f"{_XML}id") or element.get("id") or "").strip()
        if _word_by_word(units):
            self.joined += 1
            whole = _latest(units)
            units = [replace(unit, start=units[0].start, end=whole) for unit in units]
        for _, group in groupby(units, key=lambda unit: (unit.start, unit.end, unit.kind, unit.roles)):
            self._cue(identity, list(group))
        if _says_end(element) or (not units and not is_sequence):
            return end
        return _first(_latest(units) if units else start, end)

    def _cue(self, identity: str, units: list[_Unit]) -> None:
        start, end, kind, roles = units[0].start, units[0].end, units[0].kind, units[0].roles
        place = f"line {units[0].line}"
        runs = tuple(_runs(units))
        if not any(run.text.strip() for run in runs):
            return
        if "suppressed" in roles:
            self.suppressed += 1
            return
        fault = "has no end, nor anything round it" if end is None else time_fault(start, end)
        if end is None or fault is not None:
            self.rejected.append(Rejection(place, f"{fault}: {_short(runs[0].text)!r}"))
            return
        extra = {"role": " ".join(roles)} if roles else {}
        self.cues.append(Cue(identity, start, end, runs, units[0].line, kind, extra))
        if len(self.cues) > MAX_CUES:
            raise ScriptTooLarge(self.file, place, f"holds more than {MAX_CUES:,} cues; divide the file")

    def _units(
        self, element: etree._Element, frame: _Frame, start: Fraction, end: Fraction | None, *, timed: bool
    ) -> Iterator[_Unit]:
        """Yield the text of a paragraph or span with the times that are in force for it."""
        if frame.depth > MAX_DEPTH:
            raise ScriptTooLarge(self.file, _place(element), f"nests more than {MAX_DEPTH} deep; flatten it")
        is_sequence = element.get("timeContainer") == "seq"
        unit = self._unit(frame, start, end, element, timed=timed)
        if is_sequence:
            self._refuse_untimed(element)
        elif element.text:
            yield replace(unit, run=replace(unit.run, text=_spaced(element.text, frame)))
        at: Fraction | None = start
        for child in element:
            local = _local(child)
            if local == "br":
                yield replace(unit, run=replace(unit.run, text="\n"))
            elif local == "span" and not self._is_reading(child):
                if at is None:
                    self.rejected.append(Rejection(_place(child), "never begins: what is before it has no end"))
                elif (times := self._times(child, at, end)) is not None:
                    own = timed or any(child.get(name) is not None for name in ("begin", "end", "dur"))
                    yield from self._units(child, self._frame(child, frame), *times, timed=own)
                    at = times[1] if is_sequence else start
            if child.tail and not is_sequence:
                yield replace(unit, run=replace(unit.run, text=_spaced(child.tail, frame)))

    def _refuse_untimed(self, element: etree._Element) -> None:
        """Text of its own lasts no time in a sequence; only spans that say how long they last are shown."""
        text = " ".join(str(part) for part in (element.text, *(child.tail for child in element)) if part)
        if text.strip():
            why = f"text in a sequence lasts no time: give {_short(text)!r} a span with a duration"
            self.rejected.append(Rejection(_place(element), why))

    def _unit(
        self, frame: _Frame, start: Fraction, end: Fraction | None, element: etree._Element, *, timed: bool
    ) -> _Unit:
        names = frame.names
        language = frame.language if frame.language != self.language else ""
        kind: LineKind = next((_KINDS[role] for role in frame.roles if role in _KINDS), "speech")
        run = Run("", names[0] if names else "", language, names[1:])
        return _Unit(start, end, run, kind, frame.roles, _line(element), timed)

    def _is_reading(self, span: etree._Element) -> bool:
        styles = (span.get("style") or "").split()
        return _styling(span, "ruby") in _UNSPOKEN_RUBY or any(style in self.head.hidden_styles for style in styles)


_PICTURE = "holds its text as a picture, which cannot be spoken; supply the text"


def _without_gaps(found: Iterator[_Unit]) -> list[_Unit]:
    """White space and line ends between two spans have the paragraph's own times: they go with what is before them."""
    units: list[_Unit] = []
    for unit in found:
        if unit.run.text.strip():
            units.append(unit)
        elif units:
            before = units[-1]
            units.append(replace(before, run=replace(before.run, text=unit.run.text)))
    return units


def _says_end(element: etree._Element) -> bool:
    return element.get("end") is not None or element.get("dur") is not None


def _first(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    """The earlier of two ends, of which None is never."""
    return min((end for end in (one, other) if end is not None), default=None)


def _latest(units: list[_Unit]) -> Fraction | None:
    ends = [unit.end for unit in units if unit.end is not None]
    return max(ends, default=None) if len(ends) == len(units) else None


def _word_by_word(units: list[_Unit]) -> bool:
    """Whether the spans of a paragraph only reveal it: three or more, of two words or fewer each on the whole."""
    said = [unit for unit in units if unit.run.text.strip()]
    if len(said) < 3 or not all(unit.timed for unit in said) or len({unit.start for unit in said}) < 3:
        return False
    words = sum(len(unit.run.text.split()) for unit in said)
    return words <= 2 * len(said) and not any(unit.run.text.rstrip().endswith((".", "!", "?")) for unit in said[:-1])


def _runs(units: list[_Unit]) -> Iterator[Run]:
    for (name, language, together), group in groupby(units, key=lambda u: (u.run.name, u.run.language, u.run.together)):
        text = "".join(unit.run.text for unit in group)
        if text.strip():
            yield Run(text, name, language, together)


def _spaced(text: str, frame: _Frame) -> str:
    return text if frame.keeps_space else _SPACE.sub(" ", text)


def _text(head: bytes) -> str:
    found = marked(head)
    if found is not None:
        return head[found[1] :].decode(found[0], "ignore")
    if head[:2] in (b"<\0", b"\0<"):
        return head.decode("utf-16-le" if head[0] else "utf-16-be", "ignore")
    return head.decode("utf-8", "ignore")


def _local(element: etree._Element) -> str:
    """Name of an element that belongs to TTML or to no namespace; '' for comments and what others put in."""
    if not isinstance(element.tag, str):
        return ""
    space = _space(element)
    return element.tag.rpartition("}")[2] if not space or _NAMESPACE.match(space) else ""


def _space(element: etree._Element) -> str:
    tag = str(element.tag)
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


def _metadata(element: etree._Element, name: str) -> str | None:
    return attribute(element, "metadata", name)


def _styling(element: etree._Element, name: str) -> str | None:
    return attribute(element, "styling", name) or attribute(element, "style", name)


def _language(root: etree._Element, body: etree._Element) -> str:
    """Language of the file as a whole; a root that leaves it open is often followed by one division that does not."""
    first = next((child for child in body if _local(child) == "div"), body)
    found = (normal_tag(element.get(f"{_XML}lang")) for element in (root, body, first))
    return next((tag for tag in found if tag), "")


def _agent_name(agent: etree._Element) -> str:
    names = [(name.get("type") or "", words(name)) for name in agent.iter("{*}name")]
    for wanted in ("alias", "full"):
        found = next((words for kind, words in names if kind == wanted and words), "")
        if found:
            return found
    return " ".join(words for _, words in names if words)


def _line(element: etree._Element) -> int:
    line: object = element.sourceline
    return line if isinstance(line, int) else 0


def _place(element: etree._Element) -> str:
    return f"line {_line(element)}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
