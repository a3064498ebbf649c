from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import hilbert, lfilter
from voicelike import speechlike

from synthesis.watermark import Embedder, detect, embed

KEY = b"title key"
SOUND = speechlike(3.0, 48_000, seed=1)
WHOLE = embed(SOUND, KEY, 42, 48_000)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 40_000), max_size=12))
def test_output_does_not_depend_on_how_the_input_is_cut(sizes: list[int]) -> None:
    embedder = Embedder(KEY, 42, 48_000)
    cuts = np.cumsum(sizes)
    parts = [embedder.process(block) for block in np.split(SOUND, cuts[cuts < len(SOUND)])]
    parts.append(embedder.flush())
    joined = np.concatenate(parts)
    assert joined.dtype == np.float32
    np.testing.assert_allclose(joined, WHOLE, atol=1e-6)


@pytest.mark.parametrize("samples", [0, 1, 767, 768, 769, 1536, 5000])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_length_is_kept(samples: int, rate: int) -> None:
    assert len(embed(SOUND[:samples], KEY, 1, rate)) == samples


def test_strength_zero_returns_the_input_and_silence_stays_silent() -> None:
    np.testing.assert_array_equal(embed(SOUND, KEY, 42, 48_000, 0.0), SOUND)
    silence = np.zeros(100_000, np.float32)
    np.testing.assert_array_equal(embed(silence, KEY, 42, 48_000), silence)
    half = np.concatenate((SOUND, np.zeros(48_000, np.float32)))
    assert not embed(half, KEY, 42, 48_000)[len(SOUND) + 1536 :].any()


def test_what_is_added_is_small_smooth_and_inside_the_band() -> None:
    noise = np.random.default_rng(0).standard_normal(48_000 * 8).astype(np.float32) * 0.1
    added = (embed(noise, KEY, 42, 48_000, 1.5) - noise)[1536:-1536]
    ratio = 10 * np.log10(np.mean(added**2) / np.mean(noise**2) * 24_000 / (6062.5 - 312.5))
    assert -16.5 < ratio < -14.5  # 1.5 dB up or down is 0.17 of the amplitude within the bands
    spectrum = np.abs(np.fft.rfft(added)) ** 2
    hertz = np.fft.rfftfreq(len(added), 1 / 48_000)
    inside = (hertz > 250) & (hertz < 6125)
    assert spectrum[~inside].sum() < 0.005 * spectrum.sum()
    steady = np.sin(2 * np.pi * 1000 * np.arange(96_000) / 48_000).astype(np.float32)
    marked = embed(steady, KEY, 42, 48_000, 1.5)
    envelope = np.abs(hilbert(marked))[4800:-4800]
    assert envelope.max() < 10 ** (1.5 / 20) * 1.15  # neighbouring bands add up a little, never to a click
    treble = np.abs(hilbert(lfilter([1, -2, 1], 1, marked - steady)))[4800:-4800]
    assert treble.max() < 0.02


@pytest.mark.parametrize(
    ("rate", "payload"), [(16_000, 0), (24_000, 1), (32_000, 2**32 - 1), (44_100, 0xDEADBEEF), (48_000, 0x12345678)]
)
def test_found_at_every_rate(rate: int, payload: int) -> None:
    sound = speechlike(20.0, rate, seed=2)
    assert detect(embed(sound, KEY, payload, rate), rate, [KEY]).payload == payload


def test_a_rate_whose_hop_is_no_whole_number_does_not_drift_away() -> None:
    sound = np.tile(speechlike(20.0, 44_100, seed=2), 30)
    late = embed(sound, KEY, 5, 44_100)[580 * 44_100 :]
    found = detect(late, 44_100, [KEY])
    assert found.payload == 5
    assert found.speed == 1.0
    assert found.offset_s == pytest.approx(580 % 32.768, abs=0.035)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((b"", 1, 48_000), "key"),
        ((KEY, 2**32, 48_000), "payload"),
        ((KEY, -1, 48_000), "payload"),
        ((KEY, 1, 8_000), "16000 Hz"),
        ((KEY, 1, 48_000, -0.1), "strength"),
        ((KEY, 1, 48_000, float("nan")), "strength"),
    ],
)
def test_what_cannot_be_marked_is_refused(arguments: tuple[bytes, int, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Embedder(*arguments)
