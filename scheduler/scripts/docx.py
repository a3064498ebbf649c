"""Word documents: what stands in the text as it would be printed, with headings as sections.

Only the parts that say something about the text are unpacked; macros, pictures and embedded files never are.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePath

from lxml import etree

from scheduler.scripts.archive import Archive
from scheduler.scripts.blocks import LINE_BREAK, Block, Piece, SceneBreak, is_scene_break, tidy
from scheduler.scripts.builder import Builder, Draft, Item, only_titles
from scheduler.scripts.detection import of_text
from scheduler.scripts.errors import ScriptUnreadable
from scheduler.scripts.languages import by_letters, normal_tag, primary
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.prose import Paragraph, is_title
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.xmlsafe import parse_xml

_WORD = (
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "http://purl.oclc.org/ooxml/wordprocessingml/main",  # the strict form of the standard
)
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CONTENT_TYPES = "[Content_Types].xml"
_YEAR = re.compile(r"\A\s*(\d{4})-")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")
_KANA_ONLY = re.compile(r"[\u3041-\u309f\u30a0-\u30ff\s]+\Z")
_EAST = frozenset({"ja", "zh", "ko"})
_EAST_LETTERS = re.compile("[\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_HEADING_NAME = re.compile(r"heading ([1-9])\Z")
_OTHERWISE = "--language says otherwise"
_OFF = frozenset({"0", "false", "off", "none"})
_MAX_LEVEL = 9
_MAX_BASES = 40
"""Styles that one style may be based on in turn."""
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
            styles = _Styles.read(archive, parts.styles)
            root = parse_xml(archive.read(parts.document), archive.name, parts.document)
            has_macros = any(name.lower().endswith("vbaproject.bin") for name in archive.names())
        tongue = _language(root, styles, options)
        walk = _Walk(styles, options, tongue.tag)
        walk.run(root, source.name, parts.document)
        title = walk.title or facts.title or PurePath(source.name).stem
        builder = Builder(source.name, options)
        sections = builder.sections(_drafts(walk.items, facts.title or title), "chapter")
        notices = [Rejection("", f"{count} × {what} left out") for what, count in sorted(walk.skipped.items())]
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


def _local(element: etree._Element) -> str:
    """The tag without its namespace; '' for comments and instructions."""
    tag: object = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _child(element: etree._Element | None, *path: str) -> etree._Element | None:
    for name in path:
        if element is None:
            return None
        element = next((below for below in element if _local(below) == name), None)
    return element


def _value(element: etree._Element | None, name: str = "val") -> str | None:
    """An attribute in either namespace of WordprocessingML."""
    if element is None:
        return None
    return next((found for space in _WORD if (found := element.get(f"{{{space}}}{name}")) is not None), None)


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
        if _local(element) == "Relationship" and target and element.get("TargetMode") != "External":
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
        said.setdefault(_local(element), " ".join((element.text or "").split()))
    year = _YEAR.match(said.get("created", ""))
    return _Facts(said.get("title", ""), said.get("creator", ""), year[1] if year else "")


@dataclass(frozen=True, slots=True)
class _Style:
    name: str = ""
    """As Word calls it in English whatever its own language is, lower case."""
    based_on: str = ""
    outline: int | None = None
    languages: tuple[str | None, str | None] = (None, None)
    """Of Latin letters and of East Asian ones."""
    hidden: bool | None = None


@dataclass(slots=True)
class _Styles:
    """What the styles of a document say, each with those it is based on."""

    by_id: dict[str, _Style] = field(default_factory=dict)
    languages: tuple[str | None, str | None] = (None, None)
    """Of text that nothing else says a language of."""

    @classmethod
    def read(cls, archive: Archive, path: str) -> _Styles:
        """Read the part that defines styles, if there is one."""
        styles = cls()
        if not path or path not in archive.names():
            return styles
        root = parse_xml(archive.read(path), archive.name, path)
        styles.languages = _languages(_child(root, "docDefaults", "rPrDefault", "rPr"))
        for element in root:
            identity = _value(element, "styleId")
            if _local(element) == "style" and identity is not None:
                styles.by_id[identity] = _Style(
                    name=(_value(_child(element, "name")) or "").strip().lower(),
                    based_on=_value(_child(element, "basedOn")) or "",
                    outline=_outline(_child(element, "pPr")),
                    languages=_languages(_child(element, "rPr")),
                    hidden=_switch(_child(element, "rPr", "vanish")),
                )
        return styles

    def chain(self, identity: str | None) -> Iterator[_Style]:
        """A style and those it is based on, nearest first."""
        for _ in range(_MAX_BASES):
            style = self.by_id.get(identity or "")
            if style is None:
                return
            yield style
            identity = style.based_on

    def level(self, identity: str | None) -> int:
        """The level of a heading, 1 for a title; 0 for a paragraph."""
        if identity and identity not in self.by_id:
            return _level_of(re.sub(r"(?<=\D)(?=\d)", " ", identity.lower()))
        for style in self.chain(identity):
            named = _level_of(style.name)
            if named:
                return named
            if style.outline is not None:
                return style.outline
        return 0

    def is_named(self, identity: str | None, start: str) -> bool:
        """Whether a style or one below it has a name that begins so."""
        return any(style.name.startswith(start) for style in self.chain(identity))

    def language(self, identity: str | None, east: int) -> str | None:
        """The language that a style sets."""
        return next((style.languages[east] for style in self.chain(identity) if style.languages[east]), None)

    def hides(self, identity: str | None) -> bool:
        """Whether a style hides text."""
        return next((style.hidden for style in self.chain(identity) if style.hidden is not None), False)


def _level_of(name: str) -> int:
    match = _HEADING_NAME.match(name)
    return 1 if name == "title" else 3 if name == "subtitle" else int(match[1]) if match is not None else 0


def _outline(properties: etree._Element | None) -> int | None:
    stated = _value(_child(properties, "outlineLvl"))
    if stated is None or not stated.strip().isdecimal():
        return None
    level = int(stated.strip()[:3]) + 1
    return level if level <= _MAX_LEVEL else 0


def _languages(properties: etree._Element | None) -> tuple[str | None, str | None]:
    stated = _child(properties, "lang")
    return normal_tag(_value(stated)), normal_tag(_value(stated, "eastAsia"))


def _switch(element: etree._Element | None) -> bool | None:
    return None if element is None else (_value(element) or "true").lower() not in _OFF


@dataclass(frozen=True, slots=True)
class _Tongue:
    """The language of a document."""

    tag: str
    stated: bool
    """Whether the text itself or the caller says so."""
    notice: str = ""


def _language(root: etree._Element, styles: _Styles, options: ReadOptions) -> _Tongue:
    wanted = normal_tag(options.language)
    if wanted is not None:
        return _Tongue(wanted, True)
    sample = "".join(element.text or "" for element in islice(root.iter("{*}t"), 5_000))
    letters, sure = by_letters(sample)
    own: Counter[str] = Counter()
    styled: Counter[str] = Counter()
    for run in root.iter("{*}r"):
        length = sum(len(text.text or "") for text in run.iterchildren("{*}t"))
        explicit, tag = _run_language(run, styles, int(letters in _EAST))
        if tag is not None and length:
            (own if explicit else styled)[tag] += length
    stated = own if own.total() >= styled.total() else styled
    tag = stated.most_common(1)[0][0] if stated else None
    if stated is not own and letters not in _EAST:
        letters, sure = of_text(sample)  # Word puts the language of its user into the styles, whatever the text is
    if tag is None:
        return _Tongue(letters, False, "" if sure else f"no language is stated: read as {letters!r}; {_OTHERWISE}")
    if primary(tag) == letters or not (sure or letters in _EAST) or (stated is own and letters not in _EAST):
        return _Tongue(tag, True)
    return _Tongue(letters, False, f"its styles say {tag!r}, its words {letters!r}: read as {letters!r}; {_OTHERWISE}")


def _run_language(run: etree._Element, styles: _Styles, east: int) -> tuple[bool, str | None]:
    """Whether the run states its language by itself, and the language."""
    properties = _child(run, "rPr")
    own = _languages(properties)[east]
    styled = styles.language(_value(_child(properties, "rStyle")), east) or styles.languages[east]
    return own is not None, own or styled


@dataclass(slots=True)
class _Walk:
    """One pass over the body without recursion into paragraphs of paragraphs."""

    styles: _Styles
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
        body = _child(root, "body")
        if body is None or not any(root.tag == f"{{{space}}}document" for space in _WORD):
            raise ScriptUnreadable(file, part, "is no Word document: it has no body")
        walker = etree.iterwalk(body, events=("start", "end"))
        paragraph: etree._Element | None = None
        for event, element in walker:
            name = _local(element)
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
            kind = _value(_child(element, "sdtPr", "docPartObj", "docPartGallery")) or ""
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
        properties = _child(run, "rPr")
        own = _switch(_child(properties, "vanish"))
        return self.styles.hides(_value(_child(properties, "rStyle"))) if own is None else own

    def _inline(self, element: etree._Element, name: str) -> None:
        if name == "fldChar":
            self._field(_value(element, "fldCharType") or "")
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
        if _value(element, "type") in ("page", "column"):
            return  # where a page ends says nothing about the text
        self._pieces.append(LINE_BREAK)

    def _text(self, text: str, element: etree._Element) -> None:
        run = element.getparent()
        stated = None if run is None else self._switched(run, text)
        self._pieces.append(Piece(text, language=stated))

    def _switched(self, run: etree._Element, text: str) -> str | None:
        """The language of a run where it is not the document's: of Latin letters or of East Asian ones, by its own."""
        properties = _child(run, "rPr")
        east = int(_EAST_LETTERS.search(text) is not None)
        tag = _languages(properties)[east] or self.styles.language(_value(_child(properties, "rStyle")), east)
        if tag is None or primary(tag) == primary(self.language):
            return None
        # a tag for Latin letters says nothing of a document in Japanese: keyboards write en-US beside every word
        return None if primary(self.language) in _EAST and not east and primary(tag) == "en" else tag

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
        properties = _child(element, "pPr")
        mark = _child(properties, "rPr")
        self._joins = _child(mark, "del") is not None or _child(mark, "moveFrom") is not None
        if self._joins:
            return
        style = _value(_child(properties, "pStyle"))
        pieces, self._pieces = tidy(self._pieces), []
        if not pieces or self._is_left_out(style):
            return
        outline = _outline(properties)
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
