"""AMT-APC's recipe, in stages that follow each other: config, data, model, loop, save.

1. ``amt``: hFT learns to transcribe what sounds, in windows of 128 frames;
2. ``extend``: its positions grow to 512 frames, and it transcribes a little more;
3. ``apc``: the style gate comes in, and the cover loss.

A stage ends after its steps; its best weights by validation loss stand in ``STAGE.pt`` and begin
the next one. Adam, the rate along a half cosine over each stage; bfloat16 and ``torch.compile`` on
a GPU.
Ctrl-C and SIGTERM end the step underway and leave ``last.pt``, from which the same settings go on.
"""

import json
import logging
import time
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from models.features import MEL_HFT, Features
from models.hft import Hft, Matrices
from offline_train.data.dataset import Numbered
from offline_train.data.shards import manifest_hash
from offline_train.recipes.amt_apc_data import Batch, HftCrops, Task, collate
from offline_train.recipes.amt_apc_loss import amt_loss, count_cells, cover_loss, f1_of
from offline_train.recipes.amt_apc_run import (
    NETWORKS,
    RECIPE,
    ApcConfig,
    Stage,
    checkpoint_to_go_on_from,
    first_network,
    plan,
)
from offline_train.training.checkpoints import (
    chance,
    commit,
    is_all_there,
    plain,
    set_chance,
    write_checkpoint,
)
from offline_train.training.interrupts import Stopping, ignore_interrupts
from offline_train.training.running import append_log, falling, take_step

log = logging.getLogger(__name__)

SAVE_EVERY_S = 180.0
LOG_EVERY_S = 30.0


class Learner:
    """A network in one stage: ``learn`` takes a batch, ``validate`` scores, ``save`` writes all."""

    def __init__(self, c: ApcConfig, stage: Stage, network: Hft) -> None:
        self.c, self.stage = c, stage
        self.network = network.to(c.device)
        is_cuda = c.device.startswith("cuda")
        self.forward = torch.compile(self.network) if is_cuda else self.network
        self.has_bf16 = is_cuda and torch.cuda.is_bf16_supported()
        self.layer = _features_on(c.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=c.learning_rate)
        self.n_steps, self.best = 0, float("inf")
        self.seconds, self.audio_seconds = 0.0, 0.0
        self.validation: dict[str, float] = {}
        self._valid: list[Batch] = []
        self.seed = zlib.crc32(f"{c.seed}/{stage.name}".encode())
        self._generator = torch.Generator(c.device).manual_seed(self.seed)

    def learn(self, batch: Batch) -> float:
        """Take one step; return the loss. Raises DataError before a step that is no number."""
        for group in self.optimizer.param_groups:
            group["lr"] = falling(self.c.learning_rate, self.n_steps / self.stage.steps)
        self.network.train()
        loss, _ = self._loss(batch.to(self.c.device), self.stage.task, self._generator)
        value = take_step(
            self.network, self.optimizer, loss, f"{self.stage.name}, step {self.n_steps}"
        )
        self.n_steps += 1
        self.audio_seconds += len(batch.samples) * self.stage.n_frames * MEL_HFT.frame_s
        return value

    def validate(self) -> dict[str, float]:
        """Return loss and F1 over the same crops of the validation shards each time."""
        if not self._valid:
            c = self.c
            self._valid = fixed_batches(c, self.stage.task, self.stage.n_frames, c.valid)
        return self.score(self._valid, self.stage.task)

    @torch.no_grad()
    def score(self, batches: list[Batch], task: Task) -> dict[str, float]:
        """Return the mean loss of a task, and F1 over all cells, of the second hierarchy."""
        self.network.eval()
        generator = torch.Generator(self.c.device).manual_seed(0)
        counts, total = torch.zeros(3, 3, dtype=torch.int64), 0.0
        for batch in batches:
            batch = batch.to(self.c.device)
            loss, second = self._loss(batch, task, generator)
            counts += count_cells(second, batch.targets)
            total += loss.item() / len(batches)
        return {"loss": total, **f1_of(counts)}

    def _loss(
        self, batch: Batch, task: Task, generator: torch.Generator
    ) -> tuple[Tensor, Matrices]:
        kind = self.c.device.partition(":")[0]
        with torch.no_grad():
            features = self.layer(batch.samples)
        with torch.autocast(kind, torch.bfloat16, enabled=self.has_bf16):
            both = self.forward(features, batch.style)
        if task == "cover":
            return cover_loss(both, batch.targets, generator), both[1]
        return amt_loss(both, batch.targets), both[1]

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all. Raises DataError if it cannot be written."""
        c = self.c
        state = {
            "recipe": RECIPE,
            "network": self.network.config.to_dict(),
            "train": plain(c),
            "commit": commit(),
            "data": {str(folder): manifest_hash(folder) for folder in c.train},
            "stage": self.stage.name,
            "step": self.n_steps,
            "best": self.best,
            "seconds": self.seconds,
            "audio_hours": self.audio_seconds / 3600,
            "validation": self.validation,
            "model": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "chance": chance(self._generator),
        }
        write_checkpoint(path, state)

    def load(self, checkpoint: dict[str, Any]) -> None:
        """Go on from a checkpoint of this stage, as if it had not stopped."""
        self.network.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.n_steps, self.best = checkpoint["step"], checkpoint["best"]
        self.seconds, self.validation = checkpoint["seconds"], checkpoint["validation"]
        self.audio_seconds = checkpoint["audio_hours"] * 3600
        if is_all_there(self.c.out / "last.pt", checkpoint, "chance"):
            set_chance(checkpoint["chance"], self._generator)


def train(c: ApcConfig) -> Path:
    """Train, or go on training, through all stages; return the checkpoint that it leaves.

    That is the last stage's best, or ``last.pt`` if the time was over before.

    Raises
    ------
    ConfigError, DataError, ModelError
        If a setting, the shards, or a checkpoint in ``out`` is not what it should be.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    torch.set_num_threads(c.threads)
    torch.set_float32_matmul_precision("high")
    stages = plan(c)
    c.out.mkdir(parents=True, exist_ok=True)
    last = c.out / "last.pt"
    before = checkpoint_to_go_on_from(c, last)
    (c.out / "config.json").write_text(json.dumps(plain(c), indent=1))
    first = c.stages.index(before["stage"]) if before else 0
    deadline = time.monotonic() + 60 * c.minutes if c.minutes else float("inf")
    with Stopping() as stopping:
        for k in range(first, len(stages)):
            torch.manual_seed(c.seed + k)
            learner = Learner(c, stages[k], first_network(c, stages, k))
            if before and k == first:
                learner.load(before)
            _learn(learner, last, stopping, deadline)
            learner.save(last)
            if stopping.is_asked:
                raise KeyboardInterrupt
            if learner.n_steps < stages[k].steps:
                log.info("%g minutes are over; the same command goes on from here", c.minutes)
                return last
    return c.out / f"{learner.stage.name}.pt"


