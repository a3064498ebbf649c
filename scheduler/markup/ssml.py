"""SSML 1.1, as much of it as a line can follow; everything else is an error with its line.

speak p s                               xml:lang
break                                   time (at most 10 s) or strength
phoneme                                 ph, alphabet
sub                                     alias
say-as                                  interpret-as: characters cardinal ordinal date time telephone
lang                                    xml:lang
prosody                                 rate, 80% to 125%
voice                                   name, and xml:lang
mark                                    name
emotion, reaction (in NAMESPACE)        name
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from scheduler.markup import values
from scheduler.markup.nodes import (
    PLAIN_BREAK_MS,
    Break,
    Container,
    Emotion,
    Lang,
    Leaf,
    Mark,
    Node,
    Paragraph,
    Phoneme,
    Prosody,
    Reaction,
    SayAs,
    Sentence,
    Sub,
    Text,
    Tree,
    Voice,
    misplaced,
    normal,
    with_children,
)
from scheduler.scripts.errors import MarkupError, ScriptRefused
from scheduler.scripts.xmlsafe import parse_xml

if TYPE_CHECKING:
    from lxml import etree

SSML = "http://www.w3.org/2001/10/synthesis"
NAMESPACE = "https://voicefarm.invalid/ns/direction"
"""Of the two elements that SSML does not have."""
XML = "http://www.w3.org/XML/1998/namespace"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_LANG = f"{{{XML}}}lang"
_ON_SPEAK = frozenset({"version", _LANG, f"{{{XML}}}base", f"{{{_XSI}}}schemaLocation"})
_ATTRIBUTES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "p": frozenset({_LANG}),
        "s": frozenset({_LANG}),
        "break": frozenset({"time", "strength"}),
        "phoneme": frozenset({"ph", "alphabet"}),
        "sub": frozenset({"alias"}),
        "say-as": frozenset({"interpret-as"}),
        "lang": frozenset({_LANG}),
        "prosody": frozenset({"rate"}),
        "voice": frozenset({"name", _LANG}),
        "mark": frozenset({"name"}),
        "emotion": frozenset({"name"}),
        "reaction": frozenset({"name"}),
    }
)
_OURS = frozenset({"emotion", "reaction"})
_EMPTY = frozenset({"break", "mark", "reaction"})
_WORDS = frozenset({"phoneme", "sub", "say-as"})


def parse(data: bytes, file: str) -> tuple[Tree, str | None]:
    """The tree of a document and the language it states for itself.

    Raises MarkupError with the line for what is not in the subset, and what ``xmlsafe.parse_xml`` raises.
    """
    try:
        root = parse_xml(data, file, "")
    except ScriptRefused as error:
        raise ScriptRefused(file, error.place.strip(), error.reason) from error
    walk = _Walk(file)
    if walk.name(root) != "speak":
        raise walk.error(root, f"the document is a <{_local(root)}>, not a <speak>; name its format with --format")
    walk.check_attributes(root, "speak", _ON_SPEAK)
    with walk.at(root):
        stated = None if root.get(_LANG) is None else values.language(root.get(_LANG, ""))
    return walk.children(root, ()), stated


class _At:
    """Turns BadValue into MarkupError at an element."""

    def __init__(self, walk: _Walk, element: etree._Element) -> None:
        self._walk = walk
        self._element = element

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, values.BadValue):
            raise self._walk.error(self._element, f"<{_local(self._element)}>: {error}") from error


class _Walk:
    def __init__(self, file: str) -> None:
        self.file = file

    def at(self, element: etree._Element) -> _At:
        return _At(self, element)

    def error(self, element: etree._Element, reason: str) -> MarkupError:
        return MarkupError(self.file, f"line {_line(element) or 1}", reason)

    def name(self, element: etree._Element) -> str:
        """The element's name in the subset. Raises MarkupError for one of somebody else's."""
        namespace, local = _qualified(element)
        ours = namespace == NAMESPACE
        known = local in _OURS if ours else local == "speak" or (local in _ATTRIBUTES and local not in _OURS)
        if not known or namespace not in ("", SSML, NAMESPACE):
            raise self.error(element, f"<{_local(element)}> is not read; docs/scripts.md lists the elements that are")
        return local

    def check_attributes(self, element: etree._Element, name: str, known: frozenset[str]) -> None:
        unknown = sorted(str(key) for key in element.keys() if str(key) not in known)  # noqa: SIM118  # not a dict
        if unknown:
            shown = ", ".join(key.rpartition("}")[2] for key in unknown)
            raise self.error(element, f"<{name}> with {shown} is not understood; take it off")

    def children(self, element: etree._Element, around: tuple[Container, ...]) -> Tree:
        return normal(self._contents(element, around))

    def _contents(self, element: etree._Element, around: tuple[Container, ...]) -> Iterator[Node]:
        yield Text(element.text or "")
        for child in element:
            if isinstance(child.tag, str):  # comments and processing instructions are left out
                yield self._node(child, around)
            elif type(child).__name__ == "_Entity":
                raise self.error(element, "holds an entity, which is never expanded; write the character out")
            yield Text(child.tail or "")

    def _node(self, element: etree._Element, around: tuple[Container, ...]) -> Node:
        name = self.name(element)
        if name == "speak":
            raise self.error(element, "<speak> stands inside <speak>; keep the outermost alone")
        self.check_attributes(element, name, _ATTRIBUTES[name])
        with self.at(element):
            if name in _EMPTY or name in _WORDS:
                return _LEAVES[name](element, self._text(element, name))
            return self._container(element, name, around)

    def _container(self, element: etree._Element, name: str, around: tuple[Container, ...]) -> Container:
        made = _CONTAINERS[name](element)
        tag = element.get(_LANG) if name != "lang" else None
        inner = None if tag is None else Lang(values.language(tag))
        for node in (made, inner):
            if node is not None:
                wrong = misplaced(node, around)
                if wrong is not None:
                    raise self.error(element, f"<{name}>: {wrong}")
                around = (*around, node)
        children = self.children(element, around)
        return with_children(made, children if inner is None else (with_children(inner, children),))

    def _text(self, element: etree._Element, name: str) -> str:
        for child in element:
            if isinstance(child.tag, str):
                raise self.error(child, f"<{_local(child)}> stands inside <{name}>, which takes words alone")
        text = (element.text or "") + "".join(child.tail or "" for child in element)
        if (name in _EMPTY) == bool(text.strip()):
            what = "holds words; close it at once" if name in _EMPTY else "stands around nothing; put words into it"
            raise self.error(element, f"<{name}> {what}")
        return text


def _qualified(element: etree._Element) -> tuple[str, str]:
    namespace, _, local = str(element.tag).rpartition("}")
    return namespace.lstrip("{"), local


def _line(element: etree._Element) -> int:
    found: object = element.sourceline
    return found if isinstance(found, int) else 0


def _local(element: etree._Element) -> str:
    name = str(element.tag).rpartition("}")[2]
    name = f"{element.prefix}:{name}" if element.prefix else name
    return name if len(name) <= 60 else name[:57] + "..."


def _needed(element: etree._Element, attribute: str) -> str:
    value = element.get(attribute)
    if value is None:
        raise values.BadValue(f"it needs {attribute.replace(f'{{{XML}}}', 'xml:')}")
    return value


def _break(element: etree._Element) -> Break:
    time, strength = element.get("time"), element.get("strength")
    if time is not None:
        return Break(values.break_ms(time, bare_seconds=False))
    if strength is None:
        return Break(PLAIN_BREAK_MS)
    if strength.strip() not in values.STRENGTHS_MS:
        raise values.BadValue(f"{strength!r} is no strength; choose from {', '.join(values.STRENGTHS_MS)}")
    return Break(values.STRENGTHS_MS[strength.strip()])


def _phoneme(element: etree._Element, text: str) -> Phoneme:
    sounds = " ".join(_needed(element, "ph").split())
    if not sounds:
        raise values.BadValue("its ph is empty; write the sounds in it")
    return Phoneme(text, sounds, values.alphabet(element.get("alphabet", "ipa")), _line(element))


_LEAVES: Mapping[str, Callable[[etree._Element, str], Leaf]] = MappingProxyType(
    {
        "break": lambda element, _: _break(element),
        "mark": lambda element, _: Mark(values.name(_needed(element, "name"))),
        "reaction": lambda element, _: Reaction(values.name(_needed(element, "name"))),
        "phoneme": _phoneme,
        "sub": lambda element, text: Sub(text, values.name(_needed(element, "alias"))),
        "say-as": lambda element, text: SayAs(text, values.say_as(_needed(element, "interpret-as"))),
    }
)
_CONTAINERS: Mapping[str, Callable[[etree._Element], Container]] = MappingProxyType(
    {
        "p": lambda element: Paragraph(line=_line(element)),
        "s": lambda _: Sentence(),
        "lang": lambda element: Lang(values.language(_needed(element, _LANG))),
        "prosody": lambda element: Prosody(values.rate(_needed(element, "rate"))),
        "voice": lambda element: Voice(values.name(_needed(element, "name"))),
        "emotion": lambda element: Emotion(values.name(_needed(element, "name"))),
    }
)
