"""Starts, feeds and ends the host process; one thread uses it."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from synthesis.draft import frames
from synthesis.errors import EngineError, TextError, VoiceMissing

_log = logging.getLogger(__name__)

_START_LIMIT_S = 30.0
_REPLY_LIMIT_S = 90.0  # longer than host.LINE_LIMIT_S: the host's own verdict comes first
_MODULE = "synthesis.draft.host"


def host_command(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a host: this interpreter, this copy of the package, whatever the directory."""
    root = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    path = root if not inherited else root + os.pathsep + inherited
    # -P: a file called json.py in the working directory is not our json
    return [sys.executable, "-P", "-m", _MODULE, *arguments], {**os.environ, "PYTHONPATH": path}


class HostClient:
    """The host process as an object: started when first needed, started again after it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: deque[str] = deque(maxlen=5)
        self.sample_rate = 0
        """Hz; known once the host runs."""

    def start(self) -> subprocess.Popen[bytes]:
        """Make sure the host runs, and return it. Raises VoiceMissing when espeak-ng cannot be loaded here."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        command, environment = host_command()
        self._stderr.clear()
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._process = process
        drain = (_pipe(process.stderr), self._stderr)
        threading.Thread(target=_drain, args=drain, name="draft-stderr", daemon=True).start()
        try:
            hello, _ = frames.read_frame(_pipe(process.stdout).fileno(), timeout_s=_START_LIMIT_S)
        except (frames.StreamEnded, frames.StreamSilent, frames.FrameMalformed) as error:
            self.close()
            raise VoiceMissing("draft", self._because("the espeak-ng process did not start")) from error
        if not hello["ok"]:
            self.close()
            raise VoiceMissing("draft", str(hello["reason"]))
        self.sample_rate = hello["sample_rate"]
        _log.debug("draft host %d runs espeak-ng %s", process.pid, hello["version"])
        return process

    def speak(self, request: Mapping[str, Any]) -> bytes:
        """int16 mono samples for one line. Raises TextError, and EngineError when the line took the host with it."""
        reply, pcm = self._exchange(frames.pack(request))
        if reply["ok"]:
            return pcm
        if reply["kind"] == "text":
            raise TextError(str(reply["reason"]), str(request["text"]))
        raise EngineError("draft", str(reply["reason"]))

    def _exchange(self, request: bytes) -> tuple[dict[str, Any], bytes]:
        process = self._send(request) or self._send(request)
        if process is None:
            raise EngineError("draft", self._because("the espeak-ng process ends before it takes a line"))
        try:
            return frames.read_frame(_pipe(process.stdout).fileno(), timeout_s=_REPLY_LIMIT_S)
        except (frames.StreamEnded, frames.StreamSilent, frames.FrameMalformed) as error:
            self.close()
            raise EngineError("draft", self._because("the espeak-ng process ended in the middle of a line")) from error

    def _send(self, request: bytes) -> subprocess.Popen[bytes] | None:
        """Hand the request to a running host; None when it died before it took it, which is not the line's fault."""
        process = self.start()
        try:
            frames.write_all(_pipe(process.stdin).fileno(), request)
        except BrokenPipeError:
            self.close()
            return None
        return process

    def _because(self, what: str) -> str:
        return f"{what}: {' / '.join(self._stderr)}" if self._stderr else what

    def close(self) -> None:
        """End the host at once. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise EngineError("draft", "the host has no pipes")
    return stream


def _drain(stream: IO[bytes], last: deque[str]) -> None:
    """Keep the host from blocking on a full stderr; runs in a thread of its own until the host ends."""
    with stream:
        for raw in stream:
            line = raw.decode(errors="replace").rstrip()
            last.append(line)
            _log.debug("draft host: %s", line)
