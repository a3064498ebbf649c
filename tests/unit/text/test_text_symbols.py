from __future__ import annotations

import pickle

import pytest

from synthesis.errors import EngineError, SynthesisError, TextError
from synthesis.text import errors
from synthesis.text.symbols import SymbolTable

ERRORS = [
    errors.UnreadableText("你好☃", "☃"),
    errors.UnreadableText("", ""),
    errors.UnknownSymbol("xx", "v1"),
    errors.LanguageUnknown("fr", ("zh", "en")),
    errors.BadReading("重庆", "chong2", "write two syllables"),
    errors.BadPause("[pause soon]", "write a length"),
    errors.TextMethodUnknown("cut9", ("cut0",)),
    errors.LanguageDataMissing("zh", "jieba"),
]


@pytest.mark.parametrize(("version", "size"), [("v1", 322), ("v2", 732)])
def test_the_tables_have_their_known_sizes_and_landmarks(version: str, size: int) -> None:
    table = SymbolTable("v1" if version == "v1" else "v2")
    assert len(table) == len(set(table.symbols)) == size
    assert table.ids(["!", ",", "AA", "AH0", "SP", "UNK", "_", "…"]) == (0, 1, 5, 12, 77, 86, 95, 321)


def test_v2_begins_with_v1_and_goes_on_with_pitch_korean_and_cantonese() -> None:
    first, second = SymbolTable("v1"), SymbolTable("v2")
    assert second.symbols[:322] == first.symbols
    assert second.ids(["[", "]", "ㄱ", "Ya"]) == (322, 323, 324, 353)


def test_symbols_outside_the_table_are_errors_or_unk() -> None:
    table = SymbolTable("v1")
    with pytest.raises(errors.UnknownSymbol) as caught:
        table.ids(["a1", "Yaa"])
    assert (caught.value.symbol, caught.value.version) == ("Yaa", "v1")
    assert table.known(["a1", "Yaa"]) == ("a1", "UNK")


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling_say_one_line_and_belong_to_the_tree(error: SynthesisError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (back.args, vars(back), str(back)) == (error.args, vars(error), str(error))
    assert "\n" not in str(error)
    assert isinstance(error, TextError | EngineError)


def test_every_error_is_tried_and_drawn_in_the_tree() -> None:
    classes = {
        value for value in vars(errors).values() if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert {type(error) for error in ERRORS} == classes
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in classes)


def test_a_long_text_is_shortened_and_many_characters_are_counted() -> None:
    message = str(errors.UnreadableText("☃" * 500, "☃☀☁☂★☆☄☇☈☉"))
    assert "and 2 more" in message
    assert len(message) < 300
