"""From a tree that was judged to be DAPT to the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scheduler.scripts.dapt.flow import plain_text, timed_parts, words
from scheduler.scripts.dapt.model import (
    Agent,
    DaptScript,
    Description,
    EventGroup,
    Recording,
    ScriptEvent,
    TextObject,
)
from scheduler.scripts.dapt.names import DAPTM, EBUTTM, OURS, RECOGNISED, TT, TTM, XML
from scheduler.scripts.dapt.structure import is_event, judged
from scheduler.scripts.dapt.times import WHOLE, Interval, Rates
from scheduler.scripts.dapt.tree import Node


def build(root: Node) -> DaptScript:
    """Return the model of a document without errors; of any other, TimeFault may be raised."""
    rates = Rates.of(root)
    head = next(root.named(TT, "head"), None)
    body = next(root.named(TT, "body"), None)
    nodes = tuple(judged(root))
    groups = () if body is None else tuple(_groups(body, WHOLE.inside(body, rates), rates))
    return DaptScript(
        title=_title(head),
        language=root.get(XML, "lang") or "",
        script_type=root.get(DAPTM, "scriptType") or "",
        represents=tuple((root.get(DAPTM, "scriptRepresents") or "").split()),
        agents=_agents(nodes),
        groups=groups,
        rates=rates,
        origin_timecode=_first_text(nodes, DAPTM, "daptOriginTimecode"),
        start_timecode=_first_text(nodes, EBUTTM, "documentStartOfProgramme"),
        stray_lines=tuple(_strays(nodes)),
    )


def _title(node: Node | None) -> str:
    if node is None:
        return ""
    for item in (node, *node.named(TT, "metadata")):
        for title in item.named(TTM, "title"):
            return plain_text(title)
    return ""


def _first_text(nodes: Iterable[Node], namespace: str, name: str) -> str:
    return next((node.own_text().strip() for node in nodes if node.is_a(namespace, name)), "")


def _agents(nodes: Iterable[Node]) -> dict[str, Agent]:
    known = {node.identity: node for node in nodes if node.is_a(TTM, "agent") and node.identity}
    found: dict[str, Agent] = {}
    for identity, node in known.items():
        actor = next((known.get(item.plain("agent") or "") for item in node.named(TTM, "actor")), None)
        kind = node.plain("type") or ""
        found[identity] = Agent(identity, kind, _agent_name(node), _agent_name(actor) if actor is not None else "")
    return found


def _agent_name(node: Node) -> str:
    wanted = "full" if node.plain("type") == "person" else "alias"
    names = sorted(node.named(TTM, "name"), key=lambda name: name.plain("type") != wanted)
    return next((text for name in names if (text := plain_text(name)).strip()), node.identity or "")


def _groups(body: Node, interval: Interval, rates: Rates) -> Iterator[EventGroup]:
    loose: list[ScriptEvent] = []
    for div in body.named(TT, "div"):
        if is_event(div):
            loose.append(_event(div, interval, rates))
        elif any(div.named(TT, "div")):
            if loose:
                yield EventGroup("", "", "", tuple(loose))
                loose = []
            yield _group(div, interval, rates)
    if loose:
        yield EventGroup("", "", "", tuple(loose))


def _group(div: Node, around: Interval, rates: Rates) -> EventGroup:
    kept = next((item for block in div.named(TT, "metadata") for item in block.named(OURS, "section")), None)
    key = (kept.plain("key") if kept is not None else None) or div.identity or ""
    kind = (kept.plain("kind") if kept is not None else None) or ""
    title = _title(div) or div.identity or ""
    return EventGroup(title, key, kind, tuple(_events(div, around.inside(div, rates), rates)))


def _events(div: Node, interval: Interval, rates: Rates) -> Iterator[ScriptEvent]:
    for child in div.named(TT, "div"):
        if is_event(child):
            yield _event(child, interval, rates)
        else:
            yield from _events(child, interval.inside(child, rates), rates)


def _strays(nodes: Iterable[Node]) -> Iterator[int]:
    for node in nodes:
        around = node.parent
        is_stray = node.is_a(TT, "p") and around is not None and around.is_a(TT, "div") and not is_event(around)
        if is_stray and words(node)[0].strip():
            yield node.line


def _event(div: Node, around: Interval, rates: Rates) -> ScriptEvent:
    interval = around.inside(div, rates)
    kept, extra, direction, original = _kept(div)
    return ScriptEvent(
        identity=div.identity or "",
        interval=interval,
        represents=div.inherited(DAPTM, "represents"),
        agents=tuple((div.get(TTM, "agent") or "").split()),
        on_screen=div.get(DAPTM, "onScreen") or "",
        descriptions=tuple(_descriptions(div)),
        texts=tuple(_text(node, interval, rates) for node in div.named(TT, "p")),
        foreign=dict(_foreign(div)),
        kept=kept,
        kept_original=original,
        kept_extra=extra,
        kept_direction=direction,
        line=div.line,
    )


def _text(node: Node, around: Interval, rates: Rates) -> TextObject:
    interval = around.inside(node, rates)
    text, spoken = words(node)
    return TextObject(
        text=text,
        spoken=spoken if spoken != text else "",
        language=node.inherited(XML, "lang"),
        source=node.inherited(DAPTM, "langSrc"),
        represents=node.inherited(DAPTM, "represents"),
        agents=_text_agents(node),
        interval=interval,
        parts=timed_parts(node, interval, rates),
        recordings=tuple(_recordings(node)),
        line=node.line,
    )


def _text_agents(node: Node) -> tuple[str, ...]:
    own = (node.get(TTM, "agent") or "").split()
    if own:
        return tuple(own)
    inner = (name for span in judged(node) if span.is_a(TT, "span") for name in (span.get(TTM, "agent") or "").split())
    return tuple(dict.fromkeys(inner))


def _descriptions(div: Node) -> Iterator[Description]:
    for holder in (div, *div.named(TT, "metadata")):
        for desc in holder.named(TTM, "desc"):
            text = plain_text(desc)
            if text.strip():
                yield Description(desc.get(DAPTM, "descType") or "", text)


def _recordings(text: Node) -> Iterator[Recording]:
    for node in judged(text):
        if node.is_a(TT, "audio"):
            sources = [source.plain("src") for source in node.named(TT, "source")]
            address = next((item for item in (node.plain("src"), *sources) if item), "")
            yield Recording(address, dict(_recording_facts(node)))


def _recording_facts(audio: Node) -> Iterator[tuple[str, str]]:
    for block in audio.named(TT, "metadata"):
        for name in ("sha256", "duration"):
            value = block.get(OURS, name)
            if value is not None:
                yield name, value


def _kept(div: Node) -> tuple[dict[str, str], dict[str, str], dict[str, str], str]:
    """Return what our writer left in an event: (fields, extra, direction, original)."""
    fields: dict[str, str] = {}
    named: dict[str, dict[str, str]] = {"extra": {}, "direction": {}}
    original = ""
    for block in div.named(TT, "metadata"):
        for item in block.children:
            if item.namespace != OURS:
                continue
            if item.name == "line":
                fields.update({name: value for (space, name), value in item.attributes.items() if not space})
            elif item.name == "original":
                original = item.own_text()
            elif item.name in named:
                named[item.name][item.plain("name") or ""] = item.own_text()
    return fields, named["extra"], named["direction"], original


def _foreign(div: Node) -> Iterator[tuple[str, str]]:
    """Yield ('{namespace}name', value) for proprietary attributes and metadata of an event, repeats joined."""
    found: dict[str, list[str]] = {}
    for holder in (div, *div.named(TT, "metadata")):
        for (space, name), value in holder.attributes.items():
            if _is_foreign(space):
                found.setdefault(f"{{{space}}}{name}", []).append(value)
    for block in div.named(TT, "metadata"):
        for item in block.children:
            if _is_foreign(item.namespace) or item.namespace == EBUTTM:
                for key, value in _flat(item, ""):
                    found.setdefault(key, []).append(value)
    for key, values in found.items():
        yield key, "; ".join(values)


def _flat(node: Node, path: str) -> Iterator[tuple[str, str]]:
    """Yield the text and attributes of an element and of those inside, keyed by their path."""
    key = f"{path}{{{node.namespace}}}{node.name}"
    for (space, name), value in node.attributes.items():
        if space != XML:
            yield f"{key}/@{f'{{{space}}}' if space else ''}{name}", value
    children = node.children
    text = plain_text(node)
    if text or not (children or node.attributes):
        yield key, text
    for child in children:
        yield from _flat(child, f"{key}/")


def _is_foreign(namespace: str) -> bool:
    return bool(namespace) and namespace not in RECOGNISED and namespace != OURS
