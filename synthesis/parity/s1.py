"""Text to codes: embeddings, logits, whole decoded lines, and the distribution codes are drawn from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from synthesis.gptsovits.checkpoints import S1Checkpoint
from synthesis.gptsovits.s1 import S1Batch, S1Model, S1Request, S1Result, Sampling, probabilities
from synthesis.parity.fill import fill
from synthesis.parity.results import Check, Result, Skip, close, equal
from synthesis.parity.vectors import Arrays, load, names, salt, shapes

LOGITS = 2e-4
"""Four times the largest difference between float32 and float64; the logits' standard deviation is 4."""
EMBEDDING = 1e-5
PROBABILITIES = 1e-6
GREEDY = Sampling(top_k=1)
FULL_HEADS, SMALL_HEADS = 16, 4
EARLY_STOP, EARLY_STOP_PROMPTFREE = 300, 60
SAMPLERS = (
    Sampling(15, 0.8, 0.7, 1.35),
    Sampling(15, 0.8, 0.7, 1.35),
    Sampling(15, 1.0, 1.0, 1.35),
    Sampling(5, 0.6, 1.0, 1.0),
    Sampling(50, 0.95, 1.3, 2.0),
    Sampling(3, 1.0, 0.5, 1.35),
)


def checks(folder: Path) -> Iterator[Result]:
    """Compare everything about s1 in a folder of vectors."""
    for name in names(folder, "s1-"):
        arrays = load(folder, name)
        if "probs0" in arrays:
            yield from sampler(name, arrays)
            continue
        salted = salt(folder, name)
        if salted is None:
            yield Skip(name, "nobody names the salt of its weights")
            continue
        yield from decoder(name, arrays, S1Model.from_checkpoint(from_salt(salted, shapes(folder, name))))


def from_salt(salted: str, table: Mapping[str, tuple[int, ...]]) -> S1Checkpoint:
    """A model of this table of shapes. The number of heads is in no shape: the full-size model has 16, others 4."""
    weights = {name: torch.from_numpy(value).half() for name, value in fill(salted, table).items()}
    codes, width = table["model.ar_predict_layer.weight"]
    layers = 1 + max(int(found[1]) for name in table if (found := re.search(r"\.layers\.(\d+)\.", name)))
    heads = FULL_HEADS if width == 512 else SMALL_HEADS
    model = {"hidden_dim": width, "n_layer": layers, "head": heads, "vocab_size": codes}
    rows = table["model.ar_text_embedding.word_embeddings.weight"][0]
    return S1Checkpoint(weights, {"model": model}, "", rows, "")


def sampler(name: str, arrays: Arrays) -> Iterator[Check]:
    """Distributions: which codes are possible, exactly, and how likely they are."""
    for index, sampling in enumerate(SAMPLERS):
        if f"probs{index}" not in arrays:
            continue
        logits, previous = (torch.from_numpy(arrays[f"{key}{index}"]) for key in ("logits", "previous"))
        ours = probabilities(logits, previous, sampling).numpy()
        theirs = arrays[f"probs{index}"]
        yield equal(name, f"probs{index}, possible codes", ours > 0, theirs > 0)
        yield close(name, f"probs{index}", ours, theirs, PROBABILITIES)


def decoder(name: str, arrays: Arrays, model: S1Model) -> Iterator[Check]:
    """Embeddings, logits and decoded codes, alone and in company."""
    lines = _requests(arrays)
    embedded = [model.text_embedding(line.phonemes, line.bert) for line in lines]
    yield close(name, "text_embedding", torch.cat(embedded), arrays["text_embedding"], EMBEDDING)
    naive = arrays["logits_naive_steps"]
    prompt = arrays["prompt"].shape[0]
    forced = np.stack(
        [_forced(model, line, arrays["tokens_naive"][row, prompt:], naive.shape[1]) for row, line in enumerate(lines)]
    )
    known = _drawn_steps(arrays["index_naive"], naive.shape[1])
    yield close(name, "logits_naive_steps", forced[known], naive[known], LOGITS)
    yield close(name, "logits_batched_step0", forced[:, 0], arrays["logits_batched_step0"], LOGITS)
    yield from _decoded(name, arrays, model, lines)


