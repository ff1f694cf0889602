"""From a checkpoint to the file that ships: styles, a tuned decoder, export."""

import dataclasses
import logging
import tempfile
from pathlib import Path

from models.features import LOG_STFT_16K
from models.spec import ModelSpec
from models.streaming import OUTPUTS, STEP_FRAMES
from offline_train.dataset import read_takes
from offline_train.evaluate import EvaluateConfig, tune
from offline_train.export import export_frontend, export_stateful
from offline_train.style import presets
from offline_train.train_cover import load_checkpoint, network_of

log = logging.getLogger(__name__)


def release(
    checkpoint_path: Path, prepared: Path, data: Path, cache: Path, out: Path, name: str
) -> Path:
    """Write ``NAME.onnx`` and its front end into ``out``; return the model's path.

    The decoder is tuned on validation songs in sounds heard in training, so that the test split
    and its sounds stay unseen.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    network = network_of(checkpoint)
    takes = read_takes(prepared)
    spec = ModelSpec(
        name=name,
        kind="stateful",
        features=LOG_STFT_16K,
        version="1",
        lookahead_frames=network.config.lookahead_frames,
        outputs=OUTPUTS,
        step_frames=STEP_FRAMES,
        styles=presets([take.notes for take in takes]),
        trained={
            "data": "POP909 (MIT), rendered with FluidR3 GM (MIT), OPL-3 FM, avldrums",
            "recipe": "livecover-train prepare, train, export",
            "songs": len(takes),
            "audio_hours_heard": round(checkpoint["audio_hours"], 1),
            "training_hours": round(checkpoint["seconds"] / 3600, 2),
            "steps": checkpoint["step"],
            "seed": checkpoint["train"]["seed"],
            "commit": checkpoint["commit"],
        },
    )
    valid = EvaluateConfig(data, cache / "valid-heard-60", "valid", heard=True, excerpt_s=60.0)
    with tempfile.TemporaryDirectory() as folder:
        export_frontend(spec.features, Path(folder))
        untuned = Path(folder) / f"{name}.onnx"
        export_stateful(network, spec, untuned)
        spec = dataclasses.replace(spec, decoding=tune(untuned, valid))
    log.info("decoder: %s", spec.decoding)
    export_frontend(spec.features, out)
    path = out / f"{name}.onnx"
    export_stateful(network, spec, path)
    return path
