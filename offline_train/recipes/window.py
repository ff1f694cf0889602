"""The recipe of the window network, which sees 512 frames: settings, data, network, loss, loop.

One process, or several by ``torchrun``. Not here: the network (``models.window``).
"""

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.features import LOG_STFT_16K, Features
from models.window import LOCAL_MARGIN_FRAMES, OUTPUTS, WindowConfig, WindowCover
from offline_train.data.dataset import CoverCrops
from offline_train.training.acceleration import compile_modules, reduced_precision
from offline_train.training.checkpoints import read_checkpoint
from offline_train.training.cover.losses import Weights, note_loss
from offline_train.training.cover.task import shifted_features
from offline_train.training.data_parallel import join, rank, whole_batch, world_size
from offline_train.training.loading import load_batches
from offline_train.training.loop import TrainingLoop
from offline_train.training.schedule import Schedule
from offline_train.training.settings import SteppedSettings, settings_from
from offline_train.training.task import Losses, Task

RECIPE = "window"
CLIP = 1.0
VALIDATION_CROPS = 32
FLAGS = ("has_cover",)


@dataclass(frozen=True, slots=True)
class WindowSettings(SteppedSettings):
    """One run, on folders of shards with covers; ``workers`` processes mix and master crops."""

    _: KW_ONLY
    train: tuple[Path, ...] = (Path("runs/prepared/train"),)
    valid: Path = Path("runs/prepared/valid")
    network: WindowConfig = field(default_factory=WindowConfig)
    batch: int = 8
    workers: int = 1
    session_minutes: float = 0.0  # stop, ready to resume, after so long in each session; 0 never
    learning_rate: float = 1e-3
    valid_every: int = 1000
    weight_decay: float = 0.01
    warmup_steps: int = 100
    weights: Weights = field(default_factory=Weights)

    def run_schedule(self) -> Schedule:
        """Return the schedule."""
        return self.schedule(
            session_s=60 * self.session_minutes or math.inf,
            warmup_steps=self.warmup_steps,
            floor=0.01,
            clip=CLIP,
        )


settings = partial(settings_from, WindowSettings)
"""Makes settings of a recipe's values; raises ConfigError."""


class WindowTask(Task[dict[str, Tensor]]):
    """The network, its crops, and its loss over the batches of all processes."""

    recipe = RECIPE
    is_parallel = True

    def __init__(self, c: WindowSettings) -> None:
        self.settings, self.c = c, c
        self.window = self.network = WindowCover(c.network).to(c.device)
        self.layer = Features(LOG_STFT_16K).to(c.device)
        compile_modules(c, self.window.time)
        self.optimizer = torch.optim.AdamW(
            self.window.parameters(), c.learning_rate, weight_decay=c.weight_decay
        )

    def _crops(self, folders: tuple[Path, ...]) -> CoverCrops:
        n_frames = self.c.network.window_frames + 2 * LOCAL_MARGIN_FRAMES
        return CoverCrops(dict.fromkeys(folders, 1.0), LOG_STFT_16K, n_frames, 0)

    def batches(self, first: int) -> Iterator[dict[str, Tensor]]:
        """Yield this process's batches from number ``first`` on."""
        c, seed = self.c, self.c.seed * world_size() + rank()
        return load_batches(self._crops(c.train), seed, c.batch, first, c.workers)

    def loss(self, batch: dict[str, Tensor], progress: float) -> Losses:
        """Return the terms of the loss of the batches of all processes."""
        return self._loss({name: value.to(self.c.device) for name, value in batch.items()})

    def _loss(self, batch: dict[str, Tensor]) -> Losses:
        features = shifted_features(self.layer, batch["samples"], batch["shift"])
        with reduced_precision(self.c):
            own = self.window.mix(self.window.local(features), batch["style"])
        logits = whole_batch({name: value.float() for name, value in own.items()})
        inside = slice(LOCAL_MARGIN_FRAMES, -LOCAL_MARGIN_FRAMES)
        labels = whole_batch(
            {name: batch[name][:, inside] for name in OUTPUTS} | {n: batch[n] for n in FLAGS}
        )
        has_cover = labels["has_cover"]
        return note_loss(logits, labels, "", has_cover, has_cover, self.c.weights)

    def validate(self, step: int) -> dict[str, Any]:
        """Return the terms over the same random crops of the validation shards each time."""
        totals: dict[str, float] = {}
        n_batches = max(VALIDATION_CROPS // self.c.batch, 1)
        crops = self._crops((self.c.valid,))
        for batch in islice(load_batches(crops, 0, self.c.batch, workers=0), n_batches):
            for name, value in self.loss(batch, 0.0).items():
                totals[name] = totals.get(name, 0.0) + value.item() / n_batches
        return totals

    def score(self, validation: dict[str, Any]) -> float:
        """Return the negative validation loss."""
        return -float(sum(validation.values()))

    def state(self) -> dict[str, Any]:
        """Return the network's sizes."""
        return {"network": asdict(self.c.network)}


def train(c: WindowSettings) -> Path:
    """Train, or resume; return the checkpoint it leaves.

    Raises
    ------
    DataError, ModelError
        If there is nothing to learn from, or ``out`` holds another run.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    torch.set_num_threads(c.threads)
    join(c.device)
    torch.manual_seed(c.seed)
    loop = TrainingLoop(WindowTask(c), c.run_schedule(), c.out)
    loop.run()
    return loop.last


def network_of(path: Path) -> WindowCover:
    """Return the network of a checkpoint, ready to run. Raises ModelError if it is none."""
    checkpoint = read_checkpoint(path, RECIPE)
    network = WindowCover(WindowConfig(**checkpoint["network"]))
    network.load_state_dict(checkpoint["model"])
    return network.eval()
