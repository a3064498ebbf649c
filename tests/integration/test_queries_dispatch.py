"""Which lines are dispatched, in which order, and what their messages say."""

from __future__ import annotations

from collections import Counter

import farm_rows as rows
import pytest
import sqlalchemy as sa

from db.queries import _outbox, dispatch, lines, workers
from workers import contract


def sent(conn: sa.Connection) -> list[int]:
    """Lines in the order of their messages."""
    return [args[1] for args in rows.messages(conn, "voicefarm.line")]


def productions(conn: sa.Connection) -> list[int]:
    """Productions of the lines in the order of their messages."""
    of = {row.id: row.production_id for row in conn.execute(sa.text("SELECT id, production_id FROM line"))}
    return [of[line] for line in sent(conn)]


def test_lines_go_in_script_order_up_to_the_limit(scratch) -> None:
    farm = rows.add_farm(scratch, (3, 2))
    assert dispatch.dispatch(scratch, rows.ENGINE, 4) == 4
    assert sent(scratch) == list(farm.line_ids[:4])
    assert dispatch.dispatch(scratch, rows.ENGINE, 4) == 1
    assert dispatch.dispatch(scratch, rows.ENGINE, 4) == 0
    assert dispatch.dispatch(scratch, rows.ENGINE, 0) == 0


def test_the_message_is_the_contract_s(scratch) -> None:
    farm = rows.add_farm(scratch, (1,))
    dispatch.dispatch(scratch, rows.ENGINE, 1)
    message = scratch.execute(sa.text("SELECT * FROM outbox")).one()
    assert message.queue == contract.line_queue(rows.ENGINE)
    assert message.task == contract.LINE_TASK
    assert message.args == contract.LineMessage(farm.line_ids[0], 1).args()
    assert _outbox.MESSAGE_VERSION == contract.MESSAGE_VERSION


def test_the_label_says_where_the_line_is(scratch) -> None:
    farm = rows.add_farm(scratch, (1,) * 12)
    scratch.execute(sa.text("UPDATE production SET title = 'The Fables'"))
    scratch.execute(sa.text("UPDATE voice SET name = 'draft-en-2'"))
    scratch.execute(sa.text("UPDATE section SET title = '' WHERE position = 11"))
    dispatch.dispatch(scratch, rows.ENGINE, 100)
    labels = list(scratch.scalars(sa.text("SELECT label FROM outbox ORDER BY id")))
    assert labels[0] == "The Fables · 01 Chapter 0 · 1 · draft-en-2@1"
    assert labels[9] == "The Fables · 10 Chapter 9 · 1 · draft-en-2@1"
    assert labels[11] == "The Fables · 12 · 1 · draft-en-2@1"
    assert len(farm.line_ids) == len(labels)


def test_a_long_label_is_cut(scratch) -> None:
    rows.add_farm(scratch, (1,))
    scratch.execute(sa.text("UPDATE production SET title = repeat('long ', 100)"))
    dispatch.dispatch(scratch, rows.ENGINE, 1)
    assert scratch.scalar(sa.text("SELECT length(label) FROM outbox")) == dispatch.LABEL_LIMIT


def test_higher_priority_first(scratch) -> None:
    low = rows.add_farm(scratch, (3,), priority=10)
    high = rows.add_farm(scratch, (3,), priority=90)
    dispatch.dispatch(scratch, rows.ENGINE, 5)
    assert productions(scratch) == [high.production_id] * 3 + [low.production_id] * 2


def test_equals_take_turns(scratch) -> None:
    big, small = rows.add_farm(scratch, (50,)), rows.add_farm(scratch, (5,))
    dispatch.dispatch(scratch, rows.ENGINE, 12)
    assert productions(scratch)[:10] == [big.production_id, small.production_id] * 5


def test_what_is_in_flight_counts_for_the_turn(scratch) -> None:
    early = rows.add_farm(scratch, (50,))
    session = rows.start_session(scratch)
    rows.rendering(scratch, session, limit=6)
    late = rows.add_farm(scratch, (50,))
    dispatch.dispatch(scratch, rows.ENGINE, 10)
    assert Counter(productions(scratch)) == {late.production_id: 8, early.production_id: 2}


def test_loaded_voices_first_without_starving_the_others(scratch) -> None:
    farm = rows.add_farm(scratch, (8,))
    other = rows.add_voice(scratch, "warm")
    even = sa.text("UPDATE line SET voice_id = :voice WHERE position % 2 = 0")
    scratch.execute(even, {"voice": other})
    assert dispatch.dispatch(scratch, rows.ENGINE, 4, prefer_voices={"warm@1", "elsewhere@3"}) == 4
    assert sent(scratch) == list(farm.line_ids[::2])
    assert dispatch.dispatch(scratch, rows.ENGINE, 4, prefer_voices={"warm@1"}) == 4


