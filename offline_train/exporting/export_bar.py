"""From a checkpoint of the bar recipe to the ONNX file that ships, proven equal first."""

import json
from pathlib import Path

import numpy as np
import torch

from engine.beat.bars import NAME, load_bar_model
from models.bar import BEAT_DIM
from offline_train.exporting.onnx_files import (
    MODEL_TOLERANCE,
    check_equal,
    removed_on_mismatch,
    write_onnx,
)
from offline_train.recipes.bar import RECIPE, network_of
from offline_train.training.checkpoints import read_checkpoint

VERSION = "2"
SAMPLE_BEATS = 12


def export_bar(checkpoint_path: Path, out: Path) -> Path:
    """Write ``bar.onnx`` into a folder; return its path.

    Raises
    ------
    ModelError
        If the checkpoint is another recipe's, or torch and the file differ by more than 1e-4.
    """
    checkpoint = read_checkpoint(checkpoint_path, RECIPE)
    network = network_of(checkpoint)
    beats = np.random.default_rng(0).random((SAMPLE_BEATS, BEAT_DIM), np.float32)
    state = network.init_state(1)
    with torch.no_grad():
        downbeat, level, _ = network(torch.from_numpy(beats[None]), state)
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
    inputs = {"beats": torch.from_numpy(beats[None]), "state": state}
    outputs = ["downbeat", "level", "next_state"]
    free = {"beats": {1: "n_beats"}, "downbeat": {1: "n_beats"}, "level": {1: "n_beats"}}
    write_onnx(network, inputs, outputs, json.dumps(spec, sort_keys=True), path, free)
    with removed_on_mismatch(path):
        model = load_bar_model(path)
        parts, after = [], None
        for rows in np.split(beats, [1, 5]):
            *part, after = model.step(rows, after)
            parts.append(part)
        found = [np.concatenate(own) for own in zip(*parts, strict=True)]
        check_equal(path, [downbeat[0].numpy(), level[0].numpy()], found)
    return path
