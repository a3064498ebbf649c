"""English front end: ``English``."""

from synthesis.text.en.front_end import English

__all__ = ["English"]
