"""Every command says what it does with an example; docs/cli.md and .env.example have everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from db.settings import Settings
from scheduler.cli.exits import ExitCode, code_sentences
from scheduler.cli.reference import cli_page, commands, env_example

ROOT = Path(__file__).parents[2]
COMMANDS = dict(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_of_itself(name: str) -> None:
    text = " ".join((COMMANDS[name].help or "").split())
    assert f"Example: {name}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    command: Any = COMMANDS[name]
    for parameter in command.params:
        assert parameter.help, f"{name}: {parameter.name}"


def test_the_commands_are_those_that_the_documents_promise() -> None:
    promised = "render submit jobs status plan pause resume cancel retry skip approve priority voices verify worker"
    promised += " scheduler flower doctor"
    names = {f"voicefarm {word}" for word in promised.split()}
    assert names | {"voicefarm db upgrade", "voicefarm db current", "voicefarm consent revoke"} <= set(COMMANDS)


def test_the_page_has_every_command_and_every_code() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == cli_page(), "run `make docs`"
    for name in COMMANDS:
        assert f"## {name}\n" in page
    for code in ExitCode:
        assert f"| {code.value} | {code_sentences()[code]} |" in page


def test_the_example_settings_have_every_setting() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert example == env_example(), "run `make docs`"
    for name in Settings.model_fields:
        assert f"#{name.upper()}=" in example or f"#VOICEFARM_{name.upper()}=" in example
    assert all(line.startswith("#") for line in example.splitlines() if line)


def test_help_does_not_import_what_it_does_not_need() -> None:
    code = (
        "import sys; sys.argv = ['voicefarm', '--help']\n"
        "from scheduler.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'celery', 'sqlalchemy', 'numpy', 'scipy', 'pydantic', 'kombu', 'tornado'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Exit codes" in done.stdout
