"""Finds a keyed mark and reads its payload, with a bound on how often it would find one that is not there.

The bound. Under a key that was not used, the signs are coin tosses independent of the sound. The score of a hypothesis
(speed, position) is the sum of the whitened levels times the signs, divided by its exact standard deviation given the
sound, so it is a Rademacher sum of variance one: P(score >= z) <= C * Q(z) with Q the upper tail of the normal
distribution and C = 3.18 (Pinelis 1994; the constant is Bentkus and Dzindzalieta's, 2015), for every sound, tonal or
not. The symbols read from an unmarked sound are uniform by symmetry, so each candidate message passes its CRC-16 with
probability 2**-16. By the union bound, a window examined with H hypotheses, K keys and L candidates for each gives

    P(false) <= H * K * L * C * Q(threshold) * 2**-16 .

The k-th window of a file may spend TARGET / (k * (k + 1)), which sums to less than TARGET over any number of windows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from synthesis.audio import Samples
from synthesis.mastering.ffmpeg import decode_pipe
from synthesis.watermark.frontend import (
    HOP,
    RATE,
    Plane,
    Whitener,
    band_levels,
    power_spectrum,
    running_power,
    to_detection_rate,
)
from synthesis.watermark.pattern import (
    ALPHABET,
    BANDS,
    SYMBOLS,
    TILE_S,
    TILES,
    decode_payload,
    symbol_mask,
    symbol_signs,
    sync_signs,
)

TARGET_FALSE_POSITIVES = 1e-6
"""Bound on the probability that a file without a mark of the given keys is called marked."""
LOWEST_THRESHOLD = 5.5
WINDOW_FRAMES = 4096
"""Frames examined at once: 65.5 s, two repeats of the pattern."""
WINDOW_SAMPLES = (WINDOW_FRAMES + 1) * HOP
SHORTEST_S = 2.0
"""A last piece shorter than this is not examined when there was a longer one."""

_PHASES = 4 * TILES
_SPEED_STEP = 0.0025
_SPEED_STEPS = 12
_CANDIDATES = 1 + SYMBOLS
_PEAKS = 8
_RADEMACHER = 3.18


@dataclass(frozen=True, slots=True)
class Detection:
    """What was found in a sound."""

    found: bool
    payload: int | None
    """The 32 bits that were embedded; None when nothing was found."""
    score: float
    """Best score (standard deviations); when found, the score of the mark."""
    threshold: float
    """What the score had to reach, in the window of the score, besides a valid CRC."""
    false_positive_rate: float
    """Upper bound on the probability that this search would have found a mark in a sound without one."""
    key_index: int | None
    """Which of the given keys; None when nothing was found."""
    speed: float
    """Playback speed relative to the programme as marked, ±3 % in steps of 0.25 %; 1.0 when nothing was found."""
    pitch: float
    """Pitch relative to the programme as marked; differs from ``speed`` after a time stretch."""
    offset_s: float
    """Where in the pattern's 32.768 s cycle the sound begins."""


@dataclass(frozen=True, slots=True)
class _Hypotheses:
    """Frequency scale and the time scales tried with it."""

    pitch: float
    speeds: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Window:
    """A window ready to be searched."""

    running: NDArray[np.float64]
    whitener: Whitener

    @classmethod
    def of(cls, samples: Samples) -> _Window | None:
        """None when it is shorter than a frame."""
        running = running_power(power_spectrum(samples))
        if running.shape[1] == 0:
            return None
        return cls(running, Whitener.fit(band_levels(running, 1.0)))

    def plane(self, pitch: float) -> Plane:
        """Whitened levels as the programme had them before its pitch was changed."""
        return self.whitener.apply(band_levels(self.running, pitch))


@dataclass(frozen=True, slots=True)
class _Hit:
    score: float
    payload: int | None = None
    key_index: int | None = None
    speed: float = 1.0
    pitch: float = 1.0
    phase: int = 0


def detect(samples: Samples, sample_rate: int, keys: Sequence[bytes], *, thorough: bool = True) -> Detection:
    """Look for a mark of any of ``keys`` in mono audio (samples,) at any rate from 16 kHz.

    Examines windows of 65 s and stops at the first mark. ``thorough`` tries speed, tempo and pitch changes within
    ±3 %; without it only the programme as it was delivered is found, about twenty times faster. Silence, noise and
    clips too short to tell are answered with ``found=False``. Raises ValueError without keys or for an empty key.
    """
    return _search(_windows([to_detection_rate(samples, sample_rate)]), keys, thorough=thorough)


def detect_file(path: Path, keys: Sequence[bytes], *, thorough: bool = True) -> Detection:
    """Look for a mark in an audio file of any format and length, in constant memory; see ``detect``.

    Raises AudioUnreadable for a file that cannot be decoded.
    """
    return _search(_windows(decode_pipe(path, RATE)), keys, thorough=thorough)


