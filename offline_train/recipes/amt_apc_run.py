"""A run of AMT-APC's recipe: its settings, its stages, and the checkpoints it resumes from.

Not here: what is trained (``amt_apc``).
"""

import logging
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

from engine.core import checks
from engine.core.errors import ConfigError, ModelError
from models.hft import AMT_APC, SMALL, Hft, HftConfig, extended
from offline_train.data.shards import manifest_hash
from offline_train.recipes.amt_apc_data import Target
from offline_train.training.checkpoints import check_same_run, read_checkpoint
from offline_train.training.schedule import Schedule
from offline_train.training.settings import RunSettings, check_run

log = logging.getLogger(__name__)

RECIPE = "train-hft"
NETWORKS = {"paper": AMT_APC, "small": SMALL}
STAGES = ("amt", "extend", "apc")
FIXED = ("network", "stages", "amt_frames", "n_frames", "has_style", "seed")


@dataclass(frozen=True, slots=True)
class ApcSettings(RunSettings):
    """One run; ``out`` holds ``last.pt``, ``STAGE.pt``, ``config.json`` and ``log.jsonl``.

    What may change when a run resumes: all but the names in ``FIXED``.
    """

    _: KW_ONLY
    train: tuple[Path, ...] = (Path("runs/prepared/train"),)  # folders of shards
    valid: tuple[Path, ...] = (Path("runs/prepared/valid"),)
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
    minutes: float = 0.0  # stop, ready to resume, after so long in each session; 0 never
    workers: int = 1  # processes that mix and master
    begin_with: Path | None = None  # a checkpoint whose weights the first stage begins with
    has_random_places: bool = False  # at the beginning, as the papers'

    def __post_init__(self) -> None:
        check_run(self)
        checks.choice("network", self.network, tuple(NETWORKS))
        for name in ("amt_steps", "extend_steps", "apc_steps", "amt_frames", "n_frames", "batch"):
            checks.integer(name, getattr(self, name), 1, 10**9)
        checks.number("minutes", self.minutes, 0.0, 1e6, " min")
        checks.integer("workers", self.workers, 0, 1024)
        unknown = sorted(set(self.stages) - set(STAGES))
        if unknown or not self.stages:
            raise ConfigError(
                f"stages must be some of {', '.join(STAGES)}, not {unknown or 'none'}"
            )
        if self.stages != tuple(name for name in STAGES if name in self.stages):
            raise ConfigError(
                f"stages must be in order, {', '.join(STAGES)}, not {', '.join(self.stages)}"
            )

    def fixed(self) -> dict[str, Any]:
        """Return the settings that must stay as they are when a run resumes."""
        return {name: value for name, value in self.plain().items() if name in FIXED}


@dataclass(frozen=True, slots=True)
class Stage:
    """What is learned, on which windows, for how long."""

    name: str
    target: Target
    n_frames: int
    has_style: bool
    steps: int

    def schedule(self, c: ApcSettings, session_s: float) -> Schedule:
        """Return the schedule of the stage; the learning rate follows its steps."""
        return Schedule(
            c.learning_rate, steps=self.steps, session_s=session_s, valid_every=c.valid_every
        )


def plan(c: ApcSettings) -> list[Stage]:
    """Return the stages of a run."""
    known = {
        "amt": Stage("amt", "transcribe", c.amt_frames, False, c.amt_steps),
        "extend": Stage("extend", "transcribe", c.n_frames, False, c.extend_steps),
        "apc": Stage("apc", "cover", c.n_frames, c.has_style, c.apc_steps),
    }
    return [known[name] for name in c.stages]


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint of this recipe. Raises ModelError if it is something else."""
    return read_checkpoint(path, RECIPE)


def network_of(checkpoint: dict[str, Any]) -> Hft:
    """Return the network of a checkpoint, ready to run."""
    network = Hft(HftConfig(**checkpoint["network"]))
    network.load_state_dict(checkpoint["model"])
    return network.eval()


def first_network(c: ApcSettings, stages: list[Stage], k: int) -> Hft:
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


def stage_to_resume(c: ApcSettings) -> int:
    """Return the stage, by its place in ``c.stages``, that ``last.pt`` is of; 0 without one.

    Raises ModelError if it is of another run.
    """
    last = c.out / "last.pt"
    if not last.is_file():
        return 0
    checkpoint = load_checkpoint(last)
    check_same_run(last, checkpoint["train"], c.fixed())
    if checkpoint["data"] != data_hashes(c):
        log.warning("%s: the shards have changed since it was written", last)
    return c.stages.index(checkpoint["stage"])


def data_hashes(c: ApcSettings) -> dict[str, str]:
    """Return a hash of what each folder of shards holds."""
    return {str(folder): manifest_hash(folder) for folder in c.train}
