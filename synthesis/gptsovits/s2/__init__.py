"""Codes to audio: the networks of v1, v2, v2Pro and v2ProPlus. v3 and v4 have their place in ``model.py``."""

from synthesis.gptsovits.s2.model import S2Model, S2Request, S2Weights
from synthesis.gptsovits.s2.style import Style

__all__ = ["S2Model", "S2Request", "S2Weights", "Style"]
