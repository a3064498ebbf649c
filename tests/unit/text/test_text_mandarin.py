from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.text.errors import BadReading, UnreadableText
from synthesis.text.symbols import SymbolTable
from synthesis.text.zh import Mandarin, readings, sandhi
from synthesis.text.zh.g2pw import G2pw
from synthesis.text.zh.syllables import symbols
from synthesis.text.zh.words import Word, words


def spoken(text: str, version: str = "v2") -> str:
    front_end = Mandarin("v1" if version == "v1" else "v2")
    return " ".join(front_end.phonemes(front_end.normalise(text))[0])


def changed(text: str, tones: str, pos: str = "x") -> str:
    return "".join(sandhi.change(Word(text, pos), list(tones), words().halves))


@pytest.mark.parametrize(
    ("word", "pos", "before", "after"),
    [
        ("不怕", "v", "44", "24"),
        ("看不懂", "v", "443", "453"),
        ("一天", "m", "11", "41"),
        ("一段", "m", "14", "24"),
        ("看一看", "v", "414", "454"),
        ("第一", "m", "41", "41"),
        ("二零一零", "m", "4212", "4212"),
        ("奶奶", "n", "33", "35"),
        ("数数", "v", "34", "34"),
        ("朋友", "n", "23", "25"),
        ("孩子", "n", "23", "25"),
        ("电子", "n", "43", "43"),
        ("这里", "r", "43", "43"),
        ("家里", "s", "13", "15"),
        ("上来", "v", "42", "45"),
        ("了", "ul", "3", "5"),
        ("三个", "m", "14", "15"),
        ("你好", "l", "33", "23"),
        ("纸老虎", "n", "333", "323"),
        ("蒙古包", "n", "331", "231"),
        ("一,", "m", "1,", "1,"),
    ],
)
def test_tones_inside_a_word(word: str, pos: str, before: str, after: str) -> None:
    assert changed(word, before, pos) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("不/d 去/v", "不去"),
        ("听/v 一/m 听/v", "听一听"),
        ("一/m 段/q", "一段"),
        ("走/v 走/v", "走走"),
        ("老/a 虎/n", "老虎"),
        ("花/n 儿/n", "花儿"),
        ("好/a 天气/n", "好 天气"),
    ],
)
def test_words_are_joined_where_tones_change_across_their_border(before: str, after: str) -> None:
    parts = [Word(*part.split("/")) for part in before.split()]
    assert " ".join(word.text for word in sandhi.join(parts, readings.tones)) == after


@pytest.mark.parametrize(
    ("pinyin", "expected"),
    [
        ("zhi1", "zh ir1"), ("zi3", "z i03"), ("er2", "EE er2"), ("wu3", "w u3"), ("yan2", "y En2"), ("ye4", "y E4"),
        ("yue4", "y ve4"), ("yuan2", "y van2"), ("ju2", "j v2"), ("lv4", "l v4"), ("you3", "y ou3"), ("wei4", "w ei4"),
        ("gui4", "g ui4"), ("liu4", "l iu4"), ("dun4", "d un4"), ("an1", "AA an1"), ("o2", "OO o2"),
        ("ying1", "y ing1"), ("yi1", "y i1"), ("yong4", "y ong4"), ("weng1", "w eng1"), ("hm5", "EE en5"),
    ],
)  # fmt: skip
def test_syllables_become_an_initial_and_a_final(pinyin: str, expected: str) -> None:
    assert " ".join(symbols(readings.syllable(pinyin))) == expected


def test_every_character_with_pinyin_has_symbols_of_the_table() -> None:
    table = SymbolTable("v1")
    unknown = set()
    for code in range(0x4E00, 0x9FA6):
        try:
            (reading,) = readings.clause(chr(code))
        except UnreadableText:
            continue
        unknown |= {symbol for symbol in symbols(readings.syllable(reading)) if symbol not in table}
    assert unknown == set()


def test_a_character_without_pinyin_is_named() -> None:
    with pytest.raises(UnreadableText) as caught:
        Mandarin().phonemes("好甅.")
    assert caught.value.characters == "甅"


def test_erhua_is_v2_only() -> None:
    assert spoken("一会儿", "v1").endswith("EE er5")
    assert spoken("一会儿", "v2").endswith("EE er4")
    assert spoken("女儿").endswith("EE er2")


def test_v1_reads_words_and_v2_clauses() -> None:
    assert spoken("银行的行长", "v1") == spoken("银行的行长", "v2") == "y in2 h ang2 d e5 h ang2 zh ang3"


def test_given_readings_stand() -> None:
    front_end = Mandarin()
    phones, counts = front_end.phonemes_as_read("他在行.", {2: "xing2"})
    assert phones == ["t", "a1", "z", "ai4", "x", "ing2", "."]
    assert counts == [2, 2, 2, 1]


@pytest.mark.parametrize(("term", "reading"), [("重庆", "chong2"), ("重", "chong9"), ("重", "重"), ("重", "123")])
def test_a_reading_that_is_not_pinyin_is_refused(term: str, reading: str) -> None:
    with pytest.raises(BadReading) as caught:
        readings.given(term, reading)
    assert (caught.value.term, caught.value.reading) == (term, reading)


class Chooser:
    """Stands for the network: chooses the last reading that is allowed."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, np.ndarray]] = []

    def run(self, outputs: object, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.inputs.append(inputs)
        return [inputs["phoneme_mask"] * np.arange(1, inputs["phoneme_mask"].shape[1] + 1)]


def test_g2pw_reads_polyphones_and_leaves_the_rest_to_pypinyin() -> None:
    chooser = Chooser()
    network = G2pw(
        chooser,
        polyphonic={"行": ["ㄏㄤ2", "ㄒㄧㄥ2"], "一": ["ㄧ1"]},
        monophonic={"銀": "ㄧㄣ2"},
        syllables={"ㄏㄤ": "hang", "ㄒㄧㄥ": "xing", "ㄧㄣ": "yin"},
        vocabulary=["[UNK]", "[CLS]", "[SEP]", "銀", "行"],
    )
    assert network.clause("一银行.") == ["yi1", "yin2", "xing2", "."]
    (inputs,) = chooser.inputs
    assert inputs["input_ids"].tolist() == [[1, 0, 3, 4, 0, 2]]
    assert inputs["position_ids"].tolist() == [3]
    assert {name: value.dtype.name for name, value in inputs.items() if name != "phoneme_mask"} == dict.fromkeys(
        ("input_ids", "token_type_ids", "attention_mask", "char_ids", "position_ids"), "int64"
    )


@settings(max_examples=30, deadline=None)
@given(
    st.text(
        st.sampled_from("一不儿了着过的地得个们子上下里来去好老虎看走你我第三五重行长乐,.!…-")
        | st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5),
        max_size=25,
    )
)
def test_any_characters_become_two_symbols_each_or_are_named(text: str) -> None:
    for version in ("v1", "v2"):
        front_end = Mandarin("v1" if version == "v1" else "v2")
        norm = front_end.normalise(text)
        try:
            phones, counts = front_end.phonemes(norm)
        except UnreadableText as error:
            named = set(error.characters)
            assert named <= set(norm)
            continue
        assert len(counts) == len(norm)
        assert sum(counts) == len(phones)
        SymbolTable("v1").ids(phones)
