from __future__ import annotations

from pathlib import Path

import pytest
from script_samples import TEXT, write

from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.registry import read_script


def read(text: str | bytes, tmp_path: Path, **options: object) -> ScriptDocument:
    return read_script(write(tmp_path / "tale.txt", text), options=ReadOptions(**options))  # type: ignore[arg-type]


def texts(document: ScriptDocument) -> list[list[str]]:
    return [[line.text for line in section.lines] for section in document.sections]


def test_chapters_paragraphs_and_scenes(tmp_path: Path) -> None:
    document = read(TEXT, tmp_path)
    assert [section.title for section in document.sections] == ["CHAPTER I", "CHAPTER II"]
    assert texts(document)[0] == [
        "CHAPTER I",
        "It was late, and the lamp in the hall had burnt for an hour. Nobody came.",
        "Then the bell rang twice.",
    ]
    assert [line.boundary for line in document.sections[0].lines] == ["heading", "paragraph", "section"]


def test_a_line_knows_where_it_stands(tmp_path: Path) -> None:
    assert [line.place for line in read(TEXT, tmp_path).sections[0].lines] == ["line 1", "line 3", "line 6"]


def test_a_librarys_pages_are_taken_off_and_its_facts_read(tmp_path: Path) -> None:
    text = (
        "The Project Gutenberg eBook of A Lamp\n\nTitle: A Lamp\n\nAuthor: Ada Field\n\nLanguage: French\n\n"
        "*** START OF THE PROJECT GUTENBERG EBOOK A LAMP ***\n\nProduced by somebody\nand somebody else\n\n"
        "Chapitre I\n\nIl faisait nuit, et la _lampe_ brûlait.\n\n[Illustration: the\nlamp]\n\nPersonne ne vint.\n\n"
        "End of the Project Gutenberg EBook of A Lamp\n\n*** END OF THE PROJECT GUTENBERG EBOOK A LAMP ***\n\nLaw.\n"
    )
    document = read(text, tmp_path)
    assert (document.title, document.author, document.language) == ("A Lamp", "Ada Field", "fr")
    assert texts(document) == [["Chapitre I", "Il faisait nuit, et la lampe brûlait.", "Personne ne vint."]]


@pytest.mark.parametrize(
    ("title", "language"),
    [
        ("Chapter 12", "en"),
        ("CHAPTER THE LAST", "en"),
        ("Chapter IV: The Gate", "en"),
        ("PART TWO", "en"),
        ("Epilogue", "en"),
        ("Kapitel 3", "de"),
        ("Глава 7", "ru"),
        ("第三章 大门", "zh"),
        ("第十二回　雨", "ja"),
        ("序章", "ja"),
    ],
)
def test_titles_in_several_languages(title: str, language: str, tmp_path: Path) -> None:
    text = f"Words come before.\n\n\n{title}\n\nSome more words follow.\n"
    document = read(text, tmp_path, language=language)
    assert [section.title for section in document.sections][1:] == [" ".join(title.split())]


@pytest.mark.parametrize(
    "line", ["Part one of the plan had failed.", "Chapter and verse, he gave them all.", "Book two seats for me."]
)
def test_sentences_that_begin_like_titles_are_not(line: str, tmp_path: Path) -> None:
    assert len(read(f"Words come before.\n\n\n{line}\n\nMore words.\n", tmp_path).sections) == 1


def test_titles_by_underline_and_by_space_around_them(tmp_path: Path) -> None:
    underlined = read("The Gate\n========\n\nIt was shut.\n\nThe Road\n--------\n\nIt was long.\n", tmp_path)
    assert [section.title for section in underlined.sections] == ["The Gate", "The Road"]
    alone = read("It began here, long ago.\n\n\n\nThe Gate\n\nIt was shut.\n\n\n\nThe Road\n\nIt was long.\n", tmp_path)
    assert [section.title for section in alone.sections] == ["tale", "The Gate", "The Road"]


def test_a_printed_table_of_contents_is_not_read(tmp_path: Path) -> None:
    text = "CONTENTS\n\nChapter 1\nChapter 2\nChapter 3\n\n" + "".join(
        f"Chapter {n}\n\nThis is the text of number {n}.\n\n" for n in (1, 2, 3)
    )
    document = read(text, tmp_path)
    assert [len(section.lines) for section in document.sections][-3:] == [2, 2, 2]


def test_each_line_is_a_paragraph_where_lines_end_as_sentences_do(tmp_path: Path) -> None:
    text = "　雨が降っていた。\n　風も吹いていた。\n　誰も来なかった。\n　夜が明けた。\n"
    lines = read(text, tmp_path).sections[0].lines
    assert len(lines) == 4
    assert all(line.language == "ja" for line in lines)


