"""From blocks to lines: the one place where paragraphs are divided, speakers kept apart and boundaries set."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

from scheduler.scripts.blocks import LINE_BREAK, Block, Piece, SceneBreak, is_scene_break
from scheduler.scripts.errors import ScriptEmpty, ScriptTooLarge
from scheduler.scripts.keys import LineKeys, SectionKeys
from scheduler.scripts.model import Boundary, ReadOptions, Rejection, ScriptLine, ScriptSection, nothing
from scheduler.scripts.segmentation import join_short, sentences, speakable, split

Item = Block | SceneBreak


_MAX_TITLES = 20
"""More headings than this in a row are no titles over a text."""
_MAX_REASONS = 3
"""Named where nothing is left to be spoken."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A section whose blocks are not lines yet."""

    name: str
    """What its key is made from: a title or a file name."""
    title: str
    items: list[Item]


def only_titles(items: Sequence[object]) -> bool:
    """Whether there is nothing but a few headings (Part One, Chapter 1), which belong to what follows them."""
    return len(items) <= _MAX_TITLES and all(isinstance(item, Block) and item.heading for item in items)


class Builder:
    """Turns drafts into sections; remembers the keys given and what had to be left out."""

    def __init__(self, file: str, options: ReadOptions) -> None:
        self._file = file
        self._options = options
        self._line_keys = LineKeys()
        self._section_keys = SectionKeys()
        self.rejected: list[Rejection] = []

    def sections(
        self, drafts: Iterable[Draft], kind: str, left_out: Iterable[Rejection] = ()
    ) -> tuple[ScriptSection, ...]:
        """Build every section that has something to say. Raises ScriptEmpty when none has, naming what was left out."""
        built = []
        for draft in drafts:
            key = self._section_keys.of_title(draft.name)
            lines = self._lines(key, draft.items)
            if lines:
                built.append(ScriptSection(key, kind, draft.title, lines))
        if not built:
            raise ScriptEmpty(self._file, "", _nothing([*left_out, *self.rejected]))
        return tuple(built)

    def _lines(self, section: str, items: Sequence[Item]) -> tuple[ScriptLine, ...]:
        lines = _Lines()
        for item in items:
            if isinstance(item, SceneBreak) or is_scene_break(item.text):
                _end(lines.done, "scene")
                continue
            self._check_length(item)
            before = len(lines.done)
            parts = list(_block_parts(item, self._options.max_line_chars))
            if item.heading and any(part.text for _, part in parts):
                _end(lines.done, "heading")
            for manner, part in parts:
                lines.add(self._line(section, manner, part, item.place), part)
            if len(lines.done) > before:
                _end(lines.done, "heading" if item.heading else "paragraph")
            elif not parts:
                self.rejected.append(Rejection(item.place, f"nothing speakable in {_short(item.text)!r}"))
        _end(lines.done, "section", over=True)
        return tuple(lines.done)

    def _check_length(self, block: Block) -> None:
        if len(block.text) > self._options.max_source_line_chars:
            raise ScriptTooLarge(
                self._file,
                block.place,
                f"a paragraph of {len(block.text):,} characters, more than {self._options.max_source_line_chars:,}; "
                "set paragraphs apart by empty lines",
            )

    def _line(self, section: str, manner: Piece, part: _Part, place: str) -> ScriptLine | None:
        """The line of a part; None for one that has no words and no sound."""
        reaction = ", ".join(part.reactions)
        text = part.text or reaction
        if not text:
            return None
        direction = dict(manner.direction) | ({"reaction": reaction} if reaction else {})
        return ScriptLine(
            key=self._line_keys.of_text(section, text),
            text=text,
            spoken=part.spoken if part.spoken != text else "",
            language=part.language,
            kind="speech" if part.text else "reaction",
            characters=(manner.character,) if manner.character else (),
            direction=direction or nothing(),
            extra={"mark": ", ".join(part.marks)} if part.marks else nothing(),
            place=place,
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """What becomes one line, or, without text, what stands between lines."""

    text: str = ""
    spoken: str = ""
    language: str = ""
    lead_ms: int | None = None
    """Silence stated before the words."""
    pause_ms: int | None = None
    """Silence stated after them."""
    reactions: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    @property
    def says_something(self) -> bool:
        """Whether it must not be dropped."""
        return bool(self.text or self.reactions or self.marks) or (self.lead_ms, self.pause_ms) != (None, None)


@dataclass(slots=True)
class _Lines:
    """The lines of a section so far, and what waits for the next one."""

    done: list[ScriptLine] = field(default_factory=list)
    _lead_ms: int = 0
    """Silence before the first line, which no line before it can hold."""
    _marks: tuple[str, ...] = ()

    def add(self, line: ScriptLine | None, part: _Part) -> None:
        """Append a line with the silences around it."""
        self._pause(part.lead_ms)
        if line is not None:
            if self._lead_ms and line.kind == "speech":
                line = replace(line, spoken=f"{_pause_mark(self._lead_ms)}{line.said}")
                self._lead_ms = 0
            if self._marks:
                line = replace(line, extra={"mark": ", ".join((*self._marks, *part.marks))})
                self._marks = ()
            self.done.append(line)
        else:
            self._marks += part.marks
        self._pause(part.pause_ms)

    def _pause(self, ms: int | None) -> None:
        if ms is None:
            return
        spoken = [at for at in _last_ones(self.done) if self.done[at].kind == "speech"]
        if not spoken:
            self._lead_ms += ms
        for at in _last_ones(self.done):
            self.done[at] = replace(self.done[at], pause_ms=(self.done[at].pause_ms or 0) + ms)


def _last_ones(lines: Sequence[ScriptLine]) -> list[int]:
    """Places of the last line that is speech and of the sounds behind it, which may not be rendered."""
    found = []
    for at in range(len(lines) - 1, -1, -1):
        found.append(at)
        if lines[at].kind == "speech":
            break
    return found


def _end(lines: list[ScriptLine], boundary: Boundary, *, over: bool = False) -> None:
    """Set what follows the last line, unless something stronger follows already."""
    strength: tuple[Boundary, ...] = ("sentence", "paragraph", "heading", "scene", "section")
    for at in _last_ones(lines):
        if over or strength.index(boundary) > strength.index(lines[at].boundary):
            lines[at] = replace(lines[at], boundary=boundary)


def _block_parts(block: Block, max_chars: int) -> Iterator[tuple[Piece, _Part]]:
    """The parts of a paragraph in order, each with a piece that has its speaker and direction."""
    for _, group in groupby(_with_breaks(block.pieces), key=lambda piece: (piece.character, piece.direction)):
        pieces = list(group)
        for part in _spoken_parts(pieces, block.language, max_chars):
            yield pieces[0], part


def _with_breaks(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Give each line break the speaker before it, so that it does not divide his words."""
    speaker = Piece("")
    for piece in pieces:
        if piece is LINE_BREAK:
            yield replace(piece, character=speaker.character, direction=speaker.direction)
        else:
            speaker = piece
            yield piece


def _spoken_parts(pieces: Sequence[Piece], language: str, max_chars: int) -> Iterator[_Part]:
    """Yield a part for each span of one speaker's pieces; spans without words and points are dropped."""
    text, starts, breaks = _joined(pieces)
    if not speakable(text):
        spans = [(0, len(text))]
    elif all(piece.spoken is None and piece.language is None and not piece.is_point for piece in pieces):
        plain = split(text, language, max_chars, breaks=breaks)
        words = (text[a:b].strip() for a, b in plain)
        yield from (_Part(each, each, language) for each in words if speakable(each))
        return
    else:
        spans = _whole_readings(pieces, starts, sentences(text, language, max_chars, breaks=breaks))
        fences = _language_changes([(span[0], _part(text, pieces, starts, span, language)) for span in spans])
        spans = join_short(text, spans, max_chars, fences)
    for span in spans:
        part = _with_points(_part(text, pieces, starts, span, language), text, pieces, starts, span)
        if not speakable(part.text):
            part = replace(part, text="", spoken="")
        if part.says_something:
            yield part


def _language_changes(parts: Sequence[tuple[int, _Part]]) -> frozenset[int]:
    """Where a sentence begins in another language than the one before: a short one stays by itself."""
    said = [(at, part.language) for at, part in parts if speakable(part.text)]
    return frozenset(later[0] for before, later in pairwise(said) if before[1] != later[1])


def _joined(pieces: Sequence[Piece]) -> tuple[str, list[int], list[int]]:
    texts: list[str] = []
    starts: list[int] = []
    breaks: list[int] = []
    at = 0
    for piece in pieces:
        starts.append(at)
        text = piece.text
        if text == LINE_BREAK.text:
            text = " "
            breaks.append(at + 1)
        texts.append(text)
        at += len(text)
    return "".join(texts), starts, breaks


def _whole_readings(pieces: Sequence[Piece], starts: list[int], spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Move cuts that fall inside a piece with a reading behind it: a reading cannot be divided."""
    fixed = [(at, at + len(piece.text)) for piece, at in zip(pieces, starts, strict=True) if piece.spoken is not None]
    ends = [span[1] for span in spans]
    moved = 0
    for number, end in enumerate(ends):
        while moved < len(fixed) and fixed[moved][1] <= end:
            moved += 1
        if moved < len(fixed) and fixed[moved][0] < end < fixed[moved][1]:
            ends[number] = fixed[moved][1]
    cuts = sorted({0, *ends})
    return list(pairwise(cuts))


def _part(text: str, pieces: Sequence[Piece], starts: Sequence[int], span: tuple[int, int], language: str) -> _Part:
    """The words of a span, as written and as spoken; silences between its words are spoken with them."""
    texts: list[str] = []
    said: list[str] = []
    languages: set[str] = set()
    for number in range(bisect_right(starts, span[0]) - 1, len(pieces)):
        piece, at = pieces[number], starts[number]
        if at >= span[1]:
            break
        if piece.is_point:
            if piece.pause_ms and speakable(text[span[0] : at]) and speakable(text[at : span[1]]):
                said += _unescaped(said, _pause_mark(piece.pause_ms))
            continue
        cut = piece.text[max(span[0] - at, 0) : span[1] - at]
        cut = " " if cut == LINE_BREAK.text else cut
        texts.append(cut)
        said += (cut,) if piece.spoken is None else _unescaped(said, piece.spoken)
        if speakable(cut):
            languages.add(piece.language or language)
    whole = languages.pop() if len(languages) == 1 else language
    return _Part("".join(texts).strip(), "".join(said).strip(), whole)


def _with_points(
    part: _Part, text: str, pieces: Sequence[Piece], starts: Sequence[int], span: tuple[int, int]
) -> _Part:
    """The part with what stands at its edges and the sounds and names inside it."""
    end = span[1] + 1 if span[1] == len(text) else span[1]
    points = [at for at in range(bisect_left(starts, span[0]), bisect_left(starts, end)) if pieces[at].is_point]
    if not points:
        return part
    lead: list[int] = []
    pause: list[int] = []
    for number in points:
        ms = pieces[number].pause_ms
        if ms is not None and not speakable(text[span[0] : starts[number]]):
            lead.append(ms)
        elif ms is not None and not speakable(text[starts[number] : span[1]]):
            pause.append(ms)
    return replace(
        part,
        lead_ms=sum(lead) if lead else None,
        pause_ms=sum(pause) if pause else None,
        reactions=tuple(pieces[number].reaction for number in points if pieces[number].reaction),
        marks=tuple(pieces[number].mark for number in points if pieces[number].mark),
    )


def _unescaped(said: list[str], spoken: str) -> tuple[str, ...]:
    """What is spoken next; a backslash before a mark goes, because it would make the mark text."""
    if said and spoken.startswith(("{", "[")):
        said[-1] = said[-1].rstrip("\\")
    return (spoken,)


def _pause_mark(ms: int) -> str:
    return f"[pause {ms}ms]"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _nothing(left_out: Sequence[Rejection]) -> str:
    """Why there is nothing: what was left out most often says whether an option would help."""
    reasons = Counter(one.reason for one in left_out).most_common(_MAX_REASONS)
    named = "; ".join(reason if count == 1 else f"{reason} ({count} times)" for reason, count in reasons)
    return f"nothing in it is to be spoken: {named or 'it has no words'}; see docs/scripts.md for what is skipped"
