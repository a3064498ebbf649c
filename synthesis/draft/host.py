"""The draft voice's own process: ``python -m synthesis.draft.host``, frames in on stdin, frames out on stdout.

espeak-ng never says the same thing twice the same way in one process: noise, flutter and voice settings carry over
from call to call, even across a terminate and a new start. So this process says nothing itself. It initialises the
library and forks for every line: each line starts from the same memory and gives the same bytes, whatever was said
before, and a line that takes the library down takes only its own child.

It ends when stdin ends or when its parent is gone, and ignores SIGINT and SIGTERM: a worker that was asked to leave
still finishes the lines it holds. No PDEATHSIG here: that signal follows the *thread* that started the process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from synthesis.draft import frames
from synthesis.draft.espeak import Espeak, EspeakFailed, LineTooLong

LINE_LIMIT_S = 60
"""Longest time one line may take (normally about 2 ms per second of speech)."""
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Serve until stdin ends; exit status 0, or 1 when the library cannot be loaded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    out = os.dup(1)
    os.dup2(2, 1)  # nothing the library prints may reach the frames
    try:
        espeak = _load()
    except (EspeakFailed, ImportError, OSError) as error:
        frames.write_all(out, frames.pack({"ok": False, "reason": str(error)}))
        return 1
    if "--languages" in sys.argv[1:]:
        frames.write_all(out, frames.pack({"languages": sorted(set(espeak.language_tags()))}))
        return 0
    parent = os.getppid()
    try:
        frames.write_all(out, frames.pack({"ok": True, "version": espeak.version, "sample_rate": espeak.sample_rate}))
        while True:
            request, _ = frames.read_frame(0, idle=lambda: _leave_if_orphaned(parent))
            frames.write_all(out, _in_child(espeak, request))
    except (frames.StreamEnded, BrokenPipeError):
        return 0


def _load() -> Espeak:
    import espeakng_loader

    return Espeak(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())


def _leave_if_orphaned(parent: int) -> None:
    if os.getppid() != parent:
        raise frames.StreamEnded


def _in_child(espeak: Espeak, request: Mapping[str, Any]) -> bytes:
    """Speak in a fork and return the reply frame; a child that dies gives a reply that says how."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        _child_main(espeak, request, send)
    os.close(send)
    data = bytearray()
    while chunk := os.read(receive, 1 << 20):
        data += chunk
    os.close(receive)
    _, status = os.waitpid(child, 0)
    if status == 0:
        return bytes(data)
    return frames.pack({"ok": False, "kind": "died", "reason": _how_it_ended(status)})


def _child_main(espeak: Espeak, request: Mapping[str, Any], send: int) -> None:
    status = 1
    try:
        signal.alarm(LINE_LIMIT_S)
        _die_with_parent()
        try:
            pcm = espeak.speak(
                request["text"],
                voice=request["voice"],
                rate=request["rate"],
                pitch=request["pitch"],
                pitch_range=request["range"],
            )
            reply = frames.pack({"ok": True}, pcm)
        except EspeakFailed as error:
            kind = "text" if isinstance(error, LineTooLong) else "refused"
            reply = frames.pack({"ok": False, "kind": kind, "reason": str(error)})
        frames.write_all(send, reply)
        status = 0
    finally:
        os._exit(status)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _how_it_ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGALRM:
        return f"espeak-ng was still speaking after {LINE_LIMIT_S} s"
    if code < 0:
        return f"espeak-ng was ended by {signal.Signals(-code).name}"
    return f"espeak-ng ended with status {code}"


if __name__ == "__main__":
    sys.exit(main())
