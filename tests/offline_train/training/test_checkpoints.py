"""A checkpoint that ships holds what others need, and no folder of the machine it was made on."""

from pathlib import Path

import torch

from offline_train.training.checkpoints import read_checkpoint, write_weights


def test_weights_go_out_without_the_machine_they_were_made_on(tmp_path: Path) -> None:
    train = {"out": "/home/me/runs/cover", "shares": {"/home/me/prepared/train": 1.0}, "seed": 1}
    checkpoint = {"recipe": "r", "train": train, "model": torch.zeros(2), "optimizer": {}}
    path = write_weights(checkpoint, tmp_path / "out.pt", ("optimizer",))
    found = read_checkpoint(path, "r")
    assert found.keys() == {"recipe", "train", "model"}
    assert found["train"] == {"out": "cover", "shares": {"train": 1.0}, "seed": 1}
