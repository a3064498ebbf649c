"""`voicefarm render` on one machine, as a person runs it: made, reused, changed, killed, interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import commands
import pytest
from farm import wait_until

from scheduler.scripts.dapt.findings import errors
from scheduler.scripts.dapt.validate import validate

CHAPTERS = 3
PARAGRAPHS = 6


def story(path: Path, *, changed: bool = False, paragraphs: int = PARAGRAPHS) -> Path:
    text = ["# The Long Walk", ""]
    for chapter in range(1, CHAPTERS + 1):
        text += [f"## Chapter {chapter}", ""]
        for number in range(1, paragraphs + 1):
            word = "sideways" if changed and (chapter, number) == (2, 3) else "onwards"
            text += [f"On day {chapter} they walked {word} for {number} hours, and nobody said a word about it.", ""]
    path.write_text("\n".join(text), encoding="utf-8")
    return path


class Desk:
    """A folder with a home, where commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith("VOICEFARM_")}
        for name in ("DATABASE_URL", "BROKER_URL"):
            kept.pop(name, None)
        self.environment = {**kept, "VOICEFARM_HOME": str(folder / "home")}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "scheduler.cli", *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # a run in the background of a shell ignores SIGINT, and its children would inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def ask(self, *arguments: str) -> str:
        """What a command prints that is not worth a process of its own."""
        done = commands.voicefarm(*arguments, folder=self.folder, env=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=110)
        log = self.folder / "home" / "logs" / "render.log"
        assert process.returncode == code, err + (log.read_text(encoding="utf-8")[-4000:] if log.exists() else "")
        return out

    def render(self, script: Path, *options: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.run("render", str(script), "-o", "out", "--formats", "flac,vtt", "--json", *options)
        )
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_made_then_reused_then_one_line_changed(desk: Desk) -> None:
    script = story(desk.folder / "walk.md")
    first = desk.render(script)
    assert first["complete"]
    assert first["failed"] == first["reused"] == 0
    assert first["lines"] >= CHAPTERS * PARAGRAPHS
    assert len(first["sections"]) == CHAPTERS
    kinds = [file["kind"] for file in first["files"]]
    assert kinds.count("flac") == kinds.count("vtt") == CHAPTERS
    assert {"report", "manifest"} <= set(kinds)
    assert all(Path(file["path"]).stat().st_size > 0 for file in first["files"])
    assert all(section["loudness_lufs"] == pytest.approx(-19, abs=1) for section in first["sections"])

    tracks = {file["path"]: file["sha256"] for file in first["files"] if file["kind"] == "flac"}
    again = desk.render(script)
    assert again["complete"]
    assert again["job_id"] == first["job_id"]
    assert {file["path"]: file["sha256"] for file in again["files"] if file["kind"] == "flac"} == tracks
    assert again["elapsed_s"] < 20

    changed = desk.render(story(script, changed=True))
    assert changed["complete"]
    assert changed["reused"] == changed["lines"] - 1
    moved = {file["path"] for file in changed["files"] if tracks.get(file["path"], file["sha256"]) != file["sha256"]}
    assert len(moved) == 1
    assert "2" in Path(moved.pop()).name

    listed = json.loads(desk.ask("jobs", "--json"))
    assert [job["state"] for job in listed] == ["delivered", "delivered"]
    shown = json.loads(desk.ask("status", first["slug"], "--lines", "--json"))
    assert len(shown["lines"]) == first["lines"]
    assert "delivered" in desk.ask("status", first["slug"])

    flac = next(file["path"] for file in changed["files"] if file["kind"] == "flac")
    verdict = json.loads(desk.ask("verify", flac, "--json"))
    assert verdict["found"]
    assert verdict["production"] == first["slug"]
    assert verdict["made_at"]
    assert verdict["score"] > verdict["threshold"]


