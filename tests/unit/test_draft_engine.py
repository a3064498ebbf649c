from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import psutil
import pytest

from synthesis.audio import Audio
from synthesis.draft import catalog
from synthesis.draft.client import host_command
from synthesis.draft.engine import DraftEngine
from synthesis.draft.text import MAX_CHARACTERS
from synthesis.engine import LineRequest, RenderedLine, VoiceSpec
from synthesis.errors import EngineError, LanguageUnsupported, TextError, VoiceMissing

VOICES = {voice.name: voice for voice in catalog.draft_voices()}
CROW = "Good-day, Mistress Crow. How well you are looking to-day."
LONG = "The Frogs were living as happy as could be in a marshy swamp that just suited them. " * 57


@pytest.fixture(scope="module")
def engine() -> Iterator[DraftEngine]:
    engine = DraftEngine()
    yield engine
    engine.close()


def request(
    text: str,
    language: str = "en",
    voice: VoiceSpec = VOICES["draft-narrator"],
    direction: Mapping[str, Any] | None = None,
    line_id: int = 1,
) -> LineRequest:
    return LineRequest(line_id, text, language, voice, seed=7, direction=direction or {})


def render(engine: DraftEngine, line: LineRequest) -> RenderedLine:
    engine.submit([line])
    (result,) = engine.step()
    assert engine.in_flight() == 0
    return result


def speak(engine: DraftEngine, *args: Any, **kwargs: Any) -> Audio:
    result = render(engine, request(*args, **kwargs))
    assert result.error is None, result.error
    assert result.audio is not None
    return result.audio


def refused(engine: DraftEngine, *args: Any, **kwargs: Any) -> Exception:
    result = render(engine, request(*args, **kwargs))
    assert result.audio is None
    assert result.error is not None
    return result.error


def wait_for(condition: Callable[[], bool], limit_s: float = 20) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "gave up waiting"
        time.sleep(0.002)


def hosts() -> list[psutil.Process]:
    def is_host(process: psutil.Process) -> bool:
        try:
            return "synthesis.draft.host" in process.cmdline()
        except psutil.Error:
            return False

    return [process for process in psutil.Process().children() if is_host(process)]


def test_speech_is_float_audio_with_its_rate(engine: DraftEngine) -> None:
    audio = speak(engine, CROW)
    assert audio.sample_rate == 22_050
    assert audio.samples.dtype == np.float32
    assert 2500 < audio.duration_ms < 6000
    assert 0.1 < float(np.abs(audio.samples).max()) <= 1


def test_same_line_is_the_same_bytes_whatever_was_said_before(engine: DraftEngine) -> None:
    lines = [
        request(CROW, voice=VOICES["draft-1"]),
        request(CROW, voice=VOICES["draft-8"]),
        request("Bonjour, monsieur du Corbeau.", "fr", VOICES["draft-6"], {"rate": 1.2}),
        request("Ho! ho!", voice=VOICES["draft-3"]),
    ]
    first = [speak_bytes(engine, line) for line in lines]
    backwards = [speak_bytes(engine, line) for line in reversed(lines)]
    second = int(time.time())
    wait_for(lambda: int(time.time()) != second)  # espeak-ng would seed its noise with the second it starts in
    other = DraftEngine()
    try:
        fresh = [speak_bytes(other, line) for line in lines[1:]]
    finally:
        other.close()
    assert first == backwards[::-1]
    assert first[1:] == fresh


def speak_bytes(engine: DraftEngine, line: LineRequest) -> bytes:
    audio = render(engine, line).audio
    assert audio is not None
    return audio.samples.tobytes()


def test_step_renders_in_order_and_returns_nothing_when_nothing_waits(engine: DraftEngine) -> None:
    assert engine.step() == []
    engine.submit([request("One.", line_id=1), request("漢字", line_id=2), request("Three.", line_id=3)])
    results = [engine.step()[0] for _ in range(3)]
    assert [result.line_id for result in results] == [1, 2, 3]
    assert [result.error is None for result in results] == [True, False, True]
    assert engine.in_flight() == 0


