"""A cloned voice as data: which checkpoints, which networks under them, which clips, how it is sampled.

Parameters are JSON, so that a database can keep them. What is heard depends on the content of the files and not on
where they lie: ``identity`` leaves the paths out, and a digest is made from that. No torch here: a scheduler that
registers a voice has none.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from synthesis.errors import VoiceMissing
from synthesis.gptsovits.errors import TranscriptEmpty, VoiceMalformed

ENGINE: Final = "gpt-sovits"
ENGINE_VERSION: Final = "1"
"""Goes up when the same request may sound different for a reason in our own code."""
LANGUAGES: Final = ("zh", "yue", "en", "ja", "ko")
"""What checkpoints with 732 symbols speak."""
V1_LANGUAGES: Final = ("zh", "en", "ja")
"""What checkpoints of v1 speak."""
MAX_REROLLS: Final = 8
_BLOCK_BYTES = 1 << 20
_CARD = "model.json"  # what the model store notes beside a model: where it came from
_FOLDER_SUFFIXES = frozenset({".json", ".bin", ".safetensors", ".txt", ".pt", ".pth", ".onnx"})


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file or folder, and the sha256 of its content."""

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path) -> ModelFile:
        """The file as it is now. Raises VoiceMissing when it is not there."""
        return cls(path.absolute(), content_sha256(path))


@dataclass(frozen=True, slots=True)
class Clip:
    """A reference: what s1 continues from, and whose timbre s2 gives the result."""

    audio: ModelFile
    text: str
    """What is said in it, word for word."""
    language: str
    """zh, yue, en, ja, ko or auto."""
    emotions: tuple[str, ...] = ()
    """Emotions of a direction for which this clip is taken; the first clip of a voice serves all others."""
    also: tuple[ModelFile, ...] = ()
    """More clips of the same speaker; their timbre is averaged with this one's."""


@dataclass(frozen=True, slots=True)
class SamplingNumbers:
    """How codes are drawn; the defaults are the reference implementation's."""

    top_k: int = 15
    top_p: float = 1.0
    temperature: float = 1.0
    repetition_penalty: float = 1.35


@dataclass(frozen=True, slots=True)
class Voice:
    """A cloned voice, complete: two engines given the same one make the same takes."""

    s1: ModelFile
    s2: ModelFile
    hubert: ModelFile
    clips: tuple[Clip, ...]
    """At least one; the first is the default."""
    roberta: ModelFile | None = None
    """Needed for zh only."""
    speaker: ModelFile | None = None
    """Needed by checkpoints of v2Pro and v2ProPlus."""
    g2pw: ModelFile | None = None
    """Reads Chinese polyphones better than the dictionary does, where it is given."""
    sampling: SamplingNumbers = field(default_factory=SamplingNumbers)
    speed: float = 1.0
    """0.5 … 2, 1 = as trained; a direction's 'rate' multiplies it."""
    noise: float = 0.5
    """0 … 1, spread of the latent that s2 draws."""
    cut: str = "cut2"
    """How a line is cut into segments: cut0 (not at all) … cut5 (at every mark)."""
    pause_ms: int = 200
    """Silence between two segments of a line, in milliseconds."""
    rerolls: int = 2
    """How often a suspicious segment is drawn anew, 0 … MAX_REROLLS."""
    lexicon: Mapping[str, str] = field(default_factory=dict)
    """Term → reading, over the front end's own."""

    def clip_for(self, emotion: str | None) -> tuple[int, bool]:
        """Index of the clip for an emotion, and whether one is tagged with it; None and 'neutral' are always there."""
        wanted = (emotion or "").strip().casefold()
        for index, clip in enumerate(self.clips):
            if wanted and wanted in (tag.casefold() for tag in clip.emotions):
                return index, True
        return 0, wanted in ("", "neutral")

    def files(self) -> Iterator[ModelFile]:
        """Every file the voice is made of."""
        networks = (self.s1, self.s2, self.hubert, self.roberta, self.speaker, self.g2pw)
        yield from (each for each in networks if each is not None)
        for clip in self.clips:
            yield from (clip.audio, *clip.also)

    def to_parameters(self) -> dict[str, Any]:
        """The voice as JSON; ``read_voice`` reads it back."""
        return _spell(self, paths=True)

    def identity(self) -> dict[str, Any]:
        """What can be heard: the parameters without paths."""
        return _spell(self, paths=False)


def read_voice(name: str, parameters: Mapping[str, Any]) -> Voice:
    """The voice that ``to_parameters`` spelled.

    Raises VoiceMalformed naming the field, TranscriptEmpty for a clip nobody wrote down.
    """
    reader = _Reader(name, parameters)
    clips = tuple(_read_clip(reader.below("clips", index, clip)) for index, clip in enumerate(reader.list("clips")))
    if not clips:
        raise VoiceMalformed(name, "clips", "a voice needs a reference clip")
    numbers = _Reader(name, reader.mapping("sampling"), "sampling.")
    return Voice(
        s1=reader.file("s1"),
        s2=reader.file("s2"),
        hubert=reader.file("hubert"),
        clips=clips,
        roberta=reader.optional_file("roberta"),
        speaker=reader.optional_file("speaker"),
        g2pw=reader.optional_file("g2pw"),
        sampling=SamplingNumbers(
            top_k=int(numbers.number("top_k", 15, 1, 1025)),
            top_p=numbers.number("top_p", 1.0, 0.01, 1),
            temperature=numbers.number("temperature", 1.0, 0.01, 5),
            repetition_penalty=numbers.number("repetition_penalty", 1.35, 0.5, 5),
        ),
        speed=reader.number("speed", 1.0, 0.5, 2),
        noise=reader.number("noise", 0.5, 0, 1),
        cut=reader.choice("cut", "cut2", tuple(f"cut{number}" for number in range(6))),
        pause_ms=int(reader.number("pause_ms", 200, 0, 5000)),
        rerolls=int(reader.number("rerolls", 2, 0, MAX_REROLLS)),
        lexicon=reader.texts("lexicon"),
    )


