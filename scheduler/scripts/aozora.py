"""Aozora Bunko text: ruby in 《》, notes in ［＃…］, characters outside JIS X 0208 described by name and number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from scheduler.scripts.blocks import Block, Piece, SceneBreak, tidy
from scheduler.scripts.builder import Builder, Draft, Item, only_titles
from scheduler.scripts.encodings import decode, marked, to_lines
from scheduler.scripts.errors import MarkupError, ScriptUnreadable
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.prose import Paragraph, is_title
from scheduler.scripts.source import ScriptSource

LEGEND = "【テキスト中に現れる記号について】"
_ENCODINGS = ("utf-8", "cp932", "euc_jp")
_HEAD_LINES = 60
"""Title, author and the legend of marks end before this line."""
_TITLE_LINES = 6
_COLOPHON_LINES = 60
"""Lines from one 底本： to the next, where a work has several sources."""

_NOTE_IN_HEAD = re.compile("［＃[^［］\n]{1,200}］")
_RUBY_IN_HEAD = re.compile("《[\u3041-\u30ff]{1,60}》")
_RULE = re.compile(r"[-－─―]{10,}\s*\Z")
_COLOPHON = re.compile(r"\s*底本[:：]")
_LIBRARY = re.compile(r"^青空文庫(?:作成|収録)ファイル[:：]", re.MULTILINE)
_SOURCE = re.compile(r"^(?:\S{1,10}の)?底本[:：]", re.MULTILINE)
_KANA_ONLY = re.compile("[\u3041-\u309f\u30a0-\u30ff\\s]+\\Z")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_TOKEN = re.compile(
    r"(?P<gaiji>※(?=［＃))|(?P<note>［＃)|｜(?P<base>[^｜《》\n]{1,200})《(?P<said>[^《》\n]{0,200})》"
    r"|《(?P<reading>[^《》\n]{0,200})》|(?P<repeat>／[″゛]?＼)|〔(?P<accents>[\x20-\x7e]{1,200})〕|(?P<bar>｜)"
)
_CELL = re.compile(r"(?<![\d-])([12])-(\d{1,2})-(\d{1,2})(?![\d-])")
_CODE_POINT = re.compile(r"U\+([0-9A-F]{4,6})(?![0-9A-F])", re.IGNORECASE)
_LEVELS = {"大": 1, "中": 2, "小": 3}
_HEADING_OF = re.compile(r"「(.+)」は(?:同行|窓)?([大中小])見出し\Z")
_HEADING_OPENS = re.compile(r"(?:ここから)?(?:同行|窓)?([大中小])見出し\Z")
_HEADING_ENDS = re.compile(r"(?:ここで)?(?:同行|窓)?[大中小]見出し終わり\Z")
_RUBY_OF = re.compile(r"「([^「」]{1,200})」に「([^「」]{1,200})」のルビ\Z")
_PAGE = re.compile(r"改(?:ページ|丁|段|見開き)\Z")
_INDENT = re.compile(r"(?:ここから)?[0-9]+字下げ|(?:ここから)?中央揃え")
_BODY_ENDS = "本文終わり"
_PICTURE = re.compile(r"入る\Z")
_NUMERAL = re.compile(r"[（(]?[〇一二三四五六七八九十百0-9０-９]{1,6}[)）]?\Z")
_CLASSES = (
    re.compile("[\u3005-\u3007\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff仝〆〇ヶ〓]+\\Z"),
    re.compile("[\u3041-\u3096ゝゞ]+\\Z"),
    re.compile("[\u30a1-\u30fa\u30fc-\u30fe]+\\Z"),
    re.compile("[A-Za-z0-9\u00c0-\u024fＡ-Ｚａ-ｚ０-９#\\-.,，．’']+\\Z"),
)
"""What a ruby without ｜ stands over: the longest run of one of these before it."""
_VOICED = str.maketrans(
    "かきくけこさしすせそたちつてとはひふへほカキクケコサシスセソタチツテトハヒフヘホ",
    "がぎぐげござじずぜぞだぢづでどばびぶべぼガギグゲゴザジズゼゾダヂヅデドバビブベボ",
)
_ACCENT = re.compile(r"(?:(?P<lig>ae|AE|oe|OE)&|(?P<s>s)&|(?P<letter>[A-Za-z])(?P<mark>['`^:~,&_/]))")
_MARKS = {
    "'": ("\u0301", "AEIOUYaeiouy"), "`": ("\u0300", "AEIOUaeiou"), "^": ("\u0302", "AEIOUaeiou"),
    ":": ("\u0308", "AEIOUYaeiouy"), "~": ("\u0303", "ANOano"), ",": ("\u0327", "Cc"), "&": ("\u030a", "Aa"),
    "_": ("\u0304", "AEIOUaeiou"),
}  # fmt: skip
_LIGATURES = {"ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ"}
_UNKNOWN = "〓"
"""What printers set for a character they do not have."""


def ends_as_aozora(text: str) -> bool:
    """Whether a text closes with the library's colophon: a work without readings bears no other mark."""
    return _LIBRARY.search(text) is not None and _SOURCE.search(text) is not None


