"""Programmes to mark, and what may happen to a marked programme on its way through the world."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import imageio_ffmpeg
import numpy as np
import soxr
from numpy.typing import NDArray
from voicelike import speechlike

from synthesis.draft.engine import DraftEngine
from synthesis.engine import LineRequest

Sound = NDArray[np.float32]
Speak = Callable[[str, str, float, int], Sound]
RATE = 48_000

ENGLISH = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.",
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do.",
    "Once or twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it.",
    "Call me Ishmael. Some years ago, never mind how long precisely, I thought I would sail about a little.",
    "The sun rose slowly over the quiet harbour, and the fishermen pushed their boats into the grey water.",
    "What is the use of a book, thought Alice, without pictures or conversations?",
    "He walked on through the rain, counting the lamps, until the street came to an end at the river.",
    "Nobody in the village could say who had rung the bell that night, or why the door of the mill stood open.",
    "Two and two make four, said the clerk, and four and four make eight, and there the matter rests.",
    "She folded the letter three times, put it under the clock, and went out without her coat.",
)
CHINESE = (
    "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。",
    "从前有一座山，山里有一座庙，庙里有一个老和尚在讲故事。",
    "我们明天早上八点钟在火车站门口见面，请不要迟到。",
    "春天来了，河边的柳树发出了新芽，孩子们在草地上奔跑。",
    "他把信读了三遍，然后慢慢地折好，放进上衣的口袋里。",
    "学而时习之，不亦说乎？有朋自远方来，不亦乐乎？",
    "老师问大家昨天的功课做完了没有，谁也不敢先开口。",
)
TEXTS: Mapping[str, Sequence[str]] = {"en": ENGLISH, "zh": CHINESE}


@contextmanager
def draft_speaker() -> Iterator[Speak]:
    """Yield speak(voice, language, seconds, first text): a 48 kHz programme of the draft voice, pauses in between."""
    engine = DraftEngine()
    voices = {voice.name: voice for voice in engine.voices()}

    def speak(voice: str, language: str, seconds: float, first: int = 0) -> Sound:
        texts = TEXTS[language]
        parts: list[Sound] = []
        length = number = 0
        while length < seconds * RATE:
            text = texts[(first + number) % len(texts)]
            engine.submit([LineRequest(number, text, language, voices[voice], seed=0)])
            (line,) = engine.step()
            if line.audio is None:
                raise AssertionError(line.error)
            spoken = soxr.resample(line.audio.samples, line.audio.sample_rate, RATE).astype(np.float32)
            parts += [spoken, np.zeros(round((0.3 + 0.1 * (number % 4)) * RATE), np.float32)]
            length += sum(len(part) for part in parts[-2:])
            number += 1
        return np.concatenate(parts)[: round(seconds * RATE)]

    try:
        yield speak
    finally:
        engine.close()


def whisper(seconds: float, seed: int = 0) -> Sound:
    """Noise through moving formants in syllables: speech without a voice."""
    rng = np.random.default_rng(seed)
    envelope = np.abs(speechlike(seconds, RATE, seed=seed))
    smooth = np.convolve(envelope, np.ones(960, np.float32) / 960, mode="same")
    return np.asarray(smooth * rng.standard_normal(len(smooth)), np.float32)


def hosts(speak: Speak, seconds: float) -> dict[str, Sound]:
    """Five kinds of programme: three draft voices in two languages, and two formulas."""
    return {
        "draft narrator en": speak("draft-narrator", "en", seconds, 0),
        "draft 1 en": speak("draft-1", "en", seconds, 3),
        "draft narrator zh": speak("draft-narrator", "zh", seconds, 0),
        "formula voiced": speechlike(seconds, RATE, seed=3),
        "formula whispered": whisper(seconds, seed=5),
    }


def transcode(sound: Sound, options: Sequence[str], container: str, rate: int = RATE) -> Sound:
    """Encode with ffmpeg and decode again, mono, rate kept."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
    raw = ["-f", "f32le", "-ar", str(rate), "-ac", "1"]
    encoded = subprocess.run(
        [*command, *raw, "-i", "-", *options, "-f", container, "-"],
        input=np.asarray(sound, "<f4").tobytes(),
        capture_output=True,
        check=True,
    ).stdout
    decoded = subprocess.run([*command, "-i", "-", *raw, "-"], input=encoded, capture_output=True, check=True).stdout
    return np.frombuffer(decoded, "<f4").astype(np.float32)


