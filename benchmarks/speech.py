"""Codes to audio, and whole lines to audio, in seconds of audio per second: full size, on weights made from a formula.

    python benchmarks/speech.py [--versions v2,v2ProPlus] [--seconds 2,6,24] [--rounds 3] [--reference CHECKOUT]
                                [--lines 16] [--files FOLDER] [--json]

Decoding is what becomes of the codes of one line: style of the reference, content encoder, flow and decoder.
``--reference`` names a checkout of the reference implementation (github.com/RVC-Boss/GPT-SoVITS, with einops and tqdm
installed): it decodes the same codes with the same weights in turns with ours, and the ratios are printed, by the clock
and by processor time, each of the best of all rounds, because these machines are shared. ``difference`` is the largest
between the two, on a scale where 1 is full.

``--lines`` sends so many English lines through the engine that workers use: text, codes of ``--codes`` each, audio,
checks. Weights from a formula know no end, so the codes of a line are bounded. Its files, 1.3 GB, are kept in
``--files`` for the next time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))

from full_voice import S2_CONFIG, S2_FREE, clip, make

from synthesis.engine import LineRequest, VoiceSpec
from synthesis.gptsovits.engine import GptSovitsEngine
from synthesis.gptsovits.loading import Loaders
from synthesis.gptsovits.registering import make_voice
from synthesis.gptsovits.s2 import S2Model
from synthesis.gptsovits.s2.config import S2Config
from synthesis.gptsovits.s2.layout import entries
from synthesis.gptsovits.voice import ENGINE
from synthesis.parity import fill

CODES_PER_SECOND, PHONEMES_PER_SECOND, REFERENCE_FRAMES = 25, 12, 250
VERSIONS: dict[str, dict[str, Any]] = {
    "v1": {"gin_channels": 512, "upsample_initial_channel": 512, "upsample_kernel_sizes": [16, 16, 8, 2, 2]},
    "v2": {"gin_channels": 512, "upsample_initial_channel": 512, "upsample_kernel_sizes": [16, 16, 8, 2, 2]},
    "v2Pro": {"gin_channels": 1024, "upsample_initial_channel": 512, "upsample_kernel_sizes": [16, 16, 8, 2, 2]},
    "v2ProPlus": {"gin_channels": 1024, "upsample_initial_channel": 768, "upsample_kernel_sizes": [20, 16, 8, 2, 2]},
}
TEXTS = (
    "The fox went out on a winter night.",
    "Nobody answered the door.",
    "She waited there for a very long time.",
    "Seven lanterns burned along the river.",
)


@dataclass(frozen=True)
class Source:
    """Weights and configuration as a checkpoint would hold them."""

    weights: dict[str, Tensor]
    config: dict[str, Any]
    version: str

    @classmethod
    def of(cls, version: str) -> Source:
        """In the published sizes."""
        config = {**S2_CONFIG, "model": {**S2_CONFIG["model"], **VERSIONS[version], "version": version}}
        free: dict[str, tuple[int, ...]] = dict(S2_FREE)
        if version == "v1":
            free |= {"enc_p.text_embedding.weight": (322, 192), "ref_enc.spectral.0.fc.weight": (128, 1025)}
        shapes = dict(entries(S2Config.from_mapping(config), version, free))
        return cls({name: torch.from_numpy(value) for name, value in fill("speech", shapes).items()}, config, version)


@dataclass(frozen=True)
class Line:
    """What both are given."""

    codes: Tensor
    phonemes: Tensor
    spectrogram: Tensor
    speaker: Tensor | None

    @classmethod
    def of(cls, source: Source, seconds: float) -> Line:
        """A line of so many seconds, and a reference of five."""
        draw = torch.Generator().manual_seed(1)
        symbols = source.weights["enc_p.text_embedding.weight"].shape[0]
        return cls(
            codes=torch.randint(1024, (round(seconds * CODES_PER_SECOND),), generator=draw),
            phonemes=torch.randint(symbols, (round(seconds * PHONEMES_PER_SECOND),), generator=draw),
            spectrogram=torch.rand(1025, REFERENCE_FRAMES, generator=draw),
            speaker=torch.randn(20480, generator=draw) if "Pro" in source.version else None,
        )


Decoder = Callable[[Line], Tensor]


def ours(source: Source) -> Decoder:
    """Our decoder, without noise, so that its audio can be compared."""
    model = S2Model.from_checkpoint(source)

    def run(line: Line) -> Tensor:
        style = model.style([line.spectrogram], None if line.speaker is None else [line.speaker])
        return model.decode(line.codes, line.phonemes, style, noise_scale=0)

    return run


def reference(checkout: Path, source: Source) -> Decoder:
    """The reference's decoder."""
    if str(checkout / "GPT_SoVITS") not in sys.path:
        sys.path.insert(0, str(checkout / "GPT_SoVITS"))
        # flow matching of v3 and v4, which needs more packages and is not used here
        sys.modules["f5_tts"], sys.modules["f5_tts.model"] = (
            types.ModuleType("f5_tts"),
            types.ModuleType("f5_tts.model"),
        )
        sys.modules["f5_tts.model"].DiT = None  # type: ignore[attr-defined]
    from module.models import SynthesizerTrn  # type: ignore[import-not-found]

    numbers = dict(source.config["model"])
    model = SynthesizerTrn(1025, 32, n_speakers=0, p_dropout=0.0, **numbers)
    lacking, surplus = model.load_state_dict(source.weights, strict=False)
    if surplus or any(not name.startswith("enc_q.") for name in lacking):
        raise SystemExit(f"the checkout's network has other tensors: {lacking} {surplus}")
    model.eval()

    def run(line: Line) -> Tensor:
        speaker = () if line.speaker is None else ([line.speaker[None]],)
        audio = model.decode(
            line.codes[None, None], line.phonemes[None], [line.spectrogram[None]], 0.0, 1, *speaker
        )  # [1, 1, samples]
        return audio[0, 0]

    return run


