"""Weights from a salt are the documented ones, bit for bit, and depend on nothing but salt, name and shape."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from synthesis.parity import fill, vectors

DATA = Path(__file__).parent / "data"
SHAPES = {"dec.ups.0.weight_g": (8, 1, 1), "dec.ups.0.weight_v": (8, 4, 16), "enc_p.proj.bias": (6,)}


def test_the_digest_over_a_whole_model_is_the_published_one() -> None:
    weights = fill("dev-s2-v2-nano-a", vectors.shapes(DATA, "s2-v2-nano"))
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].astype("<f4").tobytes())
    assert digest.hexdigest() == "f4159977b00884b97bf95799416dc91282bc31b17b07f158f192039d297ac4dc"


def test_the_order_of_the_table_does_not_matter() -> None:
    backwards = fill("salt", dict(reversed(SHAPES.items())))
    for name, value in fill("salt", SHAPES).items():
        assert np.array_equal(value, backwards[name])


def test_another_salt_or_name_gives_other_numbers() -> None:
    one, other = fill("one", SHAPES), fill("other", SHAPES)
    assert not np.array_equal(one["enc_p.proj.bias"], other["enc_p.proj.bias"])


def test_values_are_exact_in_half_precision() -> None:
    for value in fill("salt", SHAPES).values():
        assert value.dtype == np.float32
        assert np.array_equal(value, value.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("name", "salt"),
    [("s2-v2Pro-nano", "dev-s2-v2Pro-nano-b"), ("s1-micro.ckpt", "dev-s1-micro-a"), ("spectrogram", None)],
)
def test_the_readme_names_the_salts(name: str, salt: str | None) -> None:
    assert vectors.salt(DATA, name) == salt


def test_a_folder_without_a_readme_gets_the_packaged_salts(tmp_path: Path) -> None:
    assert vectors.salt(tmp_path, "s1-v2") == "dev-s1-v2-b"
    assert vectors.salt(tmp_path, "unheard-of") is None
