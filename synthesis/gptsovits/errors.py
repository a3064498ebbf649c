"""What can be wrong with a model file, with a voice cloned from a clip, or with what a network is given.

SynthesisError
├── VoiceError
│   ├── ModelError                a model that cannot be used
│   │   ├── CheckpointRefused     the file is unsafe, truncated or no checkpoint
│   │   ├── WrongKind             a checkpoint, but of something else
│   │   ├── WrongPrecision        weights that are not in half precision
│   │   ├── WrongTensors          tensors are missing, or there are some that nobody reads
│   │   ├── WrongShape            a tensor has another shape than its configuration says
│   │   ├── BadConfig             the configuration lacks a number, or holds one that cannot be
│   │   ├── VersionUnsupported    the network of this version is not built here
│   │   ├── VersionMismatch       an s1 and an s2 that read different symbol tables
│   │   ├── ModelUnknown          the model store holds nothing of this name
│   │   ├── ModelDamaged          a stored or downloaded file is not the one it was
│   │   └── FetchFailed           a pretrained set could not be downloaded
│   ├── VoiceMalformed            the voice's parameters do not describe a voice
│   ├── ModelChanged              a file is not the one the voice was registered with
│   ├── ModelNeeded               the voice needs a network that it does not name
│   └── ReferenceUnusable         a reference clip cannot be cloned from
│       ├── ReferenceUnreadable   not there, or no audio
│       ├── ReferenceLength       shorter than 3 s or longer than 10 s
│       ├── ReferenceSilent       nothing is heard in it
│       ├── TranscriptEmpty       nobody wrote down what it says
│       └── TranscriptUnreadable  what was written down cannot be spoken
├── TextError
│   ├── ChineseUnread             Chinese in a line whose voice has no text network
│   └── SegmentTooLong            a segment does not fit beside its reference
├── EngineError
│   ├── LineOverdue               a line took longer than it may
│   └── CodesNotFinite            the decoder's numbers were NaN or infinite
└── BadInput                      codes, phonemes or a reference that a network cannot take
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthesis.errors import EngineError, SynthesisError, TextError, VoiceError

Names = tuple[str, ...]


def few(names: Names, limit: int = 6) -> str:
    """The first names and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


class ModelError(VoiceError):
    """A model that cannot be used as it is."""


class CheckpointRefused(ModelError):
    """A file that may do more than hold tensors, that ends too early, or that is no checkpoint."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} is not loaded: {self.reason}; get it again from a source you trust"


class WrongKind(ModelError):
    """A checkpoint, but of something else than was asked for."""

    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(path, expected, found)
        self.path = path
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"{self.path} holds {self.found} where {self.expected} is needed; name the other file"


class WrongPrecision(ModelError):
    """Weights that are not in half precision, as every published checkpoint is."""

    def __init__(self, path: str, tensor: str, dtype: str) -> None:
        super().__init__(path, tensor, dtype)
        self.path = path
        self.tensor = tensor
        self.dtype = dtype

    def __str__(self) -> str:
        return (
            f"{self.path} holds {self.tensor} as {self.dtype}, not in half precision; "
            "`voicefarm models convert --half` rounds it once"
        )


class VersionMismatch(ModelError):
    """An s1 and an s2 model that read different symbol tables."""

    def __init__(self, s1_symbols: int, s2_symbols: int, s2_version: str) -> None:
        super().__init__(s1_symbols, s2_symbols, s2_version)
        self.s1_symbols = s1_symbols
        self.s2_symbols = s2_symbols
        self.s2_version = s2_version

    def __str__(self) -> str:
        return (
            f"the s1 model reads {self.s1_symbols} symbols, the {self.s2_version} s2 model {self.s2_symbols}; "
            "take an s1 of v1 with an s2 of v1, any other s1 with any other s2"
        )


class ModelUnknown(ModelError):
    """Nothing of this name is stored or can be fetched."""

    def __init__(self, name: str, known: Names) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"there is no model {self.name!r}; there are {few(self.known) or 'none yet: voicefarm models add'}"


class ModelDamaged(ModelError):
    """A file is not the one its digest was taken of."""

    def __init__(self, path: str, wanted: str, found: str) -> None:
        super().__init__(path, wanted, found)
        self.path = path
        self.wanted = wanted
        self.found = found

    def __str__(self) -> str:
        return (
            f"{self.path} is damaged: sha256 {self.found[:12]}…, expected {self.wanted[:12]}…; "
            "delete it and fetch or add it again"
        )


class FetchFailed(ModelError):
    """A pretrained set could not be downloaded."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.name} was not fetched: {self.reason}; run the command again to go on where it ended, "
            "or copy the files here and use `voicefarm models add`"
        )


