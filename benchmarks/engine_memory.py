"""Memory of a process that renders with cloned voices: over many lines, and by what is loaded.

    python benchmarks/engine_memory.py --lines 10000 [--every 500] [--seconds 450] [--languages en,zh,ja] [--json]
    python benchmarks/engine_memory.py --full --voices 2 --lines 4 [--files FOLDER] [--json]

Resident memory (RSS) of this process is printed after each stage and every some lines. Lines differ in length, words
and language and go through the engine that workers use. The first form has a voice of a few hundred kilobytes, so that
thousands of lines take minutes and whatever is left behind by lines is all that grows; ``--full`` has networks of the
published sizes (v2ProPlus with RoBERTa large; ``--files`` keeps them for the next run).
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "benchmarks")]

from synthesis.engine import LineRequest, VoiceSpec  # noqa: E402
from synthesis.gptsovits.engine import GptSovitsEngine  # noqa: E402
from synthesis.gptsovits.registering import make_voice  # noqa: E402
from synthesis.gptsovits.voice import ENGINE  # noqa: E402

MEGABYTE = 1 << 20
SAY_EVERY = 500
SHORTEST, LONGEST = 2, 40
"""Words of a line."""
CHINESE = (
    "今天好水很冷没有人说话他她们去了回来看见山河风雨门开关书信朋友时间心里知道一个不是大小多少上下东西南北，。！？"
)
JAPANESE = "きょうはみずがつめたくてだれもはなさなかったやまのうえにとりがいますかぜあめつきほし、。"


class Memory:
    """Rows of what is resident, each printed as it is taken."""

    def __init__(self, quiet: bool) -> None:
        self._process = psutil.Process()
        self._quiet = quiet
        self._started = time.monotonic()
        self.rows: list[dict[str, Any]] = []

    def note(self, what: str, lines: int = 0, **more: Any) -> float:
        """Megabytes now."""
        used = self._process.memory_info().rss / MEGABYTE
        took, busy = time.monotonic() - self._started, time.process_time()
        row = {"what": what, "lines": lines, "rss_mb": round(used, 1), "s": round(took, 1), "cpu_s": round(busy, 1)}
        self.rows.append(row | more)
        if not self._quiet:
            print(" ".join(f"{key}={value}" for key, value in self.rows[-1].items()), flush=True)
        return used


def specs(folder: Path, options: argparse.Namespace) -> list[VoiceSpec]:
    """The voices, their files written, in a process of its own where that takes memory.

    Weights of a formula do not say the text: drawing again would only take time.
    """
    if options.full:
        from multiprocessing import get_context

        from full_voice import clip, make

        with get_context("spawn").Pool(1) as pool:
            models = pool.apply(make, (folder, options.voices))
        voices = [make_voice(f"full{n}", each, [clip(folder)], rerolls=0) for n, each in enumerate(models)]
    else:
        from nano_voice import nano_voice, roberta_folder, s2_file

        nano = nano_voice(folder)
        nano = nano.other(roberta=roberta_folder(folder / "roberta"))
        voices = [
            nano.other(s2=s2_file(folder / f"s2-{n}.pth", salt=str(n))).voice(f"nano{n}", rerolls=0)
            for n in range(options.voices)
        ]
    languages = tuple(options.languages)
    return [VoiceSpec(f"voice{n}", 1, ENGINE, languages, each.to_parameters()) for n, each in enumerate(voices)]


def texts(languages: list[str]) -> Iterator[tuple[str, str]]:
    """Texts and their languages without end: words of the whole dictionary, lengths like a book's."""
    from synthesis.text.en.lexicon import dictionary

    draw = np.random.default_rng(7)
    words = [word for word in dictionary() if word.isalpha() and len(word) > 1]
    while True:
        language = languages[int(draw.integers(len(languages)))]
        count = int(np.clip(np.exp(draw.normal(np.log(9), 0.7)), SHORTEST, LONGEST))
        if language == "en":
            yield " ".join(words[int(at)] for at in draw.integers(len(words), size=count)).capitalize() + ".", "en"
        else:
            known = CHINESE if language == "zh" else JAPANESE
            yield known[0] + "".join(known[int(at)] for at in draw.integers(len(known), size=2 * count)), language


def run(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Load and render, noting the memory on the way."""
    memory = Memory(options.json)
    memory.note("libraries imported")
    voices = specs(folder, options)
    memory.note("files written")
    engine = GptSovitsEngine(options.capacity)
    for spec in voices:
        engine.load(spec)
        memory.note(f"{spec.name} loaded")
    source, made = texts(options.languages), 0
    until, errors = time.monotonic() + options.seconds, Counter[str]()
    done, due = 0, options.every
    while done < options.lines and time.monotonic() < until:
        while engine.in_flight() < engine.capacity and made < options.lines:
            text, language = next(source)
            engine.submit([LineRequest(made, text, language, voices[made % len(voices)], made)])
            made += 1
        for result in engine.step():
            done += 1
            errors.update([type(result.error).__name__] if result.error else [])
        if done >= due:
            memory.note("rendered", done, errors=sum(errors.values()))
            due += options.every
    memory.note("rendered", done, errors=dict(errors))
    peak = psutil.Process().memory_info()
    memory.rows.append(
        {"what": "peak", "lines": done, "rss_mb": round(getattr(peak, "peak_wset", _peak()) / MEGABYTE, 1)}
    )
    if not options.json:
        print(memory.rows[-1])
    if options.inspect:
        _inspect()
    engine.close()
    del engine
    gc.collect()
    memory.note("closed", done)
    return memory.rows


def _peak() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _inspect() -> None:
    """What Python holds: the commonest classes, and whatever a cache keeps."""
    import functools

    import torch

    kinds = Counter(type(each).__qualname__ for each in gc.get_objects())
    print(kinds.most_common(25))
    held = [each for each in gc.get_objects() if isinstance(each, torch.Tensor)]
    print(f"tensors: {len(held)}, {sum(each.nbytes for each in held) / MEGABYTE:.0f} MB")
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper) and each.cache_info().currsize > 100:
            print(getattr(each, "__module__", "?"), getattr(each, "__qualname__", "?"), each.cache_info())


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=SAY_EVERY, help="lines between two looks")
    parser.add_argument("--seconds", type=float, default=450, help="end after so long, however many lines are done")
    parser.add_argument("--languages", type=lambda text: text.split(","), default=["en"], help="en, zh, ja")
    parser.add_argument("--voices", type=int, default=1, help="voices that share everything but s2")
    parser.add_argument("--capacity", type=int, default=8)
    parser.add_argument("--full", action="store_true", help="networks of the published sizes")
    parser.add_argument("--files", type=Path, help="where the full-size files are kept, or already are")
    parser.add_argument("--inspect", action="store_true", help="say what Python holds at the end")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = run(options, options.files or Path(scratch))
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
