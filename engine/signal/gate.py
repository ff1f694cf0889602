"""A noise gate: the model sleeps in silence, and wakes with a lead-in before the first sound.

Samples at the model's rate, mono or stereo. Not here: what sleeping means for features
(``Pipeline.skip``).
"""

import numpy as np
from numpy.typing import NDArray

from engine.core.settings import GateSettings
from engine.signal.stereo import in_turn

Array = NDArray[np.float32]


class Gate:
    """Splits a stream into samples to skip and samples to process; their order is kept.

    Awake, everything is processed. After ``hold`` seconds below the threshold it sleeps: the last
    ``lead_in`` seconds are held back, older ones are for skipping. A loud sample wakes it, and what
    was held back is processed first.
    """

    def __init__(self, settings: GateSettings, sample_rate: int) -> None:
        self._is_enabled = settings.enabled
        self._threshold = 10 ** (settings.threshold_dbfs / 20)
        self._n_hold = round(settings.hold * sample_rate)
        self._n_lead_in = round(settings.lead_in * sample_rate)
        self.reset()

    def reset(self) -> None:
        """Be awake, with nothing held back."""
        self.is_asleep = False
        self._n_silent = 0
        self._held: Array = np.zeros(0, np.float32)

    def push(self, samples: Array) -> tuple[Array, Array]:
        """Return (to skip, to process after that) of what was held back and ``samples``."""
        nothing = samples[:0]
        if not self._is_enabled or not len(samples):
            return nothing, samples
        if float(np.abs(samples).max()) >= self._threshold:
            held, self._held = self._held, nothing
            self.is_asleep = False
            self._n_silent = 0
            return nothing, in_turn([held, samples])
        self._n_silent += len(samples)
        if not self.is_asleep and self._n_silent < self._n_hold:
            return nothing, samples
        self.is_asleep = True
        waiting = in_turn([self._held, samples])
        n_skipped = max(0, len(waiting) - self._n_lead_in)
        self._held = waiting[n_skipped:]
        return waiting[:n_skipped], nothing

    def flush(self) -> Array:
        """Return what is held back, to skip, at the end of a stream."""
        held = self._held
        self.reset()
        return held
