"""How likely an onset must be to begin a note, key by key, as it follows the song's density.

Pure; shapes: 88 keys a row. Not here: which peaks there are (``decoder``), how thresholds follow
the song (``density``).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from engine.core.settings import DecoderSettings
from engine.perform.density import DensityControl
from engine.perform.tune.share import TuneShare
from engine.perform.voices import EPSILON
from models.spec import N_PITCHES

Row = NDArray[np.float32]  # (88,)
Mask = NDArray[np.bool_]  # (88,)

MUSIC = 0.5
"""A row counts as music where some frame probability is this share of the off threshold."""
STRUCK_SHARE = 0.94
"""Of the notes wanted; slurred ones come on top."""


class OnsetThresholds:
    """The threshold of each key: higher of one that sounds, lower of the tune's.

    Parameters
    ----------
    frame_s
        Seconds from one frame to the next.
    settings
        Thresholds that are all given.
    tune
        Says what share of the threshold is enough for the tune's key; None: all of it.
    """

    def __init__(self, frame_s: float, settings: DecoderSettings, tune: TuneShare | None) -> None:
        self._density = DensityControl(frame_s)
        self._tune = tune
        self.change(settings, ())

    def change(self, settings: DecoderSettings, sounding: Iterable[int]) -> None:
        """Go on with other settings; ``sounding`` keys (0 to 87) are down."""
        assert settings.onset_threshold is not None and settings.restrike_threshold is not None
        assert settings.notes_per_second is not None and settings.frame_off_threshold is not None
        self._onset, self._restrike = settings.onset_threshold, settings.restrike_threshold
        self._least_music = MUSIC * settings.frame_off_threshold
        self._density.notes_per_second = STRUCK_SHARE * settings.notes_per_second
        self._density.density = settings.density
        self.release_all()
        self._keys[list(sounding)] = self._restrike

    def reset(self) -> None:
        """Begin a new stream."""
        self.release_all()
        self._density.reset()
        if self._tune is not None:
            self._tune.reset()

    @property
    def factor(self) -> float:
        """By which all thresholds are multiplied."""
        return self._density.factor

    @property
    def onset(self) -> float:
        """Least probability of an onset, as it follows the song."""
        return self._onset * self._density.factor

    @property
    def pace(self) -> float:
        """Notes that the style asks for, for each that the balanced style does."""
        return self._density.pace

    @pace.setter
    def pace(self, pace: float) -> None:
        self._density.pace = pace

    def strike(self, key: int) -> None:
        """Take that a key is down."""
        self._keys[key] = self._restrike

    def release(self, keys: int | Mask) -> None:
        """Take that a key is up, or all keys of a mask are."""
        self._keys[keys] = self._onset

    def release_all(self) -> None:
        """Take that all keys are up."""
        self._keys: Row = np.full(N_PITCHES, self._onset, dtype=np.float32)

    def reached(self, peak: Row, is_peak: Mask, is_tune: Mask | None, frame: Row) -> Mask:
        """Return which peaks (88,) begin notes; the song's density follows them where music is.

        ``is_tune`` is the tune's key, or keys.
        """
        thresholds = self._keys
        if is_tune is not None and self._tune is not None:
            is_plain = is_peak & is_tune & (peak >= thresholds * self._density.factor)
            self._tune.observe(peak[is_plain])
            thresholds = np.where(is_tune, np.float32(self._tune.value) * thresholds, thresholds)
        if self._density.is_needed and frame.max() >= self._least_music:
            least = np.maximum(thresholds[is_peak], np.float32(EPSILON))
            self._density.observe(peak[is_peak] / least)
        found: Mask = is_peak & (peak >= thresholds * self._density.factor)
        return found