def test_double_spaced_wraps_are_joined(tmp_path: Path) -> None:
    wrapped = [
        "The rain had been falling on the town since",
        "the early morning and nobody was about in",
        "the streets.",
    ]
    text = "\n\n".join(wrapped * 10) + "\n"
    assert read(text, tmp_path).sections[0].lines[0].text == " ".join(wrapped)


def test_japanese_wraps_are_joined_without_a_space(tmp_path: Path) -> None:
    text = (
        "雨が降っていたので、誰も外に出ようとは\nしなかったのである。\n\nそれから夜が明けて、\n道はまだ濡れていた。\n"
    )
    assert "出ようとはしなかった" in read(text, tmp_path).sections[0].lines[0].text


@pytest.mark.parametrize(
    ("text", "encoding", "language"),
    [
        ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。" * 5, "cp932", "ja"),
        ("我在年青时候也曾经做过许多梦，后来大半忘却了，但自己也并不以为可惜。" * 5, "gb18030", "zh"),
        ("Il était très tard, et la lampe brûlait déjà; personne n’y était allé." * 5, "cp1252", "fr"),
        ("Plain words in UTF-16, to be read by their mark.", "utf-16", "en"),
    ],
)
def test_encodings(text: str, encoding: str, language: str, tmp_path: Path) -> None:
    document = read(text.encode(encoding), tmp_path, language=language)
    assert "".join(line.text for s in document.sections for line in s.lines).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("これは日本語の文です。漢字もあります。", "ja"),
        ("这是中文的句子，没有假名。", "zh"),
        ("이것은 한국어 문장입니다.", "ko"),
        ("Plain English words.", "en"),
    ],
)
def test_the_letters_say_the_language_where_nothing_else_does(text: str, language: str, tmp_path: Path) -> None:
    document = read(text, tmp_path)
    assert document.language == language
    assert any("language" in notice.reason for notice in document.notices) == (language == "en")


def test_voices_in_brackets_and_literal_brackets(tmp_path: Path) -> None:
    text = "He knocked. [voice:Mara]Who is\nthere?\n\nSpeak![/voice] Nobody spoke [sic]. \\[voice:x\\] is a tag."
    lines = read(text, tmp_path).sections[0].lines
    assert [(line.characters, line.text) for line in lines] == [
        ((), "He knocked."),
        (("Mara",), "Who is there?"),
        (("Mara",), "Speak!"),
        ((), "Nobody spoke [sic]. [voice:x] is a tag."),
    ]


def test_what_cannot_be_said_is_reported_with_its_line(tmp_path: Path) -> None:
    document = read("Some words.\n\n“……”\n\nMore words.\n", tmp_path)
    assert [(r.place, "“……”" in r.reason) for r in document.rejected] == [("line 3", True)]


def test_a_key_survives_changes_around_its_line(tmp_path: Path) -> None:
    before = {line.text: line.key for section in read(TEXT, tmp_path).sections for line in section.lines}
    changed = TEXT.replace("Then the bell rang twice.", "A new line was put here.\n\nThen the bell rang twice.")
    after = {line.text: line.key for section in read(changed, tmp_path).sections for line in section.lines}
    assert {text: after[text] for text in before} == before
    assert len(set(after.values())) == len(after)


def test_equal_lines_have_different_keys(tmp_path: Path) -> None:
    lines = read("Nothing happened at all.\n\nNothing happened at all.\n", tmp_path).sections[0].lines
    assert lines[0].key != lines[1].key


def test_the_small_print_of_the_librarys_first_texts_is_taken_off(tmp_path: Path) -> None:
    text = (
        "Project Gutenberg Etext of A Lamp, by Ada Field\n\nPlease do not remove this.\n\n"
        "*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.12.12.00*END*\n\nThis etext was prepared by somebody.\n\n\n"
        "CHAPTER I\n\nIt was late, and the lamp in the hall had burnt for an hour.\n\n"
        "End of Project Gutenberg Etext of A Lamp, by Ada Field\n"
    )
    document = read(text, tmp_path)
    assert (document.title, document.author) == ("A Lamp", "Ada Field")
    assert texts(document) == [["CHAPTER I", "It was late, and the lamp in the hall had burnt for an hour."]]


def test_a_short_text_in_kana_is_japanese_in_its_own_encoding(tmp_path: Path) -> None:
    words = "すきとおった空に、ぼくは\nいった。\n"
    for encoding in ("cp932", "euc_jp"):
        document = read(words.encode(encoding), tmp_path)
        assert document.language == "ja"
        assert "".join(line.text for line in document.sections[0].lines) == "すきとおった空に、ぼくはいった。"
