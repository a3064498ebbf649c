"""The lexicon: terms and how they are said."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scheduler.cli.common import HomeOption, JsonOption, echo_json, echo_table, transaction
from scheduler.cli.exits import ExitCode
from scheduler.cli.options import EncodingOption, FramesOption, LanguageOption, MapOption, ScriptFormatOption

if TYPE_CHECKING:
    from db.queries.lexicon import LexiconEntry
    from scheduler.lexicon import Lexicon, Speaking
    from scheduler.scripts.model import ScriptDocument

lexicon = typer.Typer(help="Terms and how they are said.", no_args_is_help=True)

Scope = Literal["farm", "production", "character", "voice"]
Status = Literal["draft", "reviewed"]
_CHANGES_SHOWN = 40

TermLanguageOption = Annotated[
    str | None, typer.Option("--language", help="The language it holds in, such as ja; every one, if left out.")
]
ScopeOption = Annotated[Scope, typer.Option("--scope", help="How far it reaches; the narrower scope wins.")]
KeyOption = Annotated[
    str, typer.Option("--key", help="Production, character (or production/character) or voice that --scope means.")
]
SomeScopeOption = Annotated[Scope | None, typer.Option("--scope", help="Only entries of this scope.")]
SomeKeyOption = Annotated[str | None, typer.Option("--key", help="Only entries of this production, character, voice.")]
SomeStatusOption = Annotated[Status | None, typer.Option("--status", help="Only entries of this status.")]
AlphabetOption = Annotated[
    str,
    typer.Option(
        "--alphabet",
        help="What the reading is written in: ipa, x-pinyin, x-jyutping, x-arpabet, x-kana, x-romaji; x-inline is as "
        "it stands in {term|reading}.",
    ),
]


@lexicon.callback()
def _group() -> None:
    """Terms and how they are said.

    Example: voicefarm lexicon add SQL sequel --language en
    """


@lexicon.command()
def add(
    term: Annotated[str, typer.Argument(metavar="TERM", help="As it is written in scripts, capitals included.")],
    reading: Annotated[str, typer.Argument(metavar="READING", help="How it is said: other words, kana, pinyin …")],
    alphabet: AlphabetOption = "x-inline",
    language: TermLanguageOption = None,
    scope: ScopeOption = "farm",
    key: KeyOption = "",
    status: Annotated[Status, typer.Option("--status", help="Drafts are kept and not spoken.")] = "reviewed",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an entry, or change the one of the same term, language and scope.

    Lines rendered before keep their takes; the next submission renders exactly those again that are said differently.

    Example: voicefarm lexicon add 重庆 "chong2 qing4" --alphabet x-pinyin --language zh
    """
    from db.queries import lexicon as queries
    from scheduler.lexicon import unusable

    entry = queries.LexiconEntry(
        term=" ".join(term.split()),
        reading=" ".join(reading.split()),
        alphabet=alphabet.lower(),
        language=_tag(language) or "",
        scope=scope,
        scope_key=key.strip(),
        status=status,
    )
    reason = unusable(entry)
    if reason is not None:
        raise typer.BadParameter(reason)
    with transaction(home) as conn:
        number, outcome = queries.put_entry(conn, entry)
    if as_json:
        echo_json({"id": number, "outcome": outcome})
    else:
        typer.echo(f"{entry.term}: {outcome} (entry {number})")


