"""A tap that keeps a model's posteriors while it covers a song."""

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import Posteriors
from engine.model.cover_model import join_posteriors
from engine.model.pipeline import FeatureTap

Array = NDArray[np.float32]


class PosteriorRecorder:
    """A tap that keeps the posteriors, before another tap."""

    def __init__(self, other: FeatureTap | None) -> None:
        self._other = other
        self._parts: list[Posteriors] = []

    @property
    def posteriors(self) -> Posteriors:
        """What came so far."""
        return join_posteriors(self._parts)

    def begin(self, start: float, first_frame: float) -> None:
        """Tell the other."""
        if self._other is not None:
            self._other.begin(start, first_frame)

    def push(self, samples: Array, features: Array, cents: float) -> None:
        """Tell the other."""
        if self._other is not None:
            self._other.push(samples, features, cents)

    def push_posteriors(self, posteriors: Posteriors) -> None:
        """Keep them, and tell the other."""
        self._parts.append(posteriors)
        if self._other is not None:
            self._other.push_posteriors(posteriors)

    def skip(self, samples: Array, n_frames: int) -> None:
        """Tell the other."""
        if self._other is not None:
            self._other.skip(samples, n_frames)