def _learn(learner: Learner, last: Path, stopping: "Stopping", deadline: float) -> None:
    """Take the steps that the stage has left, unless stopped."""
    c, stage = learner.c, learner.stage
    best = last.with_name(f"{stage.name}.pt")
    margin = learner.network.config.margin_frames
    crops = HftCrops(c.train, stage.task, MEL_HFT, stage.n_frames, margin, learner.seed)
    crops.pieces()  # bad shards are told of here, in one line, rather than by a worker
    loader = DataLoader(
        Numbered(crops, learner.seed, c.batch, first=learner.n_steps),
        c.batch,
        num_workers=c.workers,
        collate_fn=collate,
        worker_init_fn=ignore_interrupts,
        generator=torch.Generator(),  # the loader's own: it draws when it begins
    )
    begun = last_save = last_log = time.monotonic()
    seconds_before, steps_before, running = learner.seconds, learner.n_steps, 0.0
    bar = tqdm(total=stage.steps, initial=learner.n_steps, unit="step", desc=stage.name)
    batches = iter(loader) if learner.n_steps < stage.steps else iter(())
    while learner.n_steps < stage.steps:
        loss = learner.learn(next(batches))
        n_here = learner.n_steps - steps_before
        running = loss if n_here == 1 else 0.98 * running + 0.02 * loss
        now = time.monotonic()
        learner.seconds = seconds_before + now - begun
        bar.update()
        if learner.n_steps % c.valid_every == 0 or learner.n_steps == stage.steps:
            _judge(learner, best)
        if now - last_log > LOG_EVERY_S:
            speed = 60 * n_here / (now - begun)
            bar.set_postfix(loss=f"{running:.4f}")
            _append(learner, {"loss": round(running, 5), "steps_per_minute": round(speed, 2)})
            last_log = now
        if now - last_save > SAVE_EVERY_S:
            learner.save(last)
            last_save = now
        if stopping.is_asked or now > deadline:
            break
    bar.close()


def _judge(learner: Learner, best: Path) -> None:
    """Validate, and keep the weights if they are the best."""
    learner.validation = learner.validate()
    _append(learner, {"validation": learner.validation})
    if learner.validation["loss"] < learner.best:
        learner.best = learner.validation["loss"]
        learner.save(best)


def fixed_batches(
    c: ApcConfig, task: Task, n_frames: int, folders: tuple[Path, ...], seed: int = 0
) -> list[Batch]:
    """Return ``valid_crops`` crops of folders, the same at each call."""
    margin = NETWORKS[c.network].margin_frames
    crops = HftCrops(folders, task, MEL_HFT, n_frames, margin, seed, is_augmented=False)
    drawn = [crop for crop, _ in zip(crops, range(c.valid_crops), strict=False)]
    return [collate(drawn[k : k + c.batch]) for k in range(0, len(drawn), c.batch)]


@cache
def _features_on(device: str) -> Features:
    """Return the front end on a device; its Fourier kernels take a second to make."""
    return Features(MEL_HFT).to(device)


def _append(learner: Learner, facts: dict[str, Any]) -> None:
    append_log(learner.c.out, {"stage": learner.stage.name, "step": learner.n_steps, **facts})
