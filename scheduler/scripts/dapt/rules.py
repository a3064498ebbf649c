"""The rules of DAPT beyond structure, each a function over the whole document; ``RULES`` lists them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from scheduler.scripts.dapt.audio_rules import check_audio
from scheduler.scripts.dapt.findings import Findings
from scheduler.scripts.dapt.names import (
    CONTENT_PROFILE,
    DAPTM,
    DESC_TYPES,
    EBUTTM,
    ON_SCREEN,
    PROCESSOR_PROFILE,
    SCRIPT_TYPES,
    TT,
    TTA,
    TTM,
    TTP,
    XML,
    descriptor_fault,
    is_identifier,
    is_language,
    is_subtype,
)
from scheduler.scripts.dapt.structure import is_event, judged
from scheduler.scripts.dapt.times import WHOLE, Interval, Rates, TimeFault, rate_faults, timecode_fault
from scheduler.scripts.dapt.tree import Node

_COMBINED = re.compile(r"\s*(?:all|any)\((.*)\)\s*\Z", re.DOTALL)
_CONTENT = ("body", "div", "p", "span")
_TIMED = frozenset({*_CONTENT, "audio", "animate", "set", "region", "image"})
_AGENT_TYPES = ("person", "character", "group", "organization", "other")
_NAME_TYPES = ("full", "family", "given", "alias", "other")
_PROHIBITED = ("clockMode", "dropMode", "markerMode", "subFrameRate")
"""Parameters that are also the names of the features they belong to."""


@dataclass(slots=True)
class Document:
    """What the rules look at: the root, every judged element, and who has which id."""

    root: Node
    nodes: tuple[Node, ...]
    rates: Rates
    events: tuple[Node, ...]
    """Script Events."""
    by_id: dict[str, Node] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Node) -> Document:
        """Gather what several rules need."""
        nodes = tuple(judged(root))
        found = cls(root, nodes, Rates.of(root), tuple(node for node in nodes if _is_event(node)))
        for node in root.walk():
            if node.identity is not None:
                found.by_id.setdefault(node.identity, node)
        return found

    def named(self, namespace: str, *names: str) -> Iterator[Node]:
        """Judged elements of some names, in the order of the file."""
        return (node for node in self.nodes if node.is_a(namespace, *names))


def _is_event(node: Node) -> bool:
    """Whether it is a Script Event where such stand: below the body, inside nothing but other ``div``."""
    if not node.is_a(TT, "div") or not is_event(node):
        return False
    around = node.parent
    while around is not None and around.is_a(TT, "div"):
        around = around.parent
    return around is not None and around.is_a(TT, "body")


def check_profiles(document: Document, findings: Findings) -> None:
    """Which profiles the root says the document conforms to, and needs."""
    root = document.root
    content = root.get(TTP, "contentProfiles")
    if CONTENT_PROFILE not in _designators(content):
        found = "is missing" if content is None else "does not name it"
        message = f"<tt> is to carry ttp:contentProfiles with {CONTENT_PROFILE}; it {found}"
        findings.error("contentProfiles-root", root.line, message)
    if root.get(TTP, "profile") is not None:
        findings.error("profile-root", root.line, "ttp:profile is prohibited on <tt>; take it out")
    needed = root.get(TTP, "processorProfiles")
    if needed is not None and PROCESSOR_PROFILE not in _designators(needed):
        message = f"ttp:processorProfiles is to name {PROCESSOR_PROFILE} where it is present"
        findings.error("processorProfiles", root.line, message)


def _designators(text: str | None) -> frozenset[str]:
    match = _COMBINED.match(text or "")
    return frozenset((match[1] if match is not None else text or "").split())


def check_script_type(document: Document, findings: Findings) -> None:
    """The kind of script."""
    value = document.root.get(DAPTM, "scriptType")
    if value not in SCRIPT_TYPES:
        found = "is missing" if value is None else f"is {_short(value)}"
        message = f"daptm:scriptType on <tt> {found}; it is one of {', '.join(SCRIPT_TYPES)}"
        findings.error("scriptType-root", document.root.line, message)


def check_script_represents(document: Document, findings: Findings) -> None:
    """What of the programme the script stands for."""
    value, line = document.root.get(DAPTM, "scriptRepresents"), document.root.line
    if value is None or not value.split():
        message = "daptm:scriptRepresents on <tt> is missing; name what the script stands for, such as audio.dialogue"
        findings.error("scriptRepresents-root", line, message)
        return
    for descriptor in value.split():
        fault = descriptor_fault(descriptor)
        if fault is not None:
            findings.error("scriptRepresents-root", line, f"daptm:scriptRepresents: {_short(descriptor)} {fault}")


def check_represents(document: Document, findings: Findings) -> None:
    """What each part stands for: a known descriptor inside what the script stands for, and one for every event."""
    allowed = (document.root.get(DAPTM, "scriptRepresents") or "").split()
    is_allowed_known = bool(allowed) and not any(map(descriptor_fault, allowed))
    for node in document.nodes:
        value = node.get(DAPTM, "represents")
        if value is None:
            continue
        if not node.is_a(TT, "tt", *_CONTENT):
            findings.warning("represents", node.line, f"daptm:represents says nothing on {node.shown}")
            continue
        fault = descriptor_fault(value)
        if fault is not None:
            findings.error("represents", node.line, f"daptm:represents: {_short(value)} {fault}")
        elif is_allowed_known and not any(is_subtype(value, of) for of in allowed):
            message = f"daptm:represents: {_short(value)} is no sub-type of what daptm:scriptRepresents on <tt> lists"
            findings.error("represents", node.line, message)
    for event in document.events:
        if not event.inherited(DAPTM, "represents") and event.get(DAPTM, "represents") is None:
            message = f"{event.shown} does not say what it represents; give daptm:represents on it or around it"
            findings.error("represents", event.line, message)


def check_languages(document: Document, findings: Findings) -> None:
    """The document's language, and every other language tag."""
    root = document.root
    value = root.get(XML, "lang")
    if not value:
        found = "is missing" if value is None else "is empty"
        findings.error("xmlLang-root", root.line, f"xml:lang on <tt> {found}; name the script's language, such as fr")
    for node in document.nodes:
        value = node.get(XML, "lang")
        if value and not is_language(value):
            rule = "xmlLang-root" if node is root else "xmlLang"
            findings.error(rule, node.line, f"xml:lang: {_short(value)} is not a BCP 47 language tag")


