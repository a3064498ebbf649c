"""From what the engine returned to an outcome: quality control, the store, the record."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from db.errors import StoreError
from db.records import ClaimedLine, FinishedTake
from db.states import FailureClass
from db.store import Store
from synthesis.audio import Audio
from synthesis.engine import LineRequest, RenderedLine, VoiceSpec
from synthesis.errors import EngineError
from synthesis.qc.gates import Finding, check_take
from synthesis.qc.takes import take_to_bytes
from workers.failures import failed, failed_with
from workers.outcome import Held, Outcome

log = logging.getLogger(__name__)

TAKE_SUFFIX = "flac"


def request_of(line: ClaimedLine, engine: str) -> LineRequest:
    """What the engine is asked for a claimed line."""
    voice = VoiceSpec(
        name=line.voice_name,
        version=line.voice_version,
        engine=engine,
        languages=line.voice_languages,
        parameters=line.voice_parameters,
    )
    return LineRequest(
        line_id=line.id,
        text=line.spoken,
        language=line.language,
        voice=voice,
        seed=line.seed,
        direction=line.direction,
        alone=line.alone,
    )


class Finisher:
    """Turns results into outcomes; one per worker, used by several threads."""

    def __init__(self, store: Store, engine: str, engine_version: str) -> None:
        self._store = store
        self._engine = engine
        self._engine_version = engine_version

    def finish(self, held: Held, request: LineRequest, result: RenderedLine) -> Outcome:
        """Check and keep a take, or say why there is none."""
        line = held.line
        if result.error is not None:
            return Outcome(held, failure=failed_with(line, result.error))
        if result.audio is None:
            error = EngineError(self._engine, "returned neither audio nor an error")
            return Outcome(held, failure=failed_with(line, error))
        findings = _together(check_take(result.audio, request), result.findings)
        rejected = [finding for finding in findings if finding.severity == "reject"]
        if rejected:
            reasons = "; ".join(finding.message for finding in rejected)
            return Outcome(held, failure=failed(line, FailureClass.ENGINE_ERROR, f"take rejected: {reasons}"))
        try:
            key = self._store.put_bytes(take_to_bytes(result.audio), TAKE_SUFFIX)
        except StoreError as error:
            return Outcome(held, failure=failed_with(line, error))
        return Outcome(held, take=self._take(line, request, result, result.audio, key, findings))

    def _take(
        self,
        line: ClaimedLine,
        request: LineRequest,
        result: RenderedLine,
        audio: Audio,
        key: str,
        findings: list[Finding],
    ) -> FinishedTake:
        return FinishedTake(
            line_id=line.id,
            attempt=line.attempt,
            digest=line.digest,
            audio_sha256=key,
            samples=len(audio.samples),
            sample_rate=audio.sample_rate,
            voice=request.voice.label,
            engine=self._engine,
            engine_version=self._engine_version,
            seed=line.seed,
            findings=tuple(finding.to_json() for finding in findings),
            render_ms=result.render_ms,
            hold_for_review=line.review and any(finding.severity != "note" for finding in findings),
        )


def _together(ours: list[Finding], engines: tuple[Finding, ...]) -> list[Finding]:
    """Our findings and the engine's; where both looked at the same thing, ours: it is about the take as it is kept."""
    seen = {finding.code for finding in ours}
    return [*ours, *(finding for finding in engines if finding.code not in seen)]


class FinishingThreads:
    """A few threads that finish results, so that the engine never waits for a disk."""

    def __init__(
        self,
        finisher: Finisher,
        on_outcome: Callable[[Outcome], None],
        on_death: Callable[[BaseException], None],
        count: int,
    ) -> None:
        self._finisher = finisher
        self._on_outcome = on_outcome
        self._on_death = on_death
        self._queue: queue.SimpleQueue[tuple[Held, LineRequest, RenderedLine] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"finish-{number}", daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def put(self, held: Held, request: LineRequest, result: RenderedLine) -> None:
        """Queue one result."""
        self._queue.put((held, request, result))

    def close(self, timeout_s: float) -> None:
        """Finish what is queued and end."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while (job := self._queue.get()) is not None:
                self._on_outcome(self._finisher.finish(*job))
        except BaseException as error:  # noqa: BLE001  the boundary of this thread: its owner decides
            self._on_death(error)
