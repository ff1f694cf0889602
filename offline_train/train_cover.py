"""The recipe of the streaming cover model: config, data, model, loop, save.

Time, not epochs, is the budget (``hours``): the learning rate follows the share of it that is
used, so a run that is stopped and resumed ends as planned. Ctrl-C and SIGTERM leave a loadable
checkpoint. One process, or several by ``torchrun`` or Ray (``data_parallel``): the same program.
"""

import json
import logging
import math
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from tqdm import tqdm

from engine.errors import DataError, ModelError
from models.features import LOG_STFT_16K, Features
from models.streaming import StreamingConfig, StreamingCover
from offline_train.data_parallel import (
    agree,
    average_gradients,
    global_batch_norm,
    join,
    rank,
    scaled,
    share_weights,
    whole_batch,
    world_size,
)
from offline_train.dataset import Crops, shift_bins
from offline_train.fused_gru import fuse
from offline_train.losses import Weights, consistency_loss, cover_loss
from offline_train.shards import read_shards
from offline_train.stopping import Stopping, ignore_interrupts

log = logging.getLogger(__name__)

SAVE_EVERY_S = 120.0
LOG_EVERY_S = 30.0
VALIDATION_CROPS = 96
HEARD = ("samples", "clean", "shift", "style")  # what of a batch the network is given
SHARES = {"train": 0.63, "recordings": 0.2, "giantmidi-solo-train": 0.17}
"""Folders of prepared shards, and how often each is heard."""


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
    consistency_from: float = 0.6  # share of the time used when it begins; 1 for never
    ema_decay: float = 0.998
    seed: int = 1
    threads: int = 1
    device: str = "cpu"
    start_from: Path | None = None


def learning_rate(step: int, share_used: float, c: TrainConfig) -> float:
    """Return the rate: linear warm-up by step, then a cosine over the share of time used."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(share_used, 1.0)))
    return c.learning_rate * min(1.0, (step + 1) / c.warmup_steps) * (0.01 + 0.99 * cosine)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint of this recipe. Raises ModelError if it is something else."""
    try:
        checkpoint: Any = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds on a file that is none of its own
        raise ModelError(f"{path}: expected a checkpoint of train-cover ({error})") from error
    found: dict[str, Any] = checkpoint if isinstance(checkpoint, dict) else {}
    if found.get("recipe") != "train-cover":
        came = found.get("recipe", "something else")
        raise ModelError(f"{path}: expected a checkpoint of train-cover, came one of {came}")
    return found


def network_of(checkpoint: dict[str, Any]) -> StreamingCover:
    """Return the network with the averaged weights of a checkpoint, ready to run."""
    network = StreamingCover(StreamingConfig(**checkpoint["network"]))
    network.load_state_dict(checkpoint["ema"])
    return network.eval()


def moving_average(decay: float) -> Callable[..., None]:
    """Return the rule of an exponential moving average that soon forgets where it began.

    After n steps the decay is (1 + n) / (10 + n), at most ``decay``, as TensorFlow's is.
    """

    def update(averaged: list[Tensor], current: list[Tensor], n_averaged: Tensor) -> None:
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
        self.optimizer = torch.optim.AdamW(self.network.parameters(), weight_decay=c.weight_decay)
        self.mass = {name: torch.tensor(0.01) for name in ("onset", "frame")}
        self.n_steps, self.seconds, self.audio_seconds = 0, 0.0, 0.0

    def load(self, checkpoint: dict[str, Any], weights_only: bool = False) -> None:
        """Go on from a checkpoint, or take its averaged weights alone and begin."""
        model = checkpoint["ema" if weights_only else "model"]
        self.network.load_state_dict(model)
        self.average.module.load_state_dict(checkpoint["ema"])
        if not weights_only:
            self.average.n_averaged += checkpoint["step"]
            self.optimizer.load_state_dict(checkpoint["optimizer"])
            self.n_steps, self.seconds = checkpoint["step"], checkpoint["seconds"]
            self.audio_seconds = checkpoint["audio_hours"] * 3600

    def step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Take one optimizer step; return the loss terms."""
        c = self.c
        batch = {name: value.to(c.device) for name, value in batch.items()}
        share = self.seconds / (c.hours * 3600)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.n_steps, share, c)
        self.network.train()
        features = hear(self.layer, batch["samples"], batch["shift"])
        state = initial_state(self.network, len(features), c.device)
        logits, _ = self.network(features, batch["style"], state)
        logits = whole_batch(logits)
        labels = whole_batch({k: v for k, v in batch.items() if k not in HEARD})
        terms = cover_loss(logits, labels, c.weights)
        if share >= c.consistency_from:
            terms["consistency"] = self._consistency(logits, labels, batch)
        self._follow_mass(labels)
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.stack(list(terms.values())).sum()
        scaled(total).backward()  # type: ignore[no-untyped-call]
        average_gradients(self.network)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        self.n_steps += 1
        self.audio_seconds += len(features) * c.n_frames * LOG_STFT_16K.frame_s * world_size()
        return {name: value.item() for name, value in terms.items()}

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
        partial = path.with_suffix(".partial")
        torch.save(
            {
                "recipe": "train-cover",
                "network": self.network.config.to_dict(),
                "train": json.loads(json.dumps(asdict(self.c), default=str)),
                "commit": _commit(),
                "model": self.network.state_dict(),
                "ema": self.average.module.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.n_steps,
                "seconds": self.seconds,
                "audio_hours": self.audio_seconds / 3600,
            },
            partial,
        )
        partial.replace(path)


def is_recording(labels: dict[str, Tensor]) -> Tensor:
    """Return which rows (B,) are of recordings: a teacher's labels, no cover and no velocities."""
    return (labels["has_cover"] < 0.5) & (labels["has_velocity"] < 0.5)


