"""Subtitle cues as lines: who speaks, what is said, what is only heard."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from scheduler.scripts.blocks import clean
from scheduler.scripts.clock import MAX_MS, to_ms
from scheduler.scripts.keys import LineKeys
from scheduler.scripts.model import Boundary, LineKind, ReadOptions, Rejection, ScriptLine, nothing
from scheduler.scripts.segmentation import speakable

_CAPS_LABEL = re.compile(
    r"(?P<name>[A-Z\u00c0-\u00de][A-Z\u00c0-\u00de0-9 .'’&#-]{0,30}[A-Z\u00c0-\u00de0-9.)])\s?:\s+(?=\S)"
)
_ANY_LABEL = re.compile(r"(?P<name>[^\W\d_][\w .'’-]{0,30})\s?[:：]\s*(?=\S)")
_BRACKET_LABEL = re.compile(r"[\[(（](?P<name>[^\[\]()（）:]{1,32})[\])）]\s*:?\s*(?=[^\s\[(（])")
_EFFECT = re.compile(
    r"\[[^\[\]]{1,200}\]|（[^（）]{1,200}）|<(?=[^<>]{0,199}[^\W\d_])[^<>]{1,200}>|^\((?=[^()]*[A-Z])[^()a-z]{2,80}\)"
)
_MOUTH = re.compile(
    r"\((?:[a-z]+ly )?(?:applau|bark|chuckl|clears? throat|cough|cries|crying|exhal|gasp|giggl|groan|growl|grunt|inhal"
    r"|laugh|moan|mumbl|mutter|pants?\b|panting|scoff|scream|sigh|sniff|snor|sobs?\b|sobbing|whimper|whisper|whistl|yawn|yell)"
    r"[a-z]{0,6}(?: [a-z,]+){0,3}\)",
    re.IGNORECASE,
)
_LABELS = re.compile(r"[:：\[(（]")
"""Without one of these a text holds no label."""
_BRACKETS = re.compile(r"[\[(（<]")
"""Without one of these a text holds no sound, and none is looked for."""
_MUSIC = re.compile(r"[♪♫♬♩#]+")
_DASHES = ("-", "–", "—", "‐")
_DASH = re.compile(r"^\s*[-–—‐]\s*(?=\S)")
_TELLS = frozenset({
    "he", "she", "it", "we", "you", "they", "this", "that", "these", "those", "what", "when", "where", "why",
    "how", "if", "so", "but", "because", "then", "is", "are", "was", "were", "am", "be", "been", "has", "have",
    "had", "do", "does", "did", "can", "could", "will", "would", "shall", "should", "may", "might", "must", "not",
    "says", "said", "say", "asks", "asked", "means", "mean", "thinks", "thought", "know", "knew",
})  # fmt: skip
"""Words in lower case that make a sentence: 'He said:' and 'What they mean is:' are no names, however often used."""
_SOUND = re.compile(
    r"(?:applau|bell|bark|beep|both|breath|buzz|cheer|chuckl|clear|cough|cri|cry|door|exhal|footstep|gasp|giggl|groan|growl"
    r"|grunt|gunshot|hum|inaudibl|indistinct|inhal|laugh|moan|music|mumbl|mutter|off|on|pant|pause|phone|sob|scoff|scream"
    r"|shout|sigh|silence|sing|sniff|snor|speak|stammer|theme|thunder|whimper|whisper|whistl|yawn|yell)",
    re.IGNORECASE,
)
_NOT_NAMES = frozenset({"NOTE", "WARNING", "WARNINGS", "PS", "P.S.", "FYI", "Q", "A", "AND", "BUT", "OK"})
_PARAGRAPH_GAP_MS = 3000
"""Silence after which the next cue is a new paragraph."""


@dataclass(frozen=True, slots=True)
class Run:
    """Text of a cue with the name the format itself gives ('' is none)."""

    text: str
    name: str = ""
    language: str = ""
    together: tuple[str, ...] = ()
    """Who says it at the same time as ``name``."""


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
    kind: LineKind = "speech"
    """Any other kind takes the cue's text whole, as that."""
    extra: Mapping[str, str] = field(default_factory=nothing)
    place: str = ""
    """Where it stands in a file that has no lines; '' is the line."""

    @property
    def where(self) -> str:
        """Its place, for messages."""
        return self.place or f"line {self.line}"


def time_fault(start: Fraction, end: Fraction) -> str | None:
    """Return what is wrong with the times of a cue, as a reason with what to do; None if nothing is."""
    begins, ends = to_ms(start), to_ms(end)
    if ends < begins:
        return "the cue ends before it begins"
    if ends == begins:
        return "the cue lasts no time: give it an end after its beginning"
    if ends > MAX_MS:
        return "the cue is more than 596 hours in"
    return None


