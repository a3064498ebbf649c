"""The database's schema."""

from __future__ import annotations

import typer

from scheduler.cli.common import HomeOption, JsonOption, database_url, echo_json, load_settings
from scheduler.cli.exits import ExitCode

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command()
def upgrade(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Make or upgrade the schema, and store the built-in voices. Safe to repeat, and from several machines at once.

    Example: voicefarm db upgrade
    """
    from db import migrate
    from db.session import make_engine
    from scheduler.local.voices import register_builtin_voices

    settings = load_settings(home)
    settings.home.mkdir(parents=True, exist_ok=True)
    with database_url(settings) as url:
        revision = migrate.upgrade(url)
        engine = make_engine(url, pool_size=1, application_name="voicefarm-cli")
        try:
            with engine.begin() as conn:
                count = register_builtin_voices(conn)
        finally:
            engine.dispose()
    if as_json:
        echo_json({"revision": revision, "voices": count})
    else:
        typer.echo(f"the schema is at revision {revision}; {count} built-in voices are stored")


@app.command()
def current(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show the database's revision and the one this version needs; exit 1 when they differ.

    Example: voicefarm db current
    """
    from db import schema

    with database_url(load_settings(home)) as url:
        found, wanted = schema.current(url), schema.REVISION
    if as_json:
        echo_json({"current": found, "wanted": wanted})
    elif found == wanted:
        typer.echo(f"the schema is at revision {found}, as this version needs")
    else:
        typer.echo(f"the schema is at revision {found or 'none'}, this version needs {wanted}: `voicefarm db upgrade`")
    if found != wanted:
        raise typer.Exit(ExitCode.NO)
