"""``python -m synthesis parity --vectors DIR``: compare our networks with the reference, and say so."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from synthesis.parity import runner
from synthesis.parity.results import Check, Result

OK, NOT_OK, USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison. The exit status: 0 all within tolerance, 1 not, or nothing compared, 2 no such folder."""
    options = _parser().parse_args(argv)
    folder: Path = options.vectors
    if not (folder / "vectors").is_dir() and not (folder / "checkpoints").is_dir():
        _say(f"parity: {folder} has no vectors/ and no checkpoints/; name the folder that holds them", sys.stderr)
        return USAGE
    results: list[Result] = []
    for result in runner.run(folder, options.only):
        results.append(result)
        if not options.json:
            _say(_line(result))
    if options.json:
        _say(json.dumps([_plain(result) for result in results], ensure_ascii=False, indent=1))
    else:
        _say(_summary(results))
    return OK if runner.passed(results) else NOT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m synthesis parity",
        description="Make weights from a formula, run our networks on every vector and compare with the reference.",
        epilog="Exit status: 0 all within tolerance, 1 not, 2 usage.",
    )
    parser.add_argument("--vectors", type=Path, required=True, metavar="DIR", help="folder with vectors/, checkpoints/")
    parser.add_argument("--only", metavar="GLOB", help="only these files, such as 's1-*' or 'checkpoints/*'")
    parser.add_argument("--json", action="store_true", help="print a list of {file, quantity, error, tolerance, ok}")
    return parser


def _line(result: Result) -> str:
    if isinstance(result, Check):
        verdict = "ok" if result.ok else "NOT OK"
        return f"{verdict:7}{result.error:10.2e} of {result.tolerance:7.1e}  {result.file}  {result.quantity}"
    return f"{'skipped':31}{result.file}  {result.reason}"


def _summary(results: Sequence[Result]) -> str:
    checks = [result for result in results if isinstance(result, Check)]
    wrong = sum(not check.ok for check in checks)
    return f"{len(checks)} compared, {wrong} not ok, {len(results) - len(checks)} skipped"


def _plain(result: Result) -> dict[str, Any]:
    """As JSON knows it: a skipped file has a reason and ``ok`` null; an infinite error is null too."""
    if isinstance(result, Check):
        return {
            **asdict(result),
            "error": float(result.error) if isfinite(result.error) else None,
            "ok": bool(result.ok),
        }
    return {
        "file": result.file,
        "quantity": None,
        "error": None,
        "tolerance": None,
        "ok": None,
        "skipped": result.reason,
    }


def _say(text: str, stream: Any = None) -> None:
    (stream or sys.stdout).write(text + "\n")
    (stream or sys.stdout).flush()


if __name__ == "__main__":
    sys.exit(main())
