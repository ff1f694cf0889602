"""From a checkpoint of the beat recipe to the ONNX file that ships, proven equal before it is kept.

Shapes: T frames, F bins.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.beat.activations import NAME, load_beat_model
from models.beat import OUTPUTS
from models.features import LOG_STFT_16K
from models.spec import BeatSpec
from offline_train.exporting.export import Stateful
from offline_train.exporting.onnx_files import (
    MODEL_TOLERANCE,
    check_equal,
    removed_on_mismatch,
    write_onnx,
)
from offline_train.recipes.beat import RECIPE, network_of
from offline_train.training.checkpoints import read_checkpoint

VERSION = "1"
SAMPLE_FRAMES = 24


def export_beat(checkpoint_path: Path, out: Path) -> Path:
    """Write ``beat.onnx`` into a folder; return its path.

    Torch gets a sample in one call, the file in calls of several lengths.

    Raises
    ------
    ModelError
        If the checkpoint is another recipe's, or torch and the file differ by more than 1e-4.
    """
    checkpoint = read_checkpoint(checkpoint_path, RECIPE)
    network = network_of(checkpoint)
    spec = BeatSpec(
        "beat", LOG_STFT_16K, VERSION, network.config.lookahead_frames, _trained(checkpoint)
    )
    floor = np.log(LOG_STFT_16K.log_floor)
    noise = np.random.default_rng(0).gamma(2.0, 1.0, (SAMPLE_FRAMES, LOG_STFT_16K.n_bins))
    features = (floor + noise).astype(np.float32)
    state = network.init_state(1)
    with torch.no_grad():
        logits, _ = network(torch.from_numpy(features[None]), state)
    expected = np.stack([torch.sigmoid(logits[name])[0].numpy() for name in OUTPUTS], 1)
    path = out / NAME
    inputs = {
        "features": torch.from_numpy(features[None]),
        **{f"state_{name}": value for name, value in state.items()},
    }
    outputs = [*OUTPUTS, *(f"next_{name}" for name in state)]
    free = {name: {1: "n_frames"} for name in ("features", *OUTPUTS)}
    write_onnx(Stateful(network, OUTPUTS), inputs, outputs, spec.to_metadata(), path, free)
    with removed_on_mismatch(path):
        model = load_beat_model(path)
        parts = [model.step(rows) for rows in np.split(features, [1, 3, 10])]
        check_equal(path, [expected[spec.lookahead_frames :]], [np.concatenate(parts)])
    return path


def _trained(checkpoint: dict[str, Any]) -> dict[str, Any]:
    train = checkpoint["train"]
    return {
        "recipe": RECIPE,
        "step": checkpoint["step"],
        "seed": train["seed"],
        "commit": checkpoint["commit"],
        "shares": train["shares"],
        "tolerance": MODEL_TOLERANCE,
    }
