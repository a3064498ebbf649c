"""`voicefarm update` behind the command line: a new revision of a production, compared with the one before.

A new script, another casting, newer versions of voices or another lexicon become a plan like any other; what the plan
renders follows from digests alone. This file says beforehand what that will be, and gives locked lines and chosen takes
back to the revision in the transaction that stores it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.local import recasting
from scheduler.local.order import Order, OrderError, check, check_line_files, note_rejects, read_as_before

if TYPE_CHECKING:
    import sqlalchemy as sa

    from db.queries.history import StoredLine, StoredScript, StoredSection
    from db.queries.takes import LockedTake
    from db.records import ImportPlan, ImportResult, PlannedLine, PlannedSection, VoiceRecord
    from db.store import Store
    from scheduler.diffing import LineDiff, ScriptDiff
    from scheduler.estimates import Estimate
    from scheduler.scripts.model import Rejection, ScriptDocument

_SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Changes:
    """What is asked of a new revision; None leaves it as the last job had it."""

    reading: Order | None = None
    """The new script and how to read it; None takes the lines as they are stored."""
    cast: Mapping[str, str] = field(default_factory=dict)
    """Character → voice."""
    voice: str | None = None
    casting: Path | None = None
    versions: tuple[str, ...] = ()
    """Voices that are to be used in another version: NAME for the newest, NAME@N for that one."""
    out: str | None = None
    profile: str | None = None
    formats: tuple[str, ...] | None = None
    review: bool | None = None
    title: str | None = None
    author: str | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A plan beside the revision before it."""

    diff: ScriptDiff
    held: Mapping[str, LockedTake]
    """Line key in the plan → the locked take that it keeps."""
    renamed: Mapping[str, str]
    """Line key before → in the plan, of locked lines whose key is another now."""
    lost: tuple[str, ...]
    """Keys of locked lines that the plan does not have."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an update would do."""

    stored: StoredScript
    plan: ImportPlan
    comparison: Comparison
    to_render: tuple[PlannedLine, ...]
    """Lines that have no take yet."""
    estimate: Estimate | None
    """Of the lines to render; None where there are none."""
    sections_again: tuple[str, ...]
    """Titles of sections whose track is made again."""
    warnings: tuple[str, ...]
    order: Order
    document: ScriptDocument | None
    """The new script; None where the stored lines were taken."""

    @property
    def rejected(self) -> tuple[Rejection, ...]:
        """Parts of the new script that could not be read."""
        return () if self.document is None else self.document.rejected

    @property
    def notices(self) -> tuple[Rejection, ...]:
        """Choices made while reading it."""
        return () if self.document is None else self.document.notices

    def as_json(self) -> dict[str, Any]:
        """For scripts: every line that is not kept, and what it costs."""
        found = self.comparison
        counts = found.diff.counts
        figures = self.estimate
        wanted = {line.key for line in self.to_render}
        return {
            "slug": self.plan.slug,
            "revision": self.stored.revision,
            "counts": {**{status.value: count for status, count in counts.items()}, "locked": len(found.held)},
            "to_render": len(self.to_render),
            "audio_s": 0.0 if figures is None else figures.audio_ms / 1000,
            "engine_s": None if figures is None or figures.render_ms is None else figures.render_ms / 1000,
            "sections_to_assemble": list(self.sections_again),
            "lines": [
                {**_entry(entry), "render": entry.new is not None and entry.new.key in wanted}
                for entry in found.diff.lines
                if entry.status != "kept" or entry.locked
            ],
            "sections": [
                {"status": part.status.value, "old": part.old, "new": part.new}
                for part in found.diff.sections
                if part.status != "kept"
            ],
            "warnings": list(self.warnings),
            "rejected": [{"place": item.place, "reason": item.reason} for item in self.rejected],
            "notices": [{"place": item.place, "reason": item.reason} for item in self.notices],
        }


