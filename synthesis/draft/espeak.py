"""The few calls of espeak-ng's C interface that the host makes, through ctypes.

Loaded by the host process only: espeak-ng is GPL-3, and its own process is the border of that licence's reach.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

MAX_AUDIO_S = 900
"""Longest line: synthesis stops there."""


class EspeakFailed(Exception):
    """The library refused; the message says what."""


class LineTooLong(EspeakFailed):
    """The text makes more than MAX_AUDIO_S of speech."""


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


class Espeak:
    """An initialised library. One per process: the library's state is global."""

    def __init__(self, library: str, data: str) -> None:
        self._lib = ctypes.CDLL(library)
        self._lib.espeak_Info.restype = ctypes.c_char_p
        self._lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self.sample_rate: int = self._lib.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), _INITIALIZE_DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise EspeakFailed(f"espeak-ng cannot start with the data in {data}")
        self.version: str = self._lib.espeak_Info(None).decode()
        self._pcm = bytearray()
        self._limit = MAX_AUDIO_S * self.sample_rate * 2
        self._callback = _CALLBACK(self._collect)
        self._lib.espeak_SetSynthCallback(self._callback)

    def _collect(self, wave: int | None, count: int, _events: int | None) -> int:
        if wave and count:
            self._pcm += ctypes.string_at(wave, count * 2)
        return 1 if len(self._pcm) > self._limit else 0

    def language_tags(self) -> Iterator[str]:
        """Every language tag of every voice the library lists."""
        voices = self._lib.espeak_ListVoices(None)
        index = 0
        while voices[index]:
            # "languages" is a run of (priority byte, NUL-terminated tag), closed by a zero priority
            address = voices[index].contents.languages
            while ctypes.string_at(address, 1) != b"\0":
                tag = ctypes.string_at(address + 1)
                yield tag.decode()
                address += len(tag) + 2
            index += 1

    def speak(self, text: str, *, voice: str, rate: int, pitch: int, pitch_range: int) -> bytes:
        """Native-endian int16 mono samples at ``sample_rate``. Raises EspeakFailed, LineTooLong.

        ``voice`` is a language with an optional variant ('en+f2'), ``rate`` in words per minute, ``pitch`` and
        ``pitch_range`` 0 … 99. What comes out depends on everything this process has said before.
        """
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise EspeakFailed(f"espeak-ng has no voice {voice!r}")
        settings = {_RATE: rate, _PITCH: pitch, _RANGE: pitch_range, _VOLUME: 100}
        for parameter, value in settings.items():
            if self._lib.espeak_SetParameter(parameter, value, 0) != 0:
                raise EspeakFailed(f"espeak-ng refused parameter {parameter} = {value}")
        self._lib.espeak_ng_SetRandSeed(ctypes.c_long(1))  # it seeds its noise with the time of day when it starts
        self._pcm.clear()
        data = text.encode() + b"\0"
        status = self._lib.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
        if status != 0:
            raise EspeakFailed(f"espeak-ng returned {status}")
        if len(self._pcm) > self._limit:
            raise LineTooLong(f"the line makes more than {MAX_AUDIO_S} s of speech; split it")
        return bytes(self._pcm)
