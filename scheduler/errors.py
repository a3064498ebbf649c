"""What the scheduler raises on purpose.

    SchedulerError
    ├── ScriptError            a script cannot be read (the subtree is in scheduler.scripts.errors)
    ├── SchedulerActive        a render in one process found its database in the hands of another scheduler
    └── CastingError           a character cannot be given a voice
        ├── VoiceUnknown       a voice was named that is not stored
        ├── CharacterUnknown   an override names a character the script does not have
        ├── NobodySpeaks       no voice at hand speaks a language of the script
        └── ConsentMissing     a voice was cast that has no live consent

Every class carries its facts as fields (``args`` in order), survives pickling, and says in one sentence what to do.
"""

from __future__ import annotations


class SchedulerError(Exception):
    """Base of everything this package raises on purpose. ``args`` hold the fields, in order."""

    def __reduce__(self) -> tuple[type[SchedulerError], tuple[object, ...]]:
        return (type(self), self.args)


class SchedulerActive(SchedulerError):
    """The database belongs to a farm that is running: what this process started would wait for the farm's workers."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder

    def __str__(self) -> str:
        return (
            f"another scheduler is active on the database that DATABASE_URL names ({self.holder}): it would send these "
            "lines to its own workers, and nothing would render here. Set BROKER_URL to that farm's broker to render "
            "there, stop it (or wait for its end, if it is another `voicefarm render`), or unset DATABASE_URL to "
            "render on this machine alone"
        )


class CastingError(SchedulerError):
    """A character cannot be given a voice."""


class VoiceUnknown(CastingError):
    """A voice was named that is not stored."""

    def __init__(self, voice: str, known: tuple[str, ...]) -> None:
        super().__init__(voice, known)
        self.voice = voice
        self.known = known

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none"
        return f"no voice is called {self.voice!r}; known voices: {known}"


class CharacterUnknown(CastingError):
    """An override names a character the script does not have."""

    def __init__(self, character: str, known: tuple[str, ...]) -> None:
        super().__init__(character, known)
        self.character = character
        self.known = known

    def __str__(self) -> str:
        known = ", ".join(self.known) or "only the narrator"
        return f"the script has no character {self.character!r} to cast; it has: {known}"


class NobodySpeaks(CastingError):
    """No voice that could be given to a character speaks a language of its lines."""

    def __init__(self, character: str, language: str, speakers: tuple[str, ...]) -> None:
        super().__init__(character, language, speakers)
        self.character = character
        self.language = language
        self.speakers = speakers

    def __str__(self) -> str:
        who = f"character {self.character!r}" if self.character else "the narrator"
        if self.speakers:
            return (
                f"{who} has lines in {self.language!r}, which the voice cast does not speak; "
                f"cast one of: {', '.join(self.speakers)}"
            )
        return f"{who} has lines in {self.language!r}, which no stored voice speaks; add a voice for it"


class ConsentMissing(CastingError):
    """A voice was cast that has no live consent."""

    def __init__(self, voice: str, character: str) -> None:
        super().__init__(voice, character)
        self.voice = voice
        self.character = character

    def __str__(self) -> str:
        who = f"character {self.character!r}" if self.character else "the narrator"
        return f"voice {self.voice!r}, cast for {who}, has no live consent; record one or cast another voice"
