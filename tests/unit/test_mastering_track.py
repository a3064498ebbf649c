from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from voicelike import speechlike, tone

from synthesis.errors import NothingToMaster, PartUnusable
from synthesis.mastering.profiles import PROFILES, check, get_profile
from synthesis.mastering.track import MasteredTrack, Part, master_track

RATE = 22_050


def make_parts(folder: Path, count: int = 8) -> list[Part]:
    parts = []
    for index in range(count):
        path = folder / f"{index}.flac"
        sf.write(path, speechlike(2.0 + index % 3, RATE, seed=index, level=0.15 + 0.05 * (index % 4)), RATE, "PCM_24")
        parts.append(Part(100 + index, path, 250 + 100 * (index % 3), f"voice {index % 2}"))
    return parts


def master(folder: Path, parts: list[Part], name: str = "audiobook", **times: int) -> MasteredTrack:
    times = {"head_ms": 500, "tail_ms": 1_500} | times
    return master_track(parts, get_profile(name), folder / f"{name}.flac", watermark=None, **times)


@pytest.mark.parametrize("name", list(PROFILES))
def test_every_profile_is_met(tmp_path: Path, name: str) -> None:
    track = master(tmp_path, make_parts(tmp_path), name)
    assert check(get_profile(name), track.measurements) == []
    assert track.measurements.warnings == []
    info = sf.info(track.path)
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("FLAC", "PCM_24", 48_000, 1)
    assert info.frames == track.samples


def test_offsets_say_where_the_parts_are(tmp_path: Path) -> None:
    parts = make_parts(tmp_path)
    track = master(tmp_path, parts)
    samples, _ = sf.read(track.path, dtype="float32")
    end = 24_000
    for part, offset in zip(parts, track.offsets, strict=True):
        assert (offset.key, offset.start, offset.pause) == (part.key, end, part.pause_ms * 48)
        assert np.abs(samples[offset.start : offset.start + offset.samples]).max() > 0.05
        end = offset.start + offset.samples + offset.pause
        assert not samples[offset.start + offset.samples : end].any()
    assert end + 72_000 == track.samples == len(samples)


def test_room_tone_only_where_the_profile_says(tmp_path: Path) -> None:
    parts = make_parts(tmp_path, 2)
    tail = sf.read(master(tmp_path, parts, "acx").path, dtype="float32")[0][-48_000:]
    assert 20 * np.log10(np.sqrt(np.mean(tail**2))) == pytest.approx(-75, abs=0.3)
    assert not sf.read(master(tmp_path, parts, "r128").path, dtype="float32")[0][-48_000:].any()


def test_the_same_parts_give_the_same_bytes(tmp_path: Path) -> None:
    parts = make_parts(tmp_path, 3)
    first = master(tmp_path, parts, "acx").path.read_bytes()
    assert master(tmp_path, parts, "acx").path.read_bytes() == first


def test_a_silent_programme_gets_no_gain_and_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    sf.write(path, np.zeros(RATE, np.float32), RATE)
    measured = master(tmp_path, [Part(1, path, 0, "anna")]).measurements
    assert (measured.gain_db, measured.loudness_lufs, measured.true_peak_dbtp) == (0, -70, -120)
    assert any("silent" in warning for warning in measured.warnings)


def test_a_programme_of_a_tenth_of_a_second(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    sf.write(path, tone(-20, 0.1, RATE), RATE)
    track = master(tmp_path, [Part(1, path, 0, "anna")], head_ms=0, tail_ms=0)
    assert track.samples == 4_800
    assert track.measurements.gain_db == 0
    assert len(track.measurements.peaks) <= 800


def test_an_unreachable_target_is_reported_not_squashed(tmp_path: Path) -> None:
    clicks = speechlike(10, RATE, level=0.02)
    clicks[RATE // 2 :: RATE // 3] = 0.9
    path = tmp_path / "clicks.wav"
    sf.write(path, clicks, RATE)
    measured = master(tmp_path, [Part(1, path, 0, "anna")], "netflix-premix").measurements
    assert measured.true_peak_dbtp <= -6.0
    (warning,) = measured.warnings
    assert "not reachable under -6 dBTP" in warning
    assert f"{measured.loudness_lufs:.2f}" in warning


def test_a_bad_part_leaves_nothing_behind(tmp_path: Path) -> None:
    parts = make_parts(tmp_path, 2)
    parts[1].path.write_bytes(b"junk")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(PartUnusable, match="part 101"):
        master(tmp_path, parts)
    assert sorted(tmp_path.iterdir()) == before


def test_progress_rises_to_one(tmp_path: Path) -> None:
    seen: list[float] = []
    parts = make_parts(tmp_path, 2)
    master_track(
        parts, get_profile("r128"), tmp_path / "t.flac", watermark=None, head_ms=0, tail_ms=0, progress=seen.append
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_the_picture_spans_the_track(tmp_path: Path) -> None:
    measured = master(tmp_path, make_parts(tmp_path)).measurements
    assert 700 < len(measured.peaks) <= 800
    assert all(low <= high for low, high in measured.peaks)
    assert max(high for _, high in measured.peaks) > 0.3


def test_a_take_of_one_sample(tmp_path: Path) -> None:
    path = tmp_path / "one.wav"
    sf.write(path, np.full(1, 0.5, np.float32), 192_000, subtype="FLOAT")
    with pytest.raises(NothingToMaster):
        master(tmp_path, [Part(1, path, 0, "anna")], head_ms=0, tail_ms=0)
    track = master(tmp_path, [Part(1, path, 0, "anna")], head_ms=1, tail_ms=0)
    assert track.samples == sf.info(track.path).frames == 48


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    parts = make_parts(tmp_path, 1)
    with pytest.raises(OSError, match="nowhere"):
        master_track(parts, get_profile("r128"), tmp_path / "nowhere" / "t.flac", watermark=None, head_ms=0, tail_ms=0)
