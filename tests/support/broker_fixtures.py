"""Fixtures that hand a test a real RabbitMQ. Missing service: skipped at home, a failure where CI=true."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from rabbitmq import BIN, Broker, BrokerUnavailable, PrivateNode, provide


def missing(reason: str) -> None:
    """Skip on a laptop, fail in CI: a service that silently went missing must not look like success."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """The broker of this run."""
    try:
        provided = provide(dict(os.environ))
    except BrokerUnavailable as error:
        missing(str(error))
        raise
    yield provided
    provided.close()


@pytest.fixture
def broker_url(broker: Broker) -> str:
    """URL of an empty virtual host (of the shared one where the broker is not ours to administer)."""
    return broker.vhost_url()


@pytest.fixture(scope="module")
def private_broker() -> Iterator[PrivateNode]:
    """A node of the module's own, which may be stopped, killed and wiped."""
    if not (BIN / "rabbitmq-server").exists():
        missing("faults of the broker need a private node: apt-get install --no-install-recommends rabbitmq-server")
    node = PrivateNode()
    node.start()
    yield node
    node.close()
