"""From a checkpoint to the files that ship: styles, a tuned decoder, export."""

import dataclasses
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.core.errors import DataError, ModelError
from engine.cover.style import expected_onset_rate
from engine.model.frontend import SUFFIX as FRONTEND_SUFFIX
from engine.model.model_files import LOCAL_SUFFIX
from engine.model.pipeline import load_pipeline
from engine.system.whole_file import written_whole
from models.features import LOG_STFT_16K
from models.spec import METADATA_KEY, ModelSpec
from models.streaming import COVER, RESIDUAL, TRANSCRIPTION_PREFIX, StreamingCover, Transcriber
from models.trunk import STEP_FRAMES, TRANSCRIPTION
from offline_train.data.shards import read_shards
from offline_train.data.style import presets
from offline_train.evaluation.systems import listen
from offline_train.evaluation.tuning import Search, TuningExample, tune_thresholds
from offline_train.exporting.export import export_frontend, export_stateful
from offline_train.exporting.thresholds import cover_decoding, untuned
from offline_train.training.cover.task import load_checkpoint, network_of

log = logging.getLogger(__name__)

TRANSCRIBE = "transcribe"
COVER_OUTPUTS = (*COVER, *(TRANSCRIPTION_PREFIX + name for name in RESIDUAL))
AHEAD_FRAMES = 256
"""That a network which hears later sound may wait for: 4 s."""
TRANSCRIBER_PIECES = "giantmidi-solo-valid"
TRANSCRIPTION_ONSETS = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
TRANSCRIPTION_ENDS = (0.0, 0.3, 0.5, 0.7)


def trained_facts(checkpoint: dict[str, Any], data: str) -> dict[str, Any]:
    """Return what a model's file says of its training."""
    return {
        "data": data,
        "recipe": "livecover-train prepare, recordings, train, export",
        "audio_hours_heard": round(checkpoint["audio_hours"], 1),
        "training_hours": round(checkpoint["seconds"] / 3600, 2),
        "steps": checkpoint["step"],
        "seed": checkpoint["train"]["seed"],
        "commit": checkpoint["commit"],
    }


def cover_spec(
    network: StreamingCover, songs: Path, name: str, trained: dict[str, Any]
) -> ModelSpec:
    """Return the spec of a cover model, its styles from the covers in a folder of shards."""
    covers = covers_of(songs)
    spec = _streaming_spec(network, name, "3.2", COVER_OUTPUTS)
    trained = trained | {"songs": len(covers)}
    return dataclasses.replace(spec, styles=presets(covers), trained=trained)


def _streaming_spec(
    network: StreamingCover | Transcriber, name: str, version: str, outputs: tuple[str, ...]
) -> ModelSpec:
    return ModelSpec(
        name=name,
        kind="stateful",
        features=LOG_STFT_16K,
        version=version,
        lookahead_frames=network.config.lookahead_frames,
        outputs=outputs,
        step_frames=STEP_FRAMES,
        ahead_frames=AHEAD_FRAMES if getattr(network, "ahead", None) is not None else 0,
    )


def covers_of(songs: Path) -> list[NDArray[np.float32]]:
    """Return the covers (n, 5) in a folder of shards. Raises DataError if there are none."""
    covers = [np.array(p.array("notes")) for p in read_shards(songs) if "notes" in p]
    covers = [cover for cover in covers if len(cover)]
    if not covers:
        raise DataError(f"{songs}: expected shards with covers, those there have none")
    return covers


def transcriber_spec(network: Transcriber, trained: dict[str, Any]) -> ModelSpec:
    """Return the spec of the trunk alone; a style changes nothing."""
    spec = _streaming_spec(network, TRANSCRIBE, "11", TRANSCRIPTION)
    styles = {name: [0.0] * 24 for name in ("calm", "balanced", "intense")}
    return dataclasses.replace(spec, styles=styles, trained=trained)


@dataclasses.dataclass(frozen=True, slots=True)
class ReleaseConfig:
    """A checkpoint of the streaming cover model, and what its files are made with.

    The covers of ``prepared/train`` give the styles. The decoder is tuned on the validation songs
    of ``data``, in sounds of training, so that the test split and its sounds stay unseen; where
    that is None, on the pairs of ``prepared/valid`` (``thresholds.cover_decoding``). ``credit``
    names the data and its licences. ``transcription_residual_weight`` replaces the network's own.
    """

    checkpoint: Path
    prepared: Path
    data: Path | None
    cache: Path  # keeps the rendered songs
    out: Path
    name: str
    credit: str
    transcription_residual_weight: float | None = None


