"""Automatic gain: a quiet song is raised to the level of the models' training data.

A loopback captures the song at the player's volume. A song of ordinary loudness passes through
unchanged, bit by bit.
Samples at the model's rate; of stereo the middle counts. Belongs to the worker thread.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.core.settings import GateSettings
from engine.signal.stereo import in_turn, middle_of

Array = NDArray[np.float32]

HOP_S = 0.05
TARGET_DBFS = -24.0
"""Level (root mean square of loud moments) to which a quieter song is raised."""
ATTACK = 0.5
"""Share of the way to a louder hop's level that is taken at once."""
RELEASE_DB_PER_S = 1.0
AUDIBLE = 10 ** (GateSettings().threshold_dbfs / 20)
"""Peak from which a moment counts."""
MAX_GAIN_DB = 60.0
STEP_DB = 2.0
"""The gain stays as it is until another differs by more."""
CEILING = 0.5
"""Amplitude that raised samples do not exceed: a song may begin after seconds of faint hiss."""


class AutomaticGain:
    """A slow gain, 0 to 60 dB, the same for blocks of any length; never attenuates.

    The level rises fast and falls slowly, and silence (peaks under the gate's threshold) leaves it
    as it is, so the dynamics of a song stay.

    Parameters
    ----------
    sample_rate : int
        Of the samples.
    """

    _n_in_hop: int
    _peak: float

    def __init__(self, sample_rate: int) -> None:
        self._n_hop = round(HOP_S * sample_rate)
        self._hop: Array = np.zeros(self._n_hop, np.float32)
        self._release = RELEASE_DB_PER_S * self._n_hop / sample_rate
        self.reset()

    def reset(self) -> None:
        """Begin with a new song."""
        self._level: float | None = None  # dBFS
        self._gain_db = 0.0
        self._begin_hop()

    def restart(self) -> None:
        """Begin the same song from its start; the level estimate stays."""
        self._begin_hop()

    @property
    def gain_db(self) -> float:
        """The gain in force."""
        return self._gain_db

    def push(self, samples: Array) -> Array:
        """Return samples with the gain."""
        parts = []
        while len(samples):
            piece = samples[: self._n_hop - self._n_in_hop]
            samples = samples[len(piece) :]
            parts.append(self._raise(piece))
            self._hop[self._n_in_hop : self._n_in_hop + len(piece)] = middle_of(piece)
            self._n_in_hop += len(piece)
            if self._n_in_hop == self._n_hop:
                self._end_hop()
        return in_turn(parts) if parts else samples

    def _raise(self, piece: Array) -> Array:
        """Return samples of one hop with the gain, less where they would be too loud."""
        loud = np.abs(middle_of(piece))
        peaks = np.maximum(np.maximum.accumulate(loud), np.float32(self._peak))
        self._peak = float(peaks[-1])
        if not self._gain_db:
            return piece
        gain = np.float32(10 ** (self._gain_db / 20))
        limit = np.float32(CEILING) / np.maximum(peaks, np.float32(1e-9))
        factor = np.maximum(np.minimum(gain, limit), np.float32(1.0))
        raised: Array = piece * factor.reshape(-1, *[1] * (piece.ndim - 1))
        return raised

    def _begin_hop(self) -> None:
        self._n_in_hop = 0
        self._peak = 0.0

    def _end_hop(self) -> None:
        """Update the level with the hop, and set the gain of the next."""
        if self._peak >= AUDIBLE:
            level = 10 * math.log10(float(np.square(self._hop, dtype=np.float64).mean()))
            if self._level is None:
                self._level = level
            elif level > self._level:
                self._level += ATTACK * (level - self._level)
            else:
                self._level = max(level, self._level - self._release)
            gain_db = min(MAX_GAIN_DB, max(0.0, TARGET_DBFS - self._level))
            if abs(gain_db - self._gain_db) > STEP_DB:
                self._gain_db = gain_db
            elif not gain_db:
                self._gain_db = 0.0
        self._begin_hop()
