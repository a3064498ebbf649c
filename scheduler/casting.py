"""Who says what: characters to voices, decided before anything renders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from db.records import VoiceRecord
from scheduler.errors import CharacterUnknown, ConsentMissing, NobodySpeaks, VoiceUnknown
from scheduler.scripts.languages import primary
from scheduler.scripts.model import ScriptDocument, ScriptLine

NARRATOR = "narrator"
"""The character of lines that no one in the story says."""

_EVERY = "*"
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Role:
    """A character of a script."""

    name: str
    """As first written; 'narrator' for the narrator."""
    languages: tuple[str, ...]
    """In order of appearance."""
    lines: int


@dataclass(frozen=True, slots=True)
class Casting:
    """A voice for every character and language of one script."""

    narrator: VoiceRecord
    roles: tuple[Role, ...]
    """In order of appearance."""
    voices: Mapping[tuple[str, str], VoiceRecord]
    """(character as compared, language) → voice."""
    names: Mapping[str, str]
    """Character as compared → as first written."""
    assigned: tuple[str, ...] = field(default=())
    """Characters nobody cast by hand, which were given a voice in order of appearance."""
    shared: tuple[str, ...] = field(default=())
    """Of these, the ones whose voice somebody else has too: there were more characters than voices."""

    def voice_of(self, line: ScriptLine) -> VoiceRecord:
        """Return the voice of a line; of several characters together, the first one's."""
        return self.voices[same_name(character_of(line)), line.language]

    def name_of(self, line: ScriptLine) -> str:
        """Return the character of a line in one spelling."""
        return self.names[same_name(character_of(line))]


def character_of(line: ScriptLine) -> str:
    """Return the first character of a line as written, or 'narrator'."""
    return line.characters[0] if line.characters else NARRATOR


def same_name(name: str) -> str:
    """Return what two spellings of one character have in common: 'ALICE' is 'Alice'."""
    return " ".join(name.split()).casefold()


def spoken_lines(document: ScriptDocument) -> Iterator[ScriptLine]:
    """Yield the lines a voice says; reactions, crowds and text in the picture are carried, not spoken."""
    for section in document.sections:
        for line in section.lines:
            if line.kind == "speech":
                yield line


def roles_of(document: ScriptDocument) -> tuple[Role, ...]:
    """Return the characters of a script in order of appearance."""
    names: dict[str, str] = {}
    languages: dict[str, dict[str, None]] = {}
    counts: Counter[str] = Counter()
    # a script has far fewer spellings of names, each in a language or two, than lines
    said: dict[tuple[tuple[str, ...], str], int] = {}
    for line in spoken_lines(document):
        spelling = (line.characters, line.language)
        said[spelling] = said.get(spelling, 0) + 1
    for (characters, language), lines in said.items():  # in order of appearance
        name = characters[0] if characters else NARRATOR
        key = same_name(name)
        names.setdefault(key, name)
        languages.setdefault(key, {})[language] = None
        counts[key] += lines
    return tuple(Role(name, tuple(languages[key]), counts[key]) for key, name in names.items())


def speaks(voice: VoiceRecord, language: str) -> bool:
    """Whether a voice speaks a language: exactly, by its primary tag, or all of them."""
    wanted = {language.lower(), primary(language)}
    return any(tag == _EVERY or tag.lower() in wanted or primary(tag) == primary(language) for tag in voice.languages)


def cast(
    document: ScriptDocument,
    voices: Sequence[VoiceRecord],
    *,
    narrator: str,
    overrides: Mapping[str, str] | None = None,
) -> Casting:
    """Give every character a voice.

    ``overrides`` maps a character, or ``character:language``, to the name of a voice. The narrator has the voice
    named; characters without an override get distinct voices of the narrator's engine in order of appearance, the
    least used again when there are more characters than voices.

    Raises VoiceUnknown, CharacterUnknown (an override for nobody), NobodySpeaks and ConsentMissing.
    """
    desk = _Desk(document, tuple(voices), narrator, dict(overrides or {}))
    return desk.cast()


class _Desk:
    """Works out one casting."""

    def __init__(
        self, document: ScriptDocument, voices: tuple[VoiceRecord, ...], narrator: str, overrides: dict[str, str]
    ) -> None:
        self._voices = voices
        self._roles = roles_of(document)
        self._narrator = self._named(narrator)
        self._overrides = {same_name(name): self._named(voice) for name, voice in overrides.items()}
        self._check_overrides(overrides)
        used = {self._narrator.name, *(voice.name for voice in self._overrides.values())}
        pool = [v for v in voices if v.engine == self._narrator.engine and v.live and v.name not in used]
        self._pool = sorted(pool, key=lambda voice: _natural(voice.name))
        self._uses: Counter[str] = Counter()
        self._assigned: list[str] = []
        self._shared: list[str] = []

    def cast(self) -> Casting:
        """Return the casting."""
        chosen: dict[tuple[str, str], VoiceRecord] = {}
        for role in self._roles:
            key = same_name(role.name)
            default = self._default(role)
            for language in role.languages:
                voice = self._override(key, language) or default
                self._check(voice, role.name, language)
                chosen[key, language] = voice
        names = {same_name(role.name): role.name for role in self._roles}
        return Casting(self._narrator, self._roles, chosen, names, tuple(self._assigned), tuple(self._shared))

    def _named(self, name: str) -> VoiceRecord:
        for voice in self._voices:
            if name in (voice.name, voice.label):
                return voice
        raise VoiceUnknown(name, tuple(sorted((voice.name for voice in self._voices), key=_natural)))

    def _check_overrides(self, overrides: Mapping[str, str]) -> None:
        known = {same_name(role.name) for role in self._roles} | {NARRATOR}
        for name in overrides:
            key = same_name(name)
            if key not in known and key.rpartition(":")[0] not in known:
                raise CharacterUnknown(name, tuple(role.name for role in self._roles))

    def _override(self, key: str, language: str) -> VoiceRecord | None:
        for name in (f"{key}:{language.casefold()}", f"{key}:{primary(language)}", key):
            if name in self._overrides:
                return self._overrides[name]
        return None

    def _default(self, role: Role) -> VoiceRecord:
        key = same_name(role.name)
        if key == NARRATOR:
            return self._overrides.get(key, self._narrator)
        if all(self._override(key, language) for language in role.languages):
            return self._narrator  # never used: every language of the role has an override
        self._assigned.append(role.name)
        able = [voice for voice in self._pool if all(speaks(voice, language) for language in role.languages)]
        able = able or [voice for voice in self._pool if speaks(voice, role.languages[0])]
        if not able:
            self._shared.append(role.name)
            return self._narrator
        voice = min(able, key=lambda candidate: self._uses[candidate.name])
        if self._uses[voice.name]:
            self._shared.append(role.name)
        self._uses[voice.name] += 1
        return voice

    def _check(self, voice: VoiceRecord, character: str, language: str) -> None:
        if not speaks(voice, language):
            able = sorted(
                {other.name for other in self._voices if other.live and speaks(other, language)}, key=_natural
            )
            raise NobodySpeaks(character, language, tuple(able))
        if not voice.live:
            raise ConsentMissing(voice.name, character)


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts draft-10 behind draft-2."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in _DIGITS.split(name) if part)
