"""Cantonese front end: ``Cantonese``."""

from synthesis.text.yue.frontend import Cantonese

__all__ = ["Cantonese"]
