"""Adapts the shipped transcriber to a user's instrument, from a few recordings with MIDI.

What paper 2 finds, made a command: weights trained on many instruments are taken to another
(``livecover-train transfer FOLDER``). Recordings held out show what was gained: of three or more
every fourth, counted from the last; of fewer the last quarter of each. Both decoders, before and
after, are tuned on what was learned from, so that the network alone makes the difference.

Normalisation keeps the statistics it has: a handful of recordings has none worth the name. Not
here: the loop (``epochs``), the network (``models.streaming``), mixing and labels (``dataset``).
"""

import dataclasses
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.core.errors import DataError
from models.features import LOG_STFT_16K, Features
from models.spec import Decoding
from models.streaming import TRANSCRIPTION_PREFIX, Transcriber
from offline_train.corpora import Note
from offline_train.corpora import Piece as Score
from offline_train.corpora.folder import MidiFolder
from offline_train.data.dataset import CoverCrops
from offline_train.data.prepare import score_of, to_int16
from offline_train.data.shards import Piece, append_manifest, read_manifest, write_shard
from offline_train.data.sound_files import duration
from offline_train.evaluation.systems import decode
from offline_train.evaluation.tuning import Search, tune_thresholds
from offline_train.exporting.export import export_frontend, export_stateful
from offline_train.exporting.release import TRANSCRIPTION_ONSETS, score_examples, transcriber_spec
from offline_train.studies.transcription.epochs import Batch, FitConfig, Metrics, fit
from offline_train.studies.transcription.rolls import Score as Result
from offline_train.studies.transcription.rolls import score_notes
from offline_train.studies.transcription.sounds import read_excerpt
from offline_train.studies.transcription.tables import table
from offline_train.synthesis.stems import Stem, level
from offline_train.training.cover.losses import Weights, note_loss
from offline_train.training.cover.task import load_checkpoint, network_of, shifted_features
from offline_train.training.fused_gru import fuse
from offline_train.training.loading import load_batches

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

EXCERPT_S = 60.0
LEAST_S = 5.0  # of a recording
ROUNDS = 10  # into which the steps are cut: what an epoch is to ``epochs``
WHERE = "name the MIDI file of a recording as the recording is named: take1.wav, take1.mid"


@dataclass(frozen=True, slots=True)
class AdaptConfig:
    """One adaptation; ``out`` holds the excerpts, the run and what comes of it."""

    folder: Path
    out: Path
    start: Path = Path("models/weights/transcriber.pt")
    name: str = "mine"
    steps: int = 300
    batch: int = 4
    n_frames: int = 256
    learning_rate: float = 5e-4
    seed: int = 1
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Adapted:
    """The exported model, and what it and the one it began with find in what was held out."""

    model: Path
    before: dict[str, Result]
    after: dict[str, Result]

    def report(self) -> str:
        """Return the gain as a table, with a word of advice where there is none."""
        head = ["held out", "note P", "note R", "note F1", "with offset F1", "frame F1"]
        rows = []
        for name, scores in (("before", self.before), ("after", self.after)):
            note = scores["note"]
            values = [note.precision, note.recall, note.f1]
            values += [scores["note_with_offset"].f1, scores["frame"].f1]
            rows.append([name, *(f"{value:.3f}" for value in values)])
        gain = self.after["note"].f1 - self.before["note"].f1
        advice = "" if gain > 0 else "; no gain: give more recordings, or keep the one you have"
        return f"{table(head, rows)}\n\nnote F1 {gain:+.3f}{advice}\n{self.model}"


def adapt(c: AdaptConfig) -> Adapted:
    """Adapt a transcriber to the recordings in a folder, or go on; export it and show the gain.

    Raises
    ------
    DataError
        If the folder has no recordings with MIDI, or one cannot be read.
    ModelError
        If ``start`` is no checkpoint of ``livecover-train train``.
    """
    torch.set_num_threads(c.threads)
    checkpoint = load_checkpoint(c.start)
    train, test = store_recordings(c.folder, c.out / "data")
    network = Transcriber(network_of(checkpoint)).eval()
    _, before = _tune_and_score(network, c, train, test)
    learn(network, c, train)
    decoding, after = _tune_and_score(network, c, train, test)
    return Adapted(_export(network, c, c.out, decoding), before, after)


def store_recordings(folder: Path, out: Path) -> tuple[Path, Path]:
    """Write recordings and their notes as shards; return the folders learned from and held out.

    Raises
    ------
    DataError
        If there are none, or one cannot be read.
    """
    train, test = out / "train", out / "test"
    if read_manifest(train) and read_manifest(test):
        return train, test
    corpus = MidiFolder(folder)
    ids = sorted(i for split in ("train", "valid", "test") for i in corpus.ids(split))
    scores = [score for score in map(corpus.read, ids) if score.audio is not None]
    if len(scores) < len(ids):
        log.warning("%s: %d MIDI files have no recording", folder, len(ids) - len(scores))
    if not scores:
        raise DataError(f"{folder}: expected recordings with MIDI beside, found none; {WHERE}")
    held_out = {len(scores) - 1 - k for k in range(0, len(scores), 4)} if len(scores) > 2 else set()
    pieces: dict[Path, list[Piece]] = {train: [], test: []}
    for k, score in enumerate(scores):
        seconds = _length(score)
        edge = 0.0 if k in held_out else seconds if held_out else 0.75 * seconds
        pieces[train] += _excerpts(score, k, 0.0, edge)
        pieces[test] += _excerpts(score, k, edge, seconds)
    for place, found in pieces.items():
        if not found:
            raise DataError(
                f"{folder}: expected notes in what is {'learned' if place == train else 'held out'}"
                ", found none; give more or longer recordings"
            )
        place.mkdir(parents=True, exist_ok=True)
        append_manifest(place, write_shard(place / "shard-00000.tar", found))
    return train, test


