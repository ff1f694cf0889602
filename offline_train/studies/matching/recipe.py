"""The joint embedding as a recipe: snippets of prepared shards, then the training (``train``)."""

from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from offline_train.studies.matching import train as training
from offline_train.studies.matching.snippets import Task, analyze_pieces
from offline_train.studies.matching.train import RECIPE, MatchingConfig
from offline_train.training.settings import settings_from

__all__ = ["RECIPE", "MatchingSettings", "settings", "train"]

SOLOS = ("giantmidi-solo", "solo")


@dataclass(frozen=True, slots=True)
class MatchingSettings(MatchingConfig):
    """A run and what it learns from: folders of shards, each piece mixed ``n_mixes`` times."""

    MAY_CHANGE: ClassVar[frozenset[str]] = MatchingConfig.MAY_CHANGE | {"valid"}

    _: KW_ONLY
    task: Task = "piano"
    train: tuple[Path, ...] = tuple(Path(f"runs/prepared/{name}-train") for name in SOLOS)
    valid: tuple[Path, ...] = tuple(Path(f"runs/prepared/{name}-valid") for name in SOLOS)
    n_mixes: int = 1


settings = partial(settings_from, MatchingSettings)
"""Makes settings of a recipe's values; raises ConfigError."""


def train(c: MatchingSettings) -> Path:
    """Train, or resume; return the best checkpoint. Raises as ``training.train``."""
    pieces = analyze_pieces(c.train, c.out / "heard" / "train", c.task, c.n_mixes, c.seed)
    valid = analyze_pieces(c.valid, c.out / "heard" / "valid", c.task, 1, c.seed)
    return training.train(c, pieces, valid)
