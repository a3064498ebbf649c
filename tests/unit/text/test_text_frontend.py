from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.errors import TextError
from synthesis.text.errors import BadReading, LanguageDataMissing, LanguageUnknown, UnreadableText
from synthesis.text.frontend import FrontEnd
from synthesis.text.language import Segment
from synthesis.text.segmentation import TAGS

V1 = FrontEnd("v1")
V2 = FrontEnd("v2")


def symbols(segments: list[Segment]) -> str:
    return " ".join(symbol for segment in segments for symbol in segment.phonemes.symbols)


def test_a_mixed_line_is_one_segment_for_each_stretch() -> None:
    first, middle, last = V2.segments("我昨天在 Python 里写了一个小程序。", "zh")
    assert [first.language, middle.language, last.language] == ["zh", "en", "zh"]
    assert (first.text, middle.text) == ("我昨天在 ", "Python ")
    assert middle.phonemes.word2ph is None
    assert last.phonemes.word2ph is not None
    assert sum(last.phonemes.word2ph) == len(last.phonemes.ids)
    assert last.phonemes.norm == "里写了一个小程序."
    assert last.phonemes.ids[:2] == (224, 167)


def test_a_very_short_line_gets_a_full_stop_in_front() -> None:
    assert symbols(V2.segments("好。", "zh")) == ". h ao3 ."


def test_the_tables_share_the_ids_of_mandarin() -> None:
    text = "他重新称了称这箱重达12.5公斤的苹果。"
    assert V1.segments(text, "zh")[0].phonemes.ids == V2.segments(text, "zh")[0].phonemes.ids


def test_inline_readings_reach_the_phonemes() -> None:
    assert "zh ong4 q ing4" in symbols(V2.segments("他住在{重庆|zhong4 qing4}已经三年。", "zh"))
    assert "T AH0 M AA1 T OW2" in symbols(V2.segments("I said {tomato|T AH0 M AA1 T OW2}, not that.", "en"))
    assert "Yh Yang4" in symbols(V2.segments("佢今日話{行|hang4}得好快。", "yue"))
    assert "S IY1 K W AH0 L" in symbols(V2.segments("请用{SQL|sequel}查询数据。", "zh"))


def test_a_spelled_term_is_english_wherever_it_stands() -> None:
    english, chinese = V2.segments("{GPT4|JH IY1 P IY1 T IY1}真的很好用。", "zh")
    assert (english.language, english.text) == ("en", "GPT4")
    assert chinese.language == "zh"


def test_pinyin_in_an_english_line_is_chinese() -> None:
    before, term, after = V2.segments("We went to {北京|bei3 jing1} yesterday.", "en")
    assert [before.language, term.language, after.language] == ["en", "zh", "en"]
    assert term.phonemes.symbols == ("b", "ei3", "j", "ing1")


def test_a_lexicon_of_the_call_wins_over_that_of_the_front_end() -> None:
    front_end = FrontEnd("v2", lexicon={"重庆": "zhong4 qing4"})
    text = "他住在重庆已经三年。"
    assert "zh ong4 q ing4" in symbols(front_end.segments(text, "zh"))
    assert "ch ong1 q ing1" in symbols(front_end.segments(text, "zh", lexicon={"重庆": "chong1 qing1"}))
    assert "ch ong2 q ing4" in symbols(V2.segments(text, "zh"))


@pytest.mark.parametrize(
    ("text", "tag"),
    [("{重庆|chong2}是一个城市", "zh"), ("{重庆|hello there}很远", "zh"), ("{香港|xiang3 gang}", "yue")],
)
def test_a_reading_in_the_wrong_alphabet_is_refused(text: str, tag: str) -> None:
    with pytest.raises(BadReading):
        V2.segments(text, tag)


@pytest.mark.parametrize(
    ("text", "tag", "characters"),
    [
        ("😀", "zh", "😀"),
        ("😀🎉", "en", "😀🎉"),
        ("……", "zh", "…"),
        ("Привет", "zh", "Привет"),
        ("他说שלום走了", "zh", "שלום"),
        ("", "zh", ""),
    ],
)
def test_what_nobody_can_read_is_named(text: str, tag: str, characters: str) -> None:
    with pytest.raises(UnreadableText) as caught:
        V2.segments(text, tag)
    assert caught.value.characters == characters


