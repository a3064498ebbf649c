"""Frames on the pipes between the draft engine and its host: JSON header and raw payload, both length-prefixed.

Standard library only: the host loads this file and must stay small, because it forks for every line.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

_PREFIX = struct.Struct(">II")
_MAX_HEADER = 1 << 20
_MAX_PAYLOAD = 1 << 30


class StreamEnded(Exception):
    """The other side closed its end, in between frames or in the middle of one."""


class StreamSilent(Exception):
    """No complete frame arrived in time."""


class FrameMalformed(Exception):
    """The bytes are not a frame of ours."""


def pack(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """One frame: two big-endian 32-bit lengths, the header as UTF-8 JSON, the payload as it is."""
    head = json.dumps(header, ensure_ascii=False).encode()
    return _PREFIX.pack(len(head), len(payload)) + head + payload


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, however small the pipe. Raises BrokenPipeError when nobody reads."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_frame(
    fd: int, *, timeout_s: float | None = None, idle: Callable[[], None] | None = None
) -> tuple[dict[str, Any], bytes]:
    """Read one frame from ``fd``.

    ``timeout_s`` bounds the wait for the whole frame; ``idle`` is called about every second while nothing comes.
    Raises StreamEnded, StreamSilent or FrameMalformed.
    """
    end = None if timeout_s is None else time.monotonic() + timeout_s
    head_size, payload_size = _PREFIX.unpack(_read_exactly(fd, _PREFIX.size, end, idle))
    if head_size > _MAX_HEADER or payload_size > _MAX_PAYLOAD:
        raise FrameMalformed(f"a frame of {head_size} + {payload_size} bytes")
    try:
        header = json.loads(_read_exactly(fd, head_size, end, idle))
    except ValueError as error:
        raise FrameMalformed(str(error)) from error
    if not isinstance(header, dict):
        raise FrameMalformed("the header is not an object")
    return header, _read_exactly(fd, payload_size, end, idle)


def _read_exactly(fd: int, size: int, end: float | None, idle: Callable[[], None] | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        wait = 1.0 if end is None else min(1.0, end - time.monotonic())
        if wait <= 0:
            raise StreamSilent
        if not select.select([fd], [], [], wait)[0]:
            if idle is not None:
                idle()
            continue
        chunk = os.read(fd, min(size - len(data), 1 << 20))
        if not chunk:
            raise StreamEnded
        data += chunk
    return bytes(data)
