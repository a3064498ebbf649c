"""Each rule of DAPT is reported by name and line, and what is allowed is not reported."""

import pytest

from scheduler.scripts.dapt import tree
from scheduler.scripts.dapt.findings import MAX_FINDINGS, errors
from scheduler.scripts.dapt.names import descriptor_fault, is_identifier, is_language
from scheduler.scripts.dapt.validate import validate
from scheduler.scripts.errors import ScriptTooLarge

PROFILE = 'ttp:contentProfiles="http://www.w3.org/ns/ttml/profile/dapt1.0/content"'
ROOT = (
    f'{PROFILE} xml:lang="fr" daptm:scriptType="preRecording" daptm:scriptRepresents="audio" daptm:represents="audio"'
)
AGENTS = """<ttm:agent type="person" xml:id="p"><ttm:name type="full">Ida Blom</ttm:name></ttm:agent>
<ttm:agent type="character" xml:id="c"><ttm:name type="alias">IDA</ttm:name><ttm:actor agent="p"/></ttm:agent>"""


def dapt(body="", *, root=ROOT, head="", encoding="UTF-8"):
    inside = f"<head>{head}</head>" if head else ""
    inside += f"\n<body>\n{body}\n</body>" if body else ""
    return f"""<?xml version="1.0" encoding="{encoding}"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"
 xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xmlns:tts="http://www.w3.org/ns/ttml#styling"
 xmlns:tta="http://www.w3.org/ns/ttml#audio" xmlns:daptm="http://www.w3.org/ns/ttml/profile/dapt#metadata"
 xmlns:ebuttm="urn:ebu:tt:metadata" xmlns:v="urn:vendor" {root}>
{inside}
</tt>
""".encode()


BODY_LINE = 7
"""Where the tag of the body stands."""


def event(inside="", attributes="", identity="e1"):
    return f'<div xml:id="{identity}" {attributes}>{inside}</div>'


def head(inside):
    return f"<metadata>{inside}</metadata>"


def rooted(old, new):
    assert old in ROOT
    return ROOT.replace(old, new)


VALID = {
    "nothing but the root": dapt(),
    "no represents and no event": dapt(root=rooted(' daptm:represents="audio"', "")),
    "another profile beside": dapt(root=rooted('1.0/content"', '1.0/content http://example.org/p"')),
    "combined profiles": dapt(
        root=rooted('="http://www.w3.org', '="all( http://www.w3.org').replace('content"', 'content )"')
    ),
    "agents": dapt(event("", 'ttm:agent="c c"'), head=head(AGENTS)),
    "clock, offsets, ticks and frames": dapt(
        event("", 'begin="00:00:01.5" end="100:00:00"')
        + event("", 'begin="1.5h" end="90.25m"', "e2")
        + event("", 'begin="1500ms" dur="2f"', "e3")
        + event("", 'begin="1t"', "e4"),
        root=f'{ROOT} ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001" ttp:tickRate="90000" ttp:timeBase="media"',
    ),
    "private sub-type": dapt(event("", 'daptm:represents="audio.dialogue.x-phone"')),
    "registry sub-type": dapt(event("", 'daptm:represents="audio.nonDialogueSounds"')),
    "descriptions": dapt(
        event(
            '<ttm:desc>a</ttm:desc><ttm:desc daptm:descType="scene">1</ttm:desc>'
            '<ttm:desc daptm:descType="x-y">1</ttm:desc>'
        )
    ),
    "off screen": dapt(event("", 'daptm:onScreen="OFF_ON"')),
    "foreign vocabulary anywhere": dapt(
        '<v:note xml:id="n">text</v:note>' + event("<v:x><p>not judged</p></v:x><p>a<v:y/></p>", 'v:a="1"')
    ),
    "anything in metadata": dapt(event('<metadata v:a="1"><v:x>1</v:x><p/></metadata>')),
    "styles and regions": dapt(
        event('<p region="r" style="s" tts:color="red">a</p>'),
        head='<styling><style xml:id="s" tts:color="red"/></styling><layout><region xml:id="r"/></layout>',
    ),
    "ruby, breaks, inner times": dapt(
        event('<p><span begin="0s">a</span><br/><span tts:ruby="container"><span tts:ruby="base">漢</span></span></p>')
    ),
    "nested groups": dapt(f'<div begin="1s"><div xml:id="g">{event()}</div></div>'),
    "recordings": dapt(
        event(
            '<p>a<audio src="a.wav" type="audio/wave" clipBegin="1s" clipEnd="2s"/></p>'
            '<p>b<audio><source src="#d"/><source src="b.mp3" type="audio/mpeg"/></audio></p>'
            '<p>c<audio src="#a"/></p>'
            '<p>d<audio><source><data type="audio/wave" encoding="base64">QUJD</data></source></audio></p>'
        ),
        root=rooted("preRecording", "asRecorded"),
        head='<resources><data type="audio/wave" xml:id="d"><chunk>QQ==</chunk></data>'
        '<audio type="audio/wave" xml:id="a"><source><data>QQ==</data></source></audio></resources>',
    ),
    "mixing": dapt(
        event(
            '<p><animate begin="0s" end="1s" tta:gain="1;0.4" fill="freeze"/>'
            '<span tta:speak="fast" tta:pitch="1">a</span></p>'
        )
    ),
    "timecodes": dapt(
        root=f'{ROOT} ttp:frameRate="25"',
        head=head(
            "<daptm:daptOriginTimecode>10:00:00:24</daptm:daptOriginTimecode>"
            "<ebuttm:documentStartOfProgramme>10:00:00:00</ebuttm:documentStartOfProgramme>"
        ),
    ),
    "predefined and numeric references": dapt(event("<p>&lt;&amp;&gt;&quot;&apos;&#233;</p>")),
    "no XML declaration": dapt().split(b"\n", 1)[1],
}