def propose(conn: sa.Connection, slug: str, changes: Changes, store: Store | None) -> Proposal:
    """Plan a new revision of a production and compare it with the newest; stores nothing but a cover.

    Without ``store`` the cover is only named. Raises NotFound, OrderError, ScriptError, CastingError.
    """
    from db.queries import history, pace, takes
    from scheduler.estimates import Paces, estimate

    stored = history.latest(conn, slug)
    order = _order(stored, changes)
    check(order)
    document = None if changes.reading is None else _read(order)
    doubtful: tuple[str, ...] = ()
    if document is None:
        plan, voices, doubtful = _from_stored(conn, stored, order, changes)
    else:
        plan, voices = _from_script(conn, stored, order, document, changes, store)
    check_line_files(plan)
    labels = {**{line.voice_id: line.voice for line in stored.lines}, **{voice.id: voice.label for voice in voices}}
    comparison = compare(conn, stored, plan, labels)
    known = takes.known_digests(conn, (line.digest for line in _lines(plan)))
    fresh = [line for line in _lines(plan) if line.key not in comparison.held and line.digest not in known]
    figures = None
    if fresh:
        part = replace(plan.sections[0], lines=tuple(fresh))
        figures = estimate(replace(plan, sections=(part,)), Paces(pace.paces(conn), labels))
    return Proposal(
        stored,
        plan,
        comparison,
        tuple(fresh),
        figures,
        _sections_again(stored, plan, comparison, takes.locks(conn, stored.production.id)),
        (*_warnings(comparison), *doubtful),
        order,
        document,
    )


def carry_out(conn: sa.Connection, proposal: Proposal) -> ImportResult:
    """Store a proposal as the production's next revision, in the caller's transaction."""
    return _store(conn, proposal.stored, proposal.plan, proposal.comparison)


def import_keeping(conn: sa.Connection, plan: ImportPlan) -> ImportResult:
    """Import a plan so that locked lines and chosen takes of the revision before stay: for any way a script comes in.

    In the caller's one transaction. Raises what ``imports.import_script`` raises.
    """
    from db.errors import NotFound
    from db.locks import lock_title
    from db.queries import history, imports, takes, voices

    lock_title(conn, plan.slug)
    if not takes.decided(conn, plan.slug):  # the usual case: nothing to set beside the revision before
        return imports.import_script(conn, plan)
    try:
        stored = history.latest(conn, plan.slug)
    except NotFound:
        return imports.import_script(conn, plan)
    known = {line.voice_id: line.voice for line in stored.lines}
    new = sorted({line.voice_id for line in _lines(plan)} - known.keys())
    labels = {**known, **{voice_id: voices.get_voice_by_id(conn, voice_id).label for voice_id in new}}
    return _store(conn, stored, plan, compare(conn, stored, plan, labels))


def compare(conn: sa.Connection, stored: StoredScript, plan: ImportPlan, labels: Mapping[int, str]) -> Comparison:
    """Set a plan beside the stored revision: what became of each line, and which keep a locked take."""
    from db.queries import takes
    from scheduler.diffing import NewLine, OldLine, diff, has_own_id

    locks = takes.locks(conn, stored.production.id)
    before = [
        OldLine(**_compared(line, section.key, line.voice), locked=line.key in locks)
        for section in stored.sections
        for line in section.lines
    ]
    after = [
        NewLine(**_compared(line, section.key, labels[line.voice_id]))
        for section in plan.sections
        for line in section.lines
    ]
    found = diff(before, after)
    held: dict[str, LockedTake] = {}
    renamed: dict[str, str] = {}
    for entry in found.lines:
        if entry.old is None or entry.new is None or not entry.locked:
            continue
        old, new = entry.old, entry.new
        if old.key == new.key or old.text == new.text:
            held[new.key] = locks[old.key]
            if old.key != new.key:
                renamed[old.key] = new.key
    kept = {entry.old.key for entry in found.lines if entry.old and entry.new and entry.new.key in held}
    back = [line for line in after if line.key in locks and line.key not in held and has_own_id(line.key)]
    there = {line.key for line in before}
    held.update((line.key, locks[line.key]) for line in back if line.key not in there)  # it was away for a revision
    return Comparison(found, held, renamed, tuple(key for key in locks if key not in kept and key not in held))


def note_left_out(proposal: Proposal) -> str:
    """Write what the new script's reader left out into a report; a sentence for people, or ''.

    Raises ScriptUnreadable when the report cannot be written.
    """
    return "" if proposal.document is None else note_rejects(proposal.order, proposal.document)


# --- the order and the plan ---


