"""English: what is written becomes what is said, and what is said becomes ARPAbet."""

from __future__ import annotations

import subprocess
import sys

import pytest

from synthesis.text.en import English, normalise, numbers
from synthesis.text.en.lexicon import PHONES, dictionary, homographs
from synthesis.text.en.neural import PHONES_LIMIT, speller
from synthesis.text.en.words import pronounce, tokens
from synthesis.text.errors import BadReading, LanguageDataMissing, UnreadableText
from synthesis.text.package_data import package_file
from synthesis.text.symbols import SymbolTable, TableVersion


def said(text: str) -> str:
    return English().normalise(text)


def phones(text: str) -> str:
    front_end = English()
    return " ".join(front_end.phonemes(front_end.normalise(text))[0])


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("It costs $12.50, about 20% less.", "It costs twelve dollars and fifty cents, about twenty percent less."),
        ("$1, £0.05 and 3.20€", "one dollar, five pence and three euros and twenty cents"),
        (
            "$1,234,567.89",
            "one million, two hundred thirty-four thousand, five hundred sixty-seven dollars and eighty-nine cents",
        ),
        ("$5 million or $1.5 billion", "five million dollars or one point five billion dollars"),
        ("at 7:45 on the 3rd", "at seven forty-five a.m. on the third"),
        ("8:00 p.m. or 20:30 or 6pm", "eight o'clock p.m. or eight thirty p.m. or six p.m."),
        ("2026-05-01", "May first, twenty twenty-six"),
        (
            "in 1984, 1905, 2000, 2007 and 1500",
            "in nineteen eighty-four, nineteen oh five, two thousand, two thousand seven and fifteen hundred",
        ),
        ("the 1990s and the '80s", "the nineteen nineties and the eighties"),
        ("1/2, 3/4, 24/7", "one half, three fourths, twenty-four seven"),
        ("2½ cups", "two and one half cups"),
        ("3.14 and .5 and 1.2.3", "three point one four and point five and one point two point three"),
        ("5kg, 1m, 100km/h, 1.5L", "five kilograms, one meter, one hundred kilometers per hour, one point five liters"),
        ("-5°C or 20°", "negative five degrees celsius or twenty degrees"),
        ("3 + 4 = 7, but well - no", "three plus four equals seven, but well no"),
        ("agent 007 #3", "agent zero zero seven number three"),
        ("10–12 people", "ten to twelve people"),
        ("R&D, and/or, a@b", "R and D, and or, a at b"),
        ("e.g. this, i.e. that", "for example this, that is that"),
        ("NASA and iPhone", "N A S A and i Phone"),
        ("STOP RIGHT THERE!", "stop right there!"),
        ("“Don’t!” she said—naïvely… yes", "Don't! she said, naively. yes"),
        ("‘Well’ – the dogs’ bowl – ’tis the ’90s", "Well, the dogs bowl, tis the nineties"),
        ("— Yes — no—", "Yes, no,"),
        ("Wait... what ?!", "Wait. what?"),
        ("Ｈｅｌｌｏ １２％！", "Hello twelve percent!"),
        ("", ""),
    ],
)
def test_what_is_written_is_read_in_words(written: str, spoken: str) -> None:
    assert said(written) == spoken


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She has visited Mary's brother.", "SH IY1 HH AE1 Z V IH1 Z IH0 T IH0 D M EH1 R IY0 Z B R AH1 DH ER0 ."),
        ("forty-five", "F AO1 R T IY0 F AY2 V"),
        ("Zorvaxia", "Z IY1 AO1 R V IY1 AE1 K S IY0 AH0"),
        ("A cat, a dog", "EY1 K AE1 T , AH0 D AO1 G"),
        ("the FBI", "DH AH0 EH1 F B IY1 AY1"),
        ("using AI", "Y UW1 Z IH0 NG EY1 AY1"),
        ("at 6 a.m.", "AE1 T S IH1 K S AH0 . EH1 M ."),
        ("chatgpt writes json", "CH AE1 T JH IY1 P IY1 T IY1 R AY1 T S JH EY1 S AH0 N"),
    ],
)
def test_words_become_the_phones_of_training(text: str, expected: str) -> None:
    assert phones(text) == expected


