from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synthesis.parity.frontend import checks
from synthesis.parity.results import Check, Skip
from synthesis.text.symbols import SymbolTable

SENTENCE = {
    "text": "他在行。",
    "norm": "他在行.",
    "phones": ["t", "a1", "z", "ai4", "h", "ang4", "."],
    "word2ph": [2, 2, 2, 1],
    "readings": [["他在行.", ["ta1", "zai4", "hang4", "."]]],
}


def folder(path: Path, **files: Any) -> Path:
    for name, content in files.items():
        (path / f"{name.replace('_', '-')}.json").write_text(json.dumps(content), encoding="utf-8")
    return path


def results(path: Path) -> dict[str, Check | Skip]:
    return {result.quantity if isinstance(result, Check) else result.reason: result for result in checks(path)}


def test_a_folder_without_texts_compares_nothing(tmp_path: Path) -> None:
    assert list(checks(tmp_path)) == []


@pytest.mark.parametrize("ok", [True, False])
def test_symbol_tables_are_compared(tmp_path: Path, ok: bool) -> None:
    symbols = list(SymbolTable("v1").symbols)
    if not ok:
        symbols[5] = "XX"
    (check,) = checks(folder(tmp_path, symbols_v1=symbols))
    assert isinstance(check, Check)
    assert (check.ok, check.error) == (ok, 0 if ok else 1)


def test_mandarin_of_v2_reads_what_the_vectors_give(tmp_path: Path) -> None:
    found = results(folder(tmp_path, frontend={"zh_v2": [SENTENCE]}))
    assert {name: result.ok for name, result in found.items() if isinstance(result, Check)} == {
        "zh_v2 norm": True,
        "zh_v2 phones": True,
        "zh_v2 word2ph": True,
    }


def test_a_wrong_phoneme_fails_and_names_its_sentence(tmp_path: Path) -> None:
    wrong = SENTENCE | {"phones": ["t", "a1"]}
    found = results(folder(tmp_path, frontend={"zh_v2": [SENTENCE, wrong]}))
    check = found["zh_v2 phones (first: 他在行。)"]
    assert isinstance(check, Check)
    assert (check.error, check.ok) == (1.0, False)


def test_a_text_that_is_refused_counts_as_different(tmp_path: Path) -> None:
    found = results(folder(tmp_path, frontend={"yue_v2": [SENTENCE | {"text": "☃", "norm": "甅."}]}))
    assert not any(result.ok for result in found.values() if isinstance(result, Check))


def test_languages_that_auto_tells_otherwise_are_listed_and_fail_nothing(tmp_path: Path) -> None:
    entry = {"text": "真的很难修，我们走吧。", "lang": "auto", "segments": [["ja", "真的"]], "norm": "", "ids": []}
    found = list(checks(folder(tmp_path, frontend={"pipeline_v2": [entry]})))
    assert all(result.ok for result in found if isinstance(result, Check))
    (skip,) = (result for result in found if isinstance(result, Skip))
    assert "真的很难修" in skip.reason


def test_cuts_are_compared_by_method(tmp_path: Path) -> None:
    text = "春天来了，花开了。"
    cuts = {f"cut{number}": text for number in range(6)} | {"cut3": "春天来了，花开了", "cut5": "春天来了，\n花开了。"}
    segments = {f"cut{number}": [text] for number in range(6)} | {"cut5": ["wrong"]}
    found = results(folder(tmp_path, cuts=[{"text": text, "cuts": cuts, "segments": segments}]))
    failed = {name for name, result in found.items() if isinstance(result, Check) and not result.ok}
    assert len(found) == 12
    assert failed == {f"cut5 segments (first: {text})"}


def test_an_unknown_group_is_skipped(tmp_path: Path) -> None:
    (skip,) = checks(folder(tmp_path, frontend={"fr_v2": []}))
    assert isinstance(skip, Skip)
