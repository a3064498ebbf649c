"""The repository's own rules."""

from __future__ import annotations

import importlib.util
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("db", "workers", "scheduler", "synthesis")


def module_files() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def tracked_text() -> dict[Path, str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    found = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".yml", ".html", ".txt", ".cfg", ".mako", ""}:
            found[path] = path.read_text(encoding="utf-8", errors="replace")
    return found


def test_generated_pages_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for name, page in generate.PAGES.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page(), f"run `make docs`: docs/{name} is old"


def test_every_state_has_a_sentence() -> None:
    from enum import StrEnum

    from db import states

    spec = importlib.util.spec_from_file_location("generate_docs2", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    kinds = [kind for kind in vars(states).values() if isinstance(kind, type) and issubclass(kind, StrEnum)]
    for kind in kinds:
        if kind is StrEnum:
            continue
        assert set(generate.member_sentences(kind)) == set(kind.__members__), kind.__name__


MODELS = ("synthesis.gptsovits", "synthesis.parity")
"""Where torch may be imported: a scheduler or a draft render must do without it."""


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_has_no_effect_on_the_outside(package: str) -> None:
    """A fresh interpreter imports every module of the package without network or threads; torch only for models."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.stem != "__main__"
    ]
    light = [name for name in modules if not name.startswith(MODELS)]
    code = (
        "import sys, threading, socket\n"
        "def refuse(*a, **k): raise RuntimeError('network at import')\n"
        "socket.socket.connect = refuse\n"
        f"import importlib\nfor name in {light!r}: importlib.import_module(name)\n"
        "assert 'torch' not in sys.modules\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "extra = [t.name for t in threading.enumerate() if t is not threading.main_thread()]\n"
        "assert not extra, extra\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_module_is_loaded_under_two_names() -> None:
    code = (
        "import db.models, scheduler.cli, workers.app, synthesis.engine, sys, collections\n"
        "files = collections.Counter(m.__file__ for m in list(sys.modules.values())"
        f" if getattr(m, '__file__', None) and m.__file__.startswith({str(ROOT)!r}))\n"
        "twice = [f for f, n in files.items() if n > 1]\n"
        "assert not twice, twice\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def error_classes() -> list[type[Exception]]:
    import db.errors
    import scheduler.errors
    import synthesis.errors
    import workers.errors

    def below(root: type[Exception]) -> list[type[Exception]]:
        return [root, *(leaf for child in root.__subclasses__() for leaf in below(child))]

    import scheduler.scripts.errors

    roots = [
        db.errors.FarmError,
        scheduler.errors.SchedulerError,
        synthesis.errors.SynthesisError,
        workers.errors.WorkerError,
    ]
    return [kind for root in roots for kind in below(root)]


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_errors_survive_pickling(kind: type[Exception]) -> None:
    import inspect

    parameters = [
        parameter
        for parameter in inspect.signature(kind.__init__).parameters.values()
        if parameter.name != "self" and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.POSITIONAL_ONLY)
    ]
    samples = [_sample(parameter) for parameter in parameters]
    error = kind(*samples) if samples else kind("a reason")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert {k: v for k, v in vars(again).items() if k != "__notes__"} == vars(error)


def _sample(parameter: object) -> object:
    annotation = str(getattr(parameter, "annotation", "str"))
    if any(word in annotation for word in ("tuple", "Sequence", "Iterable", "list", "Collection", "set")):
        return (1, 2) if "int" in annotation else ("a", "b")
    if "int" in annotation and "str" not in annotation:
        return 3
    if "float" in annotation:
        return 1.5
    return "name"


def test_no_machine_paths_secrets_or_package_hosts() -> None:
    hosts = "|".join(["files.python" + "hosted", "pypi" + r"\.org", "registry\\.npm" + "js", "deb\\.deb" + "ian"])
    forbidden = re.compile(rf"({hosts}|/ro" + r"ot/|/home/[a-z]+/|BEGIN [A-Z ]*PRIVATE KEY)")
    guilty = [
        f"{path.relative_to(ROOT)}: {match.group(0)}"
        for path, text in tracked_text().items()
        if (match := forbidden.search(text))
    ]
    assert not guilty


def test_no_module_prints_or_asserts() -> None:
    import ast

    guilty = []
    for path in module_files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert):
                guilty.append(f"{path.relative_to(ROOT)}:{node.lineno} assert")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                guilty.append(f"{path.relative_to(ROOT)}:{node.lineno} print")
    assert not guilty


def test_files_stay_readable() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {count} lines"
        for path in module_files()
        if (count := path.read_text(encoding="utf-8").count("\n")) > 500
    ]
    assert not long


def test_readme_is_short_and_its_commands_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.count("\n") <= 150
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b", readme))
    assert {"demo", "test"} <= named <= targets
