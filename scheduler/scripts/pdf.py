"""PDF files that hold text: pages joined, running heads and page numbers taken off, wrapped lines made paragraphs.

A PDF says where letters stand, not what they are: what is a paragraph is told from indents, gaps and short lines. Only
the text layer is read; a scan without one needs text recognition first.
"""

from __future__ import annotations

import io
import logging
import re
import struct
import time
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from scheduler.scripts.blocks import SceneBreak, is_scene_break, plain_block
from scheduler.scripts.builder import Builder, Draft, Item, only_titles
from scheduler.scripts.detection import of_text
from scheduler.scripts.errors import ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.prose import Paragraph, is_title
from scheduler.scripts.segmentation import spoken_length
from scheduler.scripts.source import ScriptSource

if TYPE_CHECKING:
    from pypdf import PageObject
    from pypdf import PdfReader as Parser

MAX_PDF_BYTES = 64 * 1024 * 1024
MAX_PAGES = 5_000
MAX_PAGE_BYTES = 16 * 1024 * 1024
"""Longest description of one page: text takes some kilobytes, drawings more."""
MAX_SECONDS = 600.0
"""For the whole file."""
MAX_PAGE_SECONDS = 30.0
MAX_BOOKMARKS = 5_000

_HEADER = b"%PDF-"
_BROKEN = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, NameError, OSError,
    RuntimeError, StopIteration, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
"""What the parser raises on damaged files, beside its own errors."""
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
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
_LIGATURES = {chr(code): unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_LIGATURE = re.compile("[\ufb00-\ufb06]")
_FILE_TITLE = re.compile(r"\.(?:docx?|odt|rtf|indd|qxd|tex|dvi|pdf|pages|wpd)\Z|\AMicrosoft Word - |\Auntitled", re.I)
_YEAR = re.compile(r"D?:?(\d{4})")


class PdfReader:
    """Reads the text layer of ``.pdf``."""

    name = "pdf"
    suffixes = (".pdf",)
    kind = "audiobook"

    def sniff(self, head: bytes) -> bool:
        """The header, which may have some bytes before it."""
        return _HEADER in head[:1024]

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a PDF whole."""
        data = source.data(min(options.max_file_bytes, MAX_PDF_BYTES))
        if _HEADER not in data[:1024]:
            raise ScriptUnreadable(source.name, "", "is no PDF: it does not begin as one")
        with _quiet():
            raw = _extract(data, source.name)
        left_out = _take_off_edges(raw.pages)
        text = "\n".join(line.text for page in raw.pages for line in page.lines)
        _check_text(text, raw, source.name)
        stated = normal_tag(options.language) or raw.language
        language, sure = (stated, True) if stated is not None else of_text(text)
        title = raw.title or PurePath(source.name).stem
        builder = Builder(source.name, options)
        sections = builder.sections(_drafts(raw, language, title), "chapter")
        notices = [Rejection("", f"{count} × {what} left out") for what, count in sorted(left_out.items()) if count]
        if not sure:
            notices.append(Rejection("", f"no language is stated: read as {language!r}; --language says otherwise"))
        notices.append(
            Rejection("", "paragraphs are told from indents, gaps and short lines; notes at the foot are read")
        )
        return ScriptDocument(
            title=title,
            author=raw.author,
            language=language,
            kind="audiobook",
            format=self.name,
            sections=sections,
            year=raw.year,
            rejected=(*raw.rejected, *builder.rejected),
            notices=tuple(notices),
            language_stated=stated is not None,
        )


@dataclass(frozen=True, slots=True)
class _Line:
    """A printed line, with where it begins, in points from the lower left."""

    text: str
    x: float
    y: float
    size: float


@dataclass(slots=True)
class _Page:
    number: int
    """From 1."""
    lines: list[_Line]
    has_picture: bool = False


@dataclass(frozen=True, slots=True)
class _Bookmark:
    title: str
    page: int
    """Number, from 1."""
    top: float | None = None
    """Height on the page to which it leads, in points from the foot."""


@dataclass(slots=True)
class _Raw:
    """What the parser got out of a file."""

    pages: list[_Page] = field(default_factory=list)
    bookmarks: list[_Bookmark] = field(default_factory=list)
    title: str = ""
    author: str = ""
    year: str = ""
    language: str | None = None
    rejected: list[Rejection] = field(default_factory=list)


class _TookTooLong(Exception):
    """Raised inside the parser to get out of a page."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the parser's remarks on every damaged object out of the output."""
    log = logging.getLogger("pypdf")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)  # loggers below it have no level of their own
    try:
        yield
    finally:
        log.setLevel(before)