def initial_state(network: StreamingCover, batch: int, device: str) -> dict[str, Tensor]:
    """Return the network's first state on a device."""
    return {name: value.to(device) for name, value in network.init_state(batch).items()}


@torch.inference_mode()
def validate(network: StreamingCover, c: TrainConfig) -> dict[str, float]:
    """Return the loss terms over the same random crops of the validation shards each time."""
    layer = Features(LOG_STFT_16K).to(c.device)
    crops = Crops({c.valid: 1.0}, LOG_STFT_16K, c.n_frames, network.config.lookahead_frames, seed=0)
    totals: dict[str, float] = {}
    loader = DataLoader(crops, batch_size=8)
    for _, batch in zip(range(VALIDATION_CROPS // 8), loader, strict=False):
        batch = {name: value.to(c.device) for name, value in batch.items()}
        features = hear(layer, batch["samples"], batch["shift"])
        logits, _ = network(features, batch["style"], initial_state(network, 8, c.device))
        for name, value in cover_loss(logits, batch, c.weights).items():
            totals[name] = totals.get(name, 0.0) + value.item() * 8 / VALIDATION_CROPS
    return totals


def train(c: TrainConfig, network_config: StreamingConfig) -> Path:
    """Train, or go on training, until ``hours`` are used; return the checkpoint's path.

    Raises
    ------
    DataError
        If there is nothing to train on, or a loss is not a number.
    ModelError
        If ``last.pt`` or ``start_from`` is no checkpoint of this recipe.
    """
    torch.set_num_threads(c.threads)
    if not c.shares:
        raise DataError(f"{c.out}: nothing to train on; run livecover-train prepare first")
    for folder in c.shares:
        read_shards(Path(folder))  # before anything is written: it says what is missing
    join(c.device)
    torch.manual_seed(c.seed)
    c.out.mkdir(parents=True, exist_ok=True)
    path = c.out / "last.pt"
    learner = Learner(c, network_config)
    if path.is_file():
        learner.load(load_checkpoint(path))
    elif c.start_from is not None:
        learner.load(load_checkpoint(c.start_from), weights_only=True)
    share_weights(learner.network)
    if rank() == 0:
        facts = json.dumps({**asdict(c), **network_config.to_dict()}, default=str, indent=1)
        (c.out / "config.json").write_text(facts)
    shares = {Path(folder): share for folder, share in c.shares.items()}
    seed = (c.seed + learner.n_steps) * world_size() + rank()
    crops = Crops(shares, LOG_STFT_16K, c.n_frames, network_config.lookahead_frames, seed)
    loader = DataLoader(
        crops,
        batch_size=c.batch,
        num_workers=1,
        prefetch_factor=4,
        worker_init_fn=ignore_interrupts,
    )
    try:
        with Stopping() as stopping:
            _loop(learner, loader, path, stopping)
    finally:
        if rank() == 0:
            learner.save(path)
    if rank() == 0:
        result = validate(network_of(load_checkpoint(path)).to(c.device), c)
        log.info("validation after %d steps: %s", learner.n_steps, result)
        _append(c.out, {"step": learner.n_steps, "validation": result})
    return path


def _loop(
    learner: Learner, loader: "DataLoader[dict[str, Tensor]]", path: Path, stopping: Stopping
) -> None:
    c = learner.c
    budget = c.hours * 3600
    if learner.seconds >= budget:
        return
    last_save = last_log = last = time.monotonic()
    running: dict[str, float] = {}
    audio_before = learner.audio_seconds
    bar = tqdm(
        total=round(c.hours * 60), initial=round(learner.seconds / 60), unit="min", desc="train",
        disable=rank() > 0,
    )  # fmt: skip
    for batch in loader:
        terms = learner.step(batch)
        if not np.isfinite(sum(terms.values())):
            raise DataError(f"step {learner.n_steps}: the loss is not a number: {terms}")
        for name, value in terms.items():
            running[name] = 0.98 * running.get(name, value) + 0.02 * value
        now = time.monotonic()
        learner.seconds = agree(learner.seconds + now - last)
        last = now
        if rank() == 0:
            bar.n = round(learner.seconds / 60)
            if now - last_log > LOG_EVERY_S:
                speed = (learner.audio_seconds - audio_before) / (now - last_log)
                audio_before, last_log = learner.audio_seconds, now
                facts = {"minutes": learner.seconds / 60, "times_real_time": speed, **running}
                _append(
                    c.out, {"step": learner.n_steps} | {k: round(v, 5) for k, v in facts.items()}
                )
                bar.set_postfix({k: f"{v:.4f}" for k, v in running.items()})
            if now - last_save > SAVE_EVERY_S:
                learner.save(path)
                last_save = now
        if agree(float(stopping.is_asked)):  # the first worker's, so that all stop at one step
            raise KeyboardInterrupt
        if learner.seconds >= budget:
            break
    bar.close()


def _append(out: Path, facts: dict[str, Any]) -> None:
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(facts) + "\n")


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
