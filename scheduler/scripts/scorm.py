"""SCORM 1.2 and 2004, IMS content packages, as Moodle and other systems take in and give out: the text of their pages.

The order, the titles and the keys of sections are those of the items in ``imsmanifest.xml``. A page is read as that of
a book is: the same is left out, and no script in it is ever run.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import cast
from urllib.parse import urlsplit

from lxml import etree

from scheduler.scripts.archive import Archive
from scheduler.scripts.blocks import Block, SceneBreak, clean
from scheduler.scripts.builder import Builder, Draft, Item
from scheduler.scripts.detection import of_text
from scheduler.scripts.encodings import decode, known_encoding, marked
from scheduler.scripts.errors import EncodingUnknown, ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.keys import LineKeys, SectionKeys
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument, ScriptSection
from scheduler.scripts.package import local, resolve, words
from scheduler.scripts.slides import is_id
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.xhtml import Anchor, PageText, read_page
from scheduler.scripts.xmlsafe import parse_xml

_MANIFEST = "imsmanifest.xml"
_MAX_ITEMS = 20_000
_PAGES = (".html", ".htm", ".xhtml", ".xht")
_XML_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_CHARSET = re.compile(rb"""<meta\b[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_NO_KEY = re.compile(r"[^\w.:-]+")
_NAME = re.compile(r"^FN[^:\n]{0,100}:(.*)$", re.MULTILINE)
_YEAR = re.compile(r"\d{4}")


class ScormReader:
    """Reads ``.zip`` files with an ``imsmanifest.xml`` in them."""

    name = "scorm"
    suffixes = (".zip",)
    kind = "course"

    def sniff(self, head: bytes) -> bool:
        """Any zip archive may be one; ``read`` says whether it is."""
        return head.startswith(b"PK\x03\x04")

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a course package whole."""
        with Archive(source) as archive:
            manifest = _read_manifest(archive)
            course = _Course(archive, manifest, options)
            course.read()
        if not course.drafts:
            raise ScriptUnreadable(source.name, manifest.place, course.why_nothing())
        builder = Builder(source.name, options)
        left_out = [Rejection("", f"{count} × {role} left out") for role, count in sorted(course.skipped.items())]
        return ScriptDocument(
            title=manifest.title or PurePath(source.name).stem,
            author=manifest.author,
            language=course.language,
            kind="course",
            format=self.name,
            sections=_sections(course.drafts, builder),
            year=manifest.year,
            rejected=(*course.rejected, *builder.rejected),
            notices=(*course.notices, *left_out),
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    """An item of the course: a place in a page."""

    number: int
    key: str
    title: str
    href: str
    """Path in the archive before it is checked; '' where there is no page."""
    place: str
    files: tuple[str, ...] = ()
    """Paths of the other pages that its resource lists, for a page that only a script fills."""


@dataclass(frozen=True, slots=True)
class _Resource:
    """What the manifest says of a page."""

    href: str
    """Path or address; '' where there is no page."""
    place: str
    files: tuple[str, ...]


@dataclass(slots=True)
class _Manifest:
    """What the manifest says."""

    place: str
    title: str = ""
    author: str = ""
    year: str = ""
    language: str | None = None
    entries: list[_Entry] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    notices: list[Rejection] = field(default_factory=list)


def _read_manifest(archive: Archive) -> _Manifest:
    """Find and read the manifest. Raises ScriptUnreadable if there is none."""
    named = sorted(name for name in archive.names() if posixpath.basename(name).lower() == _MANIFEST)
    places = [name for name in named if "/" not in name] or named
    if len(places) != 1:
        what = "holds no imsmanifest.xml" if not places else f"holds {len(places)} course packages"
        reason = f"{what}: this is not a SCORM or IMS package; export the course as one, and unpack other archives"
        raise ScriptUnreadable(archive.name, "", reason)
    place = places[0]
    root = parse_xml(archive.read(place), archive.name, place, lenient=True)
    if local(root) != "manifest":
        raise ScriptUnreadable(archive.name, place, f"is {local(root) or 'nothing'!r} and no manifest of a course")
    manifest = _Manifest(place)
    _read_metadata(root, manifest)
    _read_entries(root, archive.name, manifest)
    return manifest


def _read_metadata(root: etree._Element, manifest: _Manifest) -> None:
    """Title, language, author and year, from LOM."""
    manifest.language = normal_tag(root.get(_XML_LANG))
    metadata = next((part for part in root if local(part) == "metadata"), None)
    general = _below(metadata, "general")
    if general is not None:
        facts = {local(part): clean(words(part)).strip() for part in general}
        manifest.title = facts.get("title", "")[:200]
        manifest.language = normal_tag(facts.get("language")) or manifest.language
    for part in metadata.iter("{*}contribute") if metadata is not None else ():
        facts = {local(child): "\n".join(str(text) for text in child.itertext()) for child in part}
        if "author" in facts.get("role", "").lower().split() and not manifest.author:
            named = _NAME.search(facts.get("entity") or facts.get("centity", ""))
            manifest.author = clean(named[1]).strip() if named is not None else ""
            found = _YEAR.search(facts.get("date", ""))
            manifest.year = found[0] if found is not None else ""


def _below(element: etree._Element | None, name: str) -> etree._Element | None:
    return next((part for part in element.iter() if local(part) == name), None) if element is not None else None


def _read_entries(root: etree._Element, file: str, manifest: _Manifest) -> None:
    """Read the items of the default organization; where there is none, the resources as they are listed."""
    pages = _resources(root, manifest.place)
    organization = _organization(root)
    items = list(organization.iter("{*}item")) if organization is not None else []
    if len(items) > _MAX_ITEMS or len(pages) > _MAX_ITEMS:
        raise ScriptTooLarge(file, manifest.place, f"lists more than {_MAX_ITEMS:,} items; divide the course")
    if not items:
        manifest.notices.append(Rejection(manifest.place, "no item is listed: all pages are read in their order"))
        for identity, page in pages.items():
            if urlsplit(page.href).path.lower().endswith(_PAGES):
                manifest.entries.append(_Entry(len(manifest.entries), identity, "", page.href, page.place))
        return
    if organization is not None and not manifest.title:
        manifest.title = _title(organization)
    for item in items:
        title, place = _title(item), _where(item, manifest.place)
        reference = item.get("identifierref")
        if (item.get("isvisible") or "").strip().lower() in ("false", "0"):
            manifest.notices.append(Rejection(place, f"the item {title!r} is not shown: it is left out"))
        elif reference and reference not in pages:
            reason = f"the item {title!r} names the resource {reference[:80]!r}, which is not listed"
            manifest.rejected.append(Rejection(place, reason))
        elif reference:
            href = pages[reference].href
            parameters = (item.get("parameters") or "").strip()
            fragment = "#" + parameters.partition("#")[2] if "#" in parameters and "#" not in href else ""
            key = item.get("identifier") or ""
            files = pages[reference].files
            manifest.entries.append(_Entry(len(manifest.entries), key, title, href + fragment, place, files))


def _organization(root: etree._Element) -> etree._Element | None:
    holder = next((part for part in root if local(part) == "organizations"), None)
    found = [part for part in holder if local(part) == "organization"] if holder is not None else []
    wanted = holder.get("default") if holder is not None else None
    return next((part for part in found if part.get("identifier") == wanted), found[0] if found else None)


def _resources(root: etree._Element, manifest: str) -> dict[str, _Resource]:
    """The pages by their identifiers."""
    holder = next((part for part in root if local(part) == "resources"), None)
    found: dict[str, _Resource] = {}
    if holder is None:
        return found
    base = _under(_under(manifest, root.get(_XML_BASE)), holder.get(_XML_BASE))
    for part in holder:
        identity = part.get("identifier")
        if local(part) != "resource" or not identity:
            continue
        listed = [file.get("href") or "" for file in part if local(file) == "file"]
        files = [name for name in listed if urlsplit(name).path.lower().endswith(_PAGES)]
        href = part.get("href") or next(iter(files), None)
        own = _under(base, part.get(_XML_BASE))
        whole = _under(own, href) if href else ""
        others = tuple(_under(own, name) for name in files)
        found.setdefault(identity, _Resource(whole, _where(part, manifest), others))
    return found


def _under(base: str, reference: str | None) -> str:
    """Join a reference to what it is relative to; an address of its own stays whole."""
    reference = (reference or "").strip().replace("\\", "/")
    if not reference:
        return base
    if _is_elsewhere(reference) or reference.startswith("/"):
        return reference
    return base[: base.rfind("/") + 1] + reference


def _is_elsewhere(href: str) -> bool:
    return href.startswith("//") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", href) is not None


def _title(element: etree._Element) -> str:
    return next((clean(words(part)).strip()[:200] for part in element if local(part) == "title"), "")


def _where(element: etree._Element, place: str) -> str:
    line = cast("int | None", element.sourceline)
    return place if line is None else f"{place} line {line}"


@dataclass(slots=True)
class _Course:
    """Gathers sections while the items are walked."""

    archive: Archive
    manifest: _Manifest
    options: ReadOptions
    language: str = ""
    drafts: list[Draft] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: list[Rejection] = field(default_factory=list)
    notices: list[Rejection] = field(default_factory=list)
    _keys: LineKeys = field(default_factory=LineKeys)
    _lower: dict[str, list[str]] = field(default_factory=dict)

    def read(self) -> None:
        """Read the page of every item."""
        self.rejected.extend(self.manifest.rejected)
        self.notices.extend(self.manifest.notices)
        self.language = normal_tag(self.options.language) or self.manifest.language or ""
        for name in self.archive.names():
            self._lower.setdefault(name.lower(), []).append(name)
        found = [(entry, place) for entry in self.manifest.entries if (place := self._page_of(entry)) is not None]
        wanted: dict[str, dict[str, _Entry]] = {}
        for entry, (path, fragment) in found:
            before = wanted.setdefault(path, {}).setdefault(fragment, entry)
            if before is not entry:
                reason = f"the item {entry.title!r} shows the page of {before.title!r}, which is read once"
                self.notices.append(Rejection(entry.place, reason))
        for path, entries in wanted.items():
            self._page(path, entries, frozenset(wanted))
        self._in_order([entry for entry, _ in found])

    def why_nothing(self) -> str:
        """Say why there is no section."""
        first = next(iter(self.rejected), None)
        why = f" ({first.place}: {first.reason})" if first is not None else ""
        return f"no item of the course has a page with text in it{why}"

    def _page_of(self, entry: _Entry) -> tuple[str, str] | None:
        """Return (path in the archive, fragment), or None after saying why there is none."""
        href = entry.href
        if not href or _is_elsewhere(href):
            reason = f"is at {href[:80]!r}, outside the package, and not read" if href else "has no page"
            self.rejected.append(Rejection(entry.place, f"the item {entry.title!r} {reason}"))
            return None
        found = resolve("", href)
        if found is None:
            raise ScriptRefused(self.archive.name, entry.place, f"leads outside the archive: {href[:80]!r}")
        path, fragment = found
        if path not in self.archive.names():
            # on the systems where such packages are made, names differ in nothing by their case
            same = self._lower.get(path.lower(), [])
            if len(same) != 1:
                self.rejected.append(Rejection(path, f"is missing from the archive (the item {entry.title!r})"))
                return None
            path = same[0]
        if not path.lower().endswith(_PAGES):
            kind = posixpath.splitext(path)[1] or "of no kind"
            self.rejected.append(Rejection(path, f"is {kind}: only HTML is read (the item {entry.title!r})"))
            return None
        return path, fragment

    def _page(self, path: str, entries: dict[str, _Entry], pages: frozenset[str]) -> None:
        """Read the page of some items; ``pages`` are those of all items."""
        page = self._read(path, frozenset(fragment for fragment in entries if fragment))
        for fragment, items in _divided(page, entries) if page is not None else ():
            entry = entries[fragment]
            items = items or self._others(entry, pages)
            if items:
                heading = next((item.text for item in items if isinstance(item, Block) and item.heading), "")
                self.drafts.append(Draft(str(entry.number), entry.title or heading[:200], items))
            else:
                reason = f"holds no text for the item {entry.title!r}; pages that a script writes are not read"
                self.rejected.append(Rejection(path, reason))

    def _others(self, entry: _Entry, pages: frozenset[str]) -> list[Item]:
        """Read the other pages of an item's resource, which its own page shows by a script, as they are listed."""
        items: list[Item] = []
        read = 0
        for href in dict.fromkeys(entry.files):
            found = None if _is_elsewhere(href) else resolve("", href)
            if found is None or found[0] in pages or found[0] not in self.archive.names():
                continue
            page = self._read(found[0], frozenset())
            told = [item for item in page.items if not isinstance(item, Anchor)] if page is not None else []
            read += bool(told)
            items += [SceneBreak(), *told] if items and told else told
        if items:
            reason = (
                f"a script shows the item {entry.title!r}: {read} pages that its resource lists are read in that order"
            )
            self.notices.append(Rejection(entry.place, reason))
        return items

    def _read(self, path: str, wanted: frozenset[str]) -> PageText | None:
        try:
            root = _parse_page(self.archive.read(path), self.archive.name, path)
        except (ScriptUnreadable, EncodingUnknown) as error:
            self.rejected.append(Rejection(path, error.reason))
            return None
        before, count = self.language, len(self.notices)
        self._choose_language(root)
        page = read_page(root, path, self.language, wanted, self.options)
        if all(isinstance(item, Anchor) for item in page.items):  # a page without text tells no language
            self.language = before
            del self.notices[count:]
        self.skipped.update(page.skipped)
        self.rejected.extend(page.rejected)
        return page

    def _choose_language(self, root: etree._Element) -> None:
        if self.language:
            return
        self.language = normal_tag(root.get(_XML_LANG) or root.get("lang")) or ""
        if not self.language:
            self.language, sure = of_text(words(root))
            if not sure:
                reason = f"no language is stated: read as {self.language!r}; --language says otherwise"
                self.notices.append(Rejection("", reason))

    def _in_order(self, entries: list[_Entry]) -> None:
        """Put the sections in the order of the items, and give them their keys."""
        drafts = {draft.name: draft for draft in self.drafts}
        self.drafts = []
        for number, entry in enumerate(entries, 1):
            draft = drafts.pop(str(entry.number), None)
            if draft is not None:
                title = draft.title or f"Section {number}"
                wanted = entry.key if is_id(entry.key) else _NO_KEY.sub("-", entry.key or title).strip("-")[:100]
                self.drafts.append(Draft(self._keys.claim(wanted or "section"), title, draft.items))


def _parse_page(data: bytes, file: str, path: str) -> etree._Element:
    """Read a page as XML if it says that it is, else, or where it is not, as HTML."""
    head = data[:2000]
    if b"<?xml" in head or b"http://www.w3.org/1999/xhtml" in head:
        try:
            return parse_xml(data, file, path)
        except ScriptUnreadable:
            pass  # pages called XHTML are often only HTML
        except ScriptRefused:
            if b"<!ENTITY" in data:
                raise
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    try:
        root: etree._Element | None = etree.fromstring(_html_text(data, path).encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError) as error:
        raise ScriptUnreadable(file, path, f"is not HTML: {error}") from error
    if root is None:
        raise ScriptUnreadable(file, path, "is not HTML: it is empty")
    return root


def _html_text(data: bytes, path: str) -> str:
    """Decode a page as its mark or its ``meta`` says, else as any text file."""
    declared = _CHARSET.search(data[:4096]) if marked(data) is None else None
    name = known_encoding(declared[1].decode("ascii")) if declared is not None else None
    if name is not None and not name.startswith("utf-16"):  # a meta that can be read is no UTF-16
        try:
            return data.decode("cp1252" if name == "iso8859-1" else name).replace("\0", "")
        except UnicodeDecodeError:
            pass  # what the page says of itself is wrong
    return decode(data, path)[0].replace("\0", "")


def _divided(page: PageText, entries: dict[str, _Entry]) -> Iterator[tuple[str, list[Item]]]:
    """Yield the content that belongs to each item: all of the page, or what follows its place in it."""
    parts: dict[str, list[Item]] = {fragment: [] for fragment in entries}
    at = next(iter(entries)) if "" not in entries else ""
    for item in page.items:
        if isinstance(item, Anchor):
            at = item.fragment if item.fragment in parts else at
        else:
            parts[at].append(item)
    yield from parts.items()


def _sections(drafts: list[Draft], builder: Builder) -> tuple[ScriptSection, ...]:
    keys = SectionKeys()
    ids = {keys.of_title(draft.name): draft.name for draft in drafts}
    return tuple(replace(section, key=ids[section.key]) for section in builder.sections(drafts, "lesson"))
