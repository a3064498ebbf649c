from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.planning import PAUSES_MS
from scheduler.scripts.registry import Reader, readers
from scheduler.scripts.roles import SKIPPED_ROLES

PAGE = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reader", readers(), ids=lambda reader: reader.name)
def test_every_format_has_its_row(reader: Reader) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{reader.name}` |"))
    assert all(suffix in row for suffix in reader.suffixes)
    assert reader.kind in row


def test_every_skipped_role_is_named() -> None:
    words = set(PAGE.replace(",", " ").replace(".", " ").split())
    assert words >= SKIPPED_ROLES


def test_every_silence_is_named() -> None:
    for boundary, pause in PAUSES_MS.items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| {boundary} |"))
        assert f"{pause} ms" in row
