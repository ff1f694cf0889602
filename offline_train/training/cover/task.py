"""The streaming cover network's training: settings, batches, losses, average, validation.

Not here: the run (``recipes.cover``).
"""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.core.errors import ModelError
from models.features import LOG_STFT_16K, Features
from models.streaming import StreamingConfig, StreamingCover
from models.trunk import STEP_FRAMES
from models.widen import widen
from offline_train.data.dataset import CoverCrops, shift_bins
from offline_train.training.acceleration import (
    compile_modules,
    quickest_grus,
    reduced_precision,
)
from offline_train.training.checkpoints import (
    TRAINING_ONLY,
    read_checkpoint,
    warn_of_older,
    write_weights,
)
from offline_train.training.cover.losses import consistency_loss, cover_loss
from offline_train.training.cover.settings import CoverSettings
from offline_train.training.data_parallel import global_batch_norm, rank, whole_batch, world_size
from offline_train.training.loading import load_batches
from offline_train.training.task import Losses, Task

RECIPE = "train-cover"
VALIDATION_CROPS = 96
VALIDATED = {"": 1, "ahead_": 64}
"""Steps of a segment for which a network that hears later sound is validated, by prefix."""
INPUTS = ("samples", "clean", "shift", "style")  # what of a batch the network is given


def moving_average(decay: float) -> Callable[..., None]:
    """Return the rule of an exponential moving average that soon forgets where it began.

    After n steps the decay is (1 + n) / (10 + n), at most ``decay``, as TensorFlow's is. Whole
    numbers, such as indices, are not averaged: they would be rounded down at every step.
    """

    def update(averaged: list[Tensor], current: list[Tensor], n_averaged: Tensor) -> None:
        if not averaged[0].is_floating_point():  # tensors come grouped by their type
            for mean, value in zip(averaged, current, strict=True):
                mean.copy_(value)
            return
        n = float(n_averaged)
        rule = get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))  # type: ignore[no-untyped-call]
        rule(averaged, current, n_averaged)

    return update


def shifted_features(layer: Features, samples: Tensor, shift: Tensor) -> Tensor:
    """Return features (B, T, F) of samples (B, n), moved by semitones (B,)."""
    with torch.no_grad():
        return shift_bins(layer(samples), shift, LOG_STFT_16K)


def at_least_float(logits: Tensor) -> Tensor:
    """Return logits in float32, or as they are where they are more precise."""
    return logits.float() if logits.dtype == torch.bfloat16 else logits


