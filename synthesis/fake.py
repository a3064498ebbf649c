"""An engine without a model, for tests and benchmarks: a tone of exact length, and every way an engine can fail.

A line lasts 60 ms per character (100 ms … 10 s), or what a marker in its text says. Markers, anywhere in the text:

    {dur=1234}          exactly 1234 ms of tone
    {slow=500}          500 ms more work
    {nan} {empty}       audio with NaN in it; audio of 0 samples
    {error}             EngineError for the line
    {bad-text}          TextError for the line
    {oom}               EngineOutOfMemory for the line, also alone
    {oom>4}             EngineOutOfMemory for all lines in flight when more than 4 are
    {stall}             nothing in flight finishes any more while this line is
    {die}               step raises EngineDied
    {crash}             the process aborts
    {once=KIND:PATH}    one of the kinds above that have no value, but only as long as the file PATH does not exist;
                        it is made before the fault happens, so a retry of the line succeeds

Voice parameters: ``ms_per_line`` (work per line, overrides the engine's), ``markers`` (text put before every line, for
faults that belong to the voice), ``missing`` (true: ``load`` raises VoiceMissing). All lines in flight progress
together, as in a GPU batch: n lines of 10 ms take 10 ms, not n times 10.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthesis.audio import Audio
from synthesis.engine import LineRequest, RenderedLine, VoiceSpec
from synthesis.errors import EngineDied, EngineError, EngineOutOfMemory, SynthesisError, TextError, VoiceMissing

ENGINE = "fake"
SAMPLE_RATE = 24_000
"""Hz, of everything this engine returns."""
MS_PER_CHARACTER = 60
SHORTEST_MS, LONGEST_MS = 100, 10_000
_MAX_WAIT_S = 0.005
_AMPLITUDE = 0.25
_FADE = 120  # samples, 5 ms
_MARKER = re.compile(r"\{(dur|slow)=(\d+)\}|\{(oom)>(\d+)\}|\{once=([a-z-]+):([^{}]+)\}|\{([a-z-]+)\}")
_FAULTS = frozenset({"nan", "empty", "error", "bad-text", "oom", "stall", "die", "crash"})


@dataclass(frozen=True, slots=True)
class _Orders:
    """What the markers of one line say."""

    duration_ms: int
    slow_ms: int
    oom_above: int | None
    fault: str | None
    once: str | None
    """File that tells whether the fault has happened already."""


@dataclass(slots=True)
class _InFlight:
    line: LineRequest
    orders: _Orders
    admitted: float
    due: float
    stalled: bool


class FakeEngine:
    """Lines become due ``ms_per_line`` after they were submitted; ``step`` waits at most 5 ms for the next one.

    Output is 24,000 Hz mono float32, amplitude 0.25; the pitch follows the seed, the length the text. The same request
    gives the same samples, alone or in a batch.
    """

    def __init__(
        self,
        capacity: int = 64,
        ms_per_line: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is 1 or more, got {capacity}")
        self.name = ENGINE
        self.version = "1"
        self.capacity = capacity
        self._ms_per_line = ms_per_line
        self._clock = clock
        self._sleep = sleep
        self._lines: list[_InFlight] = []

    def voices(self) -> Sequence[VoiceSpec]:
        """fake-1 and fake-2, for any language ('*')."""
        return tuple(VoiceSpec(name, 1, ENGINE, ("*",), {}, "Test tone, not speech") for name in ("fake-1", "fake-2"))

    def load(self, voice: VoiceSpec) -> None:
        """Nothing to load. Raises VoiceMissing when the voice's parameters ask for it."""
        if voice.parameters.get("missing"):
            raise VoiceMissing(voice.name, "told to be missing")

    def submit(self, lines: Sequence[LineRequest]) -> None:
        """Admit lines. Raises ValueError beyond ``capacity``."""
        if len(self._lines) + len(lines) > self.capacity:
            raise ValueError(f"{len(self._lines)} + {len(lines)} lines exceed the capacity of {self.capacity}")
        now = self._clock()
        for line in lines:
            orders = _read_markers(line)
            work_ms = float(line.voice.parameters.get("ms_per_line", self._ms_per_line)) + orders.slow_ms
            stalled = orders.fault == "stall" and _happens(orders)
            self._lines.append(_InFlight(line, orders, now, now + work_ms / 1000, stalled))

    def step(self) -> list[RenderedLine]:
        """Return the lines that are due, waiting up to 5 ms for the first. Raises EngineDied for {die}."""
        if not self._lines:
            return []
        if self._too_many():
            finished, self._lines = self._lines, []
            return [self._result(each, error=_out_of_memory(each.line)) for each in finished]
        if any(each.stalled for each in self._lines):
            self._sleep(_MAX_WAIT_S)
            return []
        self._wait()
        now = self._clock()
        finished = [each for each in self._lines if each.due <= now]
        self._lines = [each for each in self._lines if each.due > now]
        return [self._finish(each) for each in finished]

    def in_flight(self) -> int:
        """Lines admitted and not yet returned."""
        return len(self._lines)

    def close(self) -> None:
        """Forget the lines in flight."""
        self._lines.clear()

    def _too_many(self) -> bool:
        limits = [each.orders.oom_above for each in self._lines if each.orders.oom_above is not None]
        return bool(limits) and len(self._lines) > min(limits)

    def _wait(self) -> None:
        delay = min(each.due for each in self._lines) - self._clock()
        if delay > 0:
            self._sleep(min(delay, _MAX_WAIT_S))

    def _finish(self, each: _InFlight) -> RenderedLine:
        fault = each.orders.fault if _happens(each.orders) else None
        if fault == "crash":
            os.abort()
        if fault == "die":
            raise EngineDied(ENGINE, "told to die")
        if fault is not None and fault in _ERRORS:
            return self._result(each, error=_ERRORS[fault](each.line))
        return self._result(each, audio=_tone(each.line.seed, each.orders.duration_ms, fault))

    def _result(
        self, each: _InFlight, *, audio: Audio | None = None, error: SynthesisError | None = None
    ) -> RenderedLine:
        return RenderedLine(each.line.line_id, audio, error, round((self._clock() - each.admitted) * 1000))


