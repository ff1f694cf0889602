"""From a trained FCNN or CRNN to a model that the engine plays, its decoder tuned, and measured."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from engine.model.pipeline import load_pipeline
from models.features import MEL_VISION
from models.papers.crnn import Crnn
from models.papers.fcnn import Fcnn
from models.papers.roll import OUTPUTS, RollModel
from models.spec import STYLE_DIM, ModelSpec
from offline_train.evaluation.systems import decode
from offline_train.evaluation.tuning import Search, TuningExample, tune_thresholds
from offline_train.exporting.export import export_frontend, export_stateful
from offline_train.exporting.release import score_examples
from offline_train.studies.transcription.rolls import Score, score_notes

ONSETS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
TUNING_PIECES = 8


def export_vision(network: Fcnn | Crnn, path: Path, valid: Path, facts: dict[str, Any]) -> Path:
    """Write a model and its front end beside it; return its path.

    Parameters
    ----------
    valid
        Folder of shards on whose first pieces the decoder's thresholds are chosen.
    facts
        What the model's file says of its training.

    Raises
    ------
    ModelError
        If torch and the file differ.
    """
    model = RollModel(network, MEL_VISION).eval()
    spec = ModelSpec(
        name=path.stem,
        kind="stateful",
        features=MEL_VISION,
        version="1",
        lookahead_frames=model.lookahead_frames,
        outputs=OUTPUTS,
        styles={name: [0.0] * STYLE_DIM for name in ("calm", "balanced", "intense")},
        trained=facts,
    )
    with tempfile.TemporaryDirectory() as folder:
        export_frontend(MEL_VISION, Path(folder))
        untuned = export_stateful(model, spec, Path(folder) / path.name)
        pieces = score_examples(untuned, valid)[:TUNING_PIECES]
    frame_s = MEL_VISION.frame_s
    decoding = tune_thresholds(pieces, frame_s, Search(ONSETS))
    export_frontend(MEL_VISION, path.parent)
    return export_stateful(model, dataclasses.replace(spec, decoding=decoding), path)


def live_scores(model: Path, folder: Path) -> dict[str, Score]:
    """Return the scores of what the engine plays to the pieces in a folder of shards."""
    spec = load_pipeline(model).spec
    pieces: list[TuningExample] = score_examples(model, folder)
    frame_s = spec.features.frame_s
    return score_notes([(p.human, decode(p.posteriors, frame_s, spec.decoding)) for p in pieces])


def live_line(model: Path, folder: Path) -> str:
    """Return a sentence with a model's scores through the engine, and how long it waits."""
    scores = live_scores(model, folder)
    spec = load_pipeline(model).spec
    waits = spec.lookahead_frames * spec.features.frame_s + spec.features.half_window_s
    figures = ", ".join(f"{name.replace('_', ' ')} F1 {s.f1:.3f}" for name, s in scores.items())
    return f"Through the engine, `{model.name}`: {figures}; it waits {1000 * waits:.0f} ms."
