"""Voices, consents, titles and watermark payloads."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import farm_rows as rows
import pytest
import sqlalchemy as sa
from plans import add_voice, make_plan
from sqlalchemy.exc import DBAPIError

from db.digest import voice_digest
from db.errors import BadPlan, NotFound
from db.failures import decide
from db.locks import SCHEDULER_LOCK, holds, try_lock, unlock
from db.notify import Listener, notify
from db.queries import lines, productions, reaper, voices, watermarks
from db.queries.holds import hold_store
from db.queries.imports import import_script
from db.records import FailedLine
from db.session import is_transient, make_engine
from db.states import FailureClass, ProductionState


@pytest.fixture
def conn(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.begin() as connection:
        yield connection


def upsert(conn: sa.Connection, **change: Any) -> int:
    values: dict[str, Any] = {
        "name": "draft-1",
        "version": 1,
        "engine": "draft",
        "engine_version": "1.52",
        "languages": ("en", "ja"),
        "parameters": {"pitch": 40},
        "description": "low",
        **change,
    }
    keys = ("name", "version", "engine", "engine_version", "parameters")
    return voices.upsert_voice(conn, **values, digest=voice_digest(**{key: values[key] for key in keys}))


class TestVoices:
    def test_what_goes_in_comes_out(self, conn: sa.Connection) -> None:
        voice_id = upsert(conn)
        voice = voices.get_voice(conn, "draft-1")
        assert (voice.id, voice.label, voice.engine, voice.live) == (voice_id, "draft-1@1", "draft", False)
        assert voice.languages == ("en", "ja")
        assert voice.parameters == {"pitch": 40}

    def test_registering_again_changes_nothing_that_can_be_heard(self, conn: sa.Connection) -> None:
        first = upsert(conn)
        assert upsert(conn, languages=("en",), description="deep") == first
        voice = voices.get_voice(conn, "draft-1")
        assert (voice.version, voice.languages, voice.description) == (1, ("en",), "deep")

    def test_another_sound_is_another_version(self, conn: sa.Connection) -> None:
        first = upsert(conn)
        second = upsert(conn, parameters={"pitch": 41})
        assert second != first
        assert voices.get_voice(conn, "draft-1").version == 2
        assert voices.get_voice(conn, "draft-1", 1).parameters == {"pitch": 40}
        assert upsert(conn, parameters={"pitch": 41}) == second
        assert upsert(conn) == first

    def test_lists_the_newest_of_each(self, conn: sa.Connection) -> None:
        upsert(conn)
        upsert(conn, parameters={"pitch": 1})
        upsert(conn, name="a-voice", engine="fake")
        assert [voice.label for voice in voices.list_voices(conn)] == ["a-voice@1", "draft-1@2"]
        assert [voice.label for voice in voices.list_voices(conn, "draft")] == ["draft-1@2"]
        assert voices.list_voices(conn, "none") == []

    def test_unknown(self, conn: sa.Connection) -> None:
        upsert(conn)
        with pytest.raises(NotFound):
            voices.get_voice(conn, "nobody")
        with pytest.raises(NotFound, match="draft-1@9"):
            voices.get_voice(conn, "draft-1", 9)
        with pytest.raises(NotFound):
            voices.revoke_consent(conn, 4711)

    def test_many_workers_register_at_once(self, engine: sa.Engine) -> None:
        def register(_: int) -> int:
            with engine.begin() as conn:
                return add_voice(conn)

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(register, range(16)))) == 1
        with engine.connect() as conn:
            assert conn.scalar(sa.text("SELECT count(*) FROM consent")) == 1


class TestConsent:
    def test_makes_a_voice_live_until_revoked(self, conn: sa.Connection) -> None:
        voice_id = upsert(conn)
        voices.ensure_consent(conn, voice_id, "synthetic")
        assert voices.get_voice(conn, "draft-1").live
        assert voices.revoke_consent(conn, voice_id) == 1
        assert not voices.get_voice(conn, "draft-1").live
        assert voices.revoke_consent(conn, voice_id) == 0

    def test_a_worker_that_starts_again_does_not_undo_a_revocation(self, conn: sa.Connection) -> None:
        voice_id = upsert(conn)
        first = voices.ensure_consent(conn, voice_id, "synthetic")
        voices.revoke_consent(conn, voice_id)
        assert voices.ensure_consent(conn, voice_id, "synthetic") == first
        assert not voices.get_voice(conn, "draft-1").live

    def test_a_new_paper_makes_it_live_again(self, conn: sa.Connection) -> None:
        voice_id = upsert(conn)
        voices.ensure_consent(conn, voice_id, "signed", "A. Speaker", "contract 1")
        voices.revoke_consent(conn, voice_id)
        voices.ensure_consent(conn, voice_id, "signed", "A. Speaker", "contract 2")
        assert voices.list_voices(conn)[0].live

    def test_lines_held_for_want_of_one_go_on_with_it(self, conn: sa.Connection) -> None:
        farm = rows.add_farm(conn, (2,))
        other = rows.add_farm(conn, (1,))
        session = rows.start_session(conn)
        for held in (farm, other):
            voices.revoke_consent(conn, held.voice_id)
        hold_for_consent(conn, session, [*farm.line_ids, *other.line_ids])
        voices.ensure_consent(conn, farm.voice_id, "synthetic")  # the one that was revoked
        assert rows.line_states(conn, farm.line_ids) == ["held", "held"]
        voices.ensure_consent(conn, farm.voice_id, "signed", "A. Speaker", "contract")
        assert rows.line_states(conn, farm.line_ids) == ["pending", "pending"]
        assert rows.line_states(conn, other.line_ids) == ["held"]
        assert conn.scalars(sa.text("SELECT key FROM hold")).all() == [str(other.voice_id)]
        assert {line for line, _ in rows.queued(conn)} == set(farm.line_ids)

    def test_a_hold_placed_just_after_the_consent_ends_by_itself(self, conn: sa.Connection) -> None:
        farm = rows.add_farm(conn, (1,))
        hold_for_consent(conn, rows.start_session(conn), farm.line_ids)
        assert reaper.release_holds(conn) == 1
        assert rows.line_states(conn, farm.line_ids) == ["pending"]
        assert conn.scalar(sa.text("SELECT count(*) FROM hold")) == 0

    def test_a_full_store_still_holds_them(self, conn: sa.Connection) -> None:
        farm = rows.add_farm(conn, (1,))
        voices.revoke_consent(conn, farm.voice_id)
        hold_for_consent(conn, rows.start_session(conn), farm.line_ids)
        hold_store(conn, "no space")
        voices.ensure_consent(conn, farm.voice_id, "signed", "A. Speaker", "contract")
        assert rows.line_states(conn, farm.line_ids) == ["held"]
        assert conn.scalars(sa.text("SELECT scope FROM hold")).all() == ["store"]

    @pytest.mark.parametrize(("days", "live"), [(1, True), (-1, False)])
    def test_expires(self, conn: sa.Connection, days: int, live: bool) -> None:
        voice_id = upsert(conn)
        voices.ensure_consent(conn, voice_id, "licence", expires_at=datetime.now(UTC) + timedelta(days=days))
        assert voices.get_voice(conn, "draft-1").live is live

    def test_kinds(self, engine: sa.Engine) -> None:
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as conn:
            voices.ensure_consent(conn, upsert(conn), "hearsay")


def hold_for_consent(conn: sa.Connection, session: uuid.UUID, line_ids: Sequence[int]) -> None:
    """What a worker does with lines whose voice had no live consent when it claimed them."""
    conn.execute(
        sa.text("UPDATE line SET state = 'rendering', attempt = 1, session_id = :session WHERE id = ANY(:ids)"),
        {"session": session, "ids": list(line_ids)},
    )
    kind = FailureClass.CONSENT_REVOKED
    failures = [FailedLine(line_id, 1, kind, "no live consent", decide(kind, 0)) for line_id in line_ids]
    assert lines.fail(conn, failures, session, rows.WORKER) == set(line_ids)


class TestProductions:
    def test_listed_by_urgency(self, conn: sa.Connection) -> None:
        voice = add_voice(conn)
        for slug, priority in (("b", 50), ("a", 50), ("urgent", 90)):
            import_script(conn, make_plan(voice, [["x"]], slug=slug, priority=priority))
        assert [title.slug for title in productions.list_productions(conn)] == ["urgent", "a", "b"]
        productions.set_priority(conn, "b", 100)
        assert productions.list_productions(conn)[0].slug == "b"

    def test_pause_and_resume(self, conn: sa.Connection) -> None:
        import_script(conn, make_plan(add_voice(conn), [["x"]]))
        for state in (ProductionState.PAUSED, ProductionState.PAUSED, ProductionState.ACTIVE):
            productions.set_state(conn, "the-fables", state)
            assert productions.get_by_slug(conn, "the-fables").state == state
        trail = conn.execute(sa.text("SELECT from_state, to_state FROM event WHERE entity = 'production' ORDER BY id"))
        assert [tuple(row) for row in trail] == [("active", "paused"), ("paused", "active")]

    def test_importing_again_keeps_it_paused(self, conn: sa.Connection) -> None:
        plan = make_plan(add_voice(conn), [["x"]])
        import_script(conn, plan)
        productions.set_state(conn, plan.slug, ProductionState.PAUSED)
        import_script(conn, dataclasses.replace(plan, digest="another"))
        assert productions.get_by_slug(conn, plan.slug).state == "paused"

    def test_unknown_and_out_of_range(self, conn: sa.Connection) -> None:
        import_script(conn, make_plan(add_voice(conn), [["x"]]))
        with pytest.raises(NotFound):
            productions.get_by_slug(conn, "nothing")
        with pytest.raises(NotFound):
            productions.set_state(conn, "nothing", ProductionState.PAUSED)
        with pytest.raises(NotFound):
            productions.set_priority(conn, "nothing", 1)
        with pytest.raises(BadPlan):
            productions.set_priority(conn, "the-fables", -1)


class TestWatermarks:
    def test_a_payload_names_its_file(self, conn: sa.Connection) -> None:
        result = import_script(conn, make_plan(add_voice(conn), [["x"]]))
        payloads = {watermarks.allocate(conn, result.production_id, f"file {n}") for n in range(50)}
        assert len(payloads) == 50
        assert all(0 < payload < 2**32 for payload in payloads)
        payload = watermarks.allocate(conn, result.production_id, "The Fables, 03")
        found = watermarks.lookup(conn, payload)
        assert found is not None
        assert (found["production"], found["deliverable"]) == ("the-fables", "The Fables, 03")
        assert isinstance(found["made_at"], datetime)
        assert watermarks.lookup(conn, 0) is None

    def test_every_title_has_a_key_of_its_own(self, conn: sa.Connection) -> None:
        voice = add_voice(conn)
        for slug in ("a", "b"):
            import_script(conn, make_plan(voice, [["x"]], slug=slug, title=slug))
        keys = watermarks.title_keys(conn)
        assert [title for _, title, _ in keys] == ["a", "b"]
        assert len({key for _, _, key in keys}) == 2
        assert all(len(key) == 16 for _, _, key in keys)


class TestLocks:
    def test_one_scheduler_at_a_time(self, engine: sa.Engine) -> None:
        with engine.connect() as first, engine.connect() as second:
            assert try_lock(first, SCHEDULER_LOCK)
            assert holds(first, SCHEDULER_LOCK)
            assert not try_lock(second, SCHEDULER_LOCK)
            assert not holds(second, SCHEDULER_LOCK)
            assert unlock(first, SCHEDULER_LOCK)
            assert try_lock(second, SCHEDULER_LOCK)
            unlock(second, SCHEDULER_LOCK)

    def test_a_lost_connection_gives_the_lock_back(self, engine: sa.Engine) -> None:
        with engine.connect() as first, engine.connect() as second:
            assert try_lock(first, SCHEDULER_LOCK)
            pid = first.scalar(sa.text("SELECT pg_backend_pid()"))
            # waits until the backend is gone
            assert second.scalar(sa.text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
            assert try_lock(second, SCHEDULER_LOCK)
            unlock(second, SCHEDULER_LOCK)
            with pytest.raises(sa.exc.OperationalError):
                holds(first, SCHEDULER_LOCK)


class TestNotify:
    def test_a_hint_arrives_when_its_transaction_commits(self, engine: sa.Engine, database_url: str) -> None:
        with Listener(database_url) as listener:
            assert listener.wait(5), "for what happened before"
            assert not listener.wait(0)
            with engine.begin() as conn:
                for _ in range(3):
                    notify(conn)
                assert not listener.wait(0)
            assert listener.wait(5)
            assert not listener.wait(0), "hints that came together are one"

    def test_a_rolled_back_hint_never_comes(self, engine: sa.Engine, database_url: str) -> None:
        with Listener(database_url) as listener:
            listener.wait(5)
            with engine.connect() as conn:
                notify(conn)
                conn.rollback()
            assert not listener.wait(0.1)

    def test_a_lost_connection_is_no_hint_and_comes_back(self, engine: sa.Engine, database_url: str) -> None:
        with Listener(database_url) as listener:
            listener.wait(5)
            with engine.connect() as conn:
                conn.execute(
                    sa.text(
                        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                        "WHERE application_name = 'voicefarm-listen' AND datname = current_database()"
                    )
                )
            assert not listener.wait(0.1)
            assert listener.wait(5), "connected again: there may have been something meanwhile"
            with engine.begin() as conn:
                notify(conn)
            assert listener.wait(5)

    def test_nobody_there(self) -> None:
        with Listener("postgresql://x@/x?host=/nowhere") as listener:
            assert not listener.wait(0.05)


def test_a_process_with_a_lease_keeps_no_row_longer_when_it_stops(database_url: str) -> None:
    engine = make_engine(database_url, lease_s=0.2)
    with engine.connect() as conn:
        conn.execute(sa.text("SELECT 1"))
        time.sleep(0.6)
        with pytest.raises(DBAPIError, match="idle-in-transaction") as ended:
            conn.execute(sa.text("SELECT 1"))
    assert is_transient(ended.value)
    assert is_transient(ended.value.orig), "as COPY raises it"
    engine.dispose()


def test_an_engine_limits_locks_statements_and_idleness(database_url: str) -> None:
    url = sa.make_url(database_url).update_query_dict({"options": "-c statement_timeout=7s"})
    engine = make_engine(url.render_as_string(hide_password=False), application_name="me")
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "TimeZone", "application_name")
    with engine.connect() as conn:
        found = [conn.scalar(sa.text(f"SHOW {name}")) for name in names]
        level = conn.scalar(sa.text("SHOW transaction_isolation"))
    engine.dispose()
    assert found == ["5s", "7s", "1min", "UTC", "me"]
    assert level == "read committed"
