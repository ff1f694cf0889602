"""From pairs that are aligned to a model in their style: continued training, export, presets.

Not here: the pairs (``studies.pairs``), and the command that does both (``commands.own_covers``).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from offline_train.data.style import features
from offline_train.exporting.release import ReleaseConfig, covers_of, release_cover
from offline_train.recipes.cluster import Cluster, train_on_cluster
from offline_train.recipes.cover import train
from offline_train.training.cover.settings import CoverSettings

Train = Callable[[CoverSettings], Path]
"""Trains by settings, or resumes; returns the checkpoint."""


def trainer(cluster: Cluster | None) -> Train:
    """Return what trains: in this process, or on a cluster's workers."""
    return train if cluster is None else lambda settings: train_on_cluster(settings, cluster)


def make_model(settings: CoverSettings, name: str, train: Train = train) -> Path:
    """Train on pairs, or go on where it was stopped; return ``OUT/NAME.onnx``.

    ``settings.prepared`` holds what ``studies.pairs.build`` wrote. The presets are those of the
    covers, the thresholds are tuned on the covers that are kept apart.

    Raises
    ------
    DataError
        If no cover is there to learn from, or none to check with.
    ModelError
        If the run's folder holds another run.
    """
    checkpoint = train(settings)
    out = settings.out
    return release_cover(
        ReleaseConfig(checkpoint, settings.prepared, None, out, out, name, "a user's own covers")
    )


def describe(folder: Path) -> str:
    """Return in one line how the covers in a folder of shards are played."""
    covers = covers_of(folder)
    velocity, _, rate = np.mean([features(cover) for cover in covers], axis=0)
    notes = np.concatenate(covers)
    return (
        f"{len(covers)} covers: {rate:.1f} notes a second, velocity {velocity:.0f} ± "
        f"{notes[:, 3].std():.0f}, pitch {notes[:, 2].mean():.0f} ± {notes[:, 2].std():.0f}"
    )
