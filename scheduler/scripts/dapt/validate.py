"""Is it DAPT? The whole document is judged, and every departure named with its rule and its line."""

from __future__ import annotations

from scheduler.scripts.dapt.findings import EnoughFound, Finding, Findings
from scheduler.scripts.dapt.names import TT
from scheduler.scripts.dapt.rules import RULES, Document
from scheduler.scripts.dapt.structure import check_structure
from scheduler.scripts.dapt.tree import Node, NotSerializable, has_mark, parse_tree
from scheduler.scripts.errors import ScriptTooLarge

MAX_EVENTS = 50_000
"""Longer than a season of a series."""


def validate(data: bytes, file: str, *, strict: bool = True) -> tuple[Finding, ...]:
    """Return what departs from DAPT 1.0, in the order of the file; no error among it means a DAPT document.

    ``strict`` judges as the published tests do. Without it, what can be read past is a warning: a byte order mark,
    an empty ``daptm:langSrc``, children in an unusual order. Raises ScriptTooLarge for a limit and nothing else.
    """
    try:
        root = parse_tree(data, file)
    except NotSerializable as fault:
        return (Finding("serialization", fault.line, "error", fault.message),)
    return judge(root, data, file, strict=strict)


def judge(root: Node, data: bytes, file: str, *, strict: bool) -> tuple[Finding, ...]:
    """Return what departs from DAPT 1.0 in a tree that was parsed from ``data``. Raises ScriptTooLarge."""
    findings = Findings(strict=strict)
    if not root.is_a(TT, "tt"):
        findings.error("structure", root.line, f"the root element is {root.shown}; it is to be <tt> of {TT}")
        return findings.sorted()
    document = Document.of(root)
    if len(document.events) > MAX_EVENTS:
        raise ScriptTooLarge(file, "", f"has more than {MAX_EVENTS:,} script events; divide it into reels")
    try:
        if has_mark(data):
            findings.strictly("serialization", 1, "the file starts with a byte order mark; save it without")
        check_structure(document.nodes, findings)
        for check in RULES:
            check(document, findings)
    except EnoughFound:
        pass  # the list is full: what is in it is true
    return findings.sorted()