@pytest.mark.parametrize("name", VALID)
def test_valid_documents_have_no_error(name):
    assert errors(validate(VALID[name], "script.dapt")) == ()


INVALID = {
    "no profile": (dapt(root=rooted(PROFILE, "")), "contentProfiles-root", 2),
    "another profile": (dapt(root=rooted("dapt1.0/content", "imsc1.2/text")), "contentProfiles-root", 2),
    "ttp:profile": (dapt(root=f'{ROOT} ttp:profile="x"'), "profile-root", 2),
    "processor profile of others": (dapt(root=f'{ROOT} ttp:processorProfiles="x"'), "processorProfiles", 2),
    "no language": (dapt(root=rooted('xml:lang="fr"', "")), "xmlLang-root", 2),
    "empty language": (dapt(root=rooted('"fr"', '""')), "xmlLang-root", 2),
    "bad language": (dapt(root=rooted('"fr"', '"fr_FR"')), "xmlLang-root", 2),
    "bad language inside": (dapt(event('\n<p xml:lang="#x">a</p>')), "xmlLang", BODY_LINE + 2),
    "no script type": (dapt(root=rooted('daptm:scriptType="preRecording"', "")), "scriptType-root", 2),
    "bad script type": (dapt(root=rooted("preRecording", "prerecording")), "scriptType-root", 2),
    "no scriptRepresents": (dapt(root=rooted('daptm:scriptRepresents="audio"', "")), "scriptRepresents-root", 2),
    "comma in list": (
        dapt(root=rooted('scriptRepresents="audio"', 'scriptRepresents="audio, visual"')),
        "scriptRepresents-root",
        2,
    ),
    "unknown descriptor": (
        dapt(root=rooted('Represents="audio"', 'Represents="audio.music"')),
        "scriptRepresents-root",
        2,
    ),
    "event represents nothing": (
        dapt("\n" + event(), root=rooted(' daptm:represents="audio"', "")),
        "represents",
        BODY_LINE + 2,
    ),
    "event represents emptiness": (dapt(event("", 'daptm:represents=""')), "represents", BODY_LINE + 1),
    "event outside of the script's": (dapt(event("", 'daptm:represents="visual"')), "represents", BODY_LINE + 1),
    "text outside of the script's": (dapt(event('\n<p daptm:represents="visual">a</p>')), "represents", BODY_LINE + 2),
    "a list where one stands": (dapt(event("", 'daptm:represents="audio audio"')), "represents", BODY_LINE + 1),
    "language source": (dapt(event('<p daptm:langSrc="english language">a</p>')), "textLanguageSource", BODY_LINE + 1),
    "empty language source": (dapt(root=f'{ROOT} daptm:langSrc=""'), "textLanguageSource", 2),
    "id twice": (dapt(event() + "\n" + event()), "xmlId", BODY_LINE + 2),
    "id on foreign element": (dapt(event('<metadata>\n<v:x xml:id="e1"/></metadata>')), "xmlId", BODY_LINE + 2),
    "id with a digit first": (dapt(event("", "", "1")), "xmlId", BODY_LINE + 1),
    "id with a colon": (dapt(event("", "", "a:b")), "xmlId", BODY_LINE + 1),
    "agent without id": (dapt(head=head(AGENTS.split("\n")[0].replace('xml:id="p"', ""))), "agent", 6),
    "agent without name": (dapt(head=head('<ttm:agent type="person" xml:id="p"/>')), "agent", 6),
    "agent without type": (dapt(head=head(AGENTS.replace('type="character"', ""))), "agent", 7),
    "agent of odd type": (dapt(head=head(AGENTS.replace('"character"', '"role"'))), "agent", 7),
    "name of odd type": (
        dapt(head=head(AGENTS.replace("Blom</ttm:name>", 'Blom</ttm:name><ttm:name type="nick">I</ttm:name>'))),
        "agent",
        6,
    ),
    "character without alias": (dapt(head=head(AGENTS.replace('"alias"', '"full"'))), "agent", 7),
    "actor without full name": (dapt(head=head(AGENTS.replace('"full"', '"alias"'))), "agent", 6),
    "actor is nobody": (dapt(head=head(AGENTS.replace('agent="p"', 'agent="q"'))), "agent", 7),
    "actor not named": (dapt(head=head(AGENTS.replace('agent="p"', ""))), "agent", 7),
    "actor is itself": (dapt(head=head(AGENTS.replace('agent="p"', 'agent="c"'))), "agent", 7),
    "actor is no person": (
        dapt(head=head(AGENTS.replace('type="person"', 'type="group"'))),
        "agent",
        7,
    ),
    "event names nobody": (dapt(event("", 'ttm:agent="c x"'), head=head(AGENTS)), "agent", 9),
    "event names an event": (dapt(event("", 'ttm:agent="e1"')), "agent", BODY_LINE + 1),
    "on screen": (dapt(event("", 'daptm:onScreen="on"')), "onScreen", BODY_LINE + 1),
    "description type": (dapt(event('\n<ttm:desc daptm:descType="emotion">a</ttm:desc>')), "descType", BODY_LINE + 2),
    "frames without rate": (dapt(event("", 'begin="10f"')), "frameRate", BODY_LINE + 1),
    "ticks without rate": (dapt(event("", 'begin="10t"')), "tickRate", BODY_LINE + 1),
    "rate of zero": (dapt(root=f'{ROOT} ttp:frameRate="0"'), "frameRate", 2),
    "multiplier": (
        dapt(root=f'{ROOT} ttp:frameRate="30" ttp:frameRateMultiplier="1000:1001"'),
        "frameRateMultiplier",
        2,
    ),
    "clock with frames": (
        dapt(event("", 'begin="00:00:01:12"'), root=f'{ROOT} ttp:frameRate="25"'),
        "time-clock-with-frames",
        BODY_LINE + 1,
    ),
    "clock of 60 minutes": (dapt(event("", 'end="00:60:00"')), "time-clock", BODY_LINE + 1),
    "clock of one digit": (dapt(event("", 'end="0:00:01"')), "timing", BODY_LINE + 1),
    "no unit": (dapt(event("", 'dur="12"')), "timing", BODY_LINE + 1),
    "negative": (dapt(event("", 'begin="-1s"')), "timing", BODY_LINE + 1),
    "time of a span": (dapt(event('<p>\n<span begin="soon">a</span></p>')), "timing", BODY_LINE + 2),
    "clip of a recording": (dapt(event('<p><audio src="a" type="b" clipEnd="x"/></p>')), "timing", BODY_LINE + 1),
    "time base": (dapt(root=f'{ROOT} ttp:timeBase="smpte"'), "timeBase-smpte", 2),
    "drop mode": (dapt(root=f'{ROOT} ttp:dropMode="dropNTSC"'), "dropMode", 2),
    "marker mode": (dapt(root=f'{ROOT} ttp:markerMode="continuous"'), "markerMode", 2),
    "clock mode": (dapt(root=f'{ROOT} ttp:clockMode="utc"'), "clockMode", 2),
    "sub-frames": (dapt(root=f'{ROOT} ttp:subFrameRate="2"'), "subFrameRate", 2),
    "time container": (dapt(event("", 'timeContainer="seq"')), "timeContainer", BODY_LINE + 1),
    "animation in head": (dapt(head="<animation/>"), "animation-out-of-line", 6),
    "animate attribute": (dapt(event('<p animate="x">a</p>')), "animation-out-of-line", BODY_LINE + 1),
    "origin without rate": (
        dapt(head=head("\n<daptm:daptOriginTimecode>10:00:00:00</daptm:daptOriginTimecode>")),
        "daptOriginTimecode",
        7,
    ),
    "origin frames": (
        dapt(
            root=f'{ROOT} ttp:frameRate="25"',
            head=head("<daptm:daptOriginTimecode>10:00:00:25</daptm:daptOriginTimecode>"),
        ),
        "daptOriginTimecode",
        6,
    ),
    "origin in media time": (
        dapt(
            root=f'{ROOT} ttp:frameRate="25"',
            head=head("<daptm:daptOriginTimecode>10:00:00</daptm:daptOriginTimecode>"),
        ),
        "daptOriginTimecode",
        6,
    ),
    "origin twice": (
        dapt(
            root=f'{ROOT} ttp:frameRate="25"',
            head=head("<daptm:daptOriginTimecode>10:00:00:00</daptm:daptOriginTimecode>\n" * 2),
        ),
        "daptOriginTimecode",
        7,
    ),
    "origin in an event": (
        dapt(
            event("<metadata><daptm:daptOriginTimecode>10:00:00:00</daptm:daptOriginTimecode></metadata>"),
            root=f'{ROOT} ttp:frameRate="25"',
        ),
        "daptOriginTimecode",
        BODY_LINE + 1,
    ),
    "audio without source": (dapt(event("<p><audio/></p>")), "audio", BODY_LINE + 1),
    "audio with two sources": (
        dapt(event('<p><audio src="a" type="b"><source src="a" type="b"/></audio></p>')),
        "audio",
        BODY_LINE + 1,
    ),
    "empty address": (dapt(event('<p><audio src="" type="b"/></p>')), "audio", BODY_LINE + 1),
    "source of nothing": (dapt(event("<p><audio><source/></audio></p>")), "source", BODY_LINE + 1),
    "dangling fragment": (dapt(event('<p><audio src="#a"/></p>')), "embedded-audio", BODY_LINE + 1),
    "fragment of wrong kind": (
        dapt(
            event('<p><audio src="#d"/></p>'),
            head='<resources><data type="audio/wave" xml:id="d">QQ==</data></resources>',
        ),
        "embedded-audio",
        BODY_LINE + 1,
    ),
    "data without type": (
        dapt(event("<p><audio><source><data>QQ==</data></source></audio></p>")),
        "data",
        BODY_LINE + 1,
    ),
    "data encoding": (
        dapt(event('<p><audio><source><data type="b" encoding="hex">QQ==</data></source></audio></p>')),
        "data",
        BODY_LINE + 1,
    ),
    "source in data": (
        dapt(event('<p><audio><source><data type="b"><source src="a" type="b"/></data></source></audio></p>')),
        "source-data",
        BODY_LINE + 1,
    ),
    "audio in another language": (
        dapt(event('<p xml:lang="fr">a<audio xml:lang="en" src="a" type="b"/></p>')),
        "xmlLang-audio-nonMatching",
        BODY_LINE + 1,
    ),
    "data in another language": (
        dapt(
            event('<p xml:lang="en">a<audio><source src="#d"/></audio></p>'),
            head='<resources><data type="audio/wave" xml:id="d">QQ==</data></resources>',
        ),
        "xmlLang-audio-nonMatching",
        6,
    ),
    "speaking rate": (dapt(event('<p tta:speak="quick">a</p>')), "speak", BODY_LINE + 1),
    "space": (dapt(event('<p xml:space="keep">a</p>')), "core", BODY_LINE + 1),
    "text in a div": (dapt(event("words")), "structure", BODY_LINE + 1),
    "p in body": (dapt("<p>a</p>"), "structure", BODY_LINE + 1),
    "p in p": (dapt(event("<p><p>a</p></p>")), "structure", BODY_LINE + 1),
    "two bodies": (dapt("</body>\n<body>"), "structure", BODY_LINE + 2),
    "unknown element of TTML": (dapt(event("<para>a</para>")), "structure", BODY_LINE + 1),
    "DAPT element outside metadata": (
        dapt(
            root=f'{ROOT} ttp:frameRate="25"', head="<daptm:daptOriginTimecode>10:00:00:00</daptm:daptOriginTimecode>"
        ),
        "structure",
        6,
    ),
    "description after the text": (dapt(event("<p>a</p>\n<ttm:desc>b</ttm:desc>")), "structure", BODY_LINE + 2),
    "another root": (b"<tt/>", "structure", 1),
    "root of TTML 1 drafts": (
        dapt().replace(b'"http://www.w3.org/ns/ttml"', b'"http://www.w3.org/2006/10/ttaf1"'),
        "structure",
        2,
    ),
    "declared Latin-1": (dapt(encoding="ISO-8859-1"), "serialization", 1),
    "Latin-1 unannounced": (dapt(event("<p>é</p>")).decode().encode("latin-1"), "serialization", BODY_LINE + 1),
    "UTF-16": (dapt().decode().encode("utf-16"), "serialization", 1),
    "byte order mark": (b"\xef\xbb\xbf" + dapt(), "serialization", 1),
    "XML 1.1": (dapt().replace(b'"1.0"', b'"1.1"', 1), "serialization", 1),
    "document type": (dapt().replace(b"?>\n<tt", b"?>\n<!DOCTYPE tt><tt", 1), "serialization", 2),
    "entities": (
        dapt().replace(b"?>\n<tt", b'?>\n<!DOCTYPE tt [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><tt', 1),
        "serialization",
        2,
    ),
    "undeclared entity": (dapt(event("<p>\n&nbsp;</p>")), "serialization", BODY_LINE + 2),
    "not well-formed": (dapt(event("\n<p>a</span>")), "serialization", BODY_LINE + 2),
    "plain text": (b"INT. HOUSE - DAY", "serialization", 1),
    "nothing": (b"", "serialization", 1),
    "truncated": (dapt(event("<p>a</p>"))[:-20], "serialization", BODY_LINE + 1),
}


