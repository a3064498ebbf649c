"""Writes ``#id:`` tags into ink, which has no ids of its own: a line then keeps its take when its words change.

The tag stands behind the text and before a divert and other tags (``Hello. #id:1a2b3c4d -> next``), which ink has
understood since version 1.0.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter

from scheduler.scripts.ink import parse_ink
from scheduler.scripts.segmentation import speakable

_LINE = re.compile(r"([^\r\n]*)(\r\n?|\n|\Z)")
_ID = re.compile(r"#\s*id\s*:\s*([^\s#\]\[}]+)", re.IGNORECASE)
_ID_CHARS = 8


def assign_ids(text: str) -> str:
    """Return the script with an id on every line that is spoken and has none; all else stays byte for byte.

    Run on its own result it changes nothing. An id is made from the knot, the words and the how-many-th equal line of
    the knot; one that the file uses already is never given again.
    """
    parts = [(match[1], match[2]) for match in _LINE.finditer(text)]
    taken = set(_ID.findall(text))
    seen: Counter[tuple[str, str]] = Counter()
    inserted: dict[int, str] = {}
    columns: dict[int, int] = {}
    for line in parse_ink([body for body, _ in parts]).lines:
        seen[line.section, line.text] += 1
        if line.identity or line.problem or not speakable(line.text) or line.number in columns:
            continue
        facts = f"{line.section}\0{line.text}\0{seen[line.section, line.text]}"
        name = _unused(facts, taken)
        taken.add(name)
        inserted[line.number], columns[line.number] = f" #id:{name}", line.tag_at
    done = []
    for number, (body, end) in enumerate(parts, 1):
        if number in columns:
            body = body[: columns[number]] + inserted[number] + body[columns[number] :]
        done.append(body + end)
    return "".join(done)


def _unused(facts: str, taken: set[str]) -> str:
    """Return the first digits of the hash that nobody has."""
    turn = 0
    while True:
        name = hashlib.sha256(f"{facts}\0{turn}".encode("utf-8", "replace")).hexdigest()[:_ID_CHARS]
        if name not in taken:
            return name
        turn += 1
