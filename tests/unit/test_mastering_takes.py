from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from voicelike import speechlike, tone

from synthesis.errors import NothingToMaster, PartUnusable
from synthesis.mastering.assemble import plan_programme, stream_programme
from synthesis.mastering.levels import line_gains_db
from synthesis.mastering.takes import Part, TakeMeasure, measure_take, read_take

RATE = 24_000


def write(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> Part:
    sf.write(path, samples, rate, subtype=subtype, format="WAV")
    return Part(7, path, 0, "anna")


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def measured(loudness: float | None, seconds: float = 2.0) -> TakeMeasure:
    return TakeMeasure(RATE, 0, round(seconds * RATE), 0, 0, loudness, silent=False)


def test_silence_around_speech_goes_and_a_margin_stays(tmp_path: Path) -> None:
    part = write(tmp_path / "take.wav", np.concatenate([quiet(0.8), tone(-20, 1.0, RATE), quiet(1.2)]))
    measure = measure_take(part)
    assert measure.start == pytest.approx(0.76 * RATE, abs=RATE * 0.011)
    assert measure.stop == pytest.approx(1.85 * RATE, abs=RATE * 0.011)


def test_quiet_consonants_are_kept(tmp_path: Path) -> None:
    hiss = (np.random.default_rng(0).standard_normal(RATE // 5) * 10 ** (-55 / 20)).astype(np.float32)
    part = write(tmp_path / "take.wav", np.concatenate([quiet(0.5), hiss, tone(-12, 1.0, RATE), hiss, quiet(0.5)]))
    measure = measure_take(part)
    assert measure.start <= 0.5 * RATE
    assert measure.stop >= 1.9 * RATE


def test_a_quiet_take_is_trimmed_like_a_loud_one(tmp_path: Path) -> None:
    speech = np.concatenate([quiet(0.5), speechlike(2, RATE), quiet(0.5)])
    loud = measure_take(write(tmp_path / "loud.wav", speech))
    soft = measure_take(write(tmp_path / "soft.wav", speech * np.float32(0.25)))
    assert abs(loud.start - soft.start) <= RATE // 100
    assert abs(loud.stop - soft.stop) <= RATE // 100


def test_cut_ends_do_not_click(tmp_path: Path) -> None:
    part = write(tmp_path / "take.wav", tone(-3, 1.0, RATE, 997))
    samples = np.concatenate(list(read_take(part, measure_take(part))))
    assert abs(samples[0]) < 0.01
    assert abs(samples[-1]) < 0.01
    assert len(samples) == RATE


def test_reading_does_not_depend_on_the_block(tmp_path: Path) -> None:
    part = write(tmp_path / "take.wav", speechlike(1.5, RATE))
    measure = measure_take(part)
    whole = np.concatenate(list(read_take(part, measure)))
    assert np.array_equal(whole, np.concatenate(list(read_take(part, measure, block_ms=3))))


def test_a_silent_take_is_kept_whole_and_named(tmp_path: Path) -> None:
    part = write(tmp_path / "take.wav", quiet(1.0))
    measure = measure_take(part)
    assert (measure.start, measure.stop, measure.silent, measure.loudness_lufs) == (0, RATE, True, None)
    assert plan_programme([part], head_ms=0, tail_ms=0).warnings == ("part 7 is silent",)


def test_a_short_line_has_no_level_of_its_own(tmp_path: Path) -> None:
    assert measure_take(write(tmp_path / "a.wav", tone(-20, 0.35, RATE))).loudness_lufs is None
    assert measure_take(write(tmp_path / "b.wav", tone(-20, 0.6, RATE))).loudness_lufs == pytest.approx(-23, abs=0.6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not audio at all", "cannot be read"),
        (b"", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_not_audio(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "take.flac"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PartUnusable, match=words) as caught:
        measure_take(Part(42, path, 0, "anna"))
    assert caught.value.key == 42
    assert str(path) in str(caught.value)


def test_a_truncated_flac(tmp_path: Path) -> None:
    path = tmp_path / "take.flac"
    sf.write(path, speechlike(3, RATE), RATE, subtype="PCM_24")
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(PartUnusable):
        measure_take(Part(1, path, 0, "anna"))


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(tmp_path: Path, poison: float) -> None:
    samples = speechlike(1, RATE)
    samples[1234] = poison
    with pytest.raises(PartUnusable, match="not finite"):
        measure_take(write(tmp_path / "take.wav", samples))


def test_stereo_wrong_rate_and_empty_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PartUnusable, match="2 channels"):
        measure_take(write(tmp_path / "stereo.wav", np.zeros((100, 2), np.float32)))
    with pytest.raises(PartUnusable, match="4000 Hz"):
        measure_take(write(tmp_path / "slow.wav", np.zeros(100, np.float32), 4_000))
    with pytest.raises(PartUnusable, match="no audio"):
        measure_take(write(tmp_path / "empty.wav", np.zeros(0, np.float32)))


def test_nothing_to_master() -> None:
    with pytest.raises(NothingToMaster, match="chapter"):
        plan_programme([], head_ms=0, tail_ms=0, target="chapter")


def test_negative_times_are_refused(tmp_path: Path) -> None:
    part = write(tmp_path / "take.wav", tone(-20, 1, RATE))
    with pytest.raises(ValueError, match="0 ms or more"):
        plan_programme([part], head_ms=-1, tail_ms=0)


def test_voices_meet_and_lines_keep_half_their_difference() -> None:
    measures = [measured(-20), measured(-24), measured(-22), measured(-26), measured(-24), measured(-25)]
    gains = line_gains_db(measures, ["a", "a", "a", "b", "b", "b"])
    heard = [measure.loudness_lufs + gain for measure, gain in zip(measures, gains, strict=True)]
    assert heard[0] - heard[1] == pytest.approx(2.0)
    assert np.median(heard[:3]) == pytest.approx(np.median(heard[3:]))


def test_no_line_moves_more_than_six_decibels() -> None:
    gains = line_gains_db([measured(-10), measured(-40), measured(-60)], ["a", "b", "c"])
    assert gains == [-6.0, 0.0, 6.0]


def test_short_lines_inherit_and_unknown_voices_stay() -> None:
    measures = [measured(-20), measured(-26, seconds=9), measured(None), measured(None)]
    gains = line_gains_db(measures, ["a", "b", "a", "c"])
    assert gains == [-6.0, 0.0, -6.0, 0.0]
    assert line_gains_db([measured(None)], ["a"]) == [0.0]


def test_a_programme_of_several_rates_keeps_time(tmp_path: Path) -> None:
    parts = []
    for key, rate in enumerate((16_000, 22_050, 32_000, 44_100, 48_000)):
        path = tmp_path / f"{rate}.wav"
        sf.write(path, tone(-20, 1.0, rate), rate)
        parts.append(Part(key, path, 100, "anna"))
    plan = plan_programme(parts, head_ms=0, tail_ms=0)
    assert [offset.samples for offset in plan.offsets] == [48_000] * 5
    programme = np.concatenate(list(stream_programme(plan)))
    assert len(programme) == plan.samples == 5 * (48_000 + 4_800)
    for offset in plan.offsets:
        spoken = programme[offset.start + 4_800 : offset.start + 43_200]
        assert np.sqrt(np.mean(spoken**2)) == pytest.approx(0.1 / np.sqrt(2), rel=0.02)
        assert not programme[offset.start + offset.samples : offset.start + offset.samples + offset.pause].any()
