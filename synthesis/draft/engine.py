"""The draft engine: lines to the host one at a time, samples back as float32."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synthesis.audio import Audio, Samples
from synthesis.draft.catalog import (
    ENGINE,
    draft_voices,
    engine_version,
    espeak_language,
    read_parameters,
)
from synthesis.draft.client import HostClient
from synthesis.draft.text import parts, prepare
from synthesis.engine import LineRequest, RenderedLine, VoiceSpec
from synthesis.errors import SynthesisError, TextError

RATE_RANGE = (0.8, 1.25)
"""Least and greatest pace a direction may ask for; beyond it the nearest is taken."""
_SHORTEST_S = 0.02
_NOTHING = np.zeros(0, np.float32)
_QUIETEST = 1 / 256  # about -48 dBFS: what espeak-ng returns for "..." is silence


class DraftEngine:
    """Speaks every line in espeak-ng, in a process of its own that starts with the first line.

    Output is 22,050 Hz mono float32 in [-1, 1), byte-identical for the same request whatever was said before. The seed
    and the emotion change nothing; of a direction only 'rate' is honoured (1.0 = natural, see RATE_RANGE). Pauses in
    the text are silence, and readings in it are said where espeak-ng can say them.
    """

    def __init__(self, capacity: int = 8) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is 1 or more, got {capacity}")
        self.name = ENGINE
        self.version = engine_version()
        self.capacity = capacity
        self._host = HostClient()
        self._waiting: deque[tuple[LineRequest, float]] = deque()

    def voices(self) -> Sequence[VoiceSpec]:
        """draft-narrator and draft-1 … draft-8."""
        return draft_voices()

    def load(self, voice: VoiceSpec) -> None:
        """Check the voice's parameters and start the host. Raises VoiceMissing."""
        read_parameters(voice)
        self._host.start()

    def submit(self, lines: Sequence[LineRequest]) -> None:
        """Admit lines. Raises ValueError beyond ``capacity``."""
        if len(self._waiting) + len(lines) > self.capacity:
            raise ValueError(f"{len(self._waiting)} + {len(lines)} lines exceed the capacity of {self.capacity}")
        now = time.monotonic()
        self._waiting.extend((line, now) for line in lines)

    def step(self) -> list[RenderedLine]:
        """Speak the line that waits longest; [] when none waits."""
        if not self._waiting:
            return []
        line, admitted = self._waiting.popleft()
        audio: Audio | None = None
        error: SynthesisError | None = None
        try:
            audio = self._speak(line)
        except SynthesisError as caught:
            error = caught
        return [RenderedLine(line.line_id, audio, error, round((time.monotonic() - admitted) * 1000))]

    def in_flight(self) -> int:
        """Lines admitted and not yet returned."""
        return len(self._waiting)

    def close(self) -> None:
        """End the host; lines still waiting are forgotten."""
        self._waiting.clear()
        self._host.close()

    def _speak(self, line: LineRequest) -> Audio:
        parameters = read_parameters(line.voice)
        language = espeak_language(line.voice.name, line.language)
        manner = {
            "voice": f"{language}+{parameters.variant}" if parameters.variant else language,
            "rate": round(parameters.rate * _pace(line.direction)),
            "pitch": parameters.pitch,
            "range": parameters.pitch_range,
        }
        # all of it is checked before any of it is spoken
        ready = [(prepare(text, language) if text.strip() else "", pause_ms) for text, pause_ms in parts(line.text)]
        self._host.start()
        rate = self._host.sample_rate
        spoken: list[Samples] = []
        heard = False
        for text, pause_ms in ready:
            samples = self._say(text, manner) if text else _NOTHING
            # of a part, punctuation alone makes noise or silence that is no speech
            if len(samples) >= _SHORTEST_S * rate and float(np.abs(samples).max()) >= _QUIETEST:
                spoken.append(samples)
                heard = True
            spoken.append(np.zeros(rate * pause_ms // 1000, np.float32))
        if not heard:
            raise TextError("the draft voice finds nothing to speak in the line", line.text)
        return Audio(np.concatenate(spoken), rate)

    def _say(self, text: str, manner: Mapping[str, Any]) -> Samples:
        pcm = self._host.speak({"text": text, **manner})
        return np.frombuffer(pcm, dtype=np.int16).astype(np.float32) / np.float32(32768)


def _pace(direction: Mapping[str, Any]) -> float:
    stated = direction.get("rate", 1.0)
    try:
        pace = math.nan if isinstance(stated, bool) else float(stated)
    except (TypeError, ValueError):
        pace = math.nan
    if not math.isfinite(pace):
        raise TextError(f"direction 'rate' is a number such as 1.1, got {stated!r}")
    low, high = RATE_RANGE
    return min(max(pace, low), high)
