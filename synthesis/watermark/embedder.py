"""Puts the mark into a programme, block by block, in constant memory."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from synthesis.audio import Samples
from synthesis.watermark.pattern import BAND_HZ, BANDS, LOWEST_HZ, TILE_S, TILES, message_pattern

DEFAULT_STRENGTH_DB = 1.3
"""Level change of a tile, up or down."""
HOP_S = 0.016
LOWEST_RATE = 16000
_BATCH = 256
"""Frames transformed at once: small enough to stay in the processor's cache."""


class Embedder:
    """Marks one programme with a keyed 32-bit payload.

    Feed blocks of mono float32 samples of any size to ``process`` and end with ``flush``; the output has as many
    samples as the input in all, and does not depend on how the input was cut. Each 32 ms frame (square-root Hann, half
    overlapped) has its bands raised or lowered by ``strength_db``; what is added is the difference only, so a strength
    of 0 returns the input unchanged and digital silence stays silent. Levels may rise by up to ``strength_db``: mark
    before the last gain and the limiter.

    Raises ValueError for an empty key, a payload beyond 32 bits, a strength outside 0 … 6 dB or a sample rate below
    16 kHz.
    """

    def __init__(self, key: bytes, payload: int, sample_rate: int, strength_db: float = DEFAULT_STRENGTH_DB) -> None:
        if sample_rate < LOWEST_RATE:
            raise ValueError(f"the watermark needs {LOWEST_RATE} Hz or more, got {sample_rate}")
        if not 0.0 <= strength_db <= 6.0:
            raise ValueError(f"watermark strength is 0 … 6 dB, got {strength_db}")
        self._hop = round(HOP_S * sample_rate)
        size = 2 * self._hop
        window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size))
        self._window = window.astype(np.float32)
        self._frame_s = self._hop / sample_rate
        self._gains, self._first_bin = _band_gains(message_pattern(key, payload), size, sample_rate, strength_db)
        self._frame = 0
        self._pending = np.zeros(self._hop, np.float32)  # one hop of silence: the first samples get two frames too
        self._tail = np.zeros(self._hop, np.float32)
        self._lead = self._hop
        self._fed = 0
        self._given = 0

    def process(self, block: Samples) -> Samples:
        """Take a block (samples,) and return the marked samples that are final by now, about 32 ms late."""
        self._fed += len(block)
        self._pending = np.concatenate((self._pending, block))
        frames = len(self._pending) // self._hop - 1
        if frames <= 0:
            return np.zeros(0, np.float32)
        ready = np.concatenate([self._run(min(_BATCH, frames - at)) for at in range(0, frames, _BATCH)])
        lead, self._lead = min(self._lead, len(ready)), max(0, self._lead - len(ready))
        ready = ready[lead:]
        self._given += len(ready)
        return ready

    def flush(self) -> Samples:
        """Return what is left. The embedder is spent afterwards."""
        left = self._fed - self._given
        if left <= 0:
            return np.zeros(0, np.float32)
        rest = self.process(np.zeros(2 * self._hop, np.float32))
        return rest[:left]

    def _run(self, frames: int) -> Samples:
        """Mark the next ``frames`` frames and return as many hops of output."""
        hop = self._hop
        used = self._pending[: (frames + 1) * hop]
        overlapped = np.lib.stride_tricks.sliding_window_view(used, 2 * hop)[::hop]  # (frames, size)
        spectrum = scipy.fft.rfft(overlapped * self._window, axis=1)  # (frames, bins)
        low, high = self._first_bin, self._first_bin + self._gains.shape[1]
        centres = (
            np.arange(self._frame, self._frame + frames) + 0.0
        ) * self._frame_s  # the lead hop centres frame 0 at 0
        tiles = (centres / TILE_S + 1e-6).astype(np.int64) % TILES
        change = np.zeros_like(spectrum)
        change[:, low:high] = spectrum[:, low:high] * self._gains[tiles]
        delta = scipy.fft.irfft(change, n=2 * hop, axis=1, overwrite_x=True) * self._window
        added = np.concatenate((self._tail, np.zeros(frames * hop, np.float32)))
        added[: frames * hop] += delta[:, :hop].reshape(-1)
        added[hop:] += delta[:, hop:].reshape(-1)
        self._tail = added[frames * hop :].copy()
        self._pending = self._pending[frames * hop :]
        self._frame += frames
        return np.asarray(used[: frames * hop] + added[: frames * hop], np.float32)


def embed(
    samples: Samples, key: bytes, payload: int, sample_rate: int, strength_db: float = DEFAULT_STRENGTH_DB
) -> Samples:
    """Mark a whole clip (samples,) that fits in memory; see ``Embedder``."""
    embedder = Embedder(key, payload, sample_rate, strength_db)
    return np.concatenate((embedder.process(samples), embedder.flush()))


def _band_gains(
    signs: NDArray[np.int8], size: int, sample_rate: int, strength_db: float
) -> tuple[NDArray[np.float32], int]:
    """Change per tile and bin, gain minus one, shape (TILES, bins touched), and the first bin touched."""
    hertz = np.arange(size // 2 + 1) * sample_rate / size
    band = np.floor((hertz - LOWEST_HZ) / BAND_HZ + 1e-6).astype(np.int64)
    touched = np.flatnonzero((band >= 0) & (band < BANDS))
    up, down = math.pow(10.0, strength_db / 20.0) - 1.0, math.pow(10.0, -strength_db / 20.0) - 1.0
    changes = np.where(signs[:, band[touched]] > 0, up, down).astype(np.float32)
    return changes, int(touched[0])
