"""The rules of audio objects: where the sound is, of which type, in which language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scheduler.scripts.dapt.findings import Findings
from scheduler.scripts.dapt.names import TT, TTA, XML
from scheduler.scripts.dapt.tree import Node

_SPEAK = ("none", "normal", "fast", "slow")
_ENCODINGS = ("base16", "base32", "base32hex", "base64", "base64url")
_SPEAKING = frozenset({"body", "div", "p", "span", "style", "initial", "region", "set", "animate"})


def check_audio(nodes: Iterable[Node], by_id: Mapping[str, Node], findings: Findings) -> None:
    """Report audio without exactly one source each, without type, in another language than its text."""
    for node in nodes:
        if node.is_a(TT, "audio"):
            _check_object(node, by_id, findings)
        elif node.is_a(TT, "source") and node.parent is not None and node.parent.is_a(TT, "audio"):
            _check_source(node, by_id, findings)
        elif node.is_a(TT, "data"):
            _check_data(node, findings)
        speak = node.get(TTA, "speak")
        if speak is not None and node.is_a(TT, *_SPEAKING) and speak not in _SPEAK:
            findings.error("speak", node.line, f"tta:speak is {speak[:40]!r}; it is one of {', '.join(_SPEAK)}")


def _check_object(node: Node, by_id: Mapping[str, Node], findings: Findings) -> None:
    in_resources = node.parent is not None and node.parent.is_a(TT, "resources")
    sources = list(node.named(TT, "source"))
    address = node.plain("src")
    if address is None and not sources:
        findings.error("audio", node.line, f"{node.shown} has neither src nor <source>; name the recording")
    if address is not None and sources:
        findings.error("audio", node.line, f"{node.shown} has both src and <source>; keep one of them")
    if address is not None:
        _check_address(node, address, "audio", by_id, findings)
    if in_resources:
        if node.identity is None:
            findings.warning(
                "embedded-audio", node.line, "<audio> in <resources> has no xml:id: nothing can refer to it"
            )
        return
    if node.parent is not None and node.parent.is_a(TT, "body", "div"):
        findings.warning("audio", node.line, "<audio> renders a text; put it into <p> or <span>")
    _check_language(node, sources, by_id, findings)


def _check_source(node: Node, by_id: Mapping[str, Node], findings: Findings) -> None:
    address = node.plain("src")
    has_data = any(node.named(TT, "data"))
    if (address is None) == (not has_data):
        state = "neither src nor <data>" if address is None else "both src and <data>"
        findings.error("source", node.line, f"<source> has {state}; it has exactly one of them")
    if address is not None:
        _check_address(node, address, "data", by_id, findings)


def _check_address(node: Node, address: str, kind: str, by_id: Mapping[str, Node], findings: Findings) -> None:
    """A fragment refers to a resource of this file, anything else to a recording outside of it."""
    address = address.strip()
    if not address:
        findings.error("audio", node.line, f"src of {node.shown} is empty; name the recording")
    elif not address.startswith("#"):
        if node.plain("type") is None:
            findings.warning(
                "audio", node.line, f"{node.shown} does not give the type of its recording, such as audio/wave"
            )
    else:
        target = by_id.get(address[1:])
        if target is None or target.parent is None or not target.parent.is_a(TT, "resources"):
            findings.error("embedded-audio", node.line, f"src {address[:60]!r} refers to nothing in <resources>")
        elif not target.is_a(TT, kind):
            findings.error(
                "embedded-audio", node.line, f"src of {node.shown} is to refer to <{kind}>, not {target.shown}"
            )


def _check_data(node: Node, findings: Findings) -> None:
    around = node.parent
    carriers = [node, around, around.parent if around is not None and around.is_a(TT, "source") else None]
    if not any(carrier is not None and carrier.plain("type") is not None for carrier in carriers):
        findings.error("data", node.line, f"{node.shown} gives no type, such as audio/wave")
    encoding = node.plain("encoding")
    if encoding not in (None, *_ENCODINGS):
        findings.error(
            "data", node.line, f"encoding is {(encoding or '')[:40]!r}; it is one of {', '.join(_ENCODINGS)}"
        )
    if any(node.named(TT, "chunk")) and node.own_text().strip(" \t\r\n"):
        findings.error("data", node.line, f"{node.shown} holds both text and <chunk>; keep one of them")


def _check_language(node: Node, sources: list[Node], by_id: Mapping[str, Node], findings: Findings) -> None:
    """An audio, its sources and their data are in the language of the text."""
    wanted = (node.parent or node).inherited(XML, "lang")
    parts = [node, *sources]
    for source in sources:
        parts.extend(source.named(TT, "data"))
        target = by_id.get((source.plain("src") or "").strip().removeprefix("#"))
        if target is not None and target.is_a(TT, "data"):
            parts.append(target)
    for part in parts:
        found = part.inherited(XML, "lang")
        if found.lower() != wanted.lower():
            message = f"{part.shown} is in {found!r}, its text in {wanted!r}; audio is in the language of its text"
            findings.error("xmlLang-audio-nonMatching", part.line, message)
