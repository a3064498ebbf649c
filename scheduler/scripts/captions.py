"""What the captions of broadcasters share: the marks at which one caption goes from one speaker to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scheduler.scripts.cues import Run, labelled

_LABEL_CHARS = 80
_TURN = re.compile(r"(?:^|(?<=\s))>{2,3}[ \t]*(?=\S|$)|(?<=[.!?])>>", re.MULTILINE)


def turns(text: str, carried: str = "") -> Iterator[Run]:
    """Divide a caption at ``>>``, which marks a change of speaker; a name and a colon after it say who speaks."""
    if ">>" not in text:
        if text.strip():
            yield Run(text.strip(), carried)
        return
    at = 0
    name = carried
    for match in _TURN.finditer(text):
        if text[at : match.start()].strip():
            yield Run(text[at : match.start()].strip(), name)
        ahead = text[match.end() : match.end() + _LABEL_CHARS]
        name, rest = labelled(ahead)
        at = match.end() + len(ahead) - len(rest)
    if text[at:].strip():
        yield Run(text[at:].strip(), name)
