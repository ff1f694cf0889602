"""The recipe of the streaming cover model: settings, data, network, loop.

Time, not steps, is the budget (``hours``): the learning rate follows the share of it that is used.
One process, or several by ``torchrun`` or Ray (``data_parallel``): the same program.
"""

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from engine.core.errors import DataError, ModelError
from engine.core.typed_values import AUTO
from engine.system.paths import given_path
from models.streaming import StreamingConfig
from offline_train.data.shards import read_shards
from offline_train.training.cover.settings import SHARES, CoverSettings
from offline_train.training.cover.task import RECIPE, CoverTask, load_checkpoint
from offline_train.training.data_parallel import join
from offline_train.training.loop import TrainingLoop
from offline_train.training.settings import settings_from

__all__ = ["RECIPE", "check_shards", "settings", "train"]

log = logging.getLogger(__name__)


def settings(values: Mapping[str, Any]) -> CoverSettings:
    """Return the settings of a recipe's values; the network is as large as what it begins with.

    Raises
    ------
    ConfigError
        A wrong key or value.
    ModelError
        If ``start_from`` is no checkpoint of this recipe.
    """
    start, sizes = values.get("start_from"), values.get("network", {})
    is_whole = isinstance(sizes, Mapping) and len(sizes) == len(fields(StreamingConfig))
    if start in (None, AUTO) or is_whole:
        return settings_from(CoverSettings, values)
    begun = load_checkpoint(given_path(start))["network"]
    base = CoverSettings(Path(), network=StreamingConfig(**begun))
    return settings_from(CoverSettings, values, base=base)


def train(c: CoverSettings) -> Path:
    """Train, or resume, until ``hours`` are used; return the checkpoint's path.

    Raises
    ------
    DataError
        If there is nothing to train on, or a loss is not a number.
    ModelError
        If ``last.pt`` or ``start_from`` is no checkpoint of this recipe, ``last.pt`` is of another
        network, or ``start_from`` of a wider one.
    """
    torch.set_num_threads(c.threads)
    check_shards(c)
    join(c.device)
    torch.manual_seed(c.seed)
    is_resumed = (c.out / "last.pt").is_file()
    start = None if c.start_from is None or is_resumed else load_checkpoint(c.start_from)
    try:
        task = CoverTask(c, start)
    except ValueError as error:
        raise ModelError(
            f"{c.start_from}: cannot begin with it: {error}; leave out the options of size to have"
            " a network as large as there"
        ) from error
    loop = TrainingLoop(task, c.schedule(), c.out)
    loop.run()
    if loop.validation:
        log.info("validation after %d steps: %s", loop.step, loop.validation)
    return loop.last


def check_shards(c: CoverSettings) -> None:
    """Raise DataError, before anything is written, if shards to train with are missing."""
    folders = c.folders()
    names = c.shares or SHARES[c.part]
    missing = [name for name in names if c.prepared / name not in folders]
    if not folders:
        raise DataError(f"{c.prepared}: nothing to train on; run livecover-train prepare first")
    if missing:
        log.warning("%s: no %s there to learn from", c.prepared, " and no ".join(missing))
    for folder in (*folders, c.prepared / c.valid):
        read_shards(folder)
