"""Proof that the networks compute what the reference implementation does: `python -m synthesis parity`.

A vector holds inputs and outputs; the weights are made from a formula (``fill.py``), so no trained weight is needed.
"""

from synthesis.parity.fill import fill
from synthesis.parity.results import Check, Result, Skip

__all__ = ["Check", "Result", "Skip", "fill"]
