"""What a cover model heard of songs whose human cover is known.

Each piece is one ``NAME.npz`` in a folder: what ``HeardCover`` has. Not here: hearing
(``evaluation.hearing.heard_covers``), crops (``strike_crops``).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError

Array = NDArray[np.float32]
Times = NDArray[np.float64]


class HeardCover(NamedTuple):
    """Posteriors of a piece, its true beats, and the human's notes."""

    onset: NDArray[np.uint8]  # (T, 88), in steps of 1/255
    melody: NDArray[np.uint8]  # (T, 88)
    frame: NDArray[np.uint8]  # (T, 88)
    transcription_onset: NDArray[np.uint8]  # (T, 88), of all that plays
    transcription_frame: NDArray[np.uint8]  # (T, 88)
    spectrum: NDArray[np.uint8]  # (T, 97), of the sound, by semitones
    frame_s: float
    beats: Times  # (b,) seconds
    is_downbeat: NDArray[np.bool_]  # (b,)
    notes: Array  # (n, 5) onset, offset, pitch, velocity, is the tune's

    def struck(self, part: slice = slice(None)) -> Array:
        """Return onset, melody and the transcription's onset of a part, (3, n, 88) in [0, 1]."""
        return _parts((self.onset, self.melody, self.transcription_onset), part)

    def sounding(self, part: slice = slice(None)) -> Array:
        """Return frame and the transcription's of a part, (2, n, 88) in [0, 1]."""
        return _parts((self.frame, self.transcription_frame), part)

    def sound(self, part: slice = slice(None)) -> Array:
        """Return how loud each semitone is in a part, (n, 97) in [0, 1]."""
        return np.asarray(_parts((self.spectrum,), part)[0])


def _parts(kinds: Sequence[NDArray[np.uint8]], part: slice) -> Array:
    return np.stack([kind[part] for kind in kinds]).astype(np.float32) / np.float32(255)


def load_heard_covers(folder: Path) -> list[HeardCover]:
    """Return the pieces kept in a folder, by their names.

    Raises
    ------
    DataError
        If there is none.
    """
    covers = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as kept:
            arrays = {name: kept[name] for name in HeardCover._fields}
            covers.append(HeardCover(**(arrays | {"frame_s": float(kept["frame_s"])})))
    if not covers:
        raise DataError(
            f"{folder}: expected heard covers, found none: make them with"
            " livecover-train hear-covers"
        )
    return covers
