"""What the fault tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from farm import Farm, farm, sheet, speakable
from rabbitmq import PrivateNode


@pytest.fixture
def running(tmp_path: Path, database_url: str, private_broker: PrivateNode) -> Iterator[Farm]:
    """A farm on a database of its own and an empty virtual host; nothing of it is started yet."""
    if os.getuid() == 0:
        tmp_path.chmod(0o755)
    with farm(tmp_path / "farm", database_url, private_broker.vhost_url()) as made:
        yield made


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """24 lines in two chapters, each worth a quarter of a second of work."""
    return sheet(tmp_path / "book.csv", [speakable(number) for number in range(24)])
