"""A keyed, inaudible mark in the programme that names the deliverable it was made for."""

from synthesis.watermark.detector import Detection, detect, detect_file
from synthesis.watermark.embedder import DEFAULT_STRENGTH_DB, Embedder, embed

__all__ = ["DEFAULT_STRENGTH_DB", "Detection", "Embedder", "detect", "detect_file", "embed"]