def _order(stored: StoredScript, changes: Changes) -> Order:
    """The last job's order with what was asked for over it."""
    if changes.reading is None:
        reading = Order(Path(stored.source_name))
    else:
        reading = read_as_before(changes.reading, stored.options.reading, stored.source_name)
    return replace(
        reading,
        profile=changes.profile or stored.profile,
        formats=stored.options.formats if changes.formats is None else changes.formats,
        out=changes.out or stored.out_url,
        title=changes.title or stored.production.title,
        author=stored.production.author if changes.author is None else changes.author,
        slug=stored.production.slug,
        priority=stored.production.priority if changes.priority is None else changes.priority,
        review=stored.options.review if changes.review is None else changes.review,
        casting=changes.casting,
    )


def _read(order: Order) -> ScriptDocument:
    """Read the new script; its own title and author stay visible, in a notice, where the production has others."""
    from scheduler.local.order import read
    from scheduler.scripts.model import Rejection

    own = read(replace(order, title=None, author=None))
    found = replace(own, title=order.title or own.title, author=order.author or own.author)
    if own.title in (found.title, order.source.stem):
        return found
    reason = f"the script is called {own.title!r}, the production stays {found.title!r}; --title changes it"
    return replace(found, notices=(*found.notices, Rejection("", reason)))


def _from_script(
    conn: sa.Connection,
    stored: StoredScript,
    order: Order,
    document: ScriptDocument,
    changes: Changes,
    store: Store | None,
) -> tuple[ImportPlan, list[VoiceRecord]]:
    """Plan a new script with the voices that its characters have."""
    from db.queries import lexicon
    from scheduler.casting import NARRATOR, roles_of, same_name
    from scheduler.lexicon import Lexicon
    from scheduler.local.order import casting_file, plan

    roles = roles_of(document)
    written = casting_file(order)
    given = {**written.overrides(roles), **changes.cast}
    narrator = changes.voice or written.narrator
    recast = {same_name(name).partition(":")[0] for name in given} | ({NARRATOR} if narrator else set())
    versions = recasting.versions(conn, changes.versions, stored)
    there = {(same_name(role.name), tag) for role in roles for tag in role.languages}
    kept = {
        f"{who}:{tag}": recasting.label(label, versions)
        for (who, tag), label in recasting.stored_cast(stored).items()
        if (who, tag) in there and who not in recast
    }
    narrator = narrator or recasting.label(recasting.stored_narrator(stored), versions)
    voices = recasting.voices(conn, {*kept.values(), *given.values(), narrator})
    wanted = replace(order, voice=narrator, cast={**kept, **given})
    return plan(wanted, document, voices, store, Lexicon(lexicon.list_entries(conn))), voices


def _from_stored(
    conn: sa.Connection, stored: StoredScript, order: Order, changes: Changes
) -> tuple[ImportPlan, list[VoiceRecord], tuple[str, ...]]:
    """Plan the stored lines again: with the lexicon as it is now, and other voices where that was asked for.

    The third value is what a person should know about it.
    """
    from db.queries import lexicon
    from scheduler.lexicon import Lexicon

    told = {**changes.cast, **({"narrator": changes.voice} if changes.voice else {})}
    if changes.casting is not None:
        raise OrderError("--casting goes with a new script; name the characters with --recast NAME=VOICE")
    versions = recasting.versions(conn, changes.versions, stored)
    voices = recasting.voices(conn, {*told.values(), *versions.values(), *(line.voice for line in stored.lines)})
    desk = recasting.Recast(stored, told, versions, voices, Lexicon(lexicon.list_entries(conn)))
    return recasting.plan_again(stored, order, desk), voices, _undecided(desk.undecided)


def _undecided(keys: Sequence[str]) -> tuple[str, ...]:
    if not keys:
        return ()
    others = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    return (
        f"line {keys[0]}{others} keep the readings they have: which of them are the script's own is not known; "
        "name the script FILE and the lexicon is put to use in them too",
    )


# --- storing ---


def _store(conn: sa.Connection, stored: StoredScript, plan: ImportPlan, found: Comparison) -> ImportResult:
    from db.queries import imports, takes
    from scheduler.diffing import has_own_id

    result = imports.import_script(conn, _with_held(plan, found.held))
    if result.resumed:
        return result
    own = {line.key: line.digest for line in _lines(plan)}
    takes.restore(conn, result.job_id, stored.script_id, {key: (take, own[key]) for key, take in found.held.items()})
    ended = [*found.renamed, *(key for key in found.lost if not has_own_id(key))]
    renamed = {new: found.held[new] for new in found.renamed.values()}
    takes.rename_locks(conn, stored.production.id, renamed, ended)
    return result


