"""The distribution codes are drawn from, and the drawing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthesis.gptsovits.errors import BadInput
from synthesis.gptsovits.s1 import Sampling, probabilities
from synthesis.gptsovits.s1.noise import STEPS, LineNoise
from synthesis.gptsovits.s1.sampling import draw

NOTHING = torch.zeros(1, 0, dtype=torch.int64)
PLAIN = {"top_k": 4, "repetition_penalty": 1.0}


def chances(logits: list[float], previous: list[int] | None = None, **sampling: float) -> list[float]:
    heard = torch.tensor([previous]) if previous else NOTHING
    return probabilities(torch.tensor([logits]), heard, Sampling(**(PLAIN | sampling)))[0].tolist()


def test_switched_off_it_is_a_softmax():
    logits = [0.0, 1.0, 2.0, -1.0]
    assert chances(logits) == pytest.approx(torch.tensor(logits).softmax(0).tolist())


def test_the_penalty_counts_a_code_once_and_depends_on_the_sign():
    once, twice = [chances([2.0, -1.0, 0.5, 0.0], heard, repetition_penalty=2.0) for heard in ([0, 1], [0, 0, 1, 1, 0])]
    assert once == twice
    assert once == pytest.approx(torch.tensor([1.0, -2.0, 0.5, 0.0]).softmax(0).tolist())


def test_top_p_drops_the_code_that_crosses_it_but_never_the_best():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().tolist()
    assert [p > 0 for p in chances(logits, top_p=0.79)] == [True, False, False, False]
    assert [p > 0 for p in chances(logits, top_p=0.81)] == [True, True, False, False]
    assert [p > 0 for p in chances(logits, top_p=0.1)] == [True, False, False, False]


def test_top_p_looks_at_probabilities_before_the_temperature():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().tolist()
    assert [p > 0 for p in chances(logits, top_p=0.81, temperature=100.0)] == [True, True, False, False]


def test_top_k_keeps_ties_with_the_last():
    assert [p > 0 for p in chances([3.0, 2.0, 2.0, 1.0], top_k=2)] == [True, True, True, False]


def test_no_temperature_takes_the_best():
    assert chances([1.0, 1.1, 0.0, 0.0], temperature=0.0) == [0.0, 1.0, 0.0, 0.0]


def test_more_than_all_codes_is_all_codes():
    assert all(p > 0 for p in chances([3.0, 2.0, 2.0, 1.0], top_k=1000))


@given(
    st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=12),
    st.integers(1, 15),
    st.floats(0.05, 1.0),
    st.floats(0.1, 3.0),
)
def test_probabilities_sum_to_one_and_the_best_is_possible(logits, top_k, top_p, temperature):
    found = chances(logits, top_k=top_k, top_p=top_p, temperature=temperature)
    assert sum(found) == pytest.approx(1, abs=1e-5)
    assert max(found) == found[logits.index(max(logits))] > 0


def test_draws_have_the_frequencies_of_the_distribution():
    wanted = torch.tensor([0.5, 0.3, 0.15, 0.05])
    noise = LineNoise(3)
    draws = torch.cat([draw(wanted.expand(STEPS, 4), noise.next_block(4)) for _ in range(400)])
    found = torch.bincount(draws, minlength=4) / draws.numel()
    assert found.tolist() == pytest.approx(wanted.tolist(), abs=0.02)


def test_impossible_codes_are_never_drawn():
    noise = LineNoise(1)
    for _ in range(50):
        codes = draw(torch.tensor([0.0, 1e-12, 0.0, 1.0]).expand(STEPS, 4), noise.next_block(4))
        assert set(codes.tolist()) <= {1, 3}


def test_noise_is_positive_finite_and_follows_its_seed():
    block = LineNoise(9).next_block(1025)
    assert bool((block > 0).all())
    assert bool(block.isfinite().all())
    assert torch.equal(block, LineNoise(9).next_block(1025))
    assert not torch.equal(block, LineNoise(10).next_block(1025))
    assert block.mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "bad",
    [
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": float("nan")},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"repetition_penalty": 0.0},
    ],
)
def test_settings_that_mean_nothing_are_refused(bad):
    with pytest.raises(BadInput):
        Sampling(**bad)
