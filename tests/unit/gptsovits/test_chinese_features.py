"""Chinese that is longer, in words, than the text network reads in one piece."""

from __future__ import annotations

import pytest
import torch
from nano_voice import Nano, nano_voice, roberta_folder

from synthesis.gptsovits.loading import Loaders
from synthesis.gptsovits.networks.roberta import LONGEST
from synthesis.gptsovits.residence import ReadyVoice, Residence
from synthesis.text.cuts import LONGEST_PIECE, split_long


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> ReadyVoice:
    folder = tmp_path_factory.mktemp("nano")
    nano: Nano = nano_voice(folder)
    return Residence(Loaders()).load(nano.other(roberta=roberta_folder(folder / "roberta")).spec())


def test_numbers_that_outgrow_the_network_are_read_in_pieces(ready: ReadyVoice) -> None:
    text = "，".join(["今天好水123456789.123456789"] * 19) + "。"
    assert len(text) <= LONGEST_PIECE == LONGEST
    read = ready.read(text, "zh")
    assert read.bert is not None
    assert read.bert.shape == (1024, len(read.phonemes))
    assert bool((read.bert != 0).any(dim=0).all())


def test_pieces_are_cut_at_marks_and_have_the_features_they_would_have_alone(ready: ReadyVoice) -> None:
    norm = "今天好，" * 120 + "水好，" * 30
    parts = list(split_long(norm))
    assert "".join(parts) == norm
    assert len(parts) == 2
    assert parts[0][-1] == "，"
    alone = [ready._features(part, (2,) * len(part)) for part in parts]
    assert torch.allclose(ready._features(norm, (2,) * len(norm)), torch.cat(alone, dim=1))


def test_a_run_without_marks_is_cut_anywhere(ready: ReadyVoice) -> None:
    norm = "今天好水" * 200
    assert ready._features(norm, (1,) * len(norm)).shape == (1024, 800)
