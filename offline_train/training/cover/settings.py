"""Settings of a run that trains the streaming cover network."""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.core import checks
from engine.core.errors import ConfigError
from models.streaming import StreamingConfig
from offline_train.training.cover.losses import Weights
from offline_train.training.schedule import Schedule
from offline_train.training.settings import SMALLEST_RATE, RunSettings, check_run

Part = Literal["all", "transcriber", "heads", "cover"]
"""What is trained: everything; trunk and transcription alone; its heads on a fixed trunk; or the
cover part on a fixed transcriber, which a few covers cannot teach to forget other sounds."""

SHARES: dict[Part, dict[str, float]] = {
    "all": {"train": 0.63, "recordings": 0.2, "giantmidi-solo-train": 0.17},
    "transcriber": {"train": 0.17, "recordings": 0.08, "giantmidi-solo-train": 0.75},
    "heads": {"train": 0.63, "recordings": 0.2, "giantmidi-solo-train": 0.17},
    "cover": {"train": 1.0},
}
"""Folders of prepared shards, and how often each is drawn from, by what learns."""


@dataclass(frozen=True, slots=True)
class CoverSettings(RunSettings):
    """One training run of the streaming cover network; time is its budget.

    ``shares`` gives folders of shards in ``prepared`` and how often each is drawn from; empty, it
    is ``SHARES[part]``. ``batch`` is what one process takes at a time; ``workers`` processes mix
    and master its crops. ``start_from`` is a checkpoint whose weights the run begins with.
    ``let_go`` ends what sounds so many frames before the score does: an end is seen late, where a
    probability has fallen, and a damped string rings on.
    """

    _: KW_ONLY
    prepared: Path = Path("runs/prepared")
    shares: Mapping[str, float] = field(default_factory=dict)
    valid: Path = Path("valid")  # in ``prepared``
    network: StreamingConfig = StreamingConfig()
    part: Part = "all"
    hours: float = 3.0  # of training
    n_frames: int = 512  # in a crop; even
    let_go: int = 0  # frames
    batch: int = 2
    workers: int = 1
    session_minutes: float = 0.0  # stop, ready to resume, after so long in each session; 0 never
    learning_rate: float = 2.0e-3
    weight_decay: float = 0.01
    warmup_steps: int = 60
    weights: Weights = field(default_factory=Weights)
    consistency_from: float = 0.3  # share of the time used when it begins; 1 for never
    ema_decay: float = 0.998
    start_from: Path | None = None

    def __post_init__(self) -> None:
        checks.number("hours", self.hours, SMALLEST_RATE, 1e6, " h")
        check_run(self)
        checks.integer("batch", self.batch, 1, 10**6)
        checks.integer("let_go", self.let_go, 0, 8)
        checks.integer("workers", self.workers, 0, 1024)
        checks.number("session_minutes", self.session_minutes, 0.0, 1e6, " min")
        if self.n_frames < 2 or self.n_frames % 2:
            raise ConfigError(f"n_frames must be a multiple of 2 from 2 on, not {self.n_frames}")

    def fixed(self) -> dict[str, Any]:
        """Return the settings that must stay as they are when a run resumes."""
        return {"network": self.network.to_dict(), "part": self.part}

    def schedule(self) -> Schedule:
        """Return the schedule: the learning rate follows the share of the time that is used."""
        return Schedule(
            self.learning_rate,
            seconds=3600 * self.hours,
            session_s=60 * self.session_minutes or math.inf,
            warmup_steps=self.warmup_steps,
            floor=0.01,
            clip=1.0,
        )

    def folders(self) -> dict[Path, float]:
        """Return the folders to learn from that are there, and their shares."""
        named = self.shares or SHARES[self.part]
        return {
            self.prepared / name: share
            for name, share in named.items()
            if (self.prepared / name).is_dir()
        }
