"""The lexicon in the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from db import migrate
from db.errors import NotFound
from db.queries.lexicon import (
    LexiconEntry,
    import_entries,
    list_entries,
    put_entry,
    remove_entry,
    update_entry,
)

SQL = LexiconEntry("SQL", "sequel", language="en", status="reviewed")
CITY = LexiconEntry("重庆", "chong2 qing4", "x-pinyin", "zh", "production", "the-fables")


def plain(entry: LexiconEntry) -> LexiconEntry:
    return replace(entry, id=0, created_at=None)


def test_models_equal_migrations(database_url: str) -> None:
    assert [difference for difference in migrate.drift(database_url) if "lexicon" in difference] == []


def test_what_goes_in_comes_out(scratch: sa.Connection) -> None:
    number, outcome = put_entry(scratch, CITY)
    (found,) = list_entries(scratch)
    assert outcome == "added"
    assert plain(found) == CITY
    assert found.id == number
    assert found.created_at is not None


def test_the_same_term_in_the_same_scope_is_changed(scratch: sa.Connection) -> None:
    first, _ = put_entry(scratch, SQL)
    assert put_entry(scratch, SQL) == (first, "unchanged")
    assert put_entry(scratch, replace(SQL, reading="S Q L")) == (first, "changed")
    assert [entry.reading for entry in list_entries(scratch)] == ["S Q L"]


def test_other_scopes_and_languages_stand_beside_each_other(scratch: sa.Connection) -> None:
    for entry in (
        SQL,
        replace(SQL, language="de"),
        replace(SQL, scope="production", scope_key="a"),
        replace(SQL, scope="voice", scope_key="a"),
    ):
        assert put_entry(scratch, entry)[1] == "added"
    assert len(list_entries(scratch)) == 4
    assert [entry.scope for entry in list_entries(scratch, scope_key="a")] == ["production", "voice"]


def test_entries_are_found_by_what_they_are(scratch: sa.Connection) -> None:
    import_entries(scratch, [SQL, CITY])
    assert [entry.term for entry in list_entries(scratch)] == ["SQL", "重庆"]
    assert [entry.term for entry in list_entries(scratch, scope="production")] == ["重庆"]
    assert [entry.term for entry in list_entries(scratch, scope="production", scope_key="other")] == []
    assert [entry.term for entry in list_entries(scratch, status="reviewed")] == ["SQL"]
    assert [entry.term for entry in list_entries(scratch, language="zh")] == ["重庆"]
    assert [entry.term for entry in list_entries(scratch, term="SQL")] == ["SQL"]


def test_an_import_counts_what_it_did(scratch: sa.Connection) -> None:
    assert import_entries(scratch, [SQL, CITY]) == {"added": 2, "changed": 0, "unchanged": 0}
    again = [SQL, replace(CITY, status="reviewed"), replace(SQL, term="URL")]
    assert import_entries(scratch, again) == {"added": 1, "changed": 1, "unchanged": 1}


def test_an_entry_is_changed_in_part(scratch: sa.Connection) -> None:
    number, _ = put_entry(scratch, CITY)
    assert plain(update_entry(scratch, number, status="reviewed")) == replace(CITY, status="reviewed")
    assert update_entry(scratch, number, reading="zhong4 qing4").status == "reviewed"


def test_an_entry_is_removed_once(scratch: sa.Connection) -> None:
    number, _ = put_entry(scratch, SQL)
    assert plain(remove_entry(scratch, number)) == SQL
    assert list_entries(scratch) == []
    with pytest.raises(NotFound, match="lexicon entry"):
        remove_entry(scratch, number)
    with pytest.raises(NotFound):
        update_entry(scratch, number, reading="x")


@pytest.mark.parametrize(
    "entry",
    [
        replace(SQL, scope="production"),
        replace(SQL, scope_key="x"),
        replace(SQL, scope="galaxy", scope_key="x"),
        replace(SQL, status="perhaps"),
        replace(SQL, term=""),
        replace(SQL, reading=""),
    ],
)
def test_the_database_refuses_what_means_nothing(scratch: sa.Connection, entry: LexiconEntry) -> None:
    with pytest.raises(sa.exc.IntegrityError), scratch.begin_nested():
        put_entry(scratch, entry)


def test_two_imports_at_once_do_not_lock_up(engine: sa.Engine) -> None:
    entries = [replace(SQL, term=f"T{number}") for number in range(60)]

    def load(order: list[LexiconEntry]) -> None:
        with engine.begin() as conn:
            import_entries(conn, order)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(load, [entries, entries[::-1]] * 3))
    with engine.begin() as conn:
        assert len(list_entries(conn)) == 60