def check_language_sources(document: Document, findings: Findings) -> None:
    """The language each text was made from."""
    for node in document.nodes:
        value = node.get(DAPTM, "langSrc")
        if value is None:
            continue
        if not node.is_a(TT, "tt", *_CONTENT):
            findings.warning("textLanguageSource", node.line, f"daptm:langSrc says nothing on {node.shown}")
        elif not value:
            # the drafts of 2025 went both ways, and the published tests refuse it: validators do, readers need not
            message = "daptm:langSrc is empty; leave it out, or write zxx for what is in no language"
            findings.strictly("textLanguageSource", node.line, message)
        elif not is_language(value):
            findings.error(
                "textLanguageSource", node.line, f"daptm:langSrc: {_short(value)} is not a BCP 47 language tag"
            )
        elif value.lower() == "und":
            message = "daptm:langSrc is 'und'; name the language, or leave it out while it is not known"
            findings.warning("textLanguageSource", node.line, message)


def check_identifiers(document: Document, findings: Findings) -> None:
    """Every ``xml:id``: a name, and used once, foreign elements included."""
    seen: dict[str, int] = {}
    for node in document.root.walk():
        value = node.identity
        if value is None:
            continue
        if not is_identifier(value):
            message = f"{_short(value)} is no identifier: start with a letter or _, then letters, digits, . - _"
            rule = "agent" if node.is_a(TTM, "agent") else "xmlId"
            findings.error(rule, node.line, f"xml:id: {message}")
        elif value in seen:
            message = f"xml:id: {_short(value)} is used on line {seen[value]} already; each id stands once in a file"
            findings.error("xmlId", node.line, message)
        seen.setdefault(value, node.line)


def check_agents(document: Document, findings: Findings) -> None:
    """Characters, talents, and who plays whom."""
    for agent in document.named(TTM, "agent"):
        _check_agent(agent, findings)
        for actor in agent.named(TTM, "actor"):
            _check_actor(agent, actor, document, findings)
    for node in document.nodes:
        for name in (node.get(TTM, "agent") or "").split():
            target = document.by_id.get(name)
            if target is None or not target.is_a(TTM, "agent"):
                message = (
                    f"ttm:agent on {node.shown} names {_short(name)}, which is no <ttm:agent>; declare it in <head>"
                )
                findings.error("agent", node.line, message)
            elif target.plain("type") != "character":
                message = f"ttm:agent on {node.shown} names {_short(name)}, which is not of type character"
                findings.warning("agent", node.line, message)


