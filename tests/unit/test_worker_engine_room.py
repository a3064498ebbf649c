"""The engine's thread: continuous batching, lines alone, memory, voices, the watchdog."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from synthesis.engine import LineRequest, RenderedLine, VoiceSpec
from synthesis.errors import EngineDied, EngineOutOfMemory, VoiceMissing
from synthesis.fake import FakeEngine
from workers.engine_room import EXIT_ENGINE, EXIT_WATCHDOG, GROW_AFTER, EngineRoom
from workers.outcome import Counters

VOICE = VoiceSpec("fake-1", 1, "fake", ("*",))


def request(line_id: int, text: str = "x", *, alone: bool = False, voice: VoiceSpec = VOICE) -> LineRequest:
    return LineRequest(line_id, text, "en", voice, seed=line_id, alone=alone)


class Watched(FakeEngine):
    """Remembers what was in flight together."""

    def __init__(self, capacity: int, ms_per_line: float = 0.0) -> None:
        super().__init__(capacity, ms_per_line)
        self.together: list[frozenset[int]] = []
        self._ids: set[int] = set()

    def submit(self, lines: Sequence[LineRequest]) -> None:
        super().submit(lines)
        self._ids |= {line.line_id for line in lines}
        self.together.append(frozenset(self._ids))

    def step(self) -> list[RenderedLine]:
        results = super().step()
        self._ids -= {result.line_id for result in results}
        return results


class Results:
    def __init__(self) -> None:
        self.by_line: dict[int, RenderedLine] = {}
        self.order: list[int] = []
        self.changed = threading.Condition()

    def __call__(self, asked: LineRequest, result: RenderedLine) -> None:
        with self.changed:
            assert asked.line_id == result.line_id
            self.by_line[result.line_id] = result
            self.order.append(result.line_id)
            self.changed.notify_all()

    def wait_for(self, count: int, timeout_s: float = 20.0) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.order) >= count, timeout_s), f"{len(self.order)} of {count}"


@contextmanager
def room_of(
    engine: FakeEngine, results: Results, exits: list[int] | None = None, watchdog_s: float = 60.0
) -> Iterator[EngineRoom]:
    left = [] if exits is None else exits
    room = EngineRoom(engine, results, Counters(), watchdog_s=watchdog_s, exit_process=left.append)
    room.start()
    yield room
    room.stop_admitting()
    assert room.close(10)


def test_lines_are_admitted_as_soon_as_there_is_room() -> None:
    engine, results = Watched(4, ms_per_line=5), Results()
    with room_of(engine, results) as room:
        room.submit([request(1, "{slow=300}"), *(request(n) for n in range(2, 30))])
        results.wait_for(29)
    assert results.order[-1] == 1, "a slow line holds up nobody"
    assert max(len(group) for group in engine.together) == 4
    assert all(result.audio is not None for result in results.by_line.values())


def test_a_line_alone_has_no_company() -> None:
    engine, results = Watched(8, ms_per_line=2), Results()
    with room_of(engine, results) as room:
        room.submit([request(1), request(2), request(3, alone=True), request(4), request(5)])
        results.wait_for(5)
    assert all(group == {3} for group in engine.together if 3 in group)
    assert results.order.index(3) == 2, "and it is not passed over for ever"


def test_out_of_memory_together_halves_the_batch_and_burns_nothing() -> None:
    engine, results = Watched(8), Results()
    with room_of(engine, results) as room:
        room.submit([request(n, "{oom>2}") for n in range(1, 9)])
        results.wait_for(8)
        assert room.limit == 2
    assert all(result.error is None for result in results.by_line.values())


def test_out_of_memory_alone_is_the_lines_failure() -> None:
    engine, results = Watched(4), Results()
    with room_of(engine, results) as room:
        room.submit([request(1, "{oom}"), request(2)])
        results.wait_for(2)
    assert isinstance(results.by_line[1].error, EngineOutOfMemory)
    assert results.by_line[2].error is None


def test_the_batch_grows_back_slowly() -> None:
    engine, results = Watched(4), Results()
    with room_of(engine, results) as room:
        room.submit([request(n, "{oom>2}") for n in range(1, 5)])
        results.wait_for(4)
        assert room.limit < 4
        many = 4 * 4 * GROW_AFTER
        room.submit([request(100 + n) for n in range(many)])
        results.wait_for(4 + many)
        assert room.limit == 4


def test_a_voice_that_cannot_be_loaded_fails_its_lines_only() -> None:
    missing = VoiceSpec("gone", 1, "fake", ("*",), {"missing": True})
    engine, results = Watched(4), Results()
    with room_of(engine, results) as room:
        room.submit([request(1, voice=missing), request(2)])
        results.wait_for(2)
        assert room.voices() == ["fake-1@1"]
    assert isinstance(results.by_line[1].error, VoiceMissing)
    assert results.by_line[2].audio is not None


def test_two_attempts_of_one_line_are_never_in_the_engine_together() -> None:
    engine, results = Watched(4, ms_per_line=20), Results()
    with room_of(engine, results) as room:
        room.submit([request(1, "a"), request(1, "b")])
        results.wait_for(2)
    assert results.order == [1, 1]


def test_lines_not_started_are_given_back() -> None:
    engine, results = Watched(1, ms_per_line=100), Results()
    with room_of(engine, results) as room:
        room.submit([request(1), request(2), request(3)])
        wait_until(lambda: engine.in_flight() == 1)
        assert [left.line_id for left in room.stop_admitting()] == [2, 3]
    assert results.order == [1], "what was started is finished"


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_engine_that_died_ends_the_process() -> None:
    exits: list[int] = []
    results = Results()
    room = EngineRoom(FakeEngine(2), results, Counters(), watchdog_s=60, exit_process=exits.append)
    room.start()
    room.submit([request(1, "{die}")])
    assert room.close(10)
    assert exits == [EXIT_ENGINE]
    assert results.order == [], "no outcome is made up: the reaper returns the line"


@pytest.mark.parametrize("error", [EngineDied("fake", "x"), ZeroDivisionError()])
def test_whatever_the_engine_raises_ends_the_process(error: Exception) -> None:
    class Broken(FakeEngine):
        def submit(self, lines: Sequence[LineRequest]) -> None:
            raise error

    exits: list[int] = []
    room = EngineRoom(Broken(2), Results(), Counters(), watchdog_s=60, exit_process=exits.append)
    room.start()
    room.submit([request(1)])
    assert room.close(10)
    assert exits == [EXIT_ENGINE]


class Stuck(FakeEngine):
    """Finishes nothing until released."""

    def __init__(self) -> None:
        super().__init__(2)
        self.release = threading.Event()

    def step(self) -> list[RenderedLine]:
        return super().step() if self.release.wait(0.01) else []


def test_the_watchdog_ends_the_process_when_nothing_moves() -> None:
    exits: list[int] = []
    now = [0.0]
    engine, results = Stuck(), Results()
    room = EngineRoom(engine, results, Counters(), watchdog_s=3600, exit_process=exits.append, clock=lambda: now[0])
    room.start()
    room.submit([request(1)])
    wait_until(lambda: engine.in_flight() == 1)
    now[0] = 3599
    room.check_progress()
    assert exits == []
    now[0] = 3601
    room.check_progress()
    assert exits == [EXIT_WATCHDOG]
    engine.release.set()
    results.wait_for(1)
    room.stop_admitting()
    assert room.close(10)


def test_a_process_that_stood_still_gives_its_engine_the_time_anew() -> None:
    exits: list[int] = []
    now = [0.0]
    engine, results = Stuck(), Results()
    room = EngineRoom(engine, results, Counters(), watchdog_s=3600, exit_process=exits.append, clock=lambda: now[0])
    room.start()
    room.submit([request(1)])
    wait_until(lambda: engine.in_flight() == 1)
    now[0] = 5000
    room.forgive_suspension(4999)
    room.check_progress()
    assert exits == []
    now[0] += 3601
    room.forgive_suspension(0.1)
    room.check_progress()
    assert exits == [EXIT_WATCHDOG]
    engine.release.set()
    results.wait_for(1)
    room.stop_admitting()
    assert room.close(10)


def test_an_engine_that_gets_on_with_a_long_line_is_not_a_stalled_one() -> None:
    class Slow(Stuck):
        worked = 0

        def progress(self) -> int:
            return self.worked

    exits: list[int] = []
    now = [0.0]
    engine, results = Slow(), Results()
    room = EngineRoom(engine, results, Counters(), watchdog_s=3600, exit_process=exits.append, clock=lambda: now[0])
    room.start()
    room.submit([request(1)])
    wait_until(lambda: engine.in_flight() == 1)
    for _ in range(3):
        now[0] += 3000
        engine.worked += 1
        wait_until(lambda: room.work_noted == engine.worked)
        room.check_progress()
    assert exits == []
    now[0] += 3601
    room.check_progress()
    assert exits == [EXIT_WATCHDOG]
    engine.release.set()
    results.wait_for(1)
    room.stop_admitting()
    assert room.close(10)


def test_an_idle_engine_is_not_a_stalled_one() -> None:
    exits: list[int] = []
    now = [0.0]
    with room_of(FakeEngine(2), Results()) as room:
        now[0] = 1e6
        room.check_progress()
    assert exits == []


def test_a_line_is_charged_its_part_of_the_steps_it_was_in() -> None:
    now = [0.0]

    class Slow(FakeEngine):
        def step(self) -> list[RenderedLine]:
            now[0] += 0.3
            return super().step()

    engine, results = Slow(4), Results()
    room = EngineRoom(engine, results, Counters(), watchdog_s=3600, clock=lambda: now[0])
    room.submit([request(1), request(2), request(3)])
    room.start()
    results.wait_for(3)
    assert {result.render_ms for result in results.by_line.values()} == {100}
    room.submit([request(4)])
    results.wait_for(4)
    assert results.by_line[4].render_ms == 300
    room.stop_admitting()
    assert room.close(10)
