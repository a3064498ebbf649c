"""How long a plan will speak and render: from finished takes where there are any, else from planning constants."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from db.records import ImportPlan, Pace, PlannedLine
from scheduler.scripts.languages import primary

CHARS_PER_SECOND: Mapping[str, float] = MappingProxyType({
    "en": 14.5, "de": 14.0, "fr": 15.0, "es": 15.5, "it": 15.0, "pt": 15.0, "nl": 14.5, "sv": 14.0, "pl": 14.0,
    "ru": 14.0, "la": 13.5, "ja": 7.5, "zh": 4.8, "ko": 6.5,
})  # fmt: skip
"""Characters of text spoken per second at a narrator's pace, spaces and punctuation included. A planning constant of
this project: English at about 155 words a minute, Japanese in kana and kanji mixed, Chinese at about 270 characters a
minute with its punctuation. It is replaced by what finished takes say once there are any."""

OTHER_CHARS_PER_SECOND = 14.0
ERROR_BAND = 0.25
"""The truth lies within this share of the estimate, up and down, where no voice has spoken the language yet."""
CONFIDENCE = 1.64
"""Standard deviations on either side: nine productions of ten lie within the band."""
LEAST_BAND = 0.02
"""No estimate is better than this: texts differ."""
STRANGER_BAND = 0.12
"""What another voice's pace in the same language is worth."""
ENOUGH_LINES = 20
"""Takes of a voice in a language from which its pace is known."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a plan that one character or voice has."""

    lines: int
    characters: int
    """Characters of text, not people."""
    audio_ms: int
    """Speech without the pauses between lines."""
    render_ms: int = 0
    """Engine time; 0 where nothing is known of it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan will take."""

    lines: int
    characters: int
    audio_ms: int
    """Speech and pauses."""
    pauses_ms: int
    low_ms: int
    high_ms: int
    render_ms: int | None
    """Engine time on one device; None where no take of these voices says."""
    learnt_lines: int
    """Lines whose voice's pace in their language is known from finished takes."""
    by_character: Mapping[str, Share]
    by_voice: Mapping[int, Share]
    """By voice id."""
    by_section: Mapping[str, int]
    """Section key → milliseconds of speech and pauses."""

    @property
    def minutes(self) -> float:
        """Minutes of speech and pauses."""
        return self.audio_ms / 60_000


@dataclass(frozen=True, slots=True)
class _Rate:
    chars_per_s: float
    render_per_audio: float
    spread: float
    """Of single lines."""
    bias: float
    """How far the rate itself may be off."""
    learnt: bool


class Paces:
    """The pace of any voice in any language: its own takes, else those of others, else the planning constants."""

    def __init__(self, known: Iterable[Pace] = (), labels: Mapping[int, str] | None = None) -> None:
        self._labels = labels or {}
        self._own = {(pace.voice, pace.language): pace for pace in known if pace.lines >= ENOUGH_LINES}
        self._rates: dict[tuple[int, str], _Rate] = {}

    def of(self, voice_id: int, language: str) -> _Rate:
        """The pace of a voice in a language."""
        key = (voice_id, primary(language))
        if key not in self._rates:
            self._rates[key] = self._find(*key)
        return self._rates[key]

    def _find(self, voice_id: int, language: str) -> _Rate:
        own = self._own.get((self._labels.get(voice_id, ""), language))
        if own is not None:
            bias = CONFIDENCE * own.spread / math.sqrt(own.lines) + LEAST_BAND
            return _Rate(own.chars_per_s, own.render_per_audio, own.spread, bias, learnt=True)
        others = [pace for (_, tongue), pace in self._own.items() if tongue == language]
        if others:
            lines = sum(pace.lines for pace in others)
            mean = sum(pace.chars_per_s * pace.lines for pace in others) / lines
            return _Rate(mean, 0.0, 0.0, STRANGER_BAND, learnt=False)
        return _Rate(CHARS_PER_SECOND.get(language, OTHER_CHARS_PER_SECOND), 0.0, 0.0, ERROR_BAND, learnt=False)


NOTHING_KNOWN = Paces()
"""Before anything was rendered."""


def line_ms(line: PlannedLine, paces: Paces = NOTHING_KNOWN) -> int:
    """Return how long a line will take to say, in milliseconds."""
    return round(1000 * len(line.spoken) / paces.of(line.voice_id, line.language).chars_per_s)


def estimate(plan: ImportPlan, paces: Paces = NOTHING_KNOWN) -> Estimate:
    """Add a plan up by character, voice and section.

    The error band has two parts: lines that are longer or shorter than their characters say, which even out over many
    (their variances add), and the pace itself, which does not.
    """
    by_character: dict[str, Share] = {}
    by_voice: dict[int, Share] = {}
    by_section: dict[str, int] = {}
    lines = characters = speech_ms = pauses_ms = learnt = render_ms = 0
    variance = bias_ms = 0.0
    timed = True
    for section in plan.sections:
        by_section[section.key] = 0
        for line in section.lines:
            rate = paces.of(line.voice_id, line.language)
            length = round(1000 * len(line.spoken) / rate.chars_per_s)
            spent = round(length * rate.render_per_audio)
            lines += 1
            learnt += rate.learnt
            timed = timed and rate.render_per_audio > 0
            characters += len(line.spoken)
            speech_ms += length
            render_ms += spent
            pauses_ms += line.pause_ms
            variance += (length * rate.spread) ** 2
            bias_ms += length * rate.bias
            by_section[section.key] += length + line.pause_ms
            by_character[line.character] = _more(by_character.get(line.character), line, length, spent)
            by_voice[line.voice_id] = _more(by_voice.get(line.voice_id), line, length, spent)
    band = round(CONFIDENCE * math.sqrt(variance) + bias_ms)
    total = speech_ms + pauses_ms
    return Estimate(
        lines=lines,
        characters=characters,
        audio_ms=total,
        pauses_ms=pauses_ms,
        low_ms=max(pauses_ms, total - band),
        high_ms=total + band,
        render_ms=render_ms if timed and lines else None,
        learnt_lines=learnt,
        by_character=by_character,
        by_voice=by_voice,
        by_section=by_section,
    )


def _more(share: Share | None, line: PlannedLine, length_ms: int, render_ms: int) -> Share:
    before = share or Share(0, 0, 0)
    return Share(
        before.lines + 1,
        before.characters + len(line.spoken),
        before.audio_ms + length_ms,
        before.render_ms + render_ms,
    )
