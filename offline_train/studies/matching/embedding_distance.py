"""A learned measure of likeness: how far a cover lies from its song in the joint embedding.

Both are cut into windows of two seconds; the figure is the mean of 1 - cosine between the window
of the song's sound and the window of the cover's notes at the same time, 0 to 2. Where the cover
plays nothing in a window the distance is 1. ``matching`` trains the networks; those that were
trained to pair bands with human arrangements (task ``cover``) are the ones to measure with.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.papers.embedding import JointEmbedding
from offline_train.studies.matching.match import embed_rolls, embed_sounds, song_windows
from offline_train.studies.matching.ranking import unit
from offline_train.studies.matching.train import load_embedding
from offline_train.studies.matching.views import SAMPLE_RATE, WINDOW_S, roll_window

Array = NDArray[np.float32]


@lru_cache(maxsize=2)
def cached_embedding(path: Path) -> JointEmbedding:
    """Return the networks of a checkpoint, loaded once in a process. Raises ModelError."""
    return load_embedding(path)


def embedded_song(checkpoint: Path, samples: Array) -> "EmbeddedSong":
    """Return a song's sound (n,) at 16 kHz in the embedding of a checkpoint. Raises ModelError."""
    return EmbeddedSong(cached_embedding(checkpoint), samples)


class EmbeddedSong:
    """A song's sound in the embedding, and how far notes lie from it.

    Parameters
    ----------
    network
        The trained networks.
    samples
        (n,) at 16 kHz.
    """

    def __init__(self, network: JointEmbedding, samples: Array) -> None:
        self._network = network
        self._is_long_enough = len(samples) >= WINDOW_S * SAMPLE_RATE
        if self._is_long_enough:
            windows, self._starts = song_windows(samples)
            self._sounds = unit(embed_sounds(network, windows))

    def distance(self, notes: Array) -> float | None:
        """Return the mean distance of notes (n, >= 3); None if the song is too short."""
        if not self._is_long_enough:
            return None
        rolls = np.stack([roll_window(notes, float(start)) for start in self._starts])
        cosines = (self._sounds * unit(embed_rolls(self._network, rolls))).sum(1)
        return float(np.where(rolls.any((1, 2)), 1 - cosines, 1.0).mean())
