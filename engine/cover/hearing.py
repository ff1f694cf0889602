"""What a cover on the beat hears, gathered so that it can be asked for by sixteenths.

Three kinds of posteriors: of the cover's notes, of the tune, and of all that the band plays, which
the model transcribed. Not here: where sixteenths lie, what is played.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.accompany.strikes import gather_strikes
from engine.beat.steps.gathering import StepGatherer
from engine.beat.steps.sound import SoundGatherer
from engine.core.notes import Posteriors

Array = NDArray[np.float32]
Times = NDArray[np.floating]

PEAK_FRAMES = 3  # between a note's time and its attack's highest, at the most
STEP_FRAMES = 2  # of posteriors, that are taken at once
TUNE_ODDS, TUNE_FROM = 0.3, 0.2  # how much a key that is the tune's is favoured, and from when


class CoverHearing:
    """Gathers what is heard.

    Parameters
    ----------
    frame_s
        Seconds of a frame.
    sound
        Keeps the sound itself.

    Attributes
    ----------
    notes
        The cover's onsets, and what sounds of it.
    """

    def __init__(self, frame_s: float, sound: SoundGatherer) -> None:
        self.sound = sound
        self.notes, self._tune, self._band = (StepGatherer(frame_s) for _ in range(3))

    @property
    def until(self) -> float:
        """Seconds up to which it knows what was heard."""
        return self.notes.until

    def push(self, heard: Posteriors) -> None:
        """Take the next frames."""
        nothing = np.zeros_like(heard.onset)
        tune = nothing if heard.melody is None else heard.melody
        onset = frame = nothing
        if heard.transcription is not None:
            onset, frame = heard.transcription[:, 0], heard.transcription[:, 1]
        self.notes.push(heard)
        self._tune.push(replace(heard, onset=tune))
        self._band.push(replace(heard, onset=onset, frame=frame))

    def but_the_tune(self, begin: float, end: float, least_tune: float) -> Array | None:
        """Return how likely each key (88,) was struck from ``begin`` to ``end``, so far.

        Not at all where it is the tune's, from ``least_tune`` on. None where nothing is known yet.
        """
        heard, tune = (g.gather(begin, end, so_far=True) for g in (self.notes, self._tune))
        if heard is None or tune is None:
            return None
        return np.where(tune[:, 0] < least_tune, heard[:, 0], 0)

    def struck(self, key: int, time: float) -> float:
        """Return how likely a key (0 to 87) was struck at a time, or next to it."""
        frame = round((time - self.notes.since) / self.notes.frame_s)
        rows = slice(max(frame - PEAK_FRAMES, 0), frame + PEAK_FRAMES + 1)
        return float(self.notes.rows[0, rows, key].max(initial=0.0))

    def sung(self, key: int, begin: float, end: float) -> float:
        """Return how likely a key (0 to 87) sounds and is the tune's, on average, so far.

        From ``begin`` to ``end``; 0 where nothing is known of it.
        """
        first, last = (
            round((time - self.notes.since) / self.notes.frame_s) for time in (begin, end)
        )
        rows = slice(max(first, 0), max(last, 0))
        sounding, tune = self.notes.rows[1, rows, key], self._tune.rows[0, rows, key]
        return float((sounding * tune).mean()) if len(sounding) else 0.0

    def on_steps(self, steps: Times) -> Array:
        """Return what was heard on steps (S,) seconds but the last: what a strike network takes."""
        (onset, frame), (band_onset, band_frame) = self.notes.rows, self._band.rows
        struck = np.stack([onset, self._tune.rows[0], band_onset])
        sounding = np.stack([frame, band_frame])
        return gather_strikes(struck, sounding, self.notes.frame_s, steps - self.notes.since)


def by_steps(heard: Posteriors) -> list[Posteriors]:
    """Return posteriors in pieces as short as those that come where nothing is waited for."""
    return [heard.part(slice(at, at + STEP_FRAMES)) for at in range(0, len(heard), STEP_FRAMES)]


def for_the_tune(heard: Posteriors) -> Posteriors:
    """Return posteriors whose onsets are likelier the likelier a key is the tune's."""
    if heard.melody is None:
        return heard
    favour = np.maximum((TUNE_ODDS + heard.melody) / (TUNE_ODDS + TUNE_FROM), 1)
    return replace(heard, onset=np.minimum(heard.onset * favour, 1))