class CoverTask(Task[dict[str, Tensor]]):
    """The network, its moving average and its losses, over the batches of all processes.

    Begins with the averaged weights of the checkpoint ``start``, whose network may be narrower.
    Raises ValueError if it is not so.
    """

    recipe = RECIPE
    is_parallel = True

    def __init__(self, c: CoverSettings, start: dict[str, Any] | None = None) -> None:
        self.c = self.settings = c
        self.cover = quickest_grus(global_batch_norm(StreamingCover(c.network).to(c.device)), c)
        self.network = self.cover
        self.layer = Features(LOG_STFT_16K).to(c.device)
        if start is not None:
            widen(self.cover, start["ema"])
        ema = moving_average(c.ema_decay)
        self.average = AveragedModel(self.network, multi_avg_fn=ema, use_buffers=True)
        is_whole = c.part in ("all", "cover")
        compile_modules(
            c, *([self.cover] if is_whole else [self.cover.trunk, self.cover.transcription])
        )
        for module in self._frozen():
            module.requires_grad_(False)
        learning = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(learning, c.learning_rate, weight_decay=c.weight_decay)
        self.mass = {name: torch.tensor(0.01) for name in ("onset", "frame")}
        self.n_steps, self.audio_seconds = 0, 0.0
        self._labels: dict[str, Tensor] = {}

    def batches(self, first: int) -> Iterator[dict[str, Tensor]]:
        """Yield this process's batches from number ``first`` on."""
        c, seed = self.c, self.c.seed * world_size() + rank()
        crops = CoverCrops(
            c.folders(), LOG_STFT_16K, c.n_frames, c.network.lookahead_frames, c.let_go
        )
        return load_batches(crops, seed, c.batch, first, c.workers)

    def train_mode(self) -> None:
        """Set what learns to training."""
        self.network.train()
        for module in self._frozen():
            module.eval()

    def loss(self, batch: dict[str, Tensor], progress: float) -> Losses:
        """Return the terms of the loss of the batches of all processes."""
        c = self.c
        batch = {name: value.to(c.device) for name, value in batch.items()}
        features = shifted_features(self.layer, batch["samples"], batch["shift"])
        segment = segment_steps(c, self.n_steps)
        logits = whole_batch(self._answer(features, batch["style"], segment))
        labels = whole_batch({k: v for k, v in batch.items() if k not in INPUTS})
        terms = cover_loss(logits, labels, c.weights)
        if c.part == "all" and progress >= c.consistency_from:
            terms["consistency"] = self._consistency(logits, labels, batch, segment)
        self._labels = labels
        return terms

    def after_step(self) -> None:
        """Follow the weights with their average, and the density of covers."""
        self._follow_mass(self._labels)
        self.average.update_parameters(self.network)
        self.n_steps += 1
        n_crops = len(self._labels["has_cover"])
        self.audio_seconds += n_crops * self.c.n_frames * LOG_STFT_16K.frame_s

    def validate(self, step: int) -> dict[str, Any]:
        """Return the loss terms of the average on crops of the validation shards."""
        average = self.average.module
        assert isinstance(average, StreamingCover)
        return validate(average.eval(), self.c)

    def state(self) -> dict[str, Any]:
        """Return the network's sizes, its average, and how much audio was seen."""
        return {
            "network": self.cover.config.to_dict(),
            "ema": self.average.module.state_dict(),
            "audio_hours": self.audio_seconds / 3600,
            "mass": self.mass,
        }

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Resume from what ``state`` returned."""
        self.average.module.load_state_dict(checkpoint["ema"])
        self.average.n_averaged += checkpoint["step"]
        self.n_steps = checkpoint["step"]
        self.audio_seconds = checkpoint["audio_hours"] * 3600
        if "mass" in checkpoint:
            self.mass = checkpoint["mass"]
        else:
            warn_of_older(self.c.out / "last.pt", "the density of covers")

    def upgraded(self, checkpoint: dict[str, Any]) -> dict[str, Any]:
        """Return a checkpoint of an older version as one of this version."""
        return {**checkpoint, "train": {**checkpoint["train"], "network": checkpoint["network"]}}

    def _frozen(self) -> list[torch.nn.Module]:
        """Return the modules that do not learn."""
        n, part = self.cover, self.c.part
        if part == "cover":
            return [n.trunk, n.transcription]
        heads = n.transcription if part == "heads" else None
        trained = (n.trunk, n.transcription) if part == "transcriber" else (heads,)
        return [] if part == "all" else [m for m in n.children() if m not in trained]

    def _answer(self, features: Tensor, style: Tensor, segment: int | None) -> dict[str, Tensor]:
        """Return logits by name; without the cover's where the cover does not learn."""
        state = initial_state(self.cover, len(features), self.c.device)
        with reduced_precision(self.c):
            if self.c.part in ("all", "cover"):
                logits, _ = self.cover(features, style, state, segment)
            else:
                hidden, _ = self.cover.trunk(features, state)
                logits, _ = self.cover.transcribe(hidden, state)
        return {name: at_least_float(value) for name, value in logits.items()}

    def _consistency(
        self,
        logits: dict[str, Tensor],
        labels: dict[str, Tensor],
        batch: dict[str, Tensor],
        segment: int | None,
    ) -> Tensor:
        """Return how far recordings' covers are from the average's of clean sound, 0 if none."""
        average = self.average.module
        assert isinstance(average, StreamingCover)
        average.eval()
        target = {name: torch.zeros_like(batch[name]) for name in self.mass}
        is_own = is_recording(batch)
        if bool(is_own.any()):
            with torch.no_grad():
                clean = shifted_features(self.layer, batch["clean"][is_own], batch["shift"][is_own])
                state = initial_state(average, len(clean), self.c.device)
                played, _ = average(clean, batch["style"][is_own], state, segment)
            for name, value in target.items():
                value[is_own] = played[name]
        target = whole_batch(target)
        is_real = is_recording(labels)
        if not bool(is_real.any()):
            return torch.zeros((), device=self.c.device)
        damaged = {name: logits[name][is_real] for name in target}
        clean_ones = {name: value[is_real] for name, value in target.items()}
        return consistency_loss(damaged, clean_ones, self.mass, self.c.weights)

    def _follow_mass(self, labels: dict[str, Tensor]) -> None:
        """Follow the mean onset and frame of covers, slowly."""
        has_cover = labels["has_cover"] > 0.5
        if bool(has_cover.any()):
            for name, value in self.mass.items():
                value.lerp_(labels[name][has_cover].mean().cpu(), max(0.01, 1 / (self.n_steps + 1)))