@pytest.mark.parametrize("text", ["한국어", "他说안녕就走了"])
def test_v1_has_no_korean(text: str) -> None:
    with pytest.raises(UnreadableText):
        V1.segments(text, "zh")


def test_ornaments_beside_words_are_left_out() -> None:
    assert symbols(V2.segments("今天天气真好😀！", "zh")) == symbols(V2.segments("今天天气真好！", "zh"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("二〇二六年，他来了。", "二零二六年，他来了。"),
        ("二○○八年，他来了。", "二零零八年，他来了。"),
        ("这是第Ⅳ章的内容。", "这是第4章的内容。"),
        ("他喝了½杯的牛奶。", "他喝了1/2杯的牛奶。"),
        ("这是第⑫个问题。", "这是第12个问题。"),
        ("\uf9b4子里的小鸟在唱歌。", "領子里的小鸟在唱歌。"),  # a compatibility form
    ],
)
def test_odd_numerals_and_forms_are_read_and_not_dropped(written: str, meant: str) -> None:
    assert symbols(V2.segments(written, "zh")) == symbols(V2.segments(meant, "zh"))


def test_characters_beyond_the_common_block_are_named() -> None:
    with pytest.raises(UnreadableText) as caught:
        V2.segments("他姓𠮷田，是日本人。", "zh")
    assert caught.value.characters == "𠮷"


def test_yen_and_caret_turn_commas_into_silences() -> None:
    assert "SP2" in symbols(V2.segments("今天￥天气真好。", "zh"))
    assert "SP3" in symbols(V2.segments("今天^天气真好。", "zh"))


def test_language_tags_are_checked_whatever_their_case() -> None:
    assert V2.segments("今天天气真好。", "ZH")[0].language == "zh"
    with pytest.raises(LanguageUnknown) as caught:
        V2.segments("bonjour", "fr")
    assert caught.value.known == TAGS


def test_who_reads_polyphones_is_recorded() -> None:
    assert V2.name == "pypinyin"
    assert "symbols v2, polyphones pypinyin" in V2.version
    assert FrontEnd("v2", read_clause=lambda clause: list(clause)).name == "given"


def test_a_g2pw_folder_without_its_files_is_an_error_or_pypinyin(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synthesis.text.zh.g2pw.is_available", lambda: True)
    with pytest.raises(LanguageDataMissing):
        FrontEnd("v2", g2pw=str(tmp_path))
    monkeypatch.setattr("synthesis.text.zh.g2pw.is_available", lambda: False)
    assert FrontEnd("v2", g2pw=str(tmp_path)).name == "pypinyin"


def test_threads_share_a_front_end() -> None:
    text = "银行的行长在人行道上行走了一公里。"
    front_end = FrontEnd("v2")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(symbols(front_end.segments(text, "zh")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert found == [symbols(V2.segments(text, "zh"))] * 4


def test_importing_loads_no_dictionary_and_no_torch() -> None:
    heavy = (
        "torch",
        "jieba",
        "pypinyin",
        "ToJyutping",
        "opencc",
        "pyopenjtalk",
        "nltk",
        "g2p_en",
        "onnxruntime",
        "mecab",
    )
    program = f"import sys, synthesis.text.frontend; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


MIXED = st.text(
    st.sampled_from("一个银行的abcXé 12.5%℃-，。！あイ漢々안녕😀П{}|￥^…?\n\\[]①ｱＡ１") | st.characters(), max_size=30
)


@settings(max_examples=60, deadline=None)
@given(MIXED, st.sampled_from(TAGS), st.sampled_from(["v1", "v2"]))
def test_any_text_becomes_ids_of_the_table_or_a_typed_error(text: str, tag: str, version: str) -> None:
    front_end = V1 if version == "v1" else V2
    try:
        segments = front_end.segments(text, tag)
    except TextError as error:
        message = str(error)
        assert message
        return
    assert segments
    for segment in segments:
        phonemes = segment.phonemes
        assert all(0 <= number < len(front_end.table) for number in phonemes.ids)
        assert len(phonemes.ids) == len(phonemes.symbols) > 0
        if phonemes.word2ph is not None:
            assert len(phonemes.word2ph) == len(phonemes.norm)
            assert sum(phonemes.word2ph) == len(phonemes.ids)
