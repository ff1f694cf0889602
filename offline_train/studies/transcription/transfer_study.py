"""Paper 2's study as one resumable recipe: what a transcriber keeps from another instrument.

"Transfer of knowledge among instruments in automatic music transcription" (Leś and Woźniak, 2023).
One network (``models.papers.unet_lstm``) learns from synthesized instruments, from the piano and
from the guitar, each from nothing; from each of these weights it then goes on to a target. All
seven are evaluated on the test pieces of both targets (tables 1 to 3), validated on the way (figure
3), and the three research questions are answered by what came out.

Where the paper's code slips, this is what the paper means: gradients are clipped after they are
there, validation and test pieces differ, and the head is linear. Weights go over to
a target, Adam's moments do not. Last comes what a user does: the shipped transcriber is adapted to
a few recordings of the guitar (``adapt``). What it leaves in ``out``: ``data/``, a folder for each
training, ``recordings/``, ``product/``, ``results.json``, ``report.md`` and ``figure3.png``.
"""

import json
import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from models.features import CQT_TRANSFER
from models.papers.unet_lstm import UnetLstm, UnetLstmConfig
from offline_train.corpora import Note
from offline_train.corpora.text_files import read_json
from offline_train.data.shards import read_shards
from offline_train.studies.experiments import ExperimentConfig, Size
from offline_train.studies.transcription.adapt import AdaptConfig, adapt
from offline_train.studies.transcription.epochs import FitConfig, Metrics, fit, load_run, read_log
from offline_train.studies.transcription.excerpts import Excerpt, Segments, load_excerpts
from offline_train.studies.transcription.pictures import draw_curves
from offline_train.studies.transcription.rolls import (
    MEASURES,
    THRESHOLD,
    Array,
    Score,
    notes_of,
    score_notes,
)
from offline_train.studies.transcription.sounds import SoundConfig, prepare_sounds
from offline_train.studies.transcription.tables import transfer_report
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.render import players_to_midi
from offline_train.synthesis.stems import SAMPLE_RATE

log = logging.getLogger(__name__)

TARGETS = ("piano", "guitar")


@dataclass(frozen=True, slots=True)
class Training:
    """One of the seven: what it learns from, and whose weights it begins with."""

    domain: str
    start: str = ""  # another training's name

    @property
    def name(self) -> str:
        """What it is called in tables, files and messages."""
        return f"{self.start}-to-{self.domain}" if self.start else self.domain


