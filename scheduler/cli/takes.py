"""A line's takes over all revisions: list and compare them, choose one, lock it, write them to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.common import HomeOption, JsonOption, NameArgument, echo_json, echo_table, load_settings, transaction

if TYPE_CHECKING:
    from db.queries.takes import LineHead, TakeRecord

_KINDS = ("flac", "wav")
_TEXT_SHOWN = 60

LineArgument = Annotated[
    str, typer.Argument(metavar="LINE", help="The line's key, or its number as `voicefarm status NAME` lists it.")
]
CompareOption = Annotated[
    tuple[int, int] | None,
    typer.Option("--compare", metavar="A B", help="Two takes side by side; -o DIR writes both to files."),
]
ChooseOption = Annotated[
    int | None, typer.Option("--choose", metavar="TAKE", help="Take this one; its section's track is made again.")
]
LockOption = Annotated[
    bool, typer.Option("--lock", help="Keep the line's take whatever a later script, casting or voice says.")
]
UnlockOption = Annotated[bool, typer.Option("--unlock", help="Let later revisions change the line again.")]
ExportOption = Annotated[Path | None, typer.Option("--export", metavar="DIR", help="Write every take to a file.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where --compare writes both takes.")
]
AsOption = Annotated[str, typer.Option("--as", help="What files are written as: flac or wav.")]


def takes(
    name: NameArgument,
    line: LineArgument,
    compare: CompareOption = None,
    choose: ChooseOption = None,
    lock: LockOption = False,
    unlock: UnlockOption = False,
    export: ExportOption = None,
    out: OutOption = None,
    kind: AsOption = "flac",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every take of a line over all revisions of its script; compare, choose, lock or export them.

    Takes are never deleted. --lock after --choose locks the take that was chosen.

    Example: voicefarm takes the-fables LN_0042 --choose 4711 --lock
    """
    from db.queries import takes as queries
    from scheduler.local.order import OrderError

    if lock and unlock:
        raise OrderError("--lock and --unlock exclude each other")
    if kind not in _KINDS:
        raise OrderError(f"--as {kind!r}: choose flac or wav")
    if out is not None and compare is None:
        raise OrderError("-o goes with --compare; --export DIR writes every take")
    said: list[str] = []
    with transaction(home) as conn:
        if choose is not None:
            again = queries.choose(conn, name, line, choose)
            said.append(f"take {choose} is chosen" + ("; the track is made again" if again else " already"))
        if lock:
            said.append(f"take {queries.lock(conn, name, line)} is locked")
        if unlock:
            said.append(f"take {queries.unlock(conn, name, line)} is unlocked; it stays until something changes")
        head = queries.find(conn, name, line)
        found = queries.history(conn, head)
    pair = [_named(found, head, take) for take in compare or ()]
    compared = [_measured(take, home) for take in pair] if pair else None
    written: list[Path] = []
    if export is not None:
        written += _write(found, head, export, kind, home)
    if pair and out is not None:
        written += _write(pair, head, out, kind, home)
    if as_json:
        echo_json(_values(head, found, compared, written))
        return
    for sentence in said:
        typer.echo(sentence)
    if compared is not None:
        _tell_compared(compared)
    elif not said and export is None:
        _tell(head, found)
    for path in written:
        typer.echo(f"written: {path}")


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command()(takes)


def _named(found: list[TakeRecord], head: LineHead, take_id: int) -> TakeRecord:
    from db.queries.takes import TakeRefused

    for take in found:
        if take.take_id == take_id:
            return take
    raise TakeRefused(take_id, f"is none of line {head.key}; `voicefarm takes {head.slug} {head.key}` lists those")