def _with_held(plan: ImportPlan, held: Mapping[str, LockedTake]) -> ImportPlan:
    """The plan with the digests of locked takes, so that their lines are born with a take.

    What the script says of a locked line beyond its take is part of the plan's digest: unlocking it makes a difference.
    """
    from db.digest import script_digest

    other = {
        line.key: held[line.key] for line in _lines(plan) if line.key in held and held[line.key].digest != line.digest
    }
    if not other:
        return plan
    sections = tuple(
        replace(
            section,
            lines=tuple(
                replace(line, digest=other[line.key].digest) if line.key in other else line for line in section.lines
            ),
        )
        for section in plan.sections
    )
    marks = [[key, other[key].take_id] for key in sorted(other)]
    return replace(plan, sections=sections, digest=script_digest(["locked", plan.digest, marks]))


# --- telling ---


def _lines(plan: ImportPlan) -> list[PlannedLine]:
    return [line for section in plan.sections for line in section.lines]


def _compared(line: StoredLine | PlannedLine, section: str, voice: str) -> dict[str, Any]:
    return {
        "key": line.key,
        "section": section,
        "text": line.text,
        "spoken": line.spoken,
        "character": line.character,
        "voice": voice,
        "language": line.language,
        "pause_ms": line.pause_ms,
        "in_ms": line.in_ms,
        "out_ms": line.out_ms,
        "direction": line.direction,
    }


def _sections_again(
    stored: StoredScript, plan: ImportPlan, found: Comparison, locks: Mapping[str, LockedTake]
) -> tuple[str, ...]:
    """Titles of the sections that no track of the revision before serves: a track is found by all that is in it."""
    production = stored.production
    aside = {"reading": plan.options.reading, "script": plan.options.script}  # no part of a track
    options = stored.options.model_copy(update=aside)
    before = (production.title, production.author, production.language, stored.profile, options)
    if before != (plan.title, plan.author, plan.language, plan.profile, plan.options):
        return tuple(section.title or section.key for section in plan.sections)
    made = {
        _ingredients(section, number, len(stored.sections), locks)
        for number, section in enumerate(stored.sections)
        if section.state == "assembled"
    }
    return tuple(
        section.title or section.key
        for number, section in enumerate(plan.sections)
        if _ingredients(section, number, len(plan.sections), found.held) not in made
    )


def _ingredients(
    section: StoredSection | PlannedSection, number: int, count: int, held: Mapping[str, LockedTake]
) -> tuple[object, ...]:
    """What a track is made of, as far as it is known before the takes are."""
    lines = tuple(
        (
            held[line.key].digest if line.key in held else line.digest,
            line.pause_ms,
            line.text,
            line.character,
            line.in_ms,
            line.out_ms,
        )
        for line in section.lines
    )
    return section.key, section.title, number, count, lines


def _warnings(found: Comparison) -> tuple[str, ...]:
    from scheduler.diffing import has_own_id

    said = []
    for entry in found.diff.lines:
        if entry.new is None or entry.new.key not in found.held or entry.old is None:
            continue
        other = [name for name in ("text", "spoken", "character", "language", "direction") if name in entry.changes]
        if other:
            said.append(
                f"line {entry.new.key} is locked and keeps its take, although its {' and '.join(other)} changed: "
                f"{_short(entry.old.text)!r} is heard where the script says {_short(entry.new.text)!r}"
            )
    for key in found.lost:
        end = "its lock waits until it returns" if has_own_id(key) else "its lock ends"
        said.append(f"locked line {key} is not in the new revision: {end}, its takes are kept")
    return tuple(said)


def _entry(entry: LineDiff) -> dict[str, Any]:
    old, new = entry.old, entry.new
    return {
        "status": entry.status.value,
        "key": None if new is None else new.key,
        "old_key": None if old is None else old.key,
        "section": new.section if new is not None else old.section if old is not None else None,
        "character": new.character if new is not None else old.character if old is not None else None,
        "changes": list(entry.changes),
        "moved": entry.moved,
        "locked": entry.locked,
        "old_text": None if old is None else old.text,
        "text": None if new is None else new.text,
        "old_voice": None if old is None else old.voice,
        "voice": None if new is None else new.voice,
    }


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
