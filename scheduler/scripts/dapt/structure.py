"""Which element may stand in which, as far as DAPT and TTML2 say so; foreign vocabulary does not count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scheduler.scripts.dapt.findings import Findings
from scheduler.scripts.dapt.names import DAPTM, EBUTTM, RECOGNISED, TT, TTM, TTP
from scheduler.scripts.dapt.tree import Node

_METADATA = frozenset({(TT, "metadata"), *((TTM, name) for name in ("agent", "copyright", "desc", "item", "title"))})
_ANIMATION = frozenset({(TT, "animate"), (TT, "set")})
_EMBEDDED = frozenset({(TT, "audio"), (TT, "image")})
_REGION = frozenset({(TT, "region")})
_SOURCE = frozenset({(TT, "source")})


@dataclass(frozen=True, slots=True)
class Content:
    """What an element holds: groups of children in this order, each any number of times unless ``single``."""

    groups: tuple[frozenset[tuple[str, str]], ...] = ()
    has_text: bool = False
    single: frozenset[str] = frozenset()
    """Children that stand at most once."""


def _of(*names: str) -> frozenset[tuple[str, str]]:
    return frozenset((TT, name) for name in names)


_FLOW = (_METADATA, _ANIMATION, _REGION)
_INLINE = Content((*_FLOW, _of("span", "br") | _EMBEDDED), has_text=True)
_TEXT = Content(has_text=True)
_NOTED = Content((_METADATA,))
_SOURCED = Content((_METADATA, _SOURCE))
_PROFILES = frozenset({(TTP, "profile")})

_MODEL: Mapping[tuple[str, str], Content] = {
    (TT, "tt"): Content((_of("head"), _of("body")), single=frozenset({"head", "body"})),
    (TT, "head"): Content(
        (_METADATA, _PROFILES, _of("resources"), _of("styling"), _of("layout")),
        single=frozenset({"resources", "styling", "layout"}),
    ),
    (TT, "body"): Content((_METADATA, _ANIMATION, _of("div") | _EMBEDDED)),
    (TT, "div"): Content((*_FLOW, _of("div", "p") | _EMBEDDED)),
    (TT, "p"): _INLINE,
    (TT, "span"): _INLINE,
    (TT, "br"): Content((_METADATA, _ANIMATION)),
    (TT, "animate"): _NOTED,
    (TT, "set"): _NOTED,
    (TT, "audio"): _SOURCED,
    (TT, "image"): _SOURCED,
    (TT, "font"): _SOURCED,
    (TT, "source"): Content((_METADATA, _of("data")), single=frozenset({"data"})),
    (TT, "data"): Content((_METADATA, _of("chunk")), has_text=True),
    (TT, "chunk"): _TEXT,
    (TT, "resources"): Content((_METADATA, _of("data", "font") | _EMBEDDED)),
    (TT, "styling"): Content((_METADATA, _of("initial"), _of("style"))),
    (TT, "initial"): _NOTED,
    (TT, "style"): _NOTED,
    (TT, "layout"): Content((_METADATA, _REGION)),
    (TT, "region"): Content((_METADATA, _ANIMATION, _of("style"))),
    (TTM, "agent"): Content((frozenset({(TTM, "name")}), frozenset({(TTM, "actor")})), single=frozenset({"actor"})),
    (TTM, "actor"): Content(),
    (TTM, "item"): Content((frozenset({(TTM, "item")}),), has_text=True),
    (TTM, "name"): _TEXT,
    (TTM, "desc"): _TEXT,
    (TTM, "title"): _TEXT,
    (TTM, "copyright"): _TEXT,
    (DAPTM, "daptOriginTimecode"): _TEXT,
}


def judged_children(node: Node) -> list[Node]:
    """Children that are left when foreign vocabulary is taken out."""
    return [child for child in node.children if child.namespace in RECOGNISED]


def judged(root: Node) -> Iterator[Node]:
    """Every element that is judged, in the order of the file: foreign ones go with all they hold."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if node.children:
            waiting.extend(reversed(judged_children(node)))


def is_event(node: Node) -> bool:
    """Whether a ``div`` is a Script Event: it has an id, and no ``div`` in it."""
    return bool(node.identity) and not any(node.named(TT, "div"))


def check_structure(nodes: Iterable[Node], findings: Findings) -> None:
    """Report elements that stand where they may not, or twice, and text outside of text elements."""
    for node in nodes:
        if node.is_a(TT, "metadata") or _in_metadata(node):
            continue  # anything may stand in metadata
        content = _MODEL.get((node.namespace, node.name))
        if content is None:
            continue  # reported with its parent
        _check_text(node, content, findings)
        _check_children(node, content, findings)


def _check_text(node: Node, content: Content, findings: Findings) -> None:
    if not content.has_text and node.own_text().strip(" \t\r\n"):
        findings.error("structure", node.line, f"{node.shown} holds text; text stands in <p> and <span>")


def _check_children(node: Node, content: Content, findings: Findings) -> None:
    place = {name: index for index, group in enumerate(content.groups) for name in group}
    reached = 0
    seen: set[str] = set()
    for child in judged_children(node):
        index = place.get((child.namespace, child.name))
        if index is None:
            _report_misplaced(node, child, findings)
            continue
        if index < reached:
            findings.strictly("structure", child.line, f"{child.shown} stands too late in {node.shown}; move it up")
        reached = max(reached, index)
        if child.name in content.single and child.name in seen:
            findings.error("structure", child.line, f"{node.shown} holds <{child.name}> twice")
        seen.add(child.name)


def _report_misplaced(node: Node, child: Node, findings: Findings) -> None:
    if node.is_a(TT, "head") and child.is_a(TT, "animation"):
        rule, message = "animation-out-of-line", "<animation> is prohibited; put <animate> where it acts"
    elif node.is_a(TT, "data") and child.is_a(TT, "source"):
        rule, message = "source-data", "<data> holds the audio itself; take <source> out of it"
    elif child.namespace in (DAPTM, EBUTTM):
        rule, message = "structure", f"{child.shown} stands outside of <metadata>"
    else:
        rule, message = "structure", f"{child.shown} may not stand in {node.shown}"
    findings.error(rule, child.line, message)


def _in_metadata(node: Node) -> bool:
    """Inside metadata only DAPT's own elements are judged, whatever stands around them."""
    parent = node.parent
    while parent is not None:
        if parent.is_a(TT, "metadata"):
            return node.namespace != TTM and not node.is_a(TT, "data")
        parent = parent.parent
    return False