@pytest.mark.parametrize("name", INVALID)
def test_every_rule_is_reported_with_its_line(name):
    data, rule, line = INVALID[name]
    found = errors(validate(data, "script.dapt"))
    assert [(item.rule, item.line) for item in found] == [(rule, line)]


def test_several_errors_come_in_the_order_of_the_file():
    data = dapt(event("\n<p begin='x'>a</p>", 'daptm:onScreen="x"'), root=rooted("preRecording", "dub"))
    assert [str(item).split(":")[2].strip() for item in validate(data, "a")] == [
        "scriptType-root",
        "onScreen",
        "timing",
    ]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (dapt("<div><p>a</p></div>"), "scriptEventMapping"),
        (dapt(event("", 'begin="2s" end="1s"')), "timing"),
        (dapt(event('<p daptm:langSrc="und">a</p>')), "textLanguageSource"),
        (dapt(event('<p>a<audio src="a.wav"/></p>'), root=rooted("preRecording", "asRecorded")), "audio"),
        (dapt(event('<p tta:speak="fast">a</p>'), root=rooted("preRecording", "asRecorded")), "scriptType-root"),
        (dapt(event('<p>a<audio src="a" type="b"/></p>')), "scriptType-root"),
        (
            dapt(event('<p daptm:langSrc="en">a</p>'), root=rooted("preRecording", "originalTranscript")),
            "scriptType-root",
        ),
        (dapt(event('<p daptm:onScreen="ON">a</p>')), "onScreen"),
        (dapt(event("", 'ttm:agent="p"'), head=head(AGENTS)), "agent"),
    ],
)
def test_advice_is_a_warning(data, rule):
    assert [(item.rule, item.severity) for item in validate(data, "a")] == [(rule, "warning")]


