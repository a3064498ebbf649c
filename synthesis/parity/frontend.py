"""Text front ends: symbol tables, cuts, and sentences in five languages against what the reference made of them.

Mandarin of v2 gets the readings that the vectors hold, because there the reference's polyphone network was replaced.
Japanese was made with another engine, and languages of ``auto`` were told apart by another model: differences there
are listed with their reason and fail nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from synthesis.errors import SynthesisError
from synthesis.parity.results import Check, Result, Skip, equal
from synthesis.text.cuts import METHODS, cut, segments_for_synthesis
from synthesis.text.errors import LanguageDataMissing
from synthesis.text.frontend import FrontEnd
from synthesis.text.language import LANGUAGES, Segment
from synthesis.text.speaking import Speaker
from synthesis.text.symbols import SymbolTable, TableVersion
from synthesis.text.zh import readings as pinyin

Entry = Mapping[str, Any]
HINTS = {"ja": "another engine places accents and their borders, here by corrected rules"}
"""Languages in which not all of the vectors is truth, and why."""
ACCENTS = frozenset({"[", "]", "UNK"})
"""Symbols of Japanese that are no sounds."""
DETECTED = ("auto", "auto_yue")
DETECTION = "the language of this text is told by rules here and by a statistical model there"
FIELDS = ("norm", "phones", "ids", "word2ph")


def checks(folder: Path) -> Iterator[Result]:
    """Compare ``symbols-*.json``, ``cuts.json`` and ``frontend.json`` of a folder, as far as they are there."""
    for version in ("v1", "v2"):
        path = folder / f"symbols-{version}.json"
        if path.exists():
            yield equal(path.name, "symbols", SymbolTable(version).symbols, json.loads(path.read_text("utf-8")))
    path = folder / "cuts.json"
    if path.exists():
        yield from _cuts(path.name, json.loads(path.read_text("utf-8")))
    path = folder / "frontend.json"
    if path.exists():
        for name, entries in json.loads(path.read_text("utf-8")).items():
            yield from _group(path.name, name, entries)


def _cuts(file: str, entries: Sequence[Entry]) -> Iterator[Check]:
    for method in METHODS:
        wrong = [entry["text"] for entry in entries if cut(entry["text"], method) != entry["cuts"][method]]
        yield _counted(file, f"{method} raw", wrong)
        wrong = [
            entry["text"]
            for entry in entries
            if segments_for_synthesis(entry["text"], "zh", method) != entry["segments"][method]
        ]
        yield _counted(file, f"{method} segments", wrong)


def _group(file: str, name: str, entries: Sequence[Entry]) -> Iterator[Result]:
    """Entries of one language and version (``zh_v1``) or of the whole pipeline (``pipeline_v2``)."""
    language, _, version = name.rpartition("_")
    if version not in ("v1", "v2") or language not in (*LANGUAGES, "pipeline"):
        yield Skip(file, f"{name}: neither a language nor the pipeline")
        return
    table: TableVersion = "v1" if version == "v1" else "v2"
    try:
        if language == "pipeline":
            yield from _pipeline(file, name, entries, table)
        else:
            yield from _sentences(file, name, entries, language, table)
    except LanguageDataMissing as missing:
        yield Skip(file, f"{name}: {missing}")


def _sentences(
    file: str, name: str, entries: Sequence[Entry], language: str, version: TableVersion
) -> Iterator[Result]:
    ours = [_sentence(entry, language, version) for entry in entries]
    for field in FIELDS:
        wrong = [
            entry["text"]
            for entry, found in zip(entries, ours, strict=True)
            if field in entry and found.get(field) != entry[field]
        ]
        if wrong and language in HINTS and field != "norm":
            yield _hint(file, f"{name} {field}", wrong, len(entries), HINTS[language])
        elif any(field in entry for entry in entries):
            yield _counted(file, f"{name} {field}", wrong)
    if language in HINTS:
        wrong = [
            entry["text"]
            for entry, found in zip(entries, ours, strict=True)
            if _sounds(entry.get("phones", ())) != _sounds(found.get("phones", ()))
        ]
        yield _counted(file, f"{name} phones without accents", wrong)


def _sentence(entry: Entry, language: str, version: TableVersion) -> dict[str, Any]:
    """The fields of an entry as this front end makes them; none where it refuses the text."""
    table = SymbolTable(version)
    try:
        front_end = Speaker(table, partial(_given, _readings(entry))).language(language)
        norm = front_end.normalise(entry["text"])
        symbols, counts = front_end.phonemes(norm)
    except LanguageDataMissing:
        raise
    except SynthesisError:
        return {}
    known = table.known(symbols)
    return {"norm": norm, "phones": list(known), "ids": list(table.ids(known)), "word2ph": counts}


def _sounds(phones: Sequence[str]) -> list[str]:
    return [phone for phone in phones if phone not in ACCENTS]


def _pipeline(file: str, name: str, entries: Sequence[Entry], version: TableVersion) -> Iterator[Result]:
    wrong: dict[str, list[str]] = {"segments": [], "norm": [], "ids": []}
    hints: dict[str, list[str]] = {}
    for entry in entries:
        segments = _segments(entry, version)
        pieces = [[segment.language, segment.text] for segment in segments]
        expected = entry["segments"]
        # A text that is done again with a full stop in front is listed twice.
        same_pieces = bool(pieces) and pieces == expected[-len(pieces) :]
        if not same_pieces and entry["lang"] in DETECTED:
            hints.setdefault(DETECTION, []).append(entry["text"])
            continue
        if not same_pieces:
            wrong["segments"].append(entry["text"])
        if "".join(segment.phonemes.norm for segment in segments) != entry["norm"]:
            wrong["norm"].append(entry["text"])
        if [number for segment in segments for number in segment.phonemes.ids] != entry["ids"]:
            reason = next((HINTS[language] for language, _ in expected if language in HINTS), None)
            (hints.setdefault(reason, []) if reason else wrong["ids"]).append(entry["text"])
    for field, texts in wrong.items():
        yield _counted(file, f"{name} {field}", texts)
    for reason, texts in hints.items():
        yield _hint(file, name, texts, len(entries), reason)


def _segments(entry: Entry, version: TableVersion) -> list[Segment]:
    front_end = FrontEnd(version, read_clause=partial(_given, _readings(entry)))
    try:
        return front_end.segments(entry["text"], entry["lang"])
    except LanguageDataMissing:
        raise
    except SynthesisError:
        return []


def _readings(entry: Entry) -> dict[str, list[str]]:
    return {clause: list(readings) for clause, readings in entry.get("readings", ())}


def _given(
    readings: Mapping[str, list[str]], clause: str, otherwise: Callable[[str], list[str]] = pinyin.clause
) -> list[str]:
    found = readings.get(clause)
    return list(found) if found is not None else otherwise(clause)


def _counted(file: str, quantity: str, wrong: Sequence[str]) -> Check:
    """How many texts differ, with the first of them."""
    shown = f"{quantity} (first: {wrong[0][:40]})" if wrong else quantity
    return Check(file, shown, float(len(wrong)), 0.0, not wrong)


def _hint(file: str, what: str, texts: Sequence[str], total: int, reason: str) -> Skip:
    return Skip(file, f"{what}: {len(texts)} of {total} differ; {reason}: {' / '.join(texts)}")
