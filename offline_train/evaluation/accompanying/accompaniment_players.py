"""Who plays to an excerpt: the accompanist, a trivial one with the same input, the human.

At every sixteenth the accompanist knows only what the live chain had said of the sound by then,
given how far ahead it must write. Notes are on the true grid (where the beat clock puts them is
measured elsewhere). Not here: the posteriors (``step_posteriors``), what the playing is worth
(``accompaniment``), the arranger (``arranged_songs``).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.accompany.accompanist import Accompanist
from engine.accompany.chords import CLASS_TONES, NO_CHORD
from engine.accompany.features import expect
from engine.accompany.model import AccompanistModel, Place
from engine.accompany.planning import Plan, choose
from engine.accompany.sampling import SamplingSettings
from engine.accompany.step_writer import LEAST_HEARD_S
from engine.beat.steps.summary import SUMMARY_DIM, summarise
from engine.core.note_tracker import pair_notes
from engine.core.notes import NoteEvent
from engine.perform.hands import Hands
from offline_train.data.accompaniment.crops import ExcerptPosteriors
from offline_train.data.accompaniment.songs import GridSong

Notes = NDArray[np.float32]
Array = NDArray[np.float32]

ANALYSIS_DELAY_S = 0.14
"""From a sound to the posteriors of ``live``: half a window, lookahead, a step, a block."""
WRITTEN_BEFORE_S = 0.02
"""From writing a step to its sound."""
ENTRY_STEPS = 32  # at the beginning, without notes


@dataclass(frozen=True, slots=True)
class Played:
    """What was played to an excerpt."""

    notes: Notes  # (n, 5): onset, offset, pitch, velocity, is the right hand's
    steps: NDArray[np.int64]  # (n,) of the song
    plans: NDArray[np.int64] | None = None  # (S,) classes of the excerpt's steps, of who plans


Player = Callable[[GridSong, ExcerptPosteriors, int, int], Played]
"""Plays to an excerpt: song, posteriors, lag in steps, seed."""


class Accompanying:
    """The accompanist as a player of excerpts."""

    def __init__(
        self, model: AccompanistModel, settings: SamplingSettings, style: Array | None = None
    ) -> None:
        self._model, self._settings, self._style = model, settings, style

    def __call__(self, song: GridSong, real: ExcerptPosteriors, lag: int, seed: int) -> Played:
        """Return what it plays."""
        accompanist = Accompanist(self._model, self._settings, seed, self._style)
        rows = real.rows(song.n_steps - real.first)
        events: list[NoteEvent] = []
        ends: dict[int, int] = {}
        plans = []
        for k in range(len(rows)):
            if k >= lag:
                accompanist.hear(rows[k - lag : k - lag + 1])
            where = Place(int(song.place[real.first + k]), lag, song.bpm)
            step = accompanist.step(where, plays=k >= ENTRY_STEPS)
            plans.append(step.plan.chord)
            time = time_of(song, real.first + k)
            for pitch in step.released:
                if ends.pop(pitch, None) is not None:
                    events.append(NoteEvent(time, pitch, 0))
            for note in step.notes:
                if ends.pop(note.pitch, None) is not None:
                    events.append(NoteEvent(time, note.pitch, 0))
                ends[note.pitch] = k + note.length
                events.append(NoteEvent(time, note.pitch, note.velocity))
        last = time_of(song, real.first + len(rows))
        events += [NoteEvent(last, pitch, 0) for pitch in ends]
        return replace(in_two_hands(events, song), plans=np.array(plans))


class Trivial:
    """The bass on one and the last chord found on each beat: the baseline.

    Its chords are the planner's, of the newest step observed.
    """

    def __init__(self, model: AccompanistModel, settings: SamplingSettings) -> None:
        self._model, self._settings = model, settings

    def __call__(self, song: GridSong, real: ExcerptPosteriors, lag: int, seed: int) -> Played:
        """Return what it plays."""
        del seed
        self._model.reset()
        rows = real.rows(song.n_steps - real.first)
        summary = summarise(rows)
        expected = expect(summary, np.arange(len(rows)), 0)
        plans: list[Plan] = []
        for k, row in enumerate(rows):
            where = Place(int(song.place[real.first + k]), 0, song.bpm)
            observed = np.concatenate([row.ravel(), summary[k, -SUMMARY_DIM:]])
            chord, bass = self._model.plan(observed, expected[k], where)
            before = plans[-1] if plans else None
            plans.append(choose(chord, bass, before, where.place % 4 == 0, self._settings.plan))
        events = []
        for k in range(ENTRY_STEPS, len(rows)):
            place, plan = int(song.place[real.first + k]), plans[k - lag]
            if place % 4 or plan.chord == NO_CHORD:
                continue
            begin, end = (time_of(song, real.first + k + step) for step in (0, 4))
            tones = [pc for pc in range(12) if CLASS_TONES[plan.chord, pc]]
            pitches = [60 + (pc - 60) % 12 for pc in tones] + [36 + plan.bass] * (place == 0)
            for pitch in pitches:
                events += [NoteEvent(begin, pitch, 70), NoteEvent(end - 1e-3, pitch, 0)]
        events.sort(key=lambda event: event.time)
        return in_two_hands(events, song)


def in_two_hands(events: list[NoteEvent], song: GridSong) -> Played:
    """Return what two hands play of events, as the engine keeps it."""
    pairs = [(on, off) for on, off in pair_notes(Hands().push(events)) if off is not None]
    rows = [(on.time, off.time, on.pitch, on.velocity, on.hand == "right") for on, off in pairs]
    notes = np.array(sorted(rows), np.float32).reshape(-1, 5)
    return Played(notes, np.argmin(np.abs(notes[:, :1] - song.times[None]), 1))


def human_playing(song: GridSong, real: ExcerptPosteriors) -> Played:
    """Return what the human plays in an excerpt, on the grid."""
    rows = song.piano[
        (song.piano[:, 0] >= real.first + ENTRY_STEPS)
        & (song.piano[:, 0] < min(real.first + len(real.values), song.n_steps))
    ].astype(np.int64)
    on = np.array([time_of(song, step) for step in rows[:, 0]])
    off = np.array([time_of(song, step) for step in rows[:, 0] + rows[:, 1]])
    notes = np.concatenate([on[:, None], off[:, None], rows[:, 2:5]], 1).astype(np.float32)
    return Played(notes.reshape(-1, 5), rows[:, 0])


def lag_of(step_s: float, ahead_s: float) -> int:
    """Return by how many steps the input is late where notes are written ``ahead_s`` ahead.

    >>> lag_of(0.2, 0.0), lag_of(0.125, 0.5)
    (1, 6)
    """
    return math.ceil((LEAST_HEARD_S + _delay(ahead_s)) / step_s - 1e-9)


def heard_share(step_s: float, ahead_s: float) -> float:
    """Return how much of its newest step is heard where notes are written ``ahead_s`` ahead.

    >>> round(heard_share(0.2, 0.0), 3), round(heard_share(0.125, 0.5), 3)
    (0.2, 0.72)
    """
    return lag_of(step_s, ahead_s) - _delay(ahead_s) / step_s


def _delay(ahead_s: float) -> float:
    return ANALYSIS_DELAY_S + WRITTEN_BEFORE_S + ahead_s


def time_of(song: GridSong, step: int) -> float:
    """Return the seconds of a step; those past the end go on at the middle step's length."""
    beyond = max(int(step) - song.n_steps + 1, 0)
    return float(song.times[min(int(step), song.n_steps - 1)]) + beyond * song.step_s
