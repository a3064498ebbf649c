from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.markup import brackets, ssml
from scheduler.markup.nodes import (
    SAY_AS_KINDS,
    Break,
    Emotion,
    Lang,
    Mark,
    Node,
    Paragraph,
    Phoneme,
    Prosody,
    Reaction,
    SayAs,
    Sentence,
    Sub,
    Text,
    Tree,
    Voice,
    misplaced,
    normal,
)
from scheduler.markup.readings import ALPHABETS
from scheduler.markup.render import to_brackets, to_ssml
from scheduler.scripts.errors import MarkupError, ScriptError

NS = f'xmlns:d="{ssml.NAMESPACE}"'


def from_ssml(body: str) -> Tree:
    return ssml.parse(f"<speak {NS}>{body}</speak>".encode(), "a.ssml")[0]


def from_brackets(text: str) -> Tree:
    return brackets.parse(text, "a.txt")


@pytest.mark.parametrize(
    ("bracketed", "tagged", "tree"),
    [
        ("Wait [pause 500ms] now.", 'Wait <break time="500ms"/> now.', (Text("Wait "), Break(500), Text(" now."))),
        ("[pause:1.5]", '<break time="1.5s"/>', (Break(1500),)),
        ("[pause 1.5s][break]", '<break time="1500ms"/><break/>', (Break(1500), Break(500))),
        ("[PAUSE 0ms]", '<break strength="none"/>', (Break(0),)),
        ("[voice:Mara]Hi.[/voice]", '<voice name="Mara">Hi.</voice>', (Voice("Mara", (Text("Hi."),)),)),
        (
            "[emotion:sad][rate:90%]Oh.[/rate][/emotion]",
            '<d:emotion name="sad"><prosody rate="90%">Oh.</prosody></d:emotion>',
            (Emotion("sad", (Prosody(Decimal("0.9"), (Text("Oh."),)),)),),
        ),
        ("[lang:ja]はい[/lang]", '<lang xml:lang="ja">はい</lang>', (Lang("ja", (Text("はい"),)),)),
        ("[reaction:laugh][mark:x]", '<d:reaction name="laugh"/><mark name="x"/>', (Reaction("laugh"), Mark("x"))),
        (
            "{漢字|かな}",
            '<phoneme alphabet="x-inline" ph="かな">漢字</phoneme>',
            (Phoneme("漢字", "かな", "x-inline"),),
        ),
        (
            "[phoneme:ipa:ˈa]a[/phoneme]",
            '<phoneme ph="ˈa">a</phoneme>',
            (Phoneme("a", "ˈa", "ipa"),),
        ),
        ("[sub:World Wide Web]WWW[/sub]", '<sub alias="World Wide Web">WWW</sub>', (Sub("WWW", "World Wide Web"),)),
        (
            "[say-as:characters]SQL[/say-as]",
            '<say-as interpret-as="characters">SQL</say-as>',
            (SayAs("SQL", "characters"),),
        ),
        (
            "[paragraph][sentence]A.[/sentence][/paragraph]",
            "<p><s>A.</s></p>",
            (Paragraph((Sentence((Text("A."),)),)),),
        ),
        (r"\[pause\] \{a|b\} \\", "[pause] {a|b} \\", (Text("[pause] {a|b} \\"),)),
        ("[sic] and [See: this]", "[sic] and [See: this]", (Text("[sic] and [See: this]"),)),
    ],
)
def test_both_spellings_mean_the_same(bracketed: str, tagged: str, tree: Tree) -> None:
    assert from_brackets(bracketed) == tree
    assert from_ssml(tagged) == tree


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("One.\n[whisper:x]", 2, "not markup that is understood"),
        ("One.\n\n[voice:A]two", 3, "never closed"),
        ("[/voice]", 1, "closes nothing"),
        ("[voice:A]\n[emotion:sad]x[/voice]", 2, r"close \[/emotion\] first"),
        ("[pause 11s]", 1, "longer than 10 s"),
        ("[pause lots]", 1, "no length"),
        ("[pause:]x [pause -1s]", 1, "no length"),
        ("x\n{|b}", 2, "fill both sides"),
        ("{a| }", 1, "fill both sides"),
        ("{a|b", 1, "not markup"),
        ("{a|b|c}", 1, "not markup"),
        ("[rate:200%]x[/rate]", 1, "80% to 125%"),
        ("[rate:0.9]x[/rate]", 1, "80% to 125%"),
        ("[prosody:90%]x", 1, "not markup"),
        ("[lang:klingonese tongue]x[/lang]", 1, "no language"),
        ("[voice: ]x[/voice]", 1, "write a name"),
        ("[reaction]", 1, "write a name"),
        ("[say-as:song]x[/say-as]", 1, "no kind"),
        ("[sub:a][voice:b]x[/voice][/sub]", 1, "takes words alone"),
        ("[sub:a][/sub]", 1, "around nothing"),
        ("[phoneme:ipa]x[/phoneme]", 1, "phoneme:alphabet:sounds"),
        ("[phoneme:x-sampa:a]x[/phoneme]", 1, "no alphabet"),
        ("[sentence][sentence]x[/sentence][/sentence]", 1, "inside a sentence"),
        ("[paragraph][paragraph]x[/paragraph][/paragraph]", 1, "inside a paragraph"),
        ("half a [voice:tag", 1, "not markup"),
        ("half a [pause 500ms", 1, "not markup"),
        ("[voice:a]" * 40, 1, "more than 32"),
    ],
)
def test_brackets_that_are_not_understood_name_their_line(text: str, line: int, says: str) -> None:
    with pytest.raises(MarkupError, match=says) as caught:
        from_brackets(text)
    assert (caught.value.file, caught.value.place) == ("a.txt", f"line {line}")


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("<p>One.</p>\n<emphasis>two</emphasis>", 2, "<emphasis> is not read"),
        ('\n\n<audio src="x.wav"/>', 3, "<audio> is not read"),
        ("<emotion name='sad'>x</emotion>", 1, "<emotion> is not read"),
        ('<p><prosody pitch="high">x</prosody></p>', 1, "pitch is not understood"),
        ("<prosody>x</prosody>", 1, "needs rate"),
        ('<prosody rate="fast">x</prosody>', 1, "80% to 125%"),
        ('<prosody rate="130%">x</prosody>', 1, "80% to 125%"),
        ('<break time="11s"/>', 1, "longer than 10 s"),
        ('<break time="2"/>', 1, "no length"),
        ('<break strength="huge"/>', 1, "no strength"),
        ("<break>x</break>", 1, "holds words"),
        ("<voice>x</voice>", 1, "needs name"),
        ("<lang>x</lang>", 1, "needs xml:lang"),
        ('<p xml:lang="!">x</p>', 1, "no language"),
        ("<sub>x</sub>", 1, "needs alias"),
        ('<sub alias="a"><break/></sub>', 1, "takes words alone"),
        ('<sub alias="a"/>', 1, "around nothing"),
        ('<say-as interpret-as="song">x</say-as>', 1, "no kind"),
        ('<phoneme ph="">x</phoneme>', 1, "ph is empty"),
        ('<phoneme alphabet="x-sampa" ph="a">x</phoneme>', 1, "no alphabet"),
        ("<p><p>x</p></p>", 1, "inside a paragraph"),
        ("<s><p>x</p></s>", 1, "inside a paragraph or a sentence"),
        ("<speak>x</speak>", 1, "inside <speak>"),
        ('<html:p xmlns:html="http://www.w3.org/1999/xhtml">x</html:p>', 1, "is not read"),
        ('<voice name="a">' * 40 + "x" + "</voice>" * 40, 1, "more than 32"),
    ],
)
def test_ssml_outside_the_subset_names_its_line(body: str, line: int, says: str) -> None:
    with pytest.raises(MarkupError, match=says) as caught:
        from_ssml(body)
    assert (caught.value.file, caught.value.place) == ("a.ssml", f"line {line}")


