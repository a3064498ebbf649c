"""The styles of a Word document and the language that they and its runs state."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from lxml import etree

from scheduler.scripts.archive import Archive
from scheduler.scripts.detection import of_text
from scheduler.scripts.languages import by_letters, normal_tag, primary
from scheduler.scripts.model import ReadOptions
from scheduler.scripts.xmlsafe import parse_xml

WORD = (
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "http://purl.oclc.org/ooxml/wordprocessingml/main",  # the strict form of the standard
)
EAST = frozenset({"ja", "zh", "ko"})
_HEADING_NAME = re.compile(r"heading ([1-9])\Z")
_OTHERWISE = "--language says otherwise"
_OFF = frozenset({"0", "false", "off", "none"})
_MAX_LEVEL = 9
_MAX_BASES = 40
"""Styles that one style may be based on in turn."""


def local_name(element: etree._Element) -> str:
    """The tag without its namespace; '' for comments and instructions."""
    tag: object = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def child_of(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The element at the end of a path of local names, the first of each name."""
    for name in path:
        if element is None:
            return None
        element = next((below for below in element if local_name(below) == name), None)
    return element


def value_of(element: etree._Element | None, name: str = "val") -> str | None:
    """An attribute in either namespace of WordprocessingML."""
    if element is None:
        return None
    return next((found for space in WORD if (found := element.get(f"{{{space}}}{name}")) is not None), None)


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
class Styles:
    """What the styles of a document say, each with those it is based on."""

    by_id: dict[str, _Style] = field(default_factory=dict)
    languages: tuple[str | None, str | None] = (None, None)
    """Of text that nothing else says a language of."""

    @classmethod
    def read(cls, archive: Archive, path: str) -> Styles:
        """Read the part that defines styles, if there is one."""
        styles = cls()
        if not path or path not in archive.names():
            return styles
        root = parse_xml(archive.read(path), archive.name, path)
        styles.languages = languages_of(child_of(root, "docDefaults", "rPrDefault", "rPr"))
        for element in root:
            identity = value_of(element, "styleId")
            if local_name(element) == "style" and identity is not None:
                styles.by_id[identity] = _Style(
                    name=(value_of(child_of(element, "name")) or "").strip().lower(),
                    based_on=value_of(child_of(element, "basedOn")) or "",
                    outline=outline_level(child_of(element, "pPr")),
                    languages=languages_of(child_of(element, "rPr")),
                    hidden=switch_of(child_of(element, "rPr", "vanish")),
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


def outline_level(properties: etree._Element | None) -> int | None:
    """The outline level that properties state: 0 for body text, None if they state none."""
    stated = value_of(child_of(properties, "outlineLvl"))
    if stated is None or not stated.strip().isdecimal():
        return None
    level = int(stated.strip()[:3]) + 1
    return level if level <= _MAX_LEVEL else 0


def languages_of(properties: etree._Element | None) -> tuple[str | None, str | None]:
    """The languages that properties state: of Latin letters and of East Asian ones."""
    stated = child_of(properties, "lang")
    return normal_tag(value_of(stated)), normal_tag(value_of(stated, "eastAsia"))


def switch_of(element: etree._Element | None) -> bool | None:
    """Whether a property is on; None where it is not stated."""
    return None if element is None else (value_of(element) or "true").lower() not in _OFF


@dataclass(frozen=True, slots=True)
class Tongue:
    """The language of a document."""

    tag: str
    stated: bool
    """Whether the text itself or the caller says so."""
    notice: str = ""


def document_language(root: etree._Element, styles: Styles, options: ReadOptions) -> Tongue:
    """The language of a document: as the caller wants it, as its runs and styles state it, or as its words show."""
    wanted = normal_tag(options.language)
    if wanted is not None:
        return Tongue(wanted, True)
    sample = "".join(element.text or "" for element in islice(root.iter("{*}t"), 5_000))
    letters, sure = by_letters(sample)
    own: Counter[str] = Counter()
    styled: Counter[str] = Counter()
    for run in root.iter("{*}r"):
        length = sum(len(text.text or "") for text in run.iterchildren("{*}t"))
        explicit, tag = _run_language(run, styles, int(letters in EAST))
        if tag is not None and length:
            (own if explicit else styled)[tag] += length
    stated = own if own.total() >= styled.total() else styled
    tag = stated.most_common(1)[0][0] if stated else None
    if stated is not own and letters not in EAST:
        letters, sure = of_text(sample)  # Word puts the language of its user into the styles, whatever the text is
    if tag is None:
        return Tongue(letters, False, "" if sure else f"no language is stated: read as {letters!r}; {_OTHERWISE}")
    if primary(tag) == letters or not (sure or letters in EAST) or (stated is own and letters not in EAST):
        return Tongue(tag, True)
    return Tongue(letters, False, f"its styles say {tag!r}, its words {letters!r}: read as {letters!r}; {_OTHERWISE}")


def _run_language(run: etree._Element, styles: Styles, east: int) -> tuple[bool, str | None]:
    """Whether the run states its language by itself, and the language."""
    properties = child_of(run, "rPr")
    own = languages_of(properties)[east]
    styled = styles.language(value_of(child_of(properties, "rStyle")), east) or styles.languages[east]
    return own is not None, own or styled
