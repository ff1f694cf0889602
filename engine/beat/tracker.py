"""From features to a beat clock: the beat network, the filter, the clock, in step.

Not here: what follows the beat. Belongs to the worker thread.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.beat.activations import BeatModel
from engine.beat.bars import LEVELS, BarTracker, BeatInBar
from engine.beat.clock import BeatClock
from engine.beat.estimate import BeatEstimate
from engine.beat.filter import BeatFilter
from engine.beat.filter_settings import FilterSettings
from engine.beat.steps.attacks import AttackGatherer
from engine.beat.steps.gathering import StepGatherer
from engine.core.tempo import BeatState

Array = NDArray[np.float32]

STEP_FRAMES = 4  # the clock asks the filter at every so many frames
AUDIBLE = 0.15  # where no activation was higher for a while, there is no beat to be heard
MEMORY_BEATS = 0.8  # in which an activation fades to a third
LEVEL_MEMORY = 0.97  # from beat to beat, of the odds that beats are too fast or slow: a little
# of it counts, if it is said beat after beat
OCTAVES = (0.5, 2.0)  # levels of which every other beat is one of the song's, or the reverse
LEVEL_ODDS = 30.0  # log odds from which on they are, for the first time since there is a beat;
HARDER = np.array([2.0 if level in OCTAVES else 4.0 for level in LEVELS], np.float32)  # each time
# so many times more: a song of two minds does not go to and fro. The memory holds at most 33 beats'
# odds, often 100: half or twice, which was mistaken at first, can be mended once
WITHIN = 1.2  # factor on a tempo whose level is known: no other one is thought of
NEAR_BEAT = 0.15  # of a beat: where the clock and the filter may not be in the same one
REST_S = 20.0  # of silence without a beat, after which the filter need not go on
USUAL_PERIOD_S = 0.6  # before there is an estimate


class BeatTracker:
    """Tracks the beat of features in ``clock``. The same result for blocks of any length.

    Parameters
    ----------
    model
        The beat network.
    settings
        Of the filter.
    bars
        Finds where bars begin, and how fast beats are counted, by the cover model's posteriors;
        without, the beat network alone says so.

    Attributes
    ----------
    leads : bool
        Whether the clock follows what is heard; False while it follows somebody else.
    offset : float
        Seconds by which the clock's beats are later than they are heard.
    scale : int
        Beats that are counted for each that is heard.
    turn : float
        Beats by which those are later: a half for a player who counts between what is heard.
    """

    def __init__(
        self,
        model: BeatModel,
        settings: FilterSettings | None = None,
        bars: BarTracker | None = None,
    ) -> None:
        self.model = model
        spec = model.spec.features
        self.settings = settings or FilterSettings()
        self.filter = BeatFilter(spec.frame_s, self.settings)
        self.clock = BeatClock()
        self._bars = bars
        self._attacks = AttackGatherer(spec.frame_s)
        self.frame_s = spec.frame_s
        self.leads, self.offset, self.scale, self.turn = True, 0.0, 1, 0.0
        self.delay = spec.half_window_s + model.spec.lookahead_frames * spec.frame_s
        self.reset()

    def reset(self, start: float = 0.0) -> None:
        """Begin anew with a frame whose centre stands at ``start`` s of the stream."""
        self._start, self.leads = start, True
        self.model.reset()
        self._attacks.reset(start)
        self.believe(self.settings)
        self.clock.reset()
        self._frame, self._loudest, self._period = 0, 0.0, USUAL_PERIOD_S
        self._n_unheard = 0  # frames since something was heard
        self._held: list[Array] = []  # frames (F,) for the network's next step
        self._is_begun = False  # the network has heard something
        self._n_pending = 0  # frames that it has not answered
        self._in_bars: list[BeatInBar] = []  # that the filter has not yet been told
        self._weigh_levels_anew()
        if self._bars is not None:
            self._bars.reset()

    def _weigh_levels_anew(self) -> None:
        self._level = np.zeros(len(LEVELS), np.float32)  # log odds, over the last beats
        self._level_odds = np.full(len(LEVELS), LEVEL_ODDS, np.float32)  # that are asked for

    @property
    def silence(self) -> float:
        """Seconds since there was music in which a beat may be heard."""
        return self._n_unheard * self.frame_s

    def push(self, features: Array) -> None:
        """Take the next features (n, F).

        The network gets as many at once as the clock waits for: each call has its cost.
        """
        self._attacks.push(features)
        lookahead = self.model.spec.lookahead_frames
        for frame in features:
            self._held.append(frame)
            n_given = self._frame + self._n_pending + len(self._held)
            if (n_given - lookahead) % STEP_FRAMES == 0:
                self._step()

    def _step(self) -> None:
        self._is_begun = True
        activations = self.model.step(np.stack(self._held)).tolist()
        self._n_pending += len(self._held) - len(activations)
        self._held.clear()
        for beat, downbeat in activations:
            self.hear(beat, downbeat)

    def push_posteriors(self, gatherer: StepGatherer) -> None:
        """Take that the cover model's posteriors went on, which a gatherer keeps."""
        if self._bars is not None and self.leads and self.scale == 1 and not self.turn:
            self._in_bars += self._bars.update(self.clock, gatherer, self._attacks)

    def skip(self, n_frames: int) -> None:
        """Pass over frames that nobody heard; the network begins anew after them."""
        self._loudest = 0.0
        self._attacks.skip(n_frames)
        for _ in range(self._n_pending + len(self._held) + n_frames):
            if self.clock.state is BeatState.LOST and self.silence > REST_S:
                self._frame, self._n_unheard = self._frame + 1, self._n_unheard + 1
            else:
                self.hear(0.0, 0.0)
        self._held.clear()
        self._n_pending = 0
        if self._is_begun:
            self.model.reset()
            self._is_begun = False

    def believe(
        self, settings: FilterSettings, estimate: BeatEstimate | None = None, time: float = 0.0
    ) -> None:
        """Believe something else from now on; where ``estimate`` says that the music is at a time.

        The beats are those that are heard, at times as the clock tells them.
        """
        self._told, self._is_scaled = settings, False
        self._restart_filter(settings, estimate, time)

    def _restart_filter(
        self, settings: FilterSettings, estimate: BeatEstimate | None, time: float
    ) -> None:
        self.filter = BeatFilter(self.frame_s, settings)
        if estimate is not None:
            coming = self._start + self._frame * self.frame_s + self.offset
            turn = self.turn * estimate.period / self.scale
            self.filter.begin_at(estimate.later(coming - time + turn))

    def heard(self, time: float) -> BeatEstimate:
        """Return what is heard, told of a time in beats as they are counted, without ``turn``."""
        last = self._start + (self._frame - 1) * self.frame_s + self.offset
        return self.filter.estimate().scaled(self.scale).later(time - last)

    def hear(self, beat: float, downbeat: float) -> None:
        """Take the activations of the next frame, 0 to 1."""
        fade = math.exp(-self.frame_s / (MEMORY_BEATS * self._period))
        self._loudest = max(beat, self._loudest * fade)
        is_heard = self._loudest >= AUDIBLE
        self._n_unheard = 0 if is_heard else self._n_unheard + 1
        self.filter.push(beat, downbeat, is_heard)
        time = self._start + self._frame * self.frame_s
        if self._in_bars:
            self._weigh_bars(self.clock.position(time + self.offset), time + self.delay)
        if self._frame % STEP_FRAMES == STEP_FRAMES - 1:
            estimate = self.filter.estimate()
            self._period = estimate.period
            if self.leads:
                counted = estimate.scaled(self.scale)
                counted = counted.later(-self.turn * counted.period)
                self.clock.update(counted, time + self.offset, time + self.delay, is_heard)
            if self._is_scaled and self.clock.state is BeatState.LOST:
                self.believe(self._told)
                self._weigh_levels_anew()
        self._frame += 1

    def _weigh_bars(self, position: float, now: float) -> None:
        """Tell the filter which beats began a bar, where it is sure which beat it is in itself."""
        beat = math.floor(position)
        if not NEAR_BEAT < position - beat < 1 - NEAR_BEAT:
            return
        for past in self._in_bars:
            self.filter.push_bar(past.downbeat, beat - past.beat)
            memory = 0.0 if past.is_first else LEVEL_MEMORY  # a level is told of these beats
            self._level = memory * self._level + past.level
        self._in_bars.clear()
        over = self._level - self._level_odds
        wrong = int(over.argmax())
        if over[wrong] > 0:
            self._scale_tempo(1 / LEVELS[wrong], now)
            self._level[:] = 0

    def _scale_tempo(self, factor: float, now: float) -> None:
        """Count so many times as many beats, as such songs are, unless a tempo was given."""
        here = self.clock.scaled(factor, now)
        bpm, told, usual = 60 / here.period, self._told, self.settings
        is_given = told.fastest_bpm != usual.fastest_bpm
        if not self.leads or is_given or not usual.slowest_bpm <= bpm <= usual.fastest_bpm:
            return
        is_octave = factor in OCTAVES
        if is_octave:
            self.clock.take(here, now)
        # Of three beats for two or four, none need be the song's: the filter finds where they are.
        self._restart_filter(told.known(bpm, None, within=WITHIN), here if is_octave else None, now)
        self._is_scaled = True
        self._level_odds = HARDER * self._level_odds
