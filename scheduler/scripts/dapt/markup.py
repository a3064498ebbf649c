"""XML written by hand: the same document is the same bytes, and every character comes back as it was."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scheduler.scripts.dapt.flow import needs_kept_space

_IMPOSSIBLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_VALUE = {**_TEXT, '"': "&quot;", "\n": "&#10;", "\t": "&#9;"}
_TEXT_TABLE = str.maketrans(_TEXT)
_VALUE_TABLE = str.maketrans(_VALUE)


def impossible(text: str) -> str | None:
    """Return the first character that no XML file can hold, as U+0000, or None."""
    match = _IMPOSSIBLE.search(text)
    return None if match is None else f"U+{ord(match[0]):04X}"


def opened(name: str, attributes: Iterable[tuple[str, str | None]] = (), *, is_empty: bool = False) -> str:
    """Return a start tag; attributes that are None are left out."""
    written = "".join(f' {key}="{value.translate(_VALUE_TABLE)}"' for key, value in attributes if value is not None)
    return f"<{name}{written}{'/' if is_empty else ''}>"


def escaped(text: str) -> str:
    """Return character data."""
    return text.translate(_TEXT_TABLE)


def element(name: str, text: str, attributes: Iterable[tuple[str, str | None]] = ()) -> str:
    """Return an element that holds only text; ``xml:space`` is set where white space would be lost."""
    kept = ("xml:space", "preserve" if needs_kept_space(text) else None)
    return f"{opened(name, (*attributes, kept))}{escaped(text)}</{name}>"


def raw_element(name: str, text: str, attributes: Iterable[tuple[str, str | None]] = ()) -> str:
    """Return an element whose text is read back to the letter, without ``xml:space``."""
    return f"{opened(name, attributes)}{escaped(text)}</{name}>"
