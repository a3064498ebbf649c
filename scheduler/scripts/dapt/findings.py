"""What is found in a document that was asked to be DAPT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
"""error: not a DAPT document. warning: it is one, and goes against advice of the specification."""

MAX_FINDINGS = 500
"""After so many a document is judged no further."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One departure from the specification."""

    rule: str
    """Name of the feature or extension in the profile, such as ``represents`` or ``serialization``."""
    line: int
    """Where in the file, from 1."""
    severity: Severity
    message: str
    """What is wrong and what to do."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.severity}: {self.rule}: {self.message}"


class EnoughFound(Exception):
    """The list is full."""


class Findings:
    """Collects what the rules report."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self._found: list[Finding] = []

    def error(self, rule: str, line: int, message: str) -> None:
        """Report what makes the document invalid."""
        self._add(Finding(rule, line, "error", message))

    def warning(self, rule: str, line: int, message: str) -> None:
        """Report what the specification advises against."""
        self._add(Finding(rule, line, "warning", message))

    def strictly(self, rule: str, line: int, message: str) -> None:
        """Report what a validator refuses and a reader can read past."""
        self._add(Finding(rule, line, "error" if self.strict else "warning", message))

    def sorted(self) -> tuple[Finding, ...]:
        """Everything found, in the order of the file, errors of a line first."""
        return tuple(sorted(self._found, key=lambda finding: (finding.line, finding.severity, finding.rule)))

    def _add(self, finding: Finding) -> None:
        self._found.append(finding)
        if len(self._found) >= MAX_FINDINGS:
            raise EnoughFound


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Only what makes a document invalid."""
    return tuple(finding for finding in findings if finding.severity == "error")
