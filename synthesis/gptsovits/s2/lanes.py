"""Rendering on several cores: pieces of lines side by side, each on a core of its own.

Threads that share every small product wait for one another thousands of times a second, and each waits for the one
that the system has just taken its core from. Pieces meet once, at their end.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor

from synthesis.gptsovits.s2.hifigan import HifiGan, Span
from synthesis.gptsovits.s2.layers import Lines

LONGEST = 100
"""Latent frames of a piece: the signals of 2 s stay in a CPU's cache."""
SHORTEST = 25
"""Shorter pieces would spend more on their surroundings than another core gives."""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch has ``count`` threads meanwhile: here, in threads that start, and in all of them as far as MKL goes."""
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)


def pieces(frames: int, cores: int) -> list[Span]:
    """A line of ``frames`` in pieces of like length, where it is long enough as many as keep all cores busy."""
    wanted = -(-frames // LONGEST)
    wanted = max(1, wanted, min(-(-wanted // cores) * cores, frames // SHORTEST))
    edges = [frames * each // wanted for each in range(wanted + 1)]
    return [Span(start, stop) for start, stop in pairwise(edges)]


def render_lines(decoder: HifiGan, z: Tensor, ge: Tensor, lines: Lines) -> list[Tensor]:
    """One tensor of samples in [-1, 1] per line; z [B, frames, inter], ``ge`` [B, gin], on a CPU.

    The pieces of a line depend on its length and on the number of threads that torch has, and not on its company.
    """
    cores = torch.get_num_threads()
    jobs = [(row, span) for row, length in enumerate(lines.lengths) for span in pieces(length, cores)]
    lanes = min(cores, len(jobs))

    def run(job: tuple[int, Span]) -> Tensor:
        row, span = job
        length = lines.lengths[row]
        with torch.inference_mode():
            return decoder.piece(z[row : row + 1, :length], ge[row : row + 1], Lines.of([length]), span).tanh_()[0]

    with threads(max(1, cores // (2 * lanes))):  # where pieces are few, half of the cores share their products
        if lanes == 1:
            parts = [run(job) for job in jobs]
        else:
            with ThreadPoolExecutor(lanes, "render") as pool:
                parts = list(pool.map(run, jobs))
    return [
        torch.cat([part for (row, _), part in zip(jobs, parts, strict=True) if row == wanted])
        for wanted in range(len(lines.lengths))
    ]
