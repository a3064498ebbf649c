"""Write the pages that are made from code: ``python docs/generate.py`` (a test fails when they are out of date)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from db import states
from db.failures import ATTEMPT_CAP, POLICIES
from scheduler.cli.reference import cli_page, env_example

DOCS = Path(__file__).parent


def member_sentences(kind: type[StrEnum]) -> dict[str, str]:
    """The sentence under each member of an enumeration, by member name."""
    source = inspect.getsource(kind)
    found = re.findall(r'^    ([A-Z_]+) = "[^"]+"\n    """(.+?)"""', source, flags=re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()).replace("``", "`") for name, text in found}


def _life(title: str, kind: type[StrEnum], moves: Mapping[Any, frozenset[Any]]) -> list[str]:
    sentences = member_sentences(kind)
    rows = [f"## {title}", "", "| state | meaning | may become |", "|---|---|---|"]
    for member in kind:
        after = ", ".join(state.value for state in kind if state in moves.get(member, frozenset())) or "(end)"
        rows.append(f"| `{member.value}` | {sentences[member.name]} | {after} |")
    return [*rows, ""]


def _failures() -> list[str]:
    sentences = member_sentences(states.FailureClass)
    rows = [
        "## Failures",
        "",
        f"An attempt that burns counts towards the cap of {ATTEMPT_CAP}; at the cap the line waits for a person.",
        "",
        "| class | meaning | burns an attempt | pauses | tried again |",
        "|---|---|---|---|---|",
    ]
    for failure, policy in POLICIES.items():
        again = "never" if policy.final else f"after {policy.delay.total_seconds():g} s"
        again += ", alone" if policy.alone else ""
        burns = "yes" if policy.burns else "no"
        rows.append(f"| `{failure.value}` | {sentences[failure.name]} | {burns} | the {policy.scope.value} | {again} |")
    return [*rows, ""]


def states_page() -> str:
    """The text of docs/states.md."""
    lines = [
        "# States",
        "",
        "Made from `db/states.py` and `db/failures.py` by `make docs`; do not edit.",
        "",
        *_life("A line", states.LineState, states.LINE_MOVES),
        *_life("A section", states.SectionState, states.SECTION_MOVES),
        *_life("A job", states.JobState, states.JOB_MOVES),
        *_failures(),
    ]
    return "\n".join(lines)


PAGES = {"states.md": states_page, "cli.md": cli_page, "../.env.example": env_example}


def main() -> None:
    """Write every generated page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
