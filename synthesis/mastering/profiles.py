"""What a track must measure when it is done: profiles as data, and the rules read back from them.

Mono policy: every master is one mono channel and is measured as the mono file it is. A mono file played on two
speakers is 3.01 LU louder than its own measurement, so -19 LUFS here is what shops call -16 LUFS stereo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from synthesis.errors import ProfileUnknown
from synthesis.mastering.measurements import Measurements

MASTER_RATE = 48_000
"""Sample rate of every master, in Hz; one millisecond is exactly 48 samples."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One delivery specification."""

    name: str
    description: str
    measure: Literal["lufs", "rms"]
    """What the target is given in: integrated loudness (BS.1770-4) or RMS of the whole file."""
    target: float
    """LUFS or dBFS RMS, see ``measure``; measured on the mono file."""
    tolerance: float
    """Greatest distance from the target, in LU or dB."""
    ceiling_dbtp: float
    """Greatest true peak of anything delivered, lossy files included."""
    headroom_db: float
    """How far below the ceiling the master is limited: room for what lossy encoding adds."""
    mp3_rate: int = 44_100
    """Sample rate of lossy files, MP3 and M4A, in Hz. FLAC keeps the master's 48 kHz."""
    mp3_kbps: int = 192
    """Constant bit rate."""
    m4a_kbps: int = 96
    head_ms: tuple[int, int] = (0, 10_000)
    """Least and greatest silence before the first word."""
    tail_ms: tuple[int, int] = (0, 10_000)
    """Least and greatest silence after the last word, the last line's own pause included."""
    noise_floor_dbfs: float | None = None
    """Greatest RMS of the quietest half second; None where the specification is silent."""
    room_tone_dbfs: float | None = None
    """RMS of the noise laid under the whole programme; None leaves pauses digitally silent."""
    max_minutes: int | None = None
    """Longest file accepted."""
    mono: str = "mono file, measured as mono"
    notice: str = ""
    """What a person must know before delivering to this specification."""

    @property
    def target_lufs(self) -> float | None:
        """The loudness target, None for profiles that ask for RMS."""
        return self.target if self.measure == "lufs" else None

    @property
    def limit_dbtp(self) -> float:
        """Where the master's limiter stands, in dBTP."""
        return self.ceiling_dbtp - self.headroom_db

    @property
    def unit(self) -> str:
        """Unit of ``target``, as shown to people."""
        return "LUFS" if self.measure == "lufs" else "dBFS RMS"

    def level(self, measured: Measurements) -> float:
        """The measured figure that ``target`` speaks of."""
        return measured.loudness_lufs if self.measure == "lufs" else measured.rms_dbfs


_ALL = (
    Profile(
        name="audiobook",
        description="Audiobooks and M4B: -19 LUFS mono, -3 dBTP",
        measure="lufs",
        target=-19.0,
        tolerance=0.5,
        ceiling_dbtp=-3.0,
        headroom_db=0.5,
    ),
    Profile(
        name="acx",
        description="ACX and shops that reuse its numbers: -23 to -18 dB RMS, peaks to -3, noise floor to -60",
        measure="rms",
        target=-20.5,
        tolerance=2.5,
        ceiling_dbtp=-3.0,
        headroom_db=0.5,
        head_ms=(500, 1_000),
        tail_ms=(1_000, 5_000),
        noise_floor_dbfs=-60.0,
        room_tone_dbfs=-75.0,
        max_minutes=120,
        notice=(
            "ACX itself accepts human narration unless it has authorised the voice: deliver there only with its "
            "permission. Other shops reuse these numbers and accept AI speech that is disclosed."
        ),
    ),
    Profile(
        name="r128",
        description="EBU R 128 broadcast: -23 LUFS, -1 dBTP",
        measure="lufs",
        target=-23.0,
        tolerance=0.5,
        ceiling_dbtp=-1.0,
        headroom_db=0.2,
        mp3_rate=48_000,
    ),
    Profile(
        name="podcast",
        description="Podcasts and courses: -19 LUFS mono (plays as -16 LUFS stereo), -1 dBTP",
        measure="lufs",
        target=-19.0,
        tolerance=1.0,
        ceiling_dbtp=-1.0,
        headroom_db=0.5,
        mono="mono file, measured as mono; -19 LUFS mono plays as loud as -16 LUFS stereo",
    ),
    Profile(
        name="netflix-premix",
        description="Dubbing pre-mix: dialogue at -27 LKFS, limited at -6 dBTP, 48 kHz 24-bit mono",
        measure="lufs",
        target=-27.0,
        tolerance=2.0,
        ceiling_dbtp=-6.0,
        headroom_db=0.2,
        mp3_rate=48_000,
        notice="Measured over the programme; for speech alone this nearly equals a dialogue-gated measurement.",
    ),
)

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in _ALL})


def get_profile(name: str) -> Profile:
    """Find a profile by name. Raises ProfileUnknown, which lists the names there are."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ProfileUnknown(name, tuple(PROFILES)) from None


def check(profile: Profile, measured: Measurements) -> list[str]:
    """List the rules of ``profile`` that a track breaks, a sentence each; [] when it conforms."""
    broken: list[str] = []
    level = profile.level(measured)
    if abs(level - profile.target) > profile.tolerance + 1e-9:
        broken.append(
            f"level is {level:.2f} {profile.unit}, {profile.name} asks for {profile.target:g} ± {profile.tolerance:g}"
        )
    if measured.true_peak_dbtp > profile.ceiling_dbtp + 0.05:
        broken.append(f"true peak is {measured.true_peak_dbtp:.2f} dBTP, the ceiling is {profile.ceiling_dbtp:g}")
    if profile.noise_floor_dbfs is not None and measured.noise_floor_dbfs > profile.noise_floor_dbfs:
        broken.append(
            f"noise floor is {measured.noise_floor_dbfs:.1f} dBFS, at most {profile.noise_floor_dbfs:g} is accepted"
        )
    for place, value, (least, most) in (
        ("before the first word", measured.head_ms, profile.head_ms),
        ("after the last word", measured.tail_ms, profile.tail_ms),
    ):
        if not least <= value <= most:
            broken.append(f"silence {place} is {value} ms, {profile.name} asks for {least} to {most} ms")
    if profile.max_minutes is not None and measured.duration_ms > profile.max_minutes * 60_000:
        broken.append(f"the file lasts {measured.duration_ms / 60_000:.1f} min, at most {profile.max_minutes} accepted")
    return broken
