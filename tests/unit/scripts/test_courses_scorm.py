from __future__ import annotations

import io
import random
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import ScriptError, ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.scorm import ScormReader
from scheduler.scripts.source import ScriptSource

MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<manifest identifier="weather" version="1.2" xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2"
  xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2">
  <metadata>
    <schema>ADL SCORM</schema><schemaversion>1.2</schemaversion>
    <lom xmlns="http://www.imsglobal.org/xsd/imsmd_rootv1p2p1">
      <general><title><langstring xml:lang="en">Weather for All</langstring></title><language>en-GB</language></general>
      <lifecycle><contribute>
        <role><value><langstring>Author</langstring></value></role>
        <centity><vcard>BEGIN:VCARD
FN:Ada Field
END:VCARD</vcard></centity>
        <date><datetime>2026-03-01</datetime></date>
      </contribute></lifecycle>
    </lom>
  </metadata>
  <organizations default="ORG">
    <organization identifier="OTHER"><title>Not this</title><item identifier="X" identifierref="R1"/></organization>
    <organization identifier="ORG">
      <title>Weather</title>
      <item identifier="PART">
        <title>Part One</title>
        <item identifier="ITEM-2" identifierref="R2" parameters="?page=2"><title>Heat</title></item>
        <item identifier="ITEM-1" identifierref="R1"><title>Light</title></item>
      </item>
      <item identifier="ITEM-H" identifierref="R1" isvisible="false"><title>Hidden</title></item>
      <item identifier="ITEM-3" identifierref="R3"><title>Rain, first</title></item>
      <item identifier="ITEM-4" identifierref="R4"><title>Rain, last</title></item>
    </organization>
  </organizations>
  <resources xml:base="content/">
    <resource identifier="R1" type="webcontent" adlcp:scormtype="sco" href="light.html"/>
    <resource identifier="R2" type="webcontent" xml:base="part%20two/" href="heat.html?mode=a&amp;b=2"/>
    <resource identifier="R3" type="webcontent" href="rain.htm#first"/>
    <resource identifier="R4" type="webcontent" href="rain.htm#last"/>
  </resources>
</manifest>
"""

LIGHT = """<!DOCTYPE html>
<html lang=en><head><meta charset="utf-8"><title>Never read</title><script>if (1 < 2 && x) { say("&foo;"); }</script>
<body onload="init()"><h1>Light</h1>
<p>A lamp turns current into light&nbsp;&mdash; and heat.
<p>It is <b>warm</b>.<br>It is bright.
<nav hidden>Next page</nav><div style="display:none">Not shown.</div>
<form><input value="a"><button>Submit</button></form>
<table><tr><td>1<td>2</table>
<aside role="doc-footnote">A footnote.</aside>
"""

HEAT = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head>
<body><p>Warm air rises above the lamp.</p><p xml:lang="de">Warme Luft steigt nach oben.</p></body></html>
"""

RAIN = (
    "<html><body><h2 id='first'>First</h2><p>Rain falls on the old roof of the house.</p>"
    "<h2 id='last'>Last</h2><p>Nobody sleeps tonight in the whole house.</p></body></html>"
)

PAGES: dict[str, str | bytes] = {
    "imsmanifest.xml": MANIFEST,
    "content/light.html": LIGHT,
    "content/part two/heat.html": HEAT,
    "content/rain.htm": RAIN,
    "content/film.mp4": b"\0" * 100,
}


def package(changes: dict[str, str | bytes | None] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**PAGES, **(changes or {})}.items():
            if data is not None:
                archive.writestr(name, data)
    return out.getvalue()


def read(data: bytes, tmp_path: Path, **options: object) -> ScriptDocument:
    path = tmp_path / "course.zip"
    path.write_bytes(data)
    return ScormReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def spoken(document: ScriptDocument) -> list[tuple[str, str, list[str]]]:
    return [(part.key, part.title, [line.text for line in part.lines]) for part in document.sections]


def manifest(items: str, resources: str) -> str:
    return (
        f"<manifest><organizations><organization>{items}</organization></organizations>"
        f"<resources>{resources}</resources></manifest>"
    )


def test_a_scorm_package(tmp_path: Path) -> None:
    document = read(package(), tmp_path)
    assert (document.title, document.author, document.year, document.language, document.kind, document.format) == (
        "Weather for All",
        "Ada Field",
        "2026",
        "en-GB",
        "course",
        "scorm",
    )
    assert spoken(document) == [
        ("ITEM-2", "Heat", ["Warm air rises above the lamp.", "Warme Luft steigt nach oben."]),
        (
            "ITEM-1",
            "Light",
            ["Light", "A lamp turns current into light — and heat.", "It is warm. It is bright."],
        ),
        ("ITEM-3", "Rain, first", ["First", "Rain falls on the old roof of the house."]),
        ("ITEM-4", "Rain, last", ["Last", "Nobody sleeps tonight in the whole house."]),
    ]
    assert document.sections[0].lines[1].language == "de"
    assert document.sections[1].lines[0].place == "content/light.html line 3"
    assert [(one.place, one.reason) for one in document.rejected] == [
        ("content/light.html line 8", "a table is not read; write it out as sentences")
    ]
    assert [one.reason for one in document.notices] == [
        "the item 'Hidden' is not shown: it is left out",
        "1 × footnote left out",
    ]


