"""What a process that renders holds beside its weights."""

from __future__ import annotations

import os
import subprocess
import sys

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


def test_lengths_that_never_come_again_leave_no_kernels_behind() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONEDNN")}
    made = subprocess.run(
        [sys.executable, "-c", MANY_LENGTHS], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    assert int(made.stdout.split()[-1]) < 200, "MB; without a limit each length keeps three"
