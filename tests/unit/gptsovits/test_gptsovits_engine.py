"""The engine on a voice of a few hundred kilobytes: lines in, takes out, whatever the company."""

from __future__ import annotations

import gc
import itertools
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nano_voice import Nano, line, nano_voice, render, s1_file, s2_file

from synthesis.engine import ReportsProgress
from synthesis.errors import EngineDied, EngineOutOfMemory, LanguageUnsupported, TextError
from synthesis.gptsovits import say
from synthesis.gptsovits.engine import GptSovitsEngine
from synthesis.gptsovits.errors import CodesNotFinite, LineOverdue
from synthesis.gptsovits.lines import SegmentWork, segment_seed
from synthesis.gptsovits.loading import Loaders
from synthesis.qc.gates import check_take
from synthesis.qc.takes import take_to_bytes
from synthesis.text.errors import UnreadableText

TEXTS = (
    "The fox went out on a winter night.",
    "Nobody answered.",
    "She closed the door behind her, and then she waited for a very long time.",
    "Seven lanterns burned along the river.",
)


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Nano:
    return nano_voice(tmp_path_factory.mktemp("nano"))


@pytest.fixture
def engine() -> Iterator[GptSovitsEngine]:
    made = GptSovitsEngine(4)
    yield made
    made.close()


