"""How fast marks go in and come out, and what they survive: prints a table, or JSON with --json."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from marked_speech import ATTACKS, RATE, Sound, crops, draft_speaker, hosts

from synthesis.watermark import DEFAULT_STRENGTH_DB, Embedder, detect, embed

KEY = b"benchmark title key"
PAYLOAD = 0xC0FFEE42


def embed_speed(sound: Sound, minutes: float) -> float:
    repeats = max(1, round(minutes * 60 * RATE / len(sound)))
    embedder = Embedder(KEY, PAYLOAD, RATE)
    started = time.process_time()
    for _ in range(repeats):
        for at in range(0, len(sound), 65_536):
            embedder.process(sound[at : at + 65_536])
    embedder.flush()
    return repeats * len(sound) / RATE / (time.process_time() - started)


def detect_seconds(sound: Sound, keys: list[bytes]) -> float:
    started = time.process_time()
    detect(sound, RATE, keys)
    return time.process_time() - started


def robustness(programmes: dict[str, Sound], places: int, strength_db: float) -> dict[str, dict[str, Any]]:
    """Per attack and host: how many 10 s crops gave the payload, and the least and middle score."""
    table: dict[str, dict[str, Any]] = {}
    marked = {name: embed(sound, KEY, PAYLOAD, RATE, strength_db) for name, sound in programmes.items()}
    for attack, apply in ATTACKS.items():
        table[attack] = {}
        for name, sound in marked.items():
            found = [detect(piece, RATE, [KEY]) for piece in crops(apply(sound), places)]
            scores = [detection.score for detection in found]
            table[attack][name] = {
                "found": sum(detection.payload == PAYLOAD for detection in found),
                "of": places,
                "least_score": round(min(scores), 2),
                "median_score": round(float(np.median(scores)), 2),
            }
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--crops", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=65.0)
    parser.add_argument("--strength", type=float, default=DEFAULT_STRENGTH_DB)
    options = parser.parse_args()
    with draft_speaker() as speak:
        programmes = hosts(speak, options.seconds)
    sound = programmes["draft narrator en"]
    marked = embed(sound, KEY, PAYLOAD, RATE, options.strength)
    difference = marked - sound
    result: dict[str, Any] = {
        "strength_db": options.strength,
        "snr_db": round(float(10 * np.log10(np.sum(sound**2) / np.sum(difference**2))), 1),
        "embed_x_realtime": round(embed_speed(sound, 20)),
        "detect_marked_window_s": round(detect_seconds(marked[: 60 * RATE], [KEY]), 3),
        "detect_unmarked_window_s": round(detect_seconds(sound[: 60 * RATE], [KEY]), 3),
        "detect_unmarked_window_20_keys_s": round(
            detect_seconds(sound[: 60 * RATE], [b"%d" % n for n in range(20)]), 3
        ),
        "robustness": robustness(programmes, options.crops, options.strength),
    }
    if options.json:
        print(json.dumps(result, ensure_ascii=False, indent=1))
        return
    for name, value in result.items():
        if name != "robustness":
            print(f"{name:34} {value}")
    for attack, row in result["robustness"].items():
        cells = "  ".join(f"{cell['found']:2d}/{cell['of']} ({cell['least_score']:5.2f})" for cell in row.values())
        print(f"{attack:24} {cells}")
    print(f"columns: {', '.join(programmes)}; found of 10 s crops (least score)")


if __name__ == "__main__":
    main()
