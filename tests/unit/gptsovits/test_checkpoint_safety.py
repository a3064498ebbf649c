"""Nothing in a checkpoint is run, and whatever is wrong with one is an error of ours."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_files import DATA, rewritten, s1_content, s2_content, with_program, write
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from synthesis.gptsovits.checkpoints import load_s1, load_s2, load_state
from synthesis.gptsovits.errors import CheckpointRefused, ModelError

MICRO = DATA / "checkpoints" / "s1-micro.ckpt"


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


ATTACKS: dict[str, Callable[[Path], object]] = {
    "os.system": lambda trap: Calls(os.system, f"touch {trap}"),
    "open": lambda trap: Calls(builtins.open, str(trap), "w"),
    "eval": lambda trap: Calls(eval, f"open({str(trap)!r}, 'w')"),
    "getattr of a module": lambda trap: Calls(getattr, Calls(__import__, "os"), "system"),
    "nested pickle": lambda trap: Calls(pickle.loads, pickle.dumps(Calls(os.system, f"touch {trap}"))),
    "nested torch file": lambda trap: Calls(torch.load, str(trap)),
    "exec in a dict's key": lambda trap: {Calls(exec, f"open({str(trap)!r}, 'w')"): 1},
    "an object of any class": lambda trap: trap,
    "a set": lambda trap: {1, 2},
    "bytearray": lambda trap: bytearray(8),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("place", ["config", "weight", "info"])
def test_a_malicious_pickle_is_refused_and_has_no_effect(tmp_path: Path, attack: str, place: str) -> None:
    trap = tmp_path / "trap"
    for load, content in ((load_s1, s1_content()), (load_s2, s2_content("v2"))):
        content[place] = ATTACKS[attack](trap)
        with pytest.raises(CheckpointRefused) as refused:
            load(write(tmp_path / "file.pth", content))
        assert refused.value.path == str(tmp_path / "file.pth")
        assert not trap.exists()


def test_the_harmless_example_of_a_malicious_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointRefused, match=r"io\.open"):
        load_s2(DATA / "checkpoints" / "malicious-s2.pth")
    assert list(tmp_path.iterdir()) == []


PROGRAMS = {
    "attributes of a constructor": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb.",
    "attributes of a class": b"\x80\x02cutils\nHParams\n}X\x01\x00\x00\x00aK\x01sb.",
    "slots of a record": b"\x80\x02cutils\nHParams\n)\x81N}X\x01\x00\x00\x00aK\x01s\x86b.",
    "call of a storage class": b"\x80\x02ctorch\nHalfStorage\n)R.",
    "call of what is no constructor": b"\x80\x02X\x01\x00\x00\x00a)R.",
    "name from the stack": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "class instance": b"(ios\nsystem\n.",
    "old object": b"(cos\nsystem\no.",
    "name by extension": b"\x80\x02\x82\x01.",
    "persistent id of text": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "persistent id as a line": b"Pabc\n.",
    "unordered memo": b"\x80\x02h\x07.",
    "empty stack": b"\x80\x02.",
    "pops through a mark": b"\x80\x02(\x86.",
    "ends early": b"\x80\x02}",
    "something behind its end": b"\x80\x02}.}.",
    "a frozen set": b"\x80\x04(\x91.",
    "ordered dict of something": b"\x80\x02ccollections\nOrderedDict\n}\x85R.",
    "recursion": b"\x80\x02]q\x00h\x00a.",
    "no dict": b"\x80\x02]K\x01a.",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_does_more_than_hold_tensors_is_refused(tmp_path: Path, program: str) -> None:
    path = with_program(tmp_path / "file.pth", PROGRAMS[program])
    for load in (load_s1, load_s2, load_state):
        with pytest.raises(CheckpointRefused):
            load(path)


def tensor_program(size: tuple[int, ...], stride: tuple[int, ...], offset: int, count: int = 8) -> bytes:
    """A table of one half-precision tensor over storage 0 of 16 bytes."""
    numbers = ("(" + "".join(f"I{value}\n" for value in values) + "t" for values in (size, stride))
    text = "}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nHalfStorage\n"
    text += f"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuI{count}\ntQI{offset}\n" + "".join(numbers)
    return b"\x80\x02" + text.encode() + b"I00\nccollections\nOrderedDict\n)RtRs."


def test_a_tensor_within_its_storage_is_read(tmp_path: Path) -> None:
    path = with_program(tmp_path / "file.pth", tensor_program((2, 3), (3, 1), 2))
    assert load_state(path)["a"].shape == (2, 3)


@pytest.mark.parametrize(
    ("size", "stride", "offset", "count"),
    [
        ((2, 4), (4, 1), 1, 8),  # one value too far
        ((8,), (1,), -1, 8),
        ((9,), (1,), 0, 8),
        ((1 << 40,), (0,), 0, 8),  # a view that would fill the memory when copied
        ((4,), (1 << 40,), 0, 8),
        ((4,), (-1,), 4, 8),
        ((2, 2), (2,), 0, 8),
        ((4,), (1,), 0, 1 << 40),  # a storage that is not there
        ((4,), (1,), 0, -8),
        ((1 << 60,), (1,), 0, 8),
    ],
)
def test_a_tensor_that_is_not_in_its_storage_is_refused(
    tmp_path: Path, size: tuple[int, ...], stride: tuple[int, ...], offset: int, count: int
) -> None:
    with pytest.raises(CheckpointRefused):
        load_state(with_program(tmp_path / "file.pth", tensor_program(size, stride, offset, count)))


def test_a_configuration_that_unfolds_without_end_is_refused(tmp_path: Path) -> None:
    content, nested = s2_content("v2"), ["ha"]
    for _ in range(20):
        nested = [nested] * 10
    content["config"]["train"] = {"laughs": nested}
    with pytest.raises(CheckpointRefused, match="endless"):
        load_s2(write(tmp_path / "file.pth", content))


def test_the_format_of_old_torch_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "file.pth", s2_content("v2"), legacy=True)
    with pytest.raises(CheckpointRefused, match=r"torch before 1\.6"):
        load_s2(path)


@pytest.mark.parametrize("first", [b"07", b"99", b"ID", b"\x00\x00", b"MZ", b""])
def test_an_unknown_header_is_refused(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "file.pth"
    path.write_bytes(first + MICRO.read_bytes()[2:] if first else b"")
    with pytest.raises(CheckpointRefused):
        load_s1(path)


def test_a_compressed_zip_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = rewritten(MICRO, tmp_path / "bomb.ckpt", {"data/0": bytes(1 << 26)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(CheckpointRefused, match="compressed"):
        load_s1(bomb)


def test_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """Every entry of the directory points at the first one's bytes: the classic bomb without compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 20))
        for i in range(64):
            archive.writestr(f"archive/data/{i}", b"")
            archive.infolist()[-1].file_size = archive.infolist()[-1].compress_size = 1 << 20
    path = tmp_path / "bomb.ckpt"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(CheckpointRefused, match="more than the file"):
        load_s1(path)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = with_program(tmp_path / "file.pth", b"\x80\x02}.")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
    with pytest.raises(CheckpointRefused, match="two of one name"):
        load_s1(path)