@pytest.mark.parametrize("name", ["byte order mark", "empty language source", "description after the text"])
def test_what_can_be_read_past_is_an_error_only_strictly(name):
    data, rule, line = INVALID[name]
    found = validate(data, "a", strict=False)
    assert [(item.rule, item.line, item.severity) for item in found] == [(rule, line, "warning")]


def test_lines_are_counted_past_65535():
    found = validate(dapt("\n" * 70_000 + event("", 'daptm:onScreen="x"')), "a")
    assert found[0].line == BODY_LINE + 70_001


def test_limits_are_errors_of_the_file(monkeypatch):
    deep = dapt("<div>" * 100 + "</div>" * 100)
    with pytest.raises(ScriptTooLarge, match="deep"):
        validate(deep, "a")
    monkeypatch.setattr(tree, "MAX_ELEMENTS", 50)
    with pytest.raises(ScriptTooLarge, match="more than 50 elements"):
        validate(dapt("<div/>" * 60), "a")


def test_attributes_are_limited():
    with pytest.raises(ScriptTooLarge, match="more than 10,000 attributes"):
        validate(dapt(event("", " ".join(f'a{number}=">"' for number in range(20_000)))), "a")


def test_events_are_limited(monkeypatch):
    monkeypatch.setattr("scheduler.scripts.dapt.validate.MAX_EVENTS", 3)
    with pytest.raises(ScriptTooLarge, match="more than 3 script events"):
        validate(dapt("".join(event("", "", f"e{number}") for number in range(4))), "a")


