"""The hot statements stay on their partial indexes, however many lines there are and whatever the statistics say."""

from __future__ import annotations

import re
from collections.abc import Iterator

import farm_rows as rows
import pytest
import sqlalchemy as sa

from db.queries import dispatch, lines, reaper
from db.session import make_engine

PENDING = 50_000
DONE = 20_000


@pytest.fixture(scope="module")
def big(module_engine: sa.Engine) -> sa.Engine:
    """One long title pending, one long title done, a window of lines in flight."""
    with module_engine.begin() as conn:
        done = rows.add_farm(conn, (1000,) * (DONE // 1000))
        rows.add_farm(conn, (1000,) * (PENDING // 1000))
        conn.execute(
            sa.text("UPDATE line SET state = 'accepted', take_id = 1, attempt = 1 WHERE production_id = :id"),
            {"id": done.production_id},
        )
        conn.execute(
            sa.text("UPDATE section SET waiting = 0, state = 'assembled' WHERE job_id = :id"), {"id": done.job_id}
        )
        conn.execute(sa.text("UPDATE job SET waiting = 0, state = 'delivered' WHERE id = :id"), {"id": done.job_id})
        session = rows.start_session(conn)
        rows.rendering(conn, session, 32)
        dispatch.dispatch(conn, rows.ENGINE, 32)
    return module_engine


@pytest.fixture(scope="module", params=["before", "after"])
def planned(request, big) -> sa.Engine:
    """With the statistics of an empty table, as right after an import; then with those of this one."""
    if request.param == "after":
        with big.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("ANALYZE"))
    return big


@pytest.fixture
def conn(planned) -> Iterator[sa.Connection]:
    with planned.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def plan(conn: sa.Connection, statement: sa.TextClause, **values: object) -> str:
    return "\n".join(conn.scalars(sa.text(f"EXPLAIN {statement.text}"), values))


DISPATCH: dict[str, object] = {
    "engine": rows.ENGINE,
    "limit": 500,
    "look_ahead": 2000,
    "voices": [],
    "queue": "voicefarm.lines.fake",
    "actor": "scheduler",
}


def test_dispatch_walks_the_pending_index(conn) -> None:
    conn.execute(dispatch.WALK_INDEXES)
    shown = plan(conn, dispatch.DISPATCH, **DISPATCH)
    assert "ix_line_pending" in shown
    assert "ix_line_queued" in shown
    assert "ix_line_rendering" in shown
    assert "Seq Scan on line" not in shown


def test_dispatch_stops_reading_at_its_limit(conn) -> None:
    conn.execute(dispatch.WALK_INDEXES)
    shown = plan(conn, sa.text("(ANALYZE, TIMING OFF, BUFFERS OFF) " + dispatch.DISPATCH.text), **DISPATCH)
    walk = next(row for row in shown.splitlines() if "ix_line_pending" in row)
    found = re.search(r"actual rows=([\d.]+) loops=(\d+)", walk)
    assert found, shown
    assert float(found[1]) * int(found[2]) == DISPATCH["look_ahead"], shown


def test_what_is_in_flight_is_counted_on_the_partial_indexes(conn) -> None:
    conn.execute(dispatch.WALK_INDEXES)
    shown = plan(conn, dispatch.IN_FLIGHT)
    assert "Seq Scan" not in shown
    assert "Bitmap" not in shown


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (dispatch.REFRESH_STALE, {}, "ix_line_stale"),
        (reaper.REQUEUE, {"timeout_s": 60}, "ix_line_queued"),
        (reaper.ABANDONED, {}, "ix_line_rendering"),
        (reaper.RELEASE_HELD, {}, "ix_line_held"),
        (lines.RELEASE, {"ids": [1, 2], "attempts": [1, 1], "session": None}, "pk_line"),
        (lines.CLAIM, {"ids": [1, 2], "attempts": [1, 1], "session": None, "company": True}, "pk_line"),
        (lines.ACCEPT, {"takes": "[]", "session": None}, "pk_line"),
        (lines.FAIL, {"failures": "[]", "session": None}, "pk_line"),
    ],
    ids=["stale", "requeue", "abandoned", "held", "release", "claim", "accept", "fail"],
)
def test_no_move_reads_the_whole_table(conn, statement, values, index) -> None:
    shown = plan(conn, statement, **{"actor": "x", **values})
    assert index in shown
    assert "Seq Scan on line" not in shown


def test_the_plan_holds_for_a_prepared_statement(big) -> None:
    """psycopg prepares what it runs often, and the server then plans without knowing the values."""
    engine = make_engine(big.url.render_as_string(hide_password=False), pool_size=1)
    with engine.connect() as connection, connection.begin() as transaction:
        for _ in range(12):
            dispatch.dispatch(connection, rows.ENGINE, 20)
        generic = connection.scalar(
            sa.text("SELECT sum(generic_plans + custom_plans) FROM pg_prepared_statements WHERE statement LIKE :like"),
            {"like": "%candidate AS%"},
        )
        connection.execute(sa.text("SET LOCAL plan_cache_mode = force_generic_plan"))
        before = connection.scalar(sa.text("SELECT clock_timestamp()"))
        assert dispatch.dispatch(connection, rows.ENGINE, 20) == 20
        took = connection.scalar(sa.text("SELECT clock_timestamp()")) - before
        transaction.rollback()
    engine.dispose()
    assert generic, "the statement was never prepared"
    assert took.total_seconds() < 1.0  # a scan and sort of every pending line takes longer than that
