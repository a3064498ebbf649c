"""What sheets call things: one table from the spellings seen in the field to our words, for columns and for marks.

Columns are found by their header; marks stand in cells: who speaks together, on or off screen, what is only heard.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from scheduler.scripts.languages import normal_tag, primary
from scheduler.scripts.model import LineKind

Field = Literal[
    "id", "section", "character", "text", "original", "onscreen", "language", "in", "out", "duration", "emotion",
    "action", "presence", "notes", "kind",
]  # fmt: skip

FIELDS: tuple[Field, ...] = get_args(Field)
"""Every name a mapping may use."""

SPELLINGS: Mapping[Field, tuple[str, ...]] = {
    "id": (
        "id", "key", "line id", "string id", "cue id", "event id", "cue", "cue no", "cue number", "line", "line no",
        "line number", "event", "event number", "loop", "loop number", "no", "nr", "num", "number", "index",
        "numéro", "numero", "n°", "nº", "nummer", "numer", "zeile", "ligne", "riga", "línea", "linha", "regel",
        "wiersz", "номер", "编号", "编號", "编码", "番号", "序号", "序號", "行号", "번호", "순번",
        "#",
    ),
    "section": (
        "section", "chapter", "reel", "scene", "episode", "ep reel", "ep", "reel number", "boucle", "bobine", "lesson",
        "slide", "node", "kapitel", "chapitre", "szene", "scène", "akt", "escena", "capítulo", "bobina",
        "rollo", "scena", "capitolo", "rullo", "cena", "hoofdstuk", "aflevering", "rozdział", "odcinek",
        "сцена", "глава", "эпизод", "серия", "file", "章", "章节", "章節", "場面", "シーン", "场景", "場景", "集",
        "集数", "话", "話", "話数", "장면", "에피소드", "회차", "챕터",
    ),
    "character": (
        "character", "character name", "characters", "speaker", "speaker name", "role", "rôle", "source", "voice",
        "actor", "name", "who", "personnage", "personnages", "nom", "locuteur", "figur", "rolle", "sprecher",
        "charakter", "personaje", "hablante", "rol", "nombre", "personaggio", "ruolo", "parlante", "personagem",
        "falante", "papel", "nome", "personage", "spreker", "naam", "postać", "mówca", "rola", "персонаж", "роль",
        "герой", "говорящий", "имя", "角色", "角色名", "人物", "说话人", "說話人", "话者", "話者", "キャラクター",
        "キャラクター名", "キャラ", "役名", "役", "話し手", "登場人物", "캐릭터", "등장인물", "역할", "화자", "배역",
        "이름",
    ),
    "text": (
        "text", "line text", "dialogue", "dialog", "dialogues", "translation", "adaptation", "vf", "target",
        "target text", "script", "spoken", "spoken text", "content", "transcription", "transcript", "subtitle", "texte",
        "réplique", "répliques", "translated text", "übersetzung", "dialogtext", "texto", "diálogo", "diálogos",
        "traducción", "guion", "testo", "battuta", "dialogo", "dialoghi", "traduzione", "adattamento", "tradução",
        "fala", "roteiro", "tekst", "dialoog", "vertaling", "kwestia", "tłumaczenie", "dialogi", "текст", "реплика",
        "диалог", "перевод", "фраза", "译文", "譯文", "台词", "台詞", "对白", "對白", "文本", "文字", "内容", "本文",
        "セリフ", "せりふ", "テキスト", "訳文", "翻訳", "吹替", "대사", "번역", "텍스트", "내용", "본문", "번역문",
        "자막",
    ),
    "original": (
        "original", "original text", "original dialogue", "original dialog", "source text", "source dialogue", "vo",
        "english original", "english", "texte original", "originaltext", "texto original", "testo originale",
        "originele tekst", "tekst oryginalny", "oryginał", "оригинал", "исходный текст", "原文", "原台詞", "原版",
        "원문", "원어",
    ),
    "onscreen": (
        "on screen text", "onscreen text", "on screen text burned in subtitle", "burned in subtitle",
        "burned in subtitles", "burned in text", "burned in titles", "forced narrative", "fn", "graphics", "captions",
        "titles", "texte à l'écran", "texte écran", "bildtext", "einblendung", "texttafel", "texto en pantalla",
        "rótulos", "rótulo", "testo a schermo", "cartelli", "texto na tela", "tekst in beeld", "napisy ekranowe",
        "титры", "текст на экране", "надпись", "画面文字", "屏幕文字", "字幕文字", "画面テキスト", "テロップ",
        "화면 문구",
    ),
    "language": (
        "language", "lang", "locale", "langue", "sprache", "idioma", "lengua", "lingua", "língua", "taal", "język",
        "язык", "语言", "語言", "言語", "언어",
    ),
    "in": (
        "in", "tc in", "tcin", "in tc", "in timecode", "in time", "in point", "intime", "start", "start tc",
        "start time", "start timecode", "starttime", "begin", "begin time", "from", "début", "debut", "tc début",
        "entrée",
        "timecode in", "time in", "timecode", "time code", "tc", "timestamp", "time", "anfang", "beginn", "startzeit",
        "inicio", "entrada", "tc inicio", "tc entrada", "inizio", "tc inizio", "ingresso", "início", "tc início",
        "begintijd", "starttijd", "początek", "czas start", "wejście", "начало", "вход", "старт", "тайм код", "таймкод",
        "开始", "開始", "开始时间", "開始時間", "入点", "入點", "开始时间码", "イン", "시작", "시작시간", "시작 시간",
        "인", "타임코드",
    ),
    "out": (
        "out", "tc out", "tcout", "out tc", "out timecode", "out time", "out point", "outtime", "end", "end tc",
        "end time", "end timecode", "endtime", "stop", "finish", "to", "fin", "tc fin", "sortie", "timecode out",
        "time out", "ende", "endzeit", "salida", "tc salida", "tc final", "final", "fine", "tc fine", "uscita", "saída",
        "fim", "tc fim", "einde", "eindtijd", "koniec", "czas koniec", "wyjście", "конец", "выход", "结束", "結束",
        "終了", "结束时间", "終了時間", "結束時間", "出点", "出點", "结束时间码", "アウト", "끝", "종료", "종료시간",
        "종료 시간", "아웃",
    ),
    "duration": (
        "duration", "dur", "durée", "dauer", "duración", "durata", "duração", "duur", "czas trwania",
        "длительность", "продолжительность", "时长", "時長", "尺", "지속시간",
    ),
    "emotion": (
        "emotion", "direction", "mood", "style", "tone", "acting", "émotion", "gefühl", "stimmung", "emoción",
        "emozione", "emoção", "tono", "emotie", "emocja", "эмоция", "настроение", "情绪", "情緒", "情感",
        "感情", "演技",
        "语气", "감정", "톤",
    ),
    "action": (
        "action", "parenthetical", "parentheticals", "stage direction", "stage directions", "acting note",
        "acting notes", "delivery", "didascalie", "didascalies", "jeu", "regieanweisung", "regie", "spielanweisung",
        "acotación", "acotaciones", "didascalia", "rubrica", "rubricas", "regieaanwijzing", "didaskalia",
        "ремарка", "ремарки", "动作", "動作", "表演提示", "ト書き", "지문", "연기 지시",
    ),
    "presence": (
        "on off", "onoff", "off on", "on off screen", "on screen", "onscreen", "off screen", "offscreen",
        "im bild", "à l'écran", "en pantalla", "画内外", "画内画外", "on off camera", "온오프",
    ),
    "notes": (
        "notes", "note", "comment", "comments", "remark", "remarks", "annotation", "annotations", "engineer notes",
        "remarque", "remarques", "commentaire", "commentaires", "bemerkung", "bemerkungen", "anmerkung", "anmerkungen",
        "kommentar", "notiz", "notizen", "notas", "nota", "comentario", "comentarios", "observaciones", "commento",
        "commenti", "osservazioni", "comentário", "comentários", "observações", "opmerking", "opmerkingen", "notities",
        "uwagi", "komentarz", "примечание", "примечания", "комментарий", "комментарии", "备注", "備註", "注释", "注釈",
        "備考", "メモ", "비고", "메모", "주석",
    ),
    "kind": (
        "kind", "type", "line type", "event type", "genre", "art", "typ", "tipo", "soort", "rodzaj", "тип", "вид",
        "类型", "類型", "種類", "種別", "유형", "종류",
    ),
}  # fmt: skip
"""In order of preference: where a sheet has both Translation and Transcription, the first listed is spoken."""

_PREFERRED_TEXT = (
    "translation", "adaptation", "vf", "target", "target text", "translated text", "übersetzung", "traducción",
    "traduzione", "adattamento", "tradução", "vertaling", "tłumaczenie", "перевод", "译文", "譯文", "訳文", "翻訳",
    "吹替", "번역", "번역문",
)  # fmt: skip
_AS_ORIGINAL = frozenset({
    "transcription", "transcript", "dialogue", "dialog", "text", "source text", "content", "texte", "texto", "testo",
    "tekst", "текст", "台词", "台詞", "セリフ", "대사",
})  # fmt: skip
_LINES = ("line", "ligne", "zeile", "riga", "línea", "linha", "regel", "wiersz")
_SEPARATORS = re.compile(r"[\s_\-–—./:|]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_IN_PARENTHESES = re.compile(r"[(\[（]\s*([^()\[\]（）]{2,40}?)\s*[)\]）]")
_LANGUAGES = frozenset({
    "en", "fr", "de", "es", "it", "pt", "nl", "pl", "ru", "zh", "ja", "ko", "sv", "da", "nb", "fi", "cs", "hu", "tr",
    "uk", "el", "ar", "he", "hi", "th", "ro", "bg", "hr", "sk", "ca",
})  # fmt: skip


def plain_name(header: str) -> str:
    """Return a header in the spelling of the table: case, accents composed, separators to single spaces."""
    text = unicodedata.normalize("NFKC", header[:200]).strip("\ufeff \t\"'").replace("’", "'").casefold()
    text = re.sub(r"\(.*?\)|\[.*?\]", " ", text) if text[:1] not in ("(", "[") else text.strip("()[] ")
    return _SEPARATORS.sub(" ", text).strip(" #*") or text


def header_language(header: str) -> str | None:
    """Return the language a header names in parentheses, as in ``Script (de)`` or ``Translation (French)``."""
    for match in _IN_PARENTHESES.finditer(header[:200]):
        tag = normal_tag(match[1])
        # two letters may be anything (``TC (ms)``): only the languages of the trade count
        if tag is not None and primary(tag) in _LANGUAGES:
            return tag
    return None


def find_columns(headers: Sequence[str], named: Mapping[str, str] | None = None) -> dict[Field, int]:
    """Return where each known column stands; the first of a name wins.

    ``named`` gives headers that are none of the table's, by field; a header named for one field is none else.
    """
    found = _named_columns(headers, named) if named else {}
    names = ["" if at in found.values() else plain_name(header) for at, header in enumerate(headers)]
    if "source" in names and ("target" in names or "target text" in names):
        names[names.index("source")] = "source text"
    for field, spellings in SPELLINGS.items():
        if field not in found:
            at = _first(names, spellings)
            if at is None:
                at = _first(
                    [_camel(header) if name else "" for header, name in zip(headers, names, strict=True)], spellings
                )
            if at is not None and at not in found.values():
                found[field] = at
    line = _first(names, _LINES) if "text" not in found else None
    if line is not None:
        # a sheet of character and line: the line is what is said, not its number
        found["text"] = line
        if found.get("id") == line:
            del found["id"]
    if not named or "text" not in named:
        _prefer_translation(names, found)
    return found


def _camel(header: str) -> str:
    return plain_name(_CAMEL.sub(" ", header))


def _first(names: Sequence[str], spellings: Sequence[str]) -> int | None:
    return next((names.index(spelling) for spelling in spellings if spelling in names), None)


def _named_columns(headers: Sequence[str], named: Mapping[str, str]) -> dict[Field, int]:
    found: dict[Field, int] = {}
    exact = [header.strip() for header in headers]
    plain = [plain_name(header) for header in headers]
    for field in FIELDS:
        wanted = named.get(field, "").strip()
        if wanted in exact and wanted:
            found[field] = exact.index(wanted)
        elif wanted and plain_name(wanted) in plain:
            found[field] = plain.index(plain_name(wanted))
    return found


def _prefer_translation(names: Sequence[str], found: dict[Field, int]) -> None:
    """Take the translation for what is spoken, and what it was translated from for the original."""
    preferred = _first(names, _PREFERRED_TEXT)
    if preferred is None or "text" not in found:
        return
    spoken_before = found["text"]
    found["text"] = preferred
    if "original" in found:
        return
    if spoken_before != preferred and names[spoken_before] in _AS_ORIGINAL:
        found["original"] = spoken_before
        return
    other = next((at for at, name in enumerate(names) if name in _AS_ORIGINAL and at != preferred), None)
    if other is not None:
        found["original"] = other


KINDS: Mapping[str, LineKind] = {
    **dict.fromkeys(
        ("reaction", "reactions", "effort", "efforts", "mne", "breath", "breaths", "nonverbal", "non-verbal", "foley",
         "réaction", "réactions", "souffle", "souffles", "respirations", "reaktion", "atmer", "reacción", "reazione",
         "reação", "реакция", "反应", "反應", "息", "リアクション", "반응", "호흡", "r"), "reaction"),
    **dict.fromkeys(
        ("walla", "wallas", "crowd", "crowds", "ambiance", "ambiances", "ambience", "background", "group", "loop group",
         "adr group", "foule", "brouhaha", "menge", "gemurmel", "ambiente", "brusio", "murmullo", "burburinho", "gwar",
         "гул", "толпа", "гур-гур", "群杂", "群雜", "ガヤ", "웅성거림", "왈라"), "walla"),
    **dict.fromkeys(
        ("onscreen", "on-screen", "on screen", "on-screen text", "onscreen text", "on screen text", "caption",
         "captions", "title", "titles", "graphic", "graphics", "burned-in subtitle", "burned in subtitle", "credit",
         "credits", "forced narrative", "fn", "sign", "signs", "titre", "carton", "bildtext", "einblendung", "titel",
         "rótulo", "cartello", "titulo", "título", "титр", "надпись", "画面文字", "字幕", "テロップ",
         "자막"), "onscreen"),
}  # fmt: skip
"""What a cell of the kind column may say; anything else is speech."""

WALLA_NAMES = frozenset({
    "walla", "wallas", "crowd", "crowds", "ambiance", "ambiances", "ambience", "foule", "brouhaha", "menge", "gemurmel",
    "brusio", "murmullo", "burburinho", "gwar", "гул", "толпа", "群杂", "群雜", "ガヤ", "왈라",
})  # fmt: skip
"""Characters that are nobody: a crowd."""
_TEXT_KINDS: Mapping[str, LineKind] = {
    **dict.fromkeys(
        ("mne", "efforts", "effort", "breaths", "breath", "reaction", "reactions", "réaction", "réactions", "souffles",
         "souffle", "respirations", "respiration", "atmer", "reaktion", "reaktionen", "reacciones", "reazioni",
         "реакции", "リアクション", "息", "反应", "호흡"), "reaction"),
    **dict.fromkeys(WALLA_NAMES, "walla"),
}  # fmt: skip
"""A text cell that says only this, without a full stop, is a note of what is heard."""

_PRESENCE: Mapping[str, str] = {
    **dict.fromkeys(("on", "on screen", "onscreen", "on-screen", "in", "im on", "on camera", "画内", "yes", "y", "true",
                     "oui", "ja", "x"), "on"),
    **dict.fromkeys(("off", "off screen", "offscreen", "off-screen", "off camera", "os", "o.s.", "o.s", "oc", "o.c.",
                     "vo", "v.o.", "v.o", "voice over", "voice-over", "voiceover", "im off", "hors champ",
                     "fuera de campo",
                     "fuori campo", "f.c.", "画外", "画外音", "オフ", "no", "n", "false", "non", "nein", "за кадром",
                     "зк", "hc", "오프"), "off"),
    **dict.fromkeys(("on/off", "on-off", "on off", "on_off", "on>off", "on → off", "on->off"), "on/off"),
    **dict.fromkeys(("off/on", "off-on", "off on", "off_on", "off>on", "off → on", "off->on"), "off/on"),
    **dict.fromkeys(("dos", "de dos", "btc", "back", "back to camera", "rücken", "de espaldas", "di spalle", "背对",
                     "背向き"), "back"),
}  # fmt: skip
_NOT_IN_TEXT = frozenset({"yes", "y", "true", "oui", "ja", "x", "no", "n", "false", "non", "nein", "in", "back", "vo"})
_REACTION = re.compile(
    r"(?:mne|r|re|efforts?|reacts?|reactions?|réactions?|reaktion(?:en)?)(?!\w)"
    r"|(?:\w+ly )?(?:laugh|sigh|gasp|cough|sob|cry|cries|cried|groan|grunt|scream|shriek|pant|breath|inhal|exhal|chuckl"
    r"|giggl|sniff|sneez|moan|hum|whimper|yawn|scoff|snort|snor|gulp|swallow|growl|wail|weep|hiccup|kiss|smack|spit|whistl"
    r"|clears? (?:\w+ )?throat)(?:e|s|es|ed|ing|ter|y|ation|le|les|ling|bing|ming|ting)?(?!\w)"
    r"|rires?\b|rit\b|rient|ricane|soupir|sanglot|pleure|tousse|respir|souffle|halète|gémi|crie\b|hurle|renifle|bâille"
    r"|lach(?:t|en)|seufz|keuch|stöhn|schluchz|weint|hustet|atmet|atmen|atem\b|schreit|gähnt|schnauf|schnief|räusper|kicher"
    r"|ríe|risas?\b|suspir|solloza|llora|tose\b|jadea|gime|grita|ride\b|ridono|risata|sospir|singhioz|piange|tossisce"
    r"|ansima|geme\b|gritos|ri\b|risos|chora|ofega|zucht|hijgt|kucht|huilt|śmiech|śmieje|wzdych|kaszl|płacz|jęk|krzyk"
    r"|сме[её]|вздых|вздох|кашл|плач|стон|крич|рыда|дыш|笑|叹|嘆|ため息|溜息|咳|息|泣|哭|喘|呻|웃|한숨|기침|흐느|신음|비명",
    re.IGNORECASE,
)
_REACTION_WORDS = 4
"""A longer parenthesis that begins with such a word is a sentence."""
_PAUSES = re.compile(
    r"(?:a |long |short )?(?:beat|pause|silence|moment)\Z|(?:un )?temps\Z|pausa\Z|stille\Z|停顿\Z|間\Z"
    r"|cont(?:inued|['’]?d)\.?\Z",
    re.IGNORECASE,
)
_MARK = re.compile(r"\[([^\[\]]{1,200})\]|［([^［］]{1,200})］|\(([^()]{1,200})\)|（([^（）]{1,200})）")
_MARK_START = re.compile(r"[\[(（［]")
_ALNUM = re.compile(r"[^\W_]")


_THOUGHT = re.compile(r"[(（](?:[^()（）]*[.!?。！？…][)）]\Z|(?:[^\s()]+\s+){5})")


def is_thought(text: str) -> bool:
    """Whether a cell that is one parenthesis is a sentence to say, as thoughts are written: ``(I can't stay.)``."""
    return _THOUGHT.match(text) is not None


def has_marks(text: str) -> bool:
    """Whether a text holds anything that ``take_marks`` looks at."""
    return _MARK_START.search(text) is not None


def text_kind(text: str) -> LineKind | None:
    """Return what a cell of nothing but a note is: ``MNE``, ``Walla``; None for words to say."""
    return _TEXT_KINDS.get(text.casefold().strip("()[]（）［］ ")) if len(text) <= 20 else None


def presence_of(cell: str) -> str | None:
    """Return 'on', 'off', 'on/off', 'off/on' or 'back' (back to camera), or None for another word."""
    return _PRESENCE.get(" ".join(cell.casefold().strip("()[]（） ").split()))


@dataclass(frozen=True, slots=True)
class Marks:
    """A text with its marks taken out."""

    text: str
    reaction: str = ""
    action: str = ""
    presence: str = ""


def _is_reaction(inner: str) -> bool:
    if len(inner) <= 2 and inner != inner.upper():
        return False  # (R) marks a reaction, (r) may be anything
    return _REACTION.match(inner) is not None and len(inner.split()) <= _REACTION_WORDS


def take_marks(text: str) -> Marks:
    """Take out of a text what is not said.

    Sounds (``[laughs]``, ``(sighs)``) and on/off marks go wherever they stand; other words in square brackets are a
    direction; so are other words in parentheses, but only before the first word that is said: later they are the text's
    own.
    """
    kept: list[str] = []
    reactions: list[str] = []
    actions: list[str] = []
    presence = ""
    at = 0
    has_words = False
    for match in _MARK.finditer(text):
        before = text[at : match.start()]
        kept.append(before)
        has_words = has_words or _ALNUM.search(before) is not None
        at = match.end()
        inner = next(group for group in match.groups() if group is not None).strip()
        mark = presence_of(inner) if inner.casefold() not in _NOT_IN_TEXT else None
        if mark is not None:
            presence = presence or mark
        elif _is_reaction(inner):
            reactions.append(inner)
        elif match[1] or match[2] or not has_words or _PAUSES.match(inner):
            actions.append(inner)
        else:
            kept.append(match[0])
    kept.append(text[at:])
    said = " ".join("".join(kept).split()) if len(kept) > 1 else text
    return Marks(said, "; ".join(reactions), "; ".join(actions), presence)


NARRATORS = frozenset({
    "narrator", "narration", "narrateur", "erzähler", "narrador", "narratore", "verteller", "рассказчик", "旁白",
    "ナレーション", "ナレーター", "내레이션", "나레이션",
})  # fmt: skip
_TOGETHER = re.compile(r"[/+＋、，;；\n／]")
_PERHAPS = re.compile(r"\s*[&＆,]\s*|\s+(?:and|et|und|y|e|en|i|och|и)\s+", re.IGNORECASE)
_NAME_MARK = re.compile(r"\s*[(\[（]([^()\[\]（）]{1,40})[)\]）]\s*\Z")
_CONTINUED = re.compile(r"(?:cont(?:inued|['’]?d)?\.?|suite|forts\.?)\Z", re.IGNORECASE)


def name_marks(cell: str) -> tuple[str, str, bool]:
    """Return a character cell without ``(OFF)``, ``(CONT'D)``, ``(R)`` after the name; the presence; if a reaction."""
    presence, reaction = "", False
    while (match := _NAME_MARK.search(cell)) is not None and match.start():
        inner = match[1].strip()
        mark = presence_of(inner)
        if mark is not None:
            presence = presence or mark
        elif inner.casefold() in ("r", "mne", "efforts", "reaction", "react"):
            reaction = True
        elif not _CONTINUED.match(inner):
            break
        cell = cell[: match.start()]
    return cell, presence, reaction


def sure_names(cell: str) -> tuple[str, ...]:
    """Divide at the signs that always set characters apart: a slash, a plus, a semicolon, an enumeration comma."""
    return tuple(name for part in _TOGETHER.split(cell) if (name := " ".join(part.split())))


def may_be_several(name: str) -> bool:
    """Whether a name holds an ``&``, a comma or an ``and``, which are often part of one name."""
    return _PERHAPS.search(name) is not None


def divided(name: str, alone: frozenset[str]) -> tuple[str, ...]:
    """Divide ``Mara & Tom`` if the sheet has one of the two speaking alone; at a comma, both must.

    ``alone`` holds, case folded, every name that the sheet gives by itself. ``Salt & Pepper``, of whom neither ever
    speaks alone, is one name; so is a whole name that stands in ``alone`` for another reason.
    """
    parts = tuple(" ".join(part.split()) for part in _PERHAPS.split(name) if part.strip())
    known = sum(part.casefold() in alone for part in parts)
    needed = len(parts) if "," in name else 1
    return parts if len(parts) > 1 and known >= needed else (name,)


def without_narrator(names: Sequence[str]) -> tuple[str, ...]:
    """Leave the narrator out: a line of nobody is the narrator's."""
    return tuple(name for name in names if name.casefold() not in NARRATORS)
