from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from voicelike import speechlike, tone

from synthesis.errors import AudioUnreadable, EncodeError
from synthesis.mastering.encode import EncodedFile, TrackTags, check_encoded, encode_track
from synthesis.mastering.ffmpeg import decode_pipe, ffmpeg_exe, run_ffmpeg
from synthesis.mastering.profiles import PROFILES, get_profile
from synthesis.mastering.tags import Kind
from synthesis.mastering.track import MasteredTrack, Part, WatermarkSpec, master_track
from synthesis.watermark import detect_file

TAGS = TrackTags(
    title="Der Fuchs — 狐",
    album="Fabeln",
    artist="Äsop",
    narrator="draft-narrator",
    track=3,
    tracks=12,
    year="2026",
    language="de-AT",
    comment="AI-generated speech; draft voice, not for publication",
    publisher="Nobody & Sons",
)
# 1 × 1 pixel
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> MasteredTrack:
    folder = tmp_path_factory.mktemp("master")
    parts = []
    for index in range(6):
        path = folder / f"{index}.flac"
        sf.write(path, speechlike(3, 22_050, seed=index, level=0.3), 22_050, subtype="PCM_24")
        parts.append(Part(index, path, 400, "anna"))
    return master_track(parts, get_profile("audiobook"), folder / "m.flac", watermark=None, head_ms=500, tail_ms=1_500)


def said(path: Path) -> str:
    """What ffmpeg reads back from a file's header."""
    command = [ffmpeg_exe(), "-hide_banner", "-nostdin", "-i", str(path)]
    return subprocess.run(command, capture_output=True, check=False).stderr.decode("utf-8", "replace")


def encode(track: MasteredTrack, folder: Path, kind: Kind, cover: bytes | None = None) -> EncodedFile:
    return encode_track(track.path, folder / f"x.{kind}", kind, get_profile("audiobook"), TAGS, cover)


@pytest.mark.parametrize("kind", ["mp3", "flac", "m4a"])
def test_length_level_and_peak_survive(track: MasteredTrack, tmp_path: Path, kind: Kind) -> None:
    made = encode(track, tmp_path, kind)
    assert abs(made.duration_ms - track.measurements.duration_ms) <= 1
    assert made.loudness_lufs == pytest.approx(track.measurements.loudness_lufs, abs=0.1)
    assert made.true_peak_dbtp <= -3.0
    assert made.gain_db == 0.0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"x.{kind}"]


@pytest.mark.parametrize("kind", ["mp3", "flac", "m4a"])
@pytest.mark.parametrize("cover", [None, PNG], ids=["no cover", "cover"])
def test_tags_can_be_read_back(track: MasteredTrack, tmp_path: Path, kind: Kind, cover: bytes | None) -> None:
    text = said(encode(track, tmp_path, kind, cover).path)
    for words in ("Der Fuchs — 狐", "Fabeln", "Äsop", "draft-narrator", "2026", "not for publication", "AI_GENERATED"):
        assert words in text
    assert ("attached pic" in text) == (cover is not None)


def test_mp3_is_constant_bit_rate_with_both_kinds_of_id3(track: MasteredTrack, tmp_path: Path) -> None:
    made = encode(track, tmp_path, "mp3")
    data = made.path.read_bytes()
    assert data[:4] == b"ID3\x03"
    assert data[-128:-125] == b"TAG"
    assert b"TLAN" in data
    text = said(made.path)
    assert "44100 Hz, mono" in text
    assert "192 kb/s" in text
    assert len(data) * 8 / made.duration_ms == pytest.approx(192, rel=0.02)


def test_flac_is_the_master_bit_for_bit(track: MasteredTrack, tmp_path: Path) -> None:
    made = encode(track, tmp_path, "flac", PNG)
    assert sf.info(made.path).subtype == "PCM_24"
    assert np.array_equal(sf.read(made.path, dtype="int32")[0], sf.read(track.path, dtype="int32")[0])


