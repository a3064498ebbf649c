"""The package of an EPUB: metadata, reading order, navigation. EPUB 2 and 3."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from lxml import etree

from scheduler.scripts.archive import Archive
from scheduler.scripts.errors import ScriptRefused, ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.roles import EPUB, role_names
from scheduler.scripts.xmlsafe import parse_xml

_YEAR = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_XHTML = "application/xhtml+xml"
_PROSE_TYPES = frozenset({_XHTML, "text/html", "text/x-oeb1-document"})
_PICTURES = frozenset({"image/jpeg", "image/png", "image/jpg"})
_MAX_COVER_BYTES = 20 * 1024 * 1024
_ENCRYPTION = "META-INF/encryption.xml"
_OBFUSCATION = frozenset({"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"})
"""Ways to scramble a font, which no text is ever in."""
_NUMBER = re.compile(r"(?:\d{1,4}|[IVXLCDM]{1,8})\.?\Z")


@dataclass(frozen=True, slots=True)
class Item:
    """A file of the manifest."""

    path: str
    media_type: str
    properties: frozenset[str]
    fallback: str


@dataclass(frozen=True, slots=True)
class NavPoint:
    """One entry of the table of contents."""

    path: str
    fragment: str
    title: str


@dataclass(frozen=True, slots=True)
class SpineItem:
    """One document of the reading order."""

    path: str
    properties: frozenset[str]


@dataclass(slots=True)
class Package:
    """What the package document says."""

    title: str
    authors: tuple[str, ...]
    language: str | None
    year: str
    spine: list[SpineItem]
    unread: list[tuple[str, str]]
    """(path, reason) of spine items that cannot be read."""
    points: list[NavPoint] = field(default_factory=list)
    roles: dict[str, frozenset[str]] = field(default_factory=dict)
    """Roles of whole documents, from the landmarks or the guide."""
    cover: str | None = None


def local(element: etree._Element) -> str:
    """Return the tag without its namespace, lower case; '' for comments and instructions."""
    tag: object = element.tag  # a function for comments and instructions
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def words(element: etree._Element) -> str:
    """Return all text below an element with single spaces."""
    return " ".join("".join(str(text) for text in element.itertext()).split())


def resolve(base: str, href: str) -> tuple[str, str] | None:
    """Return (path in the archive, fragment) of a reference made in ``base``, or None if it leads outside."""
    try:
        parts = urlsplit(href.strip())
    except ValueError:
        return None
    if parts.scheme or parts.netloc:
        return None
    path = unicodedata.normalize("NFC", unquote(parts.path))  # as the names in an Archive are
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), path)) if path else base
    joined = joined.lstrip("/")  # from the root of the archive
    return None if joined == ".." or joined.startswith("../") else (joined, unquote(parts.fragment))


def read_package(archive: Archive) -> Package:
    """Read container, package document and navigation. Raises ScriptError naming the part that is wrong."""
    path = _package_path(archive)
    root = parse_xml(archive.read(path), archive.name, path, lenient=True)
    items = _manifest(root, path)
    package = _metadata(root)
    encrypted = _encrypted(archive, package)
    _read_spine(root, items, archive, path, package, encrypted)
    package.cover = _cover(root, items)
    nav = next((item for item in items.values() if "nav" in item.properties), None)
    if nav is not None and nav.path in archive.names() - encrypted:
        _read_nav(parse_xml(archive.read(nav.path), archive.name, nav.path, lenient=True), nav.path, package)
    if not package.points:
        _read_ncx(root, items, archive, package)
    if not package.roles:
        _read_guide(root, path, package)
    return package


def cover_bytes(archive: Archive, package: Package) -> bytes | None:
    """Return the cover picture (JPEG or PNG), or None if there is none that can be used."""
    if package.cover is None or package.cover not in archive.names():
        return None
    data = archive.read(package.cover)
    is_picture = data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
    return data if is_picture and len(data) <= _MAX_COVER_BYTES else None


def _package_path(archive: Archive) -> str:
    place = "META-INF/container.xml"
    if place not in archive.names():
        raise ScriptUnreadable(archive.name, place, "is missing: this is not an EPUB")
    root = parse_xml(archive.read(place), archive.name, place, lenient=True)
    for element in root.iter():
        full = element.get("full-path") if local(element) == "rootfile" else None
        if full:
            found = resolve("", full)
            if found is None:
                raise ScriptRefused(archive.name, place, f"names a package outside the archive: {full!r}")
            return found[0]
    raise ScriptUnreadable(archive.name, place, "names no package document")


def _encrypted(archive: Archive, package: Package) -> frozenset[str]:
    """Files that are protected; fonts that are only obfuscated are not among them."""
    if _ENCRYPTION not in archive.names():
        return frozenset()
    try:
        root = parse_xml(archive.read(_ENCRYPTION), archive.name, _ENCRYPTION, lenient=True)
    except ScriptUnreadable as error:  # what is protected shows when it is read
        package.unread.append((error.place, f"the list of what is encrypted is not used: {error.reason}"))
        return frozenset()
    found = set()
    for data in root.iter("{*}EncryptedData"):
        methods = {method.get("Algorithm") for method in data.iterchildren("{*}EncryptionMethod")}
        for reference in data.iter("{*}CipherReference") if not methods & _OBFUSCATION else ():
            place = resolve("", reference.get("URI") or "")
            if place is not None:
                found.add(place[0])
    return frozenset(found)


def _children(root: etree._Element, name: str) -> Iterator[etree._Element]:
    for part in root:
        if local(part) == name:
            yield from part


def _manifest(root: etree._Element, base: str) -> dict[str, Item]:
    items: dict[str, Item] = {}
    for element in _children(root, "manifest"):
        found = resolve(base, element.get("href") or "")
        identity = _identity(element, "id")
        if local(element) != "item" or not identity:
            continue
        items[identity] = Item(
            path=found[0] if found is not None else "",
            media_type=(element.get("media-type") or "").lower(),
            properties=frozenset((element.get("properties") or "").split()),
            fallback=_identity(element, "fallback"),
        )
    return items


def _identity(element: etree._Element, name: str) -> str:
    """An id, or a reference to one: the spaces around it are no part of it."""
    return (element.get(name) or "").strip()


def _metadata(root: etree._Element) -> Package:
    facts: dict[str, list[str]] = {}
    for element in root.iter("{http://purl.org/dc/elements/1.1/}*"):
        value = words(element)
        if value:
            facts.setdefault(local(element), []).append(value)
    dates = [match[1] for value in facts.get("date", []) if (match := _YEAR.search(value))]
    languages = [tag for value in facts.get("language", []) if (tag := normal_tag(value))]
    return Package(
        title=facts.get("title", [""])[0],
        authors=tuple(facts.get("creator", [])),
        language=languages[0] if languages else None,
        year=dates[0] if dates else "",
        spine=[],
        unread=[],
    )


def _read_spine(
    root: etree._Element,
    items: dict[str, Item],
    archive: Archive,
    base: str,
    package: Package,
    encrypted: frozenset[str],
) -> None:
    seen: set[str] = set()
    for element in _children(root, "spine"):
        if local(element) != "itemref" or (element.get("linear") or "").strip() == "no":
            continue
        identity = _identity(element, "idref")
        item = _prose(items, identity)
        named = items.get(identity)
        if named is None:
            package.unread.append((base, f"the reading order names {identity!r}, which is not listed"))
        elif item is None:
            package.unread.append((named.path or base, f"is {named.media_type or 'of no type'}: only XHTML is read"))
        elif not item.path:
            raise ScriptRefused(archive.name, base, f"the reading order leads outside the archive: {identity!r}")
        elif item.path not in archive.names():
            package.unread.append((item.path, "is missing from the archive"))
        elif item.path in encrypted:
            package.unread.append((item.path, "is encrypted; only a copy without copy protection can be read"))
        elif item.path not in seen:
            seen.add(item.path)
            package.spine.append(SpineItem(item.path, item.properties))
    if not package.spine:
        why = f" ({': '.join(package.unread[0])})" if package.unread else ""
        raise ScriptUnreadable(archive.name, base, f"its reading order names no document that can be read{why}")


def _prose(items: dict[str, Item], identity: str) -> Item | None:
    """Follow fallbacks until a document that can be read."""
    for _ in range(len(items)):
        item = items.get(identity)
        if item is None or item.media_type in _PROSE_TYPES:
            return item
        identity = item.fallback
    return None


def _cover(root: etree._Element, items: dict[str, Item]) -> str | None:
    for item in items.values():
        if "cover-image" in item.properties and item.media_type in _PICTURES:
            return item.path
    for element in _children(root, "metadata"):
        for meta in (element, *element):
            if local(meta) == "meta" and (meta.get("name") or "").lower() == "cover":
                found = items.get(meta.get("content") or "")
                if found is not None and found.media_type in _PICTURES:
                    return found.path
    return None


def _is_hidden(element: etree._Element) -> bool:
    """Whether an entry is inside a list that the table of contents does not show."""
    for parent in element.iterancestors():
        if local(parent) == "nav":
            return False
        if parent.get("hidden") is not None:
            return True
    return False


def _read_nav(root: etree._Element, base: str, package: Package) -> None:
    for nav in root.iter("{*}nav"):
        names = role_names(nav.get(f"{{{EPUB}}}type"), nav.get("role"))
        links = [link for link in nav.iter("{*}a") if link.get("href") and not _is_hidden(link)]
        if "toc" in names and not package.points:
            titles = _Titles()
            for link in links:
                entry = link.getparent()
                title = titles.of(entry) if entry is not None else ""
                _add_point(package, base, link.get("href") or "", title or words(link))
        elif "landmarks" in names:
            for link in links:
                _add_role(package, base, link.get("href") or "", role_names(link.get(f"{{{EPUB}}}type"), None))


class _Titles:
    """The titles of entries. A bare number is one only together with the entry it is inside of: 'The Red Lamp, II'."""

    def __init__(self) -> None:
        self._numbered: dict[etree._Element, bool] = {}
        """Lists by whether all their entries are numbers: beside words, a C or an I is a letter."""

    def of(self, entry: etree._Element) -> str:
        """The title of an ``<li>`` or a ``<navPoint>``."""
        title = _label(entry)
        within = entry.getparent()
        if within is None or not _NUMBER.match(title):
            return title
        if within not in self._numbered:
            labels = [label for sibling in within if (label := _label(sibling))]
            self._numbered[within] = all(map(_NUMBER.match, labels)) and len(set(labels)) > 1
        parent = within if local(within) == "navpoint" else within.getparent()
        above = _label(parent) if self._numbered[within] and parent is not None else ""
        return f"{above}, {title}" if above else title


def _label(entry: etree._Element) -> str:
    """What an entry itself says, without the entries in it."""
    if local(entry) not in ("li", "navpoint"):
        return ""
    return next((words(child) for child in entry if local(child) in ("a", "span", "navlabel")), "")


def _add_point(package: Package, base: str, href: str, title: str) -> None:
    found = resolve(base, href)
    if found is not None and title:
        package.points.append(NavPoint(found[0], found[1], title))


def _add_role(package: Package, base: str, href: str, names: frozenset[str]) -> None:
    found = resolve(base, href)
    if found is not None and not found[1]:
        package.roles[found[0]] = package.roles.get(found[0], frozenset()) | names


def _read_ncx(root: etree._Element, items: dict[str, Item], archive: Archive, package: Package) -> None:
    spine = next((part for part in root if local(part) == "spine"), None)
    named = items.get(_identity(spine, "toc") if spine is not None else "")
    if named is None:
        named = next((item for item in items.values() if item.media_type == "application/x-dtbncx+xml"), None)
    if named is None or named.path not in archive.names():
        return
    ncx = parse_xml(archive.read(named.path), archive.name, named.path, lenient=True)
    titles = _Titles()
    for point in ncx.iter("{*}navPoint"):
        source = next((child.get("src") for child in point if local(child) == "content"), None)
        if source:
            _add_point(package, named.path, source, titles.of(point))


def _read_guide(root: etree._Element, base: str, package: Package) -> None:
    for element in _children(root, "guide"):
        names = role_names((element.get("type") or "").lower(), None)
        if local(element) == "reference" and element.get("href"):
            _add_role(package, base, element.get("href") or "", names)
