"""Korean front end: ``Korean``."""

from synthesis.text.ko.front_end import Korean

__all__ = ["Korean"]
