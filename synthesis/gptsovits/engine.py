"""The GPT-SoVITS engine: lines of many voices in one running batch of the decoder, then to audio one by one.

    submit ─► prepare (front end, RoBERTa) ─► waiting ─► S1Batch, one slot per segment ─► gate on codes ─┐
                                                 ▲                                                      │
                                                 └──────────────── drawn again, another seed ◄──────────┤
                                                                                                        ▼
    RenderedLine ◄─ join with pauses ◄─ keep the best ◄─ gate on audio ◄─ s2, each segment by itself ◄───┘

A segment's take follows from its line, its voice and its seed: slots share weights and nothing else.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from synthesis.audio import Audio
from synthesis.engine import LineRequest, RenderedLine, VoiceSpec
from synthesis.errors import EngineDied, EngineOutOfMemory, SynthesisError
from synthesis.gptsovits.errors import CodesNotFinite, LineOverdue, SegmentTooLong
from synthesis.gptsovits.gate import PaceHistory, SegmentFacts, check_codes
from synthesis.gptsovits.lines import (
    Attempt,
    LineWork,
    SegmentWork,
    findings_of,
    join,
    prepare,
    segment_request,
)
from synthesis.gptsovits.loading import Loaders, Quantise
from synthesis.gptsovits.memory import Holes, bound_kernels, give_back
from synthesis.gptsovits.pool import is_device_fault, is_out_of_memory
from synthesis.gptsovits.residence import BERT_WIDTH, ReadyVoice, Residence
from synthesis.gptsovits.s2 import S2Request
from synthesis.gptsovits.voice import ENGINE, ENGINE_VERSION
from synthesis.qc.gates import check_take

if TYPE_CHECKING:
    from synthesis.gptsovits.s1 import S1Batch, S1Request, S1Result

log = logging.getLogger(__name__)

CAPACITY_CPU: Final = 8
CAPACITY_GPU: Final = 32
VOICES_KEPT: Final = 8
"""Voices without lines in flight that stay loaded."""
POSITIONS: Final = 2048
"""Of the decoder's cache: phonemes and codes of the reference and of the segment together."""
MAX_CODES: Final = 1500
"""60 s, however long the text is."""
CODES_PER_PHONEME: Final = 12
"""0.48 s a phoneme: nobody speaks as slowly; a decoder that gets there has lost the text."""
LEAST_CODES: Final = 60
LINE_TIMEOUT_S: Final = 1800.0
PREPARE_S: Final = 0.25
"""Lines are read for this long between two steps of a batch that waits for none."""
STEPS_BEFORE_GROWTH: Final = 200
"""Steps without a failure after which slots that were given up for want of memory are tried again, twice as many."""
MOST_STEPS_BEFORE_GROWTH: Final = 12_800
STEPS_AT_ONCE: Final = 8
"""Codes per slot between two looks at what finished: the watchdog's and the loop's share of the time vanishes."""


