"""From features to a beat clock: the beat network, the filter, the clock, in step.

Not here: what follows the beat. Belongs to the worker thread.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.beat.activations import BeatModel
from engine.beat.clock import BeatClock
from engine.beat.filter import BeatEstimate, BeatFilter, FilterSettings

Array = NDArray[np.float32]

STEP_FRAMES = 4  # the clock asks the filter at every so many frames
AUDIBLE = 0.15  # where no activation was higher for a while, there is no beat to be heard
MEMORY_BEATS = 0.8  # in which an activation fades to a third
USUAL_PERIOD_S = 0.6  # before there is an estimate


class BeatTracker:
    """Tracks the beat of features in ``clock``. The same result for blocks of any length.

    Parameters
    ----------
    model
        The beat network.
    settings
        Of the filter.

    Attributes
    ----------
    leads : bool
        Whether the clock follows what is heard; False while it follows somebody else.
    offset : float
        Seconds by which the clock's beats are later than they are heard.
    turn : float
        Beats by which they are, too: a half for a player who counts between what is heard.
    """

    def __init__(self, model: BeatModel, settings: FilterSettings | None = None) -> None:
        self.model = model
        spec = model.spec.features
        self.settings = settings or FilterSettings()
        self.filter = BeatFilter(spec.frame_s, self.settings)
        self.clock = BeatClock()
        self.frame_s = spec.frame_s
        self.leads, self.offset, self.turn = True, 0.0, 0.0
        self.delay = spec.half_window_s + model.spec.lookahead_frames * spec.frame_s
        self.reset()

    def reset(self, start: float = 0.0) -> None:
        """Begin anew with a frame whose centre stands at ``start`` s of the stream."""
        self._start, self.leads = start, True
        self.model.reset()
        self.filter = BeatFilter(self.frame_s, self.settings)
        self.clock.reset()
        self._frame, self._loudest, self._period = 0, 0.0, USUAL_PERIOD_S
        self._n_unheard = 0  # frames since something was heard
        self._held: list[Array] = []  # frames (F,) for the network's next step
        self._n_pending = 0  # frames that the network has not answered

    @property
    def silence(self) -> float:
        """Seconds since there was music in which a beat may be heard."""
        return self._n_unheard * self.frame_s

    def push(self, features: Array) -> None:
        """Take the next features (n, F).

        The network gets as many at once as the clock waits for: each call has its cost.
        """
        lookahead = self.model.spec.lookahead_frames
        for frame in features:
            self._held.append(frame)
            n_given = self._frame + self._n_pending + len(self._held)
            if (n_given - lookahead) % STEP_FRAMES == 0:
                self._step()

    def _step(self) -> None:
        activations = self.model.step(np.stack(self._held)).tolist()
        self._n_pending += len(self._held) - len(activations)
        self._held.clear()
        for beat, downbeat in activations:
            self.hear(beat, downbeat)

    def skip(self, n_frames: int) -> None:
        """Pass over frames that nobody heard; the network begins anew after them."""
        self._loudest = 0.0
        for _ in range(self._n_pending + len(self._held) + n_frames):
            self.hear(0.0, 0.0)
        self._held.clear()
        self._n_pending = 0
        self.model.reset()

    def believe(
        self, settings: FilterSettings, estimate: BeatEstimate | None = None, time: float = 0.0
    ) -> None:
        """Believe something else from now on; where ``estimate`` says that the music is at a time.

        As the clock tells times: ``offset`` and ``turn`` after they are heard.
        """
        self.filter = BeatFilter(self.frame_s, settings)
        if estimate is not None:
            coming = self._start + self._frame * self.frame_s + self.offset
            self.filter.begin_at(estimate.later(coming - time + self.turn * estimate.period))

    def heard(self, time: float) -> BeatEstimate:
        """Return what is heard, told of a time; ``turn`` is not in it."""
        last = self._start + (self._frame - 1) * self.frame_s + self.offset
        return self.filter.estimate().later(time - last)

    def hear(self, beat: float, downbeat: float) -> None:
        """Take the activations of the next frame, 0 to 1."""
        fade = math.exp(-self.frame_s / (MEMORY_BEATS * self._period))
        self._loudest = max(beat, self._loudest * fade)
        is_heard = self._loudest >= AUDIBLE
        self._n_unheard = 0 if is_heard else self._n_unheard + 1
        self.filter.push(beat, downbeat, is_heard)
        if self._frame % STEP_FRAMES == STEP_FRAMES - 1:
            time = self._start + self._frame * self.frame_s
            estimate = self.filter.estimate()
            self._period = estimate.period
            if self.leads:
                counted = estimate.later(-self.turn * estimate.period)
                self.clock.update(counted, time + self.offset, time + self.delay, is_heard)
        self._frame += 1
