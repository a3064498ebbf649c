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


@pytest.fixture(scope="session")
def private_node(request: pytest.FixtureRequest) -> Iterator[PrivateNode]:
    """The node of this run where it is ours, else one more."""
    if not (BIN / "rabbitmq-server").exists():
        missing("faults of the broker need a private node: apt-get install --no-install-recommends rabbitmq-server")
    broker = request.getfixturevalue("broker")
    if isinstance(broker, PrivateNode):
        yield broker
        return
    node = PrivateNode()
    node.start()
    yield node
    node.close()


@pytest.fixture
def private_broker(private_node: PrivateNode) -> Iterator[PrivateNode]:
    """A node which may be stopped, killed and wiped: it knows its virtual hosts again, and runs for the next test."""
    yield private_node
    if not private_node.running:
        private_node.start()
