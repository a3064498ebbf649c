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
from collections import Counter
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
from scheduler.scripts.pdf_layout import WORD, Bookmark, Line, Page, joined, paragraphs, take_off_edges
from scheduler.scripts.prose import Paragraph, is_title
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
        left_out = take_off_edges(raw.pages)
        text = "\n".join(line.text for page in raw.pages for line in page.lines)
        _check_text(text, raw, source.name)
        stated = normal_tag(options.language) or raw.language
        language, sure = (stated, True) if stated is not None else of_text(text)
        title = raw.title or PurePath(source.name).stem
        builder = Builder(source.name, options)
        notices = [Rejection("", f"{count} × {what} left out") for what, count in sorted(left_out.items()) if count]
        sections = builder.sections(_drafts(raw, language, title), "chapter", (*raw.rejected, *notices))
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


@dataclass(slots=True)
class _Raw:
    """What the parser got out of a file."""

    pages: list[Page] = field(default_factory=list)
    bookmarks: list[Bookmark] = field(default_factory=list)
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
    from pypdf.errors import DependencyError, DeprecationError, PyPdfError

    broken: tuple[type[Exception], ...] = (PyPdfError, DependencyError, DeprecationError, *_BROKEN)
    try:
        parser = Parser(io.BytesIO(data))
        if parser.is_encrypted:
            raise ScriptUnreadable(file, "", "is encrypted; remove its password first")
        raw = _Raw()
        pages = _pages(parser, file)
        _read_pages(pages, raw, file, broken)
        _read_facts(parser, raw)
        _read_bookmarks(parser, raw, broken)
    except broken as error:
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


def _read_pages(pages: Sequence[PageObject], raw: _Raw, file: str, broken: tuple[type[Exception], ...]) -> None:
    end = time.monotonic() + MAX_SECONDS
    for number, page in enumerate(pages, 1):
        if time.monotonic() > end:
            raise ScriptTooLarge(
                file, f"page {number}", f"took more than {MAX_SECONDS:,.0f} s to read; divide the file"
            )
        try:
            raw.pages.append(Page(number, _lines(page), _has_picture(page)))
        except _TookTooLong:
            raw.rejected.append(Rejection(f"page {number}", "is too large a drawing to be read"))
        except broken as error:
            raw.rejected.append(Rejection(f"page {number}", f"is damaged and not read ({_why(error)})"))


def _lines(page: PageObject) -> list[Line]:
    """The lines of a page in the order in which they are drawn."""
    contents = page.get_contents()
    if contents is None:
        return []
    if len(contents.get_data()) > MAX_PAGE_BYTES:
        raise _TookTooLong
    end = time.monotonic() + MAX_PAGE_SECONDS
    lines: list[Line] = []
    open_line = Line("", 0.0, 0.0, 0.0)

    def hurry(operator: Any, operands: Any, cm: Any, tm: Any) -> None:
        if time.monotonic() > end:
            raise _TookTooLong

    def take(text: str, cm: Any, tm: Any, font: Any, size: Any) -> None:
        nonlocal open_line
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append(open_line)
                open_line = Line("", 0.0, 0.0, 0.0)
            if part.strip() and not open_line.text.strip():
                open_line = _placed(part, cm, tm, float(size or 0.0))
            else:
                open_line = replace(open_line, text=open_line.text + part)

    page.extract_text(visitor_operand_before=hurry, visitor_text=take)
    lines.append(open_line)
    return [replace(line, text=_plain(line.text)) for line in lines if line.text.strip()]


def _placed(text: str, cm: Sequence[float], tm: Sequence[float], size: float) -> Line:
    x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
    y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
    scale = abs(tm[3] * cm[3]) or abs(tm[1] * cm[1]) or 1.0
    return Line(text, float(x), float(y), size * float(scale))


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


def _read_bookmarks(parser: Parser, raw: _Raw, broken: tuple[type[Exception], ...]) -> None:
    try:
        outline = parser.outline
        levels = list(_flat(outline, 0))
        for _, entry in levels[:MAX_BOOKMARKS]:
            title, at = _fact(entry.title), parser.get_destination_page_number(entry)
            if title and at is not None and at >= 0:
                raw.bookmarks.append(Bookmark(title, at + 1, _height(entry.top)))
    except broken as error:
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


def _drafts(raw: _Raw, language: str, title: str) -> list[Draft]:
    """Sections at the bookmarks; where there are none, at what reads like a chapter's title."""
    known = Counter(
        word.lower().replace("\u2010", "-")
        for page in raw.pages
        for line in page.lines
        for word in WORD.findall(line.text)
    )
    drafts = [Draft(title, title, [])]
    for part in paragraphs(raw.pages, raw.bookmarks):
        text = joined(part.lines, known)
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
