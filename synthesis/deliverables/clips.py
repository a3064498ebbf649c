"""Single lines as files of their own, for games: each mastered, marked and labelled by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from synthesis.errors import EncodeError
from synthesis.mastering.encode import EncodedFile, check_encoded
from synthesis.mastering.ffmpeg import run_ffmpeg
from synthesis.mastering.loudness import GATING_BLOCK_MS
from synthesis.mastering.profiles import Profile
from synthesis.mastering.tags import TrackTags, metadata_args
from synthesis.mastering.takes import Part
from synthesis.mastering.track import MasteredTrack, WatermarkSpec, master_track

ClipKind = Literal["flac", "wav", "ogg"]
CLIP_KINDS: tuple[ClipKind, ...] = get_args(ClipKind)

_ATTEMPTS = 3
_BELOW_CEILING_DB = 0.1
_CODECS: dict[ClipKind, list[str]] = {
    "flac": ["-c:a", "copy", "-f", "flac"],  # of a FLAC master
    "wav": ["-c:a", "pcm_s24le", "-f", "wav"],
    "ogg": ["-c:a", "libvorbis", "-q:a", "6", "-f", "ogg"],
}


def master_clip(part: Part, profile: Profile, dst: Path, *, watermark: WatermarkSpec) -> MasteredTrack:
    """Master one take to ``profile`` by itself, without silence around it, and write ``dst`` as ``master_track`` does.

    A line under 400 ms has no loudness by BS.1770: silence after it makes it that long, and the target is lowered by as
    much as the silence lowers the measure, so that the line itself is as loud as others. Raises what ``master_track``
    raises.
    """
    alone = replace(part, pause_ms=0)
    made = master_track([alone], profile, dst, watermark=watermark, head_ms=0, tail_ms=0)
    length_ms = made.measurements.duration_ms
    if length_ms > GATING_BLOCK_MS:
        return made
    whole_ms = GATING_BLOCK_MS + 1
    lowered = replace(profile, target=profile.target + 10 * math.log10(max(1, length_ms) / whole_ms))
    return master_track([alone], lowered, dst, watermark=watermark, head_ms=0, tail_ms=whole_ms - length_ms)


def write_clip(master: Path, dst: Path, kind: ClipKind, profile: Profile, tags: TrackTags) -> EncodedFile:
    """Make one file of a line's master (FLAC), tagged, and measure it as it decodes.

    ``flac``, ``wav``: 24 bit at the master's rate. ``ogg``: Vorbis, encoded again, quieter, while its decoded true peak
    is above the profile's ceiling. The same master and tags give the same bytes. ``dst`` appears only whole. Raises
    EncodeError, AudioUnreadable.
    """
    aside = dst.with_name(dst.name + ".part")
    gain_db = 0.0
    try:
        for left in reversed(range(_ATTEMPTS)):
            run_ffmpeg(_arguments(master, aside, kind, tags, gain_db), target=str(dst))
            made = check_encoded(aside, "flac")  # libsndfile tells by itself what a file is
            over = made.true_peak_dbtp - profile.ceiling_dbtp
            if kind != "ogg" or over <= 0 or not left:
                break
            gain_db -= over + _BELOW_CEILING_DB
        if made.duration_ms == 0:
            raise EncodeError(str(dst), "decodes to nothing")
        aside.replace(dst)
    finally:
        aside.unlink(missing_ok=True)
    return replace(made, path=dst, gain_db=round(gain_db, 3))


def _arguments(master: Path, aside: Path, kind: ClipKind, tags: TrackTags, gain_db: float) -> Sequence[str]:
    quieter = ["-af", f"volume={gain_db:.3f}dB"] if gain_db else []
    # bitexact: no encoder versions, no clock and no random stream number, so that the same master gives the same bytes
    exact = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    source = ["-i", f"file:{master}", "-map", "0:a:0", *quieter]
    return [*source, *exact, *metadata_args(tags, "flac"), *_CODECS[kind], f"file:{aside}"]
