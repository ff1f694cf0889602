"""Paper 3's study as one resumable recipe: pictures of sound, β, and a Transformer that fails.

"Neural Music Transcription with Spatiotemporal Vision Models" (Sharma and Xiao, 2022). The FCNN and
the CRNN learn with three values of β for two epochs each and are evaluated after either (its tables
1 to 3); so is β = 0.5 in the formula as printed (``losses``). The Transformers follow under the
same roof: as the paper has them, then with one thing changed at a time, then mended. A constant
output shows in "movement", how far each key's probability strays along time from its mean, the true
roll's being 1. The better of FCNN and CRNN is exported and measured through the engine.

Piano is GiantMIDI-Piano's, on pianos of soundfonts, where the paper has MAESTRO's recordings;
split by piece where its code splits by year. What it leaves in ``out``: ``data/``, a folder for
each run, ``rolls.png``, the model and its front end, ``report.md``.
"""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.features import MEL_VISION
from models.papers.crnn import Crnn
from models.papers.fcnn import Fcnn, VisionConfig
from models.papers.seq2seq import Transformer
from models.prior import init_bias
from offline_train.data.prepare import PrepareConfig, prepare
from offline_train.studies.experiments import ExperimentConfig, Size
from offline_train.studies.transcription.epochs import FitConfig, Metrics, fit, load_run, read_log
from offline_train.studies.transcription.excerpts import Excerpt, Segments, load_excerpts, window
from offline_train.studies.transcription.export_vision import export_vision, live_line
from offline_train.studies.transcription.losses import beta_cross_entropy, seeming_share
from offline_train.studies.transcription.pictures import draw_rolls
from offline_train.studies.transcription.rolls import THRESHOLD, Cells
from offline_train.studies.transcription.tables import VisionRow, vision_table
from offline_train.studies.transcription.vision_ladder import (
    DRAWN,
    LADDER,
    PICTURES,
    TRANSFORMERS,
    Rung,
)
from offline_train.training.fused_gru import fuse

EPOCHS = 2  # the paper's
PICTURE_S = 10.0

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is trained on. ``limit``: pieces of a split, 0 for all; times are seconds."""

    limits: dict[str, int]
    takes: int
    excerpt_s: float
    segment_s: float
    batch: int
    learning_rate: float
    transformer_batch: int  # segments of one second
    picture: VisionConfig = VisionConfig()
    width: int = 128  # of the Transformers
    n_generated: int = 60  # seconds of test that a decoder answers frame by frame


SCALES: dict[Size, Scale] = {
    "tiny": Scale(
        {"train": 2, "valid": 1, "test": 1}, 1, 3.0, 1.0, 2, 1e-3, 2,
        VisionConfig(channels=(2, 2, 4), out_channels=2, width=8, hidden=8), 8, 2,
    ),
    "small": Scale({"train": 0, "valid": 4, "test": 6}, 1, 45.0, 1.0, 2, 1e-3, 16),
    "full": Scale({"train": 0, "valid": 0, "test": 0}, 4, 90.0, 10.0, 16, 3e-4, 16),
}  # fmt: skip


def run(c: ExperimentConfig) -> str:
    """Run the study, or go on with it; return its report."""
    torch.set_num_threads(c.threads)
    scale = SCALES[c.size]
    rows: list[VisionRow] = []
    drawn: dict[str, Array] = {}
    picture = shown(c, scale)
    for rung in LADDER:
        network, lines = trained(c, scale, rung)
        size = sum(parameter.numel() for parameter in network.parameters())
        rows += [row_of(rung, line, size) for line in lines]
        if rung in PICTURES or rung.setting in DRAWN:
            drawn[f"{rung.network}, {rung.setting}"] = predict(network, picture, rung)
    drawn["true"] = picture.roll().astype(np.float32)
    draw_rolls(c.out / "rolls.png", drawn, MEL_VISION.frame_s)
    best = max(PICTURES, key=lambda rung: last_f1(rows, rung))
    network, _ = trained(c, scale, best)
    assert isinstance(network, Fcnn | Crnn)
    path = c.out / f"{best.network.lower()}.onnx"
    if not path.is_file():
        facts = {"recipe": "livecover-train experiment vision", "run": best.name, "seed": c.seed}
        export_vision(network, path, prepared(c, scale, "valid"), facts)
    parts = [vision_table(rows, epoch + 1) for epoch in range(EPOCHS)]
    parts.append(teacher_forcing_line(rows, c, scale))
    parts.append(
        f"Best by F1: {best.network}, {best.setting}. {live_line(path, prepared(c, scale, 'test'))}"
    )
    report = "\n\n".join([*parts, "Rolls: `rolls.png`."]) + "\n"
    (c.out / "report.md").write_text(report)
    return report


def last_f1(rows: list[VisionRow], rung: Rung) -> float:
    """Return a run's F1 after its last epoch."""
    own = [r for r in rows if (r.network, r.setting) == (rung.network, rung.setting)]
    return own[-1].cells.f1


