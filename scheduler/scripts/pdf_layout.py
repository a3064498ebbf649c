"""Printed pages as text: running heads and page numbers found and taken off, wrapped lines made paragraphs.

What is a paragraph is told from indents, gaps and short lines, and what is a running head from its coming again.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scheduler.scripts.blocks import is_scene_break
from scheduler.scripts.prose import Paragraph, is_title
from scheduler.scripts.segmentation import spoken_length

_EDGE_LINES = 3
"""Lines at the top and at the foot of a page that may be running heads."""
_MAX_EDGE_CHARS = 200
"""Longer lines are no running heads."""
_LEAST_REPEATS = 3
_MAX_TITLE_LINES = 4
_ROMAN_AT_EDGE = re.compile(r"\A[ivxlc]{1,8}(?=\s)|(?<=\s)[ivxlc]{1,8}\Z")
_NUMBER = re.compile(
    r"[-–—\[(\s]*(?:p(?:age|\.)?\s*)?(\d{1,5}|[ivxlc]{1,8})(?:\s*(?:/|of)\s*\d{1,5})?[-–—\])\s.]*\Z", re.I
)
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_SECTION_NUMBER = re.compile(r"\A\s*(?:\d{1,3}|[A-Z])(?:\.\d{1,3})*\.?\s+")
"""Of a heading, which bookmarks often leave out."""
_NUMBER_AT_EDGE = re.compile(r"\A[\W_]*(\d{1,5})[\W_]*\s+\S|\S\s+[\W_]*(\d{1,5})[\W_]*\Z")
_LEADERS = re.compile(r"(?:\.\s?|…\s?|·\s?|・\s?){4,}\s*[\divxlcIVXLC]{1,6}\s*\Z")
_SENTENCE_END = re.compile(r"[.!?。！？…:][\"”’'»」』）)]*\s*\Z")
_HYPHENATED = re.compile(r"(\w+)[-\u00ad\u2010]\Z")
WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Line:
    """A printed line, with where it begins, in points from the lower left."""

    text: str
    x: float
    y: float
    size: float


@dataclass(slots=True)
class Page:
    """A page as far as it is read."""

    number: int
    """From 1."""
    lines: list[Line]
    has_picture: bool = False


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline that has a page."""

    title: str
    page: int
    """Number, from 1."""
    top: float | None = None
    """Height on the page to which it leads, in points from the foot."""


def take_off_edges(pages: Sequence[Page]) -> Counter[str]:
    """Take off running heads and feet, page numbers and lines of a printed table of contents; returns how many."""
    heads = _running(pages)
    counts: Counter[str] = Counter()
    for index, page in enumerate(pages):
        kept = []
        for at, line in enumerate(page.lines):
            if (index, at) in heads:
                counts["running head or page number"] += 1
            elif _LEADERS.search(line.text[-_MAX_EDGE_CHARS:]):
                counts["line of a table of contents"] += 1
            else:
                kept.append(line)
        page.lines = kept
    return counts


def _running(pages: Sequence[Page]) -> set[tuple[int, int]]:
    """(page index, line index) of what comes again at the edge of pages near each other."""
    body = _body_size(pages)
    same: defaultdict[tuple[bool, str], list[tuple[int, int]]] = defaultdict(list)
    numbers: defaultdict[tuple[bool, int], list[tuple[int, int]]] = defaultdict(list)
    heads: defaultdict[tuple[bool, int], list[tuple[int, int]]] = defaultdict(list)
    for index, page in enumerate(pages):
        for at, is_top in _edges(page):
            text = page.lines[at].text.casefold()
            if len(text) > _MAX_EDGE_CHARS:
                continue
            number = _number(text)
            if number is not None:
                numbers[is_top, number - index].append((index, at))
                continue
            same[is_top, _ROMAN_AT_EDGE.sub("#", text)].append((index, at))
            match = _NUMBER_AT_EDGE.search(text)
            # a head with the page's number beside it; a chapter's title with a number is set larger than the text
            if match is not None and page.lines[at].size <= 1.05 * body:
                heads[is_top, int(match[1] or match[2]) - index].append((index, at))
    found = {place for places in numbers.values() if len(places) > 1 for place in places}
    for key, places in heads.items():
        if len({index for index, _ in (*places, *numbers.get(key, ()))}) >= _LEAST_REPEATS:
            found.update(places)
    for places in same.values():
        found.update(place for cluster in _clusters(places) if len(cluster) >= _LEAST_REPEATS for place in cluster)
    return _connected(found, pages)