def test_big_endian_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointRefused, match="big-endian"):
        load_s1(rewritten(MICRO, tmp_path / "file.ckpt", {"byteorder": b"big"}))


def test_a_damaged_tensor_is_noticed_by_its_checksum(tmp_path: Path) -> None:
    data = bytearray(MICRO.read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "file.ckpt"
    path.write_bytes(data)
    with pytest.raises(CheckpointRefused, match="damaged"):
        load_s1(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999, 0.99999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    data = MICRO.read_bytes()
    path = tmp_path / "file.ckpt"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointRefused):
        load_s1(path)


@pytest.mark.parametrize("kept", [0, 4, 8, 20, 5000, -1])
def test_truncated_safetensors_are_refused(tmp_path: Path, kept: int) -> None:
    from synthesis.gptsovits.checkpoints.convert import convert

    whole = tmp_path / "whole.safetensors"
    convert(MICRO, whole)
    path = tmp_path / "cut.safetensors"
    path.write_bytes(whole.read_bytes()[:kept])
    with pytest.raises(CheckpointRefused):
        load_s1(path)


def test_safetensors_with_a_header_of_any_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    with pytest.raises(CheckpointRefused):
        load_s1(path)


@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8))
@example(changes=[(252, 105)])  # a stray backslash, about which Python's reader warns
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_of_the_pickle_loads_or_is_one_of_our_errors(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    with zipfile.ZipFile(MICRO) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        program = bytearray(archive.read(name))
    for position, value in changes:
        program[position % len(program)] = value
    path = rewritten(MICRO, tmp_path / "file.ckpt", {"data.pkl": bytes(program)})
    with contextlib.suppress(ModelError):  # anything else fails the test
        load_s1(path)


@given(program=st.binary(max_size=200))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_program_is_refused_or_is_a_table_of_tensors(tmp_path: Path, program: bytes) -> None:
    with pytest.raises(ModelError):
        load_state(with_program(tmp_path / "file.pth", program))