def _extract(data: bytes, file: str) -> _Raw:
    """Take everything out of a file that is used. Raises ScriptError."""
    from pypdf import PdfReader as Parser
    from pypdf.errors import PyPdfError

    try:
        parser = Parser(io.BytesIO(data))
        if parser.is_encrypted:
            raise ScriptUnreadable(file, "", "is encrypted; remove its password first")
        raw = _Raw()
        pages = _pages(parser, file)
        _read_pages(pages, raw, file, PyPdfError)
        _read_facts(parser, raw)
        _read_bookmarks(parser, raw, PyPdfError)
    except (PyPdfError, *_BROKEN) as error:
        raise ScriptUnreadable(file, "", f"is a damaged PDF ({_why(error)}); save it again") from error
    return raw


def _why(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]


def _pages(parser: Parser, file: str) -> list[PageObject]:
    found: list[PageObject] = []
    for page in parser.pages:
        found.append(page)
        if len(found) > MAX_PAGES:
            raise ScriptTooLarge(file, "", f"has more than {MAX_PAGES:,} pages; divide it")
    if not found:
        raise ScriptUnreadable(file, "", "has no pages")
    return found


def _read_pages(pages: Sequence[PageObject], raw: _Raw, file: str, own: type[Exception]) -> None:
    end = time.monotonic() + MAX_SECONDS
    for number, page in enumerate(pages, 1):
        if time.monotonic() > end:
            raise ScriptTooLarge(
                file, f"page {number}", f"took more than {MAX_SECONDS:,.0f} s to read; divide the file"
            )
        try:
            raw.pages.append(_Page(number, _lines(page), _has_picture(page)))
        except _TookTooLong:
            raw.rejected.append(Rejection(f"page {number}", "is too large a drawing to be read"))
        except (own, *_BROKEN) as error:
            raw.rejected.append(Rejection(f"page {number}", f"is damaged and not read ({_why(error)})"))


def _lines(page: PageObject) -> list[_Line]:
    """The lines of a page in the order in which they are drawn."""
    contents = page.get_contents()
    if contents is None:
        return []
    if len(contents.get_data()) > MAX_PAGE_BYTES:
        raise _TookTooLong
    end = time.monotonic() + MAX_PAGE_SECONDS
    lines: list[_Line] = []
    open_line = _Line("", 0.0, 0.0, 0.0)

    def hurry(operator: Any, operands: Any, cm: Any, tm: Any) -> None:
        if time.monotonic() > end:
            raise _TookTooLong

    def take(text: str, cm: Any, tm: Any, font: Any, size: Any) -> None:
        nonlocal open_line
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append(open_line)
                open_line = _Line("", 0.0, 0.0, 0.0)
            if part.strip() and not open_line.text.strip():
                open_line = _placed(part, cm, tm, float(size or 0.0))
            else:
                open_line = replace(open_line, text=open_line.text + part)

    page.extract_text(visitor_operand_before=hurry, visitor_text=take)
    lines.append(open_line)
    return [replace(line, text=_plain(line.text)) for line in lines if line.text.strip()]


def _placed(text: str, cm: Sequence[float], tm: Sequence[float], size: float) -> _Line:
    x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
    y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
    scale = abs(tm[3] * cm[3]) or abs(tm[1] * cm[1]) or 1.0
    return _Line(text, float(x), float(y), size * float(scale))


def _plain(text: str) -> str:
    text = _LIGATURE.sub(lambda match: _LIGATURES[match[0]], text)
    return " ".join(text.split())


