"""What a comparison found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Check:
    """One quantity of one file: the largest absolute difference (values that must be equal: how many are not)."""

    file: str
    quantity: str
    error: float
    tolerance: float
    ok: bool


@dataclass(frozen=True)
class Skip:
    """A file, or a quantity of one, that was not compared."""

    file: str
    reason: str


Result = Check | Skip


def close(file: str, quantity: str, ours: Any, theirs: Any, tolerance: float) -> Check:
    """Compare numbers: arrays or tensors of one shape. Another shape or a NaN is an infinite error."""
    left, right = _array(ours), _array(theirs)
    if left.shape != right.shape:
        return Check(file, f"{quantity} (shape {left.shape}, not {right.shape})", float("inf"), tolerance, False)
    difference = np.abs(left.astype(np.float64) - right.astype(np.float64))
    error = float(difference.max()) if difference.size else 0.0
    error = error if np.isfinite(error) else float("inf")
    return Check(file, quantity, error, tolerance, error <= tolerance)


def equal(file: str, quantity: str, ours: Any, theirs: Any) -> Check:
    """Compare what must be the same: the error is how many elements differ."""
    left, right = _array(ours), _array(theirs)
    if left.shape != right.shape:
        return Check(file, f"{quantity} (shape {left.shape}, not {right.shape})", float("inf"), 0.0, False)
    wrong = int(np.count_nonzero(left != right))
    return Check(file, quantity, float(wrong), 0.0, wrong == 0)


def same(file: str, quantity: str, ours: object, theirs: object) -> Check:
    """Compare two values as wholes: the error is 0 or 1."""
    return Check(file, quantity, 0.0 if ours == theirs else 1.0, 0.0, ours == theirs)


def holds(file: str, quantity: str, what: Callable[[], bool]) -> Check:
    """A statement that must hold: the error is 0 or 1."""
    return same(file, quantity, what(), True)


def _array(values: Any) -> NDArray[Any]:
    if hasattr(values, "detach"):
        values = values.detach().float() if values.dtype.is_floating_point else values.detach()
        values = values.cpu().numpy()
    return np.asarray(values)