def test_more_than_the_capacity_is_refused() -> None:
    engine = DraftEngine(capacity=2)
    with pytest.raises(ValueError, match="capacity"):
        engine.submit([request("One.")] * 3)
    assert engine.in_flight() == 0


def test_voices_differ_from_each_other(engine: DraftEngine) -> None:
    traits = {name: (pitch(a := speak(engine, CROW, voice=voice)), a.duration_ms) for name, voice in VOICES.items()}
    for (one, a), (other, b) in combinations(traits.items(), 2):
        apart = abs(np.log2(a[0] / b[0])) > 1 / 12 or abs(a[1] / b[1] - 1) > 0.1
        assert apart, f"{one} {a} and {other} {b} sound alike"


def pitch(audio: Audio) -> float:
    """Median fundamental frequency of the voiced frames, in Hz."""
    found = []
    for start in range(0, len(audio.samples) - 1024, 512):
        frame = audio.samples[start : start + 1024]
        correlation = np.correlate(frame, frame, "full")[1023:]
        low, high = audio.sample_rate // 450, audio.sample_rate // 55
        lag = low + int(correlation[low:high].argmax())
        if correlation[0] > 1 and correlation[lag] > 0.5 * correlation[0]:
            found.append(audio.sample_rate / lag)
    return float(np.median(found))


def test_every_voice_says_that_it_is_a_draft() -> None:
    assert {"draft-narrator", *(f"draft-{n}" for n in range(1, 9))} == set(VOICES)
    assert all("draft" in voice.description.lower() for voice in VOICES.values())
    assert DraftEngine().version.startswith("espeak-ng-1.52.0")


def test_languages_are_the_library_s_own() -> None:
    command, environment = host_command("--languages")
    listed = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    tags = json.loads(listed[8:])["languages"]
    assert set(tags) == {*catalog.TAGS, *catalog.ALIASES, *catalog.EXCLUDED}


def test_every_language_makes_sound(engine: DraftEngine) -> None:
    for tag in (*catalog.TAGS, *catalog.ALIASES):
        assert speak(engine, "1 2 3", tag).duration_ms > 100, tag


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("en-AU", "en"),
        ("en_US", "en-us"),
        ("zh-Hans-CN", "cmn"),
        ("zh-yue-HK", "yue"),
        ("pt-BR", "pt-br"),
        ("no", "nb"),
    ],
)
def test_language_tags_find_the_nearest_voice(tag: str, name: str) -> None:
    assert catalog.espeak_language("draft-1", tag) == name


@pytest.mark.parametrize("tag", ["tlh", "xx-en", "", "fo"])
def test_unknown_language_is_an_error(engine: DraftEngine, tag: str) -> None:
    assert isinstance(refused(engine, CROW, tag), LanguageUnsupported)


@pytest.mark.parametrize(
    ("text", "language", "named"),
    [
        ("漢字をよむ", "ja", "漢字"),
        ("かな ゝ", "ja", "ゝ"),
        ("he said 你好", "en", "你好"),
        ("カタカナ", "en", "カタ"),
        ("Привет, мир", "en", "Привет"),
        ("漢字", "ko", "漢字"),
        ("你好", "hak", "你好"),
    ],
)
def test_letters_nobody_reads_are_named(engine: DraftEngine, text: str, language: str, named: str) -> None:
    error = refused(engine, text, language)
    assert isinstance(error, TextError)
    assert named in str(error)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("きょうは カフェで ア・イ・ウ を よむ〜。2024ねん", "ja"),
        ("你好，世界。2024年", "zh"),
        ("香港", "yue"),
        ("안녕하세요", "ko"),
        ("Привет, мир", "ru"),
        ("مرحبا", "ar"),
        ("नमस्ते", "hi"),
        ("π and Ω are letters", "en"),
        ("Ｆｕｌｌ ｗｉｄｔｈ １２３", "ja"),
    ],
)
def test_text_in_its_own_script_is_spoken(engine: DraftEngine, text: str, language: str) -> None:
    assert speak(engine, text, language).duration_ms > 200


@pytest.mark.parametrize("text", ["...", "—", "\u200b", "\x01\x02", "x" * (MAX_CHARACTERS + 1)])
def test_nothing_to_speak_is_an_error_and_never_silence(engine: DraftEngine, text: str) -> None:
    assert isinstance(refused(engine, text), TextError)


