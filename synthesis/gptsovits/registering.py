"""From files that somebody names to a voice that can be stored: everything is looked at before anything is promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from synthesis.gptsovits.errors import ModelNeeded, TranscriptEmpty, VoiceMalformed
from synthesis.gptsovits.reference import read_reference
from synthesis.gptsovits.voice import LANGUAGES, V1_LANGUAGES, Clip, ModelFile, SamplingNumbers, Voice, read_voice


@dataclass(frozen=True, slots=True)
class ClipFiles:
    """A reference as somebody names it."""

    audio: Path
    text: str
    language: str
    emotions: tuple[str, ...] = ()
    also: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The model files of a voice as somebody names them."""

    s1: Path
    s2: Path
    hubert: Path
    roberta: Path | None = None
    speaker: Path | None = None
    g2pw: Path | None = None


STORED = {"hubert": "hubert", "roberta": "roberta", "speaker": "eres2netv2"}
"""Names under which the pretrained networks are fetched: taken from the model store when nobody names another."""


def find_models(
    store: Path | None,
    s1: str,
    s2: str,
    hubert: str | None,
    roberta: str | None,
    speaker: str | None,
    g2pw: Path | None,
) -> ModelFiles:
    """Models by path, or by their name in the model store at ``store``. Raises ModelUnknown, ModelNeeded, ModelDamaged.

    A network nobody named is the one that was fetched, if there is one.
    """
    named = {"hubert": hubert, "roberta": roberta, "speaker": speaker}
    found = {
        kind: _stored(store, STORED[kind]) if value is None else _find(store, value) for kind, value in named.items()
    }
    if found["hubert"] is None:
        raise ModelNeeded("hubert", "clips are heard by a HuBERT network; `voicefarm models fetch` gets one")
    return ModelFiles(_find(store, s1), _find(store, s2), found["hubert"], found["roberta"], found["speaker"], g2pw)


def _find(store: Path | None, value: str) -> Path:
    path = Path(value)
    if path.exists() or store is None or path.parent != Path():
        return path  # a path that is not there is named by whoever opens it
    return _stored(store, value) or path


def _stored(store: Path | None, name: str) -> Path | None:
    if store is None or not (store / name).is_dir():
        return None
    from synthesis.gptsovits.checkpoints.store import ModelStore

    return Path(ModelStore(store).get(name).path)


def make_voice(
    name: str,
    models: ModelFiles,
    clips: Sequence[ClipFiles],
    *,
    sampling: SamplingNumbers | None = None,
    speed: float = 1.0,
    rerolls: int = 2,
    cut: str = "cut2",
    lexicon: Mapping[str, str] | None = None,
) -> Voice:
    """Read every file once: hash it, and listen to the clips.

    Raises VoiceMissing (no such file), ReferenceUnusable, TranscriptEmpty, VoiceMalformed.
    """
    if not clips:
        raise VoiceMalformed(name, "clips", "a voice needs a reference clip")
    voice = Voice(
        s1=ModelFile.of(models.s1),
        s2=ModelFile.of(models.s2),
        hubert=ModelFile.of(models.hubert),
        roberta=None if models.roberta is None else ModelFile.of(models.roberta),
        speaker=None if models.speaker is None else ModelFile.of(models.speaker),
        g2pw=None if models.g2pw is None else ModelFile.of(models.g2pw),
        clips=tuple(_clip(clip) for clip in clips),
        sampling=sampling or SamplingNumbers(),
        speed=speed,
        rerolls=rerolls,
        cut=cut,
        lexicon=dict(lexicon or {}),
    )
    return read_voice(name, voice.to_parameters())  # whatever could not be read back is refused now


def check_models(voice: Voice) -> str | None:
    """Load both checkpoints and see that they belong together; returns their version, None where torch is missing.

    Raises CheckpointRefused, WrongTensors, WrongPrecision, VersionMismatch, VersionUnsupported …
    """
    if find_spec("torch") is None:
        return None
    from synthesis.gptsovits.checkpoints.load import check_pair
    from synthesis.gptsovits.loading import Loaders

    loaders = Loaders()
    s2 = loaders.s2(voice.s2)
    check_pair(loaders.s1(voice.s1).checkpoint, s2.checkpoint)
    if s2.model.wants_speakers and voice.speaker is None:
        raise ModelNeeded("speaker", f"checkpoints of {s2.model.version} are used with a speaker network")
    return s2.model.version


def languages_of(voice: Voice, version: str | None = None) -> tuple[str, ...]:
    """Tags a voice can be cast for: Chinese needs the text network, and v1 has no symbols for yue and ko."""
    able = V1_LANGUAGES if version == "v1" else LANGUAGES
    return tuple(tag for tag in able if tag != "zh" or voice.roberta is not None)


def _clip(clip: ClipFiles) -> Clip:
    if not clip.text.strip():
        raise TranscriptEmpty(str(clip.audio))
    read_reference(clip.audio)
    for each in clip.also:
        read_reference(each, timbre_only=True)
    return Clip(
        ModelFile.of(clip.audio),
        clip.text.strip(),
        clip.language,
        clip.emotions,
        tuple(ModelFile.of(each) for each in clip.also),
    )
