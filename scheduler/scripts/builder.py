"""From blocks to lines: the one place where paragraphs are divided, speakers kept apart and boundaries set."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from scheduler.scripts.blocks import LINE_BREAK, Block, Piece, SceneBreak, is_scene_break
from scheduler.scripts.errors import ScriptEmpty, ScriptTooLarge
from scheduler.scripts.keys import LineKeys, SectionKeys
from scheduler.scripts.model import Boundary, ReadOptions, Rejection, ScriptLine, ScriptSection
from scheduler.scripts.segmentation import join_short, sentences, speakable, split

Item = Block | SceneBreak


_MAX_TITLES = 20
"""More headings than this in a row are no titles over a text."""


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

    def sections(self, drafts: Iterable[Draft], kind: str) -> tuple[ScriptSection, ...]:
        """Build every section that has something to say. Raises ScriptEmpty when none has."""
        built = []
        for draft in drafts:
            key = self._section_keys.of_title(draft.name)
            lines = self._lines(key, draft.items)
            if lines:
                built.append(ScriptSection(key, kind, draft.title, lines))
        if not built:
            raise ScriptEmpty(self._file, "", "nothing in it is to be spoken; see docs/scripts.md for what is skipped")
        return tuple(built)

    def _lines(self, section: str, items: Sequence[Item]) -> tuple[ScriptLine, ...]:
        lines: list[ScriptLine] = []
        for item in items:
            if isinstance(item, SceneBreak) or is_scene_break(item.text):
                _end(lines, "scene")
                continue
            new = list(self._block_lines(section, item))
            if not new:
                self.rejected.append(Rejection(item.place, f"nothing speakable in {_short(item.text)!r}"))
                continue
            if item.heading:
                _end(lines, "heading")
            _end(new, "heading" if item.heading else "paragraph")
            lines.extend(new)
        _end(lines, "section", over=True)
        return tuple(lines)

    def _block_lines(self, section: str, block: Block) -> Iterator[ScriptLine]:
        if len(block.text) > self._options.max_source_line_chars:
            raise ScriptTooLarge(
                self._file,
                block.place,
                f"a paragraph of {len(block.text):,} characters, more than {self._options.max_source_line_chars:,}; "
                "set paragraphs apart by empty lines",
            )
        for speaker, group in groupby(_with_breaks(block.pieces), key=lambda piece: piece.character):
            for text, spoken, language in _spoken_parts(list(group), block.language, self._options.max_line_chars):
                yield ScriptLine(
                    key=self._line_keys.of_text(section, text),
                    text=text,
                    spoken=spoken if spoken != text else "",
                    language=language,
                    characters=(speaker,) if speaker else (),
                    place=block.place,
                )


def _end(lines: list[ScriptLine], boundary: Boundary, *, over: bool = False) -> None:
    """Set what follows the last line, unless something stronger follows already."""
    strength: tuple[Boundary, ...] = ("sentence", "paragraph", "heading", "scene", "section")
    if lines and (over or strength.index(boundary) > strength.index(lines[-1].boundary)):
        lines[-1] = replace(lines[-1], boundary=boundary)


def _with_breaks(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Give each line break the speaker before it, so that it does not divide his words."""
    speaker: str | None = None
    for piece in pieces:
        if piece is LINE_BREAK:
            yield replace(piece, character=speaker)
        else:
            speaker = piece.character
            yield piece


def _spoken_parts(pieces: Sequence[Piece], language: str, max_chars: int) -> Iterator[tuple[str, str, str]]:
    """Yield (text, spoken, language) for each span of one speaker's pieces; spans without words are dropped."""
    text, starts, breaks = _joined(pieces)
    if not speakable(text):
        return
    if all(piece.spoken is None and piece.language is None for piece in pieces):
        spans = split(text, language, max_chars, breaks=breaks)
        parts = [(text[a:b].strip(), text[a:b].strip(), language) for a, b in spans]
    else:
        spans = _whole_readings(pieces, starts, sentences(text, language, max_chars, breaks=breaks))
        fences = _language_changes([(span[0], _part(pieces, starts, span, language)) for span in spans])
        spans = join_short(text, spans, max_chars, fences)
        parts = [_part(pieces, starts, span, language) for span in spans]
    yield from (part for part in parts if speakable(part[0]))


def _language_changes(parts: Sequence[tuple[int, tuple[str, str, str]]]) -> frozenset[int]:
    """Where a sentence begins in another language than the one before: a short one stays by itself."""
    said = [(at, tongue) for at, (text, _, tongue) in parts if speakable(text)]
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


def _part(pieces: Sequence[Piece], starts: list[int], span: tuple[int, int], language: str) -> tuple[str, str, str]:
    texts: list[str] = []
    said: list[str] = []
    languages: set[str] = set()
    for number in range(bisect_right(starts, span[0]) - 1, len(pieces)):
        piece, at = pieces[number], starts[number]
        if at >= span[1]:
            break
        cut = piece.text[max(span[0] - at, 0) : span[1] - at]
        cut = " " if cut == LINE_BREAK.text else cut
        texts.append(cut)
        said.append(cut if piece.spoken is None else piece.spoken)
        if speakable(cut):
            languages.add(piece.language or language)
    whole = languages.pop() if len(languages) == 1 else language
    return "".join(texts).strip(), "".join(said).strip(), whole


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
