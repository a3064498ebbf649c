"""Continuous batching: lines come and go, and none of them notices the others."""

from __future__ import annotations

import random

import pytest
import torch

from synthesis.gptsovits.checkpoints import S1Checkpoint
from synthesis.gptsovits.errors import BadConfig, BadInput, WrongShape, WrongTensors
from synthesis.gptsovits.s1 import S1Batch, S1Model, S1Request, S1Result, Sampling
from synthesis.gptsovits.s1.attention import Run
from synthesis.gptsovits.s1.noise import STEPS
from synthesis.parity.s1 import from_salt

PHONEMES, CODES = 40, 1025


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def checkpoint() -> S1Checkpoint:
    from synthesis.gptsovits.checkpoints.s1_layout import entries

    return from_salt("batch", dict(entries(32, 2, PHONEMES, CODES)))


@pytest.fixture(scope="module")
def model(checkpoint) -> S1Model:
    return S1Model.from_checkpoint(checkpoint)


def request(seed: int, *, codes: int = 40, prompt: int | None = None, **sampling: float) -> S1Request:
    made = torch.Generator().manual_seed(seed)
    phonemes = torch.randint(PHONEMES, (5 + seed % 17,), generator=made)
    bert = torch.randn(1024, phonemes.numel(), generator=made) if seed % 2 else None
    prompt = seed * 7 % 30 if prompt is None else prompt
    return S1Request(
        phonemes, bert, torch.randint(CODES - 1, (prompt,), generator=made), seed, Sampling(**sampling), codes
    )


def decode(
    batch: S1Batch, requests: dict[int, S1Request], arrivals: random.Random | None = None
) -> dict[int, S1Result]:
    waiting, done = list(requests.items()), {}
    while waiting or batch.in_flight:
        while waiting and batch.free and (arrivals is None or not batch.in_flight or arrivals.random() < 0.2):
            batch.admit(*waiting.pop(0))
        done.update(batch.step())
    return done


def alone(model: S1Model, line: S1Request) -> S1Result:
    return decode(S1Batch(model, slots=1), {0: line})[0]


def assert_same(left: S1Result, right: S1Result) -> None:
    assert left.codes.tolist() == right.codes.tolist()
    assert (left.stopped, left.steps) == (right.stopped, right.steps)


@pytest.mark.parametrize("slots", [2, 3, 8])
def test_a_line_has_the_same_codes_in_any_company(model, slots):
    settings = [{}, {"top_p": 0.7}, {"temperature": 1.4, "top_k": 60}, {"top_k": 1}, {"repetition_penalty": 1.0}]
    lines = {seed: request(seed, codes=10 + seed * 13 % 50, **settings[seed % 5]) for seed in range(8)}
    expected = {key: alone(model, line) for key, line in lines.items()}
    found = decode(S1Batch(model, slots=slots), lines, random.Random(slots))
    assert found.keys() == expected.keys()
    for key in lines:
        assert_same(found[key], expected[key])


def test_company_does_not_change_a_bit_of_the_logits(model):
    line = request(3, codes=50)
    single, shared = S1Batch(model, slots=2), S1Batch(model, slots=6)
    for key in range(1, 6):
        shared.admit(key, request(20 + key, prompt=40 * key))
    for batch in (single, shared):
        batch.admit(0, line)
    for _ in range(40):
        single.step()
        shared.step()
        slot = next(slot for slot, held in shared._lines.items() if held.key == 0)
        assert torch.equal(single._lanes.logits[0], shared._lanes.logits[slot])


def test_other_seeds_give_other_codes(model):
    lines = [S1Request(r.phonemes, r.bert, r.prompt, seed, r.sampling, 30) for r in [request(1)] for seed in range(4)]
    assert len({tuple(alone(model, line).codes.tolist()) for line in lines}) == 4


def test_global_randomness_is_neither_used_nor_disturbed(model):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = alone(model, request(5))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert_same(alone(model, request(5)), first)


def test_nothing_of_a_long_line_is_left_for_the_next_in_its_slot(model):
    batch = S1Batch(model, slots=1)
    decode(batch, {0: request(7, codes=300, prompt=200)})
    for layer in batch._cache.layers:
        layer.mul_(50)  # whatever is left there would be heard
    assert_same(decode(batch, {1: request(2)})[1], alone(model, request(2)))


