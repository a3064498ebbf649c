"""The text of one XHTML document as blocks: what is hidden or has a role that is not read aloud is left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from lxml import etree

from scheduler.markup.readings import inline_reading
from scheduler.scripts.blocks import LINE_BREAK, Block, Piece, SceneBreak, clean, tidy
from scheduler.scripts.languages import normal_tag, primary
from scheduler.scripts.model import ReadOptions, Rejection
from scheduler.scripts.package import local, words
from scheduler.scripts.pls import DEFAULT_ALPHABET, Pronunciations, Unused
from scheduler.scripts.roles import EPUB, role_names, skipped_role

_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup",
    "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "ul",
})  # fmt: skip
_NEVER = frozenset({
    "script", "style", "svg", "head", "template", "audio", "video", "object", "iframe", "canvas", "noscript", "button",
    "input", "select", "textarea", "rp", "map", "embed", "picture", "source", "track", "colgroup", "col", "base",
    "link", "meta", "title",
})  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")
_KANA_ONLY = re.compile(r"[\u3041-\u309f\u30a0-\u30ff\s]+\Z")
_NO_WORDS = re.compile(r"\W*(?:no )?alternative text(?: is)? (?:not available|unavailable)\W*\Z", re.IGNORECASE)
"""What converters write for formulas of which they have no words."""
SSML = "http://www.w3.org/2001/10/synthesis"
_PHONEMES = f"{{{SSML}}}ph"
_ALPHABET = f"{{{SSML}}}alphabet"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place that the table of contents points to."""

    fragment: str


Content = Block | SceneBreak | Anchor


