"""Whether a track's files in the store are still what they were made to be."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from db.errors import StoreCorrupt, StoreError, StoreMissing
from db.records import DeliverySection, DeliveryWork, MadeTrack, TrackRecord
from db.store import Store
from workers.clips import clip_kinds, is_clip
from workers.takes import set_aside

DELIVERED_FROM = {"mp3": "mp3", "flac": "flac", "vtt": "vtt", "m4b": "m4a"}
"""Format of a deliverable → kind of the track's file that it is made from."""


def reusable(store: Store, track: MadeTrack, kinds: Iterable[str], formats: Collection[str]) -> bool:
    """Whether a track made before serves again: all its files are in the store, and whole as far as nobody else looks.

    What is delivered is read and checked then, where it is not in place already: a book of which one line changed is
    not read twice from end to end.
    """
    wanted = list(kinds)
    return _all_there(store, track, wanted) and intact(store, track, _unread(wanted, formats))


def at_hand(store: Store, track: MadeTrack, kinds: Iterable[str], formats: Collection[str]) -> bool:
    """Whether a track serves again as far as a look at names tells, and nothing else has to be looked at.

    Never raises for the store: what cannot be seen is not at hand.
    """
    wanted = list(kinds)
    try:
        return not _unread(wanted, formats) and _all_there(store, track, wanted)
    except StoreError:
        return False


def _all_there(store: Store, track: MadeTrack, kinds: Iterable[str]) -> bool:
    return all(kind in track.files and store.exists(track.files[kind]) for kind in kinds)


def _unread(kinds: Iterable[str], formats: Collection[str]) -> list[str]:
    """The kinds that no delivery reads."""
    delivered = {DELIVERED_FROM[wanted] for wanted in formats if wanted in DELIVERED_FROM}
    return [kind for kind in kinds if kind not in delivered and not is_clip(kind)]


def intact(store: Store, track: MadeTrack | TrackRecord, kinds: Iterable[str]) -> bool:
    """Whether all these files of a track are in the store and whole; each damaged one is moved aside.

    Every file is looked at, also after the first bad one: what stays under its name would be taken for stored already
    when the track is made again.
    """
    whole = [kind in track.files and _whole(store, track.files[kind]) for kind in kinds]
    return all(whole)


def damaged_sections(store: Store, work: DeliveryWork, key: str) -> list[int]:
    """Sections of a delivery whose track has lost a file it needs, when ``key`` was found missing or corrupt.

    All tracks are looked at, so that a store that lost many files costs one round and not one for each. Empty when
    ``key`` is no track's: then the delivery itself cannot be made.
    """
    needed = {section.section_id: _needed(section, work.options.formats) for section in work.sections}
    if not any(key in (section.track.files[kind] for kind in needed[section.section_id]) for section in work.sections):
        return []
    return [
        section.section_id
        for section in work.sections
        if not intact(store, section.track, needed[section.section_id])
        or key in section.track.files.values()  # put right by somebody since: asking again costs little
    ]


def _needed(section: DeliverySection, formats: Collection[str]) -> list[str]:
    if not section.track.samples:
        return []  # every line left out: there is nothing to deliver
    whole = [kind for wanted, kind in DELIVERED_FROM.items() if wanted in formats and kind in section.track.files]
    return [*whole, *clip_kinds(section, formats)]


def _whole(store: Store, key: str) -> bool:
    try:
        store.verify(key)
    except (StoreCorrupt, StoreMissing):
        set_aside(store, key)
        return False
    return True