def test_a_very_short_utterance_starts_with_a_comma_unless_it_is_a_piece_of_another() -> None:
    assert English().phonemes("bug") == ([",", "B", "AH1", "G"], None)
    assert English().phonemes("bug", lead=False) == (["B", "AH1", "G"], None)
    assert English().phonemes("") == ([], None)


@pytest.mark.parametrize(
    ("noun", "verb"),
    [
        ("a record of it", "they record it"),
        ("the object", "I object"),
        ("his use of it", "we use it"),
        ("a present", "please present it"),
        ("good progress", "you must progress"),
        ("many uses of it", "the system uses memory"),
        ("the refuse", "children refuse"),
    ],
)
def test_neighbours_decide_between_noun_and_verb(noun: str, verb: str) -> None:
    word = next(word for word in noun.split() if word in homographs())
    first, second, _ = homographs()[word]
    assert " ".join(second) in phones(noun)
    assert " ".join(first) in phones(verb)


def test_read_is_present_after_you_and_past_after_have() -> None:
    assert "R IY1 D" in phones("do you read it")
    assert "R EH1 D" in phones("they have read it")
    assert "Y UW1 S T" in phones("I used to walk")
    assert "Y UW1 Z D" in phones("it was used to walk")


@pytest.mark.parametrize(
    ("text", "characters"), [("привет", "привет"), ("ok 😀", "😀"), ("a 漢 b", "漢"), ("x ≤ 2", "≤")]
)
def test_what_cannot_be_read_is_named(text: str, characters: str) -> None:
    with pytest.raises(UnreadableText) as caught:
        said(text)
    assert (caught.value.text, caught.value.characters) == (text, characters)


def test_quotes_and_brackets_are_passed_over() -> None:
    assert said('("well") [yes]') == "well yes"
    assert normalise.unreadable("“”«»()[]{}<>|") == ""


def test_a_reading_is_arpabet() -> None:
    front_end = English()
    assert front_end.reading("hh ah0 l OW1") == ["HH", "AH0", "L", "OW1"]
    assert front_end.reading("K AE T AH") == ["K", "AE1", "T", "AH0"]
    for wrong in ("", "  ", "hello", "K A T", "K AE3"):
        with pytest.raises(BadReading) as caught:
            front_end.reading(wrong)
        assert caught.value.reading == wrong


@pytest.mark.parametrize(
    ("digits", "name"),
    [
        ("0", "zero"),
        ("1001", "ten oh one"),
        ("3005", "three thousand five"),
        ("21", "twenty-one"),
        ("1000000", "one million"),
        ("9" * 37, " ".join(["nine"] * 37)),
    ],
)
def test_cardinals(digits: str, name: str) -> None:
    assert numbers.cardinal(digits) == name


@pytest.mark.parametrize(
    ("digits", "name"), [("1", "first"), ("12", "twelfth"), ("20", "twentieth"), ("101", "one hundred and first")]
)
def test_ordinals(digits: str, name: str) -> None:
    assert numbers.ordinal(digits) == name


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_dictionary_speaks_in_symbols_of_the_table(version: TableVersion) -> None:
    assert len(dictionary()) > 120_000
    used = {phone for phones in dictionary().values() for phone in phones}
    assert used <= PHONES
    assert all(phone in SymbolTable(version) for phone in PHONES)


def test_the_network_is_bounded_and_deterministic() -> None:
    assert " ".join(speller().pronounce("activationist")) == "AE2 K T IH0 V EY1 SH AH0 N IH0 S T"
    assert len(speller().pronounce("z" * 500)) <= PHONES_LIMIT


def test_compounds_and_possessives_are_taken_apart() -> None:
    assert pronounce("rocketbicycle") == pronounce("rocket") + pronounce("bicycle")
    assert pronounce("florb's")[-1] == "Z"
    assert tokens("don't stop. forty-five!") == ["don't", "stop", ".", "forty-five", "!"]


def test_a_missing_package_is_named_with_how_to_get_it() -> None:
    with pytest.raises(LanguageDataMissing, match="pip install some-package"):
        package_file("en", "no_such_package_anywhere", "data", "some-package")


def test_no_corpus_reader_is_imported() -> None:
    program = (
        "import sys; from synthesis.text.en import English as E; E().phonemes(E().normalise('3 rocketbicycles')); "
        "print(sorted({'nltk', 'g2p_en', 'pronouncing', 'inflect', 'torch'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
