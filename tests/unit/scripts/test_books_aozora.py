from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.aozora import AozoraReader
from scheduler.scripts.errors import MarkupError, ScriptEmpty, ScriptError, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.registry import read_script
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.text import TextReader

RULE = "-" * 55
LEGEND = f"""{RULE}
【テキスト中に現れる記号について】

《》：ルビ
（例）灯《あか》り

｜：ルビの付く文字列の始まりを特定する記号
（例）一番｜獰悪《どうあく》な

［＃］：入力者注　主に外字の説明や、傍点の位置の指定
（例）［＃８字下げ］一［＃「一」は中見出し］
{RULE}
"""
COLOPHON = """
底本：「灯り全集　第一巻」どこか文庫
　　　1987（昭和62）年9月29日第1刷発行
底本の親本：「灯り」だれか書房
入力：だれか
2020年1月1日作成
"""


def work(body: str, *, head: str = "灯り\n野原ゆう\n\n" + LEGEND) -> str:
    return f"{head}\n{body}\n{COLOPHON}"


def read(text: str | bytes, tmp_path: Path, **options: object) -> ScriptDocument:
    path = tmp_path / "akari.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("cp932"))
    return AozoraReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def lines(document: ScriptDocument) -> list[list[tuple[str, str]]]:
    return [[(line.text, line.said) for line in section.lines] for section in document.sections]


def only(body: str, tmp_path: Path) -> tuple[str, str]:
    [[line]] = lines(read(work(body), tmp_path))
    return line


def test_title_author_legend_and_colophon_are_not_read_aloud(tmp_path: Path) -> None:
    document = read(work("　灯りがついた。"), tmp_path)
    assert (document.title, document.author, document.language, document.kind) == (
        "灯り",
        "野原ゆう",
        "ja",
        "audiobook",
    )
    assert lines(document) == [[("灯りがついた。", "灯りがついた。")]]
    assert document.language_stated
    assert [(notice.place, notice.reason) for notice in document.notices] == [
        ("", "read as cp932"),
        ("line 19", "the colophon is left out"),
    ]


def test_without_a_legend_the_first_lines_up_to_an_empty_one_are_the_title_page(tmp_path: Path) -> None:
    text = work("　一番｜獰悪《どうあく》だ。［＃地付き］（了）", head="灯り\n―ある夜―\n野原ゆう\n森みな訳\n")
    document = read(text, tmp_path)
    assert (document.title, document.author) == ("灯り", "野原ゆう")
    assert lines(document) == [[("一番獰悪だ。（了）", "一番どうあくだ。（了）")]]


@pytest.mark.parametrize(
    ("body", "text", "said"),
    [
        ("古い灯《あか》りだ", "古い灯りだ", "古いあかりだ"),
        ("その東京《とうきょう》駅だ", "その東京駅だ", "そのとうきょう駅だ"),
        ("人々《ひとびと》と五ヶ所《ごかしょ》", "人々と五ヶ所", "ひとびととごかしょ"),
        ("青い｜お日さま《おひさま》だ", "青いお日さまだ", "青いおひさまだ"),
        ("そこでランプ《らんぷ》だ", "そこでランプだ", "そこでらんぷだ"),
        ("ただLAMP《ランプ》だ", "ただLAMPだ", "ただランプだ"),
        ("灯り《lamp》だ", "灯りだ", "灯りだ"),
        ("灯り《・・》だ", "灯りだ", "灯りだ"),
        ("《灯り》を読んだ", "《灯り》を読んだ", "《灯り》を読んだ"),
        ("灯り［＃「灯り」に「あかり」のルビ］だ", "灯りだ", "あかりだ"),
        ("灯り［＃「灯り」に「ママ」の注記］だ", "灯りだ", "灯りだ"),
        ("灯り［＃「灯り」に傍点］だ［＃「だ」は小書き］", "灯りだ", "灯りだ"),
        ("灯※［＃「てへん＋劣」、第3水準1-84-77］《とりよ》だ", "灯挘だ", "とりよだ"),
        ("※［＃「口＋世」、U+546D、123-4］という", "呭という", "呭という"),
        ("※［＃「一＋ノ」、第4水準2-1-1］という", "\U00020089という", "\U00020089という"),
        ("※［＃始め二重山括弧、1-1-52］灯り※［＃終わり二重山括弧、1-1-53］の", "《灯り》の", "《灯り》の"),
        ("※［＃ローマ数字2、1-13-22］の", "Ⅱの", "Ⅱの"),
        ("灯［＃「※［＃「口＋世」、U+546D、1-2］」は底本では「口」］だ", "灯だ", "灯だ"),
        ("〔fe^te de l'e'te'〕の歌", "fête de l'étéの歌", "fête de l'étéの歌"),
        ("〔1900〕年", "〔1900〕年", "〔1900〕年"),
        ("いろ／＼ある", "いろ／＼ある", "いろいろある"),
        ("ところ／″＼にある", "ところ／″＼にある", "ところどころにある"),
        ("その国《くに》／″＼で", "その国／″＼で", "そのくにぐにで"),
        ("行き／＼て", "行き／＼て", "行き行きて"),
        ("朝［＃割り注］早朝［＃割り注終わり］だ", "朝早朝だ", "朝早朝だ"),
    ],
)
def test_what_is_written_and_what_is_said(body: str, text: str, said: str, tmp_path: Path) -> None:
    assert only(body, tmp_path) == (text, said)