TRAININGS = (
    Training("synthesized"),
    Training("piano"),
    Training("guitar"),
    Training("piano", "synthesized"),
    Training("guitar", "synthesized"),
    Training("piano", "guitar"),
    Training("guitar", "piano"),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is trained on and for how long; minutes are those of each domain."""

    minutes: float
    valid_minutes: float
    test_minutes: float
    excerpt_s: float
    n_frames: int  # in a segment
    batch: int
    epochs: int
    validate_every: int = 2
    network: UnetLstmConfig = UnetLstmConfig()
    learning_rate: float = 0.002  # the paper's 0.01 is for batches of 32
    n_recordings: int = 16  # that the shipped transcriber is adapted to; 0 leaves it out


SCALES: dict[Size, Scale] = {
    "tiny": Scale(
        0.1,
        0.05,
        0.05,
        3.0,
        32,
        2,
        2,
        1,
        UnetLstmConfig(channels=(2, 2, 2, 2), hidden=8),
        n_recordings=0,
    ),
    "small": Scale(16, 1.5, 4, 30, 96, 2, 10, 1),
    "full": Scale(40, 4, 20, 40, 96, 2, 40),
}

Results = dict[str, dict[str, dict[str, Score]]]
"""Training -> target -> measure -> score."""


def run(c: ExperimentConfig) -> str:
    """Run the study, or go on with it; return its report."""
    torch.set_num_threads(c.threads)
    scale = SCALES[c.size]
    results: Results = {}
    for training in TRAININGS:
        network = trained(c, scale, training)
        results[training.name] = test_scores(c, scale, training, network)
        _write(c.out / "results.json", results)
    curves = {t.name: read_log(c.out / t.name) for t in TRAININGS}
    draw_curves(
        c.out / "figure3.png",
        {target: _curves_of(target, curves) for target in TARGETS},
        "note F1 on the validation pieces",
    )
    report = transfer_report(results, curves, scale.epochs) + in_product(c, scale)
    (c.out / "report.md").write_text(report)
    return report


def in_product(c: ExperimentConfig, scale: Scale) -> str:
    """Return the gain of ``livecover-train transfer`` on recordings of the guitar."""
    if not scale.n_recordings:
        return ""
    folder = c.out / "recordings"
    sounds = prepare_sounds(sounds_of(c, scale, "guitar", "train"))
    n = write_recordings(sounds, folder, scale.n_recordings)
    config = AdaptConfig(folder, c.out / "product", name="guitar", seed=c.seed, threads=c.threads)
    gain = adapt(config).report()
    return f"\nThe shipped transcriber, {n} recordings of the guitar:\n\n{gain}\n"


def write_recordings(shards: Path, folder: Path, n: int) -> int:
    """Write the first n excerpts in a folder of shards as recordings with MIDI; return how many."""
    folder.mkdir(exist_ok=True)
    pieces = read_shards(shards)[:n]
    for piece in pieces:
        soundfile.write(folder / f"{piece.name}.wav", piece.array("stems")[:, 0], SAMPLE_RATE)
        rows = np.array(piece.array("score"), float).tolist()
        notes = [Note(on, off, int(pitch), int(velocity)) for on, off, pitch, velocity, _ in rows]
        midi = players_to_midi([Player("solo", 24, notes)])
        midi.save(folder / f"{piece.name}.mid")
    return len(pieces)


def _curves_of(target: str, curves: dict[str, list[Metrics]]) -> dict[str, list[Metrics]]:
    """Return the curves of the trainings whose target this is, the one from nothing first."""
    return {t.name: curves[t.name] for t in TRAININGS if t.domain == target}


def excerpts_of(c: ExperimentConfig, scale: Scale, domain: str, split: str) -> list[Excerpt]:
    """Return the excerpts of a domain's split, made if they are not there."""
    return load_excerpts(prepare_sounds(sounds_of(c, scale, domain, split)), CQT_TRANSFER)


def sounds_of(c: ExperimentConfig, scale: Scale, domain: str, split: str) -> SoundConfig:
    """Return how the excerpts of a domain's split are made."""
    minutes = {"train": scale.minutes, "valid": scale.valid_minutes, "test": scale.test_minutes}
    data = c.out / "data"
    return SoundConfig(c.data, data, domain, split, minutes[split], scale.excerpt_s, c.seed)


def trained(c: ExperimentConfig, scale: Scale, training: Training) -> UnetLstm:
    """Return the network of a training, which goes on if it is not done."""
    folder = c.out / training.name
    torch.manual_seed(c.seed + zlib.crc32(training.name.encode()))
    network = UnetLstm(scale.network).to(c.device)
    if training.start:
        start = load_run(c.out / training.start / "last.pt", training.start)
        network.load_state_dict(start["model"])
    if len(read_log(folder)) == scale.epochs:
        network.load_state_dict(load_run(folder / "last.pt", training.name)["model"])
        return network.eval()
    excerpts = excerpts_of(c, scale, training.domain, "train")
    segments = Segments(excerpts, scale.n_frames, scale.batch, c.seed)
    valid = excerpts_of(c, scale, training.domain, "valid")

    def loss_of(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return bce(network(batch["features"].to(c.device)), batch["roll"].to(c.device))

    def validate() -> Metrics:
        scores = score_notes(found_notes(network, valid, c.device))
        return {f"{name}_f1": score.f1 for name, score in scores.items()}

    fit_config = FitConfig(
        folder,
        name=training.name,
        epochs=scale.epochs,
        epoch_steps=segments.n_batches,
        learning_rate=scale.learning_rate,
        seed=c.seed,
        validate_every=scale.validate_every,
    )
    fit(network, loss_of, segments.epoch, validate, fit_config)
    return network.eval()


@torch.no_grad()
def found_notes(
    network: UnetLstm, excerpts: Sequence[Excerpt], device: str
) -> list[tuple[Array, Array]]:
    """Return the (true, found) notes of excerpts: a roll is cut at 0.5, its edges are notes."""
    pairs = []
    for excerpt in excerpts:
        features = torch.from_numpy(excerpt.features.astype(np.float32))[None]
        roll = torch.sigmoid(network(features.to(device)))[0].cpu().numpy() >= THRESHOLD
        pairs.append((excerpt.notes, notes_of(roll, excerpt.spec.frame_s)))
    return pairs


def test_scores(
    c: ExperimentConfig, scale: Scale, training: Training, network: UnetLstm
) -> dict[str, dict[str, Score]]:
    """Return a network's scores on both targets' test pieces, from the file if they are there."""
    before = read_results(c.out / "results.json")
    if training.name in before:
        return before[training.name]
    scores = {
        target: score_notes(found_notes(network, excerpts_of(c, scale, target, "test"), c.device))
        for target in TARGETS
    }
    log.info("%s: %s", training.name, {t: round(s["note"].f1, 3) for t, s in scores.items()})
    return scores


def read_results(path: Path) -> Results:
    """Return the results that a run left; {} if there are none."""
    if not path.is_file():
        return {}
    plain: dict[str, Any] = read_json(path)
    return {
        name: {
            target: {measure: Score(**scores[measure]) for measure in MEASURES}
            for target, scores in targets.items()
        }
        for name, targets in plain.items()
    }


def _write(path: Path, results: Results) -> None:
    plain = {
        name: {
            target: {
                m: {"precision": s.precision, "recall": s.recall, "f1": s.f1}
                for m, s in scores.items()
            }
            for target, scores in targets.items()
        }
        for name, targets in results.items()
    }
    kept = read_json(path) if path.is_file() else {}
    path.write_text(json.dumps(kept | plain, indent=1))