def _out_of_memory(line: LineRequest) -> SynthesisError:
    return EngineOutOfMemory(ENGINE, f"told to run out of memory on line {line.line_id}")


_ERRORS: Mapping[str, Callable[[LineRequest], SynthesisError]] = {
    "error": lambda line: EngineError(ENGINE, "told to fail"),
    "bad-text": lambda line: TextError("told to refuse the text", line.text),
    "oom": _out_of_memory,
}


def _read_markers(line: LineRequest) -> _Orders:
    text = f"{line.voice.parameters.get('markers', '')}{line.text}"
    duration: int | None = None
    slow = 0
    oom_above: int | None = None
    fault: str | None = None
    once: str | None = None
    for number, number_value, _, above, once_fault, path, plain in _MARKER.findall(text) if "{" in text else ():
        if number == "dur":
            duration = int(number_value)
        elif number == "slow":
            slow += int(number_value)
        elif above:
            oom_above = int(above)
        elif once_fault in _FAULTS:
            fault, once = once_fault, path
        elif plain in _FAULTS:
            fault, once = plain, None
    if duration is None:
        spoken = _MARKER.sub("", line.text).strip()
        duration = min(max(len(spoken) * MS_PER_CHARACTER, SHORTEST_MS), LONGEST_MS)
    return _Orders(duration, slow, oom_above, fault, once)


def _happens(orders: _Orders) -> bool:
    """Whether the fault of the line happens now; makes the file of a fault that happens once."""
    if orders.fault is None or orders.once is None:
        return orders.fault is not None
    try:
        Path(orders.once).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _tone(seed: int, duration_ms: int, fault: str | None) -> Audio:
    count = 0 if fault == "empty" else duration_ms * SAMPLE_RATE // 1000
    step = 2 * np.pi * (110 + seed % 770) / SAMPLE_RATE
    samples = np.sin(np.arange(count, dtype=np.float32) * np.float32(step)) * np.float32(_AMPLITUDE)
    fade = min(_FADE, count // 2)
    if fade:
        ramp = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
        samples[:fade] *= ramp
        samples[-fade:] *= ramp[::-1]
    if fault == "nan":
        samples[count // 2 :] = np.nan
    return Audio(samples, SAMPLE_RATE)
