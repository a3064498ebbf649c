"""Japanese front end: ``Japanese``."""

from synthesis.text.ja.front_end import Japanese

__all__ = ["Japanese"]
