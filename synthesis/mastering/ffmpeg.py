"""ffmpeg as a child process: fed and read in blocks, bounded in time, its complaints kept."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import imageio_ffmpeg
import numpy as np

from synthesis.audio import Samples
from synthesis.errors import AudioUnreadable, EncodeError

_STALL_S = 60.0
"""A decoder that gives nothing for this long is ended."""
_TAIL = 600


def ffmpeg_exe() -> str:
    """Path of the ffmpeg binary: the one in the imageio-ffmpeg wheel, or IMAGEIO_FFMPEG_EXE where that is set."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def run_ffmpeg(
    args: Sequence[str], *, target: str, timeout_s: float = 600.0, feed: Iterable[Samples] | None = None
) -> None:
    """Run ffmpeg with ``args`` (inputs, options, output) and wait for it.

    ``feed`` is written to its standard input as raw float32 (``-f f32le -i pipe:0`` belongs into ``args``). Raises
    EncodeError naming ``target``, with the end of what ffmpeg said, when it fails or takes longer than ``timeout_s``;
    what ``feed`` raises passes through, and ffmpeg is ended.
    """
    command = [ffmpeg_exe(), "-hide_banner", "-nostdin", "-v", "error", "-y", *args]
    with tempfile.TemporaryFile() as complaints:
        stdin = subprocess.DEVNULL if feed is None else subprocess.PIPE
        with subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=complaints) as process:
            limit = _Limit(process, timeout_s)
            try:
                if feed is not None and process.stdin is not None:
                    _feed(process.stdin, feed)
                process.wait()
            except BaseException:
                process.kill()
                raise
            finally:
                limit.lift()
        if limit.reached:
            raise EncodeError(target, f"ffmpeg did not finish within {timeout_s:.0f} s")
        if process.returncode != 0:
            raise EncodeError(target, _tail(complaints) or f"ffmpeg ended with {process.returncode}")


def decode_pipe(path: Path, rate: int, *, block: int = 480_000, strict: bool = False) -> Iterator[Samples]:
    """Decode the audio of any file ffmpeg reads: mono at ``rate`` Hz, float32 blocks of shape (samples,), streamed.

    Several channels are mixed to one, their average. Blocks hold ``block`` samples, the last one fewer. Damaged frames
    are passed over, as players do, unless ``strict``. Raises AudioUnreadable when the file holds no audio, is damaged
    throughout (with ``strict``: anywhere), or nothing comes for a minute.
    """
    source = [*(["-xerror"] if strict else []), "-i", f"file:{path}", "-map", "0:a:0", "-vn"]
    command = [ffmpeg_exe(), "-hide_banner", "-nostdin", "-v", "error", "-threads", "1", *source]
    # without the limit ffmpeg's float mix of two equal channels is 3 dB too loud
    mix = f"aresample={rate}:ochl=mono:rematrix_maxval=1"
    command += ["-af", mix, "-ac", "1", "-ar", str(rate), "-f", "f32le", "pipe:1"]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints) as process,
    ):
        try:
            stalled = yield from _drain(process, block)
        except BaseException:
            process.kill()
            raise
        process.wait()
        if stalled:
            raise AudioUnreadable(str(path), f"nothing was decoded for {_STALL_S:.0f} s")
        if process.returncode != 0:
            raise AudioUnreadable(str(path), _tail(complaints) or f"ffmpeg ended with {process.returncode}")


class _Limit:
    """Ends a process that runs longer than it should, unless lifted first."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.reached = False
        self._process = process
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        self.reached = self._process.poll() is None
        self._process.kill()

    def lift(self) -> None:
        self._timer.cancel()
        self._timer.join()


def _feed(pipe: IO[bytes], blocks: Iterable[Samples]) -> None:
    try:
        for block in blocks:
            pipe.write(np.ascontiguousarray(block, dtype="<f4").data)
        pipe.close()
    except BrokenPipeError:
        # ffmpeg ended early: its exit status and its complaints say why
        pass


def _drain(process: subprocess.Popen[bytes], block: int) -> Generator[Samples, None, bool]:
    """Yield what a decoder writes; the value returned says whether it had to be ended."""
    if process.stdout is None:
        return False
    while True:
        # only the wait for ffmpeg is bounded, not the time the caller takes over a block
        limit = _Limit(process, _STALL_S)
        try:
            data = process.stdout.read(4 * block)
        finally:
            limit.lift()
        if limit.reached:
            return True
        if not data:
            return False
        yield np.frombuffer(data[: len(data) // 4 * 4], dtype="<f4").astype(np.float32)


def _tail(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    text = complaints.read().decode("utf-8", "replace").strip()
    return text[-_TAIL:]
