"""The content of a line of ink: what it prints, its tags, and where logic in braces begins and ends."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from scheduler.scripts.gametext import short
from scheduler.scripts.segmentation import speakable

_OPEN_CONDITION = re.compile(r"\s*\{")
SEQUENCE = re.compile(r"\s*(?:(?:stopping|cycle|shuffle|once)\s*)+:|\s*[&!~$]")
_STRUCTURE = re.compile(r"[\\{}\[\]#]|->|<>")
_GOES = re.compile(r"(?:->|<-)\s*[\w.]*(?:\s*\([^()]*\))?")
_BRACE = re.compile(r"\\.|[{}]")
LABEL = re.compile(r"\s*\(\s*\w+\s*\)")

RUN_TIME = "is known only while the game runs; write each line it can become on a line of its own"


@dataclass(slots=True)
class Scan:
    """What one stretch of content holds."""

    said: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    end: int = 0
    """Column behind the last thing that belongs before the tags."""
    glued: bool = False
    problem: str = ""
    block_at: int = -1
    """Column behind a ``{`` that the line does not close."""
    closed: int = 0
    """How many blocks opened above its ``}`` close."""

    @property
    def text(self) -> str:
        """What it prints."""
        return "".join(self.said)


def past_condition(line: str, start: int) -> int:
    """Return the column behind the colon that ends a condition; ``start`` without one."""
    depth, quoted = 0, False
    for at in range(start, len(line)):
        char = line[at]
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char in "({":
            depth += 1
        elif char in ")}":
            depth -= 1
            if depth < 0:
                return start
        elif char == ":" and not depth:
            return at + 1
        elif char == "#":
            return start  # a tag: its colon ends no condition
    return start


def past_conditions(line: str, start: int) -> int:
    """Return the column behind the conditions in braces that open a choice."""
    at = start
    while True:
        opening = _OPEN_CONDITION.match(line, at)
        end = _closing(line, opening.end()) if opening is not None else -1
        if opening is None or end < 0:
            return at
        inner = line[opening.end() : end]
        if not _is_condition(inner):
            return at
        at = end + 1
        label = LABEL.match(line, at)
        at = label.end() if label is not None else at


def _is_condition(inner: str) -> bool:
    """Whether braces before the text of a choice hold a condition; ``!`` is "not" there, where no ``|`` follows."""
    if "|" in inner.replace("||", "") or ":" in inner:
        return False
    return SEQUENCE.match(inner) is None or inner.lstrip().startswith("!")


def _is_alternative(inner: str) -> bool:
    return "|" in inner.replace("||", "") or SEQUENCE.match(inner) is not None


def _closing(line: str, start: int) -> int:
    """Return the column of the ``}`` that closes the ``{`` before ``start``; -1 if the line does not close it."""
    depth = 1
    for match in _BRACE.finditer(line, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return match.start()
    return -1


def scanned(line: str, start: int, depth: int, *, is_choice: bool) -> Scan:
    """Go through content from a column on; ``depth`` is how many blocks are open around it."""
    scan = Scan(end=start + len(line[start:]) - len(line[start:].lstrip()))
    at, inside, mode = start, False, "text"
    while at < len(line):
        match = _STRUCTURE.search(line, at)
        stop = match.start() if match else len(line)
        _take(scan, line, at, stop, "inside" if inside and mode == "text" else mode)
        if match is None:
            break
        mark, at = match[0], match.end()
        if mark == "\\":
            at = min(len(line), at + 1)
            _take(scan, line, stop + 1, at, "inside" if inside and mode == "text" else mode)
            if mode == "text":
                scan.end = at if line[stop + 1 : at].strip() else stop + 1  # a blank may be the start of a comment
        elif mark == "#":
            mode = "tag"
            scan.tags.append("")
        elif mark == "->":
            mode = "divert"
        elif mark in "[]" and is_choice and mode != "divert":
            inside, mode = mark == "[", "text"
            scan.said.append("")
            scan.end = at
        elif mark == "}":
            _closing_brace(scan, line, at, depth)
            if scan.closed:
                break
        elif mark == "{" and mode == "tag":
            end = _closing(line, at)
            at = len(line) if end < 0 else end + 1
            _take(scan, line, stop, at, mode)
        elif mark == "{":
            at = _logic(scan, line, at, said=mode == "text" and not inside)
            if scan.block_at >= 0:
                break
        elif mark == "<>" and mode == "text":
            scan.glued = True
            scan.end = at
        else:
            _take(scan, line, stop, at, "inside" if inside and mode == "text" else mode)
    scan.tags = [tag.strip() for tag in scan.tags]
    return scan


def _take(scan: Scan, line: str, start: int, stop: int, mode: str) -> None:
    part = line[start:stop]
    if mode == "tag":
        scan.tags[-1] += part
    elif mode == "text":
        scan.said.append(part)
    if mode in ("text", "inside") and part.strip():
        scan.end = start + len(part.rstrip())


def _closing_brace(scan: Scan, line: str, at: int, depth: int) -> None:
    if not depth:
        scan.problem = scan.problem or r"a } that no { opens; write \} for one that is said"
        return
    scan.closed = max(1, 1 + line.count("}", at) - line.count("{", at))
    if speakable(line[at:].split("//", 1)[0].split("->", 1)[0]):
        scan.problem = f"the text behind the }} is part of a line that {RUN_TIME}"


def _logic(scan: Scan, line: str, at: int, *, said: bool) -> int:
    """Take ``{…}`` inside a line, or note that it opens a block."""
    end = _closing(line, at)
    if end < 0:
        scan.block_at = at
        return len(line)
    inner = line[at:end]
    scan.end = end + 1
    if said and not _only_goes(inner):
        kind = "an alternative" if _is_alternative(inner) else "a condition" if ":" in inner else "a printed value"
        scan.problem = scan.problem or f"{kind}, {short('{' + inner + '}')!r}, {RUN_TIME}"
    return end + 1


def _only_goes(inner: str) -> bool:
    """Whether logic prints nothing: conditions and alternatives with diverts and threads alone, empty braces."""
    if not inner.strip():
        return True
    after = past_condition(inner, 0)
    if not after:
        if not _is_alternative(inner):
            return False
        mark = SEQUENCE.match(inner)
        after = mark.end() if mark is not None else 0
    return not _GOES.sub(" ", inner[after:]).replace("|", " ").strip()