def test_control_characters_neither_cut_the_line_nor_command_the_voice(engine: DraftEngine) -> None:
    plain = speak(engine, "One two three four.")
    assert np.array_equal(speak(engine, "One\0two\x01three four.").samples, plain.samples)


def test_pace_is_honoured_within_its_range(engine: DraftEngine) -> None:
    def length(rate: object) -> int:
        return speak(engine, CROW, direction={"rate": rate}).duration_ms

    natural = length(1.0)
    assert natural == speak(engine, CROW, direction={"emotion": "sad"}).duration_ms
    assert length(0.8) > 1.15 * natural
    assert length(1.25) < 0.9 * natural
    assert length(9) == length("1.25") == length(1.25)
    assert isinstance(refused(engine, CROW, direction={"rate": "fast"}), TextError)


@pytest.mark.parametrize(
    "parameters", [{"variant": "m99"}, {"rate": 20}, {"pitch": 100}, {"range": True}, {"speed": 3}, {"rate": "170"}]
)
def test_a_voice_with_wrong_parameters_is_missing(engine: DraftEngine, parameters: Mapping[str, Any]) -> None:
    voice = VoiceSpec("mine", 1, "draft", ("en",), parameters)
    with pytest.raises(VoiceMissing, match="mine"):
        engine.load(voice)
    assert isinstance(refused(engine, CROW, voice=voice), VoiceMissing)


def test_a_line_that_kills_the_library_fails_alone() -> None:
    """Kill the process that speaks, as a crash in the library would; the host and the other lines go on."""
    engine = DraftEngine()
    try:
        engine.load(VOICES["draft-1"])
        (host,) = hosts()[-1:]
        results = in_background(engine, request(LONG, line_id=1), request(CROW, line_id=2))
        wait_for(lambda: bool(host.children()))
        host.children()[0].send_signal(signal.SIGSEGV)
        first, second = results()
        assert isinstance(first.error, EngineError)
        assert "SIGSEGV" in str(first.error)
        assert second.error is None
        assert host.is_running()
    finally:
        engine.close()


def test_a_host_that_dies_in_a_line_is_started_again() -> None:
    engine = DraftEngine()
    try:
        engine.load(VOICES["draft-1"])
        host = hosts()[-1]
        results = in_background(engine, request(LONG, line_id=1), request(CROW, line_id=2))
        wait_for(lambda: bool(host.children()))
        host.kill()
        first, second = results()
        assert isinstance(first.error, EngineError)
        assert second.error is None
    finally:
        engine.close()


def in_background(engine: DraftEngine, *lines: LineRequest) -> Callable[[], list[RenderedLine]]:
    engine.submit(lines)
    results: list[RenderedLine] = []
    thread = threading.Thread(target=lambda: results.extend(engine.step()[0] for _ in lines))
    thread.start()

    def finish() -> list[RenderedLine]:
        thread.join(60)
        assert not thread.is_alive()
        return results

    return finish


def test_a_host_that_died_idle_costs_no_line(engine: DraftEngine) -> None:
    before = speak(engine, CROW)
    host = hosts()[0]
    host.kill()
    wait_for(lambda: not host.is_running() or host.status() == psutil.STATUS_ZOMBIE)
    assert np.array_equal(speak(engine, CROW).samples, before.samples)


def test_close_ends_the_host_and_can_be_repeated() -> None:
    before = {process.pid for process in hosts()}
    engine = DraftEngine()
    speak(engine, CROW)
    (host,) = [process for process in hosts() if process.pid not in before]
    engine.close()
    engine.close()
    assert not host.is_running()
    assert speak(engine, CROW).duration_ms > 0
    engine.close()


def test_the_host_leaves_when_its_parent_is_gone() -> None:
    command, environment = host_command()
    host = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert host.stdin is not None
    assert host.stdout is not None
    assert b"1.52" in os.read(host.stdout.fileno(), 4096)
    host.send_signal(signal.SIGTERM)
    host.stdin.close()
    assert host.wait(20) == 0
    host.stdout.close()