class WrongTensors(ModelError):
    """The file does not hold exactly the tensors of the network."""

    def __init__(self, missing: Names, surplus: Names, path: str = "") -> None:
        super().__init__(missing, surplus, *filter(None, (path,)))
        self.path = path
        self.missing = missing
        self.surplus = surplus

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"{len(self.missing)} missing ({few(self.missing)})")
        if self.surplus:
            parts.append(f"{len(self.surplus)} unknown ({few(self.surplus)})")
        return (
            f"{self.path or 'the file'} does not hold the tensors of its network: {'; '.join(parts)}; "
            "take a file of the version it is loaded as"
        )


class WrongShape(ModelError):
    """A tensor has another shape than the configuration says."""

    def __init__(self, tensor: str, expected: tuple[int, ...], found: tuple[int, ...], path: str = "") -> None:
        super().__init__(tensor, expected, found, *filter(None, (path,)))
        self.path = path
        self.tensor = tensor
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return (
            f"{self.path or 'the file'}: {self.tensor} has shape {self.found} where the configuration in it wants "
            f"{self.expected}; weights and configuration are not of the same model: take a whole file"
        )


class BadConfig(ModelError):
    """A number of the configuration is missing or impossible."""

    def __init__(self, key: str, reason: str, path: str = "") -> None:
        super().__init__(key, reason, *filter(None, (path,)))
        self.path = path
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"configuration of {self.path or 'the model'}: {self.key} {self.reason}; "
            "take a file that holds its own configuration"
        )


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Whoever checks tensors does not know where they come from: the errors of what is inside name the file."""
    try:
        yield
    except (WrongTensors, WrongShape, BadConfig) as error:
        if error.path:
            raise
        fields = (*error.args, str(path))
        raise type(error)(*fields) from error


class VersionUnsupported(ModelError):
    """The network of this version is not built here."""

    def __init__(self, version: str, known: Names) -> None:
        super().__init__(version, known)
        self.version = version
        self.known = known

    def __str__(self) -> str:
        return f"a model of version {self.version} cannot be rendered here; take one of {', '.join(self.known)}"


class VoiceMalformed(VoiceError):
    """The parameters of a voice do not describe one."""

    def __init__(self, voice: str, field: str, reason: str) -> None:
        super().__init__(voice, field, reason)
        self.voice = voice
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"voice {self.voice!r}: {self.field}: {self.reason}; register the voice again"


class ModelChanged(VoiceError):
    """A file was exchanged after the voice was registered: takes would not be what their digest says."""

    def __init__(self, path: str, wanted: str, found: str) -> None:
        super().__init__(path, wanted, found)
        self.path = path
        self.wanted = wanted
        self.found = found

    def __str__(self) -> str:
        return (
            f"{self.path} is not the file the voice was registered with (sha256 {self.found[:12]}…, "
            f"registered {self.wanted[:12]}…); put the old file back or register the voice again"
        )


class ModelNeeded(VoiceError):
    """The voice needs a network it does not name."""

    def __init__(self, network: str, reason: str) -> None:
        super().__init__(network, reason)
        self.network = network
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}: name it with --{self.network}"


class ReferenceUnusable(VoiceError):
    """A reference clip cannot be cloned from."""


class ReferenceUnreadable(ReferenceUnusable):
    """A reference clip is not there, or is no audio."""

    def __init__(self, clip: str, reason: str) -> None:
        super().__init__(clip, reason)
        self.clip = clip
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.clip} cannot be read: {self.reason}; give a sound file of one person speaking"


class ReferenceLength(ReferenceUnusable):
    """A reference clip is shorter than 3 s or longer than 10 s."""

    def __init__(self, clip: str, seconds: float, shortest: float, longest: float) -> None:
        super().__init__(clip, seconds, shortest, longest)
        self.clip = clip
        self.seconds = seconds
        self.shortest = shortest
        self.longest = longest

    def __str__(self) -> str:
        what = "cut a passage out of it" if self.seconds > self.longest else "choose a longer one"
        return (
            f"{self.clip} lasts {self.seconds:.2f} s; a reference lasts {self.shortest:g} to {self.longest:g} s: {what}"
        )


class ReferenceSilent(ReferenceUnusable):
    """Nothing is heard in a reference clip."""

    def __init__(self, clip: str, peak_dbfs: float) -> None:
        super().__init__(clip, peak_dbfs)
        self.clip = clip
        self.peak_dbfs = peak_dbfs

    def __str__(self) -> str:
        return (
            f"{self.clip} is silent (loudest passage {self.peak_dbfs:.0f} dBFS); choose a clip in which somebody speaks"
        )


class TranscriptEmpty(ReferenceUnusable):
    """A reference clip has no transcript."""

    def __init__(self, clip: str) -> None:
        super().__init__(clip)
        self.clip = clip

    def __str__(self) -> str:
        return f"{self.clip} has no transcript; write down, word for word, what is said in it"


class TranscriptUnreadable(ReferenceUnusable):
    """The transcript of a reference clip cannot be spoken."""

    def __init__(self, clip: str, reason: str) -> None:
        super().__init__(clip, reason)
        self.clip = clip
        self.reason = reason

    def __str__(self) -> str:
        return f"the transcript of {self.clip} cannot be read: {self.reason}"


class ChineseUnread(TextError):
    """A line has Chinese in it, and its voice no text network; other lines of the voice are not concerned."""

    def __init__(self, voice: str, text: str) -> None:
        super().__init__("Chinese", text)
        self.args = (voice, text)
        self.voice = voice

    def __str__(self) -> str:
        return f"{super().__str__()} is spoken with a RoBERTa network: add voice {self.voice!r} again with --roberta"


class SegmentTooLong(TextError):
    """A segment of a line does not fit into the decoder beside its reference."""

    def __init__(self, text: str, positions: int, limit: int) -> None:
        super().__init__("too long in one piece", text)
        self.args = (text, positions, limit)
        self.positions = positions
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"{super().__str__()} needs {self.positions} positions beside its reference, the decoder has {self.limit}; "
            "divide the line with a full stop or a comma"
        )


class LineOverdue(EngineError):
    """A line took longer than it may."""

    def __init__(self, engine: str, line_id: int, seconds: float) -> None:
        super().__init__(engine, f"line {line_id} was not done after {seconds:.0f} s")
        self.args = (engine, line_id, seconds)
        self.line_id = line_id
        self.seconds = seconds


class CodesNotFinite(EngineError):
    """The decoder computed NaN or infinity for a line; other lines are not concerned."""

    def __init__(self, engine: str, line_id: int, text: str) -> None:
        super().__init__(engine, f"the numbers of line {line_id} are not finite")
        self.args = (engine, line_id, text)
        self.line_id = line_id
        self.text = text

    def __str__(self) -> str:
        return (
            f"the decoder's numbers became NaN or infinite in {self.text[:60]!r} (line {self.line_id}): the s1 "
            "checkpoint is damaged or overflows in half precision; try the voice with --device cpu, or another s1"
        )


class BadInput(SynthesisError):
    """A network was given something it cannot take."""

    def __init__(self, quantity: str, reason: str) -> None:
        super().__init__(quantity, reason)
        self.quantity = quantity
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.quantity}: {self.reason}"
