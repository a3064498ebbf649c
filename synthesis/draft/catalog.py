"""What the draft voice speaks and how its voices differ, as data; a test compares it with the library's own list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from synthesis.engine import VoiceSpec
from synthesis.errors import LanguageUnsupported, VoiceMissing

ENGINE = "draft"
PARAMETERS_VERSION = 2
"""Goes up when the same request may sound different for a reason in our own code."""

_TAGS = """
    af am an ar as az ba be bg bn bpy bs ca ca-ba ca-nw ca-va cmn cmn-latn-pinyin cs cy da de el en en-029
    en-gb-scotland en-gb-x-gbclan en-gb-x-gbcwmd en-gb-x-rp en-shaw en-us en-us-nyc eo es es-419 et eu fa
    fa-latn fi fr fr-be fr-ch ga gd gn grc gu hak haw he hi hr ht hu hy hyw ia id io is it ja jbo ka kk kl kn ko
    kok ku ky la lb lfn lt ltg lv mi mk ml mr ms mt mto my nb nci ne nl nog om or pa pap pl pt pt-br qu quc qya
    ro ru ru-cl ru-lv sd shn si sk sl smj sq sr sv sw ta te th ti tk tn tr tt ug uk ur uz vi vi-vn-x-central
    vi-vn-x-south yue
"""
TAGS: tuple[str, ...] = tuple(_TAGS.split())
"""Tags espeak-ng answers to by name."""

ALIASES: Mapping[str, str] = {
    "zh": "cmn",
    "zh-cmn": "cmn",
    "zh-yue": "yue",
    "no": "nb",
    "en-gb": "en",
    "es-mx": "es-419",
    "fr-fr": "fr",
    "hy-arevela": "hy",
    "hy-arevmda": "hyw",
    "pt-pt": "pt",
}
"""Tags the library lists as other names of a voice, and the name it answers to."""

EXCLUDED: Mapping[str, str] = {
    "fo": "its dictionary is not in the library's data",
    "kaa": "its dictionary is not in the library's data",
    "xex": "its dictionary is not in the library's data",
    "chr-US-Qaaa-x-west": "reads a private spelling, not Cherokee as it is written",
    "hbs": "another name of hr that the library does not answer to",
    "cv": "leaves numbers out without a word",
    "sjn": "leaves numbers out without a word",
    "py": "not a language tag",
    "qdb": "not a language tag",
    "piqd": "not a language tag",
}
"""Tags the library lists and the draft voice does not offer, with the reason."""

LANGUAGES: tuple[str, ...] = tuple(sorted({tag.partition("-")[0] for tag in (*TAGS, *ALIASES)}))
"""Primary tags every draft voice speaks."""

VARIANTS = frozenset({"", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5"})
"""espeak-ng's voice variants; an unknown one would be ignored by the library without a word."""

_RATES = range(80, 401)
_LEVELS = range(100)


@dataclass(frozen=True, slots=True)
class DraftParameters:
    """How a draft voice sounds."""

    variant: str
    """One of VARIANTS; '' is the plain voice."""
    rate: int
    """Words per minute, 80 … 400."""
    pitch: int
    """0 … 99; 50 is the variant's own."""
    pitch_range: int
    """Liveliness of the melody, 0 (monotone) … 99."""


def espeak_language(voice: str, language: str) -> str:
    """The name espeak-ng knows ``language`` (BCP 47) by: the longest known prefix. Raises LanguageUnsupported."""
    tag = language.lower().replace("_", "-")
    while tag:
        if tag in ALIASES:
            return ALIASES[tag]
        if tag in TAGS:
            return tag
        tag = tag.rpartition("-")[0]
    raise LanguageUnsupported(voice, language)


def read_parameters(voice: VoiceSpec) -> DraftParameters:
    """Check a voice's parameters ('variant', 'rate', 'pitch', 'range'; all optional). Raises VoiceMissing."""
    given = voice.parameters
    unknown = sorted(set(given) - {"variant", "rate", "pitch", "range"})
    if unknown:
        raise VoiceMissing(voice.name, f"the draft engine has no parameter {', '.join(unknown)}")
    variant = given.get("variant", "")
    if variant not in VARIANTS:
        raise VoiceMissing(voice.name, f"no variant {variant!r}; there are {', '.join(sorted(VARIANTS - {''}))}")
    return DraftParameters(
        variant,
        _whole(voice, "rate", 165, _RATES),
        _whole(voice, "pitch", 50, _LEVELS),
        _whole(voice, "range", 50, _LEVELS),
    )


def _whole(voice: VoiceSpec, key: str, default: int, allowed: range) -> int:
    value: Any = voice.parameters.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise VoiceMissing(voice.name, f"{key} is a whole number {allowed[0]} … {allowed[-1]}, got {value!r}")
    return value


def draft_voices() -> tuple[VoiceSpec, ...]:
    """The built-in voices: a narrator and eight that differ from it and from each other in pitch, timbre and pace."""
    return (
        _voice("draft-narrator", "plain middle voice", "", 165, 50, 50),
        _voice("draft-1", "woman's voice, bright", "f2", 170, 55, 60),
        _voice("draft-2", "man's voice, deep and slow", "m1", 150, 22, 40),
        _voice("draft-3", "child's voice, quick", "f5", 185, 92, 70),
        _voice("draft-4", "man's voice, dark", "m7", 172, 70, 55),
        _voice("draft-5", "woman's voice, low and calm", "f4", 145, 25, 35),
        _voice("draft-6", "man's voice, thin and excited", "m3", 195, 95, 80),
        _voice("draft-7", "woman's voice, very high", "f3", 160, 99, 90),
        _voice("draft-8", "giant's voice, very deep and slow", "m2", 130, 0, 25),
    )


def _voice(name: str, what: str, variant: str, rate: int, pitch: int, pitch_range: int) -> VoiceSpec:
    return VoiceSpec(
        name=name,
        version=1,
        engine=ENGINE,
        languages=LANGUAGES,
        parameters={"variant": variant, "rate": rate, "pitch": pitch, "range": pitch_range},
        description=f"Draft (espeak-ng), not for publication: {what}",
    )


_ESPEAK_IN_LOADER = {"0.2.4": "1.52.0"}


def engine_version() -> str:
    """Of the espeak-ng in the installed wheel and of our parameters. Raises VoiceMissing when there is no wheel."""
    try:
        loader = version("espeakng-loader")
    except PackageNotFoundError as error:
        raise VoiceMissing(ENGINE, "the package espeakng-loader is not installed") from error
    espeak = _ESPEAK_IN_LOADER.get(loader, f"loader-{loader}")
    return f"espeak-ng-{espeak}.p{PARAMETERS_VERSION}"