def test_voice_preference_does_not_override_the_order_of_productions(scratch) -> None:
    high = rows.add_farm(scratch, (2,), priority=90)
    low = rows.add_farm(scratch, (2,), priority=10)
    label = scratch.scalar(sa.text("SELECT name || '@1' FROM voice WHERE id = :id"), {"id": low.voice_id})
    dispatch.dispatch(scratch, rows.ENGINE, 2, prefer_voices={label})
    assert productions(scratch) == [high.production_id] * 2


@pytest.mark.parametrize(
    "because",
    [
        "UPDATE production SET state = 'paused'",
        "UPDATE job SET state = 'cancelled'",
        "UPDATE consent SET revoked_at = now()",
        "UPDATE consent SET expires_at = now() - interval '1 s'",
        "DELETE FROM consent",
        "UPDATE line SET not_before = now() + interval '1 s'",
        "INSERT INTO hold (scope, key, reason, failure_class, until) "
        "SELECT 'voice', id::text, '', 'model_missing', now() + interval '1 min' FROM voice",
        "INSERT INTO hold (scope, key, reason, failure_class, until) "
        "VALUES ('store', '', '', 'store_full', now() + interval '1 min')",
        "UPDATE voice SET engine = 'other'",
    ],
)
def test_left_out(scratch, because) -> None:
    rows.add_farm(scratch, (2,))
    scratch.execute(sa.text(because))
    assert dispatch.dispatch(scratch, rows.ENGINE, 10) == 0


@pytest.mark.parametrize(
    "in_spite_of",
    [
        "UPDATE line SET not_before = now() - interval '1 s', alone = true",
        "INSERT INTO hold (scope, key, reason, failure_class, until) VALUES ('store', '', '', 'store_full', now())",
        "UPDATE consent SET expires_at = now() + interval '1 s'",
        "INSERT INTO consent (voice_id, kind, revoked_at) SELECT id, 'signed', now() FROM voice",
    ],
)
def test_not_left_out(scratch, in_spite_of) -> None:
    rows.add_farm(scratch, (2,))
    scratch.execute(sa.text(in_spite_of))
    assert dispatch.dispatch(scratch, rows.ENGINE, 10) == 2


def test_lines_left_out_do_not_hide_those_behind_them(scratch) -> None:
    farm = rows.add_farm(scratch, (200,))
    silent = rows.add_voice(scratch, "silent", consent=False)
    scratch.execute(sa.text("UPDATE line SET voice_id = :v WHERE position < 150"), {"v": silent})
    assert dispatch.dispatch(scratch, rows.ENGINE, 10) == 10
    assert sent(scratch) == list(farm.line_ids[150:160])


def test_engines_are_apart(scratch) -> None:
    rows.add_farm(scratch, (2,), engine="fake")
    rows.add_farm(scratch, (3,), engine="draft")
    assert dispatch.dispatch(scratch, "draft", 10) == 3
    assert dispatch.in_flight(scratch) == {"draft": 3}
    assert set(scratch.scalars(sa.text("SELECT queue FROM outbox"))) == {"voicefarm.lines.draft"}


def test_stale_lines_are_rendered_anew(scratch) -> None:
    farm = rows.add_farm(scratch, (2,))
    session = rows.start_session(scratch)
    rows.render_all(scratch, session)
    take = rows.row(scratch, "line", farm.line_ids[0]).take_id
    lines.mark_stale(scratch, farm.line_ids[:1])
    assert rows.row(scratch, "line", farm.line_ids[0]).take_id == take  # it is kept until there is a new one
    assert rows.render_all(scratch, session) == {farm.line_ids[0]}
    assert rows.row(scratch, "line", farm.line_ids[0]).take_id != take


def test_capacity_counts_live_line_workers(scratch) -> None:
    rows.start_session(scratch, capacity=8)
    rows.start_session(scratch, name="gpu1@test", capacity=4)
    rows.start_session(scratch, name="post@test", kind="post", capacity=2)
    gone = rows.start_session(scratch, name="gpu2@test", capacity=16)
    silent = rows.start_session(scratch, name="gpu3@test", capacity=32)
    workers.end(scratch, gone)
    scratch.execute(
        sa.text("UPDATE worker_session SET heartbeat_at = now() - interval '31 s' WHERE id = :id"), {"id": silent}
    )
    assert dispatch.capacity(scratch, 30) == {"fake": 12}
    assert dispatch.capacity(scratch, 60) == {"fake": 44}


def test_loaded_voices_by_engine(scratch) -> None:
    workers.beat(scratch, rows.start_session(scratch), ["a@1", "b@1"], {})
    workers.beat(scratch, rows.start_session(scratch, name="gpu1@test"), ["b@1", "c@2"], {})
    rows.start_session(scratch, name="gpu2@test")
    assert dispatch.loaded_voices(scratch, 30) == {"fake": {"a@1", "b@1", "c@2"}}