def _decoded(name: str, arrays: Arrays, model: S1Model, lines: list[S1Request]) -> Iterator[Check]:
    company, alone = len(lines), 1
    cases = (
        ("naive", "tokens_naive", "index_naive", EARLY_STOP, alone),
        ("batched", "tokens_batched", "index_batched", EARLY_STOP, company),
        ("early stop, naive", "tokens_early_naive", "index_early_naive", 16, alone),
        ("early stop, batched", "tokens_early_batched", "index_early_batched", 15, company),
    )
    for what, tokens, index, limit, slots in cases:
        results = _decode(model, lines, slots, limit)
        rows = [np.concatenate((arrays["prompt"], result.codes.numpy())) for result in results]
        yield equal(name, f"codes, {what}", _padded(rows, arrays[tokens].shape[1]), arrays[tokens])
        # The naive loop returns the code of the step at which it ended early, and counts it not.
        steps = [min(result.steps, 15) if "early" in tokens else result.steps for result in results]
        yield equal(name, f"steps, {what}", np.array(steps), arrays[index])
    free = [S1Request(line.phonemes, line.bert, line.prompt[:0], 0, GREEDY) for line in lines]
    theirs = arrays["tokens_promptfree"]
    results = _decode(model, free[: theirs.shape[0]], company, EARLY_STOP_PROMPTFREE + 1)
    yield equal(
        name, "codes, without prompt", _padded([result.codes.numpy() for result in results], theirs.shape[1]), theirs
    )


def _requests(arrays: Arrays) -> list[S1Request]:
    lines = []
    for row, length in enumerate(arrays["x_lens"]):
        bert = torch.from_numpy(arrays[f"bert{row}"]) if f"bert{row}" in arrays else None
        phonemes = torch.from_numpy(arrays["x"][row, : int(length)])
        lines.append(S1Request(phonemes, bert, torch.from_numpy(arrays["prompt"]), 0, GREEDY))
    return lines


def _decode(model: S1Model, lines: list[S1Request], slots: int, limit: int) -> list[S1Result]:
    batch = S1Batch(model, slots=slots)
    done: dict[int, S1Result] = {}
    waiting = list(enumerate(lines))
    while waiting or batch.in_flight:
        while waiting and batch.free:
            key, line = waiting.pop(0)
            batch.admit(key, S1Request(line.phonemes, line.bert, line.prompt, line.seed, line.sampling, limit))
        done.update(batch.step())
    return [done[key] for key in range(len(lines))]


def _forced(model: S1Model, line: S1Request, codes: NDArray[Any], steps: int) -> NDArray[np.float32]:
    """[steps, codes] logits along given codes; steps that were never made there are zeros."""
    cache = model.new_cache(1, 512)
    logits = [model.prefill(line.phonemes, line.bert, line.prompt, cache, 0)]
    prompt = line.prompt.numel()
    for step, code in enumerate(codes[: steps - 1]):
        if code < 0:
            break
        logits.append(model.extend(int(code), prompt + step, line.prefix + step, cache))
    whole = torch.zeros(steps, model.shape.codes)
    whole[: len(logits)] = torch.stack(logits)
    return whole.numpy()


def _drawn_steps(index: NDArray[Any], steps: int) -> NDArray[np.bool_]:
    """[rows, steps]: the steps that the reference made."""
    return np.arange(steps) <= index[:, None]


def _padded(rows: list[NDArray[Any]], width: int) -> NDArray[np.int64]:
    padded = np.full((len(rows), max(width, max(len(row) for row in rows))), -1, np.int64)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded
