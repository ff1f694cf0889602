"""From a checkpoint of the strikes recipe to the ONNX file that ships, proven equal first."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.accompany.strikes import NAME, load_strike_model
from models.spec import N_PITCHES
from models.strikes import CHANNELS, HALVES, N_SEMITONES, StrikeNetwork
from offline_train.exporting.onnx_files import (
    MODEL_TOLERANCE,
    check_equal,
    removed_on_mismatch,
    write_onnx,
)
from offline_train.recipes.strikes import RECIPE, network_of
from offline_train.training.checkpoints import read_checkpoint

VERSION = "3"
SAMPLE_STEPS = 40


class _Probabilities(nn.Module):
    """The network, its answers as probabilities."""

    def __init__(self, network: StrikeNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, heard: Tensor, sound: Tensor, place: Tensor) -> Tensor:
        return torch.sigmoid(self.network(heard, sound, place))


def export_strikes(checkpoint_path: Path, out: Path) -> Path:
    """Write ``strikes.onnx`` into a folder; return its path.

    Raises
    ------
    ModelError
        If the checkpoint is another recipe's, or torch and the file differ by more than 1e-4.
    """
    checkpoint = read_checkpoint(checkpoint_path, RECIPE)
    network = _Probabilities(network_of(checkpoint)).eval()
    rng = np.random.default_rng(0)
    heard = rng.random((SAMPLE_STEPS, CHANNELS, N_PITCHES), np.float32)
    sound = rng.random((SAMPLE_STEPS, HALVES, N_SEMITONES), np.float32)
    place = np.arange(SAMPLE_STEPS) % 16
    inputs = {
        "heard": torch.from_numpy(heard[None]),
        "sound": torch.from_numpy(sound[None]),
        "place": torch.from_numpy(place[None]),
    }
    with torch.no_grad():
        wanted = network(*inputs.values())[0]
    spec = {
        "kind": RECIPE,
        "version": VERSION,
        "trained": {
            "recipe": RECIPE,
            "step": checkpoint["step"],
            "seed": checkpoint["train"]["seed"],
            "commit": checkpoint["commit"],
            "tolerance": MODEL_TOLERANCE,
        },
    }
    path = out / NAME
    free = {name: {1: "n_steps"} for name in (*inputs, "strikes")}
    write_onnx(network, inputs, ["strikes"], json.dumps(spec, sort_keys=True), path, free)
    with removed_on_mismatch(path):
        found = load_strike_model(path).read(heard, sound, place)
        check_equal(path, [wanted[:, 0].numpy(), wanted[:, 1].numpy()], list(found))
    return path