@torch.inference_mode()
def validate(network: StreamingCover, c: CoverSettings) -> dict[str, float]:
    """Return the loss terms over the same random crops of the validation shards each time."""
    layer = Features(LOG_STFT_16K).to(c.device)
    folder = c.prepared / c.valid
    crops = CoverCrops(
        {folder: 1.0}, LOG_STFT_16K, c.n_frames, network.config.lookahead_frames, c.let_go
    )
    totals: dict[str, float] = {}
    n_batches = VALIDATION_CROPS // 8
    for batch in islice(load_batches(crops, 0, 8, workers=0), n_batches):
        batch = {name: value.to(c.device) for name, value in batch.items()}
        features = shifted_features(layer, batch["samples"], batch["shift"])
        state = initial_state(network, 8, c.device)
        for prefix, segment in VALIDATED.items() if network.config.ahead else [("", None)]:
            logits, _ = network(features, batch["style"], state, segment)
            for name, value in cover_loss(logits, batch, c.weights).items():
                totals[prefix + name] = totals.get(prefix + name, 0.0) + value.item() / n_batches
    return totals


def segment_steps(c: CoverSettings, step: int) -> int | None:
    """Return how many steps a segment of a training step has: a power of 2, each as often.

    None for a network that hears nothing later.
    """
    if not c.network.ahead:
        return None
    n_powers = (c.n_frames // STEP_FRAMES).bit_length()
    return 1 << int(np.random.default_rng((c.seed, step)).integers(n_powers))


def write_start(checkpoint: dict[str, Any], out: Path) -> Path:
    """Write a checkpoint's averaged weights, for others to begin with; return ``out``."""
    return write_weights(checkpoint, out, ("model", "mass", *TRAINING_ONLY))


def is_recording(labels: dict[str, Tensor]) -> Tensor:
    """Return which rows (B,) are of recordings: a teacher's labels, no cover and no velocities."""
    return (labels["has_cover"] < 0.5) & (labels["has_velocity"] < 0.5)


def initial_state(network: StreamingCover, batch: int, device: str) -> dict[str, Tensor]:
    """Return the network's first state on a device."""
    return {name: value.to(device) for name, value in network.init_state(batch).items()}


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint of this recipe. Raises ModelError if it is something else."""
    return read_checkpoint(path, RECIPE)


def network_of(checkpoint: dict[str, Any]) -> StreamingCover:
    """Return the network with the averaged weights of a checkpoint, ready to run.

    Raises
    ------
    ModelError
        If the weights are of a network of another make, as those of an older version may be.
    """
    network = StreamingCover(StreamingConfig(**checkpoint["network"]))
    try:
        widen(network, checkpoint["ema"])
    except ValueError as error:
        raise ModelError(
            f"expected a checkpoint of this version's network: {error}; train it anew, or export it"
            " with the version that made it"
        ) from error
    return network.eval()
