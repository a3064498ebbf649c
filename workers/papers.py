"""What the report and the manifest say, read from the work and the delivered files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from db.records import DeliverySection, DeliveryWork, SectionLine
from synthesis.deliverables.manifest import (
    DRAFT_STATEMENT,
    ManifestData,
    ManifestFile,
    ManifestLine,
    ManifestTrack,
    ManifestVoice,
)
from synthesis.deliverables.report import (
    ReportChapter,
    ReportCheck,
    ReportData,
    ReportFile,
    ReportFinding,
    ReportLine,
    ReportVoice,
)
from synthesis.mastering.measurements import LEVEL_FLOOR_DB, LOUDNESS_FLOOR_LUFS
from synthesis.mastering.profiles import Profile, get_profile
from workers.clips import FOLDER, is_clip
from workers.labels import DRAFT_ENGINES
from workers.takes import spoken_lines


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """A file as delivered. ``duration_ms`` is None when it is not audio."""

    name: str
    kind: str
    sha256: str
    size: int
    duration_ms: int | None = None
    line: str | None = None
    """Key of the line, of a single line's file."""
    watermark: int | None = None
    """Payload of its mark, of a single line's file; whole tracks have theirs on record."""


def manifest_data(work: DeliveryWork, files: Sequence[DeliveredFile], made_at: datetime, software: str) -> ManifestData:
    """Everything the manifest says."""
    return ManifestData(
        production={
            "slug": work.slug,
            "title": work.title,
            "author": work.author,
            "language": work.language,
            "kind": work.kind,
            "source_name": work.source_name,
            "source_sha256": work.source_sha256,
        },
        job={
            "id": work.job_id,
            "revision": work.revision,
            "created_at": work.created_at.isoformat(),
            "options": work.options.model_dump(mode="json"),
        },
        software=software,
        made_at=made_at.isoformat(),
        profile=_profile_facts(get_profile(work.profile)),
        voices=tuple(
            ManifestVoice(voice, engine, engine_version, engine in DRAFT_ENGINES)
            for voice, engine, engine_version in _voices(work)
        ),
        tracks=tuple(_manifest_track(section) for section in work.sections),
        files=tuple(
            ManifestFile(f.name, f.kind, f.sha256, f.size, f.duration_ms, line=f.line, watermark=f.watermark)
            for f in files
        ),
    )


def report_data(
    work: DeliveryWork, files: Sequence[DeliveredFile], made_at: datetime, software: str, warnings: Sequence[str] = ()
) -> ReportData:
    """Everything the report shows; ``warnings`` are what went wrong on the way."""
    counts = Counter(line.voice for line in _spoken(work))
    draft = any(engine in DRAFT_ENGINES for _, engine, _ in _voices(work))
    return ReportData(
        title=work.title,
        author=work.author,
        language=work.language,
        made_at=made_at,
        software=software,
        profile=work.profile,
        checks=tuple(_checks(work, get_profile(work.profile))),
        voices=tuple(
            ReportVoice(voice, engine, counts[voice], engine in DRAFT_ENGINES) for voice, engine, _ in _voices(work)
        ),
        chapters=tuple(_chapter(section) for section in work.sections),
        files=tuple(ReportFile(f.name, f.kind, f.size, f.sha256, f.duration_ms) for f in files if f.line is None),
        source=work.source_name,
        render_s=max(0.0, (made_at - work.created_at).total_seconds()),
        warnings=(*((DRAFT_STATEMENT,) if draft else ()), *warnings),
        profile_notice=get_profile(work.profile).notice,
        facts={"Job": work.job_id, "Production": work.slug} | _line_files(files),
    )


def _line_files(files: Sequence[DeliveredFile]) -> dict[str, str]:
    """One sentence for all single lines: ten thousand of them are for the manifest."""
    count = sum(1 for file in files if file.line is not None)
    return {"Single lines": f"{count} files under {FOLDER}/, listed in manifest.json"} if count else {}


def _spoken(work: DeliveryWork) -> list[SectionLine]:
    return [line for section in work.sections for line in section.lines if not line.skipped and line.voice]


def _voices(work: DeliveryWork) -> list[tuple[str, str, str]]:
    """(label, engine, engine version) of every voice heard, once."""
    return sorted({(str(line.voice), line.engine or "", line.engine_version or "") for line in _spoken(work)})


def _profile_facts(profile: Profile) -> Mapping[str, Any]:
    return {key: value for key, value in asdict(profile).items() if key not in ("description", "notice")}


