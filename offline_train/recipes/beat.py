"""The recipe of the beat network: data, network, loss, validation, run.

Its settings are a TOML file (``recipes/beat``). Not here: how its pieces are made
(``data.beat_pieces``), the filter on its outputs (``engine.beat``), what it is worth
(``evaluation.beats``).
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from engine.core.errors import ConfigError
from models.beat import OUTPUTS, BeatConfig, BeatNetwork
from models.features import LOG_STFT_16K
from offline_train.data.beats import BeatCrops
from offline_train.data.dataset import Numbered
from offline_train.training.fused_gru import fuse
from offline_train.training.interrupts import ignore_interrupts
from offline_train.training.running import Parts, Run, RunConfig

RECIPE = "beat"
VALIDATION_BATCHES = 10
CLIP = 1.0


@dataclass(frozen=True, slots=True)
class BeatRun(RunConfig):
    """What a run of this recipe has on top; ``prepared`` holds the folders that ``shares`` names.

    Within the first ``warm_up`` of the run the rate rises to what it falls from.
    """

    prepared: Path = Path("runs/prepared")
    shares: Mapping[str, float] = field(default_factory=lambda: {"beats-train": 1.0})
    valid: str = "beats-remix-valid"
    batch: int = 12
    seconds: float = 24.0  # of a crop
    network: BeatConfig = BeatConfig()


def read_recipe(path: Path, **given: Any) -> BeatRun:
    """Return the settings of a TOML file, with those that are ``given`` in place of its own.

    Raises
    ------
    ConfigError
        If it cannot be read, is no TOML, or names a setting that there is not.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8-sig")) | given
        network = BeatConfig(**values.pop("network", {}))
        return BeatRun(**values, network=network)
    except (OSError, ValueError, TypeError) as error:
        names = sorted({f.name for f in dataclasses.fields(BeatRun)})
        raise ConfigError(
            f"{path}: expected settings of the beat recipe ({', '.join(names)}), {error}"
        ) from error


def beat_loss(logits: Parts, targets: Tensor, known: Tensor) -> Parts:
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


def train(c: BeatRun) -> Path:
    """Train as the settings say, from ``last.pt`` if it is there; return that file."""
    torch.set_num_threads(c.threads)
    torch.manual_seed(c.seed)
    network = BeatNetwork(c.network).to(c.device)
    run = Run(RECIPE, c, network, np.random.default_rng(c.seed))
    fuse(network)
    n_frames = round(c.seconds / LOG_STFT_16K.frame_s)
    lookahead = c.network.lookahead_frames

    def loader(shares: Mapping[str, float], seed: int, first: int) -> DataLoader[dict[str, Tensor]]:
        folders = {c.prepared / name: share for name, share in shares.items()}
        crops = BeatCrops(folders, LOG_STFT_16K, n_frames, lookahead)
        return DataLoader(
            Numbered(crops, seed, c.batch, first),
            batch_size=c.batch,
            num_workers=1,
            prefetch_factor=4,
            worker_init_fn=ignore_interrupts,
            generator=torch.Generator(),
        )

    batches = iter(loader(c.shares, c.seed, run.step))
    check = [b for _, b in zip(range(VALIDATION_BATCHES), loader({c.valid: 1}, 0, 0), strict=False)]

    def loss_of_batch(batch: dict[str, Tensor]) -> Parts:
        features, targets, known = (
            batch[name].to(c.device) for name in ("features", "targets", "known")
        )
        state = {n: s.to(c.device) for n, s in network.init_state(len(features)).items()}
        logits, _ = network(features, state)
        return beat_loss(logits, targets, known)

    @torch.inference_mode()
    def validate(_share: float) -> dict[str, Any]:
        network.eval()
        parts = [loss_of_batch(batch) for batch in check]
        means = {n: float(torch.stack([p[n] for p in parts]).mean()) for n in OUTPUTS}
        run.best = max(run.best, -sum(means.values()))
        return {f"valid_{name}": round(value, 5) for name, value in means.items()}

    run.learn(lambda _share: loss_of_batch(next(batches)), validate, CLIP)
    return run.last


def network_of(checkpoint: dict[str, Any]) -> BeatNetwork:
    """Return the network of a checkpoint, ready to hear."""
    network = BeatNetwork(BeatConfig(**checkpoint["network"]))
    network.load_state_dict(checkpoint["model"])
    return network.eval()
