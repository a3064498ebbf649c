"""PowerPoint: the speaker notes of each slide, in the order in which the slides are shown.

Only the parts with text are unpacked (presentation, slides, notes, properties), so films and macros in a deck cost
nothing and are never touched. Names are compared without their namespaces: the transitional and the strict edition of
Office Open XML differ in nothing else here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath, PurePosixPath

from lxml import etree

from scheduler.scripts.archive import Archive
from scheduler.scripts.blocks import LINE_BREAK, Block, Piece, clean, tidy
from scheduler.scripts.builder import Builder, Draft
from scheduler.scripts.detection import of_text
from scheduler.scripts.errors import MarkupError, ScriptEmpty, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.keys import SectionKeys
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.markup import Speakers
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument, ScriptSection
from scheduler.scripts.package import local, resolve, words
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.xmlsafe import parse_xml

_MAX_SLIDES = 10_000
_CONTENT_TYPES = "[Content_Types].xml"
_YEAR = re.compile(r"(\d{4})-\d{2}")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TITLES = frozenset({"title", "ctrtitle"})


class PptxReader:
    """Reads ``.pptx`` and ``.pptm``: one section per slide that is shown and has notes."""

    name = "pptx"
    suffixes = (".pptx", ".pptm")
    kind = "course"

    def sniff(self, head: bytes) -> bool:
        """A presentation is a zip archive; one that names its slides early is known by that."""
        return head.startswith(b"PK\x03\x04") and (b"ppt/presentation.xml" in head or b"ppt/slides/" in head)

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a presentation whole."""
        if source.head().startswith(_OLD_OFFICE):
            reason = "is an old .ppt or protected by a password; save it as .pptx without one"
            raise ScriptUnreadable(source.name, "", reason)
        with Archive(source) as archive:
            deck = _Deck(archive)
            deck.read()
        language, notices = _language(deck, options)
        spoken = [slide for slide in deck.slides if slide.notes]
        if not spoken:
            silent = "no slide that is shown has speaker notes" if deck.slides else "no slide is shown"
            raise ScriptEmpty(source.name, "", f"{silent}; write what is to be said under the slides, as notes")
        builder = Builder(source.name, options)
        sections = _sections(spoken, language, builder, Speakers.start(source.name, language))
        return ScriptDocument(
            title=deck.title or PurePath(source.name).stem,
            author=deck.author,
            language=language,
            kind="course",
            format=self.name,
            sections=sections,
            year=deck.year,
            rejected=(*deck.rejected, *builder.rejected),
            notices=(*deck.notices, *notices),
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """Text of one language."""

    text: str
    language: str | None


@dataclass(frozen=True, slots=True)
class _Slide:
    """A slide that is shown."""

    number: int
    """From 1, hidden slides counted."""
    key: str
    title: str
    notes: tuple[tuple[_Run, ...], ...]
    """Paragraphs."""


@dataclass(slots=True)
class _Deck:
    """What the archive holds, gathered part by part."""

    archive: Archive
    title: str = ""
    author: str = ""
    year: str = ""
    slides: list[_Slide] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    notices: list[Rejection] = field(default_factory=list)

    def read(self) -> None:
        """Read properties, then every slide in the order of the presentation."""
        main = self._main_part()
        parts = {identity: path for identity, _, path in self._related(main)}
        root = self._xml(main)
        entries = [entry for part in root if local(part) == "sldidlst" for entry in part if local(entry) == "sldid"]
        if len(entries) > _MAX_SLIDES:
            raise ScriptTooLarge(self.archive.name, main, f"lists {len(entries):,} slides, more than {_MAX_SLIDES:,}")
        seen: set[str] = set()
        for number, entry in enumerate(entries, 1):
            key = f"slide-{entry.get('id', '')}"
            if not re.fullmatch(r"slide-\d{1,10}", key, re.ASCII) or key in seen:
                raise ScriptUnreadable(self.archive.name, main, f"slide {number} has no id of its own; save it again")
            seen.add(key)
            path = parts.get(_relation_of(entry))
            if path is None or path not in self.archive.names():
                self.rejected.append(Rejection(f"slide {number}", "is listed and missing from the file"))
                continue
            self._slide(number, key, path)

    def _slide(self, number: int, key: str, path: str) -> None:
        try:
            root = self._xml(path)
            notes = self._notes(path)
        except ScriptUnreadable as error:
            self.rejected.append(Rejection(f"slide {number} ({error.place})", error.reason))
            return
        title = _title(root)
        named = f"the slide {title!r}" if title else "a slide without a title"
        if (root.get("show") or "").lower() in ("0", "false"):
            self.notices.append(Rejection(f"slide {number}", f"{named} is hidden: it is left out"))
            return
        if not notes:
            self.notices.append(Rejection(f"slide {number}", f"{named} has no speaker notes: nothing is spoken"))
        self.slides.append(_Slide(number, key, title or f"Slide {number}", notes))

    def _notes(self, slide: str) -> tuple[tuple[_Run, ...], ...]:
        path = next((path for _, kind, path in self._related(slide) if kind == "notesslide"), None)
        if path is None:
            return ()
        root = self._xml(path)
        paragraphs = (tuple(_runs(part)) for shape in _shapes(root, frozenset({"body"})) for part in _paragraphs(shape))
        return tuple(runs for runs in paragraphs if any(char.isalnum() for run in runs for char in run.text))

    def _main_part(self) -> str:
        """Find the presentation through the relations of the package; read the properties on the way."""
        names = self.archive.names()
        if _CONTENT_TYPES not in names or "_rels/.rels" not in names:
            raise ScriptUnreadable(self.archive.name, "", "is no PowerPoint file; save the deck as .pptx")
        main = ""
        for _, kind, path in self._related(""):
            if kind == "officedocument":
                main = path
            elif kind == "core-properties" and path in names:
                self._properties(path)
        if main not in names or local(self._xml(main)) != "presentation":
            raise ScriptUnreadable(self.archive.name, main, "holds no presentation; save the deck as .pptx")
        return main

    def _properties(self, path: str) -> None:
        try:
            root = self._xml(path)
        except ScriptUnreadable as error:
            self.notices.append(Rejection(path, f"title and author are not read: {error.reason}"))
            return
        facts = {local(part): clean(words(part)).strip() for part in root}
        self.title, self.author = facts.get("title", ""), facts.get("creator", "")
        dates = (_YEAR.match(facts.get(name, "")) for name in ("created", "modified"))
        self.year = next((found[1] for found in dates if found is not None), "")

    def _related(self, part: str) -> Iterator[tuple[str, str, str]]:
        """Yield (id, last word of the type, path) of what a part refers to inside the archive."""
        at = PurePosixPath(part)
        path = str(at.parent / "_rels" / f"{at.name}.rels") if part else "_rels/.rels"
        if path not in self.archive.names():
            return
        for entry in self._xml(path):
            if local(entry) != "relationship" or (entry.get("TargetMode") or "").lower() == "external":
                continue
            found = resolve(part, entry.get("Target") or "")
            if found is not None:
                yield entry.get("Id") or "", (entry.get("Type") or "").rpartition("/")[2].lower(), found[0]

    def _xml(self, path: str) -> etree._Element:
        return parse_xml(self.archive.read(path), self.archive.name, path)


def _relation_of(entry: etree._Element) -> str:
    """The ``r:id`` of an element, which also has an ``id``."""
    for name, value in entry.items():
        if str(name).startswith("{") and str(name).endswith("}id"):
            return str(value)
    return ""


def _shapes(root: etree._Element, kinds: frozenset[str]) -> Iterator[etree._Element]:
    """Yield the shapes that are a placeholder of one of ``kinds``."""
    for shape in root.iter("{*}sp"):
        holder = next(iter(shape.iterfind("{*}nvSpPr/{*}nvPr/{*}ph")), None)
        if next(shape.iterancestors("{*}Fallback"), None) is not None:
            continue  # says again, for old programs, what stands beside it
        if holder is not None and (holder.get("type") or "obj").lower() in kinds:
            yield shape


def _title(root: etree._Element) -> str:
    for shape in _shapes(root, _TITLES):
        text = " ".join("".join(run.text for run in _runs(part)) for part in _paragraphs(shape))
        if clean(text).strip():
            return clean(text).strip()[:200]
    return ""


def _paragraphs(shape: etree._Element) -> Iterator[etree._Element]:
    yield from shape.iterfind("{*}txBody/{*}p")


def _runs(paragraph: etree._Element) -> Iterator[_Run]:
    """Yield the text of a paragraph; the number of the slide and the date are fields and not spoken."""
    for part in paragraph:
        if local(part) == "br":
            yield _Run(LINE_BREAK.text, None)
        elif local(part) == "r":
            facts = next(iter(part.iterfind("{*}rPr")), None)
            text = "".join(str(found.text or "") for found in part.iterfind("{*}t"))
            yield _Run(
                text.replace("\v", LINE_BREAK.text), normal_tag(facts.get("lang")) if facts is not None else None
            )


def _language(deck: _Deck, options: ReadOptions) -> tuple[str, list[Rejection]]:
    """The language asked for; else the one most letters of the notes are in; else what the letters say."""
    asked = normal_tag(options.language)
    if asked is not None:
        return asked, []
    counts: Counter[str] = Counter()
    runs = [run for slide in deck.slides for paragraph in slide.notes for run in paragraph]
    for run in runs:
        if run.language is not None:
            counts[run.language] += sum(map(str.isalnum, run.text))
    if counts:
        return min(counts, key=lambda tag: (-counts[tag], tag)), []
    language, sure = of_text("\n".join(run.text for run in runs))
    told = Rejection("", f"no language is stated: read as {language!r}; --language says otherwise")
    return language, [] if sure else [told]


def _sections(slides: list[_Slide], language: str, builder: Builder, speakers: Speakers) -> tuple[ScriptSection, ...]:
    drafts = []
    try:
        for slide in slides:
            blocks = (_block(runs, language, slide.number, speakers) for runs in slide.notes)
            drafts.append(Draft(slide.key, slide.title, [block for block in blocks if block.pieces]))
        speakers.finish()
    except MarkupError as error:
        raise MarkupError(error.file, error.place.replace("line", "slide"), error.reason) from error
    keys = SectionKeys()
    ids = {keys.of_title(draft.name): draft.name for draft in drafts}
    return tuple(replace(section, key=ids[section.key]) for section in builder.sections(drafts, "slide"))


def _block(runs: tuple[_Run, ...], language: str, number: int, speakers: Speakers) -> Block:
    """Make a block of a paragraph; to the bracket markup, the number of the slide is that of the line."""
    pieces: list[Piece] = []
    for part in "".join(run.text for run in runs).split(LINE_BREAK.text):
        pieces += [*([LINE_BREAK] if pieces else []), *speakers.pieces(" ".join(part.split("\n")), number)]
    return Block(tidy(pieces), language, f"slide {number}")