@dataclass(slots=True)
class PageText:
    """What one document holds."""

    items: list[Content] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Parts left out, by role."""
    rejected: list[Rejection] = field(default_factory=list)


@dataclass(slots=True)
class _Frame:
    """An open element."""

    language: str
    character: str | None
    heading: int
    in_heading_group: bool
    alphabet: str = DEFAULT_ALPHABET
    """Of phoneme strings."""


def read_page(
    root: etree._Element,
    place: str,
    language: str,
    wanted: frozenset[str],
    options: ReadOptions,
    pronunciations: Pronunciations | None = None,
) -> PageText:
    """Return the blocks of a document.

    ``language`` is the book's; ``wanted`` are the ids the table of contents points to, each an ``Anchor`` before the
    block that holds it; ``pronunciations`` are those of the lexicons that the document names.
    """
    walk = _Walk(place, language, wanted, options, pronunciations or Pronunciations((), Unused()))
    walk.run(root)
    return walk.page


class _Walk:
    """One pass over the tree without recursion, so that depth is no danger."""

    def __init__(
        self,
        place: str,
        language: str,
        wanted: frozenset[str],
        options: ReadOptions,
        pronunciations: Pronunciations,
    ) -> None:
        self.page = PageText()
        self._place = place
        self._wanted = wanted
        self._options = options
        self._pronunciations = pronunciations
        self._frames = [_Frame(language, None, 0, False)]
        self._pieces: list[Piece] = []
        self._anchors: list[str] = []
        self._block_language = language
        self._block_place = place

    def run(self, root: etree._Element) -> None:
        """Read the whole tree."""
        walker = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        skipped: etree._Element | None = None
        for event, element in walker:
            if event == "start":
                if self._start(element):
                    self._text(element.text)
                else:
                    skipped = element
                    walker.skip_subtree()
            elif event == "end":
                if element is skipped:
                    skipped = None
                else:
                    self._end(element)
                self._text(element.tail)
            else:
                self._text(element.tail)
        self._flush()

    def _start(self, element: etree._Element) -> bool:
        """Open an element; False leaves it out with all it holds."""
        tag = local(element)
        self._mark(element)
        if tag in _NEVER or self._is_hidden(element) or self._has_skipped_role(element):
            self._mark_below(element)
            return False
        if tag == "math":
            self._math(element)
            return False
        phonemes = element.get(_PHONEMES)
        if phonemes is not None and phonemes.strip() and self._pronounced(element, tag, phonemes):
            return False
        if tag == "table" and self._options.tables == "skip":
            self._table(element)
            return False
        if tag == "ruby":
            self._ruby(element)
            return False
        if tag in _BLOCKS:
            self._flush()
        self._open(element, tag)
        if tag == "br":
            self._pieces.append(LINE_BREAK)
        elif tag == "hr":
            self.page.items.append(SceneBreak(self._where(element)))
        return True

    def _open(self, element: etree._Element, tag: str) -> None:
        above = self._frames[-1]
        stated = normal_tag(element.get(_XML_LANG) or element.get("lang"))
        if stated is not None and len(self._frames) <= 3 and tag in ("html", "body") and self._options.language:
            stated = None  # the user said what the book's language is
        names = role_names(element.get(f"{{{EPUB}}}type"), None)
        is_group = tag == "hgroup" or above.in_heading_group
        heading = _HEADINGS.get(tag, above.heading)
        if not heading and tag == "p" and (is_group or names & {"title", "subtitle", "ordinal"}):
            heading = 6
        character = element.get("data-character")
        frame = _Frame(
            language=stated or above.language,
            character=" ".join(character.split()) or None if character is not None else above.character,
            heading=heading,
            in_heading_group=is_group,
            alphabet=self._alphabet(element),
        )
        self._frames.append(frame)
        if tag in _BLOCKS:
            self._block_language = frame.language
            self._block_place = self._where(element)

    def _end(self, element: etree._Element) -> None:
        tag = local(element)
        if tag in _BLOCKS:
            self._flush()
        self._frames.pop()
        self._block_language = self._frames[-1].language if tag in _BLOCKS else self._block_language

    def _text(self, text: str | None, spoken: str | None = None) -> None:
        if not text:
            return
        frame = self._frames[-1]
        language = frame.language if frame.language != self._block_language else None
        self._pieces.append(Piece(text, spoken, language, frame.character))

    def _flush(self) -> None:
        """Close the open paragraph."""
        pieces = self._pronunciations.read(tidy(self._pieces), self._block_language)
        self._pieces = []
        self.page.items.extend(Anchor(fragment) for fragment in self._anchors)
        self._anchors = []
        if pieces:
            heading = self._frames[-1].heading
            self.page.items.append(Block(pieces, self._block_language, self._block_place, heading > 0, heading))

    def _mark(self, element: etree._Element) -> None:
        name = element.get("id")
        if name is not None and name in self._wanted:
            if local(element) in _BLOCKS:
                self._flush()
            self._anchors.append(name)

    def _mark_below(self, element: etree._Element) -> None:
        if self._wanted:
            self._anchors.extend(
                name for below in element.iterdescendants() if (name := below.get("id") or "") in self._wanted
            )

    def _is_hidden(self, element: etree._Element) -> bool:
        style = element.get("style")
        return (
            element.get("hidden") is not None
            or element.get("aria-hidden") == "true"
            or (style is not None and _HIDDEN_STYLE.search(style) is not None)
        )

    def _has_skipped_role(self, element: etree._Element) -> bool:
        names = role_names(element.get(f"{{{EPUB}}}type"), element.get("role"))
        role = skipped_role(names, self._options.include_roles) if names else None
        if role is not None:
            self.page.skipped[role] += 1
        return role is not None

    def _where(self, element: etree._Element) -> str:
        line = cast("int | None", element.sourceline)
        return self._place if line is None else f"{self._place} line {line}"

    def _math(self, element: etree._Element) -> None:
        said = element.get("alttext") or ""
        if said.strip() and not _NO_WORDS.match(said):
            self._text(said)
        else:
            self.page.rejected.append(Rejection(self._where(element), "a formula without alternative text is not read"))

    def _alphabet(self, element: etree._Element) -> str:
        stated = (element.get(_ALPHABET) or "").strip().lower()
        return stated or self._frames[-1].alphabet

    def _pronounced(self, element: etree._Element, tag: str, phonemes: str) -> bool:
        """Take the words of an element with the pronunciation it states; False leaves them to the walk."""
        alphabet = self._alphabet(element)
        language = normal_tag(element.get(_XML_LANG) or element.get("lang")) or self._frames[-1].language
        is_phrase = not any(local(below) in _BLOCKS or local(below) == "br" for below in element.iterdescendants())
        text = self._visible(element) if is_phrase else ""
        if is_phrase and not text.strip():
            return False
        said = inline_reading(text, phonemes, alphabet, language) if is_phrase else None
        if said is None:
            self._pronunciations.unused.add(alphabet, language)
            return False
        if tag in _BLOCKS:
            self._flush()
        self._open(element, tag)
        word = text.strip()
        before, _, after = text.partition(word)
        self._text(before)
        self._text(word, said)
        self._text(after)
        self._end(element)
        self._mark_below(element)
        return True

    def _visible(self, element: etree._Element) -> str:
        """The words below an element without what is hidden, has a role that is not read, or is a ruby's reading."""
        walker = etree.iterwalk(element, events=("start", "end", "comment", "pi"))
        parts = []
        for event, below in walker:
            if event == "start":
                name = local(below)
                if below is not element and (name in _NEVER or name == "rt" or self._leaves_out(below)):
                    walker.skip_subtree()
                else:
                    parts.append(below.text or "")
            elif below is not element:
                parts.append(below.tail or "")
        return "".join(parts)

    def _leaves_out(self, element: etree._Element) -> bool:
        names = role_names(element.get(f"{{{EPUB}}}type"), element.get("role"))
        return self._is_hidden(element) or skipped_role(names, self._options.include_roles) is not None

    def _table(self, element: etree._Element) -> None:
        self._flush()
        for caption in element.iterchildren("{*}caption"):
            text = words(caption)
            if text:
                block = Block(tidy([Piece(text)]), self._frames[-1].language, self._place)
                self.page.items.append(block)
        self.page.rejected.append(Rejection(self._where(element), "a table is not read; write it out as sentences"))
        self._mark_below(element)

    def _ruby(self, element: etree._Element) -> None:
        language = normal_tag(element.get(_XML_LANG) or element.get("lang")) or self._frames[-1].language
        for base, reading in _ruby_pairs(element):
            said = clean(reading).strip()
            takes = primary(language) == "ja" and _KANA_ONLY.match(said) and _KANA.search(said)
            self._text(base, said if takes else None)


def _ruby_pairs(ruby: etree._Element) -> Iterator[tuple[str, str]]:
    """Yield (base, reading) in order; several bases before their readings are one pair."""
    base = reading = ""
    for kind, text in _ruby_runs(ruby):
        if kind == "rt":
            reading += text
            continue
        if reading:
            yield base, reading
            base = reading = ""
        base += text
    if base:
        yield base, reading


def _ruby_runs(ruby: etree._Element) -> Iterator[tuple[str, str]]:
    walker = etree.iterwalk(ruby, events=("start", "end"))
    inside = 0
    for event, element in walker:
        tag = local(element)
        if event == "start":
            inside += tag == "rt"
            if tag in _NEVER:
                walker.skip_subtree()
            elif element.text:
                yield from _run(element.text, inside)
        else:
            inside -= tag == "rt"
            if element.tail and element is not ruby:
                yield from _run(element.tail, inside)


def _run(text: str, inside: int) -> Iterator[tuple[str, str]]:
    """White space between the parts of a ruby is layout."""
    if text.strip():
        yield ("rt" if inside else "base"), text.strip("\n\t")