def prepared(c: ExperimentConfig, scale: Scale, split: str) -> Path:
    """Return the folder of a split's shards, rendered if they are not there."""
    folder = c.out / "data" / split
    config = PrepareConfig(
        c.data,
        folder,
        split=split,
        corpus="giantmidi",
        solo=True,
        excerpt_s=scale.excerpt_s,
        takes=scale.takes if split == "train" else 1,
        pieces=2,
        seed=c.seed,
        workers=c.threads,
        limit=scale.limits[split],
    )
    prepare(config)
    return folder


def excerpts_of(c: ExperimentConfig, scale: Scale, split: str) -> list[Excerpt]:
    """Return the excerpts of a split, rendered if they are not there."""
    return load_excerpts(prepared(c, scale, split), MEL_VISION)


def shown(c: ExperimentConfig, scale: Scale) -> Excerpt:
    """Return the first ten seconds of a test piece, for pictures."""
    excerpt = excerpts_of(c, scale, "test")[0]
    n = round(PICTURE_S / MEL_VISION.frame_s)
    return replace(excerpt, features=excerpt.features[:n])


def trained(c: ExperimentConfig, scale: Scale, rung: Rung) -> tuple[nn.Module, list[Metrics]]:
    """Return a run's network and log; the run goes on if it is not done."""
    torch.manual_seed(c.seed + zlib.crc32(rung.name.encode()))
    network = network_of(scale, rung).to(c.device)
    folder = c.out / rung.name
    lines = read_log(folder)
    if len(lines) == EPOCHS:
        network.load_state_dict(load_run(folder / "last.pt", rung.name)["model"])
        return network.eval(), lines
    margin = 0 if isinstance(network, Transformer) else network.margin_frames
    seconds = 1.0 if rung.transformer else scale.segment_s
    batch = scale.transformer_batch if rung.transformer else scale.batch
    n_frames = round(seconds / MEL_VISION.frame_s)
    segments = Segments(excerpts_of(c, scale, "train"), n_frames, batch, c.seed, margin)
    test = excerpts_of(c, scale, "test")
    fit_config = FitConfig(
        folder,
        name=rung.name,
        epochs=EPOCHS,
        epoch_steps=segments.n_batches,
        learning_rate=rung.learning_rate or scale.learning_rate,
        seed=c.seed,
        warmup_steps=max(1, EPOCHS * segments.n_batches // 10) if rung.is_warmed else 0,
        has_decay=rung.is_warmed,
    )

    def loss_of(batch: dict[str, Tensor]) -> Tensor:
        features, roll = batch["features"].to(c.device), batch["roll"].to(c.device)
        if isinstance(network, Transformer):
            logits = network(features, roll)
        else:
            hidden = network.init_hidden(len(features)).to(c.device)
            logits, _ = network.roll(features, hidden)
        return beta_cross_entropy(logits, roll, rung.beta, rung.as_printed)

    def validate() -> Metrics:
        return score_cells(network, test, rung, scale)

    lines = fit(fuse(network), loss_of, segments.epoch, validate, fit_config)
    return network.eval(), lines


def network_of(scale: Scale, rung: Rung) -> Fcnn | Crnn | Transformer:
    """Return a run's network, as it begins."""
    if rung.transformer is not None:
        return Transformer(replace(rung.transformer, width=scale.width))
    network = (Fcnn if rung.network == "FCNN" else Crnn)(scale.picture)
    init_bias(network.head, seeming_share(rung.beta, rung.as_printed))
    return network


@torch.no_grad()
def predict(
    network: nn.Module, excerpt: Excerpt, rung: Rung, teacher_forcing: bool = False
) -> Array:
    """Return the roll of probabilities (T, 88) that a network finds in an excerpt.

    Transformers take it second by second, as in training; with ``teacher_forcing`` a decoder reads
    the true roll. What is left at the end, less than a second, is silent.
    """
    n = len(excerpt.features)
    device = next(network.parameters()).device
    if not isinstance(network, Transformer):
        assert isinstance(network, Fcnn | Crnn)
        x = torch.from_numpy(window(excerpt, 0, n, network.margin_frames))[None].to(device)
        logits, _ = network.roll(x, network.init_hidden(1).to(device))
        return np.asarray(torch.sigmoid(logits[0]).cpu().numpy())
    second = round(1.0 / MEL_VISION.frame_s)
    whole = n // second
    x = torch.from_numpy(window(excerpt, 0, whole * second, 0)).reshape(whole, second, -1)
    roll = torch.from_numpy(excerpt.roll()[: whole * second].astype(np.float32))
    roll = roll.reshape(whole, second, -1).to(device)
    logits = network(x.to(device), roll) if teacher_forcing else network.generate(x.to(device))
    found = np.zeros((n, logits.shape[2]), np.float32)
    found[: whole * second] = torch.sigmoid(logits).flatten(0, 1).cpu().numpy()
    return found


def score_cells(network: nn.Module, test: list[Excerpt], rung: Rung, scale: Scale) -> Metrics:
    """Return the counts over the cells of test, and how the roll moves."""
    is_decoder = rung.transformer is not None and rung.transformer.kind == "seq2seq"
    budget = scale.n_generated / MEL_VISION.frame_s if is_decoder else np.inf
    cells, forced, copied = Cells(), Cells(), Cells()
    moved = moves = 0.0
    for excerpt in test:
        n = int(min(len(excerpt.features), budget))
        budget -= n
        if n < 1 / MEL_VISION.frame_s:
            break
        part = replace(excerpt, features=excerpt.features[:n])
        true, found = part.roll(), predict(network, part, rung)
        cells += Cells.of(true, found >= THRESHOLD)
        moved += float(found.std(0).sum())
        moves += float(true.std(0).sum())
        if is_decoder:
            forced += Cells.of(
                true, predict(network, part, rung, teacher_forcing=True) >= THRESHOLD
            )
            copied += Cells.of(true[1:], true[:-1])
    counts = {"n_true": cells.n_true, "n_found": cells.n_found, "n_both": cells.n_both}
    metrics: Metrics = {**counts, "n_cells": cells.n_cells, "liveliness": moved / max(moves, 1e-6)}
    return metrics | ({"told_f1": forced.f1, "copied_f1": copied.f1} if is_decoder else {})


def row_of(rung: Rung, line: Metrics, parameters: int) -> VisionRow:
    """Return a line of a run's log as a row of the tables."""
    cells = Cells(*(int(line[name]) for name in ("n_true", "n_found", "n_both", "n_cells")))
    return VisionRow(
        rung.network,
        rung.setting,
        int(line["epoch"]),
        cells,
        parameters,
        line["seconds"],
        line["liveliness"],
    )


def teacher_forcing_line(rows: list[VisionRow], c: ExperimentConfig, scale: Scale) -> str:
    """Return the F1 of sequence to sequence under teacher forcing."""
    rung = TRANSFORMERS[0]
    line = read_log(c.out / rung.name)[-1]
    return (
        f"Sequence to sequence, given the true roll a frame late: F1 {line['told_f1']:.3f}; copying"
        f" that frame: {line['copied_f1']:.3f}; given its own: {last_f1(rows, rung):.3f}."
    )
