"""Mandarin front end: ``Mandarin``."""

from synthesis.text.zh.frontend import Mandarin

__all__ = ["Mandarin"]