def test_a_cancelled_line_frees_its_slot_and_disturbs_nobody(model):
    batch = S1Batch(model, slots=2)
    batch.admit(1, request(1))
    batch.admit(2, request(2))
    for _ in range(7):
        batch.step()
    assert batch.cancel(1)
    assert not batch.cancel(1)
    assert (batch.free, batch.in_flight) == (1, 1)
    done = decode(batch, {3: request(3)})
    assert done.keys() == {2, 3}
    assert_same(done[2], alone(model, request(2)))
    assert_same(done[3], alone(model, request(3)))


def test_a_cancelled_key_can_be_used_again(model):
    batch = S1Batch(model, slots=1)
    batch.admit(1, request(4))
    batch.step()
    batch.cancel(1)
    assert_same(decode(batch, {1: request(5)})[1], alone(model, request(5)))


@pytest.mark.parametrize(("codes", "early", "expected"), [(1, None, 1), (8, None, 8), (8, 3, 3), (3, 8, 3)])
def test_a_line_is_cut_off_at_its_limit(model, codes, early, expected):
    line = request(2, codes=codes)
    result = alone(model, S1Request(line.phonemes, line.bert, line.prompt, 2, line.sampling, codes, early))
    assert (result.codes.numel(), result.stopped, result.steps) == (expected, "limit", expected)
    assert_same_start = alone(model, request(2)).codes[:expected]
    assert result.codes.tolist() == assert_same_start.tolist()


def test_a_line_that_outgrows_its_slot_is_cut_off(model):
    line = request(2, codes=1500, prompt=0, top_k=1000, temperature=50)
    batch = S1Batch(model, slots=1, positions=line.prefix + 9)
    assert decode(batch, {0: line})[0].codes.numel() == 10
    assert decode(batch, {0: line})[0].stopped == "limit"


def test_the_last_position_can_hold_a_line_beside_a_longer_one(model):
    line = request(2, codes=1500, prompt=0, top_k=1000, temperature=50)
    batch = S1Batch(model, slots=3, positions=line.prefix + 9)
    full = S1Request(torch.zeros(line.prefix + 8, dtype=torch.int64), None, line.prompt, 1, line.sampling)
    batch.admit(0, line)
    for _ in range(3):
        batch.step()
    done = decode(batch, {1: full, 2: request(4, codes=5, prompt=0)})
    assert done[1].codes.numel() == 2
    assert_same(done[2], alone(model, request(4, codes=5, prompt=0)))


def test_no_line_stops_before_eleven_codes(model):
    hot = {"top_k": 1025, "temperature": 50.0}
    results = [alone(model, request(seed, codes=1500, **hot)) for seed in range(4)]
    assert all(result.stopped == "eos" and result.codes.numel() >= 11 for result in results)
    assert all(int(result.codes.max()) < CODES - 1 for result in results)


def test_a_line_without_a_prompt(model):
    assert alone(model, request(2, prompt=0, codes=20)).codes.numel() > 0


def test_noise_goes_on_from_block_to_block(model):
    long = alone(model, request(6, codes=STEPS * 2 + 5, top_k=1000, temperature=9.0, repetition_penalty=1.0))
    codes = long.codes.tolist()
    assert codes[:8] != codes[STEPS : STEPS + 8]


def test_memory_stays_with_the_longest_line(model):
    batch = S1Batch(model, slots=2, positions=2048)
    decode(batch, {0: request(1, prompt=250)})
    size = sum(layer.nbytes for layer in batch._cache.layers)
    decode(batch, {key: request(key) for key in range(1, 60)})
    assert sum(layer.nbytes for layer in batch._cache.layers) == size
    assert batch._cache.capacity < 600
    assert (batch.free, batch.in_flight) == (2, 0)


def test_results_do_not_hold_the_tables_of_the_batch(model):
    result = alone(model, request(2))
    assert result.codes.untyped_storage().nbytes() == result.codes.nbytes
    result.codes.add_(1)  # an ordinary tensor


def test_an_idle_batch_steps_to_nothing(model):
    assert S1Batch(model, slots=2).step() == []


