"""Weights by pitch, folded into twelve pitch classes, C = 0. Not here: chords (``harmony``)."""

import numpy as np
from numpy.typing import NDArray

from models.spec import MIN_PITCH, N_PITCHES

Array = NDArray[np.float32]

_BASS_PITCHES = 52 - MIN_PITCH  # below E3


def fold(pitches: NDArray[np.floating]) -> Array:
    """Return the chroma (n, 12) of weights by pitch (n, 88)."""
    padded = np.zeros((len(pitches), 96), np.float32)
    first = MIN_PITCH % 12
    padded[:, first : first + N_PITCHES - max(0, first + N_PITCHES - 96)] = pitches[:, : 96 - first]
    chroma = padded.reshape(len(pitches), 8, 12).sum(1)
    chroma[:, : max(0, first + N_PITCHES - 96)] += pitches[:, 96 - first :]
    return np.asarray(chroma, np.float32)


def bass_of(pitches: NDArray[np.floating]) -> Array:
    """Return the bass (n, 12): the lower a pitch (n, 88) below E3, the more it counts."""
    low = np.array(pitches, np.float32)
    low[:, _BASS_PITCHES:] = 0
    low[:, :_BASS_PITCHES] *= np.linspace(1.5, 0.5, _BASS_PITCHES, dtype=np.float32)
    return fold(low)
