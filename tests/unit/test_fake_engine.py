from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthesis.engine import LineRequest, RenderedLine, VoiceSpec
from synthesis.errors import EngineDied, EngineError, EngineOutOfMemory, EngineUnknown, TextError, VoiceMissing
from synthesis.fake import SAMPLE_RATE, FakeEngine
from synthesis.registry import ENGINE_NAMES, WITH_VOICES, make_engine


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def request(text: str, line_id: int = 1, seed: int = 5, **parameters: Any) -> LineRequest:
    return LineRequest(line_id, text, "en", VoiceSpec("fake-1", 1, "fake", ("*",), parameters), seed)


def fake(**options: Any) -> FakeEngine:
    clock = Clock()
    return FakeEngine(clock=clock, sleep=clock.sleep, **options)


def finish(engine: FakeEngine, *lines: LineRequest, steps: int = 1000) -> dict[int, RenderedLine]:
    engine.submit(lines)
    results: dict[int, RenderedLine] = {}
    for _ in range(steps):
        results |= {result.line_id: result for result in engine.step()}
        if not engine.in_flight():
            return results
    raise AssertionError(f"{engine.in_flight()} lines still in flight after {steps} steps")


def error_of(text: str) -> Exception:
    result = finish(fake(), request(text))[1]
    assert result.audio is None
    assert result.error is not None
    return result.error


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("ten chars.", 600), ("x", 100), ("x" * 500, 10_000), ("Said {dur=1234}", 1234), ("{slow=5}ten chars.", 600)],
)
def test_length_is_exact(text: str, milliseconds: int) -> None:
    audio = finish(fake(), request(text))[1].audio
    assert audio is not None
    assert len(audio.samples) == milliseconds * SAMPLE_RATE // 1000
    assert 0.2 < float(np.abs(audio.samples).max()) <= 0.25


def test_tone_follows_the_seed_and_nothing_else() -> None:
    alone = finish(fake(), request("One line.", seed=9))[1].audio
    batch = finish(fake(), request("Other.", 2), request("One line.", 1, seed=9), request("Third.", 3))[1].audio
    other = finish(fake(), request("One line.", seed=10))[1].audio
    assert alone is not None
    assert batch is not None
    assert other is not None
    assert np.array_equal(alone.samples, batch.samples)
    assert not np.array_equal(alone.samples, other.samples)


def test_lines_in_flight_progress_together() -> None:
    clock = Clock()
    engine = FakeEngine(capacity=8, ms_per_line=40, clock=clock, sleep=clock.sleep)
    results = finish(engine, *(request("Line.", n) for n in range(8)))
    assert len(results) == 8
    assert clock.now - 100 == pytest.approx(0.04)
    assert all(result.render_ms == 40 for result in results.values())


def test_work_per_line_can_come_from_the_voice_and_the_text() -> None:
    engine = fake(ms_per_line=100)
    results = finish(engine, request("a", 1), request("b", 2, ms_per_line=10), request("c{slow=300}", 3))
    assert {n: result.render_ms for n, result in results.items()} == {1: 100, 2: 10, 3: 400}


def test_a_step_waits_five_milliseconds_at_most() -> None:
    clock = Clock()
    engine = FakeEngine(ms_per_line=1000, clock=clock, sleep=clock.sleep)
    engine.submit([request("Line.")])
    assert engine.step() == []
    assert clock.now - 100 <= 0.005


def test_step_without_lines_returns_at_once() -> None:
    assert fake().step() == []


def test_more_than_the_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        fake(capacity=2).submit([request("a")] * 3)


@pytest.mark.parametrize(
    ("marker", "kind"), [("{error}", EngineError), ("{oom}", EngineOutOfMemory), ("{bad-text}", TextError)]
)
def test_a_line_can_be_told_to_fail(marker: str, kind: type[Exception]) -> None:
    assert type(error_of(f"A line {marker}")) is kind


def test_audio_can_be_told_to_be_no_audio() -> None:
    results = finish(fake(), request("{nan} line", 1), request("{empty}", 2))
    broken, empty = results[1].audio, results[2].audio
    assert broken is not None
    assert empty is not None
    assert bool(np.isnan(broken.samples).any())
    assert len(empty.samples) == 0


def test_too_many_at_once_run_out_of_memory_and_fewer_do_not() -> None:
    engine = fake()
    lines = [request("Big {oom>4}", n) for n in range(5)]
    assert all(type(result.error) is EngineOutOfMemory for result in finish(engine, *lines).values())
    assert all(result.audio is not None for result in finish(engine, *lines[:4]).values())


def test_faults_can_belong_to_the_voice() -> None:
    result = finish(fake(), request("An innocent line.", markers="{error}"))[1]
    assert isinstance(result.error, EngineError)
    with pytest.raises(VoiceMissing):
        fake().load(request("x", missing=True).voice)
    fake().load(request("x").voice)


def test_a_stalled_line_stalls_the_batch() -> None:
    engine = fake()
    engine.submit([request("{stall}", 1), request("Fine.", 2)])
    assert [engine.step() for _ in range(50)] == [[]] * 50
    assert engine.in_flight() == 2
    engine.close()
    assert engine.in_flight() == 0


def test_a_fault_can_happen_once(tmp_path: Path) -> None:
    text = f"Again. {{once=error:{tmp_path / 'done'}}}"
    assert isinstance(error_of(text), EngineError)
    assert (tmp_path / "done").exists()
    assert finish(fake(), request(text))[1].audio is not None


def test_a_stall_that_happens_once_lasts_as_long_as_the_engine(tmp_path: Path) -> None:
    text = f"{{once=stall:{tmp_path / 'done'}}}"
    engine = fake()
    engine.submit([request(text)])
    assert [engine.step() for _ in range(10)] == [[]] * 10
    assert finish(fake(), request(text))[1].audio is not None


def test_unknown_markers_are_ordinary_text() -> None:
    assert finish(fake(), request("{whatever} {once=nothing:x}"))[1].audio is not None


def test_the_engine_can_be_told_to_die() -> None:
    engine = fake()
    engine.submit([request("{die}")])
    with pytest.raises(EngineDied):
        engine.step()


def test_the_process_can_be_told_to_crash() -> None:
    code = (
        "from synthesis.fake import FakeEngine\n"
        "from synthesis.engine import LineRequest\n"
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "engine = FakeEngine()\n"
        "engine.submit([LineRequest(1, '{crash}', 'en', engine.voices()[0], 0)])\n"
        "engine.step()\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode < 0


def test_engines_are_made_by_name() -> None:
    assert ENGINE_NAMES == ("draft", "gpt-sovits", "fake")
    for name in WITH_VOICES:
        engine = make_engine(name, capacity=3, device="cpu")
        assert (engine.name, engine.capacity) == (name, 3)
        assert make_engine(name).capacity >= 1
        assert all(voice.engine == name for voice in engine.voices())
        engine.close()
    with pytest.raises(EngineUnknown, match="draft, gpt-sovits, fake"):
        make_engine("festival")
