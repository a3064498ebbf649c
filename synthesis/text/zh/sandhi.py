"""Tone changes inside a word: 不 and 一, neutral tones, third tones in a row, and erhua.

Tones are strings ``1``..``5`` (5 is neutral); a mark has itself in place of a tone and is never changed. The word's
characters and its tones go together. Words are first joined where a change reaches over their border (``join``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from synthesis.text.zh.lexical import lexical
from synthesis.text.zh.words import Word

Tones = list[str]
ReadTones = Callable[[str], Sequence[str]]
"""The tones of a word on its own."""
Halve = Callable[[str], tuple[str, str]]
"""A word in two parts."""

_PARTICLES = "吧呢哈啊呐噻嘛吖嗨呐哦哒额滴哩哟喽啰耶喔诶"
_COUNTED = "几有两半多各整每做是"
"""Before 个 as a measure word, besides numbers."""
_NO_YI_CHANGE = "：，；。？！“”‘’':,;.?!"
_LONGEST_JOINT = 3


def join(words: Sequence[Word], read_tones: ReadTones) -> list[Word]:
    """Words joined where tones change across their border; the characters stay the same."""
    joined = _join_yi(_join_bu(words))
    joined = _join_repeated(joined)
    joined = _join_third_tones(joined, read_tones, whole=True)
    joined = _join_third_tones(joined, read_tones, whole=False)
    return _join_er(joined)


def change(word: Word, tones: Sequence[str], halve: Halve) -> Tones:
    """The tones of the word as they are spoken. ``tones`` has one entry for each character of the word."""
    spoken = list(tones)
    _change_bu(word.text, spoken)
    _change_yi(word.text, spoken)
    _change_neutral(word, spoken, halve)
    _change_third(word.text, spoken, halve)
    return [new if old.isdigit() else old for old, new in zip(tones, spoken, strict=True)]


def has_erhua(word: Word) -> bool:
    """Whether a final 儿 takes over the tone before it."""
    lists = lexical()
    if len(word.text) < 2 or word.text[-1] != "儿" or word.text[-2:] in lists.not_erhua:
        return False
    return word.text in lists.erhua or not (word.text in lists.not_erhua or word.pos in ("a", "j", "nr"))


def _join_bu(words: Sequence[Word]) -> list[Word]:
    """不 goes to the word after it, whose part of speech stays."""
    joined: list[Word] = []
    waiting = False
    for word in words:
        text = "不" + word.text if waiting else word.text
        waiting = text == "不"
        if not waiting:
            joined.append(Word(text, word.pos))
    if waiting:
        joined.append(Word("不", "d"))
    return joined


def _join_yi(words: Sequence[Word]) -> list[Word]:
    """听 一 听 becomes one word; then every single 一 takes the word after it."""
    echoes: list[Word] = []
    at = 0
    while at < len(words):
        word = words[at]
        after = words[at + 1] if at + 1 < len(words) else None
        if word.text == "一" and echoes and after == echoes[-1] and after.pos == "v":
            echoes[-1] = Word(f"{after.text}一{after.text}", "v")
            at += 2
        else:
            echoes.append(word)
            at += 1
    joined: list[Word] = []
    for word in echoes:
        if joined and joined[-1].text == "一":
            joined[-1] = joined[-1].joined(word)
        else:
            joined.append(word)
    return joined


def _join_repeated(words: Sequence[Word]) -> list[Word]:
    joined: list[Word] = []
    for word in words:
        if joined and joined[-1].text == word.text:
            joined[-1] = joined[-1].joined(word)
        else:
            joined.append(word)
    return joined


def _join_third_tones(words: Sequence[Word], read_tones: ReadTones, *, whole: bool) -> list[Word]:
    """Neighbours of at most three characters together, all in third tone (``whole``) or touching in third tones.

    A word that was joined to the one before it does not take a third one; a doubled word (走走) takes none.
    """
    tones = [read_tones(word.text) for word in words]
    joined: list[Word] = []
    taken = False
    for at, word in enumerate(words):
        before = words[at - 1] if at else None
        taken = (
            before is not None
            and not taken
            and _both_third(tones[at - 1], tones[at], whole=whole)
            and not (len(before.text) == 2 and before.text[0] == before.text[1])
            and len(before.text) + len(word.text) <= _LONGEST_JOINT
        )
        if taken:
            joined[-1] = joined[-1].joined(word)
        else:
            joined.append(word)
    return joined


def _both_third(before: Sequence[str], after: Sequence[str], *, whole: bool) -> bool:
    if not before or not after:
        return False
    if whole:
        return _all_third(before) and _all_third(after)
    return before[-1] == after[0] == "3"


def _join_er(words: Sequence[Word]) -> list[Word]:
    joined: list[Word] = []
    for word in words:
        if joined and word.text == "儿":
            joined[-1] = joined[-1].joined(word)
        else:
            joined.append(word)
    return joined


def _change_bu(word: str, tones: Tones) -> None:
    if len(word) == 3 and word[1] == "不":  # 看不懂
        tones[1] = "5"
        return
    for at, char in enumerate(word[:-1]):
        if char == "不" and tones[at + 1] == "4":  # 不怕
            tones[at] = "2"


def _change_yi(word: str, tones: Tones) -> None:
    if "一" not in word or all(char.isnumeric() for char in word):  # 二零一零
        return
    if len(word) == 3 and word[1] == "一" and word[0] == word[2]:  # 看一看
        tones[1] = "5"
    elif word.startswith("第一"):
        tones[1] = "1"
    else:
        for at, char in enumerate(word[:-1]):
            if char != "一":
                continue
            if tones[at + 1] == "4":  # 一段
                tones[at] = "2"
            elif word[at + 1] not in _NO_YI_CHANGE:  # 一天
                tones[at] = "4"


def _change_neutral(word: Word, tones: Tones, halve: Halve) -> None:
    text = word.text
    lists = lexical()
    if word.pos[:1] in ("n", "v", "a") and text not in lists.not_neutral:
        for at in range(1, len(text)):
            if text[at] == text[at - 1]:  # 奶奶
                tones[at] = "5"
    counted = text.find("个")
    if _ends_neutral(word):
        tones[-1] = "5"
    elif text == "个" or (counted >= 1 and (text[counted - 1].isnumeric() or text[counted - 1] in _COUNTED)):
        tones[counted] = "5"
    elif text in lists.neutral or text[-2:] in lists.neutral:
        tones[-1] = "5"
    first, second = halve(text)
    for part, end in ((first, len(first)), (second, len(text))):
        if part and (part in lists.neutral or part[-2:] in lists.neutral):
            tones[end - 1] = "5"


def _ends_neutral(word: Word) -> bool:
    """Whether the last character is a particle, a suffix or a direction without a tone of its own."""
    text, pos = word.text, word.pos
    last = text[-1]
    if last in _PARTICLES or last in "的地得":
        return True
    if len(text) == 1:
        return last in "了着过" and pos in ("ul", "uz", "ug")
    return (
        (last in "们子" and pos in ("r", "n") and text not in lexical().not_neutral)
        or (last in "上下里" and pos in ("s", "l", "f"))  # 桌上
        or (last in "来去" and text[-2] in "上下进出回过起开")  # 上来
    )


def _change_third(word: str, tones: Tones, halve: Halve) -> None:
    if len(word) == 2 and _all_third(tones):
        tones[0] = "2"
    elif len(word) == 3:
        _change_third_of_three(len(halve(word)[0]), tones)
    elif len(word) == 4:  # an idiom is two words of two
        for at in (0, 2):
            if _all_third(tones[at : at + 2]):
                tones[at] = "2"


def _change_third_of_three(first: int, tones: Tones) -> None:
    """``first`` is the number of characters in the first part of the word."""
    if _all_third(tones):
        if first == 2:  # 蒙古 包
            tones[0] = tones[1] = "2"
        elif first == 1:  # 纸 老虎
            tones[1] = "2"
        return
    if first == 2 and _all_third(tones[:2]):  # 所有 人
        tones[0] = "2"
    second = tones[first:]
    if len(second) == 2 and _all_third(second):
        tones[first] = "2"
    elif second and not _all_third(second) and second[0] == "3" and tones[first - 1] == "3":  # 好 喜欢
        tones[first - 1] = "2"


def _all_third(tones: Sequence[str]) -> bool:
    return all(tone == "3" for tone in tones)