def _edges(page: Page) -> Iterator[tuple[int, bool]]:
    count = len(page.lines)
    yield from ((at, True) for at in range(min(_EDGE_LINES, count)))
    yield from ((at, False) for at in range(max(0, count - _EDGE_LINES), count))


def _number(text: str) -> int | None:
    """A page number, in digits or small Roman numerals."""
    match = _NUMBER.match(text)
    if match is None:
        return None
    return int(match[1]) if match[1].isdecimal() else _roman(match[1])


def _roman(text: str) -> int:
    values = [_ROMAN[char] for char in text.lower()]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))


def _clusters(places: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Runs of places on the same or every other page: left and right pages have heads of their own."""
    run: list[tuple[int, int]] = []
    for place in places:
        if run and place[0] - run[-1][0] > 2:
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def _connected(found: set[tuple[int, int]], pages: Sequence[Page]) -> set[tuple[int, int]]:
    """Those with nothing but others of their kind between them and the edge: a line inside the text is text."""
    kept: set[tuple[int, int]] = set()
    for index, page in enumerate(pages):
        for order in (range(len(page.lines)), range(len(page.lines) - 1, -1, -1)):
            for at in order:
                if (index, at) not in found:
                    break
                kept.add((index, at))
    return kept


def _body_size(pages: Sequence[Page]) -> float:
    """The size that most letters are set in."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


@dataclass(frozen=True, slots=True)
class _Look:
    """How a book is set."""

    size: float
    leading: float
    width: int
    """Characters of a full line."""
    has_indents: bool
    left: dict[int, float]
    """Left edge of each page, by number."""

    @classmethod
    def of(cls, pages: Sequence[Page]) -> _Look:
        """Measure the lines of all pages."""
        leadings: list[float] = []
        lengths: list[int] = []
        left: dict[int, float] = {}
        for page in pages:
            for before, line in zip(page.lines, page.lines[1:], strict=False):
                if before.size == line.size and before.y - line.y > 0.5 * line.size:
                    leadings.append(before.y - line.y)
            for line in page.lines:
                lengths.append(spoken_length(line.text))
            edges = Counter(round(line.x) for line in page.lines)
            if edges:
                left[page.number] = float(edges.most_common(1)[0][0])
        lengths.sort()
        look = cls(_body_size(pages), _quarter(leadings), lengths[len(lengths) * 8 // 10], False, left)
        lines = [(page.number, line) for page in pages for line in page.lines]
        indented = sum(look.is_indented(line, number) for number, line in lines)
        return replace(look, has_indents=0.03 * len(lines) < indented < 0.6 * len(lines))

    def is_indented(self, line: Line, page: int) -> bool:
        """Whether a line begins right of the edge, and not so far that it is centred."""
        shift = line.x - self.left.get(page, line.x)
        return 0.4 * self.size < shift < 6 * self.size

    def is_short(self, line: Line) -> bool:
        """Whether a line ends before the right edge."""
        return spoken_length(line.text) < 0.8 * self.width


def _quarter(distances: list[float]) -> float:
    """The distance that a quarter of all are below: that of lines, also where half of them are followed by a gap."""
    return sorted(distances)[len(distances) // 4] if distances else 0.0


@dataclass(slots=True)
class Text:
    """A paragraph or a title on its way."""

    page: int
    lines: list[str]
    title: str = ""
    """What the bookmark that points to it says."""
    opens: bool = False
    """Whether a section begins with it."""
    heading: bool = False


def paragraphs(pages: Sequence[Page], bookmarks: Sequence[Bookmark]) -> list[Text]:
    """Divide pages into paragraphs, and into titles where bookmarks name them."""
    look = _Look.of(pages)
    marks: defaultdict[int, list[Bookmark]] = defaultdict(list)
    for bookmark in bookmarks:
        marks[bookmark.page].append(bookmark)
    done: list[Text] = []
    before: tuple[int, Line] | None = None
    for page in pages:
        titles = _titles(page, marks.get(page.number, []))
        at = 0
        while at < len(page.lines):
            line = page.lines[at]
            if at in titles:
                bookmark, count = titles[at]
                lines = [each.text for each in page.lines[at : at + count]]
                done.append(Text(page.number, lines, bookmark.title, opens=True, heading=count > 0))
                at += count
                before = None
                if count:
                    continue
            starts = before is None or _begins(look, before, (page.number, line))
            if starts and not (done and done[-1].opens and not done[-1].lines):
                done.append(Text(page.number, [line.text]))
            else:
                done[-1].lines.append(line.text)
            before = (page.number, line)
            at += 1
    return done


def _titles(page: Page, bookmarks: Sequence[Bookmark]) -> dict[int, tuple[Bookmark, int]]:
    """Line → the bookmark whose title begins there, and how many lines it has; 0 where its words are not printed."""
    found: dict[int, tuple[Bookmark, int]] = {}
    start = 0
    for bookmark in bookmarks:
        at, count = _printed(page, bookmark, start)
        if at in found:
            continue  # two bookmarks on a place without printed titles: the first one names it
        found[at] = (bookmark, count)
        start = at + count
    return found


def _printed(page: Page, bookmark: Bookmark, start: int) -> tuple[int, int]:
    """Where a title is printed, and on how many lines; else where on the page the bookmark leads, and 0."""
    wanted = _letters(bookmark.title)
    for at in range(start, len(page.lines)):
        text = ""
        for count in range(1, _MAX_TITLE_LINES + 1):
            text += "".join(f"{line.text} " for line in page.lines[at + count - 1 : at + count])
            if wanted and wanted in (_letters(text), _letters(_SECTION_NUMBER.sub("", text))):
                return at, count
    if bookmark.top is not None:
        below = (at for at in range(start, len(page.lines)) if page.lines[at].y <= bookmark.top)
        return next(below, start), 0
    return start, 0


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _begins(look: _Look, before: tuple[int, Line], here: tuple[int, Line]) -> bool:
    """Whether a line begins a paragraph, told from the one before it."""
    (last_page, last), (page, line) = before, here
    ends = _SENTENCE_END.search(last.text) is not None
    if abs(last.size - line.size) > 0.15 * max(look.size, 1.0) or is_title(Paragraph((line.text,), 0, 0)):
        return True
    if is_title(Paragraph((last.text,), 0, 0)) or is_scene_break(last.text) or is_scene_break(line.text):
        return True
    if look.has_indents and look.is_indented(line, page) and (ends or not look.is_indented(last, last_page)):
        return True
    if ends and look.is_short(last):
        return True
    gap = last.y - line.y
    if page != last_page or gap < -0.5 * look.size:  # another page or column
        return ends and not look.has_indents
    return look.leading > 0 and gap > 1.35 * look.leading


def joined(lines: Sequence[str], known: Counter[str]) -> str:
    """The text of a paragraph: words divided at line ends are put together; line ends stay, for CJK to be unwrapped."""
    text = lines[0] if lines else ""
    for line in lines[1:]:
        match = _HYPHENATED.search(text[-100:])
        following = WORD.match(line)
        if match is None or following is None or not line[0].islower():
            text += "\n" + line
            continue
        start, end = match[1], following[0]
        is_compound = known[f"{start}-{end}".lower()] > known[f"{start}{end}".lower()] and text[-1] != "\u00ad"
        text = (text[:-1] + "-" if is_compound else text[:-1]) + line
    return text