@dataclass
class Best:
    """The least that a round took."""

    wall_s: float = float("inf")
    cpu_s: float = float("inf")

    def time(self, run: Callable[[], Any]) -> Any:
        """Run once."""
        wall, busy = time.perf_counter(), time.process_time()
        result = run()
        self.cpu_s = min(self.cpu_s, time.process_time() - busy)
        self.wall_s = min(self.wall_s, time.perf_counter() - wall)
        return result


def decoding(version: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each length."""
    source = Source.of(version)
    mine = ours(source)
    theirs = reference(options.reference, source) if options.reference else None
    for seconds in options.seconds:
        line, our_best, their_best = Line.of(source, seconds), Best(), Best()
        for _ in range(options.rounds):
            audio = our_best.time(lambda line=line: mine(line))
            if theirs is not None:
                difference = float((their_best.time(lambda line=line: theirs(line)) - audio).abs().max())
        row = {"what": "decode", "version": version, "seconds": seconds, **_rates("", seconds, our_best)}
        if theirs is not None:
            row |= _rates("reference_", seconds, their_best)
            row |= {
                "ratio": round(their_best.wall_s / our_best.wall_s, 2),
                "cpu_ratio": round(their_best.cpu_s / our_best.cpu_s, 2),
                "difference": f"{difference:.1e}",
            }
        yield row


def _rates(prefix: str, seconds: float, best: Best) -> dict[str, Any]:
    """Times real time by the clock, and per second of processor time."""
    return {
        f"{prefix}x": round(seconds / best.wall_s, 2),
        f"{prefix}x_per_cpu_s": round(seconds / best.cpu_s, 2),
    }


class Bounded(Loaders):
    """Ends every segment after so many codes."""

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.codes = codes

    def batch(self, model: Any, slots: int) -> Any:
        """A batch that asks for no more."""
        batch = super().batch(model, slots)
        admit = batch.admit
        batch.admit = lambda key, request: admit(key, replace(request, max_codes=self.codes))  # type: ignore[method-assign]
        return batch


def whole(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Lines through the engine, text to audio."""
    parts = make_voice("full", make(folder)[0], [clip(folder)], rerolls=0, cut="cut0")
    voice = VoiceSpec("full", 1, ENGINE, ("en",), parts.to_parameters())
    engine = GptSovitsEngine(options.lines, loaders=Bounded(options.codes))
    engine.load(voice)
    best, heard_ms = Best(), 0
    for _ in range(options.rounds):
        lines = [
            LineRequest(line_id=number, text=TEXTS[number % len(TEXTS)], language="en", voice=voice, seed=number)
            for number in range(options.lines)
        ]
        heard_ms = best.time(lambda lines=lines: _heard(engine, lines))
    engine.close()
    seconds = heard_ms / 1000
    row = {"what": "engine", "lines": options.lines, "codes": options.codes, "audio_s": seconds}
    return row | _rates("", seconds, best)


def _heard(engine: GptSovitsEngine, lines: Sequence[LineRequest]) -> int:
    """Milliseconds of audio that the lines become."""
    engine.submit(lines)
    total = 0
    while engine.in_flight():
        for result in engine.step():
            if result.audio is None:
                raise SystemExit(f"line {result.line_id}: {result.error}")
            total += result.audio.duration_ms
    return total


def measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Everything, row by row."""
    for version in options.versions:
        with torch.inference_mode():
            yield from decoding(version, options)
    if options.lines:
        with tempfile.TemporaryDirectory() as scratch:
            yield whole(options.files or Path(scratch), options)


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=lambda text: [each for each in text.split(",") if each], default=["v2"])
    parser.add_argument("--seconds", type=lambda text: [float(each) for each in text.split(",")], default=[2, 6, 24])
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many")
    parser.add_argument("--reference", type=Path, metavar="CHECKOUT", help="the peer: a checkout of GPT-SoVITS")
    parser.add_argument("--lines", type=int, default=0, help="lines through the whole engine, all at once")
    parser.add_argument("--codes", type=int, default=75, help="codes of each of these lines (25 are a second)")
    parser.add_argument("--files", type=Path, metavar="FOLDER", help="where the engine's model files are kept")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for row in measure(options):
        rows.append(row)
        if not options.json:
            print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
