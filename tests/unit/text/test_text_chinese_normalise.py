from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthesis.text.yue import Cantonese
from synthesis.text.zh import Mandarin
from synthesis.text.zh.normalise import simplified
from synthesis.text.zh.numbers import cardinal, decimal, spelled

NORMAL = re.compile("[\u4e00-\u9fa5!?…,.-]*")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("0", "零"),
        ("000", "零"),
        ("", ""),
        ("10", "十"),
        ("15", "十五"),
        ("110", "一百一十"),
        ("1050", "一千零五十"),
        ("10005", "一万零五"),
        ("100500", "十万零五百"),
        ("10001000", "一千万一千"),
        ("100000001", "一亿零一"),
        ("1234567890", "十二亿三千四百五十六万七千八百九十"),
        ("10000000000000000", "一亿亿"),
    ],
)
def test_whole_numbers(number: str, words: str) -> None:
    assert cardinal(number) == words


def test_a_number_of_thousands_of_digits_is_read_too() -> None:
    assert cardinal("9" * 20_000).count("亿") == 2499


@pytest.mark.parametrize(
    ("number", "words"), [("12.5", "十二点五"), (".22", "零点二二"), ("3.200", "三点二零"), ("7", "七")]
)
def test_decimals(number: str, words: str) -> None:
    assert decimal(number) == words


def test_telephone_numbers_say_yao() -> None:
    assert spelled("110") == "一一零"
    assert spelled("110", telephone=True) == "幺幺零"


@pytest.mark.parametrize(
    ("text", "norm"),
    [
        ("2026年3月15日", "二零二六年三月十五日"),
        ("2024-01-02", "二零二四年一月二日"),
        ("上午9:05", "上午九点零五分"),
        ("8:30-12:30", "八点半至十二点半"),
        ("8:30-12:45", "八点半至十二点四十五分"),
        ("9:00-17:30", "九点至十七点三十分"),
        ("-3℃", "零下三度"),
        ("5kg~8kg", "五千克至八千克"),
        ("5mm", "五毫米"),
        ("30cm²", "三十平方厘米"),
        ("60%", "百分之六十"),
        ("3/4", "四分之三"),
        ("1+2+3=6", "一加二加三等于六"),
        ("x²", "的二次方"),
        ("版本1.2.3", "版本一点二点三"),
        ("13812345678", "幺三八幺二三四五六七八"),
        ("2个", "两个"),
        ("10+个", "十多个"),
        ("500元", "五百元"),
        ("10086", "幺零零八六"),
        ("１２个", "十二个"),
        ("①号", "一号"),
        ("α粒子", "阿尔法粒子"),
        ("《书》——好", "书好"),
        ("什么?!……", "什么?"),
        ("嗯，好～", "恩,好…"),
        ("頭髮", "头发"),
    ],
)
def test_mandarin_is_spelled_out(text: str, norm: str) -> None:
    assert Mandarin().normalise(text) == norm


def test_characters_that_become_unreadable_ones_are_kept() -> None:
    assert simplified("好貴喎嗰") == "好贵喎嗰"


def test_cantonese_keeps_runs_of_marks_and_reads_a_wave_as_a_dash() -> None:
    assert Cantonese().normalise("好！！好～") == "好!!好-"


@given(st.text(st.sampled_from("0123456789.:-~/%+×=年月日个元kgcm²①α,。\n ￥^") | st.characters(), max_size=60))
def test_a_normal_text_is_characters_and_six_marks_and_stays_what_it_is(text: str) -> None:
    norm = Mandarin().normalise(text)
    assert NORMAL.fullmatch(norm)
    assert NORMAL.fullmatch(Cantonese().normalise(text))


@pytest.mark.parametrize("unit", ["1", "1+", "1/", "1:", "1.", "5kg~", "12年", "-"])
def test_long_monotonous_text_takes_time_with_its_length(unit: str) -> None:
    start = time.process_time()
    Mandarin().normalise(unit * (20_000 // len(unit)))
    assert time.process_time() - start < 5
