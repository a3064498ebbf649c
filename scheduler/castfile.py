"""A casting file: who speaks whom, written once for a series and taken along from production to production.

inherits: ../series.yaml          # the series' bible; what stands here wins
narrator: draft-1
dialogue: draft-2                 # whoever is not named below; without it voices are given in order of appearance
languages:                        # narrator and dialogue of a language
  ja: draft-7
characters:
  Alice: draft-3
  The Fox:
    voice: draft-4
    also: [FOX, Mr. Fox]          # other spellings in scripts
    languages: {ja: draft-8}
uncast: refuse                    # or assign, the default: characters that nobody named
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from scheduler.casting import NARRATOR, Role, same_name
from scheduler.errors import SchedulerError
from scheduler.scripts.languages import primary

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 16
"""Files that inherit from one another."""

_KEYS = ("inherits", "narrator", "dialogue", "languages", "characters", "uncast")
_CHARACTER_KEYS = ("voice", "also", "languages")


class CastFileError(SchedulerError):
    """A casting file cannot be used. Picklable, with its fields: file, place, reason."""

    def __init__(self, file: str, place: str, reason: str) -> None:
        super().__init__(file, place, reason)
        self.file = file
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}, {self.place}: {self.reason}" if self.place else f"{self.file}: {self.reason}"


class Uncast(SchedulerError):
    """Characters of a script that the casting file does not name, where it wants them all. Picklable."""

    def __init__(self, file: str, characters: tuple[str, ...]) -> None:
        super().__init__(file, characters)
        self.file = file
        self.characters = characters

    def __str__(self) -> str:
        names = ", ".join(self.characters)
        return f"{self.file} casts nobody as {names}; name them there, or allow `uncast: assign`"


@dataclass(frozen=True, slots=True)
class Part:
    """A character's voices."""

    name: str
    voice: str | None
    languages: Mapping[str, str] = field(default_factory=dict)
    """Language tag → voice."""


@dataclass(frozen=True, slots=True)
class CastingFile:
    """A casting file with all it inherits."""

    file: str
    narrator: str | None = None
    dialogue: str | None = None
    languages: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)
    """Character as compared → part; other spellings are keys of their own."""
    uncast: Literal["assign", "refuse"] = "assign"

    def overrides(self, roles: Sequence[Role]) -> dict[str, str]:
        """What ``casting.cast`` is told for a script with these roles: ``character[:language]`` → voice.

        Characters of the file that are not in the script are left out: a series has more people than an episode.
        """
        told: dict[str, str] = {}
        for role in roles:
            if role.name == NARRATOR:
                told |= {f"{NARRATOR}:{tag}": voice for tag, voice in self.languages.items() if _speaks(role, tag)}
                continue
            part = self.parts.get(same_name(role.name))
            voice = self.dialogue if part is None else part.voice or self.dialogue
            if voice is not None:
                told[role.name] = voice
            by_language = {**self.languages, **(part.languages if part else {})}
            if part is not None and part.voice is not None:
                by_language = dict(part.languages)  # a voice of one's own wins over the default of a language
            told |= {f"{role.name}:{tag}": voice for tag, voice in by_language.items() if _speaks(role, tag)}
        return told

    def uncast_of(self, roles: Sequence[Role]) -> tuple[str, ...]:
        """Characters of a script that the file does not name, in order of appearance."""
        return tuple(role.name for role in roles if role.name != NARRATOR and same_name(role.name) not in self.parts)

    def voices(self) -> frozenset[str]:
        """Every voice that is named."""
        named = {self.narrator, self.dialogue, *self.languages.values()}
        for part in self.parts.values():
            named |= {part.voice, *part.languages.values()}
        return frozenset(voice for voice in named if voice)


def read_casting_file(path: Path) -> CastingFile:
    """Read a casting file and what it inherits. Raises CastFileError naming the file and the key."""
    return _read(path, ())


