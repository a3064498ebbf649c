"""Stable names: a line keeps its key when lines around it come and go."""

from __future__ import annotations

import hashlib
import re
from collections import Counter

_UNSAFE = re.compile(r"[^\w]+")
_MAX_KEY_CHARS = 60


class LineKeys:
    """Hands out line keys for one document: sha256 of section, text and the how-many-th equal text in the section."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()
        self._names = _Names()

    def of_text(self, section: str, text: str) -> str:
        """Return a key for a line that has no id of its own."""
        self._seen[section, text] += 1
        facts = f"{section}\0{text}\0{self._seen[section, text]}"
        return self.claim(hashlib.sha256(facts.encode("utf-8", "replace")).hexdigest()[:16])

    def claim(self, wanted: str) -> str:
        """Return ``wanted``, or ``wanted~2`` and so on where it is taken."""
        return self._names.unused(wanted)


class SectionKeys:
    """Hands out section keys for one document: lower-case words joined by hyphens."""

    def __init__(self) -> None:
        self._names = _Names()

    def of_title(self, title: str) -> str:
        """Return a key made from a title or a file name."""
        slug = _UNSAFE.sub("-", title).strip("-_").lower()[:_MAX_KEY_CHARS].rstrip("-_")
        return self._names.unused(slug or "section")


class _Names:
    """Keeps names apart by numbering the later ones."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: Counter[str] = Counter()

    def unused(self, wanted: str) -> str:
        key = wanted
        while key in self._taken:
            self._counts[wanted] += 1
            key = f"{wanted}~{self._counts[wanted] + 1}"
        self._taken.add(key)
        return key
