"""Group commits, the fence, and a database that goes away."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

import psycopg
import pytest
import sqlalchemy as sa

from db.records import ClaimedLine, FailedLine, FinishedTake
from db.states import FailureClass
from workers.contract import LineMessage
from workers.failures import failed
from workers.ledger import BATCH, Ledger
from workers.outcome import Counters, Delivery, Held, Outcome, Session

Key = tuple[int, int]


def away() -> sa.exc.OperationalError:
    return sa.exc.OperationalError("SELECT", {}, psycopg.OperationalError("the server closed the connection"))


def claimed(line_id: int, attempt: int) -> ClaimedLine:
    return ClaimedLine(
        id=line_id, attempt=attempt, section_id=1, production_id=1, digest="d", spoken="x", language="en", seed=1,
        direction={}, alone=False, burnt=0, voice_id=1, voice_name="v", voice_version=1, voice_parameters={},
        voice_languages=("en",), consented=True, review=False,
    )  # fmt: skip


def take_of(line: ClaimedLine) -> FinishedTake:
    return FinishedTake(line.id, line.attempt, line.digest, "k", 1, 24_000, "v@1", "fake", "1", 1, (), 0)


class Table:
    """Lines as the database keeps them: queued until claimed, held by a session until settled."""

    def __init__(self, queued: Sequence[Key]) -> None:
        self.queued = set(queued)
        self.rendering: dict[Key, uuid.UUID] = {}
        self.accepted: set[Key] = set()
        self.failures: dict[Key, FailureClass] = {}
        self.claims: list[int] = []
        self.settlements: list[int] = []
        self.trouble: list[Exception] = []
        self.lose_answers = 0
        self.poison: int | None = None
        self.lonely: set[int] = set()
        self.lock = threading.Lock()

    def alone(self, messages: Sequence[Key]) -> set[int]:
        with self.lock:
            self._maybe_fail()
            return {line_id for line_id, _ in messages} & self.lonely

    def claim(self, messages: Sequence[Key], session: uuid.UUID, worker: str, *, company: bool) -> list[ClaimedLine]:
        with self.lock:
            self._maybe_fail()
            mine = [key for key in messages if key in self.queued and not (company and key[0] in self.lonely)]
            self.queued -= set(mine)
            self.rendering |= dict.fromkeys(mine, session)
            self.claims.append(len(messages))
            if self.lose_answers:
                self.lose_answers -= 1
                raise away()
            return [claimed(*key) for key in mine]

    def settle(
        self,
        takes: Sequence[FinishedTake],
        failures: Sequence[FailedLine],
        released: Sequence[Key],
        session: uuid.UUID,
        worker: str,
    ) -> set[int]:
        with self.lock:
            self._maybe_fail()
            if any(take.line_id == self.poison for take in takes):
                raise sa.exc.DataError("INSERT", {}, psycopg.DataError("out of range"))
            self.settlements.append(len(takes) + len(failures) + len(released))
            mine = {key for key, owner in self.rendering.items() if owner == session}
            taken = {(take.line_id, take.attempt) for take in takes} & mine
            broken = {(f.line_id, f.attempt): f.failure for f in failures if (f.line_id, f.attempt) in mine}
            self.accepted |= taken
            self.failures |= broken
            self.queued |= {(line_id, attempt + 1) for line_id, attempt in set(released) & mine}
            for key in (*taken, *broken, *(set(released) & mine)):
                self.rendering.pop(key)
            return {line_id for line_id, _ in (*taken, *broken)}

    def _maybe_fail(self) -> None:
        if self.trouble:
            raise self.trouble.pop()


class Desk:
    """A ledger whose held lines become takes at once, or when told to."""

    def __init__(self, table: Table, *, window: int = 10_000, at_once: bool = True, give_up_s: float = 30.0) -> None:
        self.table = table
        self.done: list[Key] = []
        self.held: list[Held] = []
        self.at_once = at_once
        self.counters = Counters()
        self.session = Session("cpu@test")
        self.deaths: list[BaseException] = []
        self.ledger = Ledger(
            table, self.session, self.counters, window=window, on_claimed=self.render, on_death=self.deaths.append,
            give_up_s=give_up_s,
        )  # fmt: skip

    def render(self, held: list[Held]) -> None:
        self.held += held
        if self.at_once:
            for one in held:
                self.finish(one)

    def finish(self, held: Held) -> None:
        self.ledger.settle(Outcome(held, take=take_of(held.line)))

    def deliver(self, key: Key) -> None:
        self.ledger.offer(Delivery(LineMessage(*key), lambda: self.done.append(key)))

    def wait_done(self, count: int) -> None:
        wait_until(lambda: len(self.done) >= count)


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def started() -> Iterator[Callable[[Desk], Desk]]:
    desks: list[Desk] = []

    def start(desk: Desk) -> Desk:
        desks.append(desk)
        desk.ledger.start()
        return desk

    yield start
    for desk in desks:
        desk.ledger.stop_claiming()
        assert desk.ledger.close(10)
        assert desk.deaths == []


def test_a_thousand_lines_are_settled_in_few_commits(started: Callable[[Desk], Desk]) -> None:
    keys = [(n, 1) for n in range(1000)]
    desk = Desk(Table(keys))
    for key in keys:
        desk.deliver(key)
    started(desk)
    desk.wait_done(1000)
    assert desk.table.accepted == set(keys)
    assert max(desk.table.claims) == BATCH
    assert len(desk.table.claims) < 20
    assert desk.counters.snapshot()["accepted"] == 1000


def test_every_message_is_acknowledged_once_and_doubles_are_superseded(started: Callable[[Desk], Desk]) -> None:
    keys = [(n, 1) for n in range(50)]
    desk = started(Desk(Table(keys)))
    for key in (*keys, *keys):
        desk.deliver(key)
    desk.wait_done(100)
    assert sorted(desk.done) == sorted([*keys, *keys])
    assert desk.table.accepted == set(keys)
    assert desk.counters.snapshot()["superseded"] == 50


def test_an_old_attempt_is_dropped(started: Callable[[Desk], Desk]) -> None:
    desk = started(Desk(Table([(1, 2)])))
    desk.deliver((1, 1))
    desk.wait_done(1)
    assert desk.held == []
    assert desk.table.queued == {(1, 2)}


def test_no_more_lines_are_held_than_the_window(started: Callable[[Desk], Desk]) -> None:
    keys = [(n, 1) for n in range(10)]
    desk = started(Desk(Table(keys), window=4, at_once=False))
    for key in keys:
        desk.deliver(key)
    wait_until(lambda: desk.ledger.held == 4)
    assert len(desk.table.queued) == 6
    desk.finish(desk.held[0])
    wait_until(lambda: len(desk.held) == 5)
    assert desk.ledger.held == 4
    desk.at_once = True
    for one in desk.held[1:5]:
        desk.finish(one)
    desk.wait_done(10)


def test_a_line_that_must_be_alone_is_claimed_when_nothing_else_is_held(started: Callable[[Desk], Desk]) -> None:
    desk = Desk(Table([(n, 1) for n in range(6)]), at_once=False)
    desk.table.lonely = {3, 4}
    for n in range(6):
        desk.deliver((n, 1))
    started(desk)
    wait_until(lambda: len(desk.held) == 4)
    assert {held.line.id for held in desk.held} == {0, 1, 2, 5}
    for held in desk.held[:4]:
        assert desk.table.queued == {(3, 1), (4, 1)}
        desk.finish(held)
    wait_until(lambda: len(desk.held) == 5)
    assert set(desk.table.rendering) == {(3, 1)}
    assert desk.table.queued == {(4, 1)}
    desk.finish(desk.held[4])
    wait_until(lambda: len(desk.held) == 6)
    assert set(desk.table.rendering) == {(4, 1)}
    desk.finish(desk.held[5])
    desk.wait_done(6)


def test_claims_wait_for_the_database(started: Callable[[Desk], Desk]) -> None:
    desk = Desk(Table([(1, 1)]))
    desk.table.trouble = [away(), away()]
    started(desk).deliver((1, 1))
    desk.wait_done(1)
    assert desk.table.accepted == {(1, 1)}


def test_a_finished_take_is_kept_until_the_database_is_back(started: Callable[[Desk], Desk]) -> None:
    desk = started(Desk(Table([(1, 1)]), at_once=False))
    desk.deliver((1, 1))
    wait_until(lambda: len(desk.held) == 1)
    desk.table.trouble = [away() for _ in range(4)]
    desk.finish(desk.held[0])
    desk.wait_done(1)
    assert desk.table.accepted == {(1, 1)}


def test_a_database_that_stays_away_leaves_the_line_to_the_reaper(started: Callable[[Desk], Desk]) -> None:
    desk = started(Desk(Table([(1, 1)]), at_once=False, give_up_s=0.3))
    desk.deliver((1, 1))
    wait_until(lambda: len(desk.held) == 1)
    desk.table.trouble = [away() for _ in range(1000)]
    desk.finish(desk.held[0])
    desk.wait_done(1)
    assert desk.table.accepted == set()
    assert desk.counters.snapshot()["lost"] == 1
    assert desk.ledger.held == 0
    desk.table.trouble.clear()


def test_a_claim_whose_answer_was_lost_is_given_back(started: Callable[[Desk], Desk]) -> None:
    desk = Desk(Table([(1, 1)]))
    desk.table.lose_answers = 1
    started(desk).deliver((1, 1))
    desk.wait_done(1)
    assert desk.table.rendering == {}, "nobody else would ever give it back: the session lives"
    assert desk.table.queued == {(1, 2)}


def test_one_take_the_database_refuses_does_not_take_others_with_it(started: Callable[[Desk], Desk]) -> None:
    keys = [(n, 1) for n in range(20)]
    desk = Desk(Table(keys))
    desk.table.poison = 7
    for key in keys:
        desk.deliver(key)
    started(desk)
    desk.wait_done(20)
    assert desk.table.accepted == set(keys) - {(7, 1)}
    assert desk.table.failures == {(7, 1): FailureClass.ENGINE_ERROR}


def test_a_line_of_an_ended_session_is_superseded(started: Callable[[Desk], Desk]) -> None:
    desk = started(Desk(Table([(1, 1), (2, 1)]), at_once=False))
    desk.deliver((1, 1))
    wait_until(lambda: len(desk.held) == 1)
    desk.table.rendering.clear()  # the reaper gave it to somebody else
    desk.session.renew(uuid.uuid4())
    desk.deliver((2, 1))
    wait_until(lambda: len(desk.held) == 2)
    assert {held.session == desk.session.id for held in desk.held} == {False, True}
    for held in desk.held:
        desk.finish(held)
    desk.wait_done(2)
    assert desk.table.accepted == {(2, 1)}
    assert desk.counters.snapshot()["superseded"] == 1


def test_failures_and_takes_share_a_commit(started: Callable[[Desk], Desk]) -> None:
    desk = started(Desk(Table([(1, 1), (2, 1)]), at_once=False))
    desk.deliver((1, 1))
    desk.deliver((2, 1))
    wait_until(lambda: len(desk.held) == 2)
    first, second = desk.held
    desk.finish(first)
    failure = failed(second.line, FailureClass.BAD_TEXT, "no")
    desk.ledger.settle(Outcome(second, failure=failure))
    desk.wait_done(2)
    assert desk.table.accepted == {(first.line.id, 1)}
    assert desk.table.failures == {(second.line.id, 1): FailureClass.BAD_TEXT}


def test_unclaimed_messages_are_returned_when_claiming_stops() -> None:
    desk = Desk(Table([(1, 1)]), window=0)
    desk.ledger.start()
    desk.deliver((1, 1))
    assert [delivery.message for delivery in desk.ledger.stop_claiming()] == [LineMessage(1, 1)]
    assert desk.ledger.close(10)
    assert desk.done == []
