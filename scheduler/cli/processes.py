"""The long-running processes of a farm: worker, scheduler, Flower."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli.common import HomeOption, load_settings
from scheduler.cli.exits import ExitCode


def worker(
    device: Annotated[
        str, typer.Option("--device", "--devices", help="cpu, cuda:0, a list of them, or all: one process per GPU.")
    ] = "cpu",
    engine: Annotated[str, typer.Option("--engine", help="The engine that renders.")] = "draft",
    capacity: Annotated[
        int | None, typer.Option("--capacity", min=1, help="Lines in the engine at once; the engine's own by default.")
    ] = None,
    post: Annotated[bool, typer.Option("--post", help="Assemble, master and deliver instead of rendering.")] = False,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Processes of a post worker.")] = 1,
    name: Annotated[
        str | None, typer.Option("--name", help="Name on the farm; by device and host if left out.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Run a worker until SIGTERM: it renders lines on a device, or with --post makes tracks and deliverables.

    Example: voicefarm worker --device cuda:0 --engine draft
    """
    settings = load_settings(home, process=True)
    if post:
        from workers.runtime import run_post_worker

        raise typer.Exit(run_post_worker(settings, concurrency=concurrency, name=name))
    from workers.devices import choose_devices

    devices = choose_devices(device)
    if len(devices) > 1 or device == "all":
        from workers.devices import worker_name
        from workers.supervisor import ChildSpec, supervise

        raise typer.Exit(
            supervise([ChildSpec(worker_name(one), _child_command(one, engine, capacity, home)) for one in devices])
        )
    from workers.runtime import run_line_worker

    raise typer.Exit(run_line_worker(settings, engine=engine, device=devices[0], capacity=capacity, name=name))


def scheduler(home: HomeOption = None) -> None:
    """Run a scheduler until SIGTERM. One is active; a second stands by and takes over when the first is gone.

    Example: voicefarm scheduler
    """
    import signal
    import threading

    from db import schema
    from scheduler.loop import Scheduler
    from workers.app import make_app

    settings = load_settings(home, process=True)
    if settings.database_url is None or settings.broker_url is None:
        typer.echo("voicefarm: a farm's scheduler needs DATABASE_URL and BROKER_URL; see .env.example", err=True)
        raise typer.Exit(ExitCode.USAGE)
    _await_schema(settings.database_url, schema.REVISION)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Scheduler(settings, settings.database_url, make_app(settings.broker_url)).run(stop)


def flower(
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port; 5555 by default.")] = None,
    address: Annotated[
        str, typer.Option("--address", help="Address to listen on; others than loopback need VOICEFARM_FLOWER_AUTH.")
    ] = "127.0.0.1",
    home: HomeOption = None,
) -> None:
    """Run Flower with the Jobs pages: progress, failed lines, listening, and buttons to retry, skip, pause, cancel.

    Example: voicefarm flower --port 5555
    """
    from scheduler import dashboard
    from scheduler.cli.common import database_url

    settings = load_settings(home, process=True)
    with database_url(settings) as url:
        dashboard.run(settings, url, port=settings.flower_port if port is None else port, address=address)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    for command in (worker, scheduler, flower):
        app.command()(command)


def _child_command(device: str, engine: str, capacity: int | None, home: Path | None) -> tuple[str, ...]:
    """The command of one supervised worker: the same one a person would type."""
    command = [sys.executable, "-m", "scheduler.cli", "worker", "--device", device, "--engine", engine]
    if capacity is not None:
        command += ["--capacity", str(capacity)]
    if home is not None:
        command += ["--home", str(home)]
    return tuple(command)


def _await_schema(url: str, wanted: str) -> None:
    """Refuse a schema this version was not written for; a database that is away is the scheduler's to wait for."""
    from db import schema
    from db.errors import SchemaOutdated
    from db.session import is_transient

    try:
        found = schema.current(url)
    except Exception as error:
        if is_transient(error):
            return
        raise
    if found != wanted:
        raise SchemaOutdated(found, wanted)