def test_flac_from_a_wav_master(track: MasteredTrack, tmp_path: Path) -> None:
    samples, rate = sf.read(track.path, dtype="float32")
    sf.write(tmp_path / "m.wav", samples, rate, subtype="FLOAT")
    made = encode_track(tmp_path / "m.wav", tmp_path / "x.flac", "flac", get_profile("audiobook"), TAGS)
    assert np.abs(sf.read(made.path, dtype="float32")[0] - samples).max() < 2**-22


@pytest.mark.parametrize("kind", ["mp3", "flac", "m4a"])
def test_the_same_master_gives_the_same_bytes(track: MasteredTrack, tmp_path: Path, kind: Kind) -> None:
    first = encode(track, tmp_path, kind, PNG).path.read_bytes()
    assert encode(track, tmp_path, kind, PNG).path.read_bytes() == first


@pytest.mark.parametrize("name", list(PROFILES))
def test_no_profile_changes_the_level_of_an_mp3(tmp_path: Path, name: str) -> None:
    sf.write(tmp_path / "m.flac", tone(-15, 5), 48_000, subtype="PCM_24")
    made = encode_track(tmp_path / "m.flac", tmp_path / "x.mp3", "mp3", PROFILES[name], TAGS)
    assert made.loudness_lufs == pytest.approx(-18, abs=0.05)


def test_a_peak_that_rises_in_encoding_is_brought_down(tmp_path: Path) -> None:
    # noise right at the ceiling: every lossy encoder overshoots it
    noise = np.random.default_rng(3).uniform(-1, 1, 10 * 48_000)
    sf.write(tmp_path / "m.flac", (noise * 10 ** (-3.2 / 20)).astype(np.float32), 48_000, subtype="PCM_24")
    made = encode_track(tmp_path / "m.flac", tmp_path / "x.mp3", "mp3", get_profile("acx"), TAGS)
    assert made.gain_db < 0
    assert made.true_peak_dbtp <= -3.0


def test_chapters_of_one_profile_can_be_joined_by_copy(track: MasteredTrack, tmp_path: Path) -> None:
    made = encode(track, tmp_path, "m4a")
    listing = tmp_path / "list.txt"
    listing.write_text(f"file '{made.path}'\nfile '{made.path}'\n")
    joined = tmp_path / "joined.m4a"
    run_ffmpeg(
        ["-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy", "-f", "ipod", str(joined)], target="joined"
    )
    assert check_encoded(joined, "m4a").duration_ms == pytest.approx(2 * made.duration_ms, abs=60)


def test_the_watermark_is_found_in_what_is_delivered(tmp_path: Path) -> None:
    path = tmp_path / "take.flac"
    sf.write(path, speechlike(30, 22_050, seed=2), 22_050, subtype="PCM_24")
    mark = WatermarkSpec(b"0123456789abcdef", 0xCAFE1234)
    marked = master_track(
        [Part(1, path, 0, "anna")],
        get_profile("acx"),
        tmp_path / "m.flac",
        watermark=mark,
        head_ms=700,
        tail_ms=1_500,
    )
    for kind in ("mp3", "m4a"):
        made = encode_track(marked.path, tmp_path / f"x.{kind}", kind, get_profile("acx"), TAGS)
        detection = detect_file(made.path, [mark.key], thorough=False)
        assert (detection.found, detection.payload) == (True, mark.payload)


def test_silence_can_be_encoded(tmp_path: Path) -> None:
    sf.write(tmp_path / "m.flac", np.zeros(48_000, np.float32), 48_000, subtype="PCM_24")
    for kind in ("mp3", "flac", "m4a"):
        made = encode_track(tmp_path / "m.flac", tmp_path / f"x.{kind}", kind, get_profile("r128"), TAGS)
        assert made.loudness_lufs == -70
        assert made.duration_ms == pytest.approx(1000, abs=1)


