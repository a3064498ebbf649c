"""What every tier shares. The services themselves are in tests/support."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["broker_fixtures", "postgres_fixtures", "s3_fixtures"]


def pytest_configure(config: pytest.Config) -> None:
    """Whatever the machine's own farm is set to must not reach the tests."""
    for name in [name for name in os.environ if name.startswith("VOICEFARM_")]:
        del os.environ[name]