@pytest.mark.parametrize(
    "data",
    [
        b"<speak>",
        b"",
        b"<speak>a</speak",
        b"<html/>",
        b'<!DOCTYPE speak [<!ENTITY a "b">]><speak>&a;</speak>',
        b"<speak>&unheard;</speak>",
        b"<speak>" + b"<p>" * 3000,
        b"\xff\xfe<\0s\0",
        b"PK\x03\x04",
    ],
)
def test_what_is_no_ssml_is_refused(data: bytes) -> None:
    with pytest.raises(ScriptError):
        ssml.parse(data, "a.ssml")


def test_the_language_of_a_document_and_of_its_paragraphs() -> None:
    tree, language = ssml.parse(b'<speak xml:lang="en_gb"><p xml:lang="fr">Oui.</p></speak>', "a")
    assert language == "en-GB"
    assert tree == (Paragraph((Lang("fr", (Text("Oui."),)),)),)


def test_comments_and_instructions_are_left_out_and_texts_joined() -> None:
    assert from_ssml("one <!-- two --> <?three?>four") == (Text("one  four"),)


def test_a_container_goes_on_from_run_to_run() -> None:
    parser = brackets.BracketParser("a.txt")
    assert parser.run("A [voice:M]b", 1) == (Text("A "), Voice("M", (Text("b"),)))
    assert parser.is_open
    assert parser.run("c[/voice] d", 3) == (Voice("M", (Text("c"),)), Text(" d"))
    parser.finish()


