"""What the lines of a slide deck in Markdown are: code fences, headings, comments, divs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt

from scheduler.scripts.blocks import clean

_FENCE = re.compile(r"\s*(?:[-*+]\s+|\d{1,9}[.)]\s+)?(`{3,}|~{3,})(.*)\Z")
ANY_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*\Z")
HEADING = re.compile(r" {0,3}(#{1,6})(?=[ \t]|\Z)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*\Z")
DIV = re.compile(r" {0,3}:{3,}")
_LIST = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s")


def fence_end(lines: Sequence[str], at: int) -> int | None:
    """Return the offset behind the code fence that opens at ``at``, or None if none does."""
    opened = _FENCE.match(lines[at])
    if opened is None or (opened[1][0] == "`" and "`" in opened[2]):
        return None
    mark = opened[1]
    for end in range(at + 1, len(lines)):
        text = lines[end].strip()
        if len(text) >= len(mark) and text == mark[0] * len(text):
            return end + 1
    return len(lines)


def first_heading(body: Sequence[str]) -> tuple[str, str]:
    """Return the words and the ``{#id}`` of the first heading; '' for what is not there."""
    at = 0
    while at < len(body):
        end = fence_end(body, at)
        if end is not None:
            at = end
            continue
        found = HEADING.match(body[at])
        text = body[at][found.end() :].strip() if found is not None else _over_underline(body, at)
        if text:
            return _words_and_id(text)
        at += 1
    return "", ""


def _words_and_id(text: str) -> tuple[str, str]:
    identity = ""
    bare = text.rstrip("#")
    text = bare.rstrip() if bare.endswith((" ", "\t")) else text  # hashes that close the heading
    if text.endswith("}") and "{" in text:
        text, _, attributes = text[:-1].rpartition("{")
        identity = next((word[1:] for word in attributes.split() if word.startswith("#")), "")
    return _plain(text.strip()), identity


def _over_underline(body: Sequence[str], at: int) -> str:
    below = body[at + 1] if at + 1 < len(body) else ""
    return body[at].strip() if _UNDERLINE.match(below) else ""


def _plain(text: str) -> str:
    """The words of a line of Markdown."""
    tokens = MarkdownIt("commonmark").parseInline(text)
    children = (tokens[0].children or []) if tokens else []
    words = (child.content for child in children if child.type in ("text", "code_inline", "text_special"))
    return clean("".join(words)).strip()[:200]


def slide_level(lines: Sequence[str]) -> int:
    """Pandoc's slide level: that of the highest heading which text follows directly."""
    level = 6
    open_level = 0
    at = 0
    while at < len(lines):
        end = fence_end(lines, at)
        heading = HEADING.match(lines[at]) if end is None else None
        if heading is not None:
            open_level = len(heading[1])
        elif open_level and lines[at].strip():
            level = min(level, open_level)
            open_level = 0
        at = end or at + 1
    return level


def comment_end(rest: str, lines: Sequence[str], at: int) -> tuple[list[str], bool, str, int]:
    """Return the lines of a comment, whether it is closed, what follows it on its last line, and that line."""
    content: list[str] = []
    for number in range(at, len(lines)):
        text = rest if number == at else lines[number]
        inside, closed, after = text.partition("-->")
        content.append(inside)
        if closed:
            return content, True, after, number
    return content, False, "", len(lines) - 1


def is_paragraph(line: str) -> bool:
    """Whether a line is text that hyphens below it would make a heading of."""
    text = line.strip()
    if not text or HEADING.match(line) or _LIST.match(line) or line.startswith(("  ", "\t")):
        return False
    return not (text.startswith((":::", "<", "|", ">", "```", "~~~")) or text.endswith("-->") or ANY_RULE.match(line))


def div_name(line: str) -> str | None:
    """Return what a line of colons opens, '' if it closes something, None if it is no such line."""
    found = DIV.match(line)
    return None if found is None else line[found.end() :].strip().rstrip(":").strip()


def names_notes(name: str) -> bool:
    """Whether the name of a div is that of notes."""
    is_list = name.startswith("{") and name.endswith("}")
    return name.lower() == "notes" or (is_list and ".notes" in name[1:-1].split())
