"""kombu's AMQP transport, reading ahead: a burst of messages costs a few system calls instead of a dozen each.

py-amqp asks the socket for exactly the bytes of the next field, and kombu goes round its event loop for every message.
Each of those system calls lets go of the interpreter, and a worker whose other threads are busy waits to get it back:
at several hundred lines a second that wait was the worker's narrowest place.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import Any

from amqp.transport import TCPTransport
from kombu.transport.pyamqp import Transport as KombuTransport

READ_BYTES = 1 << 14
"""py-amqp copies what is left of a block at every field it takes from it."""
BURST = 768
"""Frames of one turn at most, three to a message: timers, heartbeats and acknowledgements get their turn in between."""
NOTHING_THERE = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR})


class ReadAheadTransport(KombuTransport):
    """AMQP over TCP. What was read beyond a field stays in py-amqp's own buffer, where it looks first."""

    def establish_connection(self) -> Any:
        """Connect, then read in blocks."""
        connection = super().establish_connection()  # type: ignore[no-untyped-call]  # kombu has no types
        receive = connection.transport.sock.recv
        connection.transport._quick_recv = lambda wanted: receive(max(wanted, READ_BYTES))
        return connection

    def on_readable(self, connection: Any, loop: Any) -> None:
        """Handle every message that is there; a long burst goes on after the loop's next turn."""
        transport = connection.transport
        with transport.having_timeout(0):  # once for the burst; ``drain_events`` does it for every frame
            for _ in range(BURST):
                try:
                    connection.on_inbound_frame(transport.read_frame())
                except TimeoutError:
                    return
                except OSError as error:
                    if error.errno in NOTHING_THERE:
                        return
                    raise
        loop.call_soon(self.on_readable, connection, loop)


@contextlib.contextmanager
def written_together(connection: Any) -> Iterator[None]:
    """Send what is written to a kombu connection inside the block in one piece; only the loop's thread may do this.

    Forty acknowledgements were forty system calls. Any other transport than AMQP over TCP is left as it is.
    """
    transport = getattr(getattr(connection, "connection", None), "transport", None)
    if not isinstance(transport, TCPTransport):
        yield
        return
    gathered = bytearray()
    write, transport._write = transport._write, gathered.extend
    try:
        yield
    finally:
        transport._write = write
        if gathered:
            transport.write(gathered)


def transport_for(broker_url: str) -> str | None:
    """The transport class a line worker uses for a broker, as Celery's setting names it; None for kombu's choice."""
    return f"{__name__}:ReadAheadTransport" if broker_url.startswith(("amqp://", "pyamqp://")) else None
