"""Convolutions with fewer multiplications, as matrices: y = A ((G kernel) * (B x)) for one tile of outputs.

Toom and Cook: polynomials are evaluated at points, the values multiplied, the product interpolated; a filter is the
transpose of that (Winograd, Arithmetic Complexity of Computations, 1980). Points on the unit circle keep the matrices
well conditioned, so float32 loses next to nothing; a pair of conjugate points costs three real products (Gauss).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Algorithm:
    """For tiles of ``outputs`` samples from ``inputs`` = outputs + kernel - 1 samples, with ``products`` products.

    ``before`` [products, inputs] is applied to the samples, ``weights`` [products, kernel] to the kernel, ``after``
    [outputs, products] to the products.
    """

    before: Matrix
    weights: Matrix
    after: Matrix

    @property
    def outputs(self) -> int:
        """Samples a tile gives."""
        return int(self.after.shape[0])

    @property
    def inputs(self) -> int:
        """Samples a tile reads."""
        return int(self.before.shape[1])

    @property
    def products(self) -> int:
        """Multiplications of a tile, beside those by constants."""
        return int(self.before.shape[0])


def on_circle(kernel: int, roots: int) -> Algorithm:
    """Zero, infinity and the ``roots`` (even) of unity as points: tiles of roots + 3 - kernel outputs."""
    upper = np.exp(2j * np.pi * np.arange(1, roots // 2) / roots)
    return _algorithm(kernel, np.array([0.0, 1.0, -1.0]), upper)


def on_line(kernel: int, points: tuple[float, ...]) -> Algorithm:
    """Infinity and real ``points``: tiles of len(points) + 2 - kernel outputs, as many products as inputs."""
    return _algorithm(kernel, np.array(points), np.zeros(0, complex))


def _algorithm(kernel: int, real: Matrix, upper: NDArray[np.complex128]) -> Algorithm:
    """``upper`` are points above the real line, each standing for itself and its conjugate."""
    inputs = len(real) + 2 * len(upper) + 1
    outputs = inputs - kernel + 1
    points = np.concatenate([real, upper, upper.conj()])
    interpolate = np.linalg.inv(_values(points, inputs)).T  # [inputs, inputs]: a row per point, infinity last
    pairs = slice(len(real), len(real) + len(upper))
    read = interpolate[pairs]  # of one of each pair
    weigh, give = _values(upper, kernel)[:-1], _values(upper, outputs)[:-1]
    plain = [*range(len(real)), inputs - 1]
    whole = _values(real, kernel), _values(real, outputs)
    return Algorithm(
        before=np.concatenate([interpolate[plain].real, read.real + read.imag, read.real, read.imag]),
        weights=np.concatenate([whole[0], weigh.real, weigh.imag - weigh.real, weigh.real + weigh.imag]),
        after=np.concatenate([whole[1], 2 * (give.real - give.imag), -2 * give.imag, -2 * give.real]).T,
    )


def _values(points: NDArray[np.complex128] | Matrix, terms: int) -> NDArray[np.complex128]:
    """[points + 1, terms]: the powers of each point; last the leading coefficient, which is the value at infinity."""
    last = np.zeros((1, terms))
    last[0, -1] = 1
    return np.concatenate([np.vander(points, terms, increasing=True), last])
