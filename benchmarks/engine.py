"""Codes per second of the text-to-codes network, full size, on weights made from a formula.

    python benchmarks/engine.py [--batches 1,4,16,32] [--codes 100] [--rounds 3] [--threads N] [--mixed 48]
                                [--reference CHECKOUT] [--json]

Measured, each the best of some rounds because these machines are shared: lines decoded together at several batch
sizes (prefill included), and lines of mixed lengths through 16 slots in three ways: entering as others leave; in
batches that wait for their longest line and get smaller as others end; in batches that compute every row to the end
of the longest. ``--reference`` names a checkout of the reference implementation (github.com/RVC-Boss/GPT-SoVITS, with
torchmetrics and tqdm installed): its batched decoder then runs on the same weights and the same inputs, in turns with
ours, and the ratio is printed. Beside the rate by the clock stands that by processor time, which neighbours on the
machine change less; with several threads it counts their waiting too.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synthesis.gptsovits.checkpoints import S1Checkpoint
from synthesis.gptsovits.checkpoints.s1_layout import entries
from synthesis.gptsovits.s1 import S1Batch, S1Model, S1Request, Sampling
from synthesis.parity import fill

WIDTH, LAYERS, HEADS, PHONEMES, CODES = 512, 24, 16, 732, 1025
TEXT, PROMPT = 72, 75
"""Phonemes of reference and line, codes of the reference (3 s)."""
MIXED_SLOTS = 16
CONFIG = {
    "model": {
        "hidden_dim": WIDTH,
        "embedding_dim": WIDTH,
        "n_layer": LAYERS,
        "head": HEADS,
        "phoneme_vocab_size": PHONEMES,
        "vocab_size": CODES,
        "EOS": CODES - 1,
        "dropout": 0,
        "linear_units": 2048,
    }
}


def checkpoint() -> S1Checkpoint:
    """A full-size model that never stops by itself: the logit of its stop code is 0, far below the likeliest."""
    weights = {
        name: torch.from_numpy(value).half()
        for name, value in fill("benchmark", dict(entries(WIDTH, LAYERS, PHONEMES, CODES))).items()
    }
    weights["model.ar_predict_layer.weight"][CODES - 1] = 0
    return S1Checkpoint(weights, CONFIG, "benchmark", PHONEMES, "0" * 64)


def requests(lengths: list[int]) -> list[S1Request]:
    """One line for each length in codes."""
    draw = torch.Generator().manual_seed(1)
    prompt = torch.randint(CODES - 1, (PROMPT,), generator=draw)
    return [
        S1Request(torch.randint(PHONEMES, (TEXT,), generator=draw), None, prompt, seed, Sampling(), max_codes=length)
        for seed, length in enumerate(lengths)
    ]


def continuous(model: S1Model, lines: list[S1Request], slots: int) -> int:
    """Decode all lines, each entering as soon as a slot is free; the number of codes."""
    batch, left, codes = S1Batch(model, slots=slots, positions=1024), list(enumerate(lines)), 0
    while left or batch.in_flight:
        while left and batch.free:
            batch.admit(*left.pop(0))
        codes += sum(len(result.codes) for _, result in batch.step())
    return codes


def shrinking(model: S1Model, lines: list[S1Request], slots: int) -> int:
    """Decode in batches that wait for their longest line; rows of lines that ended are not computed."""
    return sum(continuous(model, lines[first : first + slots], slots) for first in range(0, len(lines), slots))


def padded(model: S1Model, lines: list[S1Request], slots: int) -> int:
    """Decode in batches that wait for their longest line and compute all rows to its end."""
    for first in range(0, len(lines), slots):
        group = lines[first : first + slots]
        longest = max(line.max_codes for line in group)
        continuous(model, [replace(line, max_codes=longest) for line in group], slots)
    return sum(line.max_codes for line in lines)


def reference(checkout: Path, made: S1Checkpoint) -> Callable[[list[S1Request]], int]:
    """The reference's batched decoder as a function from lines of one length to the number of codes."""
    sys.path.insert(0, str(checkout / "GPT_SoVITS"))
    from AR.models.t2s_model import Text2SemanticDecoder  # type: ignore[import-not-found]

    decoder = Text2SemanticDecoder(config=CONFIG, top_k=3)
    # its blocks keep the parameters they were made with: values are copied into them, strictly
    decoder.load_state_dict({name.removeprefix("model."): value.float() for name, value in made.weights.items()})
    decoder.eval()

    def run(lines: list[S1Request]) -> int:
        bert = torch.zeros(1024, TEXT)
        _, indices = decoder.infer_panel_batch_infer(
            [line.phonemes for line in lines],
            torch.tensor([TEXT] * len(lines)),
            lines[0].prompt.expand(len(lines), -1),
            [bert] * len(lines),
            top_k=15,
            top_p=1,
            early_stop_num=lines[0].max_codes,
            temperature=1.0,
            repetition_penalty=1.35,
        )
        return int(sum(indices))

    return run


