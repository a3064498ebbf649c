"""What a process that renders holds beside its weights."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import torch
from transformers.models.bert.configuration_bert import BertConfig
from transformers.models.bert.modeling_bert import BertModel

from synthesis.gptsovits.memory import loading
from synthesis.gptsovits.networks.roberta import Roberta
from synthesis.gptsovits.s1.linear import has_fbgemm

MANY_LENGTHS = """
import psutil, torch
from synthesis.gptsovits.engine import GptSovitsEngine

GptSovitsEngine(1)
torch.set_num_threads(1)
filter, bias = torch.ones(1, 1, 1, 7).contiguous(memory_format=torch.channels_last), torch.zeros(1)
sizes = []
with torch.inference_mode():
    for number in range(150):
        sound = torch.zeros(1, 60_000 + 640 * number, 1).transpose(1, 2).unsqueeze(2)  # as the decoder lays it out
        torch.conv2d(sound, filter, bias, padding=(0, 9), dilation=(1, 3))
        sizes.append(psutil.Process().memory_info().rss)
print((sizes[-1] - sizes[0]) >> 20)
"""

HOLES = """
import psutil
from synthesis.gptsovits.memory import LINES_BETWEEN, Holes

def resident():
    return psutil.Process().memory_info().rss >> 20

blocks = [bytearray(64 << 10) for _ in range(3200)]
holes = Holes()
del blocks[::2]
full = resident()
holes.after(LINES_BETWEEN - 1)
before = resident()
holes.after(1)
print(full - before, before - resident())
"""


def test_lengths_that_never_come_again_leave_no_kernels_behind() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONEDNN")}
    made = subprocess.run(
        [sys.executable, "-c", MANY_LENGTHS], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    assert int(made.stdout.split()[-1]) < 200, "MB; without a limit each length keeps three"


def test_holes_that_lines_leave_go_back_to_the_system_from_time_to_time() -> None:
    made = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True, timeout=60)
    at_first, in_the_end = map(int, made.stdout.split())
    assert at_first < 10, "MB"
    assert in_the_end > 80, "MB, of 100 that were free between others"


def test_copies_made_while_loading_leave_no_holes_between_weights() -> None:
    process = psutil.Process()
    del (large := [torch.ones(4 << 20)])[:]  # from now on the allocator keeps blocks of up to 16 MB for itself
    before = process.memory_info().rss
    kept, copies = [], []
    with loading():
        for _ in range(100):
            copies.append(torch.ones(1 << 20))
            kept.append(torch.ones(1 << 15))
        copies.clear()
    assert (process.memory_info().rss - before) >> 20 < 100, "MB, of 400 that were copied and 12 that were kept"
    assert len(kept) == 100
    assert not large


def test_matrices_of_released_networks_stay_in_half_precision() -> None:
    config = {"hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 128, "num_hidden_layers": 3}
    torch.manual_seed(1)
    model = BertModel(BertConfig(vocab_size=8, **config), add_pooling_layer=False).half().float().eval()
    released = {name: value.half() for name, value in model.state_dict().items()}
    ids = torch.tensor([1, 4, 5, 6, 7, 2])
    found = Roberta.from_state(released, config={"vocab_size": 8, **config})
    with torch.inference_mode():
        states = model(input_ids=ids[None], output_hidden_states=True).hidden_states
    assert torch.allclose(found.stages(ids)["feature"], states[1][0, 1:-1], atol=1e-5)
    if has_fbgemm():
        assert all(value.dim() < 2 for name, value in found.weights().items() if "encoder" in name)
