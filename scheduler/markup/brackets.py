r"""Brackets: the short spelling of markup, for text and Markdown.

    [pause 500ms] [pause:1.5] [break]         silence, at most 10 s; a bare number is seconds
    [voice:alice]…[/voice]                    a character speaks
    [emotion:sad]…[/emotion] [rate:90%]…[/rate] [lang:ja]…[/lang]
    [reaction:laugh] [mark:here]
    {漢字|かな} {重庆|chong2 qing4}            a reading, as engines take it
    [phoneme:ipa:…]word[/phoneme] [sub:World Wide Web]WWW[/sub] [say-as:characters]SQL[/say-as]
    [paragraph]…[/paragraph] [sentence]…[/sentence]
    \[ \] \{ \} \\                            the character itself

Anything else that looks like a tag is an error with its line. Brackets around ordinary words are ordinary text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scheduler.markup import values
from scheduler.markup.nodes import (
    PLAIN_BREAK_MS,
    Break,
    Container,
    Leaf,
    Mark,
    Node,
    Phoneme,
    Reaction,
    SayAs,
    Sub,
    Text,
    Tree,
    misplaced,
    normal,
    with_children,
)
from scheduler.scripts.errors import MarkupError

UNDERSTOOD = (
    "[pause 500ms], [voice:Name], [emotion:sad], [rate:90%], [lang:ja] with their [/voice] …, [reaction:laugh], "
    "[mark:name], {word|reading}"
)
_VALUE = r"(?:[^\[\]\\\n]|\\[\[\]\\])*"
_TOKEN = re.compile(
    r"(?P<escape>\\[\[\]{}\\])"
    r"|\{(?P<term>[^{}|]{0,2000})\|(?P<reading>[^{}|]{0,2000})\}"
    r"|(?P<half>\{[^{}|\n]{1,2000}\|)"
    r"|\[(?P<pause>pause|break)(?P<length>(?:\s|:)[^\[\]]*)?\]"
    rf"|\[(?P<body>/?[A-Za-z][\w-]*(?:\s*:{_VALUE}|\s+\d+(?:\.\d+)?\s*m?s\s*)?)\]"
    r"|(?P<open>\[(?:pause|break)[\s:]*\d|\[[A-Za-z][\w-]*\s*:(?!\s|//))",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\(.)")
_LEAVES = ("reaction", "mark")
_WORDS = ("phoneme", "sub", "say-as")
"""Tags around words alone."""
_RESERVED = frozenset({*values.CONTAINERS, *_LEAVES, *_WORDS, "pause", "break", "prosody"})


@dataclass(frozen=True, slots=True)
class _Open:
    """A tag that waits for its end."""

    name: str
    written: str
    line: int
    node: Container | None
    """None for tags around words alone."""
    value: str = ""


@dataclass(slots=True)
class BracketParser:
    """Reads a document run by run; containers stay open from one run to the next."""

    file: str
    _open: list[_Open] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether a container waits for its end."""
        return bool(self._open)

    def run(self, text: str, line: int) -> Tree:
        """The tree of a run of text that starts at ``line``, inside what the runs before it left open.

        Raises MarkupError, with the line, for markup that is not understood.
        """
        frames: list[list[Node]] = [[] for _ in range(len(self._open) + 1)]
        at = 0
        for match in _tokens(text):
            frames[-1].append(Text(text[at : match.start()]))
            at = match.end()
            self._take(match, frames, line + text.count("\n", 0, match.start()))
        frames[-1].append(Text(text[at:]))
        words = next((tag for tag in self._open if tag.node is None), None)
        if words is not None:
            raise self._unclosed(words)
        for tag in reversed(self._open):
            self._wrap(tag, frames)
        return normal(frames[0])

    def finish(self) -> None:
        """Raise MarkupError if a container is still open."""
        if self._open:
            raise self._unclosed(self._open[-1])

    def _take(self, match: re.Match[str], frames: list[list[Node]], line: int) -> None:
        if match["escape"] is not None:
            frames[-1].append(Text(match["escape"][1]))
        elif match["half"] is not None or match["open"] is not None:
            raise self._unknown(match[0], line)
        elif match["body"] is not None and match["body"].startswith("/"):
            self._close(match["body"][1:].strip().lower(), frames, line)
        else:
            if self._open and self._open[-1].node is None:
                raise self._error(line, f"{match[0]} stands inside {self._open[-1].written}, which takes words alone")
            try:
                self._place(match, frames, line)
            except values.BadValue as error:
                raise self._error(line, f"{_shown(match[0])}: {error}") from error

    def _place(self, match: re.Match[str], frames: list[list[Node]], line: int) -> None:
        """Put a leaf into the tree, or open a container. Raises BadValue."""
        if match["term"] is not None:
            frames[-1].append(_inline(match["term"], match["reading"], line))
        elif match["pause"] is not None:
            length = (match["length"] or "").lstrip(": \t\n")
            ms = values.break_ms(length, bare_seconds=True) if length.strip() else PLAIN_BREAK_MS
            frames[-1].append(Break(ms))
        else:
            name, colon, value = match["body"].partition(":")
            self._tag(name.strip().lower(), _ESCAPED.sub(r"\1", value) if colon else "", match[0], frames, line)

    def _tag(self, name: str, value: str, written: str, frames: list[list[Node]], line: int) -> None:
        if name in _LEAVES:
            known = values.name(value)
            frames[-1].append(Reaction(known) if name == "reaction" else Mark(known))
            return
        if name in _WORDS:
            self._open.append(_Open(name, _shown(written), line, None, value))
        elif name in values.CONTAINERS:
            node = values.CONTAINERS[name](value)
            wrong = misplaced(node, (tag.node for tag in self._open if tag.node is not None))
            if wrong is not None:
                raise self._error(line, f"{_shown(written)}: {wrong}")
            self._open.append(_Open(name, _shown(written), line, node))
        else:
            raise self._unknown(written, line)
        frames.append([])

    def _close(self, name: str, frames: list[list[Node]], line: int) -> None:
        if name not in _RESERVED:
            raise self._unknown(f"[/{name}]", line)
        if not self._open:
            raise self._error(line, f"[/{name}] closes nothing; open it with [{name}{_SAMPLES.get(name, '')}]")
        tag = self._open[-1]
        if tag.name != name:
            raise self._error(
                line, f"[/{name}] stands where {tag.written} of line {tag.line} is open; close [/{tag.name}] first"
            )
        try:
            self._wrap(tag, frames)
        except values.BadValue as error:
            raise self._error(tag.line, f"{tag.written}: {error}") from error
        self._open.pop()

    def _wrap(self, tag: _Open, frames: list[list[Node]]) -> None:
        children = normal(frames.pop())
        if tag.node is not None:
            frames[-1].append(with_children(tag.node, children))
        else:
            frames[-1].append(_words(tag, "".join(node.text for node in children if isinstance(node, Text))))

    def _unclosed(self, tag: _Open) -> MarkupError:
        return self._error(tag.line, f"{tag.written} is never closed; write [/{tag.name}] where it ends")

    def _unknown(self, tag: str, line: int) -> MarkupError:
        reason = f"{_shown(tag)} is not markup that is understood ({UNDERSTOOD}); write \\{tag[0]} for text"
        return self._error(line, reason)

    def _error(self, line: int, reason: str) -> MarkupError:
        return MarkupError(self.file, f"line {line}", reason)