def test_markup_is_looked_for_inside_ordinary_brackets() -> None:
    assert from_brackets("[Note: {a|b}]") == (Text("[Note: "), Phoneme("a", "b", "x-inline"), Text("]"))
    assert brackets.is_markup("[Note: this]") is None
    assert brackets.is_markup(r"\[pause]") is None
    assert brackets.is_markup("a {b|c}") == "{b|c}"


CHARS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"])
ANY = st.text(st.one_of(st.sampled_from("[]{}|\\/:<>&\"' \nab漢"), CHARS), min_size=1, max_size=12)
WORDS = ANY.filter(lambda text: bool(text.strip()))
NAMES = WORDS.map(lambda text: " ".join(text.split()))
TAGS = st.sampled_from(["ja", "en-GB", "zh-Hant", "fr"])
LEAVES: st.SearchStrategy[Node] = st.one_of(
    ANY.map(Text),
    st.integers(0, 10_000).map(Break),
    st.builds(Phoneme, WORDS, NAMES, st.sampled_from(ALPHABETS)),
    st.builds(Sub, WORDS, NAMES),
    st.builds(SayAs, WORDS, st.sampled_from(SAY_AS_KINDS)),
    NAMES.map(Reaction),
    NAMES.map(Mark),
)
RATES = st.decimals("0.8", "1.25", places=3)


def containers(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    children = st.lists(inner, max_size=4).map(normal)
    return st.one_of(
        st.builds(Lang, TAGS, children),
        st.builds(Prosody, RATES, children),
        st.builds(Voice, NAMES, children),
        st.builds(Emotion, NAMES, children),
        st.builds(Paragraph, children),
        st.builds(Sentence, children),
    )


def well_placed(nodes: Tree, around: tuple[Node, ...] = ()) -> bool:
    return all(
        not hasattr(node, "children")
        or (misplaced(node, around) is None and well_placed(node.children, (*around, node)))  # type: ignore[arg-type]
        for node in nodes
    )


TREES = st.lists(st.recursive(LEAVES, containers, max_leaves=12), max_size=5).map(normal).filter(well_placed)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_a_tree_survives_either_spelling(tree: Tree) -> None:
    assert from_brackets(to_brackets(tree)) == tree
    assert ssml.parse(to_ssml(tree, "en").encode(), "a")[0] == tree


SCRAPS = ["[voice:a]", "[/voice]", "[pause 1s]", "{", "|", "}", "[", "]", "\\", "[/", ":", "[sub:x]", "[/sub]", "\n"]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(SCRAPS), st.text(max_size=5)), max_size=20).map("".join))
def test_any_text_is_a_tree_or_an_error(text: str) -> None:
    try:
        tree = from_brackets(text)
    except MarkupError:
        return
    assert from_brackets(to_brackets(tree)) == tree


@settings(max_examples=200, deadline=None)
@given(TREES, st.integers(0, 400), st.binary(max_size=3))
def test_damaged_ssml_is_read_or_refused(tree: Tree, at: int, junk: bytes) -> None:
    data = to_ssml(tree).encode()
    try:
        ssml.parse(data[:at] + junk + data[at + len(junk) :], "a")
    except ScriptError:
        pass
