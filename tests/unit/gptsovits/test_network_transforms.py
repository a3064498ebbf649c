"""Spectrograms and filter banks: frames, silence, level, and what is too short."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from synthesis.gptsovits.errors import BadInput
from synthesis.gptsovits.networks.fbank import fbank
from synthesis.gptsovits.networks.spectrogram import mel_v3, mel_v4, slaney_bands, spectrogram


def tone(hz: float, rate: int, seconds: float = 1.0) -> torch.Tensor:
    return torch.sin(2 * math.pi * hz * torch.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("samples", [705, 1279, 1280, 32000, 32639])
def test_a_wave_has_one_frame_for_every_640_samples(samples: int) -> None:
    assert spectrogram(torch.zeros(samples)).shape == (1025, samples // 640)


def test_silence_is_the_root_of_the_floor() -> None:
    assert torch.allclose(spectrogram(torch.zeros(6400)), torch.tensor(1e-4))


def test_a_tone_stands_in_its_bin() -> None:
    spectrum = spectrogram(tone(1000, 32000))
    assert set(spectrum[:, 5:-5].argmax(0).tolist()) == {64}  # 1000 Hz / (32000 Hz / 2048)


def test_magnitudes_scale_with_the_wave() -> None:
    wave = tone(440, 32000)
    assert torch.allclose(spectrogram(0.5 * wave)[28], 0.5 * spectrogram(wave)[28], rtol=1e-4)


@pytest.mark.parametrize(("mel", "rate", "hop"), [(mel_v3, 24000, 256), (mel_v4, 32000, 320)])
def test_mels_have_100_bands_and_a_floor(mel: object, rate: int, hop: int) -> None:
    assert callable(mel)
    assert mel(torch.randn(rate)).shape == (100, rate // hop)
    assert torch.allclose(mel(torch.zeros(rate)), torch.tensor(math.log(1e-5)))


def test_mel_bands_have_equal_area_and_cover_the_spectrum() -> None:
    bands = slaney_bands(24000, 1024, 100)
    assert bands.shape == (100, 513)
    width_hz = 24000 / 1024
    assert np.allclose(bands[70:].sum(1) * width_hz, 1.0, atol=0.02)
    assert (bands[:, 1:-1].sum(0) > 0).all()


@pytest.mark.parametrize("wave", [torch.zeros(704), torch.zeros(0), torch.zeros(2, 32000)])
def test_a_wave_that_is_too_short_or_has_channels_is_refused(wave: torch.Tensor) -> None:
    with pytest.raises(BadInput):
        spectrogram(wave)


@pytest.mark.parametrize(("samples", "frames"), [(400, 1), (559, 1), (560, 2), (16000, 98)])
def test_filter_bank_frames_lie_inside_the_wave(samples: int, frames: int) -> None:
    assert fbank(torch.randn(samples)).shape == (frames, 80)


def test_filter_bank_ignores_an_offset_and_shifts_with_the_level() -> None:
    wave = tone(300, 16000) + 0.1 * torch.randn(16000, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(fbank(wave), fbank(wave + 0.25), atol=1e-3)
    assert torch.allclose(fbank(2 * wave), fbank(wave) + math.log(4), atol=1e-3)


def test_filter_bank_of_silence_is_the_smallest_number() -> None:
    assert torch.allclose(fbank(torch.zeros(800)), torch.tensor(math.log(torch.finfo(torch.float32).eps)))


def test_filter_bank_of_a_click_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(BadInput, match="at least 400 samples"):
        fbank(torch.zeros(399))
