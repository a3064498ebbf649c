"""What a file says about itself, in the words each container has for it.

Every file says that its speech is AI-generated: the caller's comment says how (and that a draft voice is a draft), and
AI_GENERATED=yes stands in a tag of its own where the container has room for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["mp3", "flac", "m4a"]

AI_TAG = "AI_GENERATED"
AI_SENTENCE = "AI-generated speech."

# ID3 wants ISO 639-2; tags that are not in the table are left out of MP3 files rather than written wrongly
_ISO_639_2 = {
    "ar": "ara", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "en": "eng", "es": "spa", "fi": "fin",
    "fr": "fra", "he": "heb", "hi": "hin", "hu": "hun", "id": "ind", "it": "ita", "ja": "jpn", "ko": "kor",
    "la": "lat", "nb": "nob", "nl": "nld", "no": "nor", "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus",
    "sv": "swe", "th": "tha", "tr": "tur", "uk": "ukr", "vi": "vie", "yue": "yue", "zh": "zho",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrackTags:
    """Tags of one track. Empty texts and zero numbers are left out of the file."""

    title: str
    album: str
    artist: str
    """The author, as audiobook players show it."""
    narrator: str
    track: int
    """1-based."""
    tracks: int
    year: str
    language: str
    """BCP 47."""
    comment: str
    """How the speech was made, for people: says that it is AI-generated, and that a draft is a draft."""
    publisher: str = ""


def metadata_args(tags: TrackTags, kind: Kind) -> list[str]:
    """Turn tags into ffmpeg's ``-metadata`` arguments for one kind of file."""
    number = f"{tags.track}/{tags.tracks}" if tags.tracks else str(tags.track or "")
    fields = {
        "title": tags.title,
        "album": tags.album,
        "artist": tags.artist,
        "album_artist": tags.artist,
        "composer": tags.narrator,
        "date": tags.year,
        "genre": "Audiobook",
        "track": number,
        "comment": tags.comment or AI_SENTENCE,
        "publisher": tags.publisher,
        **_of_kind(tags, kind),
    }
    args: list[str] = []
    for name, value in fields.items():
        clean = _clean(value)
        if clean:
            args += ["-metadata", f"{name}={clean}"]
    return args


def _of_kind(tags: TrackTags, kind: Kind) -> dict[str, str]:
    if kind == "mp3":
        return {"language": _ISO_639_2.get(tags.language.split("-")[0].lower(), ""), AI_TAG: "yes"}
    if kind == "flac":
        tracks = str(tags.tracks) if tags.tracks else ""
        return {"track": str(tags.track or ""), "tracktotal": tracks, "language": tags.language, AI_TAG: "yes"}
    # a free tag in MP4 would need +use_metadata_tags, which hides all the others from players
    return {"description": f"{AI_SENTENCE} {AI_TAG}=yes"}


def _clean(value: str) -> str:
    """Without control characters: a NUL would end the argument, a line break the field."""
    return "".join(char if char.isprintable() else " " for char in value).strip()
