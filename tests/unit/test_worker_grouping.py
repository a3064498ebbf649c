"""Many small things made into few big ones."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from workers.grouping import Grouper


class Gate:
    """A handler that waits to be let through, and remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def __call__(self, batch: list[int]) -> None:
        self.batches.append(batch)
        self.entered.release()
        assert self.go.acquire(timeout=10)


def dead(error: BaseException) -> None:
    raise error


def grouper(handle: Callable[[list[int]], None], **options: object) -> Grouper[int]:
    made: Grouper[int] = Grouper("test", handle, on_death=dead, **options)  # type: ignore[arg-type]
    made.start()
    return made


def test_what_gathers_while_a_batch_is_handled_is_the_next_batch() -> None:
    gate = Gate()
    group = grouper(gate)
    group.put(1)
    assert gate.entered.acquire(timeout=10)
    group.put_all([2, 3])
    group.put(4)
    gate.go.release(2)
    assert group.close(10)
    assert gate.batches == [[1], [2, 3, 4]]


def test_a_batch_is_never_larger_than_the_limit() -> None:
    gate = Gate()
    gate.go.release(10)
    group = grouper(gate, limit=4)
    group.put_all(range(10))
    assert group.close(10)
    assert [len(batch) for batch in gate.batches] == [4, 4, 2]


def test_nothing_is_handed_over_without_room() -> None:
    room = [0]
    gate = Gate()
    gate.go.release(10)
    group = grouper(gate, room=lambda: room[0])
    group.put_all([1, 2, 3])
    assert not group.idle
    assert gate.batches == []
    room[0] = 2
    group.nudge()
    assert gate.entered.acquire(timeout=10)
    assert gate.batches[0] == [1, 2]
    room[0] = 9
    assert group.close(10)


def test_what_was_not_handed_over_can_be_taken_back() -> None:
    group = grouper(Gate(), room=lambda: 0)
    group.put_all([1, 2, 3])
    assert group.take_back() == [1, 2, 3]
    assert group.close(10)
    assert group.idle


def test_a_lone_item_is_handed_over_at_once_and_a_stream_in_lists() -> None:
    gate = Gate()
    gate.go.release(10)
    group = grouper(gate, pace_s=5.0, limit=3)
    group.put(1)
    assert gate.entered.acquire(timeout=4)
    for item in (2, 3, 4):
        group.put(item)
    assert gate.entered.acquire(timeout=4)
    assert gate.batches == [[1], [2, 3, 4]]
    group.put(5)
    assert group.close(4)
    assert gate.batches[2:] == [[5]]


def test_an_error_of_the_handler_is_given_to_its_owner() -> None:
    seen: list[BaseException] = []
    ended = threading.Event()

    def broken(batch: list[int]) -> None:
        raise ValueError("no")

    def on_death(error: BaseException) -> None:
        seen.append(error)
        ended.set()

    group: Grouper[int] = Grouper("test", broken, on_death=on_death)
    group.start()
    group.put(1)
    assert ended.wait(10)
    with pytest.raises(ValueError, match="no"):
        raise seen[0]
