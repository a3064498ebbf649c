"""Word documents: what stands in the text as it would be printed, with headings as sections.

Only the parts that say something about the text are unpacked; macros, pictures and embedded files never are.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from lxml import etree

from scheduler.scripts.archive import Archive
from scheduler.scripts.blocks import LINE_BREAK, Block, Piece, SceneBreak, is_scene_break, tidy
from scheduler.scripts.builder import Builder, Draft, Item, only_titles
from scheduler.scripts.docx_styles import (
    EAST,
    WORD,
    Styles,
    child_of,
    document_language,
    languages_of,
    local_name,
    outline_level,
    switch_of,
    value_of,
)
from scheduler.scripts.errors import ScriptUnreadable
from scheduler.scripts.languages import primary
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.prose import Paragraph, is_title
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.xmlsafe import parse_xml

_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CONTENT_TYPES = "[Content_Types].xml"
_YEAR = re.compile(r"\A\s*(\d{4})-")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")
_KANA_ONLY = re.compile(r"[\u3041-\u309f\u30a0-\u30ff\s]+\Z")
_EAST_LETTERS = re.compile("[\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_SYMBOLS = {"noBreakHyphen": "-", "softHyphen": "\u00ad", "tab": " ", "ptab": " "}
_LEFT_OUT = {
    "del": "deleted text", "moveFrom": "moved text", "footnoteReference": "footnote", "endnoteReference": "endnote",
    "commentReference": "comment", "drawing": "picture", "pict": "picture", "object": "embedded object",
    "headerReference": "header", "footerReference": "footer", "sym": "symbol of a picture font",
}  # fmt: skip
_SILENT = frozenset({
    "pPr", "rPr", "tblPr", "tblGrid", "trPr", "tcPr", "instrText", "delText", "delInstrText", "annotationRef",
    "footnoteRef", "endnoteRef", "pgNum", "sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr", "rubyPr", "ffData",
    "fldData",
})  # fmt: skip


class DocxReader:
    """Reads ``.docx`` and ``.docm``; everything it skips is counted in the document's notices."""

    name = "docx"
    suffixes = (".docx", ".docm")
    kind = "audiobook"

    def sniff(self, head: bytes) -> bool:
        """A zip archive whose first entries are those of a Word document."""
        return head.startswith(b"PK\x03\x04") and b"word/" in head

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a Word document whole."""
        if source.head().startswith(_COMPOUND):
            raise ScriptUnreadable(
                source.name, "", "has a password or is an old .doc; save it as .docx without a password"
            )
        with Archive(source) as archive:
            parts = _Parts.find(archive)
            facts = _facts(archive, parts.core)
            styles = Styles.read(archive, parts.styles)
            root = parse_xml(archive.read(parts.document), archive.name, parts.document)
            has_macros = any(name.lower().endswith("vbaproject.bin") for name in archive.names())
        tongue = document_language(root, styles, options)
        walk = _Walk(styles, options, tongue.tag)
        walk.run(root, source.name, parts.document)
        title = walk.title or facts.title or PurePath(source.name).stem
        builder = Builder(source.name, options)
        notices = [Rejection("", f"{count} × {what} left out") for what, count in sorted(walk.skipped.items())]
        drafts = _drafts(walk.items, facts.title or title)
        sections = builder.sections(drafts, "chapter", (*walk.rejected, *notices))
        if has_macros:
            notices.append(Rejection("", "its macros are not run"))
        if tongue.notice:
            notices.append(Rejection("", tongue.notice))
        return ScriptDocument(
            title=facts.title or title,
            author=facts.author,
            language=tongue.tag,
            kind="audiobook",
            format=self.name,
            sections=sections,
            year=facts.year,
            rejected=(*walk.rejected, *builder.rejected),
            notices=tuple(notices),
            language_stated=tongue.stated,
        )


@dataclass(frozen=True, slots=True)
class _Parts:
    """Names of the parts that are read; '' where the document has none."""

    document: str
    styles: str
    core: str

    @classmethod
    def find(cls, archive: Archive) -> _Parts:
        """Follow the relationships from the root of the package. Raises ScriptUnreadable if it is no Word document."""
        if _CONTENT_TYPES not in archive.names():
            raise ScriptUnreadable(archive.name, _CONTENT_TYPES, "is missing: this is not a Word document")
        root = _relations(archive, "_rels/.rels", "")
        document = root.get("officeDocument", "")
        if not document or document not in archive.names():
            raise ScriptUnreadable(archive.name, "_rels/.rels", "names no document that is in the archive")
        folder, base = posixpath.split(document)
        own = _relations(archive, posixpath.join(folder, "_rels", f"{base}.rels"), folder)
        return cls(document, own.get("styles", ""), root.get("core-properties", ""))


def _relations(archive: Archive, path: str, folder: str) -> dict[str, str]:
    """The first internal target of each kind of relationship."""
    if path not in archive.names():
        return {}
    found: dict[str, str] = {}
    for element in parse_xml(archive.read(path), archive.name, path):
        kind, target = (element.get("Type") or "").rpartition("/")[2], element.get("Target") or ""
        if local_name(element) == "Relationship" and target and element.get("TargetMode") != "External":
            found.setdefault(kind, posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"))
    return found


@dataclass(frozen=True, slots=True)
class _Facts:
    title: str = ""
    author: str = ""
    year: str = ""


def _facts(archive: Archive, path: str) -> _Facts:
    if not path or path not in archive.names():
        return _Facts()
    said: dict[str, str] = {}
    for element in parse_xml(archive.read(path), archive.name, path):
        said.setdefault(local_name(element), " ".join((element.text or "").split()))
    year = _YEAR.match(said.get("created", ""))
    return _Facts(said.get("title", ""), said.get("creator", ""), year[1] if year else "")


@dataclass(slots=True)
class _Walk:
    """One pass over the body without recursion into paragraphs of paragraphs."""

    styles: Styles
    options: ReadOptions
    language: str
    """Of the document."""
    items: list[Item] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    title: str = ""
    _number: int = 0
    _place: str = ""
    _pieces: list[Piece] = field(default_factory=list)
    _fields: list[bool] = field(default_factory=list)
    """Open fields; whether each still is in its instruction."""
    _joins: bool = False
    """Whether the end of the last paragraph was deleted, so that the next one goes on."""

    def run(self, root: etree._Element, file: str, part: str) -> None:
        """Read the body. Raises ScriptUnreadable if there is none."""
        body = child_of(root, "body")
        if body is None or not any(root.tag == f"{{{space}}}document" for space in WORD):
            raise ScriptUnreadable(file, part, "is no Word document: it has no body")
        walker = etree.iterwalk(body, events=("start", "end"))
        paragraph: etree._Element | None = None
        for event, element in walker:
            name = local_name(element)
            if event == "end":
                if paragraph is not None and element is paragraph:
                    self._close(element)
                    paragraph = None
                continue
            if name == "p" and paragraph is None:
                paragraph = element
                self._open()
            elif self._skips(element, name):
                walker.skip_subtree()
            elif name == "tbl" and self.options.tables == "skip":
                self._table()
                walker.skip_subtree()
            elif name == "ruby":
                self._ruby(element)
                walker.skip_subtree()
            elif name == "r" and self._is_hidden(element):
                self.skipped["hidden text"] += 1
                walker.skip_subtree()
            else:
                self._inline(element, name)

    def _open(self) -> None:
        self._number += 1
        if not self._joins:
            self._place = f"paragraph {self._number}"
            self._pieces = []

    def _skips(self, element: etree._Element, name: str) -> bool:
        if name in _SILENT:
            return True
        if name in ("drawing", "pict", "AlternateContent", "object"):
            self._picture(element)
            return True
        if name == "sdt":
            kind = value_of(child_of(element, "sdtPr", "docPartObj", "docPartGallery")) or ""
            if kind in ("Table of Contents", "Bibliographies"):
                self.skipped[kind.lower()] += 1
                return True
        if name == "oMath":
            self.rejected.append(Rejection(self._place, "a formula is not read; write it out in words"))
            return True
        if name in _LEFT_OUT:
            self.skipped[_LEFT_OUT[name]] += 1
            return True
        return name == "altChunk" and self._alternative()

    def _alternative(self) -> bool:
        self.rejected.append(Rejection(self._place, "an inserted file is not read; paste its text into the document"))
        return True

    def _picture(self, element: etree._Element) -> None:
        box = next(element.iter("{*}txbxContent"), None)
        words = "" if box is None else "".join(text.text or "" for text in box.iter("{*}t")).strip()
        if words:
            short = words if len(words) <= 40 else words[:37] + "..."
            reason = f"a text box is not read ({short!r}); put its text into the body"
            self.rejected.append(Rejection(self._place, reason))
        elif box is None:
            self.skipped["picture"] += 1

    def _table(self) -> None:
        place = f"after {self._place}" if self._place else "at the beginning"
        self.rejected.append(Rejection(place, "a table is not read; write it out as sentences"))

    def _is_hidden(self, run: etree._Element) -> bool:
        properties = child_of(run, "rPr")
        own = switch_of(child_of(properties, "vanish"))
        return self.styles.hides(value_of(child_of(properties, "rStyle"))) if own is None else own

    def _inline(self, element: etree._Element, name: str) -> None:
        if name == "fldChar":
            self._field(value_of(element, "fldCharType") or "")
        elif any(self._fields):
            return  # the instruction of a field, such as PAGE or TOC, not its result
        elif name == "t":
            self._text(element.text or "", element)
        elif name in ("br", "cr"):
            self._break(element)
        elif name in _SYMBOLS:
            self._pieces.append(Piece(_SYMBOLS[name]))

    def _field(self, kind: str) -> None:
        if kind == "begin":
            self._fields.append(True)
        elif kind == "separate" and self._fields:
            self._fields[-1] = False
        elif kind == "end" and self._fields:
            self._fields.pop()

    def _break(self, element: etree._Element) -> None:
        if value_of(element, "type") in ("page", "column"):
            return  # where a page ends says nothing about the text
        self._pieces.append(LINE_BREAK)

    def _text(self, text: str, element: etree._Element) -> None:
        run = element.getparent()
        stated = None if run is None else self._switched(run, text)
        self._pieces.append(Piece(text, language=stated))

    def _switched(self, run: etree._Element, text: str) -> str | None:
        """The language of a run where it is not the document's: of Latin letters or of East Asian ones, by its own."""
        properties = child_of(run, "rPr")
        east = int(_EAST_LETTERS.search(text) is not None)
        tag = languages_of(properties)[east] or self.styles.language(value_of(child_of(properties, "rStyle")), east)
        if tag is None or primary(tag) == primary(self.language):
            return None
        # a tag for Latin letters says nothing of a document in Japanese: keyboards write en-US beside every word
        return None if primary(self.language) in EAST and not east and primary(tag) == "en" else tag

    def _ruby(self, element: etree._Element) -> None:
        if any(self._fields):
            return
        base, said = (
            "".join(text.text or "" for part in element.iterchildren(f"{{*}}{name}") for text in part.iter("{*}t"))
            for name in ("rubyBase", "rt")
        )
        takes = primary(self.language) == "ja" and _KANA_ONLY.match(said) and _KANA.search(said)
        self._pieces.append(Piece(base, said if takes else None))

    def _close(self, element: etree._Element) -> None:
        self._fields = [
            False for _ in self._fields
        ]  # an instruction ends with its paragraph: a damaged one hides no text
        properties = child_of(element, "pPr")
        mark = child_of(properties, "rPr")
        self._joins = child_of(mark, "del") is not None or child_of(mark, "moveFrom") is not None
        if self._joins:
            return
        style = value_of(child_of(properties, "pStyle"))
        pieces, self._pieces = tidy(self._pieces), []
        if not pieces or self._is_left_out(style):
            return
        outline = outline_level(properties)
        level = self.styles.level(style) if outline is None else outline
        block = self._block(pieces, style, level)
        if level == 1 and not self.title and any(one.name == "title" for one in self.styles.chain(style)):
            self.title = block.text
        self.items.append(SceneBreak(self._place) if is_scene_break(block.text) else block)

    def _is_left_out(self, style: str | None) -> bool:
        for start, what in (("toc ", "table of contents"), ("index ", "index"), ("footnote text", "footnote")):
            if self.styles.is_named(style, start):
                self.skipped[f"paragraph of a {what}"] += 1
                return True
        return False

    def _block(self, pieces: tuple[Piece, ...], style: str | None, level: int) -> Block:
        text = "".join(piece.text for piece in pieces)
        east = int(_EAST_LETTERS.search(text) is not None)
        language = self.styles.language(style, east)
        if language is None or primary(language) == primary(self.language):
            language = self.language
        return Block(pieces, language, self._place, level > 0, min(level, 6))


def _drafts(items: list[Item], title: str) -> list[Draft]:
    """Sections at headings of the first two levels; what stands before the first has the document's title."""
    drafts = [Draft(title, title, [])]
    if not any(isinstance(item, Block) and item.heading for item in items):
        items = [_told(item) for item in items]
    for item in items:
        if isinstance(item, Block) and item.heading and item.level <= 2:
            if only_titles(drafts[-1].items):
                drafts[-1] = Draft(item.text, item.text, drafts[-1].items)
            else:
                drafts.append(Draft(item.text, item.text, []))
        drafts[-1].items.append(item)
    return [draft for draft in drafts if draft.items]


def _told(item: Item) -> Item:
    """A paragraph as a heading where its words are those of a chapter's title: many manuscripts use no styles."""
    if isinstance(item, Block) and is_title(Paragraph((item.text,), 0, 0)):
        return replace(item, heading=True, level=2)
    return item
