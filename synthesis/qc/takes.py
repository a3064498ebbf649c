"""Takes as files: FLAC, 24 bits, mono, at the engine's rate."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from synthesis.audio import Audio, Samples
from synthesis.errors import AudioUnreadable, EncodeError

TAKE_SUFFIX: Final = "flac"
"""Suffix of a take's key in the store."""
FULL_SCALE = 1 - 2**-23
"""Greatest sample a 24-bit file holds."""
_FLAC: dict[str, Any] = {"format": "FLAC", "subtype": "PCM_24", "compression_level": 0.25}


def take_to_bytes(audio: Audio) -> bytes:
    """A FLAC file of ``audio``; the same samples give the same bytes with the same libsndfile.

    A take whose peak exceeds 24-bit full scale is scaled down by a constant: a clipped peak cannot be mended later.
    Raises EncodeError for 0 samples, and for samples that are not finite.
    """
    if not len(audio.samples):
        raise EncodeError("take", "there are no samples")
    peak = max(float(audio.samples.max()), -float(audio.samples.min()))
    if not np.isfinite(peak):
        raise EncodeError("take", "samples are NaN or infinite")
    samples = audio.samples if peak <= FULL_SCALE else audio.samples * np.float32(FULL_SCALE / peak)
    try:
        return _encoded(samples, audio.sample_rate)
    except soundfile.LibsndfileError as error:
        raise EncodeError("take", str(error)) from error


def _encoded(samples: Samples, sample_rate: int) -> bytes:
    """Encode in memory, as a file of the system's own where it has such files.

    libsndfile calls back into Python for every few kilobytes it writes to a Python file; in a busy worker each call
    waits for the interpreter.
    """
    if not hasattr(os, "memfd_create"):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, sample_rate, **_FLAC)
        return buffer.getvalue()
    target = os.memfd_create("take")
    try:
        soundfile.write(target, samples, sample_rate, closefd=False, **_FLAC)
        size = os.fstat(target).st_size
        data = os.pread(target, size, 0)
    finally:
        os.close(target)
    if len(data) != size:  # one read gives at most 2 GiB
        raise EncodeError("take", f"the file has {size} bytes, {len(data)} could be read")
    return data


def read_take(source: Path | bytes) -> Audio:
    """A take, from its file or its bytes. Raises AudioUnreadable: not audio, truncated, empty or not mono."""
    name = str(source) if isinstance(source, Path) else f"a take of {len(source)} bytes"
    target: Any = str(source) if isinstance(source, Path) else io.BytesIO(source)
    try:
        with soundfile.SoundFile(target) as file:
            promised, channels, rate = file.frames, file.channels, file.samplerate
            samples = file.read(dtype="float32") if channels == 1 else np.zeros(0, np.float32)
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioUnreadable(name, str(error)) from error
    if channels != 1:
        raise AudioUnreadable(name, f"a take is mono, this has {channels} channels")
    if not len(samples):
        raise AudioUnreadable(name, "the file holds no samples")
    if len(samples) != promised:
        raise AudioUnreadable(name, f"the file is truncated: {len(samples)} of {promised} samples")
    return Audio(samples, rate)