class Watched(Loaders):
    """Keeps what s1 drew, by seed, and what was loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[int, list[int]] = {}
        self.loaded: list[str] = []
        self.together = 0

    def s1(self, file: Any) -> Any:
        self.loaded.append("s1")
        return super().s1(file)

    def s2(self, file: Any) -> Any:
        self.loaded.append("s2")
        return super().s2(file)

    def hubert(self, file: Any) -> Any:
        self.loaded.append("hubert")
        return super().hubert(file)

    def batch(self, model: Any, slots: int) -> Any:
        return WatchedBatch(super().batch(model, slots), self)


class WatchedBatch:
    def __init__(self, batch: Any, watch: Watched) -> None:
        self._batch, self._watch = batch, watch
        self._seeds: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def admit(self, key: int, request: Any) -> None:
        self._seeds[key] = request.seed
        self._batch.admit(key, request)

    def step(self) -> Any:
        self._watch.together = max(self._watch.together, self._batch.in_flight)
        results = self._batch.step()
        for key, result in results:
            self._watch.codes[self._seeds[key]] = result.codes.tolist()
        return results


def test_a_line_becomes_speech_of_plausible_length(engine: GptSovitsEngine, nano: Nano) -> None:
    result = render(engine, [line(1, TEXTS[0], nano.spec())])[1]
    assert result.error is None
    assert result.audio is not None
    assert result.audio.sample_rate == 32_000
    assert len(result.audio.samples) >= 11 * 1280, "no line is shorter than eleven codes"
    assert result.audio.duration_ms < 60_000
    assert np.isfinite(result.audio.samples).all()
    assert float(np.abs(result.audio.samples).max()) > 0.01
    assert result.render_ms > 0
    assert any("pypinyin" in finding.message for finding in result.findings if finding.code == "front_end")
    assert take_to_bytes(result.audio)


def test_the_same_seed_alone_or_among_thirty_two_draws_the_same_codes(nano: Nano) -> None:
    spec = nano.spec()
    wanted = [line(number, TEXTS[number % 4], spec, seed=number % 8) for number in range(32)]
    drawn: list[dict[int, list[int]]] = []
    audio: list[dict[int, Any]] = []
    for capacity, lines in ((1, wanted[:8]), (32, wanted)):
        watch = Watched()
        engine = GptSovitsEngine(capacity, loaders=watch)
        audio.append(render(engine, lines))
        drawn.append(watch.codes)
        assert watch.together >= min(capacity, 32)
        engine.close()
    assert len(drawn[0]) >= 8
    assert drawn[1] == drawn[0]
    for number in range(32):
        alone, crowded = audio[0][number % 8].audio, audio[1][number].audio
        assert np.abs(alone.samples - crowded.samples).max() < 1e-4
    codes = {finding.code for finding in audio[0][3].findings}
    assert codes - {"pace_history"} == {finding.code for finding in audio[1][3].findings} - {"pace_history"}


def test_another_seed_is_another_take(engine: GptSovitsEngine, nano: Nano) -> None:
    spec = nano.spec()
    first, second = render(engine, [line(1, TEXTS[0], spec, seed=1), line(2, TEXTS[0], spec, seed=2)]).values()
    assert first.audio is not None
    assert second.audio is not None
    same = len(first.audio.samples) == len(second.audio.samples)
    assert not (same and np.allclose(first.audio.samples, second.audio.samples))
    seeds = {segment_seed(seed, index, attempt) for seed in range(5) for index in range(5) for attempt in range(5)}
    assert len(seeds) == 125
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_two_voices_of_one_base_share_it_and_speak_at_once(nano: Nano) -> None:
    watch = Watched()
    engine = GptSovitsEngine(8, loaders=watch)
    other = nano.other(s2=s2_file(nano.folder / "other.pth", salt="other"))
    specs = [nano.spec("anna"), other.spec("bert")]
    for spec in specs:
        engine.load(spec)
    assert watch.loaded == ["s2", "s1", "hubert", "s2"]
    done = render(engine, [line(number, TEXTS[number % 4], specs[number % 2], seed=7) for number in range(8)])
    assert all(result.error is None for result in done.values())
    assert watch.together == 8, "both voices are in one batch"
    assert engine.unload(specs[0])
    assert not engine.unload(specs[0])
    assert render(engine, [line(9, TEXTS[0], specs[1])])[9].audio is not None, "what the second needs is still there"
    engine.close()


def test_voices_with_other_s1_weights_take_turns(nano: Nano) -> None:
    engine = GptSovitsEngine(4)
    other = nano.other(s1=s1_file(nano.folder / "other.ckpt", salt="other"))
    specs = [nano.spec("anna"), other.spec("bert")]
    done = render(engine, [line(number, TEXTS[0], specs[number % 2]) for number in range(6)])
    assert all(result.audio is not None for result in done.values())
    engine.close()


def test_idle_voices_make_room_and_come_back(nano: Nano) -> None:
    watch = Watched()
    engine = GptSovitsEngine(2, loaders=watch, voices_kept=1)
    specs = [nano.other(s2=s2_file(nano.folder / f"{name}.pth", salt=name)).spec(name) for name in ("a", "b")]
    for number in range(4):
        assert render(engine, [line(number, TEXTS[1], specs[number % 2])])[number].audio is not None
    assert watch.loaded.count("s2") == 4
    engine.close()


def test_a_long_line_is_cut_and_its_pauses_are_honoured(engine: GptSovitsEngine, nano: Nano) -> None:
    spec = nano.spec()
    text = f"[pause 400ms] {TEXTS[1]} [pause 1.5s] {TEXTS[0]} [pause 250ms]"
    result = render(engine, [line(1, text, spec)])[1]
    assert result.audio is not None
    samples = result.audio.samples
    quiet = np.concatenate([[1], np.abs(samples) > 0, [1]]).nonzero()[0]
    silences = np.sort(np.diff(quiet) - 1)[::-1][:3]
    assert silences == pytest.approx([48_000, 12_800, 8_000], abs=64)
    assert not samples[:12_800].any()


def test_a_pause_of_three_seconds_is_no_finding(engine: GptSovitsEngine, nano: Nano) -> None:
    request = line(1, f"{TEXTS[1]} [pause 3s] {TEXTS[0]}", nano.spec())
    result = render(engine, [request])[1]
    assert result.audio is not None
    found = {finding.code for finding in (*result.findings, *check_take(result.audio, request))}
    assert "inner_silence" not in found


def test_the_rate_of_a_direction_changes_the_pace(engine: GptSovitsEngine, nano: Nano) -> None:
    spec = nano.spec(rerolls=0)
    slow, fast = (render(engine, [line(1, TEXTS[0], spec, direction={"rate": rate})])[1].audio for rate in (0.8, 1.25))
    assert slow is not None
    assert fast is not None
    assert len(slow.samples) / len(fast.samples) == pytest.approx(1.25 / 0.8, rel=0.05)
    wrong = render(engine, [line(2, TEXTS[0], spec, direction={"rate": "quick"})])[2]
    assert isinstance(wrong.error, TextError)


def test_an_emotion_without_a_clip_is_noted(engine: GptSovitsEngine, nano: Nano) -> None:
    result = render(engine, [line(1, TEXTS[1], nano.spec(), direction={"emotion": "angry"})])[1]
    assert [f.severity for f in result.findings if f.code == "no_clip_for_emotion"] == ["note"]


@pytest.mark.parametrize("language", ["zh", "yue", "ja"])
@pytest.mark.parametrize("text", ["\U0001f600", "。", "……！？", "「」、"])
def test_marks_and_emoji_alone_are_named(engine: GptSovitsEngine, nano: Nano, text: str, language: str) -> None:
    error = render(engine, [line(1, text, nano.spec(), language=language)])[1].error
    assert isinstance(error, UnreadableText)
    assert error.characters == "".join(dict.fromkeys(text))
    assert all(f"(U+{ord(character):04X})" in str(error) for character in error.characters)
    assert pickle.loads(pickle.dumps(error)).characters == error.characters


@pytest.mark.parametrize("text", ["\U0001f600", "…", "[pause 1s]"])
def test_text_that_nobody_can_read_is_the_lines_error(engine: GptSovitsEngine, nano: Nano, text: str) -> None:
    spec = nano.spec()
    done = render(engine, [line(1, text, spec), line(2, TEXTS[1], spec)])
    assert isinstance(done[1].error, TextError)
    assert text == "[pause 1s]" or isinstance(done[1].error, UnreadableText)
    assert done[2].audio is not None


def test_a_language_without_a_front_end_is_the_lines_error(engine: GptSovitsEngine, nano: Nano) -> None:
    assert isinstance(render(engine, [line(1, "Hei!", nano.spec(), language="fi")])[1].error, LanguageUnsupported)


def test_suspicious_takes_are_drawn_again_and_the_best_is_kept(nano: Nano) -> None:
    watch = Watched()
    engine = GptSovitsEngine(2, loaders=watch)
    results = render(engine, [line(number, TEXTS[2], nano.spec(rerolls=3), seed=number) for number in range(6)])
    rerolled = [f for result in results.values() for f in result.findings if f.code == "rerolled"]
    assert rerolled, "weights from a formula lose the text often"
    assert all(finding.severity == "note" and 1 <= finding.value <= 3 for finding in rerolled)
    assert all("take" in finding.message for finding in rerolled)
    assert all(result.audio is not None for result in results.values())
    once = GptSovitsEngine(2, loaders=Watched())
    kept = render(once, [line(number, TEXTS[2], nano.spec(rerolls=0), seed=number) for number in range(6)])
    assert not [f for result in kept.values() for f in result.findings if f.code == "rerolled"]
    engine.close()
    once.close()


def test_a_cancelled_line_leaves_the_others_alone(engine: GptSovitsEngine, nano: Nano) -> None:
    spec = nano.spec(rerolls=0)
    engine.load(spec)
    engine.submit([line(1, TEXTS[2], spec), line(2, TEXTS[0], spec), line(3, TEXTS[1], spec)])
    done = engine.step()
    assert done == []
    assert engine.cancel(1)
    assert engine.in_flight() == 2
    assert render(engine, []).keys() == {2, 3}
    assert not engine.cancel(1)


def test_lines_that_ended_leave_nothing_for_the_collector(engine: GptSovitsEngine, nano: Nano) -> None:
    spec = nano.spec(rerolls=0)
    render(engine, [line(1, TEXTS[1], spec)])  # whatever is loaded at the first line is there
    gc.collect()
    gc.disable()
    try:
        done = render(engine, [line(number, text, spec) for number, text in enumerate(("\U0001f600", *TEXTS))])
        engine.submit([line(9, TEXTS[0], spec)])
        engine.step()
        cancelled = engine.cancel(9)
        left = [each for each in gc.get_objects() if type(each) is SegmentWork]
    finally:
        gc.enable()
    assert [number for number, each in done.items() if each.error is not None] == [0]
    assert cancelled
    assert left == []


def test_a_line_that_takes_too_long_ends_and_its_slots_are_free(nano: Nano) -> None:
    now = [0.0]
    engine = GptSovitsEngine(2, line_timeout_s=10, clock=lambda: now[0])
    spec = nano.spec()
    engine.load(spec)
    engine.submit([line(1, TEXTS[2], spec)])
    engine.step()
    now[0] = 11
    engine.submit([line(2, TEXTS[1], spec)])
    done = {result.line_id: result for result in engine.step()} | render(engine, [])
    assert isinstance(done[1].error, LineOverdue)
    assert done[1].error.line_id == 1
    assert done[2].audio is not None
    engine.close()


def test_progress_is_reported_while_a_line_is_drawn(engine: GptSovitsEngine, nano: Nano) -> None:
    assert isinstance(engine, ReportsProgress)
    engine.load(nano.spec())
    engine.submit([line(1, TEXTS[0], nano.spec())])
    seen = [engine.progress()]
    while engine.in_flight():
        engine.step()
        seen.append(engine.progress())
    assert all(later > earlier for earlier, later in itertools.pairwise(seen))


class Failing(Watched):
    """A decoder that fails once, with whatever it is given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.errors = [error]
        self.slots: list[int] = []

    def batch(self, model: Any, slots: int) -> Any:
        self.slots.append(slots)
        batch = super().batch(model, slots)
        if self.errors:
            error = self.errors.pop()

            def step() -> Any:
                raise error

            batch.step = step
        return batch


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
def test_out_of_memory_gives_every_line_back_and_halves_the_slots(nano: Nano, error: Exception) -> None:
    loaders = Failing(error)
    engine = GptSovitsEngine(8, loaders=loaders)
    spec = nano.spec()
    lines = [line(number, TEXTS[1], spec) for number in range(6)]
    engine.submit(lines)
    results = engine.step()
    assert {result.line_id for result in results} == set(range(6))
    assert all(isinstance(result.error, EngineOutOfMemory) for result in results)
    assert engine.in_flight() == 0
    again = render(engine, lines)
    assert all(result.audio is not None for result in again.values())
    assert loaders.slots == [8, 3]
    engine.close()


