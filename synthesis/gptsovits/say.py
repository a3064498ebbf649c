"""`python -m synthesis say`: one text, one voice, one file. No farm, no database."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from synthesis.engine import LineRequest, RenderedLine, VoiceSpec
from synthesis.errors import EngineError, SynthesisError
from synthesis.gptsovits.registering import ClipFiles, find_models, languages_of, make_voice
from synthesis.gptsovits.voice import ENGINE, LANGUAGES, SamplingNumbers, Voice
from synthesis.text.segmentation import stretches

OK, FAILED = 0, 2


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m synthesis say",
        description="Say a text in a voice cloned from a clip of 3 to 10 seconds.",
    )
    parser.add_argument("text", help="what to say; [pause 500ms] and {word|reading} are understood")
    models = parser.add_argument_group("models")
    models.add_argument("--s1", required=True, help="text to codes, a .ckpt or .safetensors")
    models.add_argument("--s2", required=True, help="codes to audio, a .pth or .safetensors")
    models.add_argument("--hubert", help="folder of chinese-hubert-base")
    models.add_argument("--roberta", help="folder of chinese-roberta-wwm-ext-large, for Chinese")
    models.add_argument("--speaker", help="pretrained_eres2netv2w24s4ep4.ckpt, for v2Pro and v2ProPlus")
    models.add_argument("--g2pw", type=Path, help="folder of G2PWModel, which reads Chinese polyphones")
    models.add_argument("--models", type=Path, help="folder of `voicefarm models`, where models have names")
    voice = parser.add_argument_group("voice")
    voice.add_argument("--ref", type=Path, required=True, help="the clip: 3 to 10 s of one person speaking")
    voice.add_argument("--ref-text", required=True, help="what is said in the clip, word for word")
    voice.add_argument("--ref-lang", default="auto", choices=(*LANGUAGES, "auto"), help="the clip's language (auto)")
    voice.add_argument(
        "--also", type=Path, action="append", default=[], help="another clip of the speaker (repeatable)"
    )
    voice.add_argument("--language", choices=LANGUAGES, help="the text's language; told by its letters if left out")
    voice.add_argument("--seed", type=int, default=0, help="another number is another take (default 0)")
    voice.add_argument("--rate", type=float, default=1.0, help="1.2 is faster, 0.8 slower")
    voice.add_argument("--rerolls", type=int, default=2, help="how often a suspicious take is drawn anew")
    voice.add_argument("--cut", default="cut2", help="how the text is cut: cut0 … cut5")
    voice.add_argument("--top-k", type=int, default=15)
    voice.add_argument("--top-p", type=float, default=1.0)
    voice.add_argument("--temperature", type=float, default=1.0)
    voice.add_argument("--repetition-penalty", type=float, default=1.35)
    parser.add_argument("--device", default="cpu", help="cpu or cuda:0")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the file; its suffix names the format")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; 0 when the file was written, 2 when something was not right (one sentence says what)."""
    options = arguments().parse_args(argv)
    try:
        return _say(options)
    except SynthesisError as error:
        sys.stderr.write(f"say: {error}\n")
        return FAILED


def _say(options: argparse.Namespace) -> int:
    from synthesis.qc.clips import export_take
    from synthesis.registry import make_engine

    voice = _voice(options)
    spec = VoiceSpec("say", 1, ENGINE, languages_of(voice), voice.to_parameters())
    language = options.language or language_told(options.text)
    request = LineRequest(1, options.text, language, spec, options.seed, {"rate": options.rate})
    engine = make_engine(ENGINE, capacity=1, device=options.device)
    try:
        engine.load(spec)
        started = time.monotonic()
        engine.submit([request])
        results: list[RenderedLine] = []
        while not results:
            results = engine.step()
        took_s = time.monotonic() - started
    finally:
        engine.close()
    result = results[0]
    if result.audio is None:
        raise result.error or EngineError(ENGINE, "returned neither audio nor an error")
    export_take(result.audio, options.out)
    for finding in result.findings:
        sys.stderr.write(f"{finding.severity}: {finding.message}\n")
    seconds = result.audio.duration_ms / 1000
    sys.stdout.write(f"{options.out}: {seconds:.2f} s in {took_s:.2f} s ({seconds / took_s:.1f} x real time)\n")
    return OK


def language_told(text: str) -> str:
    """The language of a text as its letters tell it; Latin words beside other letters are words in that language."""
    shares: Counter[str] = Counter()
    for stretch in stretches(text, "auto"):
        shares[stretch.language] += sum(not char.isascii() and char.isalpha() for char in stretch.text)
    told = [language for language, letters in shares.most_common() if language != "en" and letters]
    return told[0] if told else "en"


def _voice(options: argparse.Namespace) -> Voice:
    return make_voice(
        "say",
        find_models(
            options.models,
            options.s1,
            options.s2,
            options.hubert,
            options.roberta,
            options.speaker,
            options.g2pw,
        ),
        [ClipFiles(options.ref, options.ref_text, options.ref_lang, also=tuple(options.also))],
        sampling=SamplingNumbers(options.top_k, options.top_p, options.temperature, options.repetition_penalty),
        rerolls=options.rerolls,
        cut=options.cut,
    )
