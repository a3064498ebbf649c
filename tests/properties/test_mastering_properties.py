from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from voicelike import speechlike

from synthesis.mastering.assemble import Plan, plan_programme, rechunk, stream_programme
from synthesis.mastering.limiter import TruePeakLimiter
from synthesis.mastering.loudness import from_db, to_db
from synthesis.mastering.meter import MasterMeter
from synthesis.mastering.profiles import get_profile
from synthesis.mastering.takes import Part
from synthesis.mastering.track import WatermarkSpec, master_track
from synthesis.mastering.truepeak import TruePeakMeter

RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_FOLDER = tempfile.TemporaryDirectory()


@pytest.fixture(scope="module", autouse=True)
def takes() -> Iterator[Path]:
    folder = Path(_FOLDER.name)
    for index, rate in enumerate(RATES):
        sf.write(folder / f"{index}.wav", speechlike(0.3 + 0.17 * index, rate, seed=index), rate, subtype="FLOAT")
    sf.write(folder / "7.wav", np.zeros(100, np.float32), 16_000)
    sf.write(folder / "8.wav", np.full(1, 0.5, np.float32), 22_050)
    yield folder
    _FOLDER.cleanup()


def parts_of(choices: list[tuple[int, int]]) -> list[Part]:
    folder = Path(_FOLDER.name)
    return [
        Part(key, folder / f"{index}.wav", pause_ms, f"v{index % 2}") for key, (index, pause_ms) in enumerate(choices)
    ]


part_lists = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 700)), min_size=1, max_size=6)
milliseconds = st.integers(0, 900)


def assert_exact(plan: Plan, head_ms: int, tail_ms: int) -> None:
    position = head_ms * 48
    for part, offset in zip(plan.parts, plan.offsets, strict=True):
        assert (offset.key, offset.start, offset.pause) == (part.key, position, part.pause_ms * 48)
        position += offset.samples + offset.pause
    assert position + tail_ms * 48 == plan.samples


@settings(max_examples=40, deadline=None)
@given(part_lists, milliseconds, milliseconds, st.integers(1, 100_000))
def test_offsets_sum_exactly_for_any_block_size(
    choices: list[tuple[int, int]], head_ms: int, tail_ms: int, block: int
) -> None:
    plan = plan_programme(parts_of(choices), head_ms=head_ms, tail_ms=tail_ms)
    assert_exact(plan, head_ms, tail_ms)
    block = max(block, plan.samples // 200)
    programme = np.concatenate([np.zeros(0, np.float32), *stream_programme(plan, block=max(1, block))])
    assert len(programme) == plan.samples
    whole = np.concatenate([np.zeros(0, np.float32), *stream_programme(plan)])
    assert np.array_equal(programme, whole)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5_000), max_size=12), st.integers(1, 4_000))
def test_rechunking_loses_nothing(sizes: list[int], size: int) -> None:
    stream = np.random.default_rng(0).random(sum(sizes), np.float32)
    pieces = np.split(stream, np.cumsum(sizes)[:-1]) if sizes else []
    blocks = list(rechunk(iter(pieces), size))
    assert np.array_equal(np.concatenate([np.zeros(0, np.float32), *blocks]), stream)
    assert all(len(block) == size for block in blocks[:-1])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-10, 30),
    st.floats(-12, -0.5),
    st.lists(st.integers(1, 6_000), min_size=1, max_size=10),
)
def test_the_limiter_holds_the_ceiling_and_does_not_care_about_cuts(
    seed: int, gain_db: float, ceiling: float, sizes: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    count = sum(sizes)
    samples = (rng.standard_normal(count) * (rng.random(count) < rng.random() ** 2)).astype(np.float32)
    limiter = TruePeakLimiter(gain_db=gain_db, ceiling_dbtp=ceiling)
    out = np.concatenate([limiter.process(piece) for piece in np.split(samples, np.cumsum(sizes)[:-1])])
    out = np.concatenate([out, limiter.flush()])
    assert len(out) == count
    meter = TruePeakMeter()
    meter.add(out)
    assert to_db(meter.peak()) <= ceiling + 0.1
    once = TruePeakLimiter(gain_db=gain_db, ceiling_dbtp=ceiling)
    assert np.allclose(out, np.concatenate([once.process(samples), once.flush()]), atol=1e-6)
    # it only ever turns down
    assert np.all(np.abs(out) <= np.abs(samples) * np.float32(from_db(gain_db)) + 1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(1, 30_000), min_size=1, max_size=8))
def test_measuring_does_not_depend_on_cuts(seed: int, sizes: list[int]) -> None:
    count = sum(sizes)
    samples = speechlike(count / 48_000, 48_000, seed=seed)[:count]
    samples = np.pad(samples, (0, count - len(samples)))
    cut, whole = MasterMeter(48_000, count), MasterMeter(48_000, count)
    whole.add(samples)
    for piece in np.split(samples, np.cumsum(sizes)[:-1]):
        cut.add(piece)
    assert cut.loudness.integrated_lufs() == pytest.approx(whole.loudness.integrated_lufs(), abs=1e-6)
    assert cut.true_peak.peak() == pytest.approx(whole.true_peak.peak(), abs=1e-6)
    assert cut.level.rms_dbfs() == pytest.approx(whole.level.rms_dbfs(), abs=1e-4)
    assert cut.level.noise_floor_dbfs() == pytest.approx(whole.level.noise_floor_dbfs(), abs=1e-4)
    assert cut.picture.peaks() == whole.picture.peaks()
    assert len(whole.picture.peaks()) <= 800


@settings(max_examples=12, deadline=None)
@given(part_lists, milliseconds, milliseconds, st.booleans())
def test_a_master_is_its_programme_times_one_gain(
    choices: list[tuple[int, int]], head_ms: int, tail_ms: int, marked: bool
) -> None:
    parts = parts_of(choices)
    plan = plan_programme(parts, head_ms=head_ms, tail_ms=tail_ms)
    mark = WatermarkSpec(b"key", 1234) if marked else None
    with tempfile.TemporaryDirectory() as name:
        dst = Path(name) / "m.flac"
        track = master_track(
            parts, get_profile("netflix-premix"), dst, watermark=mark, head_ms=head_ms, tail_ms=tail_ms
        )
        samples, rate = sf.read(dst, dtype="float32")
    assert (track.samples, rate, track.offsets) == (plan.samples, 48_000, plan.offsets)
    assert len(samples) == plan.samples
    if not marked and not track.measurements.limited_ms:
        programme = np.concatenate(list(stream_programme(plan)))
        assert np.allclose(samples, programme * from_db(track.measurements.gain_db), atol=2e-4)