def threshold_for(window: int, hypotheses: int, keys: int) -> float:
    """Return the score that the ``window``-th window (from 1) must reach; see the module's derivation."""
    budget = TARGET_FALSE_POSITIVES / (window * (window + 1))
    tail = budget * 2.0**16 / (hypotheses * keys * _CANDIDATES * _RADEMACHER)
    return max(LOWEST_THRESHOLD, -NormalDist().inv_cdf(min(tail, 0.5)))


def false_positive_bound(threshold: float, hypotheses: int, keys: int) -> float:
    """Return the bound for one window examined at ``threshold``; see the module's derivation."""
    tail = 0.5 * math.erfc(threshold / math.sqrt(2.0))
    return min(1.0, hypotheses * keys * _CANDIDATES * _RADEMACHER * tail * 2.0**-16)


def _plan(thorough: bool) -> tuple[_Hypotheses, ...]:
    """The scales to try, the likeliest first: as delivered, then tempo, then speed and pitch."""
    as_delivered = _Hypotheses(1.0, (1.0,))
    if not thorough:
        return (as_delivered,)
    near_first = sorted((n for n in range(-_SPEED_STEPS, _SPEED_STEPS + 1) if n), key=lambda n: (abs(n), n))
    scales = [round(1.0 + _SPEED_STEP * n, 4) for n in near_first]
    return (as_delivered, *(_Hypotheses(scale, (scale, 1.0)) for scale in scales), _Hypotheses(1.0, tuple(scales)))


def _search(windows: Iterable[Samples], keys: Sequence[bytes], *, thorough: bool) -> Detection:
    if not keys:
        raise ValueError("looking for a watermark needs at least one key")
    templates = _templates(keys)
    plan = _plan(thorough)
    tried = _PHASES * sum(len(part.speeds) for part in plan)
    best, bound, at_threshold = _Hit(-math.inf), 0.0, threshold_for(1, tried, len(keys))
    start = 0
    for number, samples in enumerate(windows, start=1):
        window = _Window.of(samples)
        threshold = threshold_for(number, tried, len(keys))
        bound += false_positive_bound(threshold, tried, len(keys))
        hit = _examine(window, keys, templates, plan, threshold) if window else _Hit(-math.inf)
        if hit.payload is not None:
            fitting = _refined(window, templates, hit) if window and thorough else hit
            return _found(fitting, threshold, bound, start)
        if hit.score > best.score:
            best, at_threshold = hit, threshold
        start += len(samples)
    score = best.score if math.isfinite(best.score) else 0.0
    return Detection(False, None, score, at_threshold, bound, None, 1.0, 1.0, 0.0)


def _found(hit: _Hit, threshold: float, bound: float, start: int) -> Detection:
    cycle = TILES * TILE_S
    offset = ((hit.phase - 1) * HOP / RATE - start / RATE * hit.speed) % cycle  # frames are named by their middle
    return Detection(True, hit.payload, hit.score, threshold, bound, hit.key_index, hit.speed, hit.pitch, offset)


