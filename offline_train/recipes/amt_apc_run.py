"""A run of AMT-APC's recipe: its settings, its stages, and the checkpoints it goes on from.

Not here: the loop (``train_hft``).
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.core.errors import ConfigError, ModelError
from models.hft import AMT_APC, SMALL, Hft, HftConfig, extended
from offline_train.data.shards import manifest_hash
from offline_train.recipes.amt_apc_data import Task
from offline_train.training.checkpoints import check_same_run, plain, read_checkpoint

log = logging.getLogger(__name__)

RECIPE = "train-hft"
NETWORKS = {"paper": AMT_APC, "small": SMALL}
STAGES = ("amt", "extend", "apc")
FIXED = ("network", "stages", "amt_frames", "n_frames", "has_style", "seed")


@dataclass(frozen=True, slots=True)
class ApcConfig:
    """One run; ``out`` holds ``last.pt``, ``STAGE.pt``, ``config.json`` and ``log.jsonl``.

    What may change when a run goes on: all but the names in ``FIXED``.
    """

    train: tuple[Path, ...]  # folders of shards
    valid: tuple[Path, ...]
    out: Path
    network: str = "small"  # a name in NETWORKS
    stages: tuple[str, ...] = STAGES
    amt_steps: int = 20_000
    extend_steps: int = 2_000
    apc_steps: int = 10_000
    amt_frames: int = 128
    n_frames: int = 512
    has_style: bool = True
    batch: int = 8
    learning_rate: float = 1e-4
    valid_every: int = 250  # steps
    valid_crops: int = 32
    minutes: float = 0.0  # stop, ready to go on, after so long; 0 goes on to the end
    seed: int = 1
    workers: int = 1  # processes that mix and master
    threads: int = 1
    device: str = "cpu"
    begin_with: Path | None = None  # a checkpoint whose weights the first stage begins with
    has_random_places: bool = False  # at the beginning, as the papers'


@dataclass(frozen=True, slots=True)
class Stage:
    """What is learned, on which windows, for how long."""

    name: str
    task: Task
    n_frames: int
    has_style: bool
    steps: int


def plan(c: ApcConfig) -> list[Stage]:
    """Return the stages of a run. Raises ConfigError if one, or the network, is unknown."""
    known = {
        "amt": Stage("amt", "transcribe", c.amt_frames, False, c.amt_steps),
        "extend": Stage("extend", "transcribe", c.n_frames, False, c.extend_steps),
        "apc": Stage("apc", "cover", c.n_frames, c.has_style, c.apc_steps),
    }
    unknown = sorted(set(c.stages) - set(known))
    if unknown or not c.stages:
        raise ConfigError(f"stages must be some of {', '.join(known)}, not {unknown or 'none'}")
    if c.stages != tuple(name for name in known if name in c.stages):
        raise ConfigError(f"stages must be in order, {', '.join(known)}, not {', '.join(c.stages)}")
    if c.network not in NETWORKS:
        raise ConfigError(f"network must be one of {', '.join(NETWORKS)}, not {c.network!r}")
    for stage in (known[name] for name in c.stages):
        if stage.steps < 1:
            raise ConfigError(f"{stage.name}_steps must be 1 or more, not {stage.steps}")
    return [known[name] for name in c.stages]


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint of this recipe. Raises ModelError if it is something else."""
    return read_checkpoint(path, RECIPE)


def network_of(checkpoint: dict[str, Any]) -> Hft:
    """Return the network of a checkpoint, ready to run."""
    network = Hft(HftConfig(**checkpoint["network"]))
    network.load_state_dict(checkpoint["model"])
    return network.eval()


def first_network(c: ApcConfig, stages: list[Stage], k: int) -> Hft:
    """Return the network that stage k begins with: the stage before it has its best, or it is new.

    Raises ModelError if the weights to begin with are of another network.
    """
    stage = stages[k]
    path = c.out / f"{stages[k - 1].name}.pt" if k else c.begin_with
    if path is None:
        sizes = replace(NETWORKS[c.network], n_frames=stage.n_frames, has_style=stage.has_style)
        network = Hft(sizes)
        if c.has_random_places:
            network.place_at_random()
        return network
    network = network_of(load_checkpoint(path))
    wanted = replace(
        NETWORKS[c.network], n_frames=network.config.n_frames, has_style=network.config.has_style
    )
    if network.config != wanted:
        raise ModelError(f"{path}: holds {network.config}, not the network {c.network!r}: {wanted}")
    try:
        return extended(network, stage.n_frames, stage.has_style)
    except ValueError as error:
        raise ModelError(f"{path}: stage {stage.name} cannot begin with it: {error}") from error


def checkpoint_to_go_on_from(c: ApcConfig, last: Path) -> dict[str, Any] | None:
    """Return what a run left, None if there was none. Raises ModelError if it was another run."""
    if not last.is_file():
        return None
    checkpoint = load_checkpoint(last)
    now = plain(c)
    check_same_run(last, checkpoint["train"], {name: now[name] for name in FIXED})
    if checkpoint["data"] != {str(folder): manifest_hash(folder) for folder in c.train}:
        log.warning("%s: the shards have changed since it was written", last)
    return checkpoint
