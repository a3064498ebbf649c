"""How long a plan will speak, before anything has been rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from db.records import ImportPlan, PlannedLine
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
"""The truth lies within this share of the estimate, up and down, for prose of more than a few minutes."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a plan that one character or voice has."""

    lines: int
    characters: int
    """Characters of text, not people."""
    audio_ms: int
    """Speech without the pauses between lines."""


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
    by_character: Mapping[str, Share]
    by_voice: Mapping[int, Share]
    """By voice id."""
    by_section: Mapping[str, int]
    """Section key → milliseconds of speech and pauses."""

    @property
    def minutes(self) -> float:
        """Minutes of speech and pauses."""
        return self.audio_ms / 60_000


def line_ms(line: PlannedLine) -> int:
    """Return how long a line will take to say, in milliseconds."""
    rate = CHARS_PER_SECOND.get(primary(line.language), OTHER_CHARS_PER_SECOND)
    return round(1000 * len(line.spoken) / rate)


def estimate(plan: ImportPlan) -> Estimate:
    """Add a plan up by character, voice and section."""
    by_character: dict[str, Share] = {}
    by_voice: dict[int, Share] = {}
    by_section: dict[str, int] = {}
    lines = characters = speech_ms = pauses_ms = 0
    for section in plan.sections:
        by_section[section.key] = 0
        for line in section.lines:
            length = line_ms(line)
            lines += 1
            characters += len(line.spoken)
            speech_ms += length
            pauses_ms += line.pause_ms
            by_section[section.key] += length + line.pause_ms
            by_character[line.character] = _more(by_character.get(line.character), line, length)
            by_voice[line.voice_id] = _more(by_voice.get(line.voice_id), line, length)
    band = round(speech_ms * ERROR_BAND)
    total = speech_ms + pauses_ms
    return Estimate(lines, characters, total, pauses_ms, total - band, total + band, by_character, by_voice, by_section)


def _more(share: Share | None, line: PlannedLine, length_ms: int) -> Share:
    before = share or Share(0, 0, 0)
    return Share(before.lines + 1, before.characters + len(line.spoken), before.audio_ms + length_ms)