class AozoraReader:
    """Reads ``.txt`` that bears the marks of Aozora Bunko; other text is left to the reader of plain text."""

    name = "aozora"
    suffixes = (".txt",)
    kind = "audiobook"

    def sniff(self, head: bytes) -> bool:
        """The legend of marks, or a note in ［＃…］ together with a ruby in 《》."""
        found = marked(head)
        for name in (found[0],) if found is not None else _ENCODINGS:
            text = head.decode(name, "ignore")
            if LEGEND in text or (_NOTE_IN_HEAD.search(text) and _RUBY_IN_HEAD.search(text)):
                return True
        return False

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read an Aozora Bunko text whole."""
        text, encoding = _decoded(source.data(options.max_file_bytes), source.name, options.encoding)
        lines = to_lines(text, source.name, options.max_source_line_chars)
        frame = _frame(lines, source.name)
        language = normal_tag(options.language) or "ja"
        walk = _Walk(source.name, language)
        walk.run(lines, frame)
        title = walk.plain(frame.title) or PurePath(source.name).stem
        builder = Builder(source.name, options)
        sections = builder.sections(_drafts(walk.items, title), "chapter")
        notices = [Rejection("", f"read as {encoding}")] if encoding != "utf-8" else []
        if frame.last < len(lines):
            place = f"line {frame.last + 1}"
            notices.append(Rejection(place, "the colophon is left out"))
        return ScriptDocument(
            title=title,
            author=walk.plain(frame.author),
            language=language,
            kind="audiobook",
            format=self.name,
            sections=sections,
            rejected=(*walk.rejected, *builder.rejected),
            notices=(*notices, *walk.notices),
        )


def _decoded(data: bytes, file: str, wanted: str | None) -> tuple[str, str]:
    """The library writes cp932 and UTF-8; statistics are asked only where neither fits."""
    if wanted is None and marked(data) is None:
        for name in _ENCODINGS[:2]:
            try:
                return data.decode(name), name
            except UnicodeDecodeError:
                continue
    return decode(data, file, wanted)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the text of the work begins and ends, and what stands above it."""

    title: str
    author: str
    first: int
    last: int


def _frame(lines: Sequence[str], file: str) -> _Frame:
    at = next((n for n, line in enumerate(lines[:_HEAD_LINES]) if LEGEND in line), None)
    if at is None:
        titles, first = _bare_titles(lines)
    else:
        opened = next((n for n in range(at - 1, -1, -1) if _RULE.match(lines[n])), at)
        closed = next((n for n in range(at + 1, min(len(lines), at + _HEAD_LINES)) if _RULE.match(lines[n])), None)
        if closed is None:
            raise ScriptUnreadable(file, f"line {at + 1}", "the legend of marks does not end; add a line of hyphens")
        titles, first = [line.strip() for line in lines[:opened] if line.strip()], closed + 1
    title, author = _title_and_author(titles)
    return _Frame(title, author, first, _colophon(lines, first))


