"""Processes kept alive, and devices found without torch."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from workers.devices import bind_device, choose_devices, worker_name
from workers.errors import NoDevice
from workers.supervisor import ChildSpec, Supervisor, backoff

SLEEPER = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print(flush=True)\n"


def child(name: str, code: str) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", code))


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_back_off_doubles_up_to_a_minute() -> None:
    assert [backoff(n) for n in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
    assert backoff(100) == 60.0


def test_a_child_that_dies_is_started_again_and_all_stop_together(tmp_path: Path) -> None:
    count = tmp_path / "starts"
    mortal = f"""
import sys, time
with open({str(count)!r}, "a+") as starts:
    starts.write("x")
    starts.seek(0)
    first = len(starts.read()) == 1
if first:
    sys.exit(3)
time.sleep(600)
"""
    supervisor = Supervisor([child("mortal", mortal), child("steady", SLEEPER + "time.sleep(600)")], poll_s=0.01)
    status: list[int] = []
    thread = threading.Thread(target=lambda: status.append(supervisor.run()))
    thread.start()
    wait_until(lambda: count.exists() and len(count.read_text()) == 2)
    pids = supervisor.pids()
    assert set(pids) == {"mortal", "steady"}
    supervisor.stopping.set()
    thread.join(20)
    assert not thread.is_alive()
    assert not any(psutil.pid_exists(pid) for pid in pids.values())


def test_it_ends_when_every_child_ended_in_good_order() -> None:
    assert Supervisor([child("a", "pass"), child("b", "pass")], poll_s=0.01).run() == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the parent-death signal is Linux's")
def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    inner = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    outer = f"""
import sys
from workers.supervisor import ChildSpec, supervise
supervise([ChildSpec("x", (sys.executable, "-c", {inner!r}))])
"""
    supervisor = psutil.Popen([sys.executable, "-c", outer])
    wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
    orphan = psutil.Process(int(pid_file.read_text()))
    supervisor.kill()
    supervisor.wait(10)
    orphan.wait(10)


def test_one_process_sees_one_device() -> None:
    environ: dict[str, str] = {}
    assert bind_device("cuda:3", environ) == "cuda:0"
    assert environ == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "3"}
    assert bind_device("cpu", environ) == "cpu"
    assert environ["CUDA_VISIBLE_DEVICES"] == ""


def test_devices_come_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H200 (UUID: GPU-1)'\necho 'GPU 1: NVIDIA H200 (UUID: GPU-2)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert choose_devices("all") == ["cuda:0", "cuda:1"]
    assert choose_devices("cuda:1") == ["cuda:1"]
    with pytest.raises(NoDevice, match="cuda:7"):
        choose_devices("cuda:7")


def test_without_a_driver_all_is_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose_devices("all") == ["cpu"]
    with pytest.raises(NoDevice):
        choose_devices("cuda:0")


def test_workers_are_named_after_their_device() -> None:
    assert worker_name("cuda:1").startswith("gpu1@")
    assert worker_name("cpu").startswith("cpu@")
    assert worker_name("cpu", "post").startswith("post@")
