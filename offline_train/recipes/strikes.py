"""The recipe of the strike network: settings, data, network, loss, loop.

It learns from what ``livecover-train hear-covers`` left. Not here: what it is worth in a cover
(``livecover-train evaluate``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import ModelError
from models.strikes import StrikeConfig, StrikeNetwork
from offline_train.data.accompaniment.heard_covers import load_heard_covers
from offline_train.data.accompaniment.strike_crops import StrikeCrop, StrikeCrops, passage
from offline_train.training.checkpoints import read_checkpoint
from offline_train.training.loading import load_batches
from offline_train.training.loop import TrainingLoop
from offline_train.training.settings import SteppedSettings, settings_from
from offline_train.training.task import Losses, Task

RECIPE = "strikes"
CLIP = 1.0
WARMUP_STEPS = 60
THRESHOLDS = np.arange(0.1, 0.6, 0.02)


@dataclass(frozen=True, slots=True)
class StrikeSettings(SteppedSettings):
    """One run; ``heard`` is the folder that ``livecover-train hear-covers`` left."""

    MAY_CHANGE: ClassVar[frozenset[str]] = SteppedSettings.MAY_CHANGE | {"heard"}

    _: KW_ONLY
    heard: Path = Path("runs/strikes")
    start_from: Path | None = None  # a checkpoint of a network that may not know the sound
    batch: int = 8
    n_steps: int = 256  # sixteenths of a crop
    weight_decay: float = 1e-2
    network: StrikeConfig = field(default_factory=StrikeConfig)


settings = partial(settings_from, StrikeSettings)
"""Makes settings of a recipe's values; raises ConfigError."""


def strike_loss(logits: Tensor, crop: StrikeCrop) -> Tensor:
    """Return the mean cross-entropy of a key (B, S, 2, P), over the steps that count (B, S)."""
    struck, counts = torch.as_tensor(crop.struck), torch.as_tensor(crop.counts)
    each = functional.binary_cross_entropy_with_logits(logits, struck, reduction="none")
    return (each.mean((2, 3)) * counts).sum() / counts.sum().clamp_min(1.0)


def best_f1(wanted: Sequence[NDArray[Any]], likely: Sequence[NDArray[Any]]) -> float:
    """Return the highest F1, over thresholds, of keys that are as likely as that.

    >>> round(best_f1([np.array([1, 0, 1])], [np.array([0.9, 0.2, 0.3])]), 3)
    1.0
    """
    truth = np.concatenate([rows.ravel() for rows in wanted]) > 0
    chance = np.concatenate([rows.ravel() for rows in likely])
    found = [
        2 * int((truth & played).sum()) / max(int(truth.sum() + played.sum()), 1)
        for played in (chance >= threshold for threshold in THRESHOLDS)
    ]
    return max(found)


def begin_with(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give a network the weights of one that may hear less: what is new counts nothing at first.

    Raises
    ------
    ModelError
        If it is of other sizes.
    """
    known = network.state_dict()
    for name, value in weights.items():
        wide = known.get(name)
        if wide is None or (wide.shape[0], *wide.shape[2:]) != (value.shape[0], *value.shape[2:]):
            raise ModelError(f"expected the weights of a strike network as large, {name} is not")
        if wide.shape == value.shape:
            wide.copy_(value)
        else:
            wide.zero_()[:, : value.shape[1]].copy_(value)


class StrikeTask(Task[Sequence[Tensor]]):
    """The strike network, crops of heard covers, and its figures on covers of validation."""

    recipe = RECIPE

    def __init__(self, c: StrikeSettings) -> None:
        self.settings, self.c = c, c
        self.network = StrikeNetwork(c.network).to(c.device)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), c.learning_rate, weight_decay=c.weight_decay
        )
        self._valid = [passage(cover) for cover in load_heard_covers(c.heard / "valid")]

    def batches(self, first: int) -> Iterator[Sequence[Tensor]]:
        """Yield batches from number ``first`` on."""
        c = self.c
        crops = StrikeCrops(load_heard_covers(c.heard / "train"), c.n_steps)
        return load_batches(crops, c.seed, c.batch, first)

    def loss(self, batch: Sequence[Tensor], progress: float) -> Losses:
        """Return the cross-entropy."""
        crop = StrikeCrop(*(values.to(self.c.device) for values in batch))  # type: ignore[arg-type]
        logits = self.network(
            torch.as_tensor(crop.heard), torch.as_tensor(crop.sound), torch.as_tensor(crop.place)
        )
        return {"struck": strike_loss(logits, crop)}

    def validate(self, step: int) -> dict[str, Any]:
        """Return the loss, and the best F1 of tune and accompaniment, by key and sixteenth."""
        losses, likely = [], []
        for crop in self._valid:
            one = StrikeCrop(*(torch.as_tensor(v)[None].to(self.c.device) for v in crop))  # type: ignore[arg-type]
            logits = self.network(
                torch.as_tensor(one.heard), torch.as_tensor(one.sound), torch.as_tensor(one.place)
            )
            losses.append(float(strike_loss(logits, one)))
            likely.append(torch.sigmoid(logits)[0].cpu().numpy())
        figures = {"struck": round(float(np.mean(losses)), 5)}
        for part, name in enumerate(("tune", "accompaniment")):
            wanted = [crop.struck[:, part] for crop in self._valid]
            figures[name] = round(best_f1(wanted, [rows[:, part] for rows in likely]), 4)
        return figures

    def state(self) -> dict[str, Any]:
        """Return the network's sizes."""
        return {"network": self.c.network.to_dict()}


def train(c: StrikeSettings) -> Path:
    """Train, or resume; return the checkpoint it leaves.

    Raises
    ------
    DataError, ModelError
        If something to learn from is missing, or ``out`` holds another run.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    torch.set_num_threads(c.threads)
    torch.manual_seed(c.seed)
    task = StrikeTask(c)
    if c.start_from is not None and not (c.out / "last.pt").is_file():
        begin_with(task.network, read_checkpoint(c.start_from, RECIPE)["model"])
    loop = TrainingLoop(task, c.schedule(clip=CLIP, warmup_steps=WARMUP_STEPS), c.out)
    loop.run()
    return loop.last


def network_of(checkpoint: dict[str, Any]) -> StrikeNetwork:
    """Return the network of a checkpoint, ready to run."""
    network = StrikeNetwork(StrikeConfig(**checkpoint["network"]))
    network.load_state_dict(checkpoint["model"])
    return network.eval()