def test_headings_of_all_three_forms_make_sections_at_the_two_highest_levels(tmp_path: Path) -> None:
    body = (
        "［＃３字下げ］第一部《だいいちぶ》［＃「第一部」は大見出し］\n\n"
        "［＃５字下げ］［＃中見出し］一［＃中見出し終わり］\n　夜だった。\n"
        "［＃ここから小見出し］\n小さな話\n［＃ここで小見出し終わり］\n　朝だった。\n"
        "［＃改ページ］\n［＃５字下げ］二［＃「二」は中見出し］\n　昼だった。\n"
    )
    document = read(work(body), tmp_path)
    assert [section.title for section in document.sections] == ["一", "二"]
    assert lines(document) == [
        [("第一部", "だいいちぶ"), ("一", "一"), ("夜だった。",) * 2, ("小さな話",) * 2, ("朝だった。",) * 2],
        [("二", "二"), ("昼だった。", "昼だった。")],
    ]
    assert [line.boundary for line in document.sections[0].lines] == ["heading"] * 4 + ["section"]


def test_a_heading_in_the_first_line_of_its_paragraph(tmp_path: Path) -> None:
    document = read(work("夜のこと［＃「夜のこと」は同行中見出し］　その夜だった。"), tmp_path)
    assert [section.title for section in document.sections] == ["夜のこと"]
    assert lines(document) == [[("夜のこと", "夜のこと"), ("その夜だった。", "その夜だった。")]]


def test_where_no_heading_is_marked_indented_numerals_and_titles_are_headings(tmp_path: Path) -> None:
    body = "［＃７字下げ］一\n　夜だった。\n［＃７字下げ］二\n　朝だった。\n　第三章\n　昼だった。\n　一\n"
    document = read(work(body), tmp_path)
    assert [section.title for section in document.sections] == ["一", "二", "第三章"]
    assert lines(document)[2] == [("第三章", "第三章"), ("昼だった。", "昼だった。"), ("一", "一")]


def test_a_page_break_is_a_change_of_scene(tmp_path: Path) -> None:
    document = read(work("　夜だった。\n［＃改ページ］\n　朝だった。\n　昼だった。"), tmp_path)
    assert [line.boundary for line in document.sections[0].lines] == ["scene", "paragraph", "section"]
    assert [line.place for line in document.sections[0].lines] == ["line 17", "line 19", "line 20"]


def test_a_character_without_a_number_is_reported_and_with_a_reading_is_read(tmp_path: Path) -> None:
    document = read(
        work("　この※［＃「さんずい＋灯」、12-3］だ。\n　※［＃「火＋灯」、ページ数-行数］《ともしび》だ。"), tmp_path
    )
    assert lines(document) == [[("このだ。", "このだ。"), ("〓だ。", "ともしびだ。")]]
    assert [(one.place, one.reason) for one in document.rejected] == [
        ("line 17", "the character 「さんずい＋灯」、12-3 has no number; write it as U+XXXX")
    ]
    assert ("line 18", "〓 stands for 「火＋灯」、ページ数-行数; its reading is spoken") in [
        (one.place, one.reason) for one in document.notices
    ]


def test_pictures_are_noticed_and_the_text_ends_where_a_note_says(tmp_path: Path) -> None:
    document = read(
        work("　夜だった。\n［＃挿絵（fig1.png、横320×縦240）入る］\n［＃本文終わり］\n　あとがき。"), tmp_path
    )
    assert lines(document) == [[("夜だった。", "夜だった。")]]
    assert ("line 18", "a picture is left out") in [(one.place, one.reason) for one in document.notices]


