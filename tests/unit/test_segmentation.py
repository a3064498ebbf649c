from __future__ import annotations

import pytest

from scheduler.scripts.segmentation import speakable, split, spoken_length


def parts(text: str, language: str = "en", max_chars: int = 300, breaks: tuple[int, ...] = ()) -> list[str]:
    return [text[a:b].strip() for a, b in split(text, language, max_chars, breaks=breaks)]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The first one is here. The second one follows.", ["The first one is here. The second one follows."]),
        (
            "en",
            "The first sentence is long enough. The second one is long enough too.",
            ["The first sentence is long enough.", "The second one is long enough too."],
        ),
        (
            "en",
            "He paid 3.50 dollars to Dr. Brown on Jan. 5th, i.e. yesterday. She did not pay anything at all.",
            ["He paid 3.50 dollars to Dr. Brown on Jan. 5th, i.e. yesterday.", "She did not pay anything at all."],
        ),
        (
            "en",
            "It was too late for Mrs. Bennet; so said Mr. J. Collins of Hunsford.",
            ["It was too late for Mrs. Bennet; so said Mr. J. Collins of Hunsford."],
        ),
        (
            "en",
            "This is told at length in Vol. 2 of his works. See also No. 5 of the series.",
            ["This is told at length in Vol. 2 of his works.", "See also No. 5 of the series."],
        ),
        (
            "en",
            "“Curiouser and curiouser than before!” cried the girl from her corner. And then she laughed at them.",
            ["“Curiouser and curiouser than before!” cried the girl from her corner.", "And then she laughed at them."],
        ),
        (
            "en",
            "I thought it over… and over again, all night. Then the morning came at last.",
            ["I thought it over… and over again, all night.", "Then the morning came at last."],
        ),
        (
            "ja",
            "「もう行かなければならない。」と彼は静かに言った。そして雨の中へ出て行ってしまった。",
            ["「もう行かなければならない。」と彼は静かに言った。", "そして雨の中へ出て行ってしまった。"],
        ),
        (
            "zh",
            "他低着头说：“我……我真的不知道该怎么办。”然后他就慢慢地走出去了。",
            ["他低着头说：“我……我真的不知道该怎么办。”", "然后他就慢慢地走出去了。"],
        ),
        ("de", "Das kostet z. B. 3,5 Millionen Euro im Jahr. Nr. 5 ist noch sehr viel teurer.", None),
    ],
)
def test_sentences(language: str, text: str, expected: list[str] | None) -> None:
    found = parts(text, language)
    if expected is not None:
        assert found == expected
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_short_sentence_goes_with_its_neighbour() -> None:
    assert parts("No. He would not go there again, whatever they said.") == [
        "No. He would not go there again, whatever they said."
    ]
    assert parts("He would not go there again, whatever they said. No.") == [
        "He would not go there again, whatever they said. No."
    ]


def test_a_long_sentence_is_divided_at_its_clauses_into_even_parts() -> None:
    clause = "and the rain went on falling over the town"
    found = parts(", ".join([clause] * 12) + ".", max_chars=150)
    assert all(len(part) <= 150 for part in found)
    assert all(part.endswith((",", ".")) for part in found)
    assert min(len(part) for part in found) > 60


def test_a_long_quotation_is_divided_at_its_inner_sentences() -> None:
    text = "“" + " ".join(["This was said by him quite slowly."] * 12) + "”"
    assert all(part.endswith((".", ".”")) for part in parts(text, max_chars=120))


def test_words_without_any_mark_are_divided_at_spaces_and_one_long_word_anywhere() -> None:
    assert all(not part.endswith("wor") for part in parts("word " * 200, max_chars=90))
    assert sorted(len(part) for part in parts("x" * 250, max_chars=100)) == [83, 83, 84]


def test_a_cjk_character_counts_as_three() -> None:
    assert spoken_length("abc") == 3
    assert spoken_length("漢字かな한글") == 18
    text = "雨が降って風が吹いて、" * 30
    assert all(spoken_length(part) <= 150 for part in parts(text, "ja", 150))


def test_a_break_of_the_source_divides_lines_that_are_not_short() -> None:
    first, second = "The lamp is burning in the window still, ", "and no one comes to put it out tonight"
    assert parts(first + second, breaks=(len(first),)) == [first.strip(), second]


@pytest.mark.parametrize("text", ["", "…", "——", "* * *", "♪ ♪", "“ ”", "?!", "。、", "🙂"])
def test_not_speakable(text: str) -> None:
    assert not speakable(text)


@pytest.mark.parametrize("text", ["a", "5", "あ", "々", "第一", "é", "٣", "x…"])
def test_speakable(text: str) -> None:
    assert speakable(text)


def test_an_unknown_language_is_divided_all_the_same() -> None:
    assert len(parts("The first sentence is long enough. The second one is long enough too.", "xx")) == 2
