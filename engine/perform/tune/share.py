"""How much of an onset's threshold is enough for the tune's key, as its attacks are of late.

A tune with a gap is missed sooner than a chord with one. Singers attack softly: of eight recordings
the model's answer to an attack of the tune is 0.5 in the middle, of bands with an instrument for
the tune 0.65, and what lies far below is no note there. So the share falls steeply with the mean of
what was plainly struck. Causal. Not here: the threshold itself (``thresholds``).
"""

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]  # (88,)

VOICE_SHARE = 0.95
"""Of the likeliest key's probability that it sounds and is the tune's: a tune has one voice."""
LEAST, MOST = 0.2, 0.9
"""Bounds of the share."""
FIRM = 0.6
"""Mean height of the tune's attacks from which the share is the most."""
POWER = 6
"""Of that mean, in relation to ``FIRM``."""
MEMORY = 32
"""Attacks over which the mean goes, roughly."""
BEFORE = 0.7
"""The mean before the first attack."""


class TuneShare:
    """Follows the tune's attacks."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the song."""
        self._height = BEFORE

    @property
    def value(self) -> float:
        """The share, ``LEAST`` to ``MOST``."""
        return float(np.clip(MOST * (self._height / FIRM) ** POWER, LEAST, MOST))

    def observe(self, peaks: NDArray[np.float32]) -> None:
        """Take peaks (n,) of onsets of the tune's key, each above its whole threshold."""
        for peak in peaks.tolist():
            self._height += (peak - self._height) / MEMORY


def one_voice(tune: Row) -> NDArray[np.bool_]:
    """Return the likeliest key (88,), and what is hardly less likely.

    ``tune`` (88,) is the probability that each key sounds and is the tune's.
    """
    is_voice: NDArray[np.bool_] = tune >= VOICE_SHARE * tune.max()
    return is_voice
