"""One step of the streaming cover network's training, its settings and its checkpoint.

Not here: the run (``train_cover``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.core.errors import DataError, ModelError
from models.features import LOG_STFT_16K, Features
from models.streaming import StreamingConfig, StreamingCover
from models.widen import widen
from offline_train.data.dataset import shift_bins
from offline_train.training.checkpoints import (
    chance,
    commit,
    is_all_there,
    plain,
    read_checkpoint,
    set_chance,
    write_checkpoint,
    write_weights,
)
from offline_train.training.data_parallel import (
    average_gradients,
    global_batch_norm,
    scaled,
    whole_batch,
    world_size,
)
from offline_train.training.fused_gru import fuse
from offline_train.training.losses import Weights, consistency_loss, cover_loss
from offline_train.training.running import falling

Part = Literal["all", "transcriber", "heads"]
"""What learns: everything; trunk and transcription alone; or what it says of a trunk that stays."""

HEARD = ("samples", "clean", "shift", "style")  # what of a batch the network is given


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run; ``out`` holds ``last.pt``, ``config.json`` and ``log.jsonl``.

    ``shares`` gives folders of shards and how often each is heard; ``batch`` is what one worker
    takes at a time. ``start_from`` is a checkpoint whose weights the run begins with.
    """

    shares: dict[str, float]
    valid: Path
    out: Path
    hours: float = 2.0
    n_frames: int = 512
    batch: int = 2
    learning_rate: float = 2.0e-3
    weight_decay: float = 0.01
    warmup_steps: int = 60
    weights: Weights = field(default_factory=Weights)
    consistency_from: float = 0.3  # share of the time used when it begins; 1 for never
    ema_decay: float = 0.998
    seed: int = 1
    threads: int = 1
    device: str = "cpu"
    start_from: Path | None = None
    part: Part = "all"


def learning_rate(step: int, share_used: float, c: TrainConfig) -> float:
    """Return the rate: linear warm-up by step, then a cosine over the share of time used."""
    warmed_up = c.learning_rate * min(1.0, (step + 1) / c.warmup_steps)
    return falling(warmed_up, share_used, floor=0.01)


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


def hear(layer: Features, samples: Tensor, shift: Tensor) -> Tensor:
    """Return features (B, T, F) of samples (B, n), moved by semitones (B,)."""
    with torch.no_grad():
        return shift_bins(layer(samples), shift, LOG_STFT_16K)


