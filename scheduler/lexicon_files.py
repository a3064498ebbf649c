"""Lexicons as files: CSV, which holds everything, and PLS 1.0, which other tools read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args
from xml.sax.saxutils import escape, quoteattr

from scheduler.errors import SchedulerError
from scheduler.lexicon import unusable
from scheduler.markup.readings import ALPHABETS
from scheduler.scripts.errors import HeaderMissing, ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import Rejection
from scheduler.scripts.source import ScriptSource

if TYPE_CHECKING:
    from db.queries.lexicon import LexiconEntry

COLUMNS = ("term", "reading", "alphabet", "language", "scope", "scope_key", "status")
_NEEDED = ("term", "reading")
MAX_BYTES = 16 * 1024 * 1024
_PLS = "http://www.w3.org/2005/01/pronunciation-lexicon"


class LexiconNotExportable(SchedulerError):
    """Entries that a format cannot hold as they are."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file holds."""

    entries: tuple[LexiconEntry, ...]
    rejected: tuple[Rejection, ...]
    """Entries that cannot be used, with the reason."""


def read_lexicon(path: Path, defaults: LexiconEntry) -> Loaded:
    """Read a file: ``.pls`` and ``.xml`` as PLS, anything else as CSV. ``defaults`` gives what the file leaves out.

    Entries that cannot be used are rejected one by one. Raises ScriptError for a file that is no lexicon.
    """
    source = ScriptSource.open(path)
    data = source.data(MAX_BYTES)
    if path.suffix.lower() in (".pls", ".xml"):
        return _checked(_from_pls(data, source.name, defaults))
    return _checked(_from_csv(data, source.name, defaults))


def _checked(found: Iterator[tuple[str, LexiconEntry | str]]) -> Loaded:
    entries: dict[tuple[str, str, str, str], LexiconEntry] = {}
    rejected: list[Rejection] = []
    for place, entry in found:
        reason = entry if isinstance(entry, str) else unusable(entry)
        if reason is None and not isinstance(entry, str):
            key = (entry.term, entry.language, entry.scope, entry.scope_key)
            before = entries.get(key)
            if before is None:
                entries[key] = entry
            elif before != entry:
                reason = f"{entry.term!r} stands in the file before, with another reading; keep one of them"
        if reason is not None:
            rejected.append(Rejection(place, reason))
    return Loaded(tuple(entries.values()), tuple(rejected))


def _from_csv(data: bytes, file: str, defaults: LexiconEntry) -> Iterator[tuple[str, LexiconEntry | str]]:
    from scheduler.scripts.encodings import decode

    text, _ = decode(data, file, None)
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), strict=True)
    header: list[str] | None = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            place = f"line {reader.line_num}"
            if header is None:
                header = _header(row, file, place)
            elif len(row) > len(header):
                yield place, f"has {len(row)} cells under {len(header)} names; put quotes around cells with commas"
            else:
                yield place, _entry(dict(zip(header, map(str.strip, row), strict=False)), defaults)
    except csv.Error as error:
        raise ScriptUnreadable(file, f"line {reader.line_num}", f"is not CSV: {error}") from error
    if header is None:
        raise HeaderMissing(file, "", f"has no first row; name the columns {', '.join(COLUMNS)} in it")


def _header(row: Sequence[str], file: str, place: str) -> list[str]:
    names = [cell.strip().lower() for cell in row]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise HeaderMissing(file, place, f"has no column {', '.join(missing)}; the columns are {', '.join(COLUMNS)}")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise HeaderMissing(file, place, f"names the column {', '.join(twice)} twice; keep one")
    return names


def _entry(cells: Mapping[str, str], defaults: LexiconEntry) -> LexiconEntry | str:
    """The entry of a row, or why it is none."""
    from db.queries.lexicon import STATUSES, Scope, Status

    scope = cells.get("scope") or defaults.scope
    key = cells.get("scope_key") or (defaults.scope_key if scope == defaults.scope else "")
    status = cells.get("status") or defaults.status
    alphabet = (cells.get("alphabet") or defaults.alphabet).lower()
    language = cells.get("language", "")
    tag = normal_tag(language) if language else defaults.language
    if not cells["term"] or not cells.get("reading"):
        return "term or reading is empty; fill both"
    if scope not in get_args(Scope):
        return f"there is no scope {scope!r}; choose from {', '.join(get_args(Scope))}"
    if status not in get_args(Status):
        return f"there is no status {status!r}; choose from {', '.join(STATUSES)}"
    if alphabet not in ALPHABETS:
        return f"there is no alphabet {alphabet!r}; choose from {', '.join(ALPHABETS)}"
    if tag is None:
        return f"{language!r} is no language; write a tag such as ja"
    return replace(
        defaults,
        term=cells["term"],
        reading=cells["reading"],
        alphabet=alphabet,
        language=tag,
        scope=cast(Scope, scope),
        scope_key=key,
        status=cast(Status, status),
    )


def _from_pls(data: bytes, file: str, defaults: LexiconEntry) -> Iterator[tuple[str, LexiconEntry | str]]:
    from scheduler.scripts.pls import read_pls

    for entry in read_pls(data, file, ""):
        reading = entry.phoneme or entry.alias or ""
        alphabet = "x-inline" if entry.phoneme is None else entry.alphabet
        place = f"the word {entry.grapheme!r}"
        if alphabet not in ALPHABETS:
            yield place, f"the alphabet {alphabet!r} is not understood; only {', '.join(ALPHABETS)} are"
            continue
        yield (
            place,
            replace(
                defaults,
                term=entry.grapheme,
                reading=reading,
                alphabet=alphabet,
                language=entry.language or defaults.language,
            ),
        )


def to_csv(entries: Iterable[LexiconEntry]) -> str:
    """The entries as CSV with a header; reading it gives them back."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow([getattr(entry, column) for column in COLUMNS])
    return out.getvalue()


def to_pls(entries: Sequence[LexiconEntry]) -> str:
    """The entries as PLS 1.0; scopes and status are not in it. Raises LexiconNotExportable.

    A reading in other words is an alias. A PLS file is of one language, and says one thing about a term.
    """
    languages = {entry.language for entry in entries}
    if len(languages) != 1 or "" in languages:
        shown = ", ".join(sorted(tag or "every language" for tag in languages)) or "none"
        raise LexiconNotExportable(f"a PLS file is of one language, and these entries are of {shown}; use --language")
    terms = [entry.term for entry in entries]
    twice = sorted({term for term in terms if terms.count(term) > 1}) if len(set(terms)) < len(terms) else []
    if twice:
        raise LexiconNotExportable(f"{twice[0]!r} stands in several scopes, and PLS has none; use --scope and --key")
    (language,) = languages
    lexemes = "".join(map(_lexeme, entries))
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<lexicon version="1.0" xmlns="{_PLS}" alphabet="ipa"'
    return f"{head} xml:lang={quoteattr(language)}>\n{lexemes}</lexicon>\n"


def _lexeme(entry: LexiconEntry) -> str:
    said = f"<alias>{escape(entry.reading)}</alias>"
    if entry.alphabet != "x-inline":
        said = f"<phoneme alphabet={quoteattr(entry.alphabet)}>{escape(entry.reading)}</phoneme>"
    return f"  <lexeme><grapheme>{escape(entry.term)}</grapheme>{said}</lexeme>\n"