@pytest.mark.parametrize("reason,raised", [("CUDA error: device-side assert", EngineDied), ("a bug", RuntimeError)])
def test_a_device_that_failed_ends_the_process(nano: Nano, reason: str, raised: type[Exception]) -> None:
    engine = GptSovitsEngine(2, loaders=Failing(RuntimeError(reason)))
    engine.submit([line(1, TEXTS[1], nano.spec())])
    with pytest.raises(raised):
        engine.step()


def test_capacity_is_kept(engine: GptSovitsEngine, nano: Nano) -> None:
    spec = nano.spec()
    with pytest.raises(ValueError, match="capacity"):
        engine.submit([line(number, "x", spec) for number in range(5)])
    engine.submit([line(1, TEXTS[1], spec)])
    with pytest.raises(ValueError, match="in flight already"):
        engine.submit([line(1, TEXTS[1], spec)])
    with pytest.raises(ValueError, match="1 or more"):
        GptSovitsEngine(0)
    assert engine.voices() == ()
    engine.close()
    engine.close()
    assert engine.in_flight() == 0


def test_say_writes_a_file(nano: Nano, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from synthesis.__main__ import main

    out = tmp_path / "out.flac"
    models = ["--s1", str(nano.models.s1), "--s2", str(nano.models.s2), "--hubert", str(nano.models.hubert)]
    clip = ["--ref", str(nano.clip.audio), "--ref-text", nano.clip.text]
    assert main(["say", TEXTS[0], *models, *clip, "-o", str(out)]) == 0
    assert "real time" in capsys.readouterr().out
    assert out.stat().st_size > 1000
    assert main(["say", "\U0001f600", *models, *clip, "-o", str(out)]) == 2
    assert "say: " in capsys.readouterr().err
    assert main([]) == 2
    assert main(["--help"]) == 0


class Poisoned(Watched):
    """A decoder whose network computes NaN for the line of one seed, from some step on."""

    def __init__(self, *seeds: int, after: int) -> None:
        super().__init__()
        self.seeds, self.after = seeds, after

    def batch(self, model: Any, slots: int) -> Any:
        batch = Loaders.batch(self, model, slots)
        advance = batch._advance

        def poison() -> None:
            for slot, row in batch._lines.items():
                if row.request.seed in self.seeds and row.drawn >= self.after:
                    for layer in batch._cache.layers:
                        layer[1, slot, :, : row.request.prefix] = torch.nan
            advance()

        batch._advance = poison
        return WatchedBatch(batch, self)


def test_numbers_that_are_not_finite_end_their_line_and_no_other(nano: Nano) -> None:
    spec = nano.spec(rerolls=0)
    lines = [line(number, TEXTS[number % 4], spec) for number in range(6)]
    clean = Watched()
    engine = GptSovitsEngine(3, loaders=clean)
    render(engine, lines)
    engine.close()
    watch = Poisoned(segment_seed(1, 0, 0), after=5)
    engine = GptSovitsEngine(3, loaders=watch)
    done = render(engine, lines)
    engine.close()
    error = done[1].error
    assert isinstance(error, CodesNotFinite)
    assert (error.line_id, error.text) == (1, TEXTS[1])
    assert pickle.loads(pickle.dumps(error)).line_id == 1
    assert all(done[number].audio is not None for number in (0, 2, 3, 4, 5)), "not even those in its slot after it"
    del clean.codes[watch.seeds[0]], watch.codes[watch.seeds[0]]
    assert watch.codes == clean.codes


def test_a_line_may_lose_several_segments_at_once(nano: Nano) -> None:
    spec = nano.spec(rerolls=0)
    watch = Poisoned(segment_seed(1, 0, 0), segment_seed(1, 1, 0), after=5)
    engine = GptSovitsEngine(4, loaders=watch)
    done = render(engine, [line(1, f"{TEXTS[0]} [pause 1s] {TEXTS[3]}", spec), line(2, TEXTS[1], spec)])
    engine.close()
    assert isinstance(done[1].error, CodesNotFinite)
    assert done[2].audio is not None


def test_slots_given_up_for_want_of_memory_come_back(nano: Nano, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthesis.gptsovits.engine.STEPS_BEFORE_GROWTH", 4)
    loaders = Failing(MemoryError())
    engine = GptSovitsEngine(8, loaders=loaders)
    spec = nano.spec(rerolls=0)
    engine.submit([line(number, TEXTS[1], spec) for number in range(6)])
    engine.step()
    done = render(engine, [line(number, TEXTS[0], spec) for number in range(30)])
    assert all(result.audio is not None for result in done.values())
    assert loaders.slots == [8, 3, 6, 8]
    engine.close()


def test_memory_that_runs_out_again_is_not_tried_soon(nano: Nano, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthesis.gptsovits.engine.STEPS_BEFORE_GROWTH", 20)
    loaders = Failing(MemoryError())
    engine = GptSovitsEngine(2, loaders=loaders)
    spec = nano.spec(rerolls=0)
    engine.submit([line(1, TEXTS[2], spec), line(2, TEXTS[2], spec)])
    engine.step()
    steps = []
    for _ in range(2):
        loaders.slots.clear()
        steps.append(0)
        while 2 not in loaders.slots:
            if not engine.in_flight():
                loaders.errors[:] = [MemoryError()] * (1 in loaders.slots)  # for the next batch, the larger one
                engine.submit([line(3, TEXTS[2], spec)])
            engine.step()
            steps[-1] += 1
    assert steps[1] > steps[0] >= 20
    engine.close()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Good morning.", "en"),
        ("今天天气很好。", "zh"),
        ("きょうは寒いです。", "ja"),
        ("오늘은 춥다.", "ko"),
        ("我用 Python 写程序", "zh"),
        ("12", "en"),
    ],
)
def test_the_language_of_a_text_is_told_by_its_letters(text: str, language: str) -> None:
    assert say.language_told(text) == language