class GptSovitsEngine:
    """Cloned voices on one device. Output is mono float32 at the checkpoint's rate, 32,000 Hz.

    ``capacity`` is lines in flight and slots of the decoder. ``line_timeout_s`` bounds the time from admission to
    result; a line that takes longer comes back with LineOverdue and its neighbours go on.
    """

    def __init__(
        self,
        capacity: int | None = None,
        device: str = "cpu",
        *,
        dtype: torch.dtype | None = None,
        quantise: Quantise | None = None,
        loaders: Loaders | None = None,
        line_timeout_s: float = LINE_TIMEOUT_S,
        voices_kept: int = VOICES_KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        bound_kernels()
        on_cpu = device == "cpu"
        if capacity is not None and capacity < 1:
            raise ValueError(f"capacity is 1 or more, got {capacity}")
        self.name = ENGINE
        self.version = ENGINE_VERSION
        self.capacity = capacity or (CAPACITY_CPU if on_cpu else CAPACITY_GPU)
        precision = dtype or (torch.float32 if on_cpu else torch.float16)
        self._loaders = loaders or Loaders(device, precision, quantise)
        self._residence = Residence(self._loaders)
        self._clock = clock
        self._line_timeout_s = line_timeout_s
        self._voices_kept = voices_kept
        self._slots = self.capacity
        self._good_steps = 0
        self._patience = STEPS_BEFORE_GROWTH
        self._grown = False
        self._outgrown: set[str] = set()
        self._voices: OrderedDict[str, ReadyVoice] = OrderedDict()
        self._lines: dict[int, LineWork] = {}
        self._unread: deque[LineWork] = deque()
        self._waiting: dict[str, deque[SegmentWork]] = {}
        self._batches: dict[str, S1Batch] = {}
        self._drawing: dict[int, SegmentWork] = {}
        self._next_key = 0
        self._finished: list[RenderedLine] = []
        self._holes = Holes()
        self._work = 0

    # --- Engine ---

    def voices(self) -> Sequence[VoiceSpec]:
        """None: voices are made of files that people bring."""
        return ()

    def load(self, voice: VoiceSpec) -> None:
        """Load a voice's checkpoints and its first clip. Raises VoiceError of every kind, naming file and remedy.

        A voice that is not used makes room for others later, and is loaded again when a line asks for it.
        """
        try:
            self._voice(voice)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise EngineOutOfMemory(ENGINE, f"voice {voice.label}: {_first_line(error)}") from error

    def submit(self, lines: Sequence[LineRequest]) -> None:
        """Admit lines. Raises ValueError beyond ``capacity`` and for a line that is in flight already."""
        if self.in_flight() + len(lines) > self.capacity:
            raise ValueError(f"{self.in_flight()} + {len(lines)} lines exceed the capacity of {self.capacity}")
        now = self._clock()
        for request in lines:
            if request.line_id in self._lines:
                raise ValueError(f"line {request.line_id} is in flight already")
            work = self._lines[request.line_id] = LineWork(request, now)
            self._unread.append(work)

    def step(self) -> list[RenderedLine]:
        """Read what waits, draw a few codes for every slot, speak what is drawn; returns the lines that are done.

        When memory runs out, all lines in flight come back with EngineOutOfMemory, to be tried fewer at a time; after
        some time without that the decoder has more slots again. Raises EngineDied when the device fails.
        """
        try:
            self._end_overdue()
            self._read_lines()
            self._draw()
            self._grow()
        except (MemoryError, RuntimeError) as error:
            if is_device_fault(error):
                raise EngineDied(ENGINE, _first_line(error)) from error
            if not is_out_of_memory(error):
                raise
            self._out_of_memory(_first_line(error))
        finished, self._finished = self._finished, []
        self._holes.after(len(finished))
        return finished

    def in_flight(self) -> int:
        """Lines admitted and not yet returned."""
        return len(self._lines) + len(self._finished)

    def progress(self) -> int:
        """Codes, segments and lines so far: grows as long as the engine gets on."""
        return self._work

    def cancel(self, line_id: int) -> bool:
        """Forget a line in flight, at once; False when there is none. Nothing is returned for it."""
        line = self._lines.pop(line_id, None)
        if line is None:
            return False
        self._drop(line)
        line.let_go()
        return True

    def unload(self, voice: VoiceSpec) -> bool:
        """Let go of a voice; False when it is not loaded or has lines in flight."""
        if voice.label not in self._voices or voice.label in self._busy():
            return False
        self._residence.release(self._voices.pop(voice.label))
        return True

    def close(self) -> None:
        """Forget the lines and let go of every model."""
        self._forget_lines()
        self._finished.clear()
        while self._voices:
            self._residence.release(self._voices.popitem()[1])

    # --- voices ---

    def _voice(self, spec: VoiceSpec) -> ReadyVoice:
        ready = self._voices.get(spec.label)
        if ready is not None and ready.parameters != spec.parameters and self.unload(spec):
            ready = None  # its files have moved; while lines are in flight, what is loaded is as good
        if ready is None:
            self._make_room()
            ready = self._voices[spec.label] = self._residence.load(spec)
            self._work += 1
        self._voices.move_to_end(spec.label)
        return ready

    def _busy(self) -> set[str]:
        return {line.ready.label for line in self._lines.values() if line.ready is not None}

    def _make_room(self) -> None:
        """Let go of voices nobody needs, least recently used first."""
        idle = [label for label in self._voices if label not in self._busy()]
        for label in idle[: max(0, len(idle) - self._voices_kept + 1)]:
            self._residence.release(self._voices.pop(label))

    # --- from text to slots ---

    def _read_lines(self) -> None:
        """Read lines until every slot has a segment to take, and for a moment longer."""
        until = self._clock() + PREPARE_S
        while self._unread and (self._clock() < until or not self._drawing):
            line = self._unread.popleft()
            try:
                self._read(line)
            except SynthesisError as error:
                self._end(line, error=error)

    def _read(self, line: LineWork) -> None:
        ready = self._voice(line.request.voice)
        index, tagged = ready.voice.clip_for(_emotion(line.request))
        symbols = 322 if ready.s2.version == "v1" else 732
        prepare(line, ready, self._residence.clip(ready, index), tagged, symbols)
        for segment in line.segments:
            self._code_limit(segment)
        self._waiting.setdefault(ready.s1_key, deque()).extend(line.segments)
        self._work += 1

    def _code_limit(self, segment: SegmentWork) -> int:
        """Codes a segment may have. Raises SegmentTooLong when the decoder has no place for them."""
        clip, count = segment.line.reference, len(segment.read.phonemes)
        wanted = min(MAX_CODES, LEAST_CODES + CODES_PER_PHONEME * count)
        taken = len(clip.text.phonemes) + count + len(clip.codes)
        if taken + min(wanted, LEAST_CODES + 4 * count) > POSITIONS:
            raise SegmentTooLong(segment.text, taken + wanted, POSITIONS)
        return min(wanted, POSITIONS - taken)

    # --- slots ---

    def _draw(self) -> None:
        """Fill free slots and advance every batch, until something finished."""
        for key in list(self._waiting):
            self._fill(key)
        for batch in list(self._batches.values()):
            for _ in range(STEPS_AT_ONCE):
                if not batch.in_flight:
                    break
                self._work += batch.in_flight
                results = batch.step()
                if results:
                    self._drawn(results)
                    break
        self._drop_idle_batches()

    def _fill(self, key: str) -> None:
        if key in self._outgrown:
            if self._batches[key].in_flight:
                return  # it is replaced by a larger one as soon as it is empty
            self._outgrown.discard(key)
            del self._batches[key]
        if key not in self._batches:
            self._batches[key] = self._loaders.batch(self._waiting[key][0].line.resident.s1, self._slots)
        while (waiting := self._waiting.get(key)) and self._batches[key].free:
            segment = waiting.popleft()
            if segment.line.request.line_id not in self._lines:
                continue  # another segment of its line could not be drawn
            self._next_key += 1
            try:
                self._batches[key].admit(self._next_key, self._request(segment))
            except SynthesisError as error:
                self._drop(segment.line)
                self._end(segment.line, error=error)
            else:
                self._drawing[self._next_key] = segment
        if not self._waiting.get(key):
            self._waiting.pop(key, None)

    def _drop_idle_batches(self) -> None:
        """A batch that nobody uses gives its cache back when another one works."""
        idle = [key for key, batch in self._batches.items() if not batch.in_flight and key not in self._waiting]
        if len(idle) < len(self._batches):
            for key in idle:
                del self._batches[key]
                self._outgrown.discard(key)

    def _request(self, segment: SegmentWork) -> S1Request:
        from synthesis.gptsovits.s1 import S1Request, Sampling

        clip, numbers = segment.line.reference, segment.line.voice.sampling
        sampling = Sampling(
            top_k=numbers.top_k,
            top_p=numbers.top_p,
            temperature=numbers.temperature,
            repetition_penalty=numbers.repetition_penalty,
        )
        return S1Request(
            phonemes=torch.cat([clip.text.phonemes, segment.read.phonemes]),
            bert=_beside(clip.text.bert, len(clip.text.phonemes), segment.read.bert, len(segment.read.phonemes)),
            prompt=clip.codes,
            seed=segment.seed,
            sampling=sampling,
            max_codes=self._code_limit(segment),
        )

    # --- from codes to takes ---

    def _drawn(self, results: Sequence[tuple[int, S1Result]]) -> None:
        """Look at what s1 drew; speak what may be kept."""
        segments: list[SegmentWork] = []
        for key, result in results:
            segment = self._drawing.pop(key, None)
            if segment is None:
                continue  # its line has just ended for another segment of it
            if result.stopped == "not finite":
                line = segment.line
                self._drop(line)
                self._end(line, error=CodesNotFinite(ENGINE, line.request.line_id, segment.text))
                continue
            codes = result.codes.cpu().numpy().astype(np.int64)
            clip = segment.line.reference
            facts = SegmentFacts(
                codes, result.stopped, len(segment.read.phonemes), clip.prompt, len(clip.text.phonemes)
            )
            segment.attempts.append(Attempt(segment.seed, codes, result.stopped, check_codes(facts)))
            segments.append(segment)
        while segments:
            alive = [segment for segment in segments if segment.line.request.line_id in self._lines]
            segments = self._go_on(alive)

    def _go_on(self, segments: Sequence[SegmentWork]) -> list[SegmentWork]:
        """Do what each segment needs next; returns those that were spoken now and have to be looked at again."""
        spoken: dict[int, list[tuple[SegmentWork, Attempt]]] = {}
        for segment in segments:
            what, attempt = segment.decide()
            if attempt is None:
                self._waiting.setdefault(segment.line.resident.s1_key, deque()).appendleft(segment)
            elif what == "speak" and len(attempt.codes):
                spoken.setdefault(id(segment.line.resident.s2), []).append((segment, attempt))
            else:
                self._keep(segment, attempt)
        for group in spoken.values():
            self._speak_or_end(group)
        return [segment for group in spoken.values() for segment, _ in group]

    def _speak_or_end(self, group: Sequence[tuple[SegmentWork, Attempt]]) -> None:
        """Speak a group; where one of it cannot be spoken, its line ends and the others are spoken by themselves."""
        try:
            self._speak(group)
        except SynthesisError as error:
            if len(group) > 1:
                for each in group:
                    self._speak_or_end([each])
            else:
                line = group[0][0].line
                self._drop(line)
                self._end(line, error=error)

    def _speak(self, group: Sequence[tuple[SegmentWork, Attempt]]) -> None:
        """Codes to audio for segments of one s2 model, and the checks of audio."""
        model = group[0][0].line.resident.s2
        requests = [
            S2Request(
                codes=torch.from_numpy(attempt.codes),
                phonemes=segment.read.phonemes,
                style=segment.line.reference.style,
                speed=segment.line.speed,
                noise_scale=segment.line.voice.noise,
                generator=torch.Generator().manual_seed(attempt.seed),
            )
            for segment, attempt in group
        ]
        for (segment, attempt), samples in zip(group, model.decode_many(requests), strict=True):
            attempt.samples = samples.cpu().numpy().astype(np.float32, copy=False)
            attempt.findings += check_take(Audio(attempt.samples, model.sample_rate), segment_request(segment))
            self._work += 1

    def _keep(self, segment: SegmentWork, attempt: Attempt) -> None:
        segment.kept = attempt
        if attempt.samples is None:  # no code at all: nothing to speak, and check_take says so of the line
            attempt.samples = np.zeros(0, np.float32)
        line = segment.line
        history = line.resident.history.setdefault(line.request.language, PaceHistory())
        far = history.check(len(attempt.codes), len(segment.read.phonemes))
        if far is not None:
            attempt.findings.append(far)
        if line.done:
            self._end(line, audio=join(line, line.resident.s2.sample_rate))

    # --- ends ---

    def _end(self, line: LineWork, *, audio: Audio | None = None, error: SynthesisError | None = None) -> None:
        self._lines.pop(line.request.line_id, None)
        took_ms = round((self._clock() - line.admitted) * 1000)
        findings = findings_of(line) if audio is not None else ()
        self._finished.append(RenderedLine(line.request.line_id, audio, error, took_ms, findings))
        line.let_go()
        self._work += 1

    def _drop(self, line: LineWork) -> None:
        """Take a line out of every queue and slot."""
        if line in self._unread:
            self._unread.remove(line)
        for key in [key for key, segment in self._drawing.items() if segment.line is line]:
            self._batches[self._drawing.pop(key).line.resident.s1_key].cancel(key)
        for s1_key, waiting in list(self._waiting.items()):
            left = deque(segment for segment in waiting if segment.line is not line)
            if left:
                self._waiting[s1_key] = left
            else:
                del self._waiting[s1_key]

    def _end_overdue(self) -> None:
        now = self._clock()
        for line in [each for each in self._lines.values() if now - each.admitted > self._line_timeout_s]:
            self._drop(line)
            self._end(line, error=LineOverdue(ENGINE, line.request.line_id, now - line.admitted))

    def _grow(self) -> None:
        """After enough steps without a failure, twice the slots; each failure makes the next attempt wait longer."""
        if self._slots == self.capacity or self._outgrown or not self._drawing:
            return
        self._good_steps += 1
        if self._good_steps < self._patience:
            return
        self._good_steps = 0
        self._slots, self._grown = min(self.capacity, 2 * self._slots), True
        self._outgrown = set(self._batches)
        log.info("no want of memory for %d steps: %d slots from now on", self._patience, self._slots)

    def _out_of_memory(self, reason: str) -> None:
        """Hand back every line and all memory that lines had; the decoder has half the slots for now."""
        lines = list(self._lines.values())
        if self._grown:
            self._patience = min(2 * self._patience, MOST_STEPS_BEFORE_GROWTH)
        self._slots = max(1, min(self._slots, len(lines)) // 2)
        self._good_steps = 0
        self._forget_lines()
        for line in lines:
            self._end(line, error=EngineOutOfMemory(ENGINE, reason))
        give_back()
        log.warning("out of memory with %d lines in flight: %d slots for now", len(lines), self._slots)

    def _forget_lines(self) -> None:
        for line in self._lines.values():
            line.let_go()
        self._lines.clear()
        self._unread.clear()
        self._waiting.clear()
        self._drawing.clear()
        self._batches.clear()
        self._outgrown.clear()


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _emotion(request: LineRequest) -> str | None:
    stated = request.direction.get("emotion")
    return stated if isinstance(stated, str) else None


def _beside(
    left: torch.Tensor | None, left_count: int, right: torch.Tensor | None, right_count: int
) -> torch.Tensor | None:
    """Text features of reference and segment, [1024, left + right]; zeros for a part that has none."""
    if left is None and right is None:
        return None
    parts = [
        torch.zeros(BERT_WIDTH, count) if part is None else part
        for part, count in ((left, left_count), (right, right_count))
    ]
    return torch.cat(parts, dim=1)
