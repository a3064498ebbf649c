"""Which version a model is of: told by the shapes of its tensors, then by what the saver wrote, never by its size."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from torch import Tensor

SYMBOLS_V1 = 322
SYMBOLS_V2 = 732
S1_ROWS_V1 = 512
"""Rows of the phoneme table of an s1 model of v1, of which 322 are used."""


class Version(StrEnum):
    """Versions of the s2 model; what each changed is in the field's matrix of versions."""

    V1 = "v1"
    """322 symbols, the reference encoder sees all 1025 bins."""
    V2 = "v2"
    """732 symbols, the reference encoder sees the lowest 704 bins."""
    V2PRO = "v2Pro"
    """v2 with a speaker vector."""
    V2PROPLUS = "v2ProPlus"
    """v2Pro with a wider decoder."""
    V3 = "v3"
    """Flow matching to a mel spectrogram of 24 kHz."""
    V4 = "v4"
    """Flow matching to a mel spectrogram of 32 kHz, own vocoder."""

    @property
    def symbols(self) -> int:
        """Phoneme symbols the version reads: 322 or 732."""
        return SYMBOLS_V1 if self is Version.V1 else SYMBOLS_V2


HEADERS: Mapping[bytes, tuple[Version, bool]] = {
    b"00": (Version.V1, False),
    b"01": (Version.V2, False),
    b"02": (Version.V3, False),
    b"03": (Version.V3, True),
    b"04": (Version.V4, True),
    b"05": (Version.V2PRO, False),
    b"06": (Version.V2PROPLUS, False),
}
"""The two bytes that savers write over ``PK``: the version, and whether only LoRA matrices are in the file."""

PLUS_KERNEL = 20
"""First upsampling kernel of v2ProPlus; every other version has 16."""


def by_shapes(weights: Mapping[str, Tensor]) -> frozenset[Version]:
    """The versions whose networks have these tensors. Empty: none. v3 and v4 cannot be told apart by shapes."""
    if any(name.startswith("cfm.") for name in weights):
        return frozenset((Version.V3, Version.V4))
    table = weights.get("enc_p.text_embedding.weight")
    kernel = weights.get("dec.ups.0.weight_v", weights.get("dec.ups.0.weight"))
    if table is None or kernel is None or table.ndim != 2 or kernel.ndim != 3:
        return frozenset()
    if "sv_emb.weight" in weights:
        pro = Version.V2PROPLUS if kernel.shape[2] == PLUS_KERNEL else Version.V2PRO
        return frozenset((pro,)) if table.shape[0] == SYMBOLS_V2 else frozenset()
    found = {SYMBOLS_V1: Version.V1, SYMBOLS_V2: Version.V2}.get(table.shape[0])
    return frozenset((found,)) if found else frozenset()


def s1_symbols(rows: int) -> int | None:
    """Symbols of the table that an s1 model with so many phoneme rows reads. None: no table has so many."""
    return {S1_ROWS_V1: SYMBOLS_V1, SYMBOLS_V1: SYMBOLS_V1, SYMBOLS_V2: SYMBOLS_V2}.get(rows)