def test_a_hopeless_document_stops_being_judged():
    data = dapt("".join(event("", 'daptm:onScreen="x"', f"e{number}") for number in range(2 * MAX_FINDINGS)))
    assert len(validate(data, "a")) == MAX_FINDINGS


@pytest.mark.parametrize(
    "tag",
    [
        "fr",
        "fr-FR",
        "zh-Hant-TW",
        "zh-cmn-Hans",
        "de-1996",
        "x-klingon",
        "en-u-ca-buddhist",
        "i-navajo",
        "sl-rozaj-biske",
        "zxx",
    ],
)
def test_language_tags(tag):
    assert is_language(tag)


@pytest.mark.parametrize("tag", ["", "f", "fr_FR", "-fr", "fr-", "français", "en-x", "en-a", "abcdefghi", "fr\n"])
def test_no_language_tags(tag):
    assert not is_language(tag)


@pytest.mark.parametrize("text", ["a", "_1", "é.2-b", "事件1"])
def test_identifiers(text):
    assert is_identifier(text)


@pytest.mark.parametrize("text", ["", "1a", "-a", "·a", "a b", "a:b", "#a", "a\n"])
def test_no_identifiers(text):
    assert not is_identifier(text)


@pytest.mark.parametrize(
    "text", ["visual.text.credit", "visual.text.x-menu", "visual.x-a.b", "x-music", "x-music.live"]
)
def test_descriptors(text):
    assert descriptor_fault(text) is None


@pytest.mark.parametrize(
    "text", ["", "Audio", "audio.", ".audio", "audio.dialogue.phone", "visual.text.title.a", "audio..x-a", "a b"]
)
def test_no_descriptors(text):
    assert descriptor_fault(text) is not None