def _has_picture(page: PageObject) -> bool:
    resources = page.get("/Resources")
    objects = None if resources is None else resources.get_object().get("/XObject")
    if objects is None:
        return False
    return any(each.get_object().get("/Subtype") == "/Image" for each in objects.get_object().values())


def _read_facts(parser: Parser, raw: _Raw) -> None:
    facts = parser.metadata
    if facts is not None:
        title, author = (_fact(facts.get(name)) for name in ("/Title", "/Author"))
        raw.title = "" if _FILE_TITLE.search(title) else title
        raw.author = author
        year = _YEAR.match(_fact(facts.get("/CreationDate")))
        raw.year = year[1] if year is not None else ""
    raw.language = normal_tag(_fact(parser.root_object.get("/Lang")))


def _fact(value: object) -> str:
    found = value.get_object() if hasattr(value, "get_object") else value
    return " ".join(found.split()) if isinstance(found, str) else ""


def _read_bookmarks(parser: Parser, raw: _Raw, own: type[Exception]) -> None:
    try:
        outline = parser.outline
        levels = list(_flat(outline, 0))
        for _, entry in levels[:MAX_BOOKMARKS]:
            title, at = _fact(entry.title), parser.get_destination_page_number(entry)
            if title and at is not None and at >= 0:
                raw.bookmarks.append(_Bookmark(title, at + 1, _height(entry.top)))
    except (own, *_BROKEN) as error:
        raw.bookmarks.clear()
        raw.rejected.append(Rejection("", f"its bookmarks are damaged and not used ({_why(error)})"))
    raw.bookmarks.sort(key=lambda bookmark: bookmark.page)


