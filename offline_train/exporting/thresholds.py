"""The decoder's thresholds of a cover model that is to be exported: tuned, or the shipped ones.

Tuned on the validation songs of POP909, or on covers of one's own that ``livecover-train pairs``
kept apart. Not here: how thresholds are chosen (``evaluation.tuning``).
"""

import dataclasses
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from engine.cover.style import expected_onset_rate
from engine.model.graph import Graph
from engine.model.model_files import list_models, model_path, read_spec
from engine.model.pipeline import load_pipeline
from models.spec import Decoding, ModelSpec
from models.streaming import StreamingCover, Transcriber
from offline_train.data.shards import MANIFEST, StoredPiece, read_shards
from offline_train.evaluation import EvaluateConfig, tune
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE
from offline_train.evaluation.systems import listen
from offline_train.evaluation.tuning import SANE_DENSITY, Search, TuningExample, tune_thresholds
from offline_train.exporting.export import export_frontend, export_stateful

log = logging.getLogger(__name__)

TUNING_SONGS = 16
TUNING_S = 60.0  # of each song; of fewer songs, more of each
SHIPPED = "live"  # whose thresholds a model of a name of its own is given


def own_covers(folder: Path) -> list[StoredPiece]:
    """Return the pieces in a folder that ``livecover-train pairs`` made, none where it is not."""
    if not (folder / MANIFEST).is_file():
        return []
    return [piece for piece in read_shards(folder) if piece.facts.get("kind") == "pair"]


def cover_decoding(
    network: StreamingCover, spec: ModelSpec, valid: Path, data: Path | None, cache: Path
) -> Decoding:
    """Return the thresholds for a cover network; a line in the log says what they come from.

    Parameters
    ----------
    valid : Path
        Shards of songs kept apart; those that are pairs count.
    data : Path or None
        The folder with POP909, whose validation songs are asked then, in sounds of training.
    cache : Path
        Keeps the rendered ones.
    """
    rate = round(expected_onset_rate(np.asarray(spec.styles["balanced"], np.float32)), 2)
    if data is not None:
        log.info("%s: tuning thresholds on validation songs of POP909 in %s", spec.name, data)
        songs = EvaluateConfig(data, cache, "valid", "a", excerpt_s=TUNING_S, limit=TUNING_SONGS)
        with untuned(network, spec) as model:
            return tune(model, songs, search=Search(notes_per_second=rate))
    pieces = own_covers(valid)
    if pieces:
        log.info("%s: tuning thresholds on the covers in %s: %d", spec.name, valid, len(pieces))
        with untuned(network, spec) as model:
            search = Search(notes_per_second=rate, densities=SANE_DENSITY)
            examples = pair_examples(model, pieces)
        frame_s = spec.features.frame_s
        return tune_thresholds(examples, frame_s, search)
    name = spec.name if spec.name in list_models() else SHIPPED
    log.warning(
        "%s: keeping the thresholds of the shipped model %s: there are no covers to tune on in %s,"
        " and POP909 was not given (--data)",
        spec.name,
        name,
        valid,
    )
    shipped = read_spec(Graph(model_path(name))).decoding
    return dataclasses.replace(shipped, notes_per_second=rate)


@contextmanager
def untuned(network: StreamingCover | Transcriber, spec: ModelSpec) -> Iterator[Path]:
    """Export a network for as long as its decoder is tuned."""
    with tempfile.TemporaryDirectory() as folder:
        export_frontend(spec.features, Path(folder))
        yield export_stateful(network, spec, Path(folder) / f"{spec.name}.onnx")


def pair_examples(model: Path, pieces: Sequence[StoredPiece]) -> list[TuningExample]:
    """Return a model's posteriors of pairs, ``TUNING_SONGS`` at most, and their covers.

    The middles of them, together no longer than ``TUNING_SONGS`` of ``TUNING_S``.
    """
    pipeline = load_pipeline(model)
    chosen = pieces[:: -(-len(pieces) // TUNING_SONGS)]
    seconds = TUNING_S * TUNING_SONGS / len(chosen)
    examples = []
    for piece in tqdm(chosen, desc="tune", unit="cover"):
        stems = piece.array("stems")
        start = max(len(stems) - round(seconds * SAMPLE_RATE), 0) // 2
        part = stems[start : start + round(seconds * SAMPLE_RATE)]
        samples = part.astype(np.float32).sum(1) / np.float32(32768)
        notes = np.array(piece.array("notes"))
        notes[:, :2] -= start / SAMPLE_RATE
        inside = (notes[:, 0] >= 0) & (notes[:, 0] < len(part) / SAMPLE_RATE)
        examples.append(TuningExample(listen(pipeline, samples, "balanced"), notes[inside]))
    return examples
