"""What a mark survives, on the draft voice in two languages and on speech made by formula, ten seconds at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from marked_speech import RATE, Sound, Speak, aac, chain, crops, draft_speaker, faster, mp3, through_rate, whisper
from voicelike import speechlike

from synthesis.watermark import detect, embed

KEY, PAYLOAD = b"the key of a title", 0x5EC0DE42
PLACES = 7


@pytest.fixture(scope="module")
def speak() -> Iterator[Speak]:
    with draft_speaker() as speak:
        yield speak


@pytest.fixture(scope="module")
def programmes(speak: Speak) -> list[Sound]:
    """Unmarked, 40 s each."""
    return [
        speak("draft-narrator", "en", 40.0, 0),
        speak("draft-narrator", "zh", 40.0, 0),
        speechlike(40.0, RATE, seed=11),
    ]


@pytest.mark.parametrize(
    "attack",
    [mp3, aac, lambda sound: through_rate(sound, 16_000), lambda sound: faster(sound, 1.01), chain],
    ids=["MP3 64 kbps", "AAC 64 kbps", "16 kHz", "1 % faster", "all of these in a chain"],
)
def test_ten_seconds_anywhere_name_the_deliverable(programmes: list[Sound], attack: Callable[[Sound], Sound]) -> None:
    found = [
        detect(piece, RATE, [KEY])
        for sound in programmes
        for piece in crops(attack(embed(sound, KEY, PAYLOAD, RATE)), PLACES)
    ]
    assert all(detection.payload in (PAYLOAD, None) for detection in found)
    assert sum(detection.payload == PAYLOAD for detection in found) >= 0.95 * len(found)


def test_a_hundred_unmarked_clips_are_unmarked(speak: Speak) -> None:
    clips = [
        piece
        for number, (voice, language) in enumerate(
            [("draft-narrator", "en"), ("draft-2", "en"), ("draft-3", "zh"), ("draft-5", "zh"), ("draft-8", "en")]
        )
        for piece in crops(speak(voice, language, 80.0, number), 16)
    ]
    clips += [speechlike(10.0, RATE, seed=seed) for seed in range(12)]
    clips += [whisper(10.0, seed=seed) for seed in range(8)]
    assert len(clips) == 100
    found = [detect(clip, RATE, [KEY]) for clip in clips]
    assert not any(detection.found for detection in found)
    assert all(detection.false_positive_rate <= 1e-6 for detection in found)
    assert max(detection.score for detection in found) < 5.5


def test_a_mark_is_not_taken_for_another_titles(programmes: list[Sound]) -> None:
    for number, sound in enumerate(programmes):
        marked = embed(sound, b"another title %d" % number, PAYLOAD, RATE)
        assert not any(detect(piece, RATE, [KEY]).found for piece in crops(marked, 4))
        named = detect(marked, RATE, [KEY, b"yet another", b"another title %d" % number])
        assert (named.payload, named.key_index) == (PAYLOAD, 2)


def test_the_mark_does_not_change_loudness_or_length_noticeably(programmes: list[Sound]) -> None:
    for sound in programmes:
        marked = embed(sound, KEY, PAYLOAD, RATE)
        assert len(marked) == len(sound)
        change_db = 10 * np.log10(np.mean(marked**2) / np.mean(sound**2))
        assert abs(change_db) < 0.3
        assert np.abs(marked).max() < np.abs(sound).max() * 10 ** (1.5 / 20)