_SAMPLES = {
    "voice": ":Name",
    "emotion": ":sad",
    "lang": ":ja",
    "rate": ":90%",
    "sub": ":words",
    "say-as": ":characters",
}


def parse(text: str, file: str, line: int = 1) -> Tree:
    """The tree of a whole text. Raises MarkupError with the line."""
    parser = BracketParser(file)
    tree = parser.run(text, line)
    parser.finish()
    return tree


def _inline(term: str, reading: str, line: int) -> Leaf:
    said = " ".join(reading.split())
    if not term.strip() or not said:
        raise values.BadValue("fill both sides, as in {SQL|sequel}")
    return Phoneme(term, said, "x-inline", line)


def _words(tag: _Open, text: str) -> Leaf:
    if not text.strip():
        raise values.BadValue("it stands around nothing; put words between its tags")
    if tag.name == "sub":
        return Sub(text, values.name(tag.value))
    if tag.name == "say-as":
        return SayAs(text, values.say_as(tag.value))
    alphabet, colon, phonemes = tag.value.partition(":")
    if not colon or not phonemes.strip():
        raise values.BadValue("write [phoneme:alphabet:sounds], as in [phoneme:ipa:həˈloʊ]")
    return Phoneme(text, " ".join(phonemes.split()), values.alphabet(alphabet), tag.line)


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """Escapes, readings and tags in order; what stands in ordinary brackets is looked at too."""
    at = 0
    while match := _TOKEN.search(text, at):
        if match["body"] is not None and not _is_tag(match["body"]):
            at = match.start() + 1
            continue
        yield match
        at = match.end()


def _is_tag(body: str) -> bool:
    name = re.split(r"[\s:]", body.lstrip("/"), maxsplit=1)[0].lower()
    if body.startswith("/") or name in _RESERVED:
        return True
    value = body.partition(":")[2]
    return bool(value) and not value[0].isspace() and not value.startswith("//")


def is_markup(text: str) -> str | None:
    """The first thing in the text that is markup, or looks like it; None if there is none."""
    return next((match[0] for match in _tokens(text) if match["escape"] is None), None)


def _shown(tag: str) -> str:
    flat = " ".join(tag.split())
    return flat if len(flat) <= 60 else flat[:57] + "..."