def test_a_dub_is_read_as_before_when_it_is_updated_and_delivered_with_its_script(desk: Desk) -> None:
    header = "cue,wer,was,tc\n"
    rows = ["R1-1,ANNA,Guten Tag.,00:00:01:12", "R1-2,BEN,Nein.,00:00:04:00"]
    (desk.folder / "map.yaml").write_text("columns: {id: cue, character: wer, text: was, in: tc}\n", encoding="utf-8")
    (desk.folder / "dub.csv").write_text(header + "\n".join(rows), encoding="utf-8")
    given = ("--map", "map.yaml", "--fps", "25", "--language", "de", "--kind", "dubbing", "--title", "Dub")
    first = desk.render(desk.folder / "dub.csv", *given)
    assert {"dapt", "sheet"} <= {file["kind"] for file in first["files"]}
    (desk.folder / "map.yaml").unlink()
    again = [rows[0], rows[1].replace("Nein.", "Doch!"), "R1-3,ANNA,,00:00:06:00"]
    (desk.folder / "v2.csv").write_text(header + "\n".join(again), encoding="utf-8")
    said = desk.run("update", "dub", "v2.csv", "--rejects", "left-out.csv")
    assert "to render: 1 lines" in said
    assert "is stored" not in said
    assert "dapt" in said
    assert "Dub: 2 lines, 1 tracks" in said
    assert "row 4" in (desk.folder / "left-out.csv").read_text(encoding="utf-8-sig")
    script = (desk.folder / "out" / "script.dapt.ttml").read_bytes()
    assert errors(validate(script, "script.dapt.ttml")) == ()
    text = script.decode("utf-8")
    assert "Doch!" in text
    assert 'begin="1.48s"' in text
    assert "AI voice, " in text


def test_killed_in_the_middle_it_continues(desk: Desk) -> None:
    script = story(desk.folder / "walk.md", paragraphs=24)
    process = desk.start("render", str(script), "-o", "out", "--formats", "flac,vtt", "--json")
    takes = desk.folder / "home" / "store"
    wait_until(lambda: len(list(takes.rglob("*.flac"))) >= 20, "twenty takes in the store", 60)
    process.kill()
    process.communicate(timeout=30)
    assert not (desk.folder / "out" / "manifest.json").exists()
    done = desk.render(script)
    assert done["complete"]
    assert done["resumed"]
    assert done["failed"] == 0
    assert done["elapsed_s"] < 60  # no lease had to run out


def test_interrupted_it_stops_in_good_order_and_continues(desk: Desk) -> None:
    script = story(desk.folder / "walk.md", paragraphs=24)
    process = desk.start("render", str(script), "-o", "out", "--formats", "flac,vtt")
    takes = desk.folder / "home" / "store"
    wait_until(lambda: len(list(takes.rglob("*.flac"))) >= 5, "five takes in the store", 60)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command continues" in err
    assert "Traceback" not in err
    done = desk.render(script)
    assert done["complete"]
    assert done["failed"] == 0


def test_a_flagged_take_waits_for_a_person_and_is_delivered_when_approved(desk: Desk) -> None:
    script = desk.folder / "short.md"
    script.write_text("# Short\n\n## One\n\nNobody said a word about it.\n\n{dur=9000} Hi.\n", encoding="utf-8")
    order = ("render", str(script), "-o", "out", "--engine", "fake", "--formats", "flac", "--review")
    waiting = json.loads(desk.run(*order, "--json", code=3))
    assert not waiting["complete"]
    lines = json.loads(desk.ask("status", waiting["slug"], "--lines", "--json"))["lines"]
    flagged = [line for line in lines if line["state"] == "rendered"]
    assert len(flagged) == 1
    assert not (desk.folder / "out" / "manifest.json").exists()
    process = desk.start(*order)
    _, told = process.communicate(timeout=110)
    assert f"voicefarm approve {flagged[0]['line_id']}" in told
    desk.ask("approve", str(flagged[0]["line_id"]))
    done = json.loads(desk.run(*order, "--json"))
    assert done["complete"]
    assert (desk.folder / "out" / "manifest.json").exists()


def test_two_renders_on_one_home_take_turns_or_are_told(desk: Desk) -> None:
    first, second = story(desk.folder / "walk.md", paragraphs=20), story(desk.folder / "stroll.md")
    running = desk.start("render", str(first), "-o", "out", "--formats", "flac", "--json")
    wait_until(lambda: (desk.folder / "home" / "store").exists(), "the first render at work", 60)
    other = desk.start("render", str(second), "-o", "out2", "--formats", "flac", "--slug", "stroll", "--json")
    _, complaint = other.communicate(timeout=100)
    made, error = running.communicate(timeout=100)
    assert running.returncode == 0, error
    assert json.loads(made)["complete"]
    if other.returncode:
        assert "another" in complaint
        assert "Traceback" not in complaint
    assert json.loads(desk.run("render", str(second), "-o", "out2", "--formats", "flac", "--slug", "stroll", "--json"))[
        "complete"
    ]


def test_a_bad_script_leaves_nothing_behind(desk: Desk) -> None:
    bad = desk.folder / "bad.epub"
    bad.write_bytes(b"PK\x03\x04not really")
    desk.run("render", str(bad), "-o", "out", code=2)
    assert not (desk.folder / "home").exists()
    assert not (desk.folder / "out").exists()
