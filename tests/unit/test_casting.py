from __future__ import annotations

from collections.abc import Sequence

import pytest
from script_samples import draft_voices, voice

from scheduler.casting import Casting, Role, cast, roles_of, speaks
from scheduler.errors import CharacterUnknown, ConsentMissing, NobodySpeaks, VoiceUnknown
from scheduler.scripts.model import ScriptDocument, ScriptLine, ScriptSection


def document(*lines: tuple[str, str] | ScriptLine) -> ScriptDocument:
    """A script of (character, language) lines."""
    made = tuple(
        line
        if isinstance(line, ScriptLine)
        else ScriptLine(f"k{n}", f"Words number {n}.", line[1], characters=(line[0],) if line[0] else ())
        for n, line in enumerate(lines)
    )
    return ScriptDocument("T", "", "en", "dialogue", "csv", (ScriptSection("s", "scene", "S", made),))


def chosen(casting: Casting) -> dict[str, str]:
    return {character: voice.name for (character, _), voice in casting.voices.items()}


def test_roles_are_counted_over_all_spellings_in_order_of_appearance() -> None:
    script = document(("Mara", "fr"), ("", "en"), ("MARA", "en"), ("Tom", "en"), (" mara ", "fr"), ("Mara", "de"))
    assert roles_of(script) == (
        Role("Mara", ("fr", "en", "de"), 4),
        Role("narrator", ("en",), 1),
        Role("Tom", ("en",), 1),
    )


def test_characters_get_distinct_voices_in_order_of_appearance() -> None:
    script = document(("", "en"), ("Mara", "en"), ("Tom", "en"), ("MARA", "en"), ("Ann", "en"))
    casting = cast(script, draft_voices(), narrator="draft-narrator")
    assert chosen(casting) == {"narrator": "draft-narrator", "mara": "draft-1", "tom": "draft-2", "ann": "draft-3"}
    assert casting.assigned == ("Mara", "Tom", "Ann")
    assert casting.shared == ()
    assert casting.name_of(script.sections[0].lines[3]) == "Mara"


def test_more_characters_than_voices_share_and_it_is_said() -> None:
    script = document(*[(f"C{n}", "en") for n in range(5)])
    casting = cast(script, draft_voices(3), narrator="draft-narrator")
    assert list(chosen(casting).values()) == ["draft-1", "draft-2", "draft-3", "draft-1", "draft-2"]
    assert casting.shared == ("C3", "C4")


def test_without_other_voices_everybody_has_the_narrators() -> None:
    casting = cast(document(("Mara", "en")), [voice("draft-narrator")], narrator="draft-narrator")
    assert chosen(casting) == {"mara": "draft-narrator"}
    assert casting.shared == ("Mara",)


def test_ten_comes_after_two_and_other_engines_are_not_in_the_pool() -> None:
    voices = [*draft_voices(0), voice("v-10"), voice("v-2"), voice("a", engine="other"), voice("b", live=False)]
    casting = cast(document(("A", "en"), ("B", "en")), voices, narrator="draft-narrator")
    assert list(chosen(casting).values()) == ["v-2", "v-10"]


def test_overrides_stand_over_everything_and_leave_their_voice_to_one() -> None:
    script = document(("", "en"), ("Mara", "en"), ("Tom", "en"), ("Tom", "fr"), ("", "la"))
    overrides = {"TOM": "draft-1", "tom:fr": "draft-7@1", "narrator:la": "draft-8"}
    casting = cast(script, draft_voices(), narrator="draft-narrator", overrides=overrides)
    assert {key: voice.name for key, voice in casting.voices.items()} == {
        ("narrator", "en"): "draft-narrator",
        ("narrator", "la"): "draft-8",
        ("mara", "en"): "draft-2",
        ("tom", "en"): "draft-1",
        ("tom", "fr"): "draft-7",
    }
    assert casting.assigned == ("Mara",)


def test_a_voice_is_chosen_that_speaks_what_the_character_speaks() -> None:
    voices = [voice("n"), voice("en-1", "en"), voice("fr-1", "en", "fr-FR")]
    casting = cast(document(("A", "fr"), ("B", "en")), voices, narrator="n")
    assert list(chosen(casting).values()) == ["fr-1", "en-1"]


@pytest.mark.parametrize(
    ("languages", "wanted", "answer"),
    [
        (("*",), "ja", True),
        (("en",), "en-GB", True),
        (("en-US",), "en-GB", True),
        (("EN",), "en", True),
        (("en", "zh"), "ja", False),
        (("fil",), "fi", False),
    ],
)
def test_speaks(languages: Sequence[str], wanted: str, answer: bool) -> None:
    assert speaks(voice("v", *languages), wanted) is answer


def test_errors_name_the_character_the_language_and_who_could() -> None:
    voices = [voice("n", "en"), voice("m", "en"), voice("taro", "ja"), voice("gone", "ja", live=False)]
    with pytest.raises(NobodySpeaks, match=r"'Mara'.*'ja'.*: taro$"):
        cast(document(("Mara", "ja")), voices, narrator="n", overrides={"Mara": "m"})
    with pytest.raises(NobodySpeaks, match=r"'narrator'.*no stored voice speaks"):
        cast(document(("", "ko")), voices, narrator="n")
    with pytest.raises(VoiceUnknown, match=r"'nobody'.*gone, m, n, taro"):
        cast(document(("", "en")), voices, narrator="nobody")
    with pytest.raises(CharacterUnknown, match=r"'Marra'.*Mara"):
        cast(document(("Mara", "en")), voices, narrator="n", overrides={"Marra": "m"})
    with pytest.raises(ConsentMissing, match=r"'gone'.*'Mara'"):
        cast(document(("Mara", "ja")), voices, narrator="n", overrides={"Mara": "gone"})


def test_only_speech_is_cast_and_the_first_of_several_speaks() -> None:
    script = document(
        ScriptLine("a", "together", "en", characters=("Mara", "Tom")),
        ScriptLine("b", "laughs", "en", kind="reaction", characters=("Ann",)),
    )
    assert [role.name for role in roles_of(script)] == ["Mara"]
