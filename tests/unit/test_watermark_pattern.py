from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthesis.watermark.pattern import (
    BANDS,
    SYMBOLS,
    TILES,
    crc16,
    decode_payload,
    encode_payload,
    message_pattern,
    symbol_mask,
    symbol_signs,
    sync_mask,
    sync_signs,
)


def test_crc_is_the_standard_one() -> None:
    assert crc16(b"123456789") == 0x29B1


@given(st.integers(0, 2**32 - 1), st.integers(0, 47))
def test_payload_round_trip_and_any_flipped_bit_is_noticed(payload: int, bit: int) -> None:
    code = encode_payload(payload)
    assert decode_payload(code) == payload
    damaged = int.from_bytes(code, "big") ^ (1 << bit)
    assert decode_payload(damaged.to_bytes(6, "big")) is None


@pytest.mark.parametrize("payload", [-1, 2**32])
def test_payload_beyond_32_bits_is_refused(payload: int) -> None:
    with pytest.raises(ValueError, match="0 … 2\\*\\*32-1"):
        encode_payload(payload)


def test_every_tile_has_one_use() -> None:
    uses = sync_mask().astype(int) + sum(symbol_mask(n).astype(int) for n in range(SYMBOLS))
    assert uses.shape == (TILES, BANDS)
    assert (uses == 1).all()
    assert sync_mask().mean() == 0.25


def test_what_was_delivered_once_can_be_found_for_ever() -> None:
    """The pattern of a key is a file format: a change here orphans every file already marked."""
    signs = message_pattern(b"title key", 0xDEADBEEF)
    digest = hashlib.sha256(signs.tobytes()).hexdigest()
    assert digest == "81714b477b838ce97726e799c38acc6cd3eb279bb4ef48ea0cc991cf5b1831d9"


def test_patterns_are_balanced_and_unrelated() -> None:
    one, two = message_pattern(b"a", 7).astype(int), message_pattern(b"b", 7).astype(int)
    limit = 5 / np.sqrt(one.size)
    assert abs(one.mean()) < limit
    assert abs((one * two).mean()) < limit
    repeat = (one[: TILES // 2] * one[TILES // 2 :]).mean()
    assert abs(repeat) < 5 / np.sqrt(one.size / 2)  # nothing to fold at half the cycle
    assert not np.array_equal(symbol_signs(b"a", 0, 1), symbol_signs(b"a", 1, 1))


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(ValueError, match="key"):
        sync_signs(b"")