def _length(score: Score) -> float:
    """Return the seconds of a recording. Raises DataError if it is broken or short."""
    assert score.audio is not None
    seconds = duration(score.audio)
    if seconds < LEAST_S:
        raise DataError(f"{score.audio}: expected {LEAST_S:.0f} s or more, got {seconds:.1f} s")
    if abs(seconds - score.duration) > max(10.0, 0.1 * seconds):
        log.warning(
            "%s lasts %.0f s, its MIDI %.0f s: do they belong together?",
            score.audio,
            seconds,
            score.duration,
        )
    return seconds


def _excerpts(score: Score, number: int, start: float, end: float) -> list[Piece]:
    """Return a recording from start to end, in pieces of a minute at most that have notes."""
    count = max(1, math.ceil((end - start) / EXCERPT_S)) if end - start > 1.0 else 0
    seconds = (end - start) / max(count, 1)
    sounding = [n for part in score.parts if part.role != "drums" for n in part.sounding()]
    pieces = []
    for k in range(count):
        first = start + k * seconds
        notes = sorted(_inside(sounding, first, seconds))
        if not notes:
            continue
        stem = Stem("recording", level(read_excerpt(score, first, seconds)), notes, score.piece_id)
        arrays: dict[str, NDArray[Any]] = {"stems": to_int16(stem.samples)[:, None]}
        arrays["score"] = score_of([stem])
        facts = {"seconds": seconds, "start": first, "roles": ["solo"], "source": str(score.audio)}
        pieces.append(Piece(f"recording-{number:03d}-{first:06.0f}", arrays, facts))
    return pieces


def _inside(notes: Sequence[Note], start: float, seconds: float) -> Iterator[Note]:
    """Yield notes that begin in an excerpt, its times from 0."""
    for note in notes:
        if start <= note.onset < start + seconds:
            offset = min(note.offset - start, seconds)
            yield note._replace(onset=note.onset - start, offset=offset)


def learn(network: Transcriber, c: AdaptConfig, train: Path) -> None:
    """Train a transcriber on recordings, or go on; it is left ready to run."""
    layer = Features(LOG_STFT_16K)
    n_steps = max(1, c.steps // ROUNDS)

    crops = CoverCrops({train: 1.0}, LOG_STFT_16K, c.n_frames, network.config.lookahead_frames)

    def batches(epoch: int) -> Iterator[Batch]:
        first = epoch * n_steps
        return islice(load_batches(crops, c.seed, c.batch, first, workers=0), n_steps)

    def loss_of(batch: Batch) -> Tensor:
        keep_statistics(network)
        features = shifted_features(layer, batch["samples"], batch["shift"])
        logits, _ = network(features, batch["style"], network.init_state(len(features)))
        prefixed = {TRANSCRIPTION_PREFIX + name: value for name, value in logits.items()}
        has = batch["has_transcription"], batch["has_velocity"]
        return torch.stack(
            list(note_loss(prefixed, batch, TRANSCRIPTION_PREFIX, *has, Weights()).values())
        ).sum()

    def validate() -> Metrics:
        return {}

    fit_config = FitConfig(
        c.out / "run",
        name="transfer",
        epochs=ROUNDS,
        epoch_steps=n_steps,
        learning_rate=c.learning_rate,
        seed=c.seed,
        warmup_steps=max(1, ROUNDS * n_steps // 20),
        has_decay=True,
        clip=1.0,
    )
    fit(fuse(network), loss_of, batches, validate, fit_config)


def keep_statistics(network: nn.Module) -> None:
    """Let normalisation use what it has, also in training."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _export(network: Transcriber, c: AdaptConfig, out: Path, decoding: Decoding) -> Path:
    """Write the model and its front end; return it."""
    facts = {
        "recipe": "livecover-train transfer",
        "start": c.start.name,
        "recordings": str(c.folder),
        "steps": c.steps,
        "seed": c.seed,
    }
    spec = dataclasses.replace(transcriber_spec(network, facts), name=c.name, decoding=decoding)
    export_frontend(spec.features, out)
    return export_stateful(network, spec, out / f"{c.name}.onnx")


def _tune_and_score(
    network: Transcriber, c: AdaptConfig, train: Path, test: Path
) -> tuple[Decoding, dict[str, Result]]:
    """Return the decoding that suits what was learned from, and the scores with it of the rest."""
    model, frame_s = _export(network, c, c.out / "untuned", Decoding()), LOG_STFT_16K.frame_s
    known = score_examples(model, train)
    decoding = tune_thresholds(known, frame_s, Search(TRANSCRIPTION_ONSETS))
    held_out = score_examples(model, test)
    pairs = [(p.human, decode(p.posteriors, frame_s, decoding)) for p in held_out]
    return decoding, score_notes(pairs)
