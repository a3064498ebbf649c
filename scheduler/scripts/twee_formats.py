"""The story formats of Twine: which one a story without StoryData is written for, and what is code in a passage."""

from __future__ import annotations

import re
from collections.abc import Sequence

FORMATS = ("sugarcube", "harlowe", "chapbook", "snowman")

HARLOWE_FLOW = frozenset({"if", "unless", "elseif", "else", "for", "loop", "hidden", "event", "live", "after", "more"})
HARLOWE_LINKS = frozenset({"link", "linkreplace", "linkreveal", "linkrepeat", "linkrerun", "linkgoto", "linkundo",
    "linkrevealgoto", "linkshow"})  # fmt: skip
HARLOWE_PRINTS = frozenset({"print", "either", "nth", "random", "text", "str", "string", "cond", "num", "number",
    "display", "cyclinglink", "seqlink", "sequencelink", "dropdown", "input", "inputbox", "lowercase", "uppercase",
    "upperfirst", "lowerfirst", "joined", "strrepeated", "count", "round", "verbatim", "passage"})  # fmt: skip
HARLOWE_SILENT = frozenset({"set", "put", "move", "goto", "undo", "restart", "alert", "prompt", "confirm", "savegame",
    "loadgame", "click", "clickgoto", "clickreplace", "mouseover", "mouseout", "replace", "append", "prepend", "show",
    "hide", "rerun", "enchant", "change", "textstyle", "textcolor", "textcolour", "colour", "color", "background",
    "bg", "css", "font", "align", "transition", "t8n", "transitiontime", "hook", "box", "float", "stop", "a", "array",
    "dm", "datamap", "ds", "dataset", "v6m", "storylets", "openstorylets", "textrotate", "textindent", "textsize",
    "size", "border", "opacity", "masteraudio", "track", "playlist", "unpack", "macro", "output", "return", "meter",
    "gotourl", "openurl", "ignore", "debug", "partial", "charstyle", "linestyle", "page", "columns",
    "dialog"})  # fmt: skip
HARLOWE_MACROS = HARLOWE_FLOW | HARLOWE_LINKS | HARLOWE_PRINTS | HARLOWE_SILENT

_SUGARCUBE = re.compile(r"<<\s*/?[A-Za-z=-]")
_HARLOWE = re.compile(r"\(([A-Za-z][\w-]{0,40})\s*:")
_SNOWMAN = re.compile(r"<%")
_MODIFIER = re.compile(r"\[([^\[\]].*)\]\s*\Z")
_MODIFIERS = frozenset({"if", "unless", "ifalways", "ifnever", "else", "after", "append", "align", "continue", "cont",
    "continued", "javascript", "css", "note", "todo", "fixme", "n.b."})  # fmt: skip
_UNSEEN = frozenset({"javascript", "css", "note", "todo", "fixme", "n.b."})
_INSERT = re.compile(
    r"\{(?:embed|reveal link|cycling link|dropdown menu|text input|back link|restart link|theme switcher|ambient sound"
    r"|sound effect|no ambient sound)\b"
)
_END_OF_VARIABLES = re.compile(r"--+\s*\Z")
_VARIABLE = re.compile(r"\s*[\w.]+(?:\s*\([^()]*\))?\s*:")


def told_format(text: str) -> str:
    """Return the format whose macros the passages of a story hold most, or '' where they hold none."""
    lines = text.split("\n")
    counts = {
        "sugarcube": len(_SUGARCUBE.findall(text)),
        "harlowe": sum(_plain(name) in HARLOWE_MACROS for name in _HARLOWE.findall(text)),
        "chapbook": len(_INSERT.findall(text)) + sum(_modifier(line) in _MODIFIERS for line in lines),
        "snowman": len(_SNOWMAN.findall(text)),
    }
    most = max(counts, key=lambda name: counts[name])
    return most if counts[most] else ""


def _plain(macro: str) -> str:
    return macro.lower().replace("-", "").replace("_", "")


def _modifier(line: str) -> str:
    """The first word of a line that is a modifier of Chapbook; '' for any other line."""
    found = _MODIFIER.match(line)
    words = re.split(r"[\s,;]+", found[1].strip().lower(), maxsplit=1) if found is not None else [""]
    return words[0]


def without_chapbook_code(body: Sequence[str]) -> tuple[list[str], int]:
    """Blank the variables above ``--``, the modifiers, and what ``[JavaScript]`` and its like hide; and how many."""
    kept, count = list(body), 0
    end = next((at for at, line in enumerate(body) if _END_OF_VARIABLES.match(line)), -1)
    if any(line.strip() and _VARIABLE.match(line) is None for line in body[: max(end, 0)]):
        end = -1
    unseen = False
    for at, line in enumerate(body):
        if _MODIFIER.match(line) is not None:
            unseen = _modifier(line) in _UNSEEN
        elif at > end and not unseen:
            continue
        count += bool(line.strip())
        kept[at] = ""
    return kept, count
