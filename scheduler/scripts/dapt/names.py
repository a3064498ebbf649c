"""The names DAPT is written in: namespaces, the profile's designators, the two registries."""

from __future__ import annotations

import re

TT = "http://www.w3.org/ns/ttml"
TTP = f"{TT}#parameter"
TTS = f"{TT}#styling"
TTA = f"{TT}#audio"
TTM = f"{TT}#metadata"
DAPTM = "http://www.w3.org/ns/ttml/profile/dapt#metadata"
EBUTTM = "urn:ebu:tt:metadata"
XML = "http://www.w3.org/XML/1998/namespace"
OURS = "urn:voicefarm:dapt"
"""For what a line holds and DAPT has no word for; other tools keep it as proprietary metadata."""

CONTENT_PROFILE = "http://www.w3.org/ns/ttml/profile/dapt1.0/content"
PROCESSOR_PROFILE = "http://www.w3.org/ns/ttml/profile/dapt1.0/processor"

SCRIPT_TYPES = ("originalTranscript", "translatedTranscript", "preRecording", "asRecorded")
ON_SCREEN = ("ON", "OFF", "ON_OFF", "OFF_ON")

DESCRIPTORS = frozenset(
    {
        "audio",
        "audio.dialogue",
        "audio.nonDialogueSounds",
        "visual",
        "visual.dialogue",
        "visual.nonText",
        "visual.text",
        "visual.text.title",
        "visual.text.credit",
        "visual.text.location",
    }
)
"""Registry of content descriptors."""
DESC_TYPES = frozenset({"pronunciationNote", "scene", "plotSignificance"})
"""Registry of description types."""

RECOGNISED = frozenset({TT, TTP, TTS, TTA, TTM, DAPTM, EBUTTM, XML, f"{TT}/feature/", f"{TT}/extension/"})
"""Vocabulary of any other namespace is foreign, and is taken out before a document is judged."""

_NAME_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_NAME_REST = r"\-0-9\u00b7\u0300-\u036f\u203f-\u2040"
_NCNAME = re.compile(rf"[{_NAME_START}][{_NAME_START}{_NAME_REST}.]*\Z")
_TOKENS = re.compile(rf"[:{_NAME_START}{_NAME_REST}]+(?:\.[:{_NAME_START}{_NAME_REST}]+)*\Z")

_EXTLANG = "(?:-[a-z]{3}(?:-[a-z]{3}){0,2})?"
_LANGUAGE = re.compile(
    rf"(?:(?:[a-z]{{2,3}}{_EXTLANG}|[a-z]{{4,8}})(?:-[a-z]{{4}})?(?:-(?:[a-z]{{2}}|\d{{3}}))?"
    r"(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*(?:-[0-9a-wyz](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+"
    r"|en-gb-oed|i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)|sgn-(?:be-fr|be-nl|ch-de)"
    r"|art-lojban|cel-gaulish|no-bok|no-nyn|zh-(?:guoyu|hakka|min|min-nan|xiang))\Z",
    re.IGNORECASE | re.ASCII,
)


def is_identifier(text: str) -> bool:
    """Whether it may be an ``xml:id``."""
    return _NCNAME.match(text) is not None


def is_language(text: str) -> bool:
    """Whether it is a well-formed BCP 47 tag."""
    return _LANGUAGE.match(text) is not None


def descriptor_fault(text: str) -> str | None:
    """Return what is wrong with a content descriptor, or None."""
    if not text:
        return "is empty"
    if _TOKENS.match(text) is None:
        return "is not tokens joined by full stops"
    if text in DESCRIPTORS or text.startswith("x-"):
        return None
    tokens = text.split(".")
    known = max((count for count in range(1, len(tokens)) if ".".join(tokens[:count]) in DESCRIPTORS), default=0)
    if known and tokens[known].startswith("x-"):
        return None
    return "is neither in the registry of content descriptors nor marked as private with 'x-'"


def is_subtype(descriptor: str, of: str) -> bool:
    """Whether a content descriptor is the same as another or more specific."""
    return descriptor == of or descriptor.startswith(f"{of}.")