def _bare_titles(lines: Sequence[str]) -> tuple[list[str], int]:
    """Title and author without a legend: two to six short lines, then an empty one."""
    start = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    end = next((n for n in range(start, len(lines)) if not lines[n].strip()), len(lines))
    found = [line.strip() for line in lines[start:end]]
    is_title_page = 2 <= len(found) <= _TITLE_LINES and all(
        len(line) <= 60 and "［＃" not in line and not line.endswith(("。", "」")) for line in found
    )
    return (found, end) if is_title_page else ([], start)


def _title_and_author(titles: Sequence[str]) -> tuple[str, str]:
    if len(titles) < 2:
        return (titles[0] if titles else ""), ""
    makers = [line for line in titles[1:] if not line.endswith(("訳", "編", "校訂"))]
    author = makers[-1] if makers else titles[-1]
    return titles[0], author


def _colophon(lines: Sequence[str], first: int) -> int:
    """The line on which the colophon begins; several sources in it are one colophon."""
    found = [n for n in range(first, len(lines)) if _COLOPHON.match(lines[n])]
    if not found:
        return len(lines)
    start = found.pop()
    while found and start - found[-1] <= _COLOPHON_LINES:
        start = found.pop()
    return start


@dataclass(slots=True)
class _Line:
    """What one line holds."""

    pieces: list[Piece] = field(default_factory=list)
    level: int = 0
    """Level of the heading that it is; 0 for a paragraph."""
    run_in: int = 0
    """Pieces at its start that are the heading; 0 where the whole line is."""
    indented: bool = False
    before: bool = False
    """A page break stands before the text."""
    after: bool = False
    ends: bool = False


