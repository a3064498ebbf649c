"""Models of cloned voices: fetched, added, listed and converted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.common import HomeOption, JsonOption, echo_json, echo_table, load_settings
from scheduler.cli.exits import ExitCode

if TYPE_CHECKING:
    from synthesis.gptsovits.checkpoints.store import ModelStore

models_app = typer.Typer(help="Models of cloned voices, kept under the home directory.", no_args_is_help=True)


@models_app.command("fetch")
def fetch(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The set to download: v1, v2, v2Pro or v2ProPlus.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download the pretrained models of a version from Hugging Face (1 to 2 GB) and check them.

    What was interrupted goes on with the same command; what is here already is only checked. Nothing else in this
    program ever downloads a model.

    Example: voicefarm models fetch v2Pro
    """
    from synthesis.gptsovits.checkpoints import fetch as fetching

    fetched = []
    for model in fetching.fetch(version, _store(home)):
        fetched.append(model)
        if not as_json:
            typer.echo(f"{model.name}: {model.path}")
    if as_json:
        echo_json(fetched)


@models_app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the model is called from now on.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="A checkpoint, or the files or the folder of one network.")
    ],
    home: HomeOption = None,
) -> None:
    """Copy a model from this machine into the store, after a look at what it is.

    Nothing in a file is run: one that is more than tensors and a configuration is refused.

    Example: voicefarm models add anna-s2 downloads/anna_e8_s320.pth
    """
    model = _store(home).add(name, files, source=", ".join(str(file.absolute()) for file in files))
    typer.echo(f"{model.name}: {model.kind} {model.version}".rstrip() + f", {model.path}")


@models_app.command("list")
def list_models(
    check: Annotated[bool, typer.Option("--check", help="Read every file again and compare its digest.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models of this machine, what each is and where it lies.

    Example: voicefarm models list --check
    """
    store = _store(home)
    found = store.models()
    if check:
        found = [store.verify(model.name) for model in found]
    if as_json:
        echo_json(found)
        return
    echo_table(
        ("model", "kind", "version", "path"), [(model.name, model.kind, model.version, model.path) for model in found]
    )


@models_app.command("convert")
def convert(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint: .ckpt, .pth or .safetensors.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; its name ends in .safetensors.")],
    half: Annotated[bool, typer.Option("--half", help="Round weights of another precision to half precision.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
) -> None:
    """Rewrite a checkpoint as safetensors, which holds tensors and text and can hold nothing else.

    Example: voicefarm models convert anna_e8_s320.pth anna.safetensors
    """
    from synthesis.gptsovits.checkpoints.convert import convert as rewrite
    from synthesis.gptsovits.checkpoints.load import S2Checkpoint

    if target.exists() and not force:
        typer.echo(f"voicefarm: {target} exists; --force writes over it", err=True)
        raise typer.Exit(ExitCode.USAGE)
    model = rewrite(source, target, half=half)
    what = f"s2 {model.version.value}" if isinstance(model, S2Checkpoint) else f"s1 of {model.symbols} symbols"
    typer.echo(f"{target}: {what}, {len(model.weights)} tensors")


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.add_typer(models_app, name="models")


def _store(home: Path | None) -> ModelStore:
    from synthesis.gptsovits.checkpoints.store import ModelStore

    return ModelStore(load_settings(home).home / "models")
