"""The keyed pattern both sides know: which tiles of the time-frequency plane go up and which go down.

Time is cut into tiles of 64 ms, frequency into 92 bands of 62.5 Hz from 312.5 to 6062.5 Hz. Tiles are shared out in
fixed diagonals: a quarter carries the synchronisation signs, the rest carries six symbols of eight bits (32 bits of
payload and a CRC-16), each symbol sent as one of 256 sign patterns. Every sign comes from the key. The pattern repeats
after 512 tiles (32.768 s), not after every message: what an attacker must fold to learn it is eight times as long.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

BANDS = 92
BAND_HZ = 62.5
LOWEST_HZ = 312.5
TILE_S = 0.064
TILES = 512
"""Tiles in time before the pattern repeats: 32.768 s."""
SYMBOLS = 6
ALPHABET = 256
CLASSES = 8
_SYNC_CLASSES = (0, 4)
_SYMBOL_CLASSES = (1, 2, 3, 5, 6, 7)

Signs = NDArray[np.int8]
"""+1 and -1."""


def tile_classes() -> NDArray[np.int64]:
    """Which tile carries what, shape (TILES, BANDS), values 0 … CLASSES - 1."""
    time, band = np.meshgrid(np.arange(TILES), np.arange(BANDS), indexing="ij")
    return (band + 3 * time) % CLASSES


def sync_mask() -> NDArray[np.bool_]:
    """True where a tile carries a synchronisation sign, shape (TILES, BANDS)."""
    return np.isin(tile_classes(), _SYNC_CLASSES)


def symbol_mask(symbol: int) -> NDArray[np.bool_]:
    """True where a tile carries a sign of this symbol, shape (TILES, BANDS)."""
    return np.asarray(tile_classes() == _SYMBOL_CLASSES[symbol])


def sync_signs(key: bytes) -> Signs:
    """Return the synchronisation signs of a key, shape (TILES, BANDS); 0 where a tile belongs to a symbol."""
    mask = sync_mask()
    signs = np.zeros((TILES, BANDS), np.int8)
    signs[mask] = _signs(key, "sync", int(mask.sum()))
    return signs


def symbol_signs(key: bytes, symbol: int, value: int) -> Signs:
    """Return the signs that send ``value`` as symbol number ``symbol``, in the order of ``symbol_mask(symbol)``."""
    return _signs(key, f"symbol {symbol} {value}", TILES * BANDS // CLASSES)


def message_pattern(key: bytes, payload: int) -> Signs:
    """Return the signs that carry ``payload``, shape (TILES, BANDS), every tile +1 or -1."""
    signs = sync_signs(key)
    for symbol, value in enumerate(encode_payload(payload)):
        signs[symbol_mask(symbol)] = symbol_signs(key, symbol, value)
    return signs


def encode_payload(payload: int) -> bytes:
    """Return the six symbols of a 32-bit payload: its four bytes and their CRC-16, big-endian."""
    if not 0 <= payload < 2**32:
        raise ValueError(f"a watermark payload is 0 … 2**32-1, got {payload}")
    body = payload.to_bytes(4, "big")
    return body + crc16(body).to_bytes(2, "big")


def decode_payload(symbols: bytes) -> int | None:
    """Return the payload of six symbols, or None when the CRC says that they are not a message."""
    body, check = symbols[:4], int.from_bytes(symbols[4:6], "big")
    return int.from_bytes(body, "big") if crc16(body) == check else None


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc


def _signs(key: bytes, use: str, count: int) -> Signs:
    """The same on every machine: SHAKE-256 of key and use, bit by bit."""
    if not key:
        raise ValueError("a watermark key may not be empty")
    seed = hashlib.sha256(b"voicefarm watermark 1\0" + use.encode() + b"\0" + key).digest()
    stream = hashlib.shake_256(seed).digest(-(-count // 8))
    bits = np.unpackbits(np.frombuffer(stream, np.uint8), count=count)
    return (bits.astype(np.int8) * 2 - 1).astype(np.int8)