class Rates:
    """The best rates of some runs, by the clock and by processor time."""

    def __init__(self) -> None:
        self.by_clock = self.by_processor = 0.0

    def run(self, decode: Callable[[], int]) -> None:
        """Codes per second of one run."""
        clock, processor = time.perf_counter(), time.process_time()
        codes = decode()
        self.by_clock = max(self.by_clock, codes / (time.perf_counter() - clock))
        self.by_processor = max(self.by_processor, codes / (time.process_time() - processor))

    def row(self, prefix: str = "") -> dict[str, float]:
        """For a row of the results."""
        return {
            f"{prefix}codes_per_s": round(self.by_clock, 1),
            f"{prefix}codes_per_processor_s": round(self.by_processor, 1),
        }

    def over(self, other: Rates, prefix: str = "") -> dict[str, float]:
        """How many times as fast as the other."""
        return {
            f"{prefix}ratio": round(self.by_clock / other.by_clock, 2),
            f"{prefix}processor_ratio": round(self.by_processor / other.by_processor, 2),
        }


def measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Everything, row by row."""
    made = checkpoint()
    model = S1Model.from_checkpoint(made, device=options.device, quantise=options.quantise)
    peer = reference(options.reference, made) if options.reference else None
    for size in options.batches:
        lines = requests([options.codes] * size)
        ours, theirs = Rates(), Rates()
        for _ in range(options.rounds):
            ours.run(partial(continuous, model, lines, size))
            if peer is not None:
                theirs.run(partial(peer, lines))
        row = {"what": "batch", "size": size, **ours.row()}
        yield row if peer is None else row | theirs.row("reference_") | ours.over(theirs)
    if options.mixed:
        yield mixed(model, options)


def mixed(model: S1Model, options: argparse.Namespace) -> dict[str, Any]:
    """Lines as long as a book's are: most short, some very long."""
    draw = np.random.default_rng(1)
    lengths = np.clip(np.exp(draw.normal(np.log(options.codes), 0.7, options.mixed)), 12, 8 * options.codes)
    lines = requests([int(length) for length in lengths])
    ways = {"": continuous, "shrinking_": shrinking, "padded_": padded}
    rates = {name: Rates() for name in ways}
    for _ in range(options.mixed_rounds):
        for name, way in ways.items():
            rates[name].run(partial(way, model, lines, MIXED_SLOTS))
    row: dict[str, Any] = {"what": "mixed lengths", "lines": options.mixed, "size": MIXED_SLOTS}
    for name, each in rates.items():
        row |= each.row(name)
    for name in ("shrinking_", "padded_"):
        row |= rates[""].over(rates[name], name)
    return row


@torch.inference_mode()
def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--batches", type=lambda text: [int(size) for size in text.split(",") if size], default=[1, 4, 16, 32]
    )
    parser.add_argument("--codes", type=int, default=100, help="codes of each line (25 are a second)")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many")
    parser.add_argument("--mixed", type=int, default=48, help="lines of mixed lengths; 0: none")
    parser.add_argument("--mixed-rounds", type=int, default=1, help="the best of so many")
    parser.add_argument("--threads", type=int, help="of torch; left out, as many as it takes by itself")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quantise", choices=["bf16", "int8"], help="approximate weights (CPU)")
    parser.add_argument("--reference", type=Path, metavar="CHECKOUT", help="the peer: a checkout of GPT-SoVITS")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = []
    for row in measure(options):
        rows.append(row)
        if not options.json:
            print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