def test_what_is_skipped_can_be_taken_in(tmp_path: Path) -> None:
    document = read(package(), tmp_path, include_roles=frozenset({"footnote"}), tables="read")
    assert [line.text for line in document.sections[1].lines][-3:] == ["1", "2", "A footnote."]


def test_pages_that_are_missing_elsewhere_or_no_html_are_rejected_with_their_place(tmp_path: Path) -> None:
    items = "".join(f'<item identifier="I{n}" identifierref="R{n}"><title>T{n}</title></item>\n' for n in range(1, 8))
    resources = (
        '<resource identifier="R1" href="content/rain.htm"/><resource identifier="R2" href="content/gone.html"/>'
        '<resource identifier="R3" href="https://example.org/x.html"/>'
        '<resource identifier="R4" href="content/film.mp4"/>'
        '<resource identifier="R5"/><resource identifier="R6" href="content/rain.htm?page=2"/>'
    )
    document = read(package({"imsmanifest.xml": manifest(items, resources)}), tmp_path)
    assert [part.key for part in document.sections] == ["I1"]
    assert [(one.place, one.reason) for one in document.rejected] == [
        ("imsmanifest.xml line 7", "the item 'T7' names the resource 'R7', which is not listed"),
        ("content/gone.html", "is missing from the archive (the item 'T2')"),
        (
            "imsmanifest.xml line 3",
            "the item 'T3' is at 'https://example.org/x.html', outside the package, and not read",
        ),
        ("content/film.mp4", "is .mp4: only HTML is read (the item 'T4')"),
        ("imsmanifest.xml line 5", "the item 'T5' has no page"),
    ]
    assert document.notices[0].reason == "the item 'T6' shows the page of 'T1', which is read once"


def test_a_page_written_by_a_script_is_reported_and_the_script_not_run(tmp_path: Path) -> None:
    page = "<html><body><div id=app></div><script>document.write('Words.')</script></body></html>"
    document = read(package({"content/light.html": page}), tmp_path)
    assert [part.key for part in document.sections] == ["ITEM-2", "ITEM-3", "ITEM-4"]
    assert document.rejected[0].reason == "holds no text for the item 'Light'; pages that a script writes are not read"


def test_without_items_the_resources_are_read(tmp_path: Path) -> None:
    text = (
        "<manifest><organizations/><resources><resource identifier='A' href='content/rain.htm'/>"
        "<resource identifier='B' href='content/film.mp4'/></resources></manifest>"
    )
    document = read(package({"imsmanifest.xml": text}), tmp_path, language="en")
    assert [(part.key, part.title) for part in document.sections] == [("A", "First")]
    assert document.title == "course"


def test_a_package_in_a_folder_with_paths_of_windows(tmp_path: Path) -> None:
    text = manifest(
        '<item identifier="a b/c" identifierref="R"><title>T</title></item>'
        '<item identifier="a b/c" identifierref="S"><title>U</title></item>',
        '<resource identifier="R" href="Pages\\Rain.HTM"/><resource identifier="S" href="pages/two.html"/>',
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("My Course/imsmanifest.xml", text)
        archive.writestr("My Course/pages/rain.htm", RAIN)
        archive.writestr("My Course/pages/two.html", RAIN)
    document = read(out.getvalue(), tmp_path)
    assert [(part.key, part.title) for part in document.sections] == [("a-b-c", "T"), ("a-b-c~2", "U")]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (
            "<html><meta charset=windows-1252><p>Caf\u00e9 cr\u00e8me, s\u2019il vous pla\u00eet.".encode("cp1252"),
            "Café crème, s’il vous plaît.",
        ),
        ("<html><meta charset=utf-8><p>Caf\u00e9 cr\u00e8me.".encode("cp1252"), "Café crème."),
        ("<html><p>Caf\u00e9 cr\u00e8me.".encode(), "Café crème."),
        ("<html><p>Caf\u00e9 cr\u00e8me.".encode("utf-16"), "Café crème."),
        ("<html><meta charset=Shift_JIS><p>雨が降っています。".encode("cp932"), "雨が降っています。"),
    ],
)
def test_encodings_of_pages(page: bytes, text: str, tmp_path: Path) -> None:
    document = read(package({"content/light.html": page}), tmp_path)
    assert [line.text for line in document.sections[1].lines] == [text]