def _check_agent(agent: Node, findings: Findings) -> None:
    kind = agent.plain("type")
    if kind not in _AGENT_TYPES:
        found = "is missing" if kind is None else f"is {_short(kind)}"
        findings.error("agent", agent.line, f"type of {agent.shown} {found}; it is one of {', '.join(_AGENT_TYPES)}")
    if agent.identity is None:
        findings.error("agent", agent.line, "<ttm:agent> has no xml:id; give it one, so that events can name it")
    names = list(agent.named(TTM, "name"))
    for name in names:
        if name.plain("type") not in _NAME_TYPES:
            message = f"type of <ttm:name> is {_short(name.plain('type') or '')}; it is one of {', '.join(_NAME_TYPES)}"
            findings.error("agent", name.line, message)
    types = {name.plain("type") for name in names}
    if not names:
        findings.error("agent", agent.line, f"{agent.shown} has no <ttm:name>")
    elif kind == "character" and "alias" not in types:
        findings.error("agent", agent.line, f"character {agent.shown} has no <ttm:name type='alias'>")
    elif kind == "person" and "full" not in types:
        findings.warning("agent", agent.line, f"person {agent.shown} has no <ttm:name type='full'>")


def _check_actor(agent: Node, actor: Node, document: Document, findings: Findings) -> None:
    value = actor.plain("agent")
    if not value:
        findings.error("agent", actor.line, "<ttm:actor> names no agent; give agent='id of the person'")
        return
    target = document.by_id.get(value)
    if value == agent.identity:
        findings.error("agent", actor.line, f"{agent.shown} is its own actor; name the person who plays it")
    elif target is None or not target.is_a(TTM, "agent"):
        findings.error("agent", actor.line, f"actor {_short(value)} is no <ttm:agent> of this file; declare the person")
    elif target.plain("type") != "person":
        findings.error("agent", actor.line, f"actor {_short(value)} is not of type person")
    elif not any(name.plain("type") == "full" for name in target.named(TTM, "name")):
        findings.error("agent", target.line, f"actor {target.shown} has no <ttm:name type='full'>")


def check_on_screen(document: Document, findings: Findings) -> None:
    """Whether the subject of an event is seen."""
    for node in document.nodes:
        value = node.get(DAPTM, "onScreen")
        if value is None:
            continue
        if value not in ON_SCREEN:
            findings.error(
                "onScreen", node.line, f"daptm:onScreen is {_short(value)}; it is one of {', '.join(ON_SCREEN)}"
            )
        elif not node.is_a(TT, "div"):
            findings.warning("onScreen", node.line, f"daptm:onScreen says nothing on {node.shown}")


def check_desc_types(document: Document, findings: Findings) -> None:
    """What a description is about."""
    for node in document.nodes:
        value = node.get(DAPTM, "descType")
        if value is None:
            continue
        if value not in DESC_TYPES and not value.startswith("x-"):
            known = ", ".join(sorted(DESC_TYPES))
            findings.error(
                "descType", node.line, f"daptm:descType is {_short(value)}; it is {known}, or begins with x-"
            )
        elif not node.is_a(TTM, "desc"):
            findings.warning("descType", node.line, f"daptm:descType says nothing on {node.shown}")


def check_times(document: Document, findings: Findings) -> None:
    """Rates, time base and every time expression."""
    root = document.root
    for rule, message in rate_faults(root):
        findings.error(rule, root.line, message)
    base = root.get(TTP, "timeBase")
    if base not in (None, "media"):
        rule = f"timeBase-{base}" if base in ("smpte", "clock") else "timeBase-media"
        findings.error(rule, root.line, f"ttp:timeBase is {_short(base or '')}; only media is permitted")
    for name in _PROHIBITED:
        if root.get(TTP, name) is not None:
            findings.error(name, root.line, f"ttp:{name} is prohibited; take it out and write media times")
    for node in document.nodes:
        if node.namespace != TT:
            continue
        container = node.plain("timeContainer")
        if container not in (None, "par"):
            findings.error(
                "timeContainer", node.line, f"timeContainer={_short(container or '')}; only par is permitted"
            )
        if node.plain("animate") is not None:
            findings.error(
                "animation-out-of-line", node.line, "the attribute animate is prohibited; put <animate> inside"
            )
        if node.name in _TIMED:
            _check_expressions(node, document.rates, findings)
    _check_intervals(root, WHOLE, document.rates, findings)


