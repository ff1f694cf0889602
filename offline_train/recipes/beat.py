"""The recipe of the beat network: settings, data, network, loss, loop.

Not here: how its pieces are made (``data.beats.pieces``), the filter on its outputs
(``engine.beat``), what it is worth (``evaluation.beats``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.beat import OUTPUTS, BeatConfig, BeatNetwork
from models.features import LOG_STFT_16K
from offline_train.data.beats.crops import BeatCrops
from offline_train.training.fused_gru import fuse
from offline_train.training.loading import load_batches
from offline_train.training.loop import TrainingLoop
from offline_train.training.settings import SteppedSettings, settings_from
from offline_train.training.task import Losses, Task

RECIPE = "beat"
VALIDATION_BATCHES = 10
CLIP = 1.0

Batch = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class BeatSettings(SteppedSettings):
    """One run; ``prepared`` holds the folders of shards that ``shares`` and ``valid`` name."""

    _: KW_ONLY
    prepared: Path = Path("runs/prepared")
    shares: Mapping[str, float] = field(default_factory=lambda: {"beats-train": 1.0})
    valid: str = "beats-remix-valid"
    batch: int = 12
    seconds: float = 24.0  # of a crop
    network: BeatConfig = BeatConfig()


settings = partial(settings_from, BeatSettings)
"""Makes settings of a recipe's values; raises ConfigError."""


def beat_loss(logits: Losses, targets: Tensor, known: Tensor) -> Losses:
    """Return the binary cross-entropy of each output (B, T) with targets (B, T, 2).

    ``known`` (B, 2) says which examples count for which.
    """
    parts = {}
    for k, name in enumerate(OUTPUTS):
        loss = functional.binary_cross_entropy_with_logits(
            logits[name], targets[..., k], reduction="none"
        )
        weight = known[:, k, None].expand_as(loss)
        parts[name] = (loss * weight).sum() / weight.sum().clamp_min(1.0)
    return parts


class BeatTask(Task[Batch]):
    """The beat network, crops of its pieces, and the loss on crops of validation."""

    recipe = RECIPE

    def __init__(self, c: BeatSettings) -> None:
        self.settings, self.c = c, c
        self.beats = fuse(BeatNetwork(c.network).to(c.device))
        self.network = self.beats
        self.optimizer = torch.optim.Adam(self.beats.parameters(), c.learning_rate)
        self._valid: list[Batch] = []

    def batches(self, first: int) -> Iterator[Batch]:
        """Yield batches from number ``first`` on."""
        return load_batches(self._crops(self.c.shares), self.c.seed, self.c.batch, first)

    def _crops(self, shares: Mapping[str, float]) -> BeatCrops:
        c = self.c
        folders = {c.prepared / name: share for name, share in shares.items()}
        n_frames = round(c.seconds / LOG_STFT_16K.frame_s)
        return BeatCrops(folders, LOG_STFT_16K, n_frames, c.network.lookahead_frames)

    def loss(self, batch: Batch, progress: float) -> Losses:
        """Return the cross-entropy of each output."""
        names = ("features", "targets", "known")
        features, targets, known = (batch[name].to(self.c.device) for name in names)
        state = self.beats.init_state(len(features))
        logits, _ = self.beats(features, {n: s.to(self.c.device) for n, s in state.items()})
        return beat_loss(logits, targets, known)

    def validate(self, step: int) -> dict[str, Any]:
        """Return the losses over the same crops each time."""
        if not self._valid:
            batches = load_batches(self._crops({self.c.valid: 1.0}), 0, self.c.batch, workers=0)
            self._valid = list(islice(batches, VALIDATION_BATCHES))
        losses = [self.loss(batch, 0.0) for batch in self._valid]
        means = {name: torch.stack([each[name] for each in losses]).mean() for name in OUTPUTS}
        return {f"valid_{name}": round(float(mean), 5) for name, mean in means.items()}

    def state(self) -> dict[str, Any]:
        """Return the network's sizes."""
        return {"network": self.c.plain()["network"]}


def train(c: BeatSettings) -> Path:
    """Train, or resume; return the checkpoint it leaves.

    Raises
    ------
    DataError, ModelError
        If there are no shards, a loss is not a number, or ``out`` holds another run.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    torch.set_num_threads(c.threads)
    torch.manual_seed(c.seed)
    loop = TrainingLoop(BeatTask(c), c.schedule(clip=CLIP), c.out)
    loop.run()
    return loop.last


def network_of(checkpoint: dict[str, Any]) -> BeatNetwork:
    """Return the network of a checkpoint, ready to run."""
    network = BeatNetwork(BeatConfig(**checkpoint["network"]))
    network.load_state_dict(checkpoint["model"])
    return network.eval()
