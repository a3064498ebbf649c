"""What becomes of one line: segments, the takes drawn of each, the one that is kept, and the audio of them all."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from synthesis.audio import Audio, Samples
from synthesis.engine import LineRequest
from synthesis.errors import LanguageUnsupported, TextError
from synthesis.gptsovits.gate import Codes, badness, best_of
from synthesis.gptsovits.residence import ReadText, ReadyClip, ReadyVoice
from synthesis.gptsovits.voice import V1_LANGUAGES, Voice
from synthesis.qc.gates import Finding
from synthesis.text.cuts import segments_for_synthesis
from synthesis.text.markup import split_pauses

RATE_RANGE = (0.5, 2.0)
"""Least and greatest speed, a voice's own and a direction's together."""
_FADE_MS = 3
_LANGUAGES: Mapping[str, str] = {"zh": "zh", "cmn": "zh", "yue": "yue", "en": "en", "ja": "ja", "ko": "ko"}


@dataclass(slots=True, eq=False)
class Attempt:
    """One drawing of a segment."""

    seed: int
    codes: Codes
    stopped: str
    findings: list[Finding]
    samples: Samples | None = None
    """Set when s2 has spoken it."""

    @property
    def clean(self) -> bool:
        """Whether nothing is suspicious about it so far."""
        return badness(self.findings) == 0


@dataclass(slots=True, eq=False)
class SegmentWork:
    """A segment of a line: what s1 continues, and what it made of it."""

    line: LineWork
    index: int
    text: str
    read: ReadText
    pause_ms: int
    """Silence after it."""
    attempts: list[Attempt] = field(default_factory=list)
    kept: Attempt | None = None

    @property
    def seed(self) -> int:
        """Of the attempt that is drawn now."""
        return segment_seed(self.line.request.seed, self.index, len(self.attempts))

    def decide(self) -> tuple[Literal["draw", "speak", "keep"], Attempt | None]:
        """What is to be done next: draw another attempt, let s2 speak one, or keep one.

        The first attempt without findings wins; when the attempts are spent, the best of them does.
        """
        clean = next((each for each in self.attempts if each.clean), None)
        if clean is None and len(self.attempts) <= self.line.voice.rerolls:
            return "draw", None
        best = clean or self.attempts[best_of([each.findings for each in self.attempts])]
        return ("speak" if best.samples is None else "keep"), best


@dataclass(slots=True, eq=False)
class LineWork:
    """A line in the engine."""

    request: LineRequest
    admitted: float
    ready: ReadyVoice | None = None
    clip: ReadyClip | None = None
    segments: list[SegmentWork] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    speed: float = 1.0
    lead_ms: int = 0
    """Silence before the first segment."""

    @property
    def voice(self) -> Voice:
        """The voice's parameters; only once the voice is ready."""
        return self.resident.voice

    @property
    def resident(self) -> ReadyVoice:
        """The loaded voice; only once the line was prepared."""
        if self.ready is None:
            raise ValueError(f"line {self.request.line_id} was not prepared")
        return self.ready

    @property
    def reference(self) -> ReadyClip:
        """The clip; only once the line was prepared."""
        if self.clip is None:
            raise ValueError(f"line {self.request.line_id} was not prepared")
        return self.clip

    @property
    def done(self) -> bool:
        """Whether every segment has its take."""
        return bool(self.segments) and all(segment.kept is not None for segment in self.segments)

    def let_go(self) -> None:
        """Part with the segments, which know their line: their tensors and audio go now and wait for no collector."""
        self.segments.clear()


def segment_seed(seed: int, index: int, attempt: int) -> int:
    """The seed of an attempt at a segment, 0 … 2**63-1: it follows from the line's and from nothing else."""
    raw = hashlib.sha256(f"{seed}/{index}/{attempt}".encode()).digest()
    return int.from_bytes(raw[:8], "big") >> 1


def language_of(request: LineRequest, symbols: int) -> str:
    """The front end's name of a line's language. Raises LanguageUnsupported."""
    tag = request.language.lower()
    primary = tag.partition("-")[0]
    found = "yue" if tag.startswith(("zh-yue", "zh-hk", "zh-hant-hk")) else _LANGUAGES.get(primary)
    if found is None or (symbols == 322 and found not in V1_LANGUAGES):
        raise LanguageUnsupported(request.voice.label, request.language)
    return found