def _offsets(section: DeliverySection) -> dict[int, Mapping[str, Any]]:
    """Line → where it lies in the track. By order, not by id: a track that is used again was made for other rows."""
    spoken = spoken_lines(section.lines)
    return {line.line_id: offset for line, offset in zip(spoken, section.track.offsets, strict=True)}


def _manifest_track(section: DeliverySection) -> ManifestTrack:
    offsets = _offsets(section)
    return ManifestTrack(
        position=section.position,
        key=section.key,
        title=section.title,
        digest=section.track.digest,
        samples=section.track.samples,
        sample_rate=section.track.sample_rate,
        measurements=_of_track(section.track.measurements),
        watermark=section.track.watermark,
        lines=tuple(_manifest_line(line, offsets.get(line.line_id)) for line in section.lines),
    )


def _of_track(measurements: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the files of single lines: the list of files has those."""
    if "files" not in measurements:
        return measurements
    files = {kind: facts for kind, facts in measurements["files"].items() if not is_clip(kind)}
    return {**measurements, "files": files}


def _manifest_line(line: SectionLine, offset: Mapping[str, Any] | None) -> ManifestLine:
    return ManifestLine(
        key=line.key,
        character=line.character,
        text=line.text,
        language=line.language,
        digest=line.digest,
        audio=line.audio_sha256,
        voice=line.voice,
        engine=line.engine,
        engine_version=line.engine_version,
        seed=line.seed,
        start_samples=None if offset is None else int(offset["start"]),
        samples=None if offset is None else int(offset["samples"]),
        pause_ms=line.pause_ms,
        findings=line.findings,
        skipped=line.skipped,
        in_ms=line.in_ms,
        out_ms=line.out_ms,
    )


def _chapter(section: DeliverySection) -> ReportChapter:
    measured = section.track.measurements
    rate = section.track.sample_rate
    offsets = _offsets(section)
    return ReportChapter(
        position=section.position,
        title=section.title or section.key,
        duration_ms=round(section.track.samples * 1000 / rate),
        loudness_lufs=_defined(section.track.loudness_lufs, LOUDNESS_FLOOR_LUFS),
        true_peak_dbtp=_defined(section.track.true_peak_dbtp, LEVEL_FLOOR_DB),
        rms_dbfs=_defined(measured.get("rms_dbfs"), LEVEL_FLOOR_DB),
        noise_floor_dbfs=_defined(measured.get("noise_floor_dbfs"), LEVEL_FLOOR_DB),
        peaks=tuple((float(low), float(high)) for low, high in measured.get("peaks", ())),
        lines=tuple(_report_line(line, offsets.get(line.line_id), rate) for line in section.lines),
        warnings=tuple(str(warning) for warning in measured.get("warnings", ())),
        gain_db=measured.get("gain_db"),
    )


def _report_line(line: SectionLine, offset: Mapping[str, Any] | None, rate: int) -> ReportLine:
    return ReportLine(
        key=line.key,
        character=line.character,
        voice=line.voice or "",
        text=line.text,
        duration_ms=None if offset is None else round(int(offset["samples"]) * 1000 / rate),
        start_ms=None if offset is None else round(int(offset["start"]) * 1000 / rate),
        findings=tuple(
            ReportFinding(str(finding.get("code", "")), str(finding.get("message", "")), "flag")
            for finding in line.findings
            if finding.get("severity") != "note"  # those are in the manifest
        ),
        skipped=line.skipped,
    )


def _defined(value: float | None, floor: float) -> float | None:
    return None if value is None or value <= floor else float(value)


def _checks(work: DeliveryWork, profile: Profile) -> list[ReportCheck]:
    """The profile's requirements over all tracks: the worst track speaks for the production."""
    tracks = [section.track for section in work.sections]
    if not tracks:
        return []
    key = "loudness_lufs" if profile.measure == "lufs" else "rms_dbfs"
    levels = [float(track.measurements.get(key, track.loudness_lufs)) for track in tracks]
    worst = max(levels, key=lambda level: abs(level - profile.target))
    peak = max(track.true_peak_dbtp for track in tracks)
    return [
        ReportCheck(
            "Level",
            f"{profile.target:g} ± {profile.tolerance:g} {profile.unit}",
            f"{min(levels):.2f} … {max(levels):.2f} {profile.unit}",
            "pass" if abs(worst - profile.target) <= profile.tolerance + 1e-9 else "fail",
        ),
        ReportCheck(
            "True peak",
            f"at most {profile.ceiling_dbtp:g} dBTP",
            f"{peak:.2f} dBTP",
            "pass" if peak <= profile.ceiling_dbtp + 0.05 else "fail",
        ),
    ]
