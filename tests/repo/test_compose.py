"""The compose file: valid, pinned, without default passwords, and made of commands that exist."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def test_every_service_of_the_farm_is_there(compose: dict[str, Any]) -> None:
    assert {
        "postgres",
        "rabbitmq",
        "minio",
        "scheduler",
        "post-worker",
        "gpu-worker",
        "draft-worker",
        "flower",
    } <= set(compose["services"])


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        image = service["image"]
        assert ":" in image, name
        assert not image.endswith(":latest"), name


def test_servers_have_health_checks_and_are_waited_for(compose: dict[str, Any]) -> None:
    for name in ("postgres", "rabbitmq", "minio", "scheduler"):
        assert compose["services"][name]["healthcheck"]["test"], name
    assert compose["services"]["scheduler"]["depends_on"]["rabbitmq"]["condition"] == "service_healthy"
    assert compose["services"]["schema"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_no_password_has_a_default() -> None:
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if "PASSWORD" in line and "$" in line:
            assert ":?" in line, line
    marked = (ROOT / "dev.env").read_text(encoding="utf-8")
    assert marked.startswith("# DEVELOPMENT ONLY")


def test_gpu_worker_reserves_devices(compose: dict[str, Any]) -> None:
    devices = compose["services"]["gpu-worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]


def test_commands_exist_with_their_options(compose: dict[str, Any]) -> None:
    """Each command line is parsed by the real command line, up to the point where it would act."""
    from scheduler.cli import app

    root = get_command(app)
    for name, service in compose["services"].items():
        command = service.get("command", [])
        if not command or command[0] != "voicefarm":
            continue
        found: Any = root
        arguments = list(command[1:])
        while hasattr(found, "commands") and arguments and arguments[0] in found.commands:
            found = found.commands[arguments.pop(0)]
        assert found is not root, (name, command)
        known = {option for parameter in found.params for option in parameter.opts}
        for argument in arguments:
            if argument.startswith("--"):
                assert argument in known, (name, argument)


def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    tool = _compose_tool()
    if tool is None:
        pytest.skip("neither `docker compose` nor `docker-compose` is installed")
    command = [*tool, "--env-file", str(ROOT / "dev.env"), "-f", str(FILE), "config", "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=_bare_environment())
    assert done.returncode == 0, done.stderr
    (tmp_path / "empty.env").write_text("")
    refused = subprocess.run(
        [*tool, "--env-file", str(tmp_path / "empty.env"), "-f", str(FILE), "config", "-q"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=_bare_environment(),
    )
    assert refused.returncode != 0
    assert "set POSTGRES_PASSWORD" in refused.stderr


def _bare_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key in ("PATH", "HOME")}


def _compose_tool() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        if subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            return command
    return None
