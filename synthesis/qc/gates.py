"""Cheap checks of a fresh take: is it audio, and is it plausible for its text? Over 2,000 × real time on one core.

A rejected take is an engine fault and is rendered again; a flagged one is kept with its findings, for a person's eye.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from synthesis.audio import Audio, Samples
from synthesis.engine import LineRequest
from synthesis.text.errors import BadPause
from synthesis.text.markup import split_pauses

Severity = Literal["note", "flag", "reject"]

MIN_RATE, MAX_RATE = 8_000, 192_000
"""Hz; outside, the engine is wrong about its own rate."""
SILENT_PEAK = 0.001
"""A take that never exceeds this (-60 dBFS) is silent."""
QUIET_PEAK = 0.01
"""A take that never exceeds this (-40 dBFS) is suspiciously quiet."""
CLIP_LEVEL = 0.999
CLIP_RUN = 4
"""Samples in a row at or above CLIP_LEVEL, with one sign, that count as one clipped run."""
MAX_CLIPPED_RUNS = 2
MAX_DC = 0.01
"""Greatest mean of a take, as a fraction of full scale (-40 dBFS)."""
MAX_LEADING_MS, MAX_TRAILING_MS, MAX_INNER_MS = 800, 1_200, 1_800
_FRAME_MS = 10
_GATE_BELOW_LOUDEST = 10 ** (-45 / 20)
_GATE_FLOOR = 10 ** (-65 / 20)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or suspicious about a take."""

    code: str
    """Stable name: 'not_finite', 'empty', 'clipped' …"""
    message: str
    """One sentence for people, with the number in it."""
    severity: Severity
    """'reject': not a take at all; 'flag': kept, and worth a listen; 'note': recorded, and nobody has to look."""
    value: float
    """The measured number, in the unit the message names."""

    def to_json(self) -> dict[str, Any]:
        """As stored with the take."""
        return {"code": self.code, "message": self.message, "severity": self.severity, "value": self.value}