@dataclass(slots=True)
class _Walk:
    """One pass over the lines of the work."""

    file: str
    language: str
    items: list[tuple[Item, bool]] = field(default_factory=list)
    """Items, and whether one may be the title of a chapter by its look."""
    rejected: list[Rejection] = field(default_factory=list)
    notices: list[Rejection] = field(default_factory=list)
    _heading: int = 0
    _repeats: int = 0
    _place: str = ""

    def run(self, lines: Sequence[str], frame: _Frame) -> None:
        """Read the work's own lines."""
        for number in range(frame.first, frame.last):
            self._place = f"line {number + 1}"
            line = self._line(lines[number])
            self._add(line, lines[number], number + 1)
            if line.ends:
                break
        if self._repeats:
            self.notices.append(
                Rejection("", f"{self._repeats} × ／＼ said as the repeated word, its length told from the letters")
            )

    def plain(self, text: str) -> str:
        """The words of a title line without its marks."""
        reader = _Walk(self.file, self.language, _place="title")
        return "".join(piece.text for piece in tidy(reader._line(text).pieces))

    def _add(self, line: _Line, source: str, number: int) -> None:
        if line.before:
            self.items.append((SceneBreak(self._place), False))
        pieces = line.pieces
        if line.level and line.run_in:
            self._block(pieces[: line.run_in], line.level)
            self._block(pieces[line.run_in :], 0)
        else:
            text = "".join(piece.text for piece in pieces).strip()
            looks = is_title(Paragraph((text,), number, 0)) if text else False
            looks = looks or (line.indented and _NUMERAL.match(text) is not None)
            self._block(pieces, line.level, looks=looks)
        if line.after:
            self.items.append((SceneBreak(self._place), False))

    def _block(self, pieces: Sequence[Piece], level: int, *, looks: bool = False) -> None:
        done = tidy(pieces)
        if done:
            self.items.append((Block(done, self.language, self._place, level > 0, level), looks))

    def _line(self, text: str) -> _Line:
        line = _Line(level=self._heading)
        at = 0
        while (match := _TOKEN.search(text, at)) is not None:
            _say(line, text[at : match.start()])
            at = match.end()
            if match["gaiji"] is not None:
                at = self._gaiji(line, text, at)
            elif match["note"] is not None:
                end = self._end_of_note(text, match.start())
                self._note(line, text[match.end() : end - 1])
                at = end
            elif match["base"] is not None:
                self._over(line, match["base"], match["said"])
            elif match["reading"] is not None:
                self._ruby(line, match[0], match["reading"])
            elif match["repeat"] is not None:
                self._repeat(line, match[0])
            elif match["accents"] is not None:
                _say(line, _accented(match["accents"], match[0]))
        _say(line, text[at:])
        return line

    def _end_of_note(self, text: str, start: int) -> int:
        """Where a note ends: notes describe characters by notes."""
        depth = 0
        for at in range(start, len(text)):
            depth += (text[at] == "［") - (text[at] == "］")
            if depth == 0:
                return at + 1
        raise MarkupError(self.file, self._place, "［＃ is not closed on its line; write ］ where the note ends")

    def _gaiji(self, line: _Line, text: str, at: int) -> int:
        end = self._end_of_note(text, at)
        note = text[at + 2 : end - 1]
        char = _character(note)
        if char is not None:
            _say(line, char)
        elif text.startswith("《", end):
            self.notices.append(Rejection(self._place, f"{_UNKNOWN} stands for {note}; its reading is spoken"))
            _say(line, _UNKNOWN)
        else:
            self.rejected.append(Rejection(self._place, f"the character {note} has no number; write it as U+XXXX"))
        return end

    def _over(self, line: _Line, base: str, said: str) -> None:
        """A ruby whose base is marked by ｜."""
        inner = _Walk(self.file, self.language, _place=self._place)
        pieces = inner._line(base).pieces
        self.rejected.extend(inner.rejected)
        self.notices.extend(inner.notices)
        line.pieces.append(_read_as("".join(piece.text for piece in pieces), said))

    def _ruby(self, line: _Line, written: str, said: str) -> None:
        before = line.pieces[-1] if line.pieces else None
        run = _last_run(before.text) if before is not None and before.spoken is None else ""
        if before is None or not run:
            _say(line, written)  # brackets around a title, not a reading
            return
        rest = before.text[: -len(run)]
        line.pieces[-1:] = ([replace(before, text=rest)] if rest else []) + [_read_as(run, said)]

    def _repeat(self, line: _Line, mark: str) -> None:
        """／＼ repeats the word before it; ／″＼ with its first sound voiced."""
        before = line.pieces[-1] if line.pieces else None
        if before is None:
            return
        word = before.text if before.spoken is not None else _repeated(before.text)
        if not word:
            return
        said = before.spoken or word
        again = said if mark == "／＼" else said[0].translate(_VOICED) + said[1:]
        rest = before.text[: -len(word)]
        both = Piece(word + mark, said + again)
        line.pieces[-1:] = ([Piece(rest)] if rest else []) + [both]
        self._repeats += 1

    def _note(self, line: _Line, note: str) -> None:
        """A note in ［＃…］: structure is kept, layout and emphasis are dropped."""
        plain = unicodedata.normalize("NFKC", note).replace("'", "’")
        if (match := _HEADING_OF.match(note)) is not None:
            line.level = _LEVELS[match[2]]
            line.run_in = len(line.pieces) if "同行" in note or "窓" in note else 0
        elif (match := _HEADING_OPENS.match(note)) is not None:
            line.level = self._heading = _LEVELS[match[1]]
        elif _HEADING_ENDS.match(note) is not None:
            line.run_in = len(line.pieces) if "同行" in note or "窓" in note else 0
            self._heading = 0
        elif (match := _RUBY_OF.match(note)) is not None:
            _read_before(line, match[1], match[2])
        elif _PAGE.match(note) is not None:
            line.before, line.after = line.before or not line.pieces, line.after or bool(line.pieces)
        elif note == _BODY_ENDS:
            line.ends = True
        elif _INDENT.match(plain) is not None:
            line.indented = True
        elif _PICTURE.search(note) is not None:
            self.notices.append(Rejection(self._place, "a picture is left out"))


def _say(line: _Line, text: str) -> None:
    """Add plain text; it goes on in the piece before, so that a ruby finds its base."""
    if not text:
        return
    last = line.pieces[-1] if line.pieces else None
    if last is not None and last.spoken is None and line.run_in < len(line.pieces):
        line.pieces[-1] = Piece(last.text + text)
    else:
        line.pieces.append(Piece(text))


