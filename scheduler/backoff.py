"""How long to wait before the next try: doubling, with a ceiling."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Counts failures in a row and says how long to wait after each. Times in seconds."""

    first_s: float
    most_s: float
    failures: int = 0

    def failed(self) -> float:
        """Note a failure; returns the delay before the next try."""
        delay = min(self.first_s * 2.0 ** min(self.failures, 30), self.most_s)
        self.failures += 1
        return delay

    def succeeded(self) -> None:
        """Start from the beginning."""
        self.failures = 0