def test_keys_survive_items_put_before_them(tmp_path: Path) -> None:
    before = read(package(), tmp_path)
    text = MANIFEST.replace(
        '<item identifier="PART">',
        '<item identifier="NEW" identifierref="R9"><title>New</title></item><item identifier="PART">',
    ).replace("</resources>", '<resource identifier="R9" href="new.html"/></resources>')
    after = read(package({"imsmanifest.xml": text, "content/new.html": "<p>New words."}), tmp_path)
    assert after.sections[0].key == "NEW"
    assert [(part.key, [line.key for line in part.lines]) for part in after.sections[1:]] == [
        (part.key, [line.key for line in part.lines]) for part in before.sections
    ]


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"imsmanifest.xml": None}, ScriptUnreadable, r"course\.zip: holds no imsmanifest\.xml: this is not a SCORM"),
        (
            {"imsmanifest.xml": None, "a/imsmanifest.xml": "", "b/imsmanifest.xml": ""},
            ScriptUnreadable,
            "2 course packages",
        ),
        ({"imsmanifest.xml": "<manifest"}, ScriptUnreadable, "imsmanifest.xml: is not XML"),
        ({"imsmanifest.xml": "<html/>"}, ScriptUnreadable, "is 'html' and no manifest"),
        ({"imsmanifest.xml": "<manifest/>"}, ScriptUnreadable, "no item of the course has a page with text in it"),
        (
            {"imsmanifest.xml": MANIFEST.replace("light.html", "../../up.html")},
            ScriptRefused,
            r"imsmanifest\.xml line \d+: leads outside the archive",
        ),
        (
            {"imsmanifest.xml": '<!DOCTYPE m [<!ENTITY a "b">]><manifest/>'},
            ScriptRefused,
            "declares XML entities",
        ),
        (
            {"content/part two/heat.html": '<?xml version="1.0"?><!DOCTYPE html [<!ENTITY a "b">]><html/>'},
            ScriptRefused,
            "declares XML entities",
        ),
        ({"../up.html": "x"}, ScriptRefused, "names a path outside the archive"),
        ({"content/light.html": b"<p>" + b" " * 30_000_000}, ScriptTooLarge, "built to fill memory"),
    ],
)
def test_bad_packages(
    changes: dict[str, str | bytes | None], kind: type[ScriptError], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=reason):
        read(package(changes), tmp_path)


def test_truncated_packages_and_other_files(tmp_path: Path) -> None:
    data = package()
    for share in (0.1, 0.5, 0.99):
        with pytest.raises(ScriptUnreadable, match="is not a whole zip archive"):
            read(data[: int(len(data) * share)], tmp_path)


def test_deep_pages_and_items_end(tmp_path: Path) -> None:
    deep = "<div>" * 20_000 + "Words at the bottom."
    with suppress(ScriptError):
        read(package({"content/light.html": deep}), tmp_path)
    items = '<item identifier="a">' * 200 + '<item identifier="b" identifierref="R"/>' + "</item>" * 200
    text = manifest(items, '<resource identifier="R" href="content/rain.htm"/>')
    assert [part.key for part in read(package({"imsmanifest.xml": text}), tmp_path).sections] == ["b"]


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(["imsmanifest.xml", "content/light.html", "content/part two/heat.html"]), st.integers(0, 2**32))
def test_changed_bytes_raise_nothing_but_a_script_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int
) -> None:
    chance = random.Random(seed)
    original = PAGES[name]
    data = bytearray(original.encode() if isinstance(original, str) else original)
    for _ in range(chance.randint(1, 20)):
        at = chance.randrange(len(data))
        data[at : at + chance.randint(1, 4)] = chance.choice(
            [b"", b"<", b'"', b"\0", b"\xff", b"&", b"../", b"#", b":"]
        )
    with suppress(ScriptError):
        document = read(package({name: bytes(data)}), tmp_path_factory.getbasetemp())
        keys = [part.key for part in document.sections]
        assert len(keys) == len(set(keys))


def test_pages_that_a_script_shows_are_read_as_the_resource_lists_them(tmp_path: Path) -> None:
    player = "<html><head><script>show(0);</script></head><body><iframe id='content'></iframe></body></html>"
    sheet = manifest(
        "<item identifier='ALL' identifierref='R'><title>All</title></item>"
        "<item identifier='MORE' identifierref='S'><title>More</title></item>",
        "<resource identifier='R' href='shared/player.html'>"
        "<file href='b/two.html'/><file href='a/one.html'/><file href='shared/player.html'/><file href='gone.html'/>"
        "<file href='a/quiz.html'/><file href='more.html'/><file href='a/quiz.js'/><file href='../x.html'/></resource>"
        "<resource identifier='S' href='more.html'/>",
    )
    pages = {
        "imsmanifest.xml": sheet,
        "shared/player.html": player,
        "a/one.html": "<html lang='en-GB'><body><h1>One</h1><p>Rain falls on the old roof.</p></body></html>",
        "b/two.html": "<html lang='en-GB'><body><h1>Two</h1><p>The wind has gone to sleep.</p></body></html>",
        "a/quiz.html": player,
        "more.html": "<html lang='en-GB'><body><p>Nobody is in the house now.</p></body></html>",
    }
    document = read(package(pages), tmp_path)
    assert spoken(document) == [
        ("ALL", "All", ["Two", "The wind has gone to sleep.", "One", "Rain falls on the old roof."]),
        ("MORE", "More", ["Nobody is in the house now."]),
    ]
    assert document.language == "en-GB"
    assert not document.rejected
    assert any("2 pages that its resource lists are read" in one.reason for one in document.notices)