@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "utf-8-sig", "utf-16", "euc_jp"])
def test_every_usual_encoding_is_recognised_and_read(encoding: str, tmp_path: Path) -> None:
    text = work("　古い灯《あか》りだ。")
    assert AozoraReader().sniff(text.encode(encoding)[:4096])
    assert lines(read(text.encode(encoding), tmp_path, **({"encoding": encoding} if encoding == "euc_jp" else {}))) == [
        [("古い灯りだ。", "古いあかりだ。")]
    ]


@pytest.mark.parametrize(
    "text",
    ["It was late.\n", "夜だった。《灯り》を読んだ。", "［＃書きかけ］ まだ。", "灯り《あかり》だ。", "", "\0\0\0"],
)
def test_other_text_is_left_to_the_reader_of_plain_text(text: str) -> None:
    assert not AozoraReader().sniff(text.encode("cp932"))
    assert not AozoraReader().sniff(text.encode("utf-8"))


def test_notes_and_ruby_without_a_legend_are_recognised_where_the_head_is_cut() -> None:
    text = "灯り\n野原ゆう\n\n　灯《あか》り［＃「灯り」に傍点］だ。" + "あ" * 5000
    assert AozoraReader().sniff(text.encode("cp932")[:4095])
    assert AozoraReader().sniff(text.encode("utf-8")[:4095])


def test_a_note_that_is_not_closed_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(MarkupError, match="line 18: ［＃ is not closed"):
        read(work("　夜だった。\n　灯り［＃「灯り」に傍点だ。"), tmp_path)


def test_a_legend_without_an_end_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable, match="line 5: the legend of marks does not end"):
        read(work("　夜だった。").replace(f"{RULE}\n\n　夜", "\n　夜"), tmp_path)


def test_a_text_of_nothing_but_its_frame_is_empty(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty):
        read(work(""), tmp_path)


SAMPLE = work("　古い灯《あか》り｜灯り《あかり》［＃「灯り」に傍点］※［＃「口＋世」、U+546D、1-2］いろ／＼〔e'te'〕")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_bytes_are_nothing_but_script_errors_comes(data: st.DataObject, tmp_path: Path) -> None:
    raw = bytearray(SAMPLE.encode("cp932"))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        document = read(bytes(raw[: data.draw(st.integers(1, len(raw)))]), tmp_path)
    except ScriptError:
        return
    assert document.line_count


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.text(
        alphabet="あ灯ア一a。《》｜［］＃※「」は大中見出し終わりU+12-、／＼″〔〕'\n　", min_size=1, max_size=60
    )
)
def test_no_mark_is_ever_spoken(body: str, tmp_path: Path) -> None:
    try:
        document = read("灯り\n野原\n\n" + body, tmp_path)
    except ScriptError:
        return
    assert "［＃" not in "".join(line.said for section in document.sections for line in section.lines)


def test_lines_of_plain_text_are_paragraphs_where_all_but_the_titles_end_as_sentences_do(tmp_path: Path) -> None:
    path = tmp_path / "rain.txt"
    path.write_text(
        "第一回　灯り\n　夜だった。\n　灯りがついた。\n第二回　朝\n　朝だった。\n　雨だった。\n", encoding="utf-8"
    )
    document = TextReader().read(ScriptSource.open(path), ReadOptions())
    assert [section.title for section in document.sections] == ["第一回 灯り", "第二回 朝"]
    assert lines(document)[0] == [("第一回 灯り",) * 2, ("夜だった。",) * 2, ("灯りがついた。",) * 2]


def test_a_work_without_readings_is_known_by_its_colophon(tmp_path: Path) -> None:
    path = tmp_path / "work.txt"
    end = COLOPHON + "青空文庫作成ファイル：\nこのファイルは、だれかが作りました。\n"
    path.write_text(
        f"灯り\n野原ゆう\n\n　灯りがついた。だれも頼まなかったのに、その灯りはついた。\n{end}", encoding="cp932"
    )
    document = read_script(path)
    assert (document.format, document.title, document.author) == ("aozora", "灯り", "野原ゆう")
    spoken = "".join(line.text for section in document.sections for line in section.lines)
    assert spoken == "灯りがついた。だれも頼まなかったのに、その灯りはついた。"
