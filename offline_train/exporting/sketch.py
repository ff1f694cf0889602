"""Window networks as models: with random weights, to measure what one costs, or trained ones."""

import dataclasses
from pathlib import Path

import torch

from models import hft, window
from models.features import LOG_STFT_16K
from models.spec import ModelSpec
from offline_train.exporting.export import export_frontend, export_window
from offline_train.exporting.export_hft import PAPER_DECODING, hft_spec
from offline_train.recipes.amt_apc_run import NETWORKS
from offline_train.recipes.window import network_of

TRAINED = {"data": "none: random weights, to measure the engine with"}
STYLES = {"balanced": [0.0] * 24}


def sketch_window(
    name: str, out: Path, window_frames: int = 512, seed: int = 1, checkpoint: Path | None = None
) -> Path:
    """Write ``NAME.onnx``, its local stage and its front end into ``out``; return the first.

    ``window`` is the network of ``models/window.py``, ``small`` and ``paper`` are AMT-APC. With a
    ``checkpoint`` of the recipe ``window`` it is that network; ``restyle`` gives it presets.

    Raises
    ------
    ModelError
        If ``checkpoint`` is none of that recipe.
    """
    torch.manual_seed(seed)
    path = out / f"{name}.onnx"
    if name in NETWORKS:
        config = dataclasses.replace(NETWORKS[name], n_frames=window_frames)
        spec = hft_spec(config, name, STYLES, PAPER_DECODING, TRAINED)
        export_frontend(spec.features, out)
        return export_window(hft.Hft(config), spec, path)
    network = window.WindowCover(window.WindowConfig(window_frames=window_frames))
    if checkpoint is not None:
        network = network_of(checkpoint)
    spec = ModelSpec(
        name=name,
        kind="window",
        features=LOG_STFT_16K,
        version="0",
        lookahead_frames=32,
        outputs=window.OUTPUTS,
        window_frames=network.config.window_frames,
        step_frames=8,
        local_margin_frames=window.LOCAL_MARGIN_FRAMES,
        styles=STYLES,
        trained=TRAINED if checkpoint is None else {"recipe": "livecover-train train, window"},
    )
    export_frontend(spec.features, out)
    return export_window(network, spec, path)
