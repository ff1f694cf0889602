"""What a cover model heard of songs whose human cover is known.

Each piece is one ``NAME.npz`` in a folder: what ``HeardCover`` has. Not here: hearing
(``evaluation.heard_covers``), crops (``strike_crops``).
"""

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
    frame_s: float
    beats: Times  # (b,) seconds
    is_downbeat: NDArray[np.bool_]  # (b,)
    notes: Array  # (n, 5) onset, offset, pitch, velocity, is the tune's

    def posteriors(self, part: slice = slice(None)) -> tuple[Array, Array, Array]:
        """Return onset, melody and frame (n, 88) of a part, in [0, 1]."""
        onset, melody, frame = (
            np.asarray(kind[part], np.float32) / np.float32(255)
            for kind in (self.onset, self.melody, self.frame)
        )
        return onset, melody, frame


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
