"""A cloned voice on one machine, as a person does it: added, refused without consent, rendered by its name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import commands
import pytest
from nano_voice import TRANSCRIPT, Nano, nano_voice

SCRIPT = """# The River

## One

The water was low. Nobody had seen it so low before, and nobody said so.

"We cross tonight," she said.
"""


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Nano:
    return nano_voice(tmp_path_factory.mktemp("nano"))


def environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("VOICEFARM_") and not k.endswith("R_URL")}
    kept.pop("DATABASE_URL", None)
    return {**kept, "VOICEFARM_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}


def voicefarm(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in this process, which has torch already."""
    return commands.voicefarm(*arguments, folder=folder, env=environment(folder))


def voicefarm_process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scheduler.cli", *arguments],
        env=environment(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def add(folder: Path, nano: Nano, *more: str, ref: Path | None = None) -> subprocess.CompletedProcess[str]:
    models = ["--s1", str(nano.models.s1), "--s2", str(nano.models.s2), "--hubert", str(nano.models.hubert)]
    clip = ["--ref", str(ref or nano.clip.audio), "--ref-text", TRANSCRIPT, "--ref-lang", "en"]
    return voicefarm(folder, "voices", "add", "anna", *models, *clip, *more)


@pytest.mark.timeout(300)  # on a machine that may be busy
def test_added_refused_without_consent_then_rendered_by_its_name(nano: Nano, tmp_path: Path) -> None:
    script = tmp_path / "river.md"
    script.write_text(SCRIPT, encoding="utf-8")
    order = ["render", str(script), "-o", "out", "--formats", "flac", "--json", "--voice", "anna"]

    stored = add(tmp_path, nano)
    assert stored.returncode == 0, stored.stderr
    assert "no consent" in stored.stdout
    refused = voicefarm(tmp_path, *order)
    assert refused.returncode == 2, refused.stderr
    assert "anna" in refused.stderr
    assert "consent" in refused.stderr

    allowed = add(tmp_path, nano, "--consent", "signed", "--holder", "Anna Ito", "--evidence", "contracts/14.pdf")
    assert "anna@1 may be rendered" in allowed.stdout, allowed.stderr
    planned = voicefarm(tmp_path, "plan", str(script), "--voice", "anna", "--json")
    assert planned.returncode == 0, planned.stderr
    assert json.loads(planned.stdout)["voices_missing"] == []
    assert {who["voice"] for who in json.loads(planned.stdout)["characters"]} == {"anna@1"}
    missing = json.loads(voicefarm(tmp_path, "plan", str(script), "--voice", "nobody", "--json").stdout)
    assert missing["voices_missing"] == ["nobody"]
    done = voicefarm_process(tmp_path, *order)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["complete"]
    assert outcome["lines"] >= 3
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert {voice["voice"] for voice in manifest["voices"]} == {"anna@1"}
    assert any(Path(file["path"]).suffix == ".flac" for file in outcome["files"])


def test_a_voice_that_cannot_be_cloned_is_one_sentence(nano: Nano, tmp_path: Path) -> None:
    short = tmp_path / "short.wav"
    short.write_bytes(nano.clip.audio.read_bytes()[:60_000])
    for done in (add(tmp_path, nano, ref=short), add(tmp_path, nano, "--languages", "zh")):
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "roberta" in done.stderr
    assert not (tmp_path / "out").exists()
