"""Short clips in any format, through pydub: references and pick-ups in, single takes out. Never a whole programme."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np

from synthesis.audio import Audio
from synthesis.errors import AudioUnreadable, EncodeError

MAX_CLIP_S: Final = 60
"""Longest clip that is read; pydub holds everything in memory, several times over."""


def import_clip(path: Path) -> Audio:
    """A clip of any format ffmpeg reads, as mono at its own rate (channels are averaged).

    Raises AudioUnreadable: no such file, no audio in it, no samples, or longer than MAX_CLIP_S.
    """
    if not path.is_file():
        raise AudioUnreadable(str(path), "there is no such file")
    segment_type = _segment_type()
    try:
        # not from_file: that asks ffprobe first, which the ffmpeg wheel does not bring
        segment: Any = segment_type.from_file_using_temporary_files(
            str(path), duration=MAX_CLIP_S + 1, parameters=["-acodec", "pcm_s32le"]
        )
    except (_decode_error(), OSError, EOFError) as error:
        raise AudioUnreadable(str(path), _last_line(error)) from error
    frames = np.array(segment.get_array_of_samples())
    if not len(frames):
        raise AudioUnreadable(str(path), "the file holds no samples")
    if len(segment) > MAX_CLIP_S * 1000:
        raise AudioUnreadable(str(path), f"longer than {MAX_CLIP_S} s; cut a clip out of it")
    scale = float(1 << (8 * segment.sample_width - 1))
    mono = frames.reshape(-1, segment.channels).mean(axis=1) / scale
    return Audio(mono.astype(np.float32), int(segment.frame_rate))


def export_take(audio: Audio, path: Path) -> None:
    """Write a take to ``path`` in the format its suffix names (.wav, .mp3, .flac, .ogg, .m4a …), 16 bits.

    A peak over full scale is scaled down by a constant. Raises EncodeError: no samples, not finite, unknown suffix,
    no place to write.
    """
    kind = path.suffix.lstrip(".").lower()
    if not kind:
        raise EncodeError(str(path), "the name has no suffix to tell the format by")
    if not len(audio.samples) or not np.isfinite(audio.samples).all():
        raise EncodeError(str(path), "there are no samples, or some are not finite")
    peak = max(1.0, float(np.abs(audio.samples).max()))
    pcm = np.round(audio.samples / peak * 32767).astype("<i2").tobytes()
    segment = _segment_type()(data=pcm, sample_width=2, frame_rate=audio.sample_rate, channels=1)
    encoded = io.BytesIO()
    try:
        segment.export(encoded, format=_FFMPEG_NAMES.get(kind, kind))
        path.write_bytes(encoded.getvalue())
    except (_encode_error(), OSError) as error:
        raise EncodeError(str(path), _last_line(error)) from error


_FFMPEG_NAMES = {"m4a": "ipod", "aac": "adts", "aif": "aiff"}


def _segment_type() -> Any:
    """pydub's AudioSegment with the ffmpeg of the wheel, without touching pydub's global setting."""
    import imageio_ffmpeg

    pydub = _pydub()
    return type("Clip", (pydub.AudioSegment,), {"converter": imageio_ffmpeg.get_ffmpeg_exe()})


def _pydub() -> Any:
    with warnings.catch_warnings():
        # at import it looks for an ffmpeg on the PATH and warns when there is none
        warnings.simplefilter("ignore")
        import pydub
    return pydub


def _decode_error() -> type[Exception]:
    error: type[Exception] = _pydub().exceptions.CouldntDecodeError
    return error


def _encode_error() -> type[Exception]:
    error: type[Exception] = _pydub().exceptions.CouldntEncodeError
    return error


def _last_line(error: BaseException) -> str:
    """ffmpeg's own reason is the last thing it said; the lines before it are its banner."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
