"""From phonemes to semantic codes: the first of the two networks."""

from synthesis.gptsovits.s1.batch import S1Batch
from synthesis.gptsovits.s1.model import S1Model, S1Shape
from synthesis.gptsovits.s1.request import S1Request, S1Result, Sampling
from synthesis.gptsovits.s1.sampling import probabilities

__all__ = ["S1Batch", "S1Model", "S1Request", "S1Result", "S1Shape", "Sampling", "probabilities"]
