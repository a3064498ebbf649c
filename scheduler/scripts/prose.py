"""What is written in unmarked prose: chapter titles in several languages, hard wraps, a library's licence pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scheduler.scripts.blocks import Block, SceneBreak
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.segmentation import spoken_length

_NUMBER = (
    r"(?:[0-9]+|[ivxlcdm]+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen"
    r"|sixteen|seventeen|eighteen|nineteen|(?:twenty|thirty|forty|fifty)(?:[- ]\w+)?|the (?:first|second|third|last)"
    r"|first|second|third|last)"
)
_WORDS = (
    "chapter|book|part|act|scene|canto|stave|letter|volume|lesson|kapitel|teil|chapitre|partie|capítulo|capitulo|parte"
    "|capitolo|hoofdstuk|kapittel|rozdział|глава|часть"
)
_CHAPTER = re.compile(rf"(?:{_WORDS})\s+{_NUMBER}\s*(?:[.:—–-]+.*|\Z|\s+\S.*)", re.IGNORECASE)
_BARE_CHAPTER = re.compile(rf"(?:{_WORDS})\s+{_NUMBER}\s*[.:]?\s*", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:prologue|epilogue|preface|introduction|foreword|afterword|interlude|conclusion|prolog|epilog|vorwort|nachwort"
    r"|préface|prólogo|epílogo|пролог|эпилог)[.:]?\s*",
    re.IGNORECASE,
)
_CJK_CHAPTER = re.compile(
    r"[《〈【]?第\s*[0-9０-９零〇一二三四五六七八九十百千两兩]{1,8}\s*[章回节節卷部话話幕篇集夜]"
    r"(?:[\s　:：、].*|[^。！？]*)\Z"
)
_CJK_NAMED = re.compile(
    r"(?:序章|終章|终章|序言|尾声|尾聲|楔子|引子|前言|自序|後記|后记|あとがき|まえがき|プロローグ|エピローグ)\s*"
)
_UNDERLINE = re.compile(r"\s*(?:=+|-+|~+|\*+|＝+)\s*")
_SENTENCE_END = re.compile(r"[.!?。！？…:;,，、；：︰﹕][\"”’'»」』）)]*\s*\Z")
_FULL_STOP = re.compile(r"[.!?。！？…][\"”’'»」』）)]*\s*\Z")
_MAX_TITLE_CHARS = 80

_START = re.compile(
    r"^(?:\*{3}\s*START OF (?:THE|THIS) PROJECT GUTENBERG.*|\*END\*?\s*THE SMALL PRINT!?.*)$", re.IGNORECASE
)
"""What ends the library's header; before 2003 it was the end of the small print."""
_END = re.compile(
    r"^(?:\*{3}\s*END OF (?:THE|THIS) PROJECT GUTENBERG.*|End of (?:the )?Project Gutenberg.*|"
    r"\*\*\* END: FULL LICENSE \*\*\*.*)$",
    re.IGNORECASE,
)
_PAGES_START = re.compile(r"\*{3}\s*START OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)
_PAGES_END = re.compile(
    r"\*{3}\s*END OF (?:THE|THIS) PROJECT GUTENBERG|\A\W*End of (?:the )?Project Gutenberg", re.IGNORECASE
)
_OFFERED_AS = re.compile(
    r"(?:The )?Project Gutenberg(?:['’]s)?(?: e-?(?:book|text))?(?: of|,)? (?P<title>\S.{0,300}?)"
    r"(?:,? (?:by|par) (?P<author>[^,.]{1,100}))?[.,]?\Z",
    re.IGNORECASE,
)
_HEADER_BLOCKS = 200
_FOOTER_BLOCKS = 600
_MAX_LIBRARY_CHARS = 40_000
"""The licence is half as long; a longer block holds the work itself."""
_FIELD = re.compile(r"^(Title|Author|Language):\s*(\S.*)$")
_CREDIT = re.compile(
    r"(?:e-?text prepared by|produced by|transcribed (?:by|from)|this e-?text was|html version by)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Body:
    """The lines of a book without its library's pages."""

    lines: list[str]
    first: int
    """Line number of ``lines[0]`` in the file, from 1."""
    title: str = ""
    author: str = ""
    language: str | None = None
    stripped: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together."""

    lines: tuple[str, ...]
    number: int
    """Line in the file, from 1."""
    gap: int
    """Blank lines before it."""

    @property
    def text(self) -> str:
        """The lines, line ends kept."""
        return "\n".join(self.lines)


def strip_library(lines: list[str]) -> Body:
    """Take off a Project Gutenberg header and footer, and read title, author and language from it."""
    start = max((number for number, line in enumerate(lines[:2000]) if _START.match(line.strip())), default=None)
    if start is None:
        return Body(lines, 1)
    title, author = offered_as(next((line.strip() for line in lines if line.strip()), ""))
    facts = {match[1]: match[2].strip() for line in lines[:start] if (match := _FIELD.match(line.strip()))}
    end = next((n for n in range(len(lines) - 1, start, -1) if _END.match(lines[n].strip())), len(lines))
    # the line "End of the Project Gutenberg EBook" stands a few lines before the marker
    end = next((n for n in range(max(start + 1, end - 8), end) if _END.match(lines[n].strip())), end)
    body = lines[start + 1 : end]
    skip = _credits(body)
    language = normal_tag(facts.get("Language"))
    title, author = facts.get("Title", title), facts.get("Author", author)
    return Body(body[skip:], start + 2 + skip, title, author, language, True)


def offered_as(title: str) -> tuple[str, str]:
    """Title and author in the library's own line ``The Project Gutenberg eBook of …, by …``; '' where it is none."""
    match = _OFFERED_AS.match(" ".join(title.split()))
    return (match["title"], match["author"] or "") if match is not None else ("", "")


def without_library(items: Sequence[Block | SceneBreak]) -> tuple[int, int]:
    """Where the work begins and ends among blocks; the library's pages stand around it, or nothing does."""
    head = (n for n, item in enumerate(items[:_HEADER_BLOCKS]) if _says(item, _PAGES_START))
    start = next(head, None)
    if start is None:
        return 0, len(items)
    far = max(start + 1, len(items) - _FOOTER_BLOCKS)
    end = next((n for n in range(far, len(items)) if _says(items[n], _PAGES_END)), len(items))
    return start + 1, end


def _says(item: Block | SceneBreak, words: re.Pattern[str]) -> bool:
    if not isinstance(item, Block):
        return False
    text = item.text
    return len(text) <= _MAX_LIBRARY_CHARS and words.search(text) is not None


def _credits(body: list[str]) -> int:
    at = 0
    while True:
        first = next((n for n in range(at, len(body)) if body[n].strip()), len(body))
        if first == len(body) or not _CREDIT.match(body[first].strip()):
            return at
        at = next((n for n in range(first, len(body)) if not body[n].strip()), len(body))


def paragraphs(body: Body) -> list[Paragraph]:
    """Group lines into paragraphs by the habit of the file: blank lines, one line each, indents, double space."""
    blocks = _blocks(body)
    if _is_double_spaced(blocks):
        blocks = _rejoined(blocks)
    if _is_line_per_paragraph(blocks):
        return [part for block in blocks for part in _each_line(block)]
    return [part for block in blocks for part in _at_indents(block)]


def _blocks(body: Body) -> list[Paragraph]:
    found: list[Paragraph] = []
    lines: list[str] = []
    gap = pending = 0
    for number, line in enumerate([*body.lines, ""], body.first):
        if line.strip():
            if not lines:
                pending, gap = gap, 0
            lines.append(line)
        else:
            if lines:
                found.append(Paragraph(tuple(lines), number - len(lines), pending))
                lines = []
            gap += 1
    return found


def _is_double_spaced(blocks: list[Paragraph]) -> bool:
    """Whether each line of a wrapped text is followed by a blank one."""
    single = [block for block in blocks if len(block.lines) == 1]
    if len(blocks) < 20 or len(single) < 0.95 * len(blocks):
        return False
    width = _width(blocks)
    full = [block for block in single if _is_full(block, width)]
    cut_off = [block for block in full if not _SENTENCE_END.search(block.lines[0])]
    return width < 120 and len(full) > 0.3 * len(single) and len(cut_off) > 0.5 * len(full)


def _width(blocks: list[Paragraph]) -> int:
    """The column at which a text is wrapped: nine lines in ten are not longer."""
    lengths = sorted(len(block.lines[-1].strip()) for block in blocks)
    return lengths[len(lengths) * 9 // 10]


def _is_full(block: Paragraph, width: int) -> bool:
    return len(block.lines[-1].strip()) >= 0.85 * width


def _rejoined(blocks: list[Paragraph]) -> list[Paragraph]:
    width = _width(blocks)
    done: list[Paragraph] = []
    for block in blocks:
        lines = tuple(line.strip() for line in block.lines)
        last = done[-1] if done else None
        if last is not None and block.gap <= 1 and _is_full(last, width) and not is_title(block):
            done[-1] = Paragraph((*last.lines, *lines), last.number, last.gap)
        else:
            done.append(Paragraph(lines, block.number, block.gap))
    return done


def _is_line_per_paragraph(blocks: list[Paragraph]) -> bool:
    """Whether a line is a paragraph (web novels, many CJK files): its lines end as sentences do, at any length."""
    several = (line for block in blocks if len(block.lines) > 1 for line in block.lines)
    lines = [line for line in several if not is_title(Paragraph((line,), 0, 0))]  # which end as they like
    if len(lines) < 4:
        return False
    ended = sum(1 for line in lines if _FULL_STOP.search(line))
    longest = max(len(line.rstrip()) for line in lines)
    return ended > 0.7 * len(lines) or (longest > 200 and ended > 0.4 * len(lines))


def _each_line(block: Paragraph) -> list[Paragraph]:
    return [
        Paragraph((line,), block.number + offset, block.gap if offset == 0 else 0)
        for offset, line in enumerate(block.lines)
    ]


def _at_indents(block: Paragraph) -> list[Paragraph]:
    """Divide at lines indented when their neighbours are not."""
    starts = [n for n, line in enumerate(block.lines) if n > 0 and _indent(line) > _indent(block.lines[n - 1])]
    flush = sum(1 for line in block.lines if not _indent(line))
    if not starts or flush < len(block.lines) / 2:
        return [block]
    edges = [0, *starts, len(block.lines)]
    return [Paragraph(block.lines[a:b], block.number + a, block.gap if a == 0 else 0) for a, b in pairwise(edges)]


def _indent(line: str) -> int:
    width = len(line) - len(line.lstrip())
    return width if width >= 2 or line.startswith(("\u3000", "\t")) else 0


def is_title(paragraph: Paragraph) -> bool:
    """Whether a paragraph is a chapter's title by its words."""
    text = " ".join(line.strip() for line in paragraph.lines)
    if len(paragraph.lines) > 3 or len(text) > _MAX_TITLE_CHARS:
        return False
    first = paragraph.lines[0].strip()
    if _CJK_CHAPTER.fullmatch(text) or _CJK_NAMED.fullmatch(text) or _NAMED.fullmatch(text):
        return True
    if not _CHAPTER.fullmatch(first):
        return False
    if len(paragraph.lines) == 1:
        return _BARE_CHAPTER.match(first) is not None and _reads_like_title(first)
    return _BARE_CHAPTER.fullmatch(first) is not None and not text.rstrip().endswith((",", ";"))


def _reads_like_title(line: str) -> bool:
    """Tell 'Chapter 3: The Gate' and 'CHAPTER III' from 'Part one of the plan had failed, …'."""
    rest = _BARE_CHAPTER.sub("", line, count=1).strip(" .:—–-")
    if not rest:
        return True
    words = rest.split()
    return not line.endswith((",", ";")) and (words[0][0].isupper() or not words[0][0].isalpha())


def is_contents(paragraph: Paragraph) -> bool:
    """Whether a paragraph is a printed table of contents: chapter titles line by line."""
    lines = [line.strip() for line in paragraph.lines if len(line) <= 2 * _MAX_TITLE_CHARS]
    titles = sum(1 for line in lines if _CHAPTER.fullmatch(line) or _CJK_CHAPTER.fullmatch(line))
    return len(paragraph.lines) >= 3 and titles > 0.7 * len(paragraph.lines)


def is_underlined(paragraph: Paragraph) -> bool:
    """Whether a paragraph is a line over a line of = or -."""
    return (
        len(paragraph.lines) == 2
        and len(paragraph.lines[1].strip()) >= 3
        and _UNDERLINE.fullmatch(paragraph.lines[1]) is not None
        and 0 < len(paragraph.lines[0].strip()) <= _MAX_TITLE_CHARS
    )


def stands_alone(paragraph: Paragraph, following: Paragraph | None) -> bool:
    """Whether a paragraph looks like a title by its surroundings: short, unpunctuated, two blank lines above."""
    line = paragraph.lines[0].strip()
    return (
        len(paragraph.lines) == 1
        and paragraph.gap >= 2
        and following is not None
        and spoken_length(line) <= 60
        and "。" not in line
        and any(char.isalnum() for char in line)
        and not _SENTENCE_END.search(line)
        and not line.startswith(("“", '"', "「", "—", "-", "*"))
    )