def mp3(sound: Sound, kbps: int = 64, rate: int = RATE) -> Sound:
    return transcode(sound, ["-c:a", "libmp3lame", "-b:a", f"{kbps}k"], "mp3", rate)


def aac(sound: Sound, kbps: int = 64, rate: int = RATE) -> Sound:
    return transcode(sound, ["-c:a", "aac", "-b:a", f"{kbps}k"], "adts", rate)


def opus(sound: Sound, kbps: int) -> Sound:
    return transcode(sound, ["-c:a", "libopus", "-b:a", f"{kbps}k"], "ogg")


def filtered(sound: Sound, graph: str) -> Sound:
    return transcode(sound, ["-af", graph, "-c:a", "pcm_f32le"], "wav")


def through_rate(sound: Sound, rate: int) -> Sound:
    """Down to another rate and back."""
    down = soxr.resample(sound, RATE, rate)
    return np.asarray(soxr.resample(down, rate, RATE), np.float32)


def faster(sound: Sound, speed: float) -> Sound:
    """Play faster: pitch rises with speed."""
    return np.asarray(soxr.resample(sound, RATE * speed, RATE), np.float32)


def noisy(sound: Sound, snr_db: float, seed: int = 0) -> Sound:
    noise = np.random.default_rng(seed).standard_normal(len(sound)).astype(np.float32)
    level = np.sqrt(np.mean(sound**2)) * 10 ** (-snr_db / 20)
    return np.asarray(sound + noise * level, np.float32)


def chain(sound: Sound) -> Sound:
    """MP3 at 64 kbps, 1 % faster, AAC at 64 kbps, through 16 kHz."""
    return through_rate(aac(faster(mp3(sound), 1.01)), 16_000)


def crop(sound: Sound, start_s: float, seconds: float = 10.0) -> Sound:
    start = round(start_s * RATE)
    return sound[start : start + round(seconds * RATE)]


def crops(sound: Sound, count: int, seconds: float = 10.0) -> list[Sound]:
    """Crops at evenly spread places, the first and the last samples included."""
    return [crop(sound, start, seconds) for start in np.linspace(0.0, len(sound) / RATE - seconds, count)]


ATTACKS: Mapping[str, Callable[[Sound], Sound]] = {
    "none": lambda sound: sound,
    "MP3 64 kbps": mp3,
    "MP3 32 kbps": lambda sound: mp3(sound, 32),
    "AAC 64 kbps": aac,
    "AAC 32 kbps": lambda sound: aac(sound, 32),
    "Opus 32 kbps": lambda sound: opus(sound, 32),
    "Opus 16 kbps": lambda sound: opus(sound, 16),
    "16 kHz": lambda sound: through_rate(sound, 16_000),
    "8 kHz": lambda sound: through_rate(sound, 8_000),
    "speed 1.01": lambda sound: faster(sound, 1.01),
    "speed 0.98": lambda sound: faster(sound, 0.98),
    "tempo 1.01": lambda sound: filtered(sound, "atempo=1.01"),
    "gain -12 dB": lambda sound: sound * np.float32(0.25),
    "noise 20 dB": lambda sound: noisy(sound, 20),
    "noise 10 dB": lambda sound: noisy(sound, 10),
    "telephone 300-3400 Hz": lambda sound: filtered(sound, "highpass=f=300,lowpass=f=3400"),
    "compressor": lambda sound: filtered(sound, "acompressor=threshold=-24dB:ratio=4"),
    "denoiser": lambda sound: filtered(sound, "afftdn=nr=20"),
    "chain": chain,
}
