from __future__ import annotations

import pickle
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.scripts.clock import counts_frames, parse_clock, to_ms
from scheduler.scripts.timecode import (
    RATES,
    DropFrameRefused,
    FrameRateInvalid,
    TimecodeInvalid,
    format_timecode,
    parse_frame_rate,
    parse_timecode,
)

DROPPING = (Fraction(30000, 1001), Fraction(60000, 1001))


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("24000/1001", Fraction(24000, 1001)),
        ("24", Fraction(24)),
        ("25", Fraction(25)),
        (" 25 fps", Fraction(25)),
        ("25.000", Fraction(25)),
        ("25p", Fraction(25)),
        ("29,97", Fraction(30000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
        ("30", Fraction(30)),
        ("50", Fraction(50)),
        ("59.94", Fraction(60000, 1001)),
        ("60", Fraction(60)),
    ],
)
def test_frame_rates_are_exact(text: str, rate: Fraction) -> None:
    assert parse_frame_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "0", "26", "-25", "25/0", "0/0", "fast", "29.97 DF", "1e3", "25 25", "٢٥", "9" * 99]
)
def test_what_is_no_frame_rate_is_said_to_be_none(text: str) -> None:
    with pytest.raises(FrameRateInvalid, match=r"29\.97"):
        parse_frame_rate(text)


@pytest.mark.parametrize(
    ("text", "rate", "seconds"),
    [
        ("01:00:00:00", "25", Fraction(3600)),
        ("01:00:00:00", "23.976", Fraction("3603.6")),
        ("01:00:00;00", "29.97", Fraction("3599.9964")),
        ("01:00:00;00", "59.94", Fraction("3599.9964")),
        ("01:00:00:00", "29.97", Fraction("3603.6")),
        ("00:00:00:12", "24", Fraction(1, 2)),
        ("00:01:00;02", "29.97", Fraction(1800 * 1001, 30000)),
        ("00:10:00;00", "29.97", Fraction(17982 * 1001, 30000)),
        ("23:59:59:24", "25", Fraction(86400) - Fraction(1, 25)),
        ("01;00;00;00", "29.97", Fraction("3599.9964")),
    ],
)
def test_known_values(text: str, rate: str, seconds: Fraction) -> None:
    assert parse_timecode(text, parse_frame_rate(rate)) == seconds


def test_a_list_that_writes_no_semicolon_can_be_told_to_drop() -> None:
    assert parse_timecode("01:00:00:00", DROPPING[0], drop=True) == Fraction("3599.9964")


@pytest.mark.parametrize(
    ("text", "rate", "reason"),
    [
        ("00:00:00:25", "25", "frame 25.*last of a second is 24"),
        ("00:00:00:24", "23.976", "at 23.976 the last of a second is 23"),
        ("00:00:00;30", "29.97", "frame 30"),
        ("00:01:00;00", "29.97", "does not exist.*frames 0 to 1"),
        ("00:01:00;01", "29.97", "does not exist"),
        ("00:11:00;03", "59.94", "frames 0 to 3"),
        ("24:00:00:00", "25", "23:59:59"),
        ("00:60:00:00", "25", "23:59:59"),
        ("00:00:60:00", "25", "23:59:59"),
        ("1:2:3", "25", "HH:MM:SS:FF"),
        ("", "25", "HH:MM:SS:FF"),
        ("00:00:00.12", "25", "HH:MM:SS:FF"),
    ],
)
def test_a_timecode_that_no_clock_shows_is_refused(text: str, rate: str, reason: str) -> None:
    with pytest.raises(TimecodeInvalid, match=reason):
        parse_timecode(text, parse_frame_rate(rate))


@pytest.mark.parametrize("rate", sorted(RATES - frozenset(DROPPING)))
def test_only_two_rates_drop_frames(rate: Fraction) -> None:
    with pytest.raises(DropFrameRefused, match=r"drop-frame timecode, which only 29\.97 and 59\.94 have") as caught:
        parse_timecode("01:00:00;10", rate)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(DropFrameRefused):
        format_timecode(Fraction(1), rate, True)


@pytest.mark.parametrize(
    ("rate", "drop", "start", "minutes"),
    [
        (Fraction(24000, 1001), False, 59, 3),
        (Fraction(25), False, 59, 3),
        (DROPPING[0], False, 599, 3),
        (DROPPING[0], True, 0, 61),
        (DROPPING[1], True, 55, 11),
        (DROPPING[1], True, 1435, 4),
    ],
)
def test_every_frame_comes_back_and_follows_the_one_before(
    rate: Fraction, drop: bool, start: int, minutes: int
) -> None:
    last = ""
    for frame in range(int(start * 60 * rate), int((start + minutes) * 60 * rate)):
        text = format_timecode(Fraction(frame * rate.denominator, rate.numerator), rate, drop)
        assert text > last  # of equal width, so the order of the texts is that of the frames
        assert parse_timecode(text, rate) == Fraction(frame * rate.denominator, rate.numerator)
        last = text


@pytest.mark.parametrize(("rate", "per_day"), [(DROPPING[0], 2_589_408), (DROPPING[1], 5_178_816)])
def test_a_day_of_drop_frame_has_its_number_of_frames(rate: Fraction, per_day: int) -> None:
    last = "23:59:59;29" if per_day < 3_000_000 else "23:59:59;59"
    assert parse_timecode(last, rate) * rate == per_day - 1


@given(st.sampled_from(sorted(RATES)), st.integers(0, 86_000 * 23), st.booleans())
def test_any_frame_comes_back(rate: Fraction, frame: int, drops: bool) -> None:
    drop = drops and rate in DROPPING
    text = format_timecode(frame / rate, rate, drop)
    assert parse_timecode(text, rate) == frame / rate
    assert counts_frames(text)


def test_a_time_between_two_frames_is_the_nearest_and_the_day_ends() -> None:
    assert format_timecode(Fraction("0.019"), Fraction(25)) == "00:00:00:00"
    assert format_timecode(Fraction("0.02"), Fraction(25)) == "00:00:00:01"
    assert format_timecode(Fraction(1), Fraction(120)) == "00:00:01:000"
    for outside in (Fraction(-1), Fraction(86_400)):
        with pytest.raises(TimecodeInvalid, match="24 hours"):
            format_timecode(outside, Fraction(25))
    with pytest.raises(TimecodeInvalid):
        format_timecode(Fraction(86_400), DROPPING[0], True)


@settings(max_examples=500)
@given(st.text(alphabet="0123456789:;.,-+ eE/\n٣", max_size=14), st.sampled_from(sorted(RATES)))
def test_whatever_the_text_is_the_error_is_ours(text: str, rate: Fraction) -> None:
    for call in (lambda: parse_timecode(text, rate), lambda: parse_frame_rate(text)):
        try:
            assert call() >= 0
        except (TimecodeInvalid, FrameRateInvalid):
            pass
    parse_clock(text)


@given(st.integers(0, 2**31 - 1))
def test_a_clock_time_comes_back_in_milliseconds(ms: int) -> None:
    seconds, rest = divmod(ms, 1000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{rest:03}"
    assert to_ms(parse_clock(text) or Fraction(0)) == ms
