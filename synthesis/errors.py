"""What can be wrong with the input or the model.

    SynthesisError
    ├── VoiceError
    │   ├── VoiceMissing         the voice or its files are not there
    │   └── LanguageUnsupported  the voice does not speak the language
    ├── TextError                the text cannot be spoken
    ├── EngineUnknown            no engine has this name
    ├── EngineError              the engine broke or returned something that is not audio
    │   ├── EngineOutOfMemory    out of device memory, even alone
    │   └── EngineDied           the engine's process ended or must end
    ├── SheetUnwritable          a script that no workbook can hold
    └── AudioError               audio that cannot be read, mastered or encoded
        ├── AudioUnreadable
        ├── PartUnusable         a take that cannot go into a track
        ├── NothingToMaster      a track without parts, or without audio in them
        ├── ProfileUnknown
        ├── EncodeError
        └── LoudnessUnreachable

Every class carries its facts as fields and survives pickling: an error crosses process boundaries here.
"""

from __future__ import annotations


class SynthesisError(Exception):
    """Base of everything this package raises on purpose. ``args`` hold the fields, in order."""

    def __reduce__(self) -> tuple[type[SynthesisError], tuple[object, ...]]:
        return (type(self), self.args)


class VoiceError(SynthesisError):
    """Something is wrong with a voice."""


class VoiceMissing(VoiceError):
    """The voice is not known to the engine, or a file of it is missing."""

    def __init__(self, voice: str, detail: str = "") -> None:
        super().__init__(voice, detail)
        self.voice = voice
        self.detail = detail

    def __str__(self) -> str:
        tail = f": {self.detail}" if self.detail else ""
        return f"voice {self.voice!r} cannot be loaded{tail}"


class LanguageUnsupported(VoiceError):
    """The voice does not speak this language."""

    def __init__(self, voice: str, language: str) -> None:
        super().__init__(voice, language)
        self.voice = voice
        self.language = language

    def __str__(self) -> str:
        return f"voice {self.voice!r} does not speak {self.language!r}; cast another voice for it"


class TextError(SynthesisError):
    """The text cannot be spoken."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(reason, text)
        self.reason = reason
        self.text = text

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        return f"{self.reason}: {shown!r}" if shown else self.reason


class EngineUnknown(SynthesisError):
    """No engine has this name."""

    def __init__(self, engine: str, known: tuple[str, ...]) -> None:
        super().__init__(engine, known)
        self.engine = engine
        self.known = known

    def __str__(self) -> str:
        return f"there is no engine {self.engine!r}; there are {', '.join(self.known)}"


class EngineError(SynthesisError):
    """The engine failed on a line."""

    def __init__(self, engine: str, reason: str) -> None:
        super().__init__(engine, reason)
        self.engine = engine
        self.reason = reason

    def __str__(self) -> str:
        return f"engine {self.engine}: {self.reason}"


class EngineOutOfMemory(EngineError):
    """Out of device memory; the caller halves the batch."""


class EngineDied(EngineError):
    """The engine cannot go on in this process."""


class AudioError(SynthesisError):
    """Audio that cannot be used."""


class AudioUnreadable(AudioError):
    """A file that is not audio, is truncated, or is empty."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class PartUnusable(AudioError):
    """A take that cannot go into a track: unreadable, not mono, not finite, at a rate nobody speaks at."""

    def __init__(self, key: int, path: str, reason: str) -> None:
        super().__init__(key, path, reason)
        self.key = key
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"part {self.key} ({self.path}): {self.reason}"


class NothingToMaster(AudioError):
    """A track was asked for without parts, or of parts that hold no audio."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target

    def __str__(self) -> str:
        return f"{self.target}: there is nothing to master: no part holds any audio"


class ProfileUnknown(AudioError):
    """No mastering profile has this name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"there is no mastering profile {self.name!r}; choose one of {', '.join(self.known)}"


class SheetUnwritable(SynthesisError):
    """A workbook cannot hold what is to be written. ``place`` is the row, or ''."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        where = f", {self.place}" if self.place else ""
        return f"the script as a workbook{where}: {self.reason}"


class EncodeError(AudioError):
    """The encoder refused or ended early."""

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(target, reason)
        self.target = target
        self.reason = reason

    def __str__(self) -> str:
        return f"encoding {self.target}: {self.reason}"


class LoudnessUnreachable(AudioError):
    """The profile's loudness cannot be reached under its peak ceiling without squashing the programme."""

    def __init__(self, target_lufs: float, reached_lufs: float, ceiling_dbtp: float) -> None:
        super().__init__(target_lufs, reached_lufs, ceiling_dbtp)
        self.target_lufs = target_lufs
        self.reached_lufs = reached_lufs
        self.ceiling_dbtp = ceiling_dbtp

    def __str__(self) -> str:
        return (
            f"{self.target_lufs:g} LUFS is not reachable under {self.ceiling_dbtp:g} dBTP: "
            f"reached {self.reached_lufs:.2f} LUFS; level the lines or choose a quieter profile"
        )
