"""What every tier shares. The services themselves are in tests/support."""

from __future__ import annotations

import os

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # processes share the cores already; threads of each would wait for others
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # read when torch and numpy are imported
        os.environ.setdefault(_name, "1")

pytest_plugins = ["scratch", "broker_fixtures", "postgres_fixtures", "s3_fixtures"]


def pytest_configure(config: pytest.Config) -> None:
    """Whatever the machine's own farm is set to must not reach the tests."""
    for name in [name for name in os.environ if name.startswith("VOICEFARM_")]:
        del os.environ[name]