def content_sha256(path: Path) -> str:
    """sha256 of a file, or of a folder's model files by name and content. Raises VoiceMissing when there is none."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix in _FOLDER_SUFFIXES and each.name != _CARD)
        if not files:
            raise VoiceMissing(str(path), "the folder holds no model; give the one with config.json and the weights")
        whole = hashlib.sha256()
        for each in files:
            whole.update(f"{each.name}\0{content_sha256(each)}\n".encode())
        return whole.hexdigest()
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        cure = "name a file or folder that is there; `voicefarm models fetch` gets the pretrained ones"
        raise VoiceMissing(str(path), f"{error.strerror or error}; {cure}") from error
    return digest.hexdigest()


def _read_clip(reader: _Reader) -> Clip:
    also = tuple(reader.below("also", index, each).file("") for index, each in enumerate(reader.list("also")))
    audio = reader.file("audio")
    text = reader.text("text").strip()
    if not text:
        raise TranscriptEmpty(str(audio.path))
    return Clip(
        audio=audio,
        text=text,
        language=reader.choice("language", "", (*LANGUAGES, "auto")),
        emotions=tuple(str(tag) for tag in reader.list("emotions")),
        also=also,
    )


def _spell(voice: Voice, *, paths: bool) -> dict[str, Any]:
    def file(each: ModelFile | None) -> dict[str, str] | None:
        if each is None:
            return None
        return {"path": str(each.path), "sha256": each.sha256} if paths else {"sha256": each.sha256}

    return {
        "s1": file(voice.s1),
        "s2": file(voice.s2),
        "hubert": file(voice.hubert),
        "roberta": file(voice.roberta),
        "speaker": file(voice.speaker),
        "g2pw": file(voice.g2pw),
        "clips": [
            {
                "audio": file(clip.audio),
                "text": clip.text,
                "language": clip.language,
                "emotions": list(clip.emotions),
                "also": [file(each) for each in clip.also],
            }
            for clip in voice.clips
        ],
        "sampling": {
            "top_k": voice.sampling.top_k,
            "top_p": voice.sampling.top_p,
            "temperature": voice.sampling.temperature,
            "repetition_penalty": voice.sampling.repetition_penalty,
        },
        "speed": voice.speed,
        "noise": voice.noise,
        "cut": voice.cut,
        "pause_ms": voice.pause_ms,
        "rerolls": voice.rerolls,
        "lexicon": dict(voice.lexicon),
    }


class _Reader:
    """Reads typed values out of JSON; every complaint names the field."""

    def __init__(self, voice: str, values: Mapping[str, Any], prefix: str = "") -> None:
        self._voice = voice
        self._values = values
        self._prefix = prefix

    def below(self, name: str, index: int, value: Any) -> _Reader:
        if not isinstance(value, Mapping):
            raise self._wrong(f"{name}[{index}]", "is not an object")
        return _Reader(self._voice, value, f"{self._prefix}{name}[{index}].")

    def list(self, name: str) -> Sequence[Any]:
        value = self._values.get(name, ())
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self._wrong(name, "is not a list")
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self._values.get(name, {})
        if not isinstance(value, Mapping):
            raise self._wrong(name, "is not an object")
        return value

    def texts(self, name: str) -> dict[str, str]:
        return {str(key): str(value) for key, value in self.mapping(name).items()}

    def text(self, name: str) -> str:
        value = self._values.get(name, "")
        if not isinstance(value, str):
            raise self._wrong(name, "is not text")
        return value

    def choice(self, name: str, default: str, known: tuple[str, ...]) -> str:
        value = self._values.get(name, default)
        if value not in known:
            raise self._wrong(name, f"{value!r} is not one of {', '.join(known)}")
        return str(value)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self._values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._wrong(name, f"{value!r} is not a number")
        if not low <= value <= high:
            raise self._wrong(name, f"{value!r} is not between {low:g} and {high:g}")
        return float(value)

    def file(self, name: str) -> ModelFile:
        found = self.optional_file(name)
        if found is None:
            raise self._wrong(name or "file", "is missing")
        return found

    def optional_file(self, name: str) -> ModelFile | None:
        value = self._values.get(name) if name else self._values
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self._wrong(name, "is not an object")
        path, sha256 = value.get("path"), value.get("sha256")
        if not isinstance(path, str) or not isinstance(sha256, str) or not path or not sha256:
            raise self._wrong(name or "file", "needs a path and a sha256")
        return ModelFile(Path(path), sha256)

    def _wrong(self, name: str, reason: str) -> VoiceMalformed:
        return VoiceMalformed(self._voice, f"{self._prefix}{name}".rstrip("."), reason)
