"""Which devices this machine has, found without importing torch."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import MutableMapping

from workers.errors import NoDevice

_CUDA = re.compile(r"cuda:(\d+)")


def cuda_devices() -> list[str]:
    """The CUDA devices nvidia-smi lists, as 'cuda:0', 'cuda:1' …; [] without a driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        listing = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [f"cuda:{number}" for number in re.findall(r"^GPU (\d+):", listing.stdout, flags=re.MULTILINE)]


def choose_devices(wanted: str) -> list[str]:
    """The devices meant by 'all', 'cpu' or a list 'cuda:0,cuda:2'. 'all' without a GPU is the CPU. Raises NoDevice."""
    if wanted == "all":
        return cuda_devices() or ["cpu"]
    devices = [part.strip() for part in wanted.split(",") if part.strip()]
    found = cuda_devices() if any(device != "cpu" for device in devices) else []
    for device in devices:
        if device != "cpu" and device not in found:
            raise NoDevice(device, ("cpu", *found))
    if not devices:
        raise NoDevice(wanted, ("cpu",))
    return devices


def worker_name(device: str, kind: str = "line") -> str:
    """'gpu<N>@<host>', 'cpu@<host>' or 'post@<host>'."""
    if kind == "post":
        return f"post@{socket.gethostname()}"
    match = _CUDA.fullmatch(device)
    return f"gpu{match[1]}@{socket.gethostname()}" if match else f"cpu@{socket.gethostname()}"


def bind_device(device: str, environ: MutableMapping[str, str] | None = None) -> str:
    """Let this process see one device only; returns the device's name inside it ('cuda:0' or 'cpu').

    Must run before anything imports torch: CUDA reads these variables once. Bus order makes 'cuda:N' the N-th GPU of
    nvidia-smi, whatever CUDA thinks is fastest.
    """
    target = os.environ if environ is None else environ
    match = _CUDA.fullmatch(device)
    if match is None and device != "cpu":
        raise NoDevice(device)
    target["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    target["CUDA_VISIBLE_DEVICES"] = match[1] if match else ""
    return "cuda:0" if match else "cpu"