def prepare(line: LineWork, ready: ReadyVoice, clip: ReadyClip, tagged: bool, symbols: int) -> None:
    """Cut a line into segments and read them. Raises TextError, LanguageUnsupported."""
    request, voice = line.request, ready.voice
    language = language_of(request, symbols)
    line.ready, line.clip = ready, clip
    line.speed = _speed(voice, request.direction)
    for text, pause_ms in _pieces(request.text, language, voice):
        if not text:
            line.lead_ms = pause_ms
            continue
        line.segments.append(SegmentWork(line, len(line.segments), text, ready.read(text, language), pause_ms))
    if not tagged:
        emotion = request.direction.get("emotion")
        message = f"the voice has no clip for the emotion {emotion!r}; its first one was used"
        line.notes.append(Finding("no_clip_for_emotion", message, "note", 0))
    line.notes.append(Finding("front_end", f"read by {ready.front_end.version}", "note", 0))


def _pieces(text: str, language: str, voice: Voice) -> list[tuple[str, int]]:
    """Segments and the silence after each, in milliseconds; the first may be empty, for a pause that opens the line."""
    pieces: list[tuple[str, int]] = []
    for part, pause_ms in split_pauses(text):
        if not part.strip():
            before, silence_ms = pieces.pop() if pieces else ("", 0)
            pieces.append((before, silence_ms + pause_ms))
            continue
        cut = segments_for_synthesis(part, language, voice.cut)
        pieces += [(each, voice.pause_ms) for each in cut[:-1]]
        pieces.append((cut[-1], pause_ms))
    if not any(piece for piece, _ in pieces):
        raise TextError("there is nothing to speak in the line", text)
    return pieces


def _speed(voice: Voice, direction: Mapping[str, Any]) -> float:
    stated = direction.get("rate", 1.0)
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not math.isfinite(stated):
        raise TextError(f"direction 'rate' is a number such as 1.1, got {stated!r}")
    low, high = RATE_RANGE
    return min(max(voice.speed * stated, low), high)


def segment_request(segment: SegmentWork) -> LineRequest:
    """The segment as if it were a line, for the checks that compare audio with text."""
    return replace(segment.line.request, text=segment.text)


def join(line: LineWork, rate: int) -> Audio:
    """The kept takes with their pauses between them; the edges of each are faded over 3 ms, so that none clicks."""
    fade = np.linspace(0, 1, rate * _FADE_MS // 1000, endpoint=False, dtype=np.float32)
    parts: list[Samples] = [np.zeros(rate * line.lead_ms // 1000, np.float32)]
    for segment in line.segments:
        samples = np.zeros(0, np.float32) if segment.kept is None else segment.kept.samples
        if samples is None or not len(samples):
            continue
        faded = samples.copy()
        count = min(len(fade), len(faded) // 2)
        faded[:count] *= fade[:count]
        faded[len(faded) - count :] *= fade[:count][::-1]
        parts += [faded, np.zeros(rate * segment.pause_ms // 1000, np.float32)]
    return Audio(np.concatenate(parts), rate)


def findings_of(line: LineWork) -> tuple[Finding, ...]:
    """Notes of the line, what is suspicious about the kept takes, and what was drawn again and why."""
    found = list(line.notes)
    several = len(line.segments) > 1
    for segment in line.segments:
        where = f"segment {segment.index + 1}: " if several else ""
        if segment.kept is not None:
            found += [replace(each, message=where + each.message) for each in segment.kept.findings]
        if len(segment.attempts) > 1:
            found.append(_rerolled(segment, where))
    return tuple(found)


def _rerolled(segment: SegmentWork, where: str) -> Finding:
    reasons = _reasons(segment.attempts)
    kept = next(number for number, each in enumerate(segment.attempts, 1) if each is segment.kept)
    message = f"{where}drawn {len(segment.attempts)} times, take {kept} is kept; drawn again for {reasons}"
    return Finding("rerolled", message, "note", len(segment.attempts) - 1)


def _reasons(attempts: Sequence[Attempt]) -> str:
    codes = dict.fromkeys(finding.code for each in attempts for finding in each.findings)
    return ", ".join(codes) or "nothing"
