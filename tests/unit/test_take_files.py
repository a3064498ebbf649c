from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from synthesis.audio import Audio, Samples
from synthesis.errors import AudioUnreadable, EncodeError
from synthesis.qc.clips import MAX_CLIP_S, export_take, import_clip
from synthesis.qc.takes import FULL_SCALE, read_take, take_to_bytes


def tone(seconds: float = 1.0, rate: int = 24_000, amplitude: float = 0.3) -> Audio:
    time = np.arange(round(seconds * rate)) / rate
    return Audio((amplitude * np.sin(2 * np.pi * 440 * time)).astype(np.float32), rate)


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 32_000, 48_000])
@pytest.mark.parametrize("count", [1, 50, 24_000])
def test_a_take_survives_to_the_24th_bit(rate: int, count: int) -> None:
    samples = np.random.default_rng(count).uniform(-0.9, 0.9, count).astype(np.float32)
    back = read_take(take_to_bytes(Audio(samples, rate)))
    assert back.sample_rate == rate
    assert back.samples.dtype == np.float32
    assert np.allclose(back.samples, samples, rtol=0, atol=2**-23)


def test_a_take_is_a_mono_flac_of_24_bits_and_the_same_bytes_every_time(tmp_path: Path) -> None:
    data = take_to_bytes(tone())
    path = tmp_path / "take.flac"
    path.write_bytes(data)
    info = soundfile.info(str(path))
    assert (info.format, info.subtype, info.channels) == ("FLAC", "PCM_24", 1)
    assert take_to_bytes(tone()) == data
    assert np.array_equal(read_take(path).samples, read_take(data).samples)


def test_a_peak_over_full_scale_is_scaled_down_not_clipped() -> None:
    loud = tone(amplitude=2.0)
    back = read_take(take_to_bytes(loud)).samples
    assert float(np.abs(back).max()) == pytest.approx(FULL_SCALE, abs=1e-6)
    assert np.allclose(back, loud.samples * (FULL_SCALE / np.abs(loud.samples).max()), atol=1e-6)


def test_silence_is_a_take() -> None:
    assert not read_take(take_to_bytes(Audio(np.zeros(100, np.float32), 24_000))).samples.any()


@pytest.mark.parametrize("bad", [[], [0.1, np.nan], [np.inf, 0.1]])
def test_what_is_not_audio_cannot_be_stored(bad: list[float]) -> None:
    with pytest.raises(EncodeError):
        take_to_bytes(Audio(np.array(bad, np.float32), 24_000))


@pytest.mark.parametrize("keep", [0, 3, 40, 500, -200])
def test_a_truncated_take_is_unreadable(keep: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20_000).astype(np.float32)
    path = tmp_path / "cut.flac"
    path.write_bytes(take_to_bytes(Audio(noise, 24_000))[:keep])
    with pytest.raises(AudioUnreadable, match=r"cut\.flac"):
        read_take(path)


def test_a_missing_and_a_stereo_take_are_unreadable(tmp_path: Path) -> None:
    with pytest.raises(AudioUnreadable):
        read_take(tmp_path / "none.flac")
    stereo = tmp_path / "stereo.flac"
    soundfile.write(str(stereo), np.zeros((100, 2), np.float32), 24_000)
    with pytest.raises(AudioUnreadable, match="mono"):
        read_take(stereo)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "m4a"])
def test_a_take_goes_out_and_comes_back_in_any_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"take.{suffix}"
    export_take(tone(), path)
    back = import_clip(path)
    assert back.duration_ms == pytest.approx(1000, abs=60)
    assert rms(back.samples) == pytest.approx(rms(tone().samples), rel=0.1)


def test_export_does_not_need_ffmpeg_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    export_take(tone(), tmp_path / "take.mp3")
    assert import_clip(tmp_path / "take.mp3").sample_rate == 24_000


def test_export_scales_a_loud_take_down(tmp_path: Path) -> None:
    export_take(tone(amplitude=3.0), tmp_path / "loud.wav")
    assert float(np.abs(import_clip(tmp_path / "loud.wav").samples).max()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ["take.nonsense", "take", "missing/take.mp3"])
def test_export_to_an_impossible_name_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    with pytest.raises(EncodeError):
        export_take(tone(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_export_refuses_what_is_not_audio(tmp_path: Path) -> None:
    for samples in ([], [np.nan, 0.0]):
        with pytest.raises(EncodeError):
            export_take(Audio(np.array(samples, np.float32), 24_000), tmp_path / "take.wav")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8", "FLOAT"])
def test_stereo_clips_of_any_width_become_mono(subtype: str, tmp_path: Path) -> None:
    left = tone(0.5, 44_100).samples
    path = tmp_path / "clip.wav"
    soundfile.write(str(path), np.stack([left, np.zeros_like(left)], axis=1), 44_100, subtype=subtype)
    clip = import_clip(path)
    assert (clip.sample_rate, len(clip.samples)) == (44_100, len(left))
    assert np.allclose(clip.samples, left / 2, atol=0.01)


def test_clips_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    text = tmp_path / "text.mp3"
    text.write_text("no audio at all")
    long = tmp_path / "long.wav"
    soundfile.write(str(long), np.zeros((MAX_CLIP_S + 5) * 8_000, np.float32), 8_000)
    empty = tmp_path / "empty.wav"
    soundfile.write(str(empty), np.zeros(0, np.float32), 8_000)
    reasons = {tmp_path / "none.wav": "no such", text: "Invalid data", long: "longer than", empty: "no samples"}
    for path, reason in reasons.items():
        with pytest.raises(AudioUnreadable, match=reason) as caught:
            import_clip(path)
        assert path.name in str(caught.value)
