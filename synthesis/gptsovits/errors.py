"""What can be wrong with a voice made of checkpoints and clips.

SynthesisError
├── VoiceError
│   ├── VoiceMalformed        the voice's parameters do not describe a voice
│   ├── ModelChanged          a file is not the one the voice was registered with
│   ├── ModelNeeded           the voice needs a network that it does not name
│   └── ReferenceUnusable     a reference clip cannot be cloned from
│       ├── ReferenceLength       shorter than 3 s or longer than 10 s
│       ├── ReferenceSilent       nothing is heard in it
│       ├── TranscriptEmpty       nobody wrote down what it says
│       └── TranscriptUnreadable  what was written down cannot be spoken
├── TextError
│   └── SegmentTooLong        a segment does not fit beside its reference
└── EngineError
    └── LineOverdue           a line took longer than it may
"""

from __future__ import annotations

from synthesis.errors import EngineError, TextError, VoiceError


class VoiceMalformed(VoiceError):
    """The parameters of a voice do not describe one."""

    def __init__(self, voice: str, field: str, reason: str) -> None:
        super().__init__(voice, field, reason)
        self.voice = voice
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"voice {self.voice!r}: {self.field}: {self.reason}; register the voice again"


class ModelChanged(VoiceError):
    """A file was exchanged after the voice was registered: takes would not be what their digest says."""

    def __init__(self, path: str, wanted: str, found: str) -> None:
        super().__init__(path, wanted, found)
        self.path = path
        self.wanted = wanted
        self.found = found

    def __str__(self) -> str:
        return (
            f"{self.path} is not the file the voice was registered with (sha256 {self.found[:12]}…, "
            f"registered {self.wanted[:12]}…); put the old file back or register the voice again"
        )


class ModelNeeded(VoiceError):
    """The voice needs a network it does not name."""

    def __init__(self, network: str, reason: str) -> None:
        super().__init__(network, reason)
        self.network = network
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}: name it with --{self.network}"


class ReferenceUnusable(VoiceError):
    """A reference clip cannot be cloned from."""


class ReferenceLength(ReferenceUnusable):
    """A reference clip is shorter than 3 s or longer than 10 s."""

    def __init__(self, clip: str, seconds: float, shortest: float, longest: float) -> None:
        super().__init__(clip, seconds, shortest, longest)
        self.clip = clip
        self.seconds = seconds
        self.shortest = shortest
        self.longest = longest

    def __str__(self) -> str:
        what = "cut a passage out of it" if self.seconds > self.longest else "choose a longer one"
        return (
            f"{self.clip} lasts {self.seconds:.2f} s; a reference lasts {self.shortest:g} to {self.longest:g} s: {what}"
        )


class ReferenceSilent(ReferenceUnusable):
    """Nothing is heard in a reference clip."""

    def __init__(self, clip: str, peak_dbfs: float) -> None:
        super().__init__(clip, peak_dbfs)
        self.clip = clip
        self.peak_dbfs = peak_dbfs

    def __str__(self) -> str:
        return (
            f"{self.clip} is silent (loudest passage {self.peak_dbfs:.0f} dBFS); choose a clip in which somebody speaks"
        )


class TranscriptEmpty(ReferenceUnusable):
    """A reference clip has no transcript."""

    def __init__(self, clip: str) -> None:
        super().__init__(clip)
        self.clip = clip

    def __str__(self) -> str:
        return f"{self.clip} has no transcript; write down, word for word, what is said in it"


class TranscriptUnreadable(ReferenceUnusable):
    """The transcript of a reference clip cannot be spoken."""

    def __init__(self, clip: str, reason: str) -> None:
        super().__init__(clip, reason)
        self.clip = clip
        self.reason = reason

    def __str__(self) -> str:
        return f"the transcript of {self.clip} cannot be read: {self.reason}"


class SegmentTooLong(TextError):
    """A segment of a line does not fit into the decoder beside its reference."""

    def __init__(self, text: str, positions: int, limit: int) -> None:
        super().__init__("too long in one piece", text)
        self.args = (text, positions, limit)
        self.positions = positions
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"{super().__str__()} needs {self.positions} positions beside its reference, the decoder has {self.limit}; "
            "divide the line with a full stop or a comma"
        )


class LineOverdue(EngineError):
    """A line took longer than it may."""

    def __init__(self, engine: str, line_id: int, seconds: float) -> None:
        super().__init__(engine, f"line {line_id} was not done after {seconds:.0f} s")
        self.args = (engine, line_id, seconds)
        self.line_id = line_id
        self.seconds = seconds