def check_take(audio: Audio, request: LineRequest) -> list[Finding]:
    """Everything wrong with ``audio`` as a take of ``request``; [] when nothing is.

    A rejected take has exactly one finding, the reason; a take that is merely flagged may have several.
    """
    if not len(audio.samples):
        return [Finding("empty", "the take has no samples", "reject", 0)]
    # one pass each; a NaN anywhere makes both NaN, an infinity makes one infinite
    high, low = float(audio.samples.max()), float(audio.samples.min())
    rejected = _reject(audio, high, low)
    if rejected is not None:
        return [rejected]
    asked = _asked(request.text)
    return [*_levels(audio.samples, max(high, -low)), *_silences(audio, asked), *_duration(audio, asked)]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A text without its pause marks, and the silence they ask for, in milliseconds."""

    text: str
    leading: int = 0
    inner: int = 0
    """The longest."""
    trailing: int = 0
    total: int = 0


def _asked(text: str) -> _Asked:
    try:
        parts = split_pauses(text)
    except BadPause:  # an engine that reads marks has refused it; the others speak it as it stands
        return _Asked(text)
    spoken = [at for at, (part, _) in enumerate(parts) if part.strip()]
    if not spoken:
        return _Asked(text)
    pauses = [0] * (len(spoken) + 1)  # before, between and after what is spoken
    for at, (_, pause_ms) in enumerate(parts):
        pauses[sum(each <= at for each in spoken)] += pause_ms
    words = " ".join(parts[at][0].strip() for at in spoken)
    return _Asked(words, pauses[0], max(pauses[1:-1], default=0), pauses[-1], sum(pauses))


def _reject(audio: Audio, high: float, low: float) -> Finding | None:
    count = len(audio.samples)
    if not (np.isfinite(high) and np.isfinite(low)):
        bad = count - int(np.count_nonzero(np.isfinite(audio.samples)))
        return Finding("not_finite", f"{bad} of {count} samples are NaN or infinite", "reject", bad)
    if not MIN_RATE <= audio.sample_rate <= MAX_RATE:
        message = f"a sample rate of {audio.sample_rate} Hz is outside {MIN_RATE} … {MAX_RATE} Hz"
        return Finding("sample_rate", message, "reject", audio.sample_rate)
    peak = max(high, -low)
    if peak <= SILENT_PEAK:
        return Finding("silent", f"the take is silent (peak {_dbfs(peak)} dBFS)", "reject", peak)
    return None


def _levels(samples: Samples, peak: float) -> Iterator[Finding]:
    if peak > 1:
        message = f"the peak is {_dbfs(peak)} dBFS, over full scale; the stored take is scaled down"
        yield Finding("over_full_scale", message, "flag", peak)
    if peak < QUIET_PEAK:
        yield Finding("quiet", f"the peak is only {_dbfs(peak)} dBFS", "flag", peak)
    if peak >= CLIP_LEVEL and (runs := _clipped_runs(samples)) > MAX_CLIPPED_RUNS:
        yield Finding("clipped", f"{runs} runs of {CLIP_RUN} or more samples at full scale", "flag", runs)
    mean = float(samples.mean(dtype=np.float64))
    if abs(mean) > MAX_DC:
        yield Finding("dc_offset", f"the mean is {mean:+.4f} of full scale", "flag", mean)


def _clipped_runs(samples: Samples) -> int:
    runs = 0
    for over in (samples >= CLIP_LEVEL, samples <= -CLIP_LEVEL):
        edges = np.flatnonzero(np.diff(over, prepend=False, append=False))
        runs += int(np.count_nonzero(edges[1::2] - edges[::2] >= CLIP_RUN))
    return runs


def _silences(audio: Audio, asked: _Asked) -> Iterator[Finding]:
    """Silence is relative: 45 dB under the loudest 10 ms, and never above -65 dBFS for a take that is faint.

    Pauses that the text asks for are allowed in addition.
    """
    size = audio.sample_rate * _FRAME_MS // 1000
    frames = audio.samples[: len(audio.samples) // size * size].reshape(-1, size)
    if not len(frames):
        return
    rms = np.sqrt(np.einsum("ij,ij->i", frames, frames) / size)
    heard = np.flatnonzero(rms > max(float(rms.max()) * _GATE_BELOW_LOUDEST, _GATE_FLOOR))
    if not len(heard):
        return
    leading = int(heard[0]) * _FRAME_MS
    trailing = (len(rms) - 1 - int(heard[-1])) * _FRAME_MS
    inner = (int(np.diff(heard).max()) - 1) * _FRAME_MS if len(heard) > 1 else 0
    for code, what, value, limit in (
        ("leading_silence", "before the first sound", leading, MAX_LEADING_MS + asked.leading),
        ("trailing_silence", "after the last sound", trailing, MAX_TRAILING_MS + asked.trailing),
        ("inner_silence", "in the middle", inner, MAX_INNER_MS + asked.inner),
    ):
        if value > limit:
            yield Finding(code, f"{value} ms of silence {what}", "flag", value)


# Seconds of speech one character may take, at least and at most, by how much sound it stands for.
_LETTER = (0.025, 0.20)
_SYLLABLE = (0.07, 0.60)
_DIGIT = (0.05, 1.0)
_PAUSE = (0.0, 1.0)
_ALLOWANCE_S = 0.8


def _duration(audio: Audio, asked: _Asked) -> Iterator[Finding]:
    """Length against what the text could take: a dropped sentence is short, a babbling engine is long."""
    shortest, longest, spoken = plausible_seconds(asked.text)
    seconds = len(audio.samples) / audio.sample_rate
    if not spoken:
        return
    per_character = seconds * 1000 / spoken
    if seconds < shortest:
        message = f"{seconds:.2f} s for {spoken} characters ({per_character:.0f} ms each) is implausibly short"
        yield Finding("too_short", message, "flag", round(per_character, 1))
    elif seconds > longest + asked.total / 1000:
        message = f"{seconds:.2f} s for {spoken} characters ({per_character:.0f} ms each) is implausibly long"
        yield Finding("too_long", message, "flag", round(per_character, 1))


def plausible_seconds(text: str) -> tuple[float, float, int]:
    """Shortest and longest plausible speech of ``text`` in seconds, and the number of characters that are spoken.

    Han, kana and Hangul stand for syllables, other letters for sounds, and a digit may be a whole word; so the script
    of each character decides, and a line that mixes them needs no special case.
    """
    low, high, spoken = 0.0, _ALLOWANCE_S, 0
    for character in text:
        bounds = _bounds(character)
        if bounds is None:
            continue
        low, high = low + bounds[0], high + bounds[1]
        spoken += bounds is not _PAUSE
    return low, high, spoken


@lru_cache(maxsize=8192)
def _bounds(character: str) -> tuple[float, float] | None:
    if character.isdigit():
        return _DIGIT
    if character.isalpha():
        return _SYLLABLE if _is_syllabic(character) else _LETTER
    return _PAUSE if unicodedata.category(character) in ("Po", "Pd", "Ps", "Pe", "So") else None


def _is_syllabic(character: str) -> bool:
    code = ord(character)
    return 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0xAC00 <= code <= 0xD7A3 or 0xF900 <= code <= 0x3FFFF


def _dbfs(peak: float) -> str:
    return f"{20 * np.log10(peak):.1f}" if peak > 0 else "-inf"