def test_odd_texts_in_tags_do_no_harm(track: MasteredTrack, tmp_path: Path) -> None:
    tags = TrackTags("=;\\#\n'\"\x00 -y", "-i", "", "", 0, 0, "", "xx", "")
    made = encode_track(track.path, tmp_path / "-x.mp3", "mp3", get_profile("audiobook"), tags)
    assert "=;\\#" in said(made.path)
    assert "AI-generated" in said(made.path)


def test_a_cover_that_is_no_picture(track: MasteredTrack, tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match="neither JPEG nor PNG"):
        encode(track, tmp_path, "mp3", b"GIF89a")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_cover_is_the_encoders_own_words(track: MasteredTrack, tmp_path: Path) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(track, tmp_path, "m4a", PNG[:20])
    assert len(str(caught.value)) > 30
    assert list(tmp_path.iterdir()) == []


def test_a_master_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "m.flac").write_bytes(b"junk")
    with pytest.raises(AudioUnreadable, match=r"m\.flac"):
        encode_track(tmp_path / "m.flac", tmp_path / "x.mp3", "mp3", get_profile("acx"), TAGS)
    sf.write(tmp_path / "s.flac", np.zeros((100, 2)), 48_000)
    with pytest.raises(AudioUnreadable, match="2 channels"):
        encode_track(tmp_path / "s.flac", tmp_path / "x.mp3", "mp3", get_profile("acx"), TAGS)


def test_a_place_that_cannot_be_written(track: MasteredTrack, tmp_path: Path) -> None:
    with pytest.raises((EncodeError, OSError)):
        encode_track(track.path, tmp_path / "nowhere" / "x.mp3", "mp3", get_profile("acx"), TAGS)


def test_ffmpeg_is_ended_when_it_takes_too_long() -> None:
    args = ["-re", "-f", "lavfi", "-i", "sine=duration=60", "-f", "null", "-"]
    with pytest.raises(EncodeError, match="did not finish within"):
        run_ffmpeg(args, target="null", timeout_s=0.5)


def test_ffmpeg_is_ended_when_its_feed_fails(tmp_path: Path) -> None:
    def feed() -> Iterator[np.ndarray]:
        yield np.zeros(48_000, np.float32)
        raise AudioUnreadable("master", "gone")

    args = ["-f", "f32le", "-ar", "48000", "-ac", "1", "-i", "pipe:0", str(tmp_path / "x.wav")]
    with pytest.raises(AudioUnreadable, match="gone"):
        run_ffmpeg(args, target="x.wav", feed=feed())


def test_decoding_streams_and_mixes_to_mono(tmp_path: Path) -> None:
    stereo = np.stack([tone(-12, 2, 44_100), tone(-12, 2, 44_100)], axis=1)
    sf.write(tmp_path / "s.wav", stereo, 44_100)
    blocks = list(decode_pipe(tmp_path / "s.wav", 16_000, block=10_000))
    assert [len(block) for block in blocks] == [10_000, 10_000, 10_000, 2_000]
    assert np.concatenate(blocks)[8_000:24_000].std() == pytest.approx(10 ** (-12 / 20) / np.sqrt(2), rel=0.01)


def test_decoding_passes_over_damage_unless_strict(track: MasteredTrack, tmp_path: Path) -> None:
    path = encode(track, tmp_path, "flac").path
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    path.write_bytes(data)
    heard = sum(len(block) for block in decode_pipe(path, 48_000))
    assert heard > 0.9 * track.samples
    with pytest.raises(AudioUnreadable, match=r"x\.flac"):
        list(decode_pipe(path, 48_000, strict=True))


def test_decoding_may_be_left_early(tmp_path: Path) -> None:
    sf.write(tmp_path / "s.wav", tone(-12, 60), 48_000)
    blocks = decode_pipe(tmp_path / "s.wav", 48_000, block=1_000)
    assert len(next(blocks)) == 1_000
    blocks.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [b"", b"not audio", PNG])
def test_decoding_what_is_not_audio(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    with pytest.raises(AudioUnreadable, match=r"x\.bin"):
        list(decode_pipe(path, 48_000))