class Learner:
    """The network, its average and its optimizer: ``step`` takes a batch, ``save`` writes all."""

    def __init__(self, c: TrainConfig, network_config: StreamingConfig) -> None:
        self.c = c
        self.network = fuse(global_batch_norm(StreamingCover(network_config).to(c.device)))
        self.layer = Features(LOG_STFT_16K).to(c.device)
        ema = moving_average(c.ema_decay)
        self.average = AveragedModel(self.network, multi_avg_fn=ema, use_buffers=True)
        for module in self._resting():
            module.requires_grad_(False)
        learning = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(learning, weight_decay=c.weight_decay)
        self.mass = {name: torch.tensor(0.01) for name in ("onset", "frame")}
        self.n_steps, self.seconds, self.audio_seconds = 0, 0.0, 0.0

    def begin_with(self, checkpoint: dict[str, Any]) -> None:
        """Begin with the averaged weights of another run, whose network may be narrower.

        Raises ValueError if it is not so.
        """
        widen(self.network, checkpoint["ema"])
        self.average.module.load_state_dict(self.network.state_dict())

    def go_on(self, checkpoint: dict[str, Any], path: Path) -> None:
        """Go on from this run's checkpoint, read from ``path``, as if it had not stopped."""
        self.network.load_state_dict(checkpoint["model"])
        self.average.module.load_state_dict(checkpoint["ema"])
        self.average.n_averaged += checkpoint["step"]
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.n_steps, self.seconds = checkpoint["step"], checkpoint["seconds"]
        self.audio_seconds = checkpoint["audio_hours"] * 3600
        if is_all_there(path, checkpoint, "mass", "chance"):
            self.mass = checkpoint["mass"]
            set_chance(checkpoint["chance"])

    def step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Take one optimizer step; return the loss terms.

        Raises DataError, the weights as they were, where loss or gradients are not numbers.
        """
        c = self.c
        batch = {name: value.to(c.device) for name, value in batch.items()}
        share = self.seconds / (c.hours * 3600)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.n_steps, share, c)
        self.network.train()
        for module in self._resting():
            module.eval()
        features = hear(self.layer, batch["samples"], batch["shift"])
        logits = whole_batch(self._answer(features, batch["style"]))
        labels = whole_batch({k: v for k, v in batch.items() if k not in HEARD})
        terms = cover_loss(logits, labels, c.weights)
        if c.part == "all" and share >= c.consistency_from:
            terms["consistency"] = self._consistency(logits, labels, batch)
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.stack(list(terms.values())).sum()
        scaled(total).backward()  # type: ignore[no-untyped-call]
        average_gradients(self.network)
        size = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if not bool(torch.isfinite(total) & torch.isfinite(size)):
            values = {name: round(value.item(), 4) for name, value in terms.items()}
            raise DataError(
                f"step {self.n_steps}: expected a loss and gradients that are numbers, got {values}"
                f" and {size.item():g}; the weights of the step before are kept: go on with a lower"
                " learning rate"
            )
        self.optimizer.step()
        self._follow_mass(labels)
        self.average.update_parameters(self.network)
        self.n_steps += 1
        self.audio_seconds += len(features) * c.n_frames * LOG_STFT_16K.frame_s * world_size()
        return {name: value.item() for name, value in terms.items()}

    def _resting(self) -> list[torch.nn.Module]:
        """Return the modules that do not learn."""
        n = self.network
        heads = n.transcription if self.c.part == "heads" else None
        hearing = (n.trunk, n.transcription) if self.c.part == "transcriber" else (heads,)
        return [] if self.c.part == "all" else [m for m in n.children() if m not in hearing]

    def _answer(self, features: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Return logits by name; without the cover's where the cover does not learn."""
        state = initial_state(self.network, len(features), self.c.device)
        if self.c.part == "all":
            return self.network(features, style, state)[0]  # type: ignore[no-any-return]
        hidden, _ = self.network.trunk(features, state)
        return self.network.transcribe(hidden, state)[0]

    def _consistency(
        self, logits: dict[str, Tensor], labels: dict[str, Tensor], batch: dict[str, Tensor]
    ) -> Tensor:
        """Return how far recordings' covers are from the average's of clean sound, 0 if none."""
        average = self.average.module
        assert isinstance(average, StreamingCover)
        average.eval()
        target = {name: torch.zeros_like(batch[name]) for name in self.mass}
        is_own = is_recording(batch)
        if bool(is_own.any()):
            with torch.no_grad():
                clean = hear(self.layer, batch["clean"][is_own], batch["shift"][is_own])
                state = initial_state(average, len(clean), self.c.device)
                played, _ = average(clean, batch["style"][is_own], state)
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

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        write_checkpoint(
            path,
            {
                "recipe": "train-cover",
                "network": self.network.config.to_dict(),
                "train": plain(self.c),
                "commit": commit(),
                "model": self.network.state_dict(),
                "ema": self.average.module.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.n_steps,
                "seconds": self.seconds,
                "audio_hours": self.audio_seconds / 3600,
                "mass": self.mass,
                "chance": chance(),
            },
        )


def write_start(checkpoint: dict[str, Any], out: Path) -> Path:
    """Write a checkpoint's averaged weights, for others to begin with; return ``out``."""
    return write_weights(checkpoint, out, ("model", "optimizer", "mass", "chance"))


def is_recording(labels: dict[str, Tensor]) -> Tensor:
    """Return which rows (B,) are of recordings: a teacher's labels, no cover and no velocities."""
    return (labels["has_cover"] < 0.5) & (labels["has_velocity"] < 0.5)


def initial_state(network: StreamingCover, batch: int, device: str) -> dict[str, Tensor]:
    """Return the network's first state on a device."""
    return {name: value.to(device) for name, value in network.init_state(batch).items()}


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint of this recipe. Raises ModelError if it is something else."""
    return read_checkpoint(path, "train-cover")


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
