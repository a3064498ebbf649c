"""Checkpoints as the community shares them: read without running anything in them, told apart, checked, converted."""

from synthesis.gptsovits.checkpoints.load import S1Checkpoint, S2Checkpoint, check_pair, load_s1, load_s2
from synthesis.gptsovits.checkpoints.states import load_state
from synthesis.gptsovits.checkpoints.versions import Version

__all__ = ["S1Checkpoint", "S2Checkpoint", "Version", "check_pair", "load_s1", "load_s2", "load_state"]