def _windows(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Cut a stream at ``RATE`` into windows, the last one shorter."""
    held = np.zeros(0, np.float32)
    given = False
    for block in blocks:
        held = np.concatenate((held, block))
        while len(held) >= WINDOW_SAMPLES:
            yield held[:WINDOW_SAMPLES]
            held, given = held[WINDOW_SAMPLES:], True
    if len(held) >= SHORTEST_S * RATE or not given:
        yield held


def _templates(keys: Sequence[bytes]) -> NDArray[np.complex64]:
    """Spectra of the synchronisation signs over one cycle, shape (cycle bins, BANDS, keys)."""
    spectra = [scipy.fft.rfft(np.repeat(sync_signs(key), 4, axis=0).astype(np.float32), axis=0) for key in keys]
    return np.ascontiguousarray(np.stack(spectra, axis=2))


def _examine(
    window: _Window,
    keys: Sequence[bytes],
    templates: NDArray[np.complex64],
    plan: Sequence[_Hypotheses],
    threshold: float,
) -> _Hit:
    """Try the plan on one window; the first message that passes wins, else the best score is told."""
    best = _Hit(-math.inf)
    for part in plan:
        plane = window.plane(part.pitch)
        for at in range(0, len(part.speeds), 4):
            speeds = part.speeds[at : at + 4]
            folded = np.stack([_fold(plane, speed) for speed in speeds])
            scores = _scores(folded, templates)  # (speeds, phases, keys)
            for which in _peaks(scores, threshold):
                number, phase, key_index = which
                hit = _Hit(float(scores[which]), None, key_index, speeds[number], part.pitch, phase)
                payload = _read_message(folded[number], phase, keys[key_index])
                if payload is not None:
                    return _Hit(hit.score, payload, key_index, hit.speed, hit.pitch, phase)
            best = max(best, _Hit(float(scores.max())), key=lambda hit: hit.score)
    return best


def _refined(window: _Window, templates: NDArray[np.complex64], hit: _Hit) -> _Hit:
    """Climb from a hit to the speed and pitch that fit best; the search stops at the first that is good enough."""
    if hit.key_index is None:
        return hit
    template = np.ascontiguousarray(templates[:, :, hit.key_index : hit.key_index + 1])
    seen = {(hit.speed, hit.pitch)}
    best, better = hit, True
    while better:
        better = False
        for speed_step, pitch_step in ((1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1)):
            speed = round(best.speed + speed_step * _SPEED_STEP, 4)
            pitch = round(best.pitch + pitch_step * _SPEED_STEP, 4)
            if (speed, pitch) in seen or max(abs(speed - 1.0), abs(pitch - 1.0)) > _SPEED_STEP * _SPEED_STEPS + 1e-9:
                continue
            seen.add((speed, pitch))
            scores = _scores(_fold(window.plane(pitch), speed)[None], template)[0, :, 0]
            if float(scores.max()) > best.score:
                phase, score = int(scores.argmax()), float(scores.max())
                best, better = _Hit(score, hit.payload, hit.key_index, speed, pitch, phase), True
    return best


def _peaks(scores: NDArray[np.float32], threshold: float) -> list[tuple[int, int, int]]:
    """Indices of the highest scores at or over the threshold, highest first."""
    over = np.argwhere(scores >= threshold)
    ranked = sorted((tuple(int(n) for n in row) for row in over), key=lambda row: -float(scores[row]))
    return [(row[0], row[1], row[2]) for row in ranked[:_PEAKS]]


def _fold(plane: Plane, speed: float) -> Plane:
    """Undo a change of speed and lay the repeats of the cycle on one another, shape (_PHASES, BANDS)."""
    frames = len(plane)
    original = max(1, round(frames * speed))
    source = np.minimum((np.arange(original) / speed + 0.5).astype(np.int64), frames - 1)
    cycles = -(-original // _PHASES)
    laid = np.zeros((cycles * _PHASES, BANDS), np.float32)
    laid[:original] = plane[source]
    return np.asarray(laid.reshape(cycles, _PHASES, BANDS).sum(axis=0))


def _scores(folded: NDArray[np.float32], templates: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Score of every position in the cycle, shape (planes, _PHASES, keys), from planes (planes, _PHASES, BANDS)."""
    spectra = np.conj(scipy.fft.rfft(folded, axis=1)).transpose(1, 0, 2)  # (bins, planes, BANDS)
    products = np.matmul(np.ascontiguousarray(spectra), templates)  # (bins, planes, keys)
    sums = scipy.fft.irfft(products, _PHASES, axis=0).transpose(1, 0, 2)  # (planes, phases, keys)
    deviations = np.stack([_deviations(plane) for plane in folded])  # (planes, phases)
    return np.asarray(sums / deviations[:, :, None], np.float32)


def _deviations(folded: Plane) -> NDArray[np.float32]:
    """Exact standard deviation of the sum at each position, over random signs, shape (_PHASES,); inf in silence.

    A position decides how frames fall into tiles (4 ways) and which diagonals are synchronisation (4 ways).
    """
    ring = np.concatenate((folded, folded[:3]))
    energy = (ring[:-3] + ring[1:-2] + ring[2:-1] + ring[3:]) ** 2  # of a tile that begins at each frame
    groups = energy.reshape(TILES // 4, 16 * BANDS).sum(axis=0)
    shares = groups.reshape(4, 4, BANDS // 4, 4).sum(axis=2)  # (tile % 4, frame % 4, band % 4)
    tile, band = np.meshgrid(np.arange(4), np.arange(4), indexing="ij")
    result = np.zeros(_PHASES, np.float64)
    for shift in range(4):
        for step in range(4):
            is_sync = (band + 3 * (tile + step + (shift > 0))) % 4 == 0
            result[shift + 4 * step :: 16] = shares[:, -shift % 4, :][is_sync].sum()
    result[result <= 1e-9] = np.inf
    return np.sqrt(result).astype(np.float32)


def _read_message(folded: Plane, phase: int, key: bytes) -> int | None:
    """Read the symbols at a position: the best of each, then with one symbol replaced by its runner-up."""
    tiles = np.roll(folded, phase, axis=0).reshape(TILES, 4, BANDS).sum(axis=1)
    first: list[int] = []
    second: list[int] = []
    for symbol in range(SYMBOLS):
        heard = tiles[symbol_mask(symbol)]
        table = np.stack([symbol_signs(key, symbol, value) for value in range(ALPHABET)])
        order = np.argsort(table.astype(np.float32) @ heard)
        first.append(int(order[-1]))
        second.append(int(order[-2]))
    candidates = [first, *([*first[:n], second[n], *first[n + 1 :]] for n in range(SYMBOLS))]
    for candidate in candidates:
        payload = decode_payload(bytes(candidate))
        if payload is not None:
            return payload
    return None
