"""A cloned voice in the sizes of the published models, weights from a formula, in the files that people share.

    python benchmarks/full_voice.py FOLDER [--voices 2]

writes about 1.3 GB: s1, s2 (v2ProPlus, one for each voice), HuBERT base, RoBERTa large, the speaker network and a
clip. What it says nobody understands; its sizes, and so its time and memory, are those of a real voice.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from voicelike import speechlike  # noqa: E402  (the signal that the tests use)

from synthesis.gptsovits.checkpoints.s1_layout import entries as s1_entries  # noqa: E402
from synthesis.gptsovits.networks.speaker import shapes as speaker_shapes  # noqa: E402
from synthesis.gptsovits.registering import ClipFiles, ModelFiles  # noqa: E402
from synthesis.gptsovits.s2.config import S2Config  # noqa: E402
from synthesis.gptsovits.s2.layout import CODEBOOK  # noqa: E402
from synthesis.gptsovits.s2.layout import entries as s2_entries  # noqa: E402
from synthesis.parity.fill import tensor  # noqa: E402

VERSION = "v2ProPlus"
TRANSCRIPT = "The water was cold and nobody spoke."
S1_CONFIG = {
    "model": {
        "vocab_size": 1025,
        "phoneme_vocab_size": 732,
        "embedding_dim": 512,
        "hidden_dim": 512,
        "head": 16,
        "linear_units": 2048,
        "n_layer": 24,
        "dropout": 0,
        "EOS": 1024,
    },
    "data": {"max_sec": 54},
}
S2_CONFIG = {
    "model": {
        "inter_channels": 192,
        "hidden_channels": 192,
        "filter_channels": 768,
        "n_heads": 2,
        "n_layers": 6,
        "kernel_size": 3,
        "gin_channels": 1024,
        "resblock": "1",
        "resblock_kernel_sizes": [3, 7, 11],
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
        "upsample_rates": [10, 8, 2, 2, 2],
        "upsample_initial_channel": 768,
        "upsample_kernel_sizes": [20, 16, 8, 2, 2],
        "semantic_frame_rate": "25hz",
        "version": VERSION,
    },
    "data": {"sampling_rate": 32000, "hop_length": 640, "filter_length": 2048},
}
S2_FREE = {
    "ssl_proj.weight": (768, 768, 2),
    "enc_p.mrte.c_pre.weight": (512, 192, 1),
    "enc_p.text_embedding.weight": (732, 192),
    "ref_enc.spectral.0.fc.weight": (128, 704),
    CODEBOOK + "embed": (1024, 768),
}
ROBERTA = {
    "vocab_size": 21128,
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}


def make(folder: Path, voices: int = 1) -> list[ModelFiles]:
    """Write what is not there yet; the model files of each voice, which share everything but s2."""
    folder.mkdir(parents=True, exist_ok=True)
    s1 = _once(folder / "s1.ckpt", _s1)
    speaker = _once(folder / "speaker.ckpt", _speaker)
    hubert, roberta = _once(folder / "hubert", _hubert), _once(folder / "roberta", _roberta)
    return [
        ModelFiles(s1, _once(folder / f"s2-{number}.pth", _s2), hubert, roberta=roberta, speaker=speaker)
        for number in range(voices)
    ]


def clip(folder: Path) -> ClipFiles:
    """A reference of five seconds."""
    path = folder / "clip.wav"
    soundfile.write(path, speechlike(5.0, 24_000, level=0.5), 24_000)
    return ClipFiles(path, TRANSCRIPT, "en")


def _once(path: Path, write: Callable[[Path], None]) -> Path:
    if not path.exists():
        unfinished = path.with_name(f".{path.name}")
        write(unfinished)
        unfinished.rename(path)
    return path


def _filled(salt: str, shapes: Mapping[str, Any]) -> OrderedDict[str, torch.Tensor]:
    return OrderedDict((name, torch.from_numpy(tensor(salt, name, shapes)).half()) for name in shapes)


def _s1(path: Path) -> None:
    weights = _filled("memory", dict(s1_entries(512, 24, 732, 1025)))
    # the formula stops too seldom for a take of a sensible length
    weights["model.ar_predict_layer.weight"][-1] *= 1.3
    torch.save({"weight": weights, "config": S1_CONFIG, "info": "GPT-e1"}, path)


def _s2(path: Path) -> None:
    weights = _filled(path.name, dict(s2_entries(S2Config.from_mapping(S2_CONFIG), VERSION, S2_FREE)))
    torch.save({"weight": weights, "config": S2_CONFIG, "info": "1epoch_1iteration"}, path)


def _speaker(path: Path) -> None:
    torch.save(_filled("memory", speaker_shapes()), path)


def _hubert(path: Path) -> None:
    from transformers.models.hubert.configuration_hubert import HubertConfig
    from transformers.models.hubert.modeling_hubert import HubertModel

    _folder(path, {"model_type": "hubert"}, _shapes(HubertModel, HubertConfig()))


def _roberta(path: Path) -> None:
    from transformers.models.bert.configuration_bert import BertConfig
    from transformers.models.bert.modeling_bert import BertForMaskedLM

    shapes = _shapes(BertForMaskedLM, BertConfig(**ROBERTA))
    _folder(path, {"model_type": "bert", **ROBERTA}, shapes)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    rest = [chr(0x4E00 + number) for number in range(ROBERTA["vocab_size"] - len(special))]
    (path / "vocab.txt").write_text("\n".join([*special, *rest]), encoding="utf-8")


def _shapes(kind: Any, config: Any) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in kind(config).state_dict().items()}


def _folder(path: Path, config: Mapping[str, Any], shapes: Mapping[str, Any]) -> None:
    """As the hub keeps a network: half precision, weight norm under its old names."""
    old = {".parametrizations.weight.original0": ".weight_g", ".parametrizations.weight.original1": ".weight_v"}
    for new_name, old_name in old.items():
        shapes = {name.replace(new_name, old_name): shape for name, shape in shapes.items()}
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.save(_filled("memory", shapes), path / "pytorch_model.bin")


def main() -> None:
    """Write the files and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--voices", type=int, default=1)
    options = parser.parse_args()
    for number, files in enumerate(make(options.folder, options.voices)):
        print(f"voice {number}: --s1 {files.s1} --s2 {files.s2} --hubert {files.hubert} --speaker {files.speaker}")
    reference = clip(options.folder)
    print(f"clip: --ref {reference.audio} --ref-text {reference.text!r} --ref-lang {reference.language}")


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
