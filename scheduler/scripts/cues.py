"""Subtitle cues as lines: who speaks, what is said, what is only heard."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from scheduler.scripts.blocks import clean
from scheduler.scripts.clock import to_ms
from scheduler.scripts.keys import LineKeys
from scheduler.scripts.model import Boundary, LineKind, ReadOptions, ScriptLine
from scheduler.scripts.segmentation import speakable

_CAPS_LABEL = re.compile(
    r"(?P<name>[A-Z\u00c0-\u00de][A-Z\u00c0-\u00de0-9 .'’&#-]{0,30}[A-Z\u00c0-\u00de0-9.)])\s?:\s+(?=\S)"
)
_ANY_LABEL = re.compile(r"(?P<name>[^\W\d_][\w .'’-]{0,30})\s?[:：]\s*(?=\S)")
_BRACKET_LABEL = re.compile(r"[\[(（](?P<name>[^\[\]()（）:]{1,32})[\])）]\s*:?\s*(?=[^\s\[(（])")
_EFFECT = re.compile(r"\[[^\[\]]{1,200}\]|（[^（）]{1,200}）|^\((?=[^()]*[A-Z])[^()a-z]{2,80}\)")
_MUSIC = re.compile(r"[♪♫♬♩#]+")
_DASH = re.compile(r"^\s*[-–—‐]\s*(?=\S)")
_SOUND = re.compile(
    r"(?:applau|bell|bark|beep|both|breath|buzz|cheer|chuckl|clear|cough|cri|cry|door|exhal|footstep|gasp|giggl|groan|growl"
    r"|grunt|gunshot|hum|inaudibl|indistinct|inhal|laugh|moan|music|mumbl|mutter|off|on|pant|pause|phone|sob|scoff|scream"
    r"|shout|sigh|silence|sing|sniff|snor|speak|stammer|theme|thunder|whimper|whisper|whistl|yawn|yell)",
    re.IGNORECASE,
)
_NOT_NAMES = frozenset({"NOTE", "WARNING", "WARNINGS", "PS", "P.S.", "FYI", "Q", "A", "AND", "BUT", "OK"})
_PARAGRAPH_GAP = Fraction(3)
"""Seconds of silence after which the next cue is a new paragraph."""


@dataclass(frozen=True, slots=True)
class Run:
    """Text of a cue with the name the format itself gives ('' is none)."""

    text: str
    name: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Cue:
    """A timed piece of a subtitle file."""

    identity: str
    start: Fraction
    end: Fraction
    runs: tuple[Run, ...]
    """One per voice span; line ends kept."""
    line: int
    """Where it starts in the file, from 1."""


def cue_lines(cues: Sequence[Cue], language: str, options: ReadOptions) -> tuple[ScriptLine, ...]:
    """Return the lines of a file's cues in its order; overlaps stay as they are."""
    known = _known_names(cues) if options.speaker_labels else frozenset[str]()
    keys = LineKeys()
    taken: list[ScriptLine] = []
    for number, cue in enumerate(cues):
        following = cues[number + 1] if number + 1 < len(cues) else None
        far = following is not None and following.start - cue.end >= _PARAGRAPH_GAP
        parts = list(_parts(cue, known))
        for index, (kind, name, text, reaction, tongue) in enumerate(parts):
            last = index + 1 == len(parts)
            boundary: Boundary = "paragraph" if last and far else "sentence"
            taken.append(
                ScriptLine(
                    key=keys.claim(cue.identity or f"cue-{number + 1}"),
                    text=text,
                    language=tongue or language,
                    kind=kind,
                    characters=(name,) if name else (),
                    in_ms=to_ms(cue.start),
                    out_ms=to_ms(cue.end),
                    in_time=cue.start,
                    out_time=cue.end,
                    boundary=boundary,
                    direction={"reaction": reaction} if reaction else {},
                    place=f"line {cue.line}",
                )
            )
    if taken:
        taken[-1] = replace(taken[-1], boundary="section")
    return tuple(taken)


def joined(lines: Iterable[str]) -> str:
    """Join the lines of a cue; a dash that opens a speaker's turn goes, CJK lines join without a space."""
    return clean("\n".join(_DASH.sub("", line) for line in lines)).strip()


def take_effects(text: str) -> tuple[str, str]:
    """Take bracketed sounds out of a text; returns what is said and the sounds, joined by semicolons."""
    effects = [match[0].strip("[]()（） ") for match in _EFFECT.finditer(text)]
    return clean(_EFFECT.sub(" ", text)).strip(), "; ".join(effect for effect in effects if effect)


def _known_names(cues: Sequence[Cue]) -> frozenset[str]:
    """Names that the file gives more than once, or in a way that cannot be anything else."""
    sure: set[str] = set()
    seen: Counter[str] = Counter()
    for cue in cues:
        for run in cue.runs:
            if run.name:
                sure.add(run.name.casefold())
            for line in run.text.split("\n"):
                label = _label(_DASH.sub("", line))
                if label is not None:
                    seen[label[0].casefold()] += 1
    return frozenset(sure | {name for name, count in seen.items() if count > 1})


def _label(text: str) -> tuple[str, str] | None:
    """Return (name, rest) if the text starts as a labelled turn may."""
    for pattern in (_CAPS_LABEL, _ANY_LABEL, _BRACKET_LABEL):
        match = pattern.match(text)
        if match is not None:
            name = match["name"].strip()
            is_sound = pattern is _BRACKET_LABEL and (_SOUND.match(name) is not None or name[0].islower())
            if not is_sound and name.upper() not in _NOT_NAMES and len(name.split()) <= 4 and speakable(name):
                return name, text[match.end() :]
    return None


def _named(text: str, known: frozenset[str]) -> tuple[str, str]:
    """Take a speaker's label off the front of a text: in capitals with a colon, or a name the file uses again."""
    label = _label(text)
    if label is None:
        return "", text
    name, rest = label
    is_caps = _CAPS_LABEL.match(text) is not None and not text.isupper()
    return (name, rest) if is_caps or name.casefold() in known else ("", text)


def _turns(run: Run, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) for each labelled turn in a run."""
    name = run.name
    held: list[str] = []
    for line in run.text.split("\n"):
        found, rest = _named(_DASH.sub("", line.strip()), known) if known or ":" in line else ("", line)
        if found:
            if held:
                yield name, joined(held)
            name, held = found, [rest]
        else:
            held.append(line)
    yield name, joined(held)


def _parts(cue: Cue, known: frozenset[str]) -> Iterator[tuple[LineKind, str, str, str, str]]:
    """Yield (kind, name, text, reaction, language) for what a cue holds; what has no words is a reaction."""
    heard: list[str] = []
    spoke = False
    for run in cue.runs:
        for name, text in _turns(run, known):
            if not text:
                continue
            said, effects = take_effects(text)
            if _MUSIC.search(said) and _is_song(said):
                heard.append(_MUSIC.sub(" ", said).strip() or "music")
            elif speakable(said):
                spoke = True
                yield "speech", name, said, effects, run.language
            elif speakable(effects):
                heard.append(effects)
    if heard and not spoke:
        yield "reaction", "", " ".join(" ".join(heard).split()), "", ""


def _is_song(text: str) -> bool:
    return text[0] in "♪♫♬♩#" and (text[-1] in "♪♫♬♩#" or text[0] != "#")