def cue_lines(
    cues: Sequence[Cue], language: str, options: ReadOptions, rejected: list[Rejection]
) -> tuple[ScriptLine, ...]:
    """Return the lines of a file's cues in its order; overlaps stay as they are.

    A cue of punctuation alone has nothing to say and joins ``rejected``.
    """
    known = _known_names(cues) if options.speaker_labels else frozenset[str]()
    keys = LineKeys()
    taken: list[ScriptLine] = []
    starts = [to_ms(cue.start) for cue in cues]
    starts.append(0)  # nothing comes after the last one
    for number, cue in enumerate(cues):
        in_ms, out_ms = starts[number], to_ms(cue.end)
        after: Boundary = "paragraph" if starts[number + 1] - out_ms >= _PARAGRAPH_GAP_MS else "sentence"
        parts = list(_parts(cue, known))
        if not parts:
            rejected.append(Rejection(cue.where, f"nothing in it can be spoken: {_shown(cue)!r}"))
        for index, (kind, names, text, reaction, tongue) in enumerate(parts, 1):
            taken.append(
                ScriptLine(
                    key=keys.claim(clean(cue.identity).strip() or f"cue-{number + 1}"),
                    text=text,
                    language=tongue or language,
                    kind=kind,
                    characters=names,
                    in_ms=in_ms,
                    out_ms=out_ms,
                    in_time=cue.start,
                    out_time=cue.end,
                    boundary=after if index == len(parts) else "sentence",
                    direction={"reaction": reaction} if reaction else nothing(),
                    extra=cue.extra,
                    place=cue.where,
                )
            )
    if taken:
        taken[-1] = replace(taken[-1], boundary="section")
    return tuple(taken)


def joined(lines: Iterable[str]) -> str:
    """Join the lines of a cue; a dash that opens a speaker's turn goes, CJK lines join without a space."""
    kept = [_undashed(line) for line in lines]
    text = " ".join(kept)
    return clean(text if text.isascii() else "\n".join(kept)).strip()  # line ends matter between CJK letters alone


def take_effects(text: str) -> tuple[str, str]:
    """Take bracketed sounds out of a text; returns what is said and the sounds, joined by semicolons."""
    if _BRACKETS.search(text) is None:
        return clean(text).strip(), ""
    effects: list[str] = []
    for pattern in (_EFFECT, _MOUTH):
        effects += [match[0].strip("[]()（）<> ") for match in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    return clean(text).strip(), "; ".join(effect for effect in effects if effect)


def labelled(text: str) -> tuple[str, str]:
    """Take a label off the front of a text that is known to start a turn; ('', text) if it has none.

    A name's words start with capitals, and three are the most: more of them is a sentence with a colon in it.
    """
    name, rest = _label(text) or ("", text)
    words = name.split()
    return (name, rest) if 0 < len(words) <= 3 and not any(word[0].islower() for word in words) else ("", text)


def _known_names(cues: Sequence[Cue]) -> frozenset[str]:
    """Names that the file gives more than once, or in a way that cannot be anything else."""
    sure: set[str] = set()
    seen: Counter[str] = Counter()
    for cue in cues:
        for run in cue.runs if cue.kind == "speech" else ():
            if run.name:
                sure.add(run.name.casefold())
            for line in run.text.split("\n") if _LABELS.search(run.text) else ():
                label = _label(_undashed(line))
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
            rest = text[match.end() :]
            if not is_sound and _may_be_name(name) and not rest.startswith("//"):  # an address of the web
                return name, rest
    return None


def _may_be_name(name: str) -> bool:
    words = name.split()
    if name.upper() in _NOT_NAMES or len(words) > 4 or not speakable(name):
        return False
    return _TELLS.isdisjoint(words[1:])


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
    if _LABELS.search(run.text) is None:
        yield name, joined(run.text.split("\n"))
        return
    held: list[str] = []
    for line in run.text.split("\n"):
        found, rest = _named(_undashed(line.strip()), known) if known or ":" in line else ("", line)
        if found:
            if held:
                yield name, joined(held)
            name, held = found, [rest]
        else:
            held.append(line)
    yield name, joined(held)


def _parts(cue: Cue, known: frozenset[str]) -> Iterator[tuple[LineKind, tuple[str, ...], str, str, str]]:
    """Yield (kind, names, text, reaction, language) for what a cue holds; what has no words is a reaction."""
    if cue.kind != "speech":
        yield from _whole(cue)
        return
    heard: list[str] = []
    for run in cue.runs:
        for name, text in _turns(run, known):
            if not text:
                continue
            said, effects = take_effects(text)
            names = (name, *run.together) if name == run.name and name else (name,) if name else ()
            if _MUSIC.search(said) and _is_song(said):
                heard.append(_MUSIC.sub(" ", said).strip() or "music")
            elif speakable(said):
                if heard:
                    yield _sound(heard)
                    heard = []
                yield "speech", names, said, effects, run.language
            elif speakable(effects):
                heard.append(effects)
    if heard:
        yield _sound(heard)


def _sound(heard: list[str]) -> tuple[LineKind, tuple[str, ...], str, str, str]:
    return "reaction", (), " ".join(" ".join(heard).split()), "", ""


def _whole(cue: Cue) -> Iterator[tuple[LineKind, tuple[str, ...], str, str, str]]:
    for run in cue.runs:
        text = joined(run.text.split("\n"))
        if cue.kind != "onscreen":  # a sound is named without the brackets round it
            said, effects = take_effects(text)
            text = _MUSIC.sub(" ", "; ".join(filter(None, (said, effects)))).strip()
        if speakable(text):
            yield cue.kind, (run.name, *run.together) if run.name else (), text, "", run.language


def _is_song(text: str) -> bool:
    return text[0] in "♪♫♬♩#" and (text[-1] in "♪♫♬♩#" or text[0] != "#")


def _undashed(line: str) -> str:
    """A line without the dash that opens a speaker's turn."""
    return _DASH.sub("", line) if line.lstrip()[:1] in _DASHES else line


def _shown(cue: Cue) -> str:
    text = " ".join(" ".join(run.text for run in cue.runs).split())
    return text if len(text) <= 60 else text[:57] + "..."