@lexicon.command("list")
def list_(
    language: TermLanguageOption = None,
    scope: SomeScopeOption = None,
    key: SomeKeyOption = None,
    status: SomeStatusOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List entries.

    Example: voicefarm lexicon list --language ja --status draft
    """
    found = _stored(home, language, scope, key, status)
    if as_json:
        echo_json(found)
        return
    echo_table(
        ("id", "term", "reading", "alphabet", "language", "scope", "key", "status"),
        [(e.id, e.term, e.reading, e.alphabet, e.language or "all", e.scope, e.scope_key, e.status) for e in found],
    )


@lexicon.command()
def remove(
    entry: Annotated[int, typer.Argument(metavar="ID", help="The entry's number, as `voicefarm lexicon list` has it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an entry.

    Example: voicefarm lexicon remove 12
    """
    from db.queries import lexicon as queries

    with transaction(home) as conn:
        gone = queries.remove_entry(conn, entry)
    if as_json:
        echo_json(gone)
    else:
        typer.echo(f"{gone.term} is removed")


@lexicon.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header, or PLS (.pls, .xml).")],
    language: TermLanguageOption = None,
    scope: ScopeOption = "farm",
    key: KeyOption = "",
    status: Annotated[Status, typer.Option("--status", help="Of entries whose file does not say.")] = "draft",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take entries from a file; the options say what its entries do not.

    Columns of a CSV: term, reading, alphabet, language, scope, scope_key, status; the first two are needed. Exits 0
    when all entries were taken, 3 when some were rejected, with the reasons on standard error.

    Example: voicefarm lexicon import glossary.csv --language zh --status reviewed
    """
    from db.queries import lexicon as queries
    from scheduler.lexicon_files import read_lexicon

    defaults = queries.LexiconEntry(
        "", "", language=_tag(language) or "", scope=scope, scope_key=key.strip(), status=status
    )
    loaded = read_lexicon(file, defaults)
    with transaction(home) as conn:
        counts = queries.import_entries(conn, loaded.entries)
    drafts = sum(1 for entry in loaded.entries if entry.status == "draft")
    if as_json:
        echo_json({**counts, "rejected": loaded.rejected})
    else:
        typer.echo(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
        for item in loaded.rejected:
            typer.echo(f"rejected: {item.place}: {item.reason}", err=True)
        if drafts:
            typer.echo(f"voicefarm: {drafts} are drafts, which are not spoken until they are reviewed", err=True)
    raise typer.Exit(ExitCode.INCOMPLETE if loaded.rejected else ExitCode.OK)


@lexicon.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to: .pls or .xml is PLS, anything else CSV.")],
    language: TermLanguageOption = None,
    scope: SomeScopeOption = None,
    key: SomeKeyOption = None,
    status: SomeStatusOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write entries to a file. PLS holds one language and no scopes; CSV holds everything.

    Example: voicefarm lexicon export glossary.pls --language ja --scope farm
    """
    from scheduler.lexicon_files import to_csv, to_pls

    found = _stored(home, language, scope, key, status)
    text = to_pls(found) if file.suffix.lower() in (".pls", ".xml") else to_csv(found)
    file.write_text(text, encoding="utf-8", newline="")
    if as_json:
        echo_json({"file": str(file), "entries": len(found)})
    else:
        typer.echo(f"{len(found)} entries in {file}")


@lexicon.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A script; without one only the entries are checked.")
    ] = None,
    production: Annotated[
        str, typer.Option("--production", metavar="NAME", help="The production whose entries count.")
    ] = "",
    voice: Annotated[str, typer.Option("--voice", help="The voice whose entries count.")] = "",
    drafts: Annotated[bool, typer.Option("--drafts", help="Take entries that nobody reviewed as well.")] = False,
    script_format: ScriptFormatOption = None,
    language: LanguageOption = None,
    encoding: EncodingOption = None,
    fps: FramesOption = None,
    mapping: MapOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which lines of a script the lexicon changes, and entries that repeat or contradict each other.

    Exits 0 when no entry is in doubt, 1 when some are. Nothing is changed.

    Example: voicefarm lexicon check book.epub --production the-fables --drafts
    """
    from db.queries import lexicon as queries
    from scheduler.lexicon import Lexicon, Speaking, doubts
    from scheduler.local.order import Order, read_source

    document = None
    if file is not None:
        document = read_source(
            Order(
                source=file,
                script_format=script_format,
                language=language,
                encoding=encoding,
                frame_rate=fps,
                mapping=mapping,
            )
        )
    with transaction(home) as conn:
        entries = queries.list_entries(conn)
    changed = (
        [] if document is None else _changes(document, Lexicon(entries, drafts=drafts), Speaking(production, "", voice))
    )
    found = doubts(entries)
    if as_json:
        echo_json({"changed": changed, "lines": 0 if document is None else document.line_count, "doubts": found})
    else:
        _tell(document, changed)
        for doubt in found:
            typer.echo(f"in doubt: {doubt.term}: {doubt.reason}", err=True)
    raise typer.Exit(ExitCode.NO if found else ExitCode.OK)


def _changes(document: ScriptDocument, terms: Lexicon, speaking: Speaking) -> list[dict[str, str]]:
    """Lines that are said differently with the lexicon."""
    from dataclasses import replace

    from scheduler.casting import character_of

    changed = []
    for section in document.sections:
        for line in section.lines:
            said = terms.applied(line.said, line.language, replace(speaking, character=character_of(line)))
            if said != line.said:
                changed.append(
                    {"section": section.key, "line": line.key, "place": line.place, "before": line.said, "after": said}
                )
    return changed


def _tell(document: ScriptDocument | None, changed: list[dict[str, str]]) -> None:
    if document is None:
        return
    typer.echo(f"{len(changed)} of {document.line_count} lines are said differently")
    if not changed:
        return
    for section, count in Counter(change["section"] for change in changed).items():
        typer.echo(f"{section}: {count}")
    echo_table(("place", "line", "said"), [(c["place"], c["line"], c["after"]) for c in changed[:_CHANGES_SHOWN]])
    if len(changed) > _CHANGES_SHOWN:
        typer.echo(f"… {len(changed) - _CHANGES_SHOWN} more; --json has them all")


def _stored(
    home: Path | None, language: str | None, scope: Scope | None, key: str | None, status: Status | None
) -> list[LexiconEntry]:
    from db.queries import lexicon as queries

    tag = _tag(language)
    with transaction(home) as conn:
        return queries.list_entries(conn, scope=scope, scope_key=key, language=tag, status=status)


def _tag(language: str | None) -> str | None:
    from scheduler.scripts.languages import normal_tag

    if language is None:
        return None
    tag = normal_tag(language)
    if tag is None:
        raise typer.BadParameter(f"{language!r} is no language; write a tag such as ja or en-GB")
    return tag
