"""A checkpoint that ships holds what others need, and no folder of the machine it was made on."""

from pathlib import Path

import pytest
import torch

from offline_train.training.checkpoints import read_checkpoint, write_weights


def test_weights_go_out_without_the_machine_they_were_made_on(tmp_path: Path) -> None:
    train = {"out": "/home/me/runs/cover", "shares": {"/home/me/prepared/train": 1.0}, "seed": 1}
    checkpoint = {
        "recipe": "r",
        "train": train,
        "model": {"weight": torch.zeros(2)},
        "optimizer": {},
    }
    path = write_weights(checkpoint, tmp_path / "out.pt", ("optimizer",))
    found = read_checkpoint(path, "r")
    assert found.keys() == {"recipe", "train", "model"}
    assert found["train"] == {"out": "cover", "shares": {"train": 1.0}, "seed": 1}


def test_the_old_path_of_shipped_weights_is_read_and_the_new_one_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "weights").mkdir()
    new, old = tmp_path / "weights" / "start.pt", tmp_path / "start.pt"
    torch.save({"recipe": "cover"}, new)
    assert read_checkpoint(old, "cover") == {"recipe": "cover"}
    assert caplog.messages == [f"{old} is now {new}: reading that; give the new path"]