def _measured(take: TakeRecord, home: Path | None) -> dict[str, Any]:
    """A take's facts with its levels, measured on the audio in the store. Raises StoreMissing, StoreCorrupt."""
    import io
    import math

    import numpy as np
    import soundfile

    from db.store import Store
    from synthesis.mastering.loudness import LoudnessMeter, to_db
    from synthesis.mastering.measurements import LOUDNESS_FLOOR_LUFS

    audio = Store(load_settings(home).resolved_store_url).get_bytes(take.audio_sha256)
    samples, rate = soundfile.read(io.BytesIO(audio), dtype="float32")
    meter = LoudnessMeter(rate)
    meter.add(samples)
    loudness = meter.integrated_lufs()
    peak = float(np.abs(samples).max(initial=0.0))
    rms = math.sqrt(float(np.square(samples, dtype=np.float64).mean())) if len(samples) else 0.0
    return {
        **_facts(take),
        "loudness_lufs": round(loudness, 1) if loudness > LOUDNESS_FLOOR_LUFS else None,
        "peak_dbfs": round(to_db(peak), 1) if peak > 0 else None,
        "rms_dbfs": round(to_db(rms), 1) if rms > 0 else None,
    }


def _write(found: list[TakeRecord], head: LineHead, folder: Path, kind: str, home: Path | None) -> list[Path]:
    """Write takes below ``folder``, each whole or not at all; returns where they are."""
    import io
    import re

    import soundfile

    from db.store import Store

    store = Store(load_settings(home).resolved_store_url)
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "-", head.key)[:80].strip(".-") or f"line-{head.line_id}"
    paths = []
    for take in found:
        path = folder / f"{stem}-take-{take.take_id}.{kind}"
        if take.audio_sha256.endswith(f".{kind}"):
            store.fetch_to(take.audio_sha256, path)
        else:
            samples, rate = soundfile.read(io.BytesIO(store.get_bytes(take.audio_sha256)), dtype="int32")
            part = path.with_name(f".{path.name}.part")
            soundfile.write(part, samples, rate, format=kind.upper(), subtype="PCM_24")
            part.replace(path)
        paths.append(path)
    return paths


def _facts(take: TakeRecord) -> dict[str, Any]:
    return {
        "take_id": take.take_id,
        "at": take.at.isoformat(),
        "revision": take.revision,
        "selected_in": list(take.selected_in),
        "selected": take.selected,
        "locked": take.locked,
        "voice": take.voice,
        "engine": take.engine,
        "engine_version": take.engine_version,
        "seed": take.seed,
        "duration_ms": take.duration_ms,
        "sample_rate": take.sample_rate,
        "text": take.text,
        "spoken": take.spoken,
        "findings": list(take.findings),
        "digest": take.digest,
        "audio": take.audio_sha256,
    }


def _values(
    head: LineHead, found: list[TakeRecord], compared: list[dict[str, Any]] | None, written: list[Path]
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "key": head.key,
        "line_id": head.line_id,
        "state": head.state,
        "revision": head.revision,
        "text": head.text,
        "locked": head.locked_take_id is not None,
        "takes": [_facts(take) for take in found],
    }
    if compared is not None:
        values["compared"] = compared
    if written:
        values["written"] = [str(path) for path in written]
    return values


def _tell(head: LineHead, found: list[TakeRecord]) -> None:
    locked = ", locked" if head.locked_take_id is not None else ""
    typer.echo(f"{head.key} ({head.character}), revision {head.revision}: {head.state}{locked}: {head.text}")
    echo_table(
        ("take", "", "made", "for revision", "voice", "engine", "seed", "length", "flags", "text"),
        [
            (
                take.take_id,
                " ".join(word for word, holds in (("selected", take.selected), ("locked", take.locked)) if holds),
                take.at.strftime("%Y-%m-%d %H:%M"),
                take.revision,
                take.voice,
                f"{take.engine} {take.engine_version}",
                take.seed,
                f"{take.duration_ms / 1000:.2f} s",
                ", ".join(str(finding.get("code", "")) for finding in take.findings),
                take.text if len(take.text) <= _TEXT_SHOWN else take.text[: _TEXT_SHOWN - 1] + "…",
            )
            for take in found
        ],
    )


def _tell_compared(compared: list[dict[str, Any]]) -> None:
    first, second = compared
    rows = (
        "duration_ms",
        "loudness_lufs",
        "peak_dbfs",
        "rms_dbfs",
        "voice",
        "engine_version",
        "seed",
        "revision",
        "text",
    )
    echo_table(
        ("", f"take {first['take_id']}", f"take {second['take_id']}"),
        [(name, first[name], second[name]) for name in rows],
    )
