"""What the columns of sheets are called: one table from the spellings seen in the field to our words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal

Field = Literal["id", "section", "character", "text", "original", "language", "in", "out", "emotion", "notes", "kind"]

SPELLINGS: Mapping[Field, tuple[str, ...]] = {
    "id": (
        "id", "key", "line id", "cue", "cue id", "cue no", "cue number", "line", "line no", "line number",
        "event", "loop", "no", "nr", "num", "number", "numéro", "numero", "编号", "编號", "番号", "序号", "#",
    ),
    "section": (
        "section", "chapter", "reel", "scene", "episode", "ep reel", "ep", "boucle", "lesson", "slide", "node",
        "kapitel", "chapitre", "szene", "scène", "file", "章", "章节", "章節", "場面", "シーン", "话", "話",
    ),
    "character": (
        "character", "character name", "speaker", "role", "rôle", "source", "voice", "actor", "name", "who",
        "personnage", "figur", "rolle", "sprecher", "personaje", "personaggio", "角色", "人物", "说话人",
        "說話人", "话者", "話者", "キャラクター", "キャラ", "役名", "話し手",
    ),
    "text": (
        "text", "line text", "dialogue", "dialog", "translation", "adaptation", "vf", "target", "target text",
        "script", "spoken", "content", "transcription", "transcript", "texte", "réplique", "translated text",
        "texto", "testo", "译文", "譯文", "台词", "台詞", "文本", "文字", "内容", "本文", "セリフ", "テキスト",
        "訳文",
    ),
    "original": (
        "original", "original text", "vo", "source text", "原文", "english original",
    ),
    "language": (
        "language", "lang", "locale", "langue", "sprache", "idioma", "lingua", "语言", "語言", "言語",
    ),
    "in": (
        "in", "tc in", "in timecode", "in time", "start", "start time", "begin", "from", "début", "debut",
        "timecode in", "timecode", "tc", "开始", "開始", "开始时间", "開始時間",
    ),
    "out": (
        "out", "tc out", "out timecode", "out time", "end", "end time", "stop", "to", "fin", "timecode out",
        "结束", "結束", "終了", "结束时间", "終了時間",
    ),
    "emotion": (
        "emotion", "direction", "mood", "style", "tone", "acting", "émotion", "gefühl", "情绪", "情感", "感情",
        "演技",
    ),
    "notes": (
        "notes", "note", "comment", "comments", "remarks", "engineer notes", "bemerkung", "备注", "備考",
        "メモ",
    ),
    "kind": (
        "kind", "type", "line type", "类型", "種類",
    ),
}  # fmt: skip
"""In order of preference: where a sheet has both Translation and Transcription, the first listed is spoken."""

_PREFERRED_TEXT = (
    "translation",
    "adaptation",
    "vf",
    "target",
    "target text",
    "translated text",
    "译文",
    "譯文",
    "訳文",
)
_AS_ORIGINAL = frozenset({"transcription", "transcript", "dialogue", "dialog", "text", "source text", "content"})
_SEPARATORS = re.compile(r"[\s_\-–—./:]+")


def plain_name(header: str) -> str:
    """Return a header in the spelling of the table: case, accents composed, separators to single spaces."""
    text = unicodedata.normalize("NFKC", header).strip("\ufeff \t\"'").casefold()
    text = re.sub(r"\(.*?\)", " ", text) if not text.startswith("(") else text
    return _SEPARATORS.sub(" ", text).strip(" #") or text


def find_columns(headers: Sequence[str]) -> dict[Field, int]:
    """Return where each known column stands; the first of a name wins."""
    names = [plain_name(header) for header in headers]
    if "source" in names and ("target" in names or "target text" in names):
        names[names.index("source")] = "source text"
    found: dict[Field, int] = {}
    for field, spellings in SPELLINGS.items():
        for spelling in spellings:
            if spelling in names:
                found[field] = names.index(spelling)
                break
    if "text" not in found and "line" in names:
        # a sheet of character and line: the line is what is said, not its number
        found["text"] = names.index("line")
        if found.get("id") == found["text"]:
            del found["id"]
    preferred = next((names.index(name) for name in _PREFERRED_TEXT if name in names), None)
    if preferred is not None and "text" in found:
        spoken_before = found["text"]
        found["text"] = preferred
        if "original" not in found and spoken_before != preferred and names[spoken_before] in _AS_ORIGINAL:
            found["original"] = spoken_before
        elif "original" not in found:
            other = next((at for at, name in enumerate(names) if name in _AS_ORIGINAL and at != preferred), None)
            if other is not None:
                found["original"] = other
    return found