def _check_expressions(node: Node, rates: Rates, findings: Findings) -> None:
    names = ("begin", "end", "dur", "clipBegin", "clipEnd") if node.name == "audio" else ("begin", "end", "dur")
    for name in names:
        value = node.plain(name)
        if value is None:
            continue
        try:
            rates.seconds(value)
        except TimeFault as fault:
            findings.error(fault.rule, node.line, f"{name} of {node.shown}: {fault.message}")


def _check_intervals(node: Node, around: Interval, rates: Rates, findings: Findings) -> None:
    """Advise on events that end before they begin; depth is limited by the tree."""
    for child in node.children:
        if not child.is_a(TT, *_CONTENT):
            continue
        try:
            interval = around.inside(child, rates)
        except TimeFault:
            continue  # reported as an expression
        if interval.end is not None and interval.end <= interval.begin:
            findings.warning("timing", child.line, f"{child.shown} is never active: it ends where it begins or before")
        _check_intervals(child, interval, rates, findings)


def check_timecodes(document: Document, findings: Findings) -> None:
    """The timecode at which the document's time line starts."""
    found = list(document.named(DAPTM, "daptOriginTimecode"))
    for node in found[1:]:
        findings.error("daptOriginTimecode", node.line, "<daptm:daptOriginTimecode> stands twice; keep one")
    for node in found:
        if _is_in_other_metadata(node):
            message = "<daptm:daptOriginTimecode> is to stand in <metadata> of <head>"
            findings.error("daptOriginTimecode", node.line, message)
        fault = timecode_fault(node.own_text().strip(" \t\r\n"), document.rates)
        if fault is not None:
            findings.error("daptOriginTimecode", node.line, f"<daptm:daptOriginTimecode>: {fault}")
    starts = list(document.named(EBUTTM, "documentStartOfProgramme"))
    for node in starts[1:]:
        findings.error(
            "documentStartOfProgramme", node.line, "<ebuttm:documentStartOfProgramme> stands twice; keep one"
        )


def _is_in_other_metadata(node: Node) -> bool:
    """Outside of any metadata it is reported as structure."""
    holder = node.parent
    if holder is None or not holder.is_a(TT, "metadata"):
        return False
    return holder.parent is None or not holder.parent.is_a(TT, "head")


def check_mapping(document: Document, findings: Findings) -> None:
    """Text that is part of no Script Event is in no script."""
    for node in document.named(TT, "p"):
        around = node.parent
        if around is None or not around.is_a(TT, "div"):
            continue  # reported as structure
        if not is_event(around):
            reason = "it has no xml:id" if around.identity is None else "it holds other <div>"
            message = f"the text belongs to no Script Event: {around.shown} around it is none, as {reason}"
            findings.warning("scriptEventMapping", node.line, message)


def check_spaces(document: Document, findings: Findings) -> None:
    """``xml:space`` has two values."""
    for node in document.nodes:
        value = node.get(XML, "space")
        if value not in (None, "default", "preserve"):
            findings.error("core", node.line, f"xml:space is {_short(value or '')}; it is default or preserve")


def check_script_advice(document: Document, findings: Findings) -> None:
    """What each type of script should not hold."""
    kind = document.root.get(DAPTM, "scriptType")
    for node in document.nodes:
        message = _advice(kind, node)
        if message is not None:
            findings.warning("scriptType-root", node.line, message)


def _advice(kind: str | None, node: Node) -> str | None:
    if kind == "asRecorded" and node.get(TTA, "speak") not in (None, "none"):
        return "an as-recorded script should not have speech synthesised"
    is_in_text = node.parent is not None and node.parent.is_a(TT, "p", "span")
    if kind == "preRecording" and node.is_a(TT, "audio") and is_in_text:
        return "a pre-recording script should not hold audio"
    if kind == "originalTranscript" and node.is_a(TT, "p") and is_translation(node):
        return "an original transcript should not hold translations"
    return None


def is_translation(node: Node) -> bool:
    """Whether a text is translated from a language other than its own."""
    source = node.inherited(DAPTM, "langSrc").lower()
    return source not in ("", "und", "zxx") and source != node.inherited(XML, "lang").lower()


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _audio(document: Document, findings: Findings) -> None:
    check_audio(document.nodes, document.by_id, findings)


RULES: tuple[Callable[[Document, Findings], None], ...] = (
    check_profiles,
    check_script_type,
    check_script_represents,
    check_represents,
    check_languages,
    check_language_sources,
    check_identifiers,
    check_agents,
    check_on_screen,
    check_desc_types,
    check_times,
    check_timecodes,
    check_mapping,
    check_spaces,
    check_script_advice,
    _audio,
)
