"""Sound at a model's rate: mono (n,), or stereo (n, 2), float32: the middle and the side.

The middle is the mean of both channels, the side half of what they differ by. Who does not ask for
both takes the middle for the sound. Not here: how channels become these two (``mixdown``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

AUDIBLE = 1e-4
"""Magnitude of the side from which on it counts; what the logarithm of silence is rounded by is
less."""


def middle_of(sound: Array) -> Array:
    """Return the middle (n,) of a sound.

    >>> middle_of(np.array([[1.0, 0.5], [2.0, 0.0]])).tolist(), middle_of(np.ones(1)).tolist()
    ([1.0, 2.0], [1.0])
    """
    return sound if sound.ndim == 1 else sound[:, 0]


def side_of(sound: Array) -> Array | None:
    """Return the side (n,) of a sound; None of mono."""
    return None if sound.ndim == 1 else sound[:, 1]


def channels_of(sound: Array) -> Array:
    """Return a sound as channels (n, 1), or (n, 2): left and right.

    >>> channels_of(np.array([[0.5, 0.25]])).tolist()
    [[0.75, 0.25]]
    """
    if sound.ndim == 1:
        return sound[:, None]
    middle, side = sound.T
    return np.stack([middle + side, middle - side], axis=1)


def in_turn(parts: Sequence[Array]) -> Array:
    """Return sounds that follow each other as one; empty ones may have another shape.

    >>> in_turn([np.zeros(0), np.ones((1, 2))]).tolist()
    [[1.0, 1.0]]
    """
    there = [part for part in parts if len(part)] or parts[-1:]
    return there[0] if len(there) == 1 else np.concatenate(there)


def toward_middle(features: Array, side: Array, log_floor: float, centre: float) -> Array:
    """Return features (k, F) in which what is not in the middle is fainter.

    Singers are in the middle of most records, guitars, keyboards and what is doubled beside them.
    A bin whose sound comes from the middle alone stays; one with as much in the side is
    ``1 - centre`` times as loud, and between both it falls with the share of the middle, as masks
    of panning do (C. Avendano and J.-M. Jot, "A Frequency-Domain Approach to Multichannel Upmix",
    JAES 52, 2004).

    Parameters
    ----------
    features, side : (k, F)
        Logarithms of magnitudes with ``log_floor`` added: of the middle, of the side.
    log_floor : float
        As in the models' ``FeatureSpec``.
    centre : float
        0 to 1; 0 changes nothing.

    Examples
    --------
    >>> one = np.log(np.array([[1.0, 1.0, 1.0]]) + 0.01)
    >>> side = np.log(np.array([[0.0, 0.5, 1.0]]) + 0.01)
    >>> (np.exp(toward_middle(one, side, 0.01, 0.75)) - 0.01).round(2).tolist()
    [[1.0, 0.7, 0.25]]
    """
    of_middle = np.square(np.exp(features) - np.float32(log_floor))
    of_side = np.square(np.maximum(np.exp(side) - np.float32(log_floor) - np.float32(AUDIBLE), 0))
    share = np.maximum(of_middle - of_side, 0) / (of_middle + of_side + np.float32(1e-12))
    gain = 1 - centre * (1 - share)
    fainter = np.log(np.sqrt(of_middle) * gain + log_floor).astype(features.dtype)
    return np.where(of_side > 0, fainter, features)
