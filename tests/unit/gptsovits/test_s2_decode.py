from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_s2 import tiny_model, tiny_request, tiny_style

from synthesis.gptsovits.errors import BadInput
from synthesis.gptsovits.s2.batching import SPREAD, buckets

MODEL = tiny_model()
PER_FRAME = 20
CLOSE = {"atol": 2e-5, "rtol": 0}


def lines():
    """Requests of unlike length, pace and noise; new generators at each call."""
    shapes = [(9, 7), (30, 3), (10, 21), (9, 7), (1, 1), (28, 12), (31, 5)]
    requests = [tiny_request(MODEL, codes, phonemes, seed) for seed, (codes, phonemes) in enumerate(shapes)]
    requests.append(tiny_request(MODEL, 29, 9, 50, speed=1.3))
    requests.append(tiny_request(MODEL, 29, 9, 51, speed=0.7, noise_scale=1.0))
    return requests


def test_lines_together_are_lines_alone():
    together = MODEL.decode_many(lines())
    for one, alone in zip(together, lines(), strict=True):
        torch.testing.assert_close(one, MODEL.decode_many([alone])[0], **CLOSE)


def test_company_and_order_do_not_matter():
    forwards, backwards = MODEL.decode_many(lines()), MODEL.decode_many(lines()[::-1])[::-1]
    for one, other in zip(forwards, backwards, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


@pytest.mark.parametrize("version", ["v2", "v2Pro"])
def test_samples_follow_codes_and_pace(version):
    model = tiny_model(version)
    for speed, frames in [(1.0, 18), (1.25, 15), (2.0, 10), (0.5, 37)]:
        samples = model.decode_many([tiny_request(model, 9, speed=speed)])[0]
        assert samples.shape == (frames * PER_FRAME,)
        assert samples.dtype == torch.float32
        assert samples.abs().max() <= 1


def test_a_seed_decides_the_noise():
    first, again, other = (
        MODEL.decode_many([tiny_request(MODEL, generator=torch.Generator().manual_seed(seed))])[0] for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-3)


def test_without_noise_there_is_nothing_random_and_no_number_is_drawn():
    generator = torch.Generator().manual_seed(1)
    state = generator.get_state()
    one = MODEL.decode_many([tiny_request(MODEL, noise_scale=0, generator=generator)])[0]
    other = MODEL.decode_many([tiny_request(MODEL, noise_scale=0, generator=None)])[0]
    assert torch.equal(one, other)
    assert torch.equal(generator.get_state(), state)


def test_without_a_generator_the_noise_is_fresh_and_the_global_one_untouched():
    state = torch.get_rng_state()
    one, other = (MODEL.decode_many([tiny_request(MODEL, generator=None)])[0] for _ in range(2))
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_share_a_model():
    alone = [MODEL.decode_many([request])[0] for request in lines()]
    with ThreadPoolExecutor(4) as pool:
        shared = list(pool.map(lambda request: MODEL.decode_many([request])[0], lines()))
    for one, other in zip(shared, alone, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


def test_every_input_counts():
    base = tiny_request(MODEL, noise_scale=0)
    audio = MODEL.decode_many([base])[0]
    changed = [
        replace(base, codes=(base.codes + 1) % 40),
        replace(base, phonemes=(base.phonemes + 1) % 30),
        replace(base, style=tiny_style(MODEL, 9)),
    ]
    for samples in MODEL.decode_many(changed):
        assert (samples - audio).abs().max() > 1e-4


def test_nothing_to_decode_is_nothing():
    assert MODEL.decode_many([]) == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions_work_by_construction(dtype):
    model = tiny_model("v2Pro", dtype=dtype)
    samples = model.decode_many([tiny_request(model, 9, noise_scale=0), tiny_request(model, 8, seed=1, speed=1.1)])
    reference = tiny_model("v2Pro")
    expected = reference.decode_many([tiny_request(reference, 9, noise_scale=0)])[0]
    assert all(line.dtype == torch.float32 and line.isfinite().all() for line in samples)
    assert (samples[0] - expected).abs().max() < 0.1


@pytest.mark.parametrize(
    "changes, quantity",
    [
        ({"codes": torch.tensor([0, 40])}, "codes"),
        ({"codes": torch.tensor([-1])}, "codes"),
        ({"codes": torch.tensor([], dtype=torch.int64)}, "codes"),
        ({"codes": torch.tensor([1.0])}, "codes"),
        ({"codes": torch.tensor([[1]])}, "codes"),
        ({"phonemes": torch.tensor([30])}, "phonemes"),
        ({"phonemes": torch.tensor([], dtype=torch.int64)}, "phonemes"),
        ({"speed": 0.0}, "speed"),
        ({"speed": float("nan")}, "speed"),
        ({"noise_scale": -0.1}, "noise_scale"),
        ({"noise_scale": float("inf")}, "noise_scale"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_decoded(changes, quantity):
    good = tiny_request(MODEL)
    state = good.generator.get_state()
    with pytest.raises(BadInput) as caught:
        MODEL.decode_many([good, replace(tiny_request(MODEL), **changes)])
    assert caught.value.quantity == quantity
    assert torch.equal(good.generator.get_state(), state)


def test_a_style_of_another_model_is_refused():
    other = tiny_model("v2")
    style = tiny_style(other)
    with pytest.raises(BadInput, match="style"):
        MODEL.decode_many([tiny_request(MODEL, style=type(style)(style.ge[:5], style.fusion))])


@given(st.lists(st.integers(1, 500), max_size=40), st.integers(1, 8), st.integers(1, 10**6))
def test_buckets_hold_every_line_once_and_keep_their_bounds(lengths, most, area):
    found = buckets(lengths, most, area)
    assert sorted(index for bucket in found for index in bucket) == list(range(len(lengths)))
    for bucket in found:
        members = [lengths[index] for index in bucket]
        assert len(members) <= most
        assert max(members) <= SPREAD * min(members)
        assert len(members) == 1 or max(members) ** 2 * len(members) <= area