def _read_as(text: str, said: str) -> Piece:
    takes = _KANA_ONLY.match(said) is not None and _KANA.search(said) is not None
    return Piece(text, said if takes else None)


def _read_before(line: _Line, term: str, said: str) -> None:
    """A reading given in a note behind the words."""
    last = line.pieces[-1] if line.pieces else None
    if last is not None and last.spoken is None and last.text.endswith(term):
        rest = last.text[: -len(term)]
        line.pieces[-1:] = ([Piece(rest)] if rest else []) + [_read_as(term, said)]


def _last_run(text: str) -> str:
    tail = text[-200:]
    for letters in _CLASSES:
        match = letters.search(tail)
        if match is not None:
            return match[0]
    return ""


def _repeated(text: str) -> str:
    """The word that ／＼ repeats: the last two kana, three where they stand alone, one with its Chinese character."""
    kana = re.search("[\u3041-\u3096\u30a1-\u30fa\u30fc]{1,20}\\Z", text[-20:])
    run = kana[0] if kana is not None else ""
    before = text[-len(run) - 1 : -len(run)] if run else ""
    if len(run) == 1 and _CLASSES[0].match(before):
        return text[-2:]
    if len(run) == 3 and not _CLASSES[0].match(before):
        return run
    return run[-2:] or _last_run(text)[-2:]


def _character(note: str) -> str | None:
    """The character that a description names by code point or by plane, row and cell of JIS X 0213."""
    plain = unicodedata.normalize("NFKC", note)
    match = _CODE_POINT.search(plain)
    if match is not None:
        number = int(match[1], 16)
        char = chr(number) if number <= 0x10FFFF else ""
        return char if char and char.isprintable() and not char.isspace() else None
    found = list(_CELL.finditer(plain))
    if not found:
        return None
    plane, row, cell = (int(part) for part in found[-1].groups())
    if not (1 <= row <= 94 and 1 <= cell <= 94):
        return None
    code = bytes([row + 0xA0, cell + 0xA0])
    try:
        return (code if plane == 1 else b"\x8f" + code).decode("euc_jis_2004")
    except UnicodeDecodeError:
        return None


def _accented(text: str, written: str) -> str:
    """Letters with their accents behind them, as in fe^te; text without any keeps its brackets."""
    done, count = _ACCENT.subn(_letter, text)
    return done if count and done != text else written


def _letter(match: re.Match[str]) -> str:
    if match["lig"] is not None:
        return _LIGATURES[match["lig"]]
    if match["s"] is not None:
        return "ß"
    letter, mark = match["letter"], match["mark"]
    if mark == "/":
        return {"o": "ø", "O": "Ø"}.get(letter, match[0])
    accent, takes = _MARKS[mark]
    return unicodedata.normalize("NFC", letter + accent) if letter in takes else match[0]


def _drafts(items: Sequence[tuple[Item, bool]], title: str) -> list[Draft]:
    """Sections at the two highest levels of heading; where nothing is marked, at what looks like a chapter's title."""
    levels = sorted({item.level for item, _ in items if isinstance(item, Block) and item.heading})
    opens = frozenset(levels[:2])
    drafts = [Draft(title, title, [])]
    for item in _with_headings(items, marked=bool(levels)):
        if isinstance(item, Block) and item.heading and (item.level in opens or not levels):
            carried: list[Item] = [one for one in drafts[-1].items if isinstance(one, Block)]
            if only_titles(carried):
                drafts[-1] = Draft(item.text, item.text, carried)
            else:
                drafts.append(Draft(item.text, item.text, []))
        drafts[-1].items.append(item)
    return [draft for draft in drafts if draft.items]


def _with_headings(items: Sequence[tuple[Item, bool]], *, marked: bool) -> Iterator[Item]:
    for item, looks in items:
        if looks and not marked and isinstance(item, Block):
            yield replace(item, heading=True, level=2)
        else:
            yield item
