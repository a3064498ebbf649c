"""`voicefarm lexicon` on a real database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import sqlalchemy as sa
from commands import environment, voicefarm

from db.queries.lexicon import list_entries
from scheduler.cli.exits import ExitCode

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, database_url: str) -> Run:
    env = environment(VOICEFARM_HOME=str(tmp_path / "home"), DATABASE_URL=database_url)

    def command(*arguments: str) -> CompletedProcess[str]:
        return voicefarm("lexicon", *arguments, folder=tmp_path, env=env)

    return command


def answer(done: CompletedProcess[str], code: int = 0) -> Any:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_entries_are_added_changed_listed_and_removed(run: Run) -> None:
    added = answer(run("add", "SQL", "sequel", "--language", "en", "--json"))
    assert added["outcome"] == "added"
    again = answer(run("add", "SQL", "S Q L", "--language", "en", "--status", "draft", "--json"))
    assert again == {"id": added["id"], "outcome": "changed"}
    answer(
        run(
            "add",
            "重庆",
            "chóngqìng",
            "--alphabet",
            "x-pinyin",
            "--language",
            "zh",
            "--scope",
            "production",
            "--key",
            "a",
            "--json",
        )
    )
    listed = answer(run("list", "--json"))
    assert [(e["term"], e["reading"], e["scope"], e["status"]) for e in listed] == [
        ("SQL", "S Q L", "farm", "draft"),
        ("重庆", "chóngqìng", "production", "reviewed"),
    ]
    assert [e["term"] for e in answer(run("list", "--status", "draft", "--json"))] == ["SQL"]
    assert "SQL is removed" in run("remove", str(added["id"])).stdout
    gone = run("remove", str(added["id"]))
    assert gone.returncode == ExitCode.USAGE
    assert gone.stderr.count("\n") == 1
    assert "重庆" in run("list").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "重庆", "chong2", "--alphabet", "x-pinyin", "--language", "zh"), "another way"),
        (("add", "SQL", "a}b"), "another way"),
        (("add", "SQL", "sequel", "--scope", "voice"), "needs its key"),
        (("add", "SQL", "sequel", "--key", "x"), "takes no key"),
        (("add", "SQL", "sequel", "--language", "no such tongue"), "no language"),
        (("add", "SQL", "sequel", "--scope", "galaxy"), "galaxy"),
        (("import", "missing.csv"), "cannot be opened"),
        (("check", "missing.txt"), "cannot be opened"),
    ],
)
def test_what_cannot_be_used_is_refused(run: Run, engine: sa.Engine, arguments: tuple[str, ...], says: str) -> None:
    refused = run(*arguments)
    assert refused.returncode == ExitCode.USAGE
    assert says in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
    with engine.connect() as conn:
        assert list_entries(conn) == []


def test_files_go_in_and_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("term,reading,language,status\nSQL,sequel,en,reviewed\nURL,earl,en,\n,x,,\n")
    imported = run("import", "in.csv")
    assert imported.returncode == ExitCode.INCOMPLETE
    assert "2 added" in imported.stdout
    assert "line 4" in imported.stderr
    assert "1 are drafts" in imported.stderr
    assert answer(run("export", "out.csv", "--json")) == {"file": "out.csv", "entries": 2}
    assert (tmp_path / "out.csv").read_text() == (
        "term,reading,alphabet,language,scope,scope_key,status\n"
        "SQL,sequel,x-inline,en,farm,,reviewed\nURL,earl,x-inline,en,farm,,draft\n"
    )
    counts = answer(run("import", "out.csv", "--json"))
    assert counts == {"added": 0, "changed": 0, "unchanged": 2, "rejected": []}
    assert run("export", "out.pls", "--language", "en").returncode == 0
    answer(run("import", "out.pls", "--scope", "voice", "--key", "anna", "--json"))
    assert [entry["scope"] for entry in answer(run("list", "--json"))] == ["farm", "voice", "farm", "voice"]


def test_check_shows_the_lines_that_change_and_entries_in_doubt(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tale.txt").write_text(
        "The fox learnt SQL in a week, and told nobody.\n\nThe crow did not learn it at all.\n"
    )
    run("add", "SQL", "sequel", "--language", "en")
    run("add", "fox", "vox", "--scope", "production", "--key", "fables", "--status", "draft")
    plain = answer(run("check", "tale.txt", "--json"))
    assert [change["after"] for change in plain["changed"]] == [
        "The fox learnt {SQL|sequel} in a week, and told nobody."
    ]
    assert (plain["lines"], plain["doubts"]) == (2, [])
    (both,) = answer(run("check", "tale.txt", "--production", "fables", "--drafts", "--json"))["changed"]
    assert both["after"] == "The {fox|vox} learnt {SQL|sequel} in a week, and told nobody."
    assert both["place"] == "line 1"
    assert "1 of 2 lines" in run("check", "tale.txt").stdout
    run("add", "SQL", "S Q L")
    doubtful = run("check", "--json")
    assert answer(doubtful, ExitCode.NO)["doubts"][0]["term"] == "SQL"
