"""Whatever the farm does in whatever order: counters are counts, trails replay, an attempt is accepted once."""

from __future__ import annotations

import random
from collections import Counter

import farm_rows as rows
import pytest
import sqlalchemy as sa
from farm_walk import MOVES, Walker, wrong

from db.queries import reaper

STEPS = 500


@pytest.mark.parametrize("seed", range(4))
def test_random_moves_keep_every_invariant(scratch, seed) -> None:
    farm = rows.add_farm(scratch, (4, 3, 1), review=True)
    walk = Walker(scratch, farm, rows.start_session(scratch), random.Random(seed))
    done: list[str] = []
    for _ in range(STEPS):
        done.append(walk.step())
        assert rows.counters_right(scratch), done
        if len(done) % 25 == 0:
            assert wrong(scratch) == [], done
    assert reaper.repair_counters(scratch) == 0
    assert wrong(scratch) == [], done
    assert len(Counter(done).keys() & MOVES.keys()) > len(MOVES) * 0.8  # the walk went nearly everywhere
    reached = set(scratch.scalars(sa.text("SELECT DISTINCT to_state FROM event WHERE entity = 'line'")))
    assert len(reached) >= 8, reached


@pytest.mark.parametrize("seed", range(90, 94))
def test_a_farm_left_alone_after_random_moves_finishes(scratch, seed) -> None:
    """Nothing that can happen leaves a job that cannot be finished."""
    farm = rows.add_farm(scratch, (4, 3, 2))
    session = rows.start_session(scratch)
    walk = Walker(scratch, farm, session, random.Random(seed))
    for _ in range(STEPS // 2):
        walk.step()
    scratch.execute(sa.text("UPDATE hold SET until = now()"))
    reaper.release_holds(scratch)
    rows.queued(scratch, 0)
    reaper.requeue_lost(scratch, -1)
    scratch.execute(sa.text("UPDATE worker_session SET ended_at = now()"))
    reaper.reap_sessions(scratch, 30)
    session = rows.start_session(scratch, name="gpu1@test")
    scratch.execute(sa.text("UPDATE section SET lease_until = now() - interval '1 s' WHERE state = 'assembling'"))
    scratch.execute(sa.text("UPDATE job SET lease_until = now() - interval '1 s' WHERE state = 'delivering'"))
    reaper.reap_post(scratch)
    rows.finish_everything(scratch, farm, session)
    assert rows.row(scratch, "job", farm.job_id).state == "delivered"
    assert wrong(scratch) == []
