"""The words of a text object: white space as XML means it, ruby apart, inner times kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scheduler.scripts.blocks import clean
from scheduler.scripts.dapt.model import TimedPart
from scheduler.scripts.dapt.names import TT, TTS, XML
from scheduler.scripts.dapt.times import Interval, Rates
from scheduler.scripts.dapt.tree import Node

_SPACE = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True, slots=True)
class _Run:
    text: str
    is_kept: bool
    """White space stands as written."""
    ruby: str
    """base, text, delimiter; '' is plain text."""
    timed: Node | None
    """The outermost span with a time of its own."""


def words(node: Node) -> tuple[str, str]:
    """Return the text of a ``p``, and the text as it is read aloud where ruby gives readings ('' without ruby)."""
    runs = list(_runs(node, "", None))
    text = _joined([run for run in runs if run.ruby not in ("text", "delimiter")])
    if not any(run.ruby == "text" for run in runs):
        return text, ""
    return text, _joined([run for run in runs if run.ruby not in ("base", "delimiter")])


def plain_text(node: Node) -> str:
    """Return the character data of a metadata element."""
    text = node.own_text()
    return text if _keeps_space(node) else _SPACE.sub(" ", text).strip(" ")


def needs_kept_space(text: str) -> bool:
    """Whether a text would not come back as it is from an element without ``xml:space``."""
    return clean(text).strip(" ") != text or _SPACE.sub(" ", text).strip(" ") != text


def timed_parts(node: Node, interval: Interval, rates: Rates) -> tuple[TimedPart, ...]:
    """Return the parts of a ``p`` if any of its spans has a time; ``interval`` is that of the ``p``.

    Raises TimeFault.
    """
    runs = [run for run in _runs(node, "", None) if run.ruby not in ("text", "delimiter")]
    if all(run.timed is None for run in runs):
        return ()
    parts: list[TimedPart] = []
    at = 0
    while at < len(runs):
        end = at + 1
        while end < len(runs) and runs[end].timed is runs[at].timed:
            end += 1
        span = runs[at].timed
        own = interval if span is None else _inside(span, node, interval, rates)
        text = _joined(runs[at:end])
        if text:
            parts.append(TimedPart(text, own.begin, own.end))
        at = end
    return settled(parts, _joined(runs))


def settled(parts: Sequence[TimedPart], text: str) -> tuple[TimedPart, ...]:
    """Return parts that join to the whole text: white space between two of them goes to the later one."""
    done: list[TimedPart] = []
    at = 0
    for part in parts:
        words_only = part.text.strip()
        found = text.find(words_only, at) if words_only else -1
        if found >= 0:
            done.append(replace(part, text=text[at : found + len(words_only)]))
            at = found + len(words_only)
    if done and at < len(text):
        done[-1] = replace(done[-1], text=done[-1].text + text[at:])
    return tuple(done)


def _inside(span: Node, text: Node, interval: Interval, rates: Rates) -> Interval:
    chain = [span]
    while chain[-1].parent is not None and chain[-1].parent is not text:
        chain.append(chain[-1].parent)
    for node in reversed(chain):
        interval = interval.inside(node, rates)
    return interval


def _runs(node: Node, ruby: str, timed: Node | None) -> Iterator[_Run]:
    is_kept = _keeps_space(node)
    for item in node.content:
        if isinstance(item, str):
            yield _Run(item, is_kept, ruby, timed)
        elif item.is_a(TT, "br"):
            yield _Run("\n", is_kept, ruby, timed)
        elif item.is_a(TT, "span"):
            role = item.get(TTS, "ruby") or ""
            has_time = any(item.plain(name) is not None for name in ("begin", "end", "dur"))
            own = item if timed is None and has_time else timed
            yield from _runs(item, role if role in ("base", "text", "delimiter") else ruby, own)


def _joined(runs: list[_Run]) -> str:
    """Join runs; white space that is not kept closes up to one space, to none at the edges and between CJK lines."""
    pieces: list[str] = []
    at = 0
    while at < len(runs):
        end = at + 1
        while end < len(runs) and runs[end].is_kept == runs[at].is_kept:
            end += 1
        text = "".join(run.text for run in runs[at:end])
        if not runs[at].is_kept:
            text = clean(text)
            text = text.lstrip(" ") if not pieces or pieces[-1][-1:].isspace() else text
            text = text.rstrip(" ") if end == len(runs) else text
        if text:
            pieces.append(text)
        at = end
    return "".join(pieces)


def _keeps_space(node: Node) -> bool:
    return node.inherited(XML, "space") == "preserve"
