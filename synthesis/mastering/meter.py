"""Everything that is measured of a finished master, in one pass over its blocks."""

from __future__ import annotations

import numpy as np

from synthesis.audio import Samples
from synthesis.mastering.loudness import LoudnessMeter, to_db
from synthesis.mastering.truepeak import TruePeakMeter

PICTURE_WIDTH = 800
"""Most pairs in a waveform picture."""


class LevelMeter:
    """RMS of a whole stream, and of its quietest half second."""

    def __init__(self, sample_rate: int) -> None:
        self._hop = max(1, sample_rate // 10)
        self._rest: Samples = np.zeros(0, np.float32)
        self._energies: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []

    def add(self, block: Samples) -> None:
        """Measure another block of shape (samples,)."""
        whole = np.concatenate([self._rest, block]) if len(self._rest) else block
        rows = len(whole) // self._hop
        frames = whole[: rows * self._hop].reshape(rows, self._hop)
        self._energies.append(np.einsum("ij,ij->i", frames, frames).astype(np.float64))
        self._rest = whole[rows * self._hop :].copy()

    def rms_dbfs(self) -> float:
        """RMS of everything so far in dBFS; -120 for silence or nothing."""
        energies = np.concatenate([*self._energies, np.zeros(0)])
        samples = len(energies) * self._hop + len(self._rest)
        total = float(energies.sum()) + float(np.dot(self._rest, self._rest))
        return to_db((total / samples) ** 0.5) if samples else to_db(0.0)

    def noise_floor_dbfs(self) -> float:
        """RMS of the quietest half second in dBFS (found to 0.1 s); of everything when that is shorter."""
        energies = np.concatenate([*self._energies, np.zeros(0)])
        if len(energies) < 5:
            return self.rms_dbfs()
        windows = np.lib.stride_tricks.sliding_window_view(energies, 5).sum(axis=1)
        return to_db(float(windows.min() / (5 * self._hop)) ** 0.5)


class PictureMeter:
    """Least and greatest sample of equal stretches of a stream whose length is known: a waveform picture."""

    def __init__(self, samples: int) -> None:
        self._stretch = max(1, -(-samples // PICTURE_WIDTH))
        self._position = 0
        self._pairs: list[list[float]] = []

    def add(self, block: Samples) -> None:
        """Add another block of shape (samples,)."""
        done = 0
        while done < len(block):
            index, into = divmod(self._position, self._stretch)
            part = block[done : done + self._stretch - into]
            low, high = float(part.min()), float(part.max())
            if index == len(self._pairs):
                self._pairs.append([low, high])
            else:
                pair = self._pairs[index]
                pair[:] = [min(pair[0], low), max(pair[1], high)]
            done += len(part)
            self._position += len(part)

    def peaks(self) -> list[list[float]]:
        """The pairs, rounded to what a picture can show."""
        return [[round(low, 4), round(high, 4)] for low, high in self._pairs]


class MasterMeter:
    """Loudness, range, true peak, RMS, noise floor and waveform picture of one mono stream."""

    def __init__(self, sample_rate: int, samples: int) -> None:
        self.loudness = LoudnessMeter(sample_rate, with_range=True)
        self.true_peak = TruePeakMeter()
        self.level = LevelMeter(sample_rate)
        self.picture = PictureMeter(samples)

    def add(self, block: Samples) -> None:
        """Measure another block of shape (samples,)."""
        if len(block):
            self.loudness.add(block)
            self.true_peak.add(block)
            self.level.add(block)
            self.picture.add(block)