def _height(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value > 0 else None


def _flat(outline: Sequence[Any], depth: int) -> Iterator[tuple[int, Any]]:
    """Bookmarks of the first two levels, in order."""
    for entry in outline:
        if not isinstance(entry, list):
            yield depth, entry
        elif depth == 0:
            yield from _flat(entry, depth + 1)


def _check_text(text: str, raw: _Raw, file: str) -> None:
    letters = sum(map(str.isalnum, text))
    if not letters:
        why = raw.rejected[0].reason if raw.rejected else "its pages are pictures"
        raise ScriptUnreadable(file, "", f"holds no text ({why}); run text recognition (OCR) on it first")
    odd = sum(unicodedata.category(char) in ("Co", "Cn", "Cc") or char == "\ufffd" for char in text if char != "\n")
    if odd > letters / 4:
        raise ScriptUnreadable(
            file, "", "its fonts do not say which letters they draw; run text recognition (OCR) on it first"
        )
    for page in raw.pages:
        if not page.lines and page.has_picture:
            raw.rejected.append(Rejection(f"page {page.number}", "is a picture without text; recognise it (OCR) first"))


def _take_off_edges(pages: Sequence[_Page]) -> Counter[str]:
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


def _running(pages: Sequence[_Page]) -> set[tuple[int, int]]:
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


def _edges(page: _Page) -> Iterator[tuple[int, bool]]:
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


def _connected(found: set[tuple[int, int]], pages: Sequence[_Page]) -> set[tuple[int, int]]:
    """Those with nothing but others of their kind between them and the edge: a line inside the text is text."""
    kept: set[tuple[int, int]] = set()
    for index, page in enumerate(pages):
        for order in (range(len(page.lines)), range(len(page.lines) - 1, -1, -1)):
            for at in order:
                if (index, at) not in found:
                    break
                kept.add((index, at))
    return kept


def _body_size(pages: Sequence[_Page]) -> float:
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
    def of(cls, pages: Sequence[_Page]) -> _Look:
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

    def is_indented(self, line: _Line, page: int) -> bool:
        """Whether a line begins right of the edge, and not so far that it is centred."""
        shift = line.x - self.left.get(page, line.x)
        return 0.4 * self.size < shift < 6 * self.size

    def is_short(self, line: _Line) -> bool:
        """Whether a line ends before the right edge."""
        return spoken_length(line.text) < 0.8 * self.width


def _quarter(distances: list[float]) -> float:
    """The distance that a quarter of all are below: that of lines, also where half of them are followed by a gap."""
    return sorted(distances)[len(distances) // 4] if distances else 0.0


@dataclass(slots=True)
class _Text:
    """A paragraph or a title on its way."""

    page: int
    lines: list[str]
    title: str = ""
    """What the bookmark that points to it says."""
    opens: bool = False
    """Whether a section begins with it."""
    heading: bool = False


def _paragraphs(raw: _Raw) -> list[_Text]:
    look = _Look.of(raw.pages)
    marks: defaultdict[int, list[_Bookmark]] = defaultdict(list)
    for bookmark in raw.bookmarks:
        marks[bookmark.page].append(bookmark)
    done: list[_Text] = []
    before: tuple[int, _Line] | None = None
    for page in raw.pages:
        titles = _titles(page, marks.get(page.number, []))
        at = 0
        while at < len(page.lines):
            line = page.lines[at]
            if at in titles:
                bookmark, count = titles[at]
                lines = [each.text for each in page.lines[at : at + count]]
                done.append(_Text(page.number, lines, bookmark.title, opens=True, heading=count > 0))
                at += count
                before = None
                if count:
                    continue
            starts = before is None or _begins(look, before, (page.number, line))
            if starts and not (done and done[-1].opens and not done[-1].lines):
                done.append(_Text(page.number, [line.text]))
            else:
                done[-1].lines.append(line.text)
            before = (page.number, line)
            at += 1
    return done


def _titles(page: _Page, bookmarks: Sequence[_Bookmark]) -> dict[int, tuple[_Bookmark, int]]:
    """Line → the bookmark whose title begins there, and how many lines it has; 0 where its words are not printed."""
    found: dict[int, tuple[_Bookmark, int]] = {}
    start = 0
    for bookmark in bookmarks:
        at, count = _printed(page, bookmark, start)
        if at in found:
            continue  # two bookmarks on a place without printed titles: the first one names it
        found[at] = (bookmark, count)
        start = at + count
    return found


def _printed(page: _Page, bookmark: _Bookmark, start: int) -> tuple[int, int]:
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


def _begins(look: _Look, before: tuple[int, _Line], here: tuple[int, _Line]) -> bool:
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


def _joined(lines: Sequence[str], known: Counter[str]) -> str:
    """The text of a paragraph: words divided at line ends are put together; line ends stay, for CJK to be unwrapped."""
    text = lines[0] if lines else ""
    for line in lines[1:]:
        match = _HYPHENATED.search(text[-100:])
        following = _WORD.match(line)
        if match is None or following is None or not line[0].islower():
            text += "\n" + line
            continue
        start, end = match[1], following[0]
        is_compound = known[f"{start}-{end}".lower()] > known[f"{start}{end}".lower()] and text[-1] != "\u00ad"
        text = (text[:-1] + "-" if is_compound else text[:-1]) + line
    return text


def _drafts(raw: _Raw, language: str, title: str) -> list[Draft]:
    """Sections at the bookmarks; where there are none, at what reads like a chapter's title."""
    known = Counter(
        word.lower().replace("\u2010", "-")
        for page in raw.pages
        for line in page.lines
        for word in _WORD.findall(line.text)
    )
    drafts = [Draft(title, title, [])]
    for part in _paragraphs(raw):
        text = _joined(part.lines, known)
        reads_like_title = not raw.bookmarks and is_title(Paragraph(tuple(part.lines), 0, 0))
        heading = part.heading or reads_like_title
        place = f"page {part.page}"
        block = plain_block(text, language, place, heading=heading, level=2 if heading else 0)
        if part.opens or reads_like_title:
            named = part.title or block.text
            if only_titles(drafts[-1].items):
                drafts[-1] = Draft(named, named, drafts[-1].items)
            else:
                drafts.append(Draft(named, named, []))
        if block.pieces:
            item: Item = SceneBreak(place) if is_scene_break(block.text) else block
            drafts[-1].items.append(item)
    return [draft for draft in drafts if draft.items]
