"""What makes two renders the same: canonical JSON, hashed.

The same digest means that the stored take (or track) is used again, so everything that can be heard or read in the
result is in it, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

SEED_BITS = 63


class NotCanonical(TypeError):
    """A value that has no one spelling in JSON."""


def canonical(value: Any) -> bytes:
    """Spell a JSON value in exactly one way: UTF-8, keys sorted, no spaces, text as it is.

    Mappings, sequences, str, int, bool, None and finite floats. Integral floats are spelled as integers, so that 1.0
    and 1 (which JSON does not tell apart) digest alike; other floats by their shortest decimal. Raises NotCanonical
    for anything else and for keys that are not text.
    """
    return _ENCODER.encode(_plain(value)).encode("utf-8", "surrogatepass")


# one for all: json.dumps makes a new encoder per call, which is most of the cost of a short line
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_PLAIN = frozenset({str, int, bool, type(None)})


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list or kind is tuple:  # what lines are made of; the look at abstract classes below is slow
        return [item if type(item) in _PLAIN else _plain(item) for item in value]
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotCanonical(f"{value} is no number in JSON")
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        out: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise NotCanonical(f"the key {key!r} is not text")
            out[str(key)] = _plain(item)
        return out
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item) for item in value]
    raise NotCanonical(f"{type(value).__name__} has no one spelling in JSON")


def digest(value: Any) -> str:
    """sha256 of the canonical spelling, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def voice_digest(name: str, version: int, engine: str, engine_version: str, parameters: Mapping[str, Any]) -> str:
    """Everything that changes how a voice sounds."""
    return digest(["voice", name, version, engine, engine_version, parameters])


def line_digest(
    spoken: str,
    language: str,
    voice_digest: str,
    direction: Mapping[str, Any],
    engine: str,
    engine_version: str,
    seed: int,
) -> str:
    """Everything that determines a take. Same digest: the stored take is used again."""
    return line_digests(language, voice_digest, engine, engine_version)(spoken, direction, seed)


def line_digests(
    language: str, voice_digest: str, engine: str, engine_version: str
) -> Callable[[str, Mapping[str, Any], int], str]:
    """``line_digest`` for many lines of one voice in one language: (spoken, direction, seed) → digest.

    What they have in common is spelled once.
    """
    middle = f",{_spelled(language)},{_spelled(voice_digest)},"
    end = f",{_spelled(engine)},{_spelled(engine_version)},"

    def of(spoken: str, direction: Mapping[str, Any], seed: int) -> str:
        how = canonical(direction).decode("utf-8", "surrogatepass") if direction else "{}"
        raw = f'["line",{_spelled(spoken)}{middle}{how}{end}{seed:d}]'
        return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()

    return of


def seed_for(*parts: str) -> int:
    """A seed from names (production, section, line …): 0 … 2**63-1, the same on every machine and in every run."""
    return seeds_for(*parts)()


def seeds_for(*first: str) -> Callable[..., int]:
    """``seed_for`` for many names that begin alike: takes the rest of the names."""
    start = ",".join(('["seed"', *map(_spelled, first)))

    def of(*rest: str) -> int:
        raw = ",".join((start, *map(_spelled, rest)))
        found = hashlib.sha256(f"{raw}]".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(found[:8], "big") >> (64 - SEED_BITS)

    return of


_spelled: Callable[[str], str] = encode_basestring
"""A text as the encoder above spells it, without the way there through a list."""


def track_digest(takes: Iterable[tuple[str, int, str]], *, title: str, profile: str, extra: Mapping[str, Any]) -> str:
    """Everything that determines a mastered track and its tagged files.

    ``takes``: (store key, silence after it in milliseconds, voice) in order. ``extra``: what else is in the files:
    tags, cover, silence at head and tail, numbers of the profile, watermark without its payload, software version.
    """
    return digest(["track", [list(part) for part in takes], title, profile, extra])


def script_digest(value: Any) -> str:
    """Sections, lines, casting and profile of a script: the same digest is the same render."""
    return digest(["script", value])
