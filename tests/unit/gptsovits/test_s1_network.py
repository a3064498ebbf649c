"""The parts of the decoder: products, masks, cache, embeddings."""

from __future__ import annotations

from math import cos, sin

import pytest
import torch

from synthesis.gptsovits.checkpoints.s1_layout import entries
from synthesis.gptsovits.errors import BadInput
from synthesis.gptsovits.s1 import S1Model
from synthesis.gptsovits.s1 import model as model_module
from synthesis.gptsovits.s1.attention import WORTH_A_CALL, Run, attend, mask_for, reach_for, runs_for
from synthesis.gptsovits.s1.cache import GROWTH, KvCache
from synthesis.gptsovits.s1.embedding import sines
from synthesis.gptsovits.s1.linear import build, even_rows, has_fbgemm
from synthesis.gptsovits.s1.model import Prefix
from synthesis.parity.s1 import from_salt

WIDE = dict(entries(64, 2, 40, 1025))
TEXT, PROMPT = torch.arange(20), torch.arange(100, 130)
needs_fbgemm = pytest.mark.skipif(not has_fbgemm(), reason="torch has no FBGEMM on this processor")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def weights(out: int = 96, into: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(out)
    half = torch.randn(out, into, generator=made).div(into**0.5).half().float()
    return half, torch.randn(out, generator=made)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("exact", [False, True])
def test_products_are_those_of_float32(relu, exact):
    weight, bias = weights()
    weight = weight if exact else weight * 1.0001
    x = torch.randn(5, 64)
    wanted = (x.double() @ weight.double().T + bias.double()).float()
    found = build(weight, bias, relu=relu)(x)
    assert torch.allclose(found, wanted.relu() if relu else wanted, atol=5e-6)


@pytest.mark.parametrize(("quantise", "tolerance"), [pytest.param("int8", 0.03, marks=needs_fbgemm), ("bf16", 0.02)])
def test_approximate_products_stay_near(quantise, tolerance):
    weight, bias = weights()
    x = torch.randn(5, 64) * torch.tensor([[1.0], [100.0], [0.01], [0.0], [1.0]])  # rows share no scale
    wanted = x @ weight.T
    found = build(weight, bias, quantise=quantise)(x) - bias
    spread = wanted.std(dim=1, keepdim=True).clamp(min=1e-6)
    # bf16 adds the bias in float32: what is left of a small row after subtracting it is exact to 1e-6
    assert float((((found - wanted).abs() - 1e-6).clamp(min=0) / spread).max()) < tolerance * 3


@needs_fbgemm
@pytest.mark.parametrize("quantise", [None, "int8"])
def test_a_row_has_the_same_bits_among_any_number_of_rows(quantise):
    product = build(*weights(), quantise=quantise)
    x = torch.randn(132, 64)
    alone = torch.cat([product(x[row : row + 1].repeat(4, 1))[:1] for row in range(132)])
    for rows in sorted({even_rows(count) for count in range(1, 130)}):
        assert torch.equal(product(x[:rows].contiguous()), alone[:rows])


def test_row_counts_are_never_smaller():
    assert all(count <= even_rows(count) < count + 12 for count in range(1, 200))


def test_approximations_are_for_float32_only():
    weight, bias = weights()
    with pytest.raises(BadInput):
        build(weight.half(), bias.half(), quantise="bf16")


def test_attention_sees_its_own_positions_only():
    pairs = torch.randn(2, 3, 4, 128, 8)
    query, positions = torch.randn(3, 4, 8), torch.tensor([5, 60, 0])
    out = torch.zeros(3, 32)
    attend(query, pairs, mask_for(positions, reach_for(61), 4, torch.float32), out)
    for row, last in enumerate(positions.tolist()):
        keys, values = pairs[:, row, :, : last + 1]
        chances = (torch.einsum("hw,htw->ht", query[row], keys) / 8**0.5).softmax(1)
        assert torch.allclose(out[row], torch.einsum("ht,htw->hw", chances, values).flatten(), atol=1e-5)


def test_lines_are_read_together_where_that_is_cheaper():
    assert runs_for([70], 1024) == [Run(0, 1, 96)]
    assert runs_for([150, 160, 170, 140], 1024) == [Run(0, 4, 192)]
    assert runs_for([600, 150, 150, 600, 600], 1024) == [Run(0, 1, 608), Run(1, 3, 160), Run(3, 5, 608)]
    assert runs_for([1024, 1000], 1010) == [Run(0, 2, 1010)]
    used = torch.randint(1, 2000, (50,), generator=torch.Generator().manual_seed(3)).tolist()
    runs = runs_for(used, 2048)
    assert [slot for run in runs for slot in range(run.first, run.end)] == list(range(50))
    assert all(run.reach >= max(used[run.first : run.end]) for run in runs)
    wasted = sum(run.reach - reach_for(used[slot]) for run in runs for slot in range(run.first, run.end))
    assert wasted <= WORTH_A_CALL * 50


def test_the_cache_grows_and_keeps_what_it_holds():
    cache = KvCache(
        layers=2, slots=2, heads=2, head_width=4, positions=600, device=torch.device("cpu"), dtype=torch.float32
    )
    pairs = torch.randn(10, 2, 2, 4)
    cache.fill(1, 1, pairs)
    cache.reserve(GROWTH + 1)
    assert cache.capacity == 2 * GROWTH
    assert torch.equal(cache.layers[1][:, 1, :, :10], pairs.permute(1, 2, 0, 3))
    cache.reserve(600)
    assert cache.capacity == 600
    cache.move(1, 0, 10)
    assert torch.equal(cache.layers[1][:, 0, :, :10], pairs.permute(1, 2, 0, 3))


def test_sines_alternate_with_cosines():
    table = sines(8, 50)
    assert table[0].tolist() == [0, 1] * 4
    assert table[7, :4].tolist() == pytest.approx([sin(7), cos(7), sin(0.7), cos(0.7)], abs=1e-5)


def test_no_features_are_zeros_with_the_bias():
    model = S1Model.from_checkpoint(from_salt("zeros", WIDE))
    without = model.text_embedding(TEXT, None)
    assert torch.allclose(without, model.text_embedding(TEXT, torch.zeros(1024, 20)), atol=1e-6)


def test_a_step_continues_as_a_prefill_would():
    model = S1Model.from_checkpoint(from_salt("continue", WIDE))
    cache = model.new_cache(1, 256)
    model.prefill(TEXT, None, PROMPT, cache, 0)
    for code in range(40, 44):
        stepped = model.extend(code, 30 + code - 40, 50 + code - 40, cache)
    whole = model.prefill(TEXT, None, torch.cat((PROMPT, torch.arange(40, 44))), model.new_cache(1, 256), 0)
    assert torch.allclose(stepped, whole, atol=1e-4)


def test_prefixes_read_together_are_those_read_alone(monkeypatch):
    monkeypatch.setattr(model_module, "ROWS_AT_ONCE", 100)  # several passes, one of them too long for it
    model = S1Model.from_checkpoint(from_salt("together", WIDE))
    made = torch.Generator().manual_seed(1)
    prefixes = [
        Prefix(
            torch.randint(40, (phonemes,), generator=made),
            torch.randn(1024, phonemes, generator=made) if slot % 2 else None,
            torch.randint(1024, (prompt,), generator=made),
            slot,
        )
        for slot, (phonemes, prompt) in enumerate([(20, 30), (1, 0), (7, 1), (90, 60), (3, 40), (50, 0)])
    ]
    shared, single = model.new_cache(6, 256), model.new_cache(6, 256)
    together = model.prefill_all(prefixes, shared)
    for prefix, logits in zip(prefixes, together, strict=True):
        alone = model.prefill(prefix.phonemes, prefix.bert, prefix.prompt, single, prefix.slot)
        assert torch.equal(logits, alone)
    for left, right in zip(shared.layers, single.layers, strict=True):
        assert torch.equal(left, right)


def test_the_text_is_read_in_both_directions_and_the_prompt_is_not():
    model = S1Model.from_checkpoint(from_salt("directions", WIDE))

    def first_keys(text: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        cache = model.new_cache(1, 256)
        model.prefill(text, None, prompt, cache, 0)
        return cache.layers[1][:, 0]  # [2, heads, capacity, head width]: of the second layer, so after attention

    plain = first_keys(TEXT, PROMPT)
    last_phoneme = torch.cat((TEXT[:-1], TEXT[:1]))
    last_code = torch.cat((PROMPT[:-1], PROMPT[:1]))
    assert not torch.equal(first_keys(last_phoneme, PROMPT)[:, :, 0], plain[:, :, 0])
    assert torch.equal(first_keys(TEXT, last_code)[:, :, :49], plain[:, :, :49])


@pytest.mark.parametrize(("quantise", "tolerance"), [pytest.param("int8", 0.15, marks=needs_fbgemm), ("bf16", 0.15)])
def test_approximate_models_have_logits_near_those_of_the_exact_one(quantise, tolerance):
    checkpoint = from_salt("near", WIDE)
    logits = []
    for how in (None, quantise):
        model = S1Model.from_checkpoint(checkpoint, quantise=how)
        logits.append(model.prefill(TEXT, None, PROMPT, model.new_cache(1, 256), 0))
    exact, near = logits
    assert float((exact - near).std() / exact.std()) < tolerance
