from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest

from synthesis.errors import ProfileUnknown
from synthesis.mastering.measurements import Measurements
from synthesis.mastering.profiles import PROFILES, check, get_profile

GOOD = Measurements(
    loudness_lufs=-19.0,
    true_peak_dbtp=-3.4,
    lra_lu=5.0,
    rms_dbfs=-20.5,
    noise_floor_dbfs=-75.0,
    gain_db=3.0,
    limited_ms=0,
    max_reduction_db=0.0,
    duration_ms=60_000,
    head_ms=500,
    tail_ms=1_500,
)


def test_the_profiles_there_are() -> None:
    assert set(PROFILES) == {"audiobook", "acx", "r128", "podcast", "netflix-premix"}
    assert all(name == profile.name for name, profile in PROFILES.items())
    assert all(profile.limit_dbtp < profile.ceiling_dbtp for profile in PROFILES.values())


def test_an_unknown_profile_names_the_choices() -> None:
    with pytest.raises(ProfileUnknown, match="audiobook, acx, r128, podcast, netflix-premix") as caught:
        get_profile("loud")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_targets_know_their_unit() -> None:
    assert get_profile("audiobook").target_lufs == -19
    assert get_profile("acx").target_lufs is None
    assert get_profile("acx").unit == "dBFS RMS"


def test_a_good_track_breaks_no_rule() -> None:
    assert check(get_profile("audiobook"), GOOD) == []
    assert check(get_profile("acx"), GOOD) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rms_dbfs": -23.2}, "level is -23.20 dBFS RMS"),
        ({"rms_dbfs": -17.9}, "level"),
        ({"true_peak_dbtp": -2.8}, "true peak is -2.80"),
        ({"noise_floor_dbfs": -55.0}, "noise floor"),
        ({"head_ms": 300}, "before the first word"),
        ({"tail_ms": 6_000}, "after the last word"),
        ({"duration_ms": 121 * 60_000}, "121.0 min"),
    ],
)
def test_each_rule_is_checked(change: dict[str, float], words: str) -> None:
    (broken,) = check(get_profile("acx"), replace(GOOD, **change))
    assert words in broken


def test_measurements_are_json() -> None:
    text = json.dumps(GOOD.to_json(), allow_nan=False)
    assert json.loads(text)["rms_dbfs"] == -20.5
