"""The lexicon put to use, and its files."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from script_samples import draft_voices

from db.queries.lexicon import LexiconEntry
from db.records import JobOptions, PlannedLine
from scheduler.casting import cast
from scheduler.lexicon import Lexicon, Speaking, apply, covers, doubts, unusable
from scheduler.lexicon_files import LexiconNotExportable, read_lexicon, to_csv, to_pls
from scheduler.planning import make_plan
from scheduler.scripts.errors import HeaderMissing, ScriptError, ScriptUnreadable
from scheduler.scripts.model import ScriptDocument, ScriptLine, ScriptSection
from synthesis.text.errors import BadReading
from synthesis.text.markup import Run, split_pauses, split_readings

SQL = LexiconEntry("SQL", "sequel", language="en", status="reviewed")
CITY = LexiconEntry("重庆", "chóngqìng", "x-pinyin", "zh", status="reviewed")
KANJI = LexiconEntry("漢字", "かんじ", "x-kana", "ja", status="reviewed")


@pytest.mark.parametrize(
    ("spoken", "language", "expected"),
    [
        (
            "Ask SQL, not MySQL or SQLite; SQL's way.",
            "en",
            "Ask {SQL|sequel}, not MySQL or SQLite; {SQL|sequel}'s way.",
        ),
        ("SQL", "en-GB", "{SQL|sequel}"),
        ("sql", "en", "sql"),
        ("SQL", "de", "SQL"),
        ("他住在重庆市。", "zh-Hans", "他住在{重庆|chong2 qing4}市。"),
        ("彼は漢字を読む", "ja", "彼は{漢字|かんじ}を読む"),
        ("A {SQL|S Q L} and SQL.", "en", "A {SQL|S Q L} and {SQL|sequel}."),
        ("One [pause 500ms] SQL [break]", "en", "One [pause 500ms] {SQL|sequel} [break]"),
        ("In [SQL] itself", "en", "In [{SQL|sequel}] itself"),
        (r"Type \[pause SQL] or \{SQL|x}", "en", r"Type \[pause {SQL|sequel}] or \{{SQL|sequel}|x}"),
        ("", "en", ""),
    ],
)
def test_terms_become_inline_readings(spoken: str, language: str, expected: str) -> None:
    assert apply(spoken, language, [SQL, CITY, KANJI]) == expected


def test_latin_terms_in_chinese_are_whole_words_and_touch_characters() -> None:
    term = replace(SQL, language="zh")
    assert apply("用SQL写MySQL", "zh", [term]) == "用{SQL|sequel}写MySQL"


def test_accents_and_apostrophes_belong_to_words() -> None:
    entries = [LexiconEntry("cafe", "caffay"), LexiconEntry("naïve", "nigh eve")]
    assert apply("cafeé cafe\u0301 naïve", "en", entries) == "cafeé cafe\u0301 {naïve|nigh eve}"


def test_the_longest_term_wins_whatever_its_scope() -> None:
    entries = [
        LexiconEntry("New York", "noo york"),
        LexiconEntry("New", "noo", scope="voice", scope_key="v"),
        LexiconEntry("York", "yawk"),
    ]
    assert apply("New York, York", "en", entries) == "{New York|noo york}, {York|yawk}"


def test_the_narrowest_scope_wins() -> None:
    scopes = [("voice", "anna"), ("farm", ""), ("character", "FOX"), ("production", "fables")]
    entries = [replace(SQL, reading=scope, scope=scope, scope_key=key) for scope, key in scopes]  # type: ignore[arg-type]
    lexicon = Lexicon(entries)

    def said(**who: str) -> str:
        return lexicon.applied("SQL", "en", Speaking(**who))

    assert said() == "{SQL|farm}"
    assert said(production="other", character="Crow", voice="ben") == "{SQL|farm}"
    assert said(production="fables") == "{SQL|production}"
    assert said(production="fables", character="fox") == "{SQL|character}"
    assert said(production="fables", character="Fox", voice="anna") == "{SQL|voice}"


def test_a_character_of_one_production_comes_before_its_namesakes() -> None:
    everywhere = replace(SQL, reading="everywhere", scope="character", scope_key="Fox")
    here = replace(everywhere, reading="here", scope_key="fables/Fox")
    lexicon = Lexicon([here, everywhere])
    assert lexicon.applied("SQL", "en", Speaking("fables", "Fox")) == "{SQL|here}"
    assert lexicon.applied("SQL", "en", Speaking("other", "Fox")) == "{SQL|everywhere}"


def test_in_a_scope_the_entry_of_the_language_wins() -> None:
    entries = [replace(SQL, reading="british", language="en-GB"), replace(SQL, reading="any", language="")]
    assert apply("SQL", "en-GB", entries) == "{SQL|british}"
    assert apply("SQL", "fr", entries) == "{SQL|any}"
    assert covers("zh", "zh-Hans")
    assert not covers("zh", "zha")


def test_drafts_are_used_only_when_asked_for() -> None:
    draft = replace(SQL, status="draft")
    assert not Lexicon([draft])
    assert Lexicon([draft]).applied("SQL", "en") == "SQL"
    assert Lexicon([draft], drafts=True).applied("SQL", "en") == "{SQL|sequel}"


def test_doubts_are_duplicates_contradictions_and_what_no_engine_can_say() -> None:
    entries = [
        SQL,
        replace(SQL, language="", reading="S Q L"),
        replace(SQL, scope="production", scope_key="a"),
        CITY,
        replace(CITY, term="北京市"),
        replace(KANJI, language="fr", alphabet="ipa"),
        LexiconEntry("Sql", "x"),
        LexiconEntry("fine", "fyne"),
    ]
    found = [(doubt.term, doubt.reason.split(";")[0]) for doubt in doubts(entries)]
    assert found == [
        ("北京市", "'chóngqìng' cannot be used as x-pinyin for '北京市' in 'zh'"),
        ("漢字", "'かんじ' cannot be used as ipa for '漢字' in 'fr'"),
        ("SQL", "stands twice, for farm in en and farm in every language, with different readings"),
        ("SQL", "has the same reading for farm in en and production a in en"),
        ("SQL", "differs from 'Sql' in capitals alone"),
    ]


def test_an_entry_needs_the_key_of_its_scope() -> None:
    assert unusable(SQL) is None
    assert "needs its key" in str(unusable(replace(SQL, scope="voice")))
    assert "takes no key" in str(unusable(replace(SQL, scope_key="x")))


WORDS = st.text(st.sampled_from("abSQL漢重庆é' .{}|[]\\"), max_size=24)


@settings(max_examples=300, deadline=None)
@given(WORDS)
def test_what_is_put_in_is_read_as_readings_and_no_word_is_lost(spoken: str) -> None:
    entries = [SQL, replace(CITY, language=""), replace(SQL, term="ab", reading="a b"), replace(SQL, term="a")]
    said = apply(spoken, "en", entries)
    plain = "".join(run.text for part, _ in split_pauses(spoken) for run in _runs(part))
    assert "".join(run.text for part, _ in split_pauses(said) for run in _runs(part)) == plain


def _runs(text: str) -> list[Run]:
    try:
        return split_readings(text)
    except BadReading:
        return []


def test_a_big_lexicon_on_many_lines_takes_no_time() -> None:
    lexicon = Lexicon([replace(SQL, term=f"Term{number}x", reading="x") for number in range(20_000)])
    line = "Terms of Term17 and Term1234x stand in Term19999x, and nothing else does. "
    begin = time.perf_counter()
    for _ in range(3_000):
        said = lexicon.applied(line, "en")
    assert said.count("|x}") == 2
    assert time.perf_counter() - begin < 5


# --- in a plan ---


def planned(lines: list[ScriptLine], lexicon: Lexicon | None) -> list[PlannedLine]:
    document = ScriptDocument(
        "Fables", "", "en", "audiobook", "text", (ScriptSection("a", "chapter", "A", tuple(lines)),)
    )
    made = make_plan(
        document,
        cast(document, draft_voices(), narrator="draft-narrator"),
        slug="fables",
        source_name="fables.txt",
        source_sha256="0" * 64,
        profile="audiobook",
        options=JobOptions(),
        out_url="file:///tmp/out",
        lexicon=lexicon,
    )
    return [line for section in made.sections for line in section.lines]


def test_an_entry_changes_the_digests_of_the_lines_it_is_spoken_in() -> None:
    lines = [
        ScriptLine("1", "Ask SQL.", "en"),
        ScriptLine("2", "Ask the crow.", "en"),
        ScriptLine("3", "Ask SQL.", "en", spoken="Ask {SQL|sequel}."),
        ScriptLine("4", "Ask SQL.", "en", characters=("Fox",)),
    ]
    fox = replace(SQL, reading="S Q L", scope="character", scope_key="fox")
    before, after = planned(lines, None), planned(lines, Lexicon([SQL, fox]))
    assert [line.spoken for line in after] == [
        "Ask {SQL|sequel}.",
        "Ask the crow.",
        "Ask {SQL|sequel}.",
        "Ask {SQL|S Q L}.",
    ]
    assert [a.digest != b.digest for a, b in zip(after, before, strict=True)] == [True, False, False, True]
    assert [line.seed for line in after] == [line.seed for line in before]
    assert [line.text for line in after] == [line.text for line in lines]
    assert planned(lines, Lexicon([])) == before


def test_a_rate_is_a_number_for_engines_and_an_error_where_it_is_none() -> None:
    (line,) = planned([ScriptLine("1", "Slowly now.", "en", direction={"rate": "0.9", "emotion": "sad"})], None)
    assert line.direction == {"rate": 0.9, "emotion": "sad"}
    for stated in ("fast", "nan"):
        with pytest.raises(ScriptUnreadable, match="row 4: the rate"):
            planned([ScriptLine("1", "Slowly now.", "en", direction={"rate": stated}, place="row 4")], None)


# --- files ---

NOBODY = LexiconEntry("", "")


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_csv_holds_everything(tmp_path: Path) -> None:
    entries = (
        replace(SQL, scope="character", scope_key="a/Fox, the"),
        CITY,
        replace(KANJI, language="", status="draft"),
        LexiconEntry('say "hi"', "hello"),
    )
    loaded = read_lexicon(write(tmp_path / "a.csv", to_csv(entries)), NOBODY)
    assert loaded.entries == entries
    assert loaded.rejected == ()


def test_what_a_csv_leaves_out_comes_from_the_options(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "\ufeffReading,Term\r\nsequel,SQL\r\n\r\n")
    defaults = LexiconEntry("", "", "x-inline", "en", "production", "fables", "reviewed")
    assert read_lexicon(path, defaults).entries == (replace(defaults, term="SQL", reading="sequel"),)


def test_rows_that_cannot_be_used_are_rejected_with_their_line(tmp_path: Path) -> None:
    rows = [
        "term,reading,alphabet,language,scope,status",
        "SQL,sequel,,en,,",
        "SQL,squeal,,en,,",
        ",x,,,,",
        "a,x,klingon,,,",
        "a,x,,no such,,",
        "a,x,,,galaxy,",
        "a,x,,,,perhaps",
        "重庆,chong2,x-pinyin,zh,,",
        "a,x,,,voice,",
        "a,b,c,d,e,f,g",
        "SQL,sequel,,en,,",
    ]
    loaded = read_lexicon(write(tmp_path / "a.csv", "\n".join(rows)), NOBODY)
    assert [entry.term for entry in loaded.entries] == ["SQL"]
    assert [item.place for item in loaded.rejected] == [f"line {number}" for number in range(3, 12)]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("term,said\na,b\n", HeaderMissing),
        ("term,reading,term\n", HeaderMissing),
        ("\n\n", HeaderMissing),
        ('term,reading\n"a,b\n', ScriptUnreadable),
        ('term,reading\n"a"b,c\n', ScriptUnreadable),
        ("", ScriptUnreadable),
    ],
)
def test_a_file_that_is_no_lexicon_is_refused(text: str, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        read_lexicon(write(tmp_path / "a.csv", text), NOBODY)


def test_pls_goes_out_and_comes_back(tmp_path: Path) -> None:
    entries = [
        replace(SQL, term="A&B", reading="<and>"),
        replace(SQL, term="tomato", reading="təˈmɑːtəʊ", alphabet="ipa"),
    ]
    path = write(tmp_path / "a.pls", to_pls(entries))
    loaded = read_lexicon(path, LexiconEntry("", "", status="reviewed"))
    assert loaded.entries == tuple(entries)


def test_pls_words_that_no_engine_can_say_are_rejected(tmp_path: Path) -> None:
    text = (
        '<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="fr">'
        "<lexeme><grapheme>rouge</grapheme><phoneme>ʁuʒ</phoneme></lexeme>"
        '<lexeme><grapheme>vert</grapheme><phoneme alphabet="x-sampa">vER</phoneme></lexeme>'
        "<lexeme><grapheme>WWW</grapheme><alias>toile</alias></lexeme></lexicon>"
    )
    loaded = read_lexicon(write(tmp_path / "a.pls", text), NOBODY)
    assert loaded.entries == (LexiconEntry("WWW", "toile", language="fr"),)
    assert [item.place for item in loaded.rejected] == ["the word 'rouge'", "the word 'vert'"]


def test_pls_is_of_one_language_and_scope() -> None:
    with pytest.raises(LexiconNotExportable, match="en, zh"):
        to_pls([SQL, CITY])
    with pytest.raises(LexiconNotExportable, match="every language"):
        to_pls([replace(SQL, language="")])
    with pytest.raises(LexiconNotExportable, match="several scopes"):
        to_pls([SQL, replace(SQL, scope="voice", scope_key="a")])


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["csv", "pls"]), st.integers(0, 80))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, suffix: str, at: int
) -> None:
    whole = (to_csv([SQL, CITY]) if suffix == "csv" else to_pls([SQL])).encode()
    try:
        read_lexicon(write(tmp_path_factory.mktemp("lexicon") / f"a.{suffix}", whole[:at] + junk + whole[at:]), NOBODY)
    except ScriptError:
        pass
