"""The pages made from the command line and the settings: docs/cli.md and .env.example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scheduler.cli.exits import code_sentences


def commands(group: Any = None, prefix: str = "voicefarm") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, groups opened, in the order of the help."""
    if group is None:
        from typer.main import get_command

        from scheduler.cli.main import app

        group = get_command(app)
    for name, command in group.commands.items():
        full = f"{prefix} {name}"
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield full, command
            yield from commands(command, full)
        else:
            yield full, command


def cli_page() -> str:
    """The text of docs/cli.md."""
    lines = [
        "# The command line",
        "",
        "Made from the commands themselves by `make docs`; do not edit. `voicefarm COMMAND --help` says the same.",
        "`voicefarm --debug COMMAND` shows debug messages, and tracebacks instead of one-sentence errors.",
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        *(f"| {code.value} | {sentence} |" for code, sentence in code_sentences().items()),
        "",
    ]
    for name, command in commands():
        lines += _section(name, command)
    return "\n".join(lines)


def _section(name: str, command: Any) -> list[str]:
    text, _, example = " ".join((command.help or "").split()).partition("Example: ")
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([name, *(_usage(p) for p in arguments), *(["[OPTIONS]"] if options else [])])
    lines = [f"## {name}", "", text.strip(), "", f"    {example.strip()}", "", f"Usage: `{usage}`", ""]
    if arguments or options:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_usage(p)}` | {_help(p)} |" for p in arguments]
        lines += [f"| {_names(p)} | {_help(p)}{_default(p)} |" for p in options]
        lines.append("")
    return lines


def _usage(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _names(parameter: Any) -> str:
    longest = max(parameter.opts, key=len).lstrip("-").upper()
    value = "" if getattr(parameter, "is_flag", False) else f" {parameter.metavar or longest}"
    return ", ".join(f"`{name}{value}`" for name in parameter.opts)


def _help(parameter: Any) -> str:
    return str(getattr(parameter, "help", None) or "").replace("|", "\\|")


def _default(parameter: Any) -> str:
    default = parameter.default
    if getattr(parameter, "is_flag", False) or not default:
        return ""
    return f" Default: `{default}`."


def env_example() -> str:
    """The text of .env.example: every setting with what it is for and its default, commented out."""
    from db.settings import Settings

    lines = [
        "# Settings of every voicefarm process; copy to .env and uncomment what you change.",
        "# Made from db/settings.py by `make docs`; do not edit. Times are in seconds.",
        "",
    ]
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        choices = getattr(alias, "choices", None)
        variable = str(choices[0]) if choices else f"VOICEFARM_{name.upper()}"
        default = "" if field.default_factory is not None or field.default is None else str(field.default)
        lines += [f"# {field.description}", f"#{variable}={default}", ""]
    lines += [
        "# The passwords that docker-compose.yml asks for; there are no defaults.",
        "#POSTGRES_PASSWORD=",
        "#RABBITMQ_PASSWORD=",
        "#MINIO_PASSWORD=",
        "",
    ]
    return "\n".join(lines)
