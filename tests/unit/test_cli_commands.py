"""Exit codes and output of commands that need no server, run as people run them."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import commands
import numpy as np
import pytest
import soundfile
from script_samples import Book, page

from db.errors import DatabaseUnavailable, NotFound, StoreFull
from scheduler.cli.exits import ExitCode, explain
from scheduler.errors import VoiceUnknown
from scheduler.local.order import OrderError, parse_cast, slug_of
from synthesis.errors import AudioUnreadable
from workers.errors import NoDevice

STORY = """The Fox and the Crow

A crow sat in a tree with a piece of cheese in her beak. A fox saw her and wanted the cheese.

"What a noble bird I see above me!" said the fox. "Her beauty is without equal."

The crow opened her beak to sing, and the cheese fell down.
"""


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "fox.txt"
    path.write_text(STORY, encoding="utf-8")
    return path


def voicefarm(tmp_path: Path, *arguments: str, **settings: str) -> CompletedProcess[str]:
    given = {"VOICEFARM_HOME": str(tmp_path / "home"), **settings}
    return commands.voicefarm(*arguments, folder=tmp_path, env=commands.environment(**given))


def one_sentence(done: CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("voicefarm: ")
    return lines[0]


def test_plan_counts_without_any_server(tmp_path: Path, story: Path) -> None:
    done = voicefarm(tmp_path, "plan", str(story), "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["lines"] >= 4
    assert found["lines"] == sum(section["lines"] for section in found["sections"])
    assert found["lines"] == sum(who["lines"] for who in found["characters"])
    assert 5 < found["audio_s"] < 60
    assert found["voices_missing"] == []
    assert {who["voice"] for who in found["characters"]} >= {"draft-narrator@1"}
    assert not (tmp_path / "home").exists()


def test_plan_says_what_the_profile_asks_of_people(tmp_path: Path, story: Path) -> None:
    assert "human narration" in planned(tmp_path, story, "--profile", "acx")["profile_notice"]
    assert planned(tmp_path, story)["profile_notice"] == ""
    done = voicefarm(tmp_path, "plan", str(story), "--profile", "acx")
    assert "acx: ACX itself accepts human narration" in " ".join(done.stdout.split())


def test_plan_names_the_voices_that_are_missing(tmp_path: Path, story: Path) -> None:
    done = voicefarm(tmp_path, "plan", str(story), "--voice", "nobody", "--json")
    assert done.returncode == ExitCode.NO
    assert json.loads(done.stdout)["voices_missing"] == ["nobody"]


def planned(tmp_path: Path, file: Path, *options: str) -> dict[str, Any]:
    done = voicefarm(tmp_path, "plan", str(file), "--json", *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_encoding_that_is_named_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "cafe.txt"
    path.write_text("In the café there was a fox. The fox of the café was old.\n", encoding="utf-8")
    found = planned(tmp_path, path)["text_characters"]
    assert planned(tmp_path, path, "--encoding", "cp1252")["text_characters"] == found + 2  # each é is two bytes


def test_tables_are_read_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    rows = "".join(f"| The fox of day {day} | The grapes of day {day} |\n" for day in range(4))
    path.write_text(f"# Foxes\n\nA table of foxes follows here.\n\n| who | what |\n|---|---|\n{rows}", encoding="utf-8")
    skipped, read = (planned(tmp_path, path, "--tables", choice)["lines"] for choice in ("skip", "read"))
    assert read > skipped


def test_parts_left_out_by_default_are_read_when_named(tmp_path: Path) -> None:
    note = "<aside epub:type='footnote'><p>So it is told in the old book of the foxes.</p></aside>"
    book = Book(pages={"one.xhtml": page(f"<p>The fox ran off, and nobody saw him again.</p>{note}")})
    path = book.write(tmp_path / "notes.epub")
    assert planned(tmp_path, path, "--include", "footnote")["lines"] == planned(tmp_path, path)["lines"] + 1


@pytest.mark.parametrize("command", ["render", "submit", "plan"])
@pytest.mark.parametrize(
    ("option", "value"), [("--encoding", "klingon"), ("--tables", "perhaps"), ("--include", "footntoe")]
)
def test_every_way_in_takes_the_options_of_reading_and_refuses_what_they_do_not_mean(
    tmp_path: Path, story: Path, command: str, option: str, value: str
) -> None:
    unreachable = "postgresql://farm@127.0.0.1:1/farm"
    done = voicefarm(tmp_path, command, str(story), option, value, DATABASE_URL=unreachable)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert value in one_sentence(done)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("render", "gone.epub"), "gone.epub"),
        (("render", "empty.txt"), "empty.txt"),
        (("render", "broken.epub"), "broken.epub"),
        (("plan", "fox.txt", "--profile", "loud"), "loud"),
        (("plan", "fox.txt", "--cast", "FOX"), "NAME=VOICE"),
        (("plan", "fox.txt", "--engine", "gone"), "gone"),
        (("plan", "fox.txt", "--cast", "UNICORN=draft-1"), "UNICORN"),
        (("submit", "fox.txt"), "DATABASE_URL"),
        (("scheduler",), "BROKER_URL"),
        (("status", "nothing"), "no farm"),
        (("verify", "gone.mp3"), "gone.mp3"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    tmp_path: Path, story: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "empty.txt").write_text("\n \n", encoding="utf-8")
    (tmp_path / "broken.epub").write_bytes(b"PK\x03\x04 and nothing more")
    done = voicefarm(tmp_path, *arguments)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert words in one_sentence(done)
    assert not (tmp_path / "home").exists()


def test_a_wrong_option_is_code_2(tmp_path: Path) -> None:
    assert voicefarm(tmp_path, "render").returncode == ExitCode.USAGE
    assert voicefarm(tmp_path, "priority", "x", "101").returncode == ExitCode.USAGE


def test_a_wrong_setting_names_itself(tmp_path: Path) -> None:
    done = voicefarm(tmp_path, "jobs", VOICEFARM_POLL_S="soon")
    assert done.returncode == ExitCode.USAGE
    assert "poll_s" in one_sentence(done)


def test_an_unreachable_database_is_code_4(tmp_path: Path) -> None:
    done = voicefarm(tmp_path, "jobs", DATABASE_URL="postgresql://farm@127.0.0.1:1/farm")
    assert done.returncode == ExitCode.UNREACHABLE
    assert "database" in one_sentence(done)


def test_verify_without_any_title_says_where_to_look(tmp_path: Path) -> None:
    noise = np.random.default_rng(5).normal(0, 0.1, 24_000 * 3).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", noise, 24_000)
    done = voicefarm(tmp_path, "verify", "noise.wav")
    assert done.returncode == ExitCode.NO
    (sentence,) = done.stdout.splitlines()
    assert sentence.startswith(f"noise.wav: not found, for no title is registered in {tmp_path / 'home'}")
    assert "--home" in sentence
    assert not (tmp_path / "home").exists()
    told = json.loads(voicefarm(tmp_path, "verify", "noise.wav", "--json").stdout)
    assert (told["found"], told["titles"]) == (False, 0)
    (tmp_path / "text.mp3").write_text("not audio")
    assert voicefarm(tmp_path, "verify", "text.mp3").returncode == ExitCode.USAGE


def test_doctor_says_what_is_missing(tmp_path: Path) -> None:
    done = voicefarm(tmp_path, "doctor", "--json", BROKER_URL="amqp://guest:guest@127.0.0.1:1//")
    assert done.returncode == ExitCode.NO
    found = json.loads(done.stdout)
    checks = {check["name"]: check for check in found["checks"]}
    assert not found["ok"]
    assert not checks["broker"]["ok"]
    for name in ("python", "embedded postgres", "ffmpeg", "espeak-ng", "disk", "store", "database"):
        assert checks[name]["ok"], checks[name]
    quiet = voicefarm(tmp_path, "doctor", "--quiet", BROKER_URL="amqp://guest:guest@127.0.0.1:1//")
    assert quiet.stdout.startswith("MISSING  broker")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("job", 7), ExitCode.USAGE),
        (VoiceUnknown("x", ()), ExitCode.USAGE),
        (NoDevice("cuda:9"), ExitCode.USAGE),
        (AudioUnreadable("a.mp3", "no audio"), ExitCode.USAGE),
        (DatabaseUnavailable(3, 60.0, "gone"), ExitCode.UNREACHABLE),
        (StoreFull("key", "no space"), ExitCode.UNREACHABLE),
        (PermissionError(13, "Permission denied", "/x"), ExitCode.USAGE),
    ],
)
def test_each_tree_of_errors_has_its_code(error: Exception, code: ExitCode) -> None:
    known = explain(error)
    assert known is not None
    assert known[1] == code


def test_a_defect_of_ours_is_no_known_error() -> None:
    assert explain(KeyError("x")) is None


def test_names_are_made_from_titles() -> None:
    assert slug_of("The Fables of Æsop!", "x") == "the-fables-of-sop"
    assert slug_of("雪国", "yukiguni") == "yukiguni"
    assert slug_of("雪国", "雪").startswith("p-")
    assert slug_of("雪国", "雪") != slug_of("雪国", "国")
    assert len(slug_of("a b " * 60)) <= 60


def test_casts_are_pairs() -> None:
    assert parse_cast(["FOX=draft-2", " The Crow = draft-3"]) == {"FOX": "draft-2", "The Crow": "draft-3"}
    for bad in (["FOX"], ["=x"], ["FOX="], ["FOX=a", "FOX=b"]):
        with pytest.raises(OrderError):
            parse_cast(bad)


INK = """=== market ===
The market is open. #id:open
Ann: It is {mood} today.
* "Buy[."]," I said. -> market
Ben: Go home. -> END
"""


def test_script_ids_are_written_once_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "market.ink"
    path.write_text(INK, encoding="utf-8")
    checked = voicefarm(tmp_path, "script", "ids", str(path), "--check")
    assert checked.returncode == ExitCode.NO
    assert "2 of 3 lines have no id" in checked.stdout
    assert path.read_text(encoding="utf-8") == INK

    done = voicefarm(tmp_path, "script", "ids", str(path), "--json")
    assert done.returncode == ExitCode.OK, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["file"], found["lines"], found["written"]) == ("market.ink", 3, True)
    assert [(line["line"], line["text"]) for line in found["new"]] == [(4, '"Buy," I said.'), (5, "Ben: Go home.")]
    written = path.read_text(encoding="utf-8")
    for line in found["new"]:
        assert f"#id:{line['id']}" in written.splitlines()[line["line"] - 1]

    again = voicefarm(tmp_path, "script", "ids", str(path))
    assert again.returncode == ExitCode.OK
    assert "all 3 lines have ids" in again.stdout
    assert path.read_text(encoding="utf-8") == written
    assert voicefarm(tmp_path, "script", "ids", str(path), "--check").returncode == ExitCode.OK
    assert not (tmp_path / "home").exists()


def test_script_ids_takes_ink_alone(tmp_path: Path, story: Path) -> None:
    done = voicefarm(tmp_path, "script", "ids", str(story))
    assert done.returncode == ExitCode.USAGE
    assert "does not end in .ink" in one_sentence(done)
    assert story.read_text(encoding="utf-8") == STORY
