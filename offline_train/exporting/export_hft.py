"""From a checkpoint of AMT-APC's recipe to the window model that ships."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from engine.cover.style import expected_onset_rate
from models.features import MEL_HFT
from models.hft import OUTPUTS, HftConfig
from models.spec import Decoding, ModelSpec
from offline_train.data.style import presets
from offline_train.evaluation import EvaluateConfig, tune
from offline_train.evaluation.tuning import SANE_DENSITY, Search
from offline_train.exporting.export import export_frontend, export_window
from offline_train.recipes.amt_apc_data import HftCrops
from offline_train.recipes.amt_apc_run import load_checkpoint, network_of

PAPER_DECODING = Decoding(
    onset_threshold=0.5,
    frame_on_threshold=0.5,
    frame_off_threshold=0.5,
    restrike_threshold=0.5,
)
TUNING_SONGS = 8
# The cover loss leaves out most cells without a note, so that all posteriors are high.
ONSETS = tuple(k / 20 for k in range(4, 17))
LIVE_STEP_FRAMES = 8
LIVE_CONTEXT_FRAMES = 16  # frames of the window after those that are answered


def export_hft(
    checkpoint_path: Path,
    out: Path,
    name: str = "apc",
    covers: tuple[Path, ...] = (),
    songs: EvaluateConfig | None = None,
) -> Path:
    """Write ``NAME.onnx``, ``NAME.local.onnx`` and the front end into ``out``; return the first.

    Parameters
    ----------
    covers
        Folders of shards whose covers the style presets are made of; without them there is one
        preset of zeros.
    songs
        With human covers, on which the thresholds that travel with the model are tuned; without
        them they are the papers'.

    Raises
    ------
    DataError, ModelError
        If the checkpoint or the shards are not what they should be, or torch and the files differ.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    network = network_of(checkpoint)
    styles = {"balanced": [0.0] * 24}
    if covers:
        crops = HftCrops(covers, "cover", MEL_HFT, 1, 0)
        styles = presets([np.array(piece.array("notes")) for piece in crops.pieces()])
    trained = {
        "recipe": "livecover-train train-apc",
        "stage": checkpoint["stage"],
        "steps": checkpoint["step"],
        "audio_hours_heard": round(checkpoint["audio_hours"], 2),
        "validation": checkpoint["validation"],
        "data": {Path(folder).name: digest for folder, digest in checkpoint["data"].items()},
        "seed": checkpoint["train"]["seed"],
        "commit": checkpoint["commit"],
    }
    spec = hft_spec(network.config, name, styles, PAPER_DECODING, trained)
    export_frontend(spec.features, out)
    model = export_window(network, spec, out / f"{name}.onnx")
    if songs is None:
        return model
    rate = expected_onset_rate(np.asarray(styles["balanced"], np.float32)) if covers else 0.0
    decoding = tune(model, songs, search=Search(ONSETS, round(rate, 2), SANE_DENSITY))
    return export_window(network, dataclasses.replace(spec, decoding=decoding), model)


def hft_spec(
    config: HftConfig,
    name: str,
    styles: dict[str, list[float]],
    decoding: Decoding,
    trained: dict[str, Any],
) -> ModelSpec:
    """Return the spec of AMT-APC's network as it plays live."""
    return ModelSpec(
        name=name,
        kind="window",
        features=MEL_HFT,
        version="1",
        lookahead_frames=config.margin_frames + LIVE_CONTEXT_FRAMES,
        outputs=OUTPUTS,
        window_frames=config.n_frames,
        step_frames=LIVE_STEP_FRAMES,
        local_margin_frames=config.margin_frames,
        styles=styles,
        decoding=decoding,
        trained=trained,
    )
