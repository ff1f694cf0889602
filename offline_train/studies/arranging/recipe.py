"""The arranger as a recipe: songs of prepared shards, then the training (``train``)."""

from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from offline_train.corpora.data_folder import find_data_folder
from offline_train.studies.arranging import train as training
from offline_train.studies.arranging.batches import Units
from offline_train.studies.arranging.train import RECIPE, ArrangerConfig
from offline_train.studies.arranging.units import analyze_songs
from offline_train.training.settings import settings_from

__all__ = ["RECIPE", "ArrangerSettings", "settings", "train"]


@dataclass(frozen=True, slots=True)
class ArrangerSettings(ArrangerConfig):
    """A run and what it learns from: folders of shards, and the data folder with their chords."""

    MAY_CHANGE: ClassVar[frozenset[str]] = ArrangerConfig.MAY_CHANGE | {"data", "valid"}

    _: KW_ONLY
    train: tuple[Path, ...] = (Path("runs/prepared/train"),)
    valid: tuple[Path, ...] = (Path("runs/prepared/valid"),)
    data: Path | None = None  # LIVECOVER_DATA by default
    max_songs: int = 0  # to learn from; 0 is all


settings = partial(settings_from, ArrangerSettings)
"""Makes settings of a recipe's values; raises ConfigError."""


def train(c: ArrangerSettings) -> Path:
    """Train, or resume; return the checkpoint it leaves. Raises as ``training.train``."""
    data = find_data_folder(c.data)

    def units(folders: tuple[Path, ...], split: str, limit: int) -> Units:
        out = c.out / "heard" / split
        return Units(analyze_songs(folders, data, out, c.seed, c.threads, limit))

    return training.train(c, units(c.train, "train", c.max_songs), units(c.valid, "valid", 0))