@pytest.mark.parametrize(
    "bad",
    [
        {"phonemes": torch.tensor([PHONEMES])},
        {"phonemes": torch.tensor([-1])},
        {"prompt": torch.tensor([CODES - 1])},
        {"phonemes": torch.zeros(4000, dtype=torch.int64)},
    ],
)
def test_what_the_model_cannot_take_is_refused_and_takes_no_slot(model, bad):
    batch = S1Batch(model, slots=1)
    fields = {"phonemes": torch.tensor([1]), "bert": None, "prompt": torch.tensor([1]), "seed": 0} | bad
    with pytest.raises(BadInput):
        batch.admit(0, S1Request(**fields))
    assert batch.free == 1


def test_a_full_batch_and_a_key_in_flight_are_refused(model):
    batch = S1Batch(model, slots=1)
    batch.admit(0, request(1))
    with pytest.raises(BadInput, match="taken"):
        batch.admit(1, request(1))
    with pytest.raises(BadInput, match="in flight"):
        batch.admit(0, request(1))


@pytest.mark.parametrize(
    "bad",
    [
        {"phonemes": torch.zeros(0, dtype=torch.int64)},
        {"phonemes": torch.zeros(2, 2, dtype=torch.int64)},
        {"phonemes": torch.zeros(3)},
        {"prompt": torch.zeros(3, dtype=torch.int32)},
        {"bert": torch.zeros(1024, 5)},
        {"seed": -1},
        {"seed": 1 << 63},
        {"max_codes": 0},
        {"early_stop": 0},
    ],
)
def test_malformed_requests_are_refused(bad):
    fields = {"phonemes": torch.tensor([1, 2]), "bert": None, "prompt": torch.tensor([1]), "seed": 0} | bad
    with pytest.raises(BadInput):
        S1Request(**fields)


@pytest.mark.parametrize("slots_and_positions", [(0, 100), (1, 0), (1, 5000)])
def test_impossible_batches_are_refused(model, slots_and_positions):
    slots, positions = slots_and_positions
    with pytest.raises(BadInput):
        S1Batch(model, slots=slots, positions=positions)


def test_a_missing_and_a_surplus_tensor_are_named(checkpoint):
    weights = dict(checkpoint.weights)
    weights["model.extra"] = weights.pop("model.bert_proj.bias")
    with pytest.raises(WrongTensors) as caught:
        S1Model.from_checkpoint(S1Checkpoint(weights, checkpoint.config, "", PHONEMES, ""))
    assert (caught.value.missing, caught.value.surplus) == (("model.bert_proj.bias",), ("model.extra",))


def test_a_tensor_of_another_shape_and_a_bad_configuration_are_refused(checkpoint):
    weights = dict(checkpoint.weights) | {"model.bert_proj.bias": torch.zeros(31)}
    with pytest.raises(WrongShape):
        S1Model.from_checkpoint(S1Checkpoint(weights, checkpoint.config, "", PHONEMES, ""))
    with pytest.raises(BadConfig):
        S1Model.from_checkpoint(S1Checkpoint(checkpoint.weights, {"model": {}}, "", PHONEMES, ""))


def test_steps_over_all_slots_as_a_captured_graph_makes_them_give_the_same_codes(model):
    batch = S1Batch(model, slots=4, positions=128)

    def all_slots(*, reach: int, widest: int, any_top_p: bool) -> None:
        before = batch._lanes.snapshot()
        for _ in range(2):  # what capturing does first must leave no trace
            batch._lanes.advance(model, batch._cache, runs=[Run(0, 4, 128)], widest=64, any_top_p=any_top_p)
            batch._lanes.restore(before)
        batch._lanes.advance(model, batch._cache, runs=[Run(0, 4, 128)], widest=64, any_top_p=any_top_p)

    batch._cache.reserve(128)
    batch._graphed = all_slots
    lines = {seed: request(seed, codes=10 + seed * 9, prompt=seed * 3) for seed in range(6)}
    found = decode(batch, lines, random.Random(3))
    for key, line in lines.items():
        assert_same(found[key], alone(model, line))
    batch.admit(9, request(9, codes=60))  # the other slots run on without a line, to the end of the cache and further
    batch.admit(10, request(10, codes=1500, prompt=0, top_k=1000, temperature=50))
    done = {}
    while batch.in_flight:
        done.update(batch.step())
    assert_same(done[9], alone(model, request(9, codes=60)))
