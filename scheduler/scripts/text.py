"""Plain text: books from Gutenberg, web novels, anything a person typed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import PurePath
from typing import TypeGuard

from scheduler.scripts.aozora import AozoraReader, ends_as_aozora
from scheduler.scripts.blocks import Block, SceneBreak, is_scene_break, tidy
from scheduler.scripts.builder import Builder, Draft, Item, only_titles
from scheduler.scripts.detection import of_text
from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.markup import Speakers, without_notes
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.prose import (
    Body,
    Paragraph,
    is_contents,
    is_title,
    is_underlined,
    paragraphs,
    stands_alone,
    strip_library,
)
from scheduler.scripts.source import ScriptSource

_EMPHASIS = re.compile(r"(?<![\w_])_([^_]{1,2000}?)_(?![\w_])")


class TextReader:
    """Reads ``.txt``: paragraphs at blank lines, hard wraps joined, chapters by their titles."""

    name = "text"
    suffixes = (".txt", ".text")
    kind = "audiobook"

    def sniff(self, head: bytes) -> bool:
        """Plain text has no signature: it is known by its suffix alone."""
        return False

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a text file whole."""
        text, encoding = decode(source.data(options.max_file_bytes), source.name, options.encoding)
        to_lines(text, source.name, options.max_source_line_chars)
        if ends_as_aozora(text):
            return AozoraReader().read(source, replace(options, encoding=encoding))
        text, notes = without_notes(text)
        body = strip_library(to_lines(text, source.name, options.max_source_line_chars))
        notices = _notices(encoding, notes, body)
        language = normal_tag(options.language) or body.language
        if language is None:
            language, sure = of_text("\n".join(body.lines))
            if not sure:
                notices.append(Rejection("", f"no language is stated: read as {language!r}; --language says otherwise"))
        builder = Builder(source.name, options)
        title = body.title or PurePath(source.name).stem
        drafts = _drafts(paragraphs(body), language, title, Speakers.start(source.name, language))
        sections = builder.sections(drafts, "chapter")
        return ScriptDocument(
            title=title,
            author=body.author,
            language=language,
            kind="audiobook",
            format=self.name,
            sections=sections,
            rejected=tuple(builder.rejected),
            notices=tuple(notices),
        )


def _notices(encoding: str, notes: int, body: Body) -> list[Rejection]:
    found = []
    if encoding not in ("utf-8", "ascii"):
        found.append(Rejection("", f"read as {encoding}"))
    if notes:
        found.append(Rejection("", f"{notes} bracketed notes of the transcriber left out"))
    if body.stripped:
        found.append(Rejection("", "Project Gutenberg header and footer left out"))
    return found


def _drafts(found: list[Paragraph], language: str, title: str, speakers: Speakers) -> list[Draft]:
    first = next((number for number, paragraph in enumerate(found) if is_title(paragraph)), None)
    # one story of a collection may have numbered chapters, and the others only their titles
    by_words = first is not None and first < 0.25 * len(found)
    drafts = [Draft(title, title, [])]
    for number, paragraph in enumerate(found):
        if is_contents(paragraph):
            continue
        following = found[number + 1] if number + 1 < len(found) else None
        alone = stands_alone(paragraph, following)
        starts = is_title(paragraph) or is_underlined(paragraph) or (alone and not by_words and number > 0)
        block = _block(paragraph, language, speakers, heading=starts or (alone and by_words and number > 0))
        if starts and block.text:
            if not only_titles(drafts[-1].items):
                drafts.append(Draft(block.text, block.text, []))
            else:
                drafts[-1] = Draft(block.text, block.text, drafts[-1].items)
        if is_scene_break(block.text):
            drafts[-1].items.append(SceneBreak(block.place))
        elif block.pieces:
            drafts[-1].items.append(block)
    speakers.finish()
    return _without_contents([draft for draft in drafts if draft.items])


def _block(paragraph: Paragraph, language: str, speakers: Speakers, *, heading: bool) -> Block:
    lines = paragraph.lines[:1] if is_underlined(paragraph) else paragraph.lines
    text = _EMPHASIS.sub(r"\1", "\n".join(lines))
    pieces = tidy(speakers.pieces(text, paragraph.number))
    return Block(pieces, language, f"line {paragraph.number}", heading, 2 if heading else 0)


def _without_contents(drafts: list[Draft]) -> list[Draft]:
    """Drop headings that come again with their text: a table of contents printed line by line."""
    kept: list[Draft] = []
    counts = Counter(_title_key(item.text) for draft in drafts for item in draft.items if _is_heading(item))
    for draft in drafts:
        headings = [item for item in draft.items if isinstance(item, Block) and item.heading]
        if len(headings) < 3 or len({_title_key(item.text) for item in headings}) < 3:
            kept.append(draft)
            continue
        later = []
        for item in draft.items:
            key = _title_key(item.text) if isinstance(item, Block) and item.heading else ""
            if key and counts[key] > 1:
                counts[key] -= 1
            else:
                later.append(item)
        kept.append(Draft(draft.name, draft.title, later))
    return kept


def _title_key(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _is_heading(item: Item) -> TypeGuard[Block]:
    return isinstance(item, Block) and item.heading
