"""Beat, tempo and metre from activations, by an exact forward filter over a bar pointer.

A hidden state is a tempo (a whole number of ticks a beat), the place in the beat (ticks since it),
and the beat in a bar of three or four. The pointer moves a tick at a time; tempo, and rarely metre,
change on beats (Krebs, Böck and Widmer, "An efficient state-space model for joint tempo and meter
tracking", ISMIR 2015). All states are carried along, so that the result is exact, and the same at
each run. Places are kept as rings: a tick moves no memory, only the states that reach their beat
are worked on.

What is observed: the log odds of an activation against its prior, weighted by the triangle that the
network learned, so that sub-frame places are told apart. Not here: priors and weights
(``filter_settings``), the network (``activations``), and what is made of the estimates (``clock``).

Shapes: M tempos, R rows (the beats of all metres), S places (all ticks of all tempos).
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.beat.estimate import BeatEstimate
from engine.beat.filter_settings import FilterSettings

Array = NDArray[np.float32]

TICKS_PER_FRAME = 2
HALF_WIDTH_FRAMES = 3.0  # of the triangle that the network learns
NEAR = 0.06  # of a tempo, and of a beat: what an estimate is a mean of
CERTAIN = 0.002  # activations are held this far from 0 and 1
LEAST_LEVEL = 0.1  # from which on an activation speaks for a beat, at least
LEAST_PEAK = 0.5  # log odds of recent peaks over that level, at least
LATEST = 1 - 1e-9  # phase
FINEST = 1.012  # a tempo over the next slower one, at least
FRESHEN_EVERY = 4  # frames
SURE_ODDS = 4.0  # log odds, at the most, of what the bar network says
KNOWN_TEMPO = 0.05  # standard deviations of what a player says: of a tempo,
KNOWN_PLACE = 0.08  # of a beat
FARTHEST = 0.25  # of a beat: what a player says may be wrong by as much


class BeatFilter:
    """The filter: ``push`` activations frame by frame, ask ``estimate`` at any time.

    Parameters
    ----------
    frame_s
        Seconds of a frame.
    settings
        What it believes.
    """

    def __init__(self, frame_s: float, settings: FilterSettings | None = None) -> None:
        s = self.settings = settings or FilterSettings()
        self.tick_s = frame_s / TICKS_PER_FRAME
        self._fade = float(np.exp(-frame_s / s.peak_memory))
        shortest = round(60 / s.fastest_bpm / self.tick_s)
        longest = round(60 / s.slowest_bpm / self.tick_s)
        self._lengths = _lengths(shortest, longest)  # (M,) ticks a beat
        self._starts = np.concatenate([[0], np.cumsum(self._lengths)[:-1]])
        self._tempo_of = np.repeat(np.arange(len(self._lengths)), self._lengths)  # (S,)
        self._own_place = np.arange(self._lengths.sum()) - self._starts[self._tempo_of]
        ratio = self._lengths[None] / self._lengths[:, None]
        change = np.exp(-s.tempo_steadiness * np.abs(ratio - 1))
        change /= change.sum(1, keepdims=True)
        self._tempo_change = change.T.astype(np.float32)  # (M, M) to, from
        self._first_rows = np.concatenate([[0], np.cumsum(s.metres)[:-1]])
        self._metre_of = np.repeat(s.metres, s.metres)  # (R,)
        self._beat_of = np.concatenate([np.arange(m) for m in s.metres])
        self._row_change = _row_change(s).astype(np.float32)  # (R, R) from, to
        self._all_rows = np.ones(sum(s.metres), np.float32)
        self._prior = self._prior_states()
        self._fresh = np.float32(FRESHEN_EVERY * s.restart) * self._prior
        width = int(np.ceil(HALF_WIDTH_FRAMES * TICKS_PER_FRAME)) - 1
        self._near = np.arange(-width, width + 1)  # ticks from a beat that hear of it
        self._weights = 1 - np.abs(self._near) / (HALF_WIDTH_FRAMES * TICKS_PER_FRAME)
        is_first = self._beat_of == 0
        last = self._beat_of == self._metre_of - 1  # before a beat, the next one is heard
        self._is_down = np.where(self._near[:, None] < 0, last, is_first)  # (W, R)
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        self._states = self._prior.copy()  # (S, R)
        self._tick = 0
        self._frame = -1
        self._peak = 0.0

    def _prior_states(self) -> Array:
        s = self.settings
        bpm = 60 / (self._lengths * self.tick_s)
        tempo = np.exp(-0.5 * (np.log2(bpm / s.usual_bpm) / s.spread_octaves) ** 2)
        tempo /= self._lengths  # each tempo has as many places as ticks
        shares = np.repeat(np.array(s.metre_shares) / s.metres, s.metres)
        states = tempo[self._tempo_of, None] * shares
        return np.asarray(states / states.sum(), np.float32)

    def begin_at(self, estimate: BeatEstimate) -> None:
        """Begin where somebody says that the music is; ``bar_confidence`` says how sure of the bar.

        Where its metre is none of these, nothing is known of the bar.
        """
        self.reset()
        lengths = self._lengths[self._tempo_of]
        tempo = np.log(lengths * self.tick_s / estimate.period) / KNOWN_TEMPO
        apart = self._own_place / lengths - estimate.phase
        turns = np.round(apart)  # 1 where a state is yet in the beat before
        near = np.exp(-0.5 * (tempo**2 + ((apart - turns) / KNOWN_PLACE) ** 2))
        near[np.abs(apart - turns) > FARTHEST] = 0.0
        rows = np.full(len(self._metre_of), 1 - estimate.bar_confidence)
        rows[(self._metre_of == estimate.metre) & (self._beat_of == estimate.beat_in_bar)] = 1
        if not rows.any():
            rows[:] = 1
        shifted = {k: self._shifted(rows, k) for k in (-1, 0, 1)}
        weights = np.stack([shifted[int(k)] for k in turns])
        self._states *= near[:, None] * weights
        self._states /= self._states.sum()

    def _shifted(self, rows: NDArray[np.float64], n_beats: int) -> NDArray[np.float64]:
        """Return the same of rows (R,), told so many beats earlier."""
        shifted = rows.copy()
        for first, metre in zip(self._first_rows, self.settings.metres, strict=True):
            shifted[first : first + metre] = np.roll(rows[first : first + metre], -n_beats)
        return shifted

    def push(self, beat: float, downbeat: float, is_heard: bool = True) -> None:
        """Advance a frame, then observe its activations (0 to 1), if ``is_heard``."""
        if self._frame >= 0:
            self._advance()
        self._frame += 1
        if is_heard:
            self._observe(beat, downbeat)
        if self._frame % FRESHEN_EVERY == 0:
            share = FRESHEN_EVERY * self.settings.restart
            self._states *= (1 - share) / float(self._states.sum())
            self._states += self._fresh

    def _advance(self) -> None:
        """Move every state on by a frame; those at the end of their beat begin another.

        A beat that begins does not end within a frame: all ticks of a frame are one product.
        """
        ticks = self._tick + np.arange(TICKS_PER_FRAME)[:, None]
        at = (self._starts + (-1 - ticks) % self._lengths).T  # (M, ticks)
        leaving = self._states[at] @ self._row_change  # (M, ticks, R)
        arriving = self._tempo_change @ leaving.reshape(len(at), -1)
        self._states[at] = arriving.reshape(leaving.shape)
        self._tick += TICKS_PER_FRAME

    def _observe(self, beat: float, downbeat: float) -> None:
        """Weigh the states near a beat by what the activations say of it."""
        s = self.settings
        beat = min(max(beat, CERTAIN), 1 - CERTAIN)
        share = min(max(downbeat / beat, 0.03), 0.97)
        self._peak = max(beat, self._peak * self._fade)
        level = min(max(s.struck * self._peak, LEAST_LEVEL), 0.5)
        peak = max(_log_odds(self._peak) - _log_odds(level), LEAST_PEAK)
        trust = s.trust * math.sqrt(max(s.usual_peak / peak, 1.0))
        odds = trust * (_log_odds(beat) - _log_odds(level))
        odds = math.log((1 - s.rest) * math.exp(odds) + s.rest)
        down = s.downbeat_trust * beat * math.log(share / s.downbeat_prior)
        other = s.downbeat_trust * beat * math.log((1 - share) / (1 - s.downbeat_prior))
        told = self._weights[:, None] * (odds + np.where(self._is_down, down, other))
        factors = np.exp(told).astype(np.float32)  # (W, R)
        places = (self._near[:, None] - self._tick) % self._lengths + self._starts  # (W, M)
        at = places.ravel()
        near = self._states.take(at, 0)
        near *= factors.repeat(len(self._lengths), 0)
        self._states[at] = near

    def push_bar(self, log_odds: float, beats_ago: int) -> None:
        """Weigh all states by the log odds that the beat ``beats_ago`` ago was a downbeat."""
        s = self.settings
        p = 1 / (1 + math.exp(-min(max(log_odds, -SURE_ODDS), SURE_ODDS)))
        down = s.bar_trust * math.log(p / s.downbeat_prior)
        other = s.bar_trust * math.log((1 - p) / (1 - s.downbeat_prior))
        is_down = (self._beat_of - beats_ago) % self._metre_of == 0
        self._states *= np.exp(np.where(is_down, down, other)).astype(np.float32)

    def estimate(self) -> BeatEstimate:
        """Return what is most likely at the frame that was pushed last."""
        by_place = self._states @ self._all_rows
        best = int(by_place.argmax())
        tempo = int(self._tempo_of[best])
        length = int(self._lengths[tempo])
        phase = (best - int(self._starts[tempo]) + self._tick) % length / length
        first = int(np.searchsorted(self._lengths, length * (1 - NEAR)))
        last = int(np.searchsorted(self._lengths, length * (1 + NEAR), "right")) - 1
        part = slice(self._starts[first], self._starts[last] + self._lengths[last])
        lengths = self._lengths[self._tempo_of[part]]
        apart = ((self._own_place[part] + self._tick) % lengths) / lengths - phase
        turns = np.round(apart)  # 1 where this place is yet before the beat, -1 behind it
        apart -= turns
        weights = by_place[part] * (np.abs(apart) <= NEAR)
        total = float(weights.sum())
        place = phase + float(weights @ apart) / total
        period = self.tick_s * float(weights @ lengths) / total
        rows = self._rows_at(part, weights > 0, turns)
        metre, row, mass = self._bar(rows)
        if place < 0:  # the mean lies before the beat that the likeliest state has passed
            row = (row - 1) % metre
        elif place >= 1:
            row = (row + 1) % metre
        confidence = total / float(by_place.sum())
        bar_confidence = mass / max(float(rows.sum()), 1e-30)
        return BeatEstimate(
            self._frame, min(place % 1.0, LATEST), period, row, metre, confidence, bar_confidence
        )

    def _rows_at(self, part: slice, chosen: NDArray[np.bool_], turns: Array) -> Array:
        """Return the probability of each row (R,), told in the beat of the likeliest state."""
        states = self._states[part]
        rows = states[chosen & (turns == 0)].sum(0)
        early = states[chosen & (turns > 0)].sum(0)  # still in the beat before
        late = states[chosen & (turns < 0)].sum(0)
        for first, metre in zip(self._first_rows, self.settings.metres, strict=True):
            bar = slice(first, first + metre)
            rows[bar] += np.roll(early[bar], 1) + np.roll(late[bar], -1)
        return np.asarray(rows)

    def _bar(self, rows: Array) -> tuple[int, int, float]:
        """Return the likeliest metre, its likeliest beat, and that one's probability."""
        masses = np.add.reduceat(rows, self._first_rows)
        k = int(masses.argmax())
        metre, first = self.settings.metres[k], self._first_rows[k]
        own = rows[first : first + metre]
        return metre, int(own.argmax()), float(own.max())


def _log_odds(p: float) -> float:
    return math.log(p / (1 - p))


def _lengths(shortest: int, longest: int) -> NDArray[np.int64]:
    """Return whole numbers of ticks, no two nearer to each other than ``FINEST``."""
    lengths = [shortest]
    while lengths[-1] < longest:
        lengths.append(max(lengths[-1] + 1, round(lengths[-1] * FINEST)))
    return np.array(lengths)


def _row_change(s: FilterSettings) -> NDArray[np.float64]:
    """Return the probability (R, R) that a beat is followed by another, of any metre."""
    firsts = np.concatenate([[0], np.cumsum(s.metres)[:-1]])
    n_rows = sum(s.metres)
    change = np.zeros((n_rows, n_rows))
    for first, metre in zip(firsts, s.metres, strict=True):
        rows = slice(first, first + metre)
        change[rows, rows] += s.bar_slip / metre
        for beat in range(metre):
            row, following = first + beat, first + (beat + 1) % metre
            change[row, following] += 1 - s.bar_slip
            if beat == metre - 1:
                change[row, following] -= s.metre_change
                change[row, firsts] += s.metre_change * np.array(s.metre_shares)
    return change
