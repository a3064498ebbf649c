"""The cycle collector is held back for the length of a block, and left as it was."""

from __future__ import annotations

import gc

import pytest

from scheduler.collector import held_back


def test_it_is_held_back_inside_and_runs_again_behind() -> None:
    assert gc.isenabled()
    with held_back():
        assert not gc.isenabled()
        with held_back():
            assert not gc.isenabled()
        assert not gc.isenabled()  # the inner block is not the one that held it back
    assert gc.isenabled()


def test_an_error_inside_does_not_leave_it_off() -> None:
    with pytest.raises(KeyError), held_back():
        raise KeyError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with held_back():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
