"""EPUB 2 and 3: the reading order as sections, titled by the navigation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath, PurePosixPath
from typing import cast

from lxml import etree

from scheduler.scripts.archive import Archive
from scheduler.scripts.blocks import Block
from scheduler.scripts.builder import Builder, Draft, Item, only_titles
from scheduler.scripts.detection import of_text
from scheduler.scripts.errors import ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.package import NavPoint, Package, cover_bytes, read_package, resolve
from scheduler.scripts.pls import MEDIA_TYPE, PlsEntry, Pronunciations, Unused, read_pls
from scheduler.scripts.prose import without_library
from scheduler.scripts.roles import BOILERPLATE_CLASS, EPUB, PASSING_ROLES, class_role, skipped_role
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.xhtml import Anchor, PageText, read_page
from scheduler.scripts.xmlsafe import parse_xml

_TYPE = f"{{{EPUB}}}type"
_LIBRARY = Rejection("", "its library's licence pages are left out")


class EpubReader:
    """Reads ``.epub``; everything it skips is counted in the document's notices."""

    name = "epub"
    suffixes = (".epub",)
    kind = "audiobook"

    def sniff(self, head: bytes) -> bool:
        """An EPUB is a zip archive whose first entry says so."""
        return head.startswith(b"PK\x03\x04") and b"mimetypeapplication/epub+zip" in head[:200]

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read an EPUB whole."""
        with Archive(source) as archive:
            package = read_package(archive)
            book = _Book(archive, package, options)
            book.read()
            cover = cover_bytes(archive, package)
        builder = Builder(source.name, options)
        unread = [Rejection(place, reason) for place, reason in package.unread]
        notices = [Rejection("", f"{count} × {role} left out") for role, count in sorted(book.skipped.items())]
        sections = builder.sections(book.drafts, "chapter", (*unread, *book.rejected, *notices))
        return ScriptDocument(
            title=package.title or PurePath(source.name).stem,
            author=", ".join(package.authors),
            language=book.language,
            kind="audiobook",
            format=self.name,
            sections=sections,
            cover=cover,
            year=package.year,
            rejected=(*unread, *book.rejected, *builder.rejected),
            notices=(*book.notices, *notices, *book.unused.notices()),
        )


@dataclass(slots=True)
class _Book:
    """Gathers sections while the reading order is walked."""

    archive: Archive
    package: Package
    options: ReadOptions
    drafts: list[Draft] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: list[Rejection] = field(default_factory=list)
    notices: list[Rejection] = field(default_factory=list)
    language: str = ""
    unused: Unused = field(default_factory=Unused)
    _untitled: int = 0
    _lexicons: dict[str, tuple[PlsEntry, ...]] = field(default_factory=dict)
    _pronunciations: dict[tuple[tuple[str, str], ...], Pronunciations] = field(default_factory=dict)

    def read(self) -> None:
        """Read every document of the reading order."""
        self.language = normal_tag(self.options.language) or self.package.language or ""
        points: dict[str, list[NavPoint]] = {}
        for point in self.package.points:
            points.setdefault(point.path, []).append(point)
        for item in self.package.spine:
            roles = self.package.roles.get(item.path, frozenset())
            role = skipped_role(roles, self.options.include_roles) if len(self.package.spine) > 1 else None
            if role is not None:
                self.skipped[role] += 1
                continue
            page = self._page(item.path, points.get(item.path, []))
            self.skipped.update(page.skipped)
            self.rejected.extend(page.rejected)
            if not _only_titles_what_was_skipped(page):
                self._divide(item.path, page, points.get(item.path, []))
        self._leave_out_library()
        self.drafts = [draft for draft in self.drafts if draft.items]

    def _leave_out_library(self) -> None:
        items = [item for draft in self.drafts for item in draft.items]
        first, last = without_library(items)
        if last - first == len(items):
            return
        at = 0
        for draft in self.drafts:
            count = len(draft.items)
            draft.items[:] = draft.items[max(first - at, 0) : max(last - at, 0)]
            at += count
        self.notices += [] if _LIBRARY in self.notices else [_LIBRARY]

    def _page(self, path: str, points: list[NavPoint]) -> PageText:
        root = parse_xml(self.archive.read(path), self.archive.name, path, lenient=True)
        self._mark_furniture(root)
        if not self.language:
            text = " ".join("".join(str(part) for part in root.itertext()).split())
            self.language, sure = of_text(text)
            if not sure:
                self.notices.append(
                    Rejection("", f"no language is stated: read as {self.language!r}; --language says otherwise")
                )
        wanted = frozenset(point.fragment for point in points if point.fragment)
        return read_page(root, path, self.language, wanted, self.options, self._spoken(root, path))

    def _mark_furniture(self, root: etree._Element) -> None:
        """Give roles to what older books mark by a class alone: page numbers, footnotes, licence pages."""
        for element in _with_class(root):
            classes = (element.get("class") or "").split()
            if BOILERPLATE_CLASS in classes:
                element.set("hidden", "hidden")
                self.notices += [] if _LIBRARY in self.notices else [_LIBRARY]
            role = class_role(classes)
            if role is not None:
                element.set(_TYPE, f"{element.get(_TYPE) or ''} {role}".strip())

    def _spoken(self, root: etree._Element, path: str) -> Pronunciations:
        """What the lexicons say that a document names; documents that name the same ones share it."""
        named = tuple(dict.fromkeys(self._links(root, path)))
        if named not in self._pronunciations:
            entries = (
                (language or entry.language, entry) for name, language in named for entry in self._lexicon(name, path)
            )
            self._pronunciations[named] = Pronunciations(entries, self.unused)
        return self._pronunciations[named]

    def _links(self, root: etree._Element, path: str) -> Iterator[tuple[str, str]]:
        for link in root.iter("{*}link"):
            if "pronunciation" not in (link.get("rel") or "").lower().split():
                continue
            kind, href = (link.get("type") or MEDIA_TYPE).strip().lower(), link.get("href") or ""
            found = resolve(path, href)
            if kind == MEDIA_TYPE and found is not None:
                yield found[0], normal_tag(link.get("hreflang")) or ""
            else:
                self._reject(path, f"the pronunciation lexicon {href!r} is not read: only PLS inside the book is")

    def _lexicon(self, name: str, path: str) -> tuple[PlsEntry, ...]:
        if name not in self._lexicons:
            self._lexicons[name] = ()
            if name not in self.archive.names():
                self._reject(path, f"names the pronunciation lexicon {name}, which is missing from the archive")
            else:
                try:
                    self._lexicons[name] = read_pls(self.archive.read(name), self.archive.name, name)
                except ScriptUnreadable as error:  # a book without its lexicon is still read
                    self._reject(error.place, f"the pronunciation lexicon is not used: {error.reason}")
        return self._lexicons[name]

    def _reject(self, place: str, reason: str) -> None:
        if Rejection(place, reason) not in self.rejected:
            self.rejected.append(Rejection(place, reason))

    def _divide(self, path: str, page: PageText, points: list[NavPoint]) -> None:
        titles = {point.fragment: point.title for point in points}
        name = PurePosixPath(path).stem
        lead: list[Item] = []
        if "" in titles:
            self.drafts.append(Draft(name, titles[""], []))
            lead = self.drafts[-1].items
        opened = "" in titles
        for item in page.items:
            if not isinstance(item, Anchor):
                (self.drafts[-1].items if opened else lead).append(item)
                continue
            carried = _taken_titles(self.drafts[-1].items) if opened else self._settle_lead(name, lead)
            self.drafts.append(Draft(f"{name}-{item.fragment}", titles[item.fragment], carried))
            opened = True
        if not opened:
            self._untold(name, lead)

    def _settle_lead(self, name: str, lead: list[Item]) -> list[Item]:
        """What stands before the first place the navigation names: titles go with what follows, text with before."""
        if only_titles(lead):
            return list(lead)
        self._untold(name, lead)
        return []

    def _untold(self, name: str, items: list[Item]) -> None:
        """Add text that the navigation does not name."""
        if not items:
            return
        if self.package.points and self.options.merge_unlisted and self.drafts:
            self.drafts[-1].items.extend(items)
            return
        self._untitled += 1
        heading = next((item.text for item in items if isinstance(item, Block) and item.heading), "")
        self.drafts.append(Draft(name, heading or f"Section {self._untitled}", items))


def _taken_titles(items: list[Item]) -> list[Item]:
    """Take a section that is nothing but titles (Part One) into the one that follows it."""
    if not items or not only_titles(items):
        return []
    carried = list(items)
    items.clear()
    return carried


def _only_titles_what_was_skipped(page: PageText) -> bool:
    """Whether a document is left with the title of something that is not read: 'Contents', 'Notes'."""
    left_out = any(role not in PASSING_ROLES for role in page.skipped)
    return left_out and all(
        isinstance(item, Anchor) or (isinstance(item, Block) and item.heading) for item in page.items
    )


def _with_class(root: etree._Element) -> list[etree._Element]:
    return cast("list[etree._Element]", root.xpath("//*[@class]"))