def release(c: ReleaseConfig) -> list[Path]:
    """Write ``NAME.onnx``, ``transcribe.onnx`` and their front end into ``out``; return the models.

    ``prepared/giantmidi-solo-valid`` tunes the transcriber, which is left out where it is missing.
    Of a run that trained the transcriber alone, only that.

    Raises
    ------
    DataError
        If only the transcriber could be written, and there is nothing to tune it on.
    """
    checkpoint = load_checkpoint(c.checkpoint)
    models, pieces_there = [], (c.prepared / TRANSCRIBER_PIECES).is_dir()
    if checkpoint["train"]["part"] != "transcriber":
        models.append(release_cover(c))
    elif not pieces_there:
        raise DataError(
            f"{c.prepared / TRANSCRIBER_PIECES}: expected solo piano to tune {TRANSCRIBE} on; run"
            " livecover-train prepare --corpus giantmidi --solo --split valid"
        )
    if not pieces_there:
        log.info(
            "%s alone: no %s to tune %s on", c.name, c.prepared / TRANSCRIBER_PIECES, TRANSCRIBE
        )
        return models
    transcriber = Transcriber(network_of(checkpoint)).eval()
    spec = transcriber_spec(transcriber, trained_facts(checkpoint, c.credit))
    with untuned(transcriber, spec) as model:
        pieces = score_examples(model, c.prepared / TRANSCRIBER_PIECES)
    decoding = tune_thresholds(
        pieces, spec.features.frame_s, Search(TRANSCRIPTION_ONSETS, ends=TRANSCRIPTION_ENDS)
    )
    spec = dataclasses.replace(spec, decoding=decoding)
    log.info("%s: %s", spec.name, spec.decoding)
    export_frontend(LOG_STFT_16K, c.out)
    return [*models, export_stateful(transcriber, spec, c.out / f"{spec.name}.onnx")]


def release_cover(c: ReleaseConfig) -> Path:
    """Write ``NAME.onnx`` and its front end into ``out``; return the model."""
    checkpoint = load_checkpoint(c.checkpoint)
    if c.transcription_residual_weight is not None:
        checkpoint["network"]["transcription_residual_weight"] = c.transcription_residual_weight
    network = network_of(checkpoint)
    export_frontend(LOG_STFT_16K, c.out)
    spec = cover_spec(network, c.prepared / "train", c.name, trained_facts(checkpoint, c.credit))
    decoding = cover_decoding(network, spec, c.prepared / "valid", c.data, c.cache)
    spec = dataclasses.replace(spec, decoding=decoding)
    log.info("%s: %s", c.name, spec.decoding)
    return export_stateful(network, spec, c.out / f"{c.name}.onnx")


def score_examples(model: Path, folder: Path) -> list[TuningExample]:
    """Return a transcriber's posteriors of the dry pieces of shards, and their scores."""
    pipeline = load_pipeline(model)
    examples = []
    for piece in read_shards(folder):
        samples = piece.array("stems").astype(np.float32).sum(1) / 32768
        score = np.array(piece.array("score"))
        score[:, 4] = 0
        examples.append(TuningExample(listen(pipeline, samples, "balanced"), score))
    return examples


def restyle(model: Path, songs: Path, out: Path | None = None) -> Path:
    """Give an exported cover model the presets and the density of the covers in ``songs``.

    The network stays as it is: only the spec in the file's metadata changes. It is written to
    ``out``, with the model's other files beside it, or in place. Returns the model.

    Raises
    ------
    ModelError
        If the file is missing or is no model of ours.
    DataError
        If there are no covers.
    """
    out = out or model
    stored, entry = _open_spec(model)
    spec = ModelSpec.from_metadata(entry.value)
    styles = presets(covers_of(songs))
    rate = expected_onset_rate(np.asarray(styles["balanced"], np.float32))
    decoding = dataclasses.replace(spec.decoding, notes_per_second=round(rate, 2))
    name = spec.name if out == model else out.stem
    spec = dataclasses.replace(spec, name=name, styles=styles, decoding=decoding)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.parent.resolve() != model.parent.resolve():
        shutil.copy(model.parent / (spec.features.name + FRONTEND_SUFFIX), out.parent)
    local = model.with_name(model.stem + LOCAL_SUFFIX)
    if local.is_file():  # of a window model: both carry the spec
        _save_spec(*_open_spec(local), spec, out.with_name(out.stem + LOCAL_SUFFIX))
    return _save_spec(stored, entry, spec, out)


def _open_spec(path: Path) -> tuple[onnx.ModelProto, onnx.StringStringEntryProto]:
    """Return a model file and the entry of its metadata that is the spec."""
    try:
        stored = onnx.load(str(path))
        (entry,) = [prop for prop in stored.metadata_props if prop.key == METADATA_KEY]
    except Exception as error:  # protobuf's errors have no common root but this
        raise ModelError(
            f"{path}: expected a model made by livecover-train export, could not read it "
            f"({type(error).__name__}); export it again"
        ) from error
    return stored, entry


def _save_spec(
    stored: onnx.ModelProto, entry: onnx.StringStringEntryProto, spec: ModelSpec, path: Path
) -> Path:
    entry.value = spec.to_metadata()
    with written_whole(path) as file:
        onnx.save(stored, file)
    return path