def _read(path: Path, heirs: tuple[Path, ...]) -> CastingFile:
    here = path.resolve()
    if here in heirs or len(heirs) >= MAX_DEPTH:
        raise CastFileError(str(path), "inherits", "inherits from itself, or from too many files in a row")
    values = _load(path)
    unknown = sorted(set(values) - set(_KEYS))
    if unknown:
        raise CastFileError(str(path), str(unknown[0]), f"is not known; known are {', '.join(_KEYS)}")
    own = CastingFile(
        file=str(path),
        narrator=_name(path, "narrator", values.get("narrator")),
        dialogue=_name(path, "dialogue", values.get("dialogue")),
        languages=_languages(path, "languages", values.get("languages")),
        parts=_parts(path, values.get("characters")),
        uncast=_uncast(path, values.get("uncast", "assign")),
    )
    parent = values.get("inherits")
    if parent is None:
        return own
    if not isinstance(parent, str) or not parent.strip():
        raise CastFileError(str(path), "inherits", "names a file, relative to this one")
    base = _read(path.parent / parent, (*heirs, here))
    return replace(
        own,
        narrator=own.narrator or base.narrator,
        dialogue=own.dialogue or base.dialogue,
        languages={**base.languages, **own.languages},
        parts={**base.parts, **own.parts},
        uncast=own.uncast if "uncast" in values else base.uncast,
    )


def _load(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        if path.stat().st_size > MAX_BYTES:
            raise CastFileError(str(path), "", f"has more than {MAX_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.events.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise CastFileError(str(path), "", "holds an alias (*name); write the value out")
        values = yaml.safe_load(text)
    except OSError as error:
        raise CastFileError(str(path), "", f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CastFileError(str(path), "", f"is not UTF-8 text (byte {error.start})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f"line {mark.line + 1}"
        raise CastFileError(str(path), place, f"is no YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(values, dict):
        raise CastFileError(str(path), "", f"holds no keys; known are {', '.join(_KEYS)}")
    return values


def _parts(path: Path, values: Any) -> dict[str, Part]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise CastFileError(str(path), "characters", "holds no list of `Name: voice`")
    parts: dict[str, Part] = {}
    for name, value in values.items():
        place = f"characters.{name}"
        if not isinstance(name, str) or not name.strip():
            raise CastFileError(str(path), place, "is no name; put it in quotes")
        others: list[str] = []
        if isinstance(value, dict):
            unknown = sorted(set(value) - set(_CHARACTER_KEYS), key=str)
            if unknown:
                known = ", ".join(_CHARACTER_KEYS)
                raise CastFileError(str(path), f"{place}.{unknown[0]}", f"is not known; known are {known}")
            part = Part(
                name,
                _name(path, f"{place}.voice", value.get("voice")),
                _languages(path, f"{place}.languages", value.get("languages")),
            )
            others = _names(path, f"{place}.also", value.get("also"))
        else:
            part = Part(name, _name(path, place, value))
        if part.voice is None and not part.languages:
            raise CastFileError(str(path), place, "has no voice")
        for spelling in (name, *others):
            if same_name(spelling) in parts:
                raise CastFileError(str(path), place, f"{spelling!r} is named twice")
            parts[same_name(spelling)] = part
    return parts


def _languages(path: Path, place: str, values: Any) -> dict[str, str]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise CastFileError(str(path), place, "holds no list of `language: voice`")
    found: dict[str, str] = {}
    for tag, voice in values.items():
        if not isinstance(tag, str):  # YAML reads no: as false
            raise CastFileError(str(path), f"{place}.{tag}", 'is no language tag; put it in quotes, such as "no"')
        name = _name(path, f"{place}.{tag}", voice)
        if name is None:
            raise CastFileError(str(path), f"{place}.{tag}", "has no voice")
        found[tag.casefold()] = name
    return found


def _names(path: Path, place: str, values: Any) -> list[str]:
    if values is None:
        return []
    listed = values if isinstance(values, list) else [values]
    if not all(isinstance(value, str) and value.strip() for value in listed):
        raise CastFileError(str(path), place, "holds something that is no name; put it in quotes")
    return listed


def _name(path: Path, place: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise CastFileError(str(path), place, "is no voice's name; put it in quotes")
    return value.strip()


def _uncast(path: Path, value: Any) -> Literal["assign", "refuse"]:
    if value == "refuse":
        return "refuse"
    if value == "assign":
        return "assign"
    raise CastFileError(str(path), "uncast", f"is {value!r}; choose assign or refuse")


def _speaks(role: Role, tag: str) -> bool:
    return any(tag in (language.casefold(), primary(language)) for language in role.languages)
