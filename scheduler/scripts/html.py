"""A single HTML or XHTML file, as browsers read it: the blocks of an EPUB's page, with headings as sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from lxml import etree

from scheduler.scripts.blocks import Block
from scheduler.scripts.builder import Builder, Draft, Item, only_titles
from scheduler.scripts.detection import of_text
from scheduler.scripts.encodings import decode, known_encoding, marked
from scheduler.scripts.errors import EncodingUnknown, ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.package import local, words
from scheduler.scripts.pls import Pronunciations, Unused
from scheduler.scripts.prose import Paragraph, is_title, offered_as, without_library
from scheduler.scripts.roles import BOILERPLATE_CLASS, EPUB, class_role
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.xhtml import SSML, Anchor, read_page
from scheduler.scripts.xmlsafe import parse_xml

MAX_HTML_BYTES = 24 * 1024 * 1024
"""As large as a page of an EPUB may be."""
MAX_DEPTH = 2048
"""How deep elements may be nested; the parser stops there."""

_BEFORE = r"\s*+(?>(?><!--.*?-->|<\?[^>]{0,500}>)\s*+)*+"
"""Comments and instructions; nothing in it is tried twice, or a row of comments would take for ever."""
_STARTS = re.compile(rf"{_BEFORE}<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL)
_SUBSET = re.compile(rf"{_BEFORE}<!doctype[^<>\[]{{0,1000}}\[", re.IGNORECASE | re.DOTALL)
_XHTML = re.compile(
    rf"{_BEFORE}(?:<!doctype[^<>]{{0,1000}}>{_BEFORE})?<html\s[^<>]*xmlns\s*=", re.IGNORECASE | re.DOTALL
)
_XML = re.compile(r"\s*<\?xml\s")
_XML_DECLARATION = re.compile(r"\A\s*<\?xml\s[^>]{0,500}\?>")
_CHARSET = re.compile(rb"""<meta\s[^<>]{0,500}?charset\s*=\s*["']?\s*([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_DECLARED = re.compile(rb"""\A\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_LOOK_FOR_CHARSET_BYTES = 4096
_UNCLOSED_RUBY = re.compile(r"<(rt|rp)\b([^<>]*)>([^<]*)(?=<(?:rt|rp)\b|</ruby\b)", re.IGNORECASE)
_REFERENCE = re.compile(r"&#(?:[xX]0*([0-9A-Fa-f]{1,8})|0*([0-9]{1,10}))(?![0-9A-Fa-f]);?")
_AS_BROWSERS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "shift_jis": "cp932", "gb2312": "gb18030",
    "gbk": "gb18030", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
"""Encodings that browsers read as a larger one, because pages say the smaller and are in the larger."""
_SPACES = {"epub": EPUB, "ssml": SSML, "xml": "http://www.w3.org/XML/1998/namespace"}
_ARIA_ROLES = {"navigation": "toc", "search": "toc", "contentinfo": "colophon"}
_LIBRARY = Rejection("", "its library's licence pages are left out")
_MAX_SECTION_LEVELS = 2
_DEEPEST_HEADING = 6


class HtmlReader:
    """Reads ``.html``, ``.htm``, ``.xhtml``; what has a role that is not read aloud is counted in the notices."""

    name = "html"
    suffixes = (".html", ".htm", ".xhtml", ".xht")
    kind = "audiobook"

    def sniff(self, head: bytes) -> bool:
        """A document type declaration of HTML, or its root element."""
        found = marked(head)
        text = head.decode("latin-1") if found is None else head[found[1] :].decode(found[0], "ignore")
        return _STARTS.match(text) is not None

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read an HTML file whole."""
        data = source.data(min(options.max_file_bytes, MAX_HTML_BYTES))
        text, notices = _decoded(data, source.name, options.encoding)
        root = _tree(text, source.name)
        notices += _prepare(root)
        stated = normal_tag(options.language) or _language(root)
        language, sure = (stated, True) if stated is not None else of_text(words(root))
        if not sure:
            notices.append(Rejection("", f"no language is stated: read as {language!r}; --language says otherwise"))
        unused = Unused()
        page = read_page(root, "", language, frozenset(), options, Pronunciations((), unused))
        items = [_placed(item) for item in page.items if not isinstance(item, Anchor)]
        first, last = without_library(items)
        if last - first < len(items):
            items = items[first:last]
            notices += [] if _LIBRARY in notices else [_LIBRARY]
        stated_title = _title(root, items)
        offered, author = offered_as(stated_title)
        title = offered or stated_title or PurePath(source.name).stem
        builder = Builder(source.name, options)
        skipped = [Rejection("", f"{count} × {role} left out") for role, count in sorted(page.skipped.items())]
        rejected = [replace(one, place=one.place.strip()) for one in page.rejected]
        sections = builder.sections(_drafts(items, title), "chapter", (*rejected, *skipped))
        return ScriptDocument(
            title=title,
            author=_meta(root, "author", "dc.creator", "dcterms.creator") or author,
            language=language,
            kind="audiobook",
            format=self.name,
            sections=sections,
            year=_meta(root, "dc.date", "dcterms.created", "date")[:4],
            rejected=(*rejected, *builder.rejected),
            notices=(*notices, *skipped, *unused.notices()),
            language_stated=stated is not None,
        )


def _decoded(data: bytes, file: str, wanted: str | None) -> tuple[str, list[Rejection]]:
    """Mark, then what the caller says, then what the file says, then the statistics of the whole file."""
    if wanted is not None or marked(data) is not None:
        return decode(data, file, wanted)[0], []
    head = data[:_LOOK_FOR_CHARSET_BYTES]
    match = _DECLARED.match(head) or _CHARSET.search(head)
    if match is None:
        text, encoding = decode(data, file)
        return text, [] if encoding == "utf-8" else [Rejection("", f"no encoding is stated: read as {encoding}")]
    stated = match[1].decode("ascii")
    name = known_encoding(stated)
    if name is None:
        raise EncodingUnknown(file, "", f"says it is in {stated!r}, which is no encoding; --encoding says otherwise")
    if name.startswith(("utf-16", "utf-32")):
        name = "utf-8"  # the declaration itself was read byte by byte
    try:
        return data.decode(_AS_BROWSERS.get(name, name)), []
    except UnicodeDecodeError:
        text, encoding = decode(data, file)
        return text, [Rejection("", f"says it is in {stated}, and is not: read as {encoding}")]


def _tree(text: str, file: str) -> etree._Element:
    if _SUBSET.match(text):
        raise ScriptRefused(file, "", "declares XML entities, which are never expanded; write the characters out")
    text = _REFERENCE.sub(_valid, text)
    if _XML.match(text) or _XHTML.match(text):
        plain = _XML_DECLARATION.sub("", text, count=1)
        try:
            return parse_xml(plain.encode("utf-8", "replace"), file, "", lenient=True)
        except ScriptUnreadable:
            pass  # XHTML that is not XML is read as browsers do
        except ScriptRefused as error:
            raise ScriptRefused(file, error.place.strip(), error.reason) from error
    closed = _UNCLOSED_RUBY.sub(r"<\1\2>\3</\1>", _XML_DECLARATION.sub("", text, count=1))
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, remove_pis=True)
    try:
        root: etree._Element | None = etree.fromstring(closed.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ScriptUnreadable(file, "", f"is not HTML: {error}") from error
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        raise ScriptTooLarge(file, "", f"nests its elements more than {MAX_DEPTH:,} deep; save it from a browser again")
    if root is None:
        raise ScriptUnreadable(file, "", "is not HTML: there is no element in it")
    return root


def _valid(match: re.Match[str]) -> str:
    """A reference by number; one to no character, which a parser would pass on as it is, becomes a mark for that."""
    number = int(match[1], 16) if match[1] else int(match[2])
    is_none = number > 0x10FFFF or 0xD800 <= number <= 0xDFFF or number in (0, 0xFFFE, 0xFFFF)
    return "\ufffd" if is_none or (number < 0x20 and number not in (9, 10, 13)) else match[0]


def _prepare(root: etree._Element) -> list[Rejection]:
    """Give the tree the names that XHTML has, and roles to what is a page's furniture. Returns what was taken off."""
    boilerplate = 0
    for element in list(root.iter(etree.Element)):
        _qualify(element)
        classes = set((element.get("class") or "").split())
        role = _role(element, classes)
        if role is not None:
            before = element.get(f"{{{EPUB}}}type")
            element.set(f"{{{EPUB}}}type", role if before is None else f"{before} {role}")
        if BOILERPLATE_CLASS in classes:
            element.set("hidden", "hidden")
            boilerplate += 1
        previous = element.getprevious()
        if (
            local(element) == "br"
            and previous is not None
            and _is_break(previous)
            and not (previous.tail or "").strip()
        ):
            element.tag = "div"  # two line breaks set paragraphs apart
            element.set("data-break", "")
    return [_LIBRARY] if boilerplate else []


def _is_break(element: etree._Element) -> bool:
    return local(element) == "br" or element.get("data-break") is not None


def _qualify(element: etree._Element) -> None:
    for name, value in list(element.attrib.items()):
        prefix, colon, rest = str(name).partition(":")
        if colon and not str(name).startswith("{") and prefix in _SPACES and rest.isidentifier():
            del element.attrib[name]
            element.set(f"{{{_SPACES[prefix]}}}{rest}", value)


def _role(element: etree._Element, classes: set[str]) -> str | None:
    """The role of what has none by ``epub:type`` or DPUB-ARIA."""
    tag, aria = local(element), (element.get("role") or "").strip().lower()
    if aria in _ARIA_ROLES or tag == "nav":
        return _ARIA_ROLES.get(aria, "toc")
    parent = element.getparent()
    if tag == "footer" and parent is not None and local(parent) == "body":
        return "colophon"
    return class_role(classes)


def _language(root: etree._Element) -> str | None:
    for element in (root, *root.iterchildren("{*}body", "body")):
        found = normal_tag(element.get(f"{{{_SPACES['xml']}}}lang") or element.get("lang"))
        if found is not None:
            return found
    return normal_tag(_meta(root, "content-language", "dc.language", "dcterms.language"))


def _meta(root: etree._Element, *names: str) -> str:
    for element in _named(root, "meta"):
        stated = (element.get("name") or element.get("http-equiv") or element.get("property") or "").lower()
        if stated in names and (element.get("content") or "").strip():
            return " ".join((element.get("content") or "").split())
    return ""


def _named(root: etree._Element, name: str) -> Iterator[etree._Element]:
    return (element for element in root.iter(etree.Element) if local(element) == name)


def _title(root: etree._Element, items: Sequence[Item]) -> str:
    stated = next((words(element) for element in _named(root, "title") if words(element)), "")
    heading = next((item.text for item in items if isinstance(item, Block) and item.heading), "")
    return stated or heading


def _placed(item: Item) -> Item:
    """A place without the name of a file inside an archive, which a single file has not."""
    return replace(item, place=item.place.strip())


def _drafts(items: list[Item], title: str) -> list[Draft]:
    """Sections at the two highest levels of heading; without headings, at what reads like a chapter's title."""
    levels = sorted({item.level for item in items if isinstance(item, Block) and item.heading} - {_DEEPEST_HEADING})
    if not levels:
        items = [_told(item) for item in items]
        levels = [2]
    opens = frozenset(levels[:_MAX_SECTION_LEVELS])
    drafts = [Draft(title, title, [])]
    for item in items:
        if isinstance(item, Block) and item.heading and item.level in opens:
            if only_titles(drafts[-1].items):
                drafts[-1] = Draft(item.text, item.text, drafts[-1].items)
            else:
                drafts.append(Draft(item.text, item.text, []))
        drafts[-1].items.append(item)
    return [draft for draft in drafts if draft.items]


def _told(item: Item) -> Item:
    if isinstance(item, Block) and not item.heading and is_title(Paragraph((item.text,), 0, 0)):
        return replace(item, heading=True, level=2)
    return item
