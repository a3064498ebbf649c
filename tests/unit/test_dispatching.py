"""How many lines go to the broker, and how long a failed try waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.backoff import Backoff
from scheduler.dispatching import MAX_WINDOW, Quota, quotas, window


@pytest.mark.parametrize(
    ("capacity", "factor", "expected"),
    [(8, 2.0, 16), (1, 2.0, 2), (3, 1.5, 5), (8, 0.25, 8), (0, 2.0, 0), (-1, 2.0, 0), (10**6, 2.0, MAX_WINDOW)],
)
def test_window_is_a_multiple_of_the_capacity_and_never_below_it(capacity: int, factor: float, expected: int) -> None:
    assert window(capacity, factor) == expected


def test_each_engine_is_filled_up_to_its_window() -> None:
    wanted = quotas({"draft": 8, "fake": 4, "full": 2}, {"draft": 10, "full": 4, "gone": 7}, factor=2.0)
    assert wanted == (Quota("draft", 6), Quota("fake", 8))


def test_without_live_workers_nothing_is_dispatched() -> None:
    assert quotas({}, {}, factor=2.0) == ()
    assert quotas({"draft": 0}, {}, factor=2.0) == ()


def test_a_window_that_shrank_takes_nothing_back_and_adds_nothing() -> None:
    assert quotas({"draft": 1}, {"draft": 50}, factor=2.0) == ()


def test_a_nearly_full_window_waits_for_a_spoonful_and_hungry_workers_do_not() -> None:
    assert quotas({"draft": 64}, {"draft": 120}, factor=2.0) == ()
    assert quotas({"draft": 64}, {"draft": 112}, factor=2.0) == (Quota("draft", 16),)
    assert quotas({"draft": 64}, {"draft": 64}, factor=1.05) == (Quota("draft", 4),)


@given(
    capacity=st.dictionaries(st.sampled_from("abc"), st.integers(0, 10_000)),
    in_flight=st.dictionaries(st.sampled_from("abcd"), st.integers(0, 50_000)),
    factor=st.floats(0.1, 10),
)
def test_what_is_dispatched_never_exceeds_the_window(
    capacity: dict[str, int], in_flight: dict[str, int], factor: float
) -> None:
    for quota in quotas(capacity, in_flight, factor=factor):
        assert quota.lines > 0
        assert in_flight.get(quota.engine, 0) + quota.lines <= MAX_WINDOW
        assert in_flight.get(quota.engine, 0) + quota.lines == window(capacity[quota.engine], factor)


def test_delays_double_up_to_the_ceiling_and_start_over_after_success() -> None:
    backoff = Backoff(first_s=0.5, most_s=3.0)
    assert [backoff.failed() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.succeeded()
    assert backoff.failed() == 0.5
    assert all(Backoff(0.1, 5.0, failures=n).failed() <= 5.0 for n in (10, 1000))
