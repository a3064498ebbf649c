"""Numbers as the Jobs pages print them."""

from __future__ import annotations

import pytest

from scheduler.dashboard.present import Bar, bar, duration, take_length
from scheduler.dashboard.server import with_jobs_tab


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "0:00"), (59_499, "0:59"), (59_500, "1:00"), (3_723_000, "1:02:03"), (None, "–")]
)
def test_durations_read_as_hours_minutes_seconds(milliseconds: float | None, text: str) -> None:
    assert duration(milliseconds) == text


def test_takes_read_in_tenths_of_a_second() -> None:
    assert take_length(2_340) == "2.3 s"
    assert take_length(None) == "–"


def test_a_bar_never_exceeds_its_track() -> None:
    assert bar(0, 0, 0, 0) == Bar(0.0, 0.0, 0.0)
    widths = bar(3, 1, 1, 1)
    assert widths.done + widths.active + widths.failed <= 100.0


def test_the_tab_goes_into_flowers_navigation_and_an_unknown_one_is_left_alone() -> None:
    known = '<ul class="app-nav navbar-nav"><li>Workers</li></ul>'
    assert with_jobs_tab(known).index("Jobs") < with_jobs_tab(known).index("Workers")
    assert with_jobs_tab("<nav></nav>") == "<nav></nav>"
