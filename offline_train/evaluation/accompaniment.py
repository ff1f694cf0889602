"""The accompanist on the live model's posteriors of songs, strictly causal.

Each song is played from its beginning: at every sixteenth the accompanist knows only what the live
chain had said of the sound by then, given how far ahead it must write. Notes are on the true grid
(where the beat clock puts them is measured elsewhere). Beside it a trivial accompanist, with the
same input, and the human. Not here: the posteriors (``step_posteriors``), what each measure is
(``measures``).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from engine.accompany.accompanist import Accompanist
from engine.accompany.chords import CLASS_TONES, NO_CHORD
from engine.accompany.features import expect
from engine.accompany.model import AccompanistModel, Place
from engine.accompany.planning import Plan, choose
from engine.accompany.sampling import SamplingSettings
from engine.accompany.step_writer import LEAST_HEARD_S
from engine.beat.summary import SUMMARY_DIM, summarise
from engine.core.note_tracker import pair_notes
from engine.core.notes import NoteEvent
from engine.perform.hands import Hands
from engine.whole_song.grid import STEPS_PER_BEAT
from offline_train.data.accompaniment.crops import ExcerptPosteriors
from offline_train.data.accompaniment.songs import GridSong
from offline_train.evaluation.measures.faults import count_repeated
from offline_train.evaluation.measures.pianist import (
    PianistScore,
    human_spreads,
    pianist_distance,
    score_pianist,
)
from offline_train.evaluation.measures.playability import find_unplayable

Notes = NDArray[np.float32]
Array = NDArray[np.float32]

ANALYSIS_DELAY_S = 0.14
"""From a sound to the posteriors of ``live``: half a window, lookahead, a step, a block."""
WRITTEN_BEFORE_S = 0.02
"""From writing a step to its sound."""
ENTRY_STEPS = 32  # at the beginning, without notes
AFTER_CHANGE = 4
RIGHT = 0.66  # share of a plan's tones
HALF_BEAT = 2


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


@dataclass(frozen=True, slots=True)
class Played:
    """What was played to an excerpt."""

    notes: Notes  # (n, 5): onset, offset, pitch, velocity, is the right hand's
    steps: NDArray[np.int64]  # (n,) of the song
    plans: NDArray[np.int64] | None = None  # (S,) classes of the excerpt's steps, of who plans


@dataclass(slots=True)
class AccompanimentScore:
    """Songs added up, and each song's own figures."""

    n_notes: int = 0
    n_human: int = 0
    n_evaluated: int = 0  # where a chord is annotated
    n_tones: int = 0
    n_evaluated_after: int = 0  # on the first beat after a change
    n_tones_after: int = 0
    n_half_beats: int = 0
    n_unplayable: int = 0
    n_repeated: int = 0
    recoveries: list[float] = field(default_factory=list)  # beats from a wrong guess to a right one
    songs: list[PianistScore] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, float]:
        """By name, what the table shows."""
        n = max(self.n_notes, 1)
        return {
            "chord tones": self.n_tones / max(self.n_evaluated, 1),
            "on the first beat after a change": self.n_tones_after / max(self.n_evaluated_after, 1),
            "beats from a wrong guess to the right chord": _middle(self.recoveries),
            "notes for each of the human's": self.n_notes / max(self.n_human, 1),
            "pulse": _median(self.songs, "pulse"),
            "on half-beats": self.n_half_beats / n,
            "unplayable": self.n_unplayable / n,
            "struck again where the human holds": self.n_repeated / n,
            "left-hand attacks wider than a tenth": _median(self.songs, "left_wide"),
            "crowded attacks": _median(self.songs, "crowded"),
            "grid coherence": _median(self.songs, "grid_coherence"),
            "attacks of one note": _median(self.songs, "single"),
            "spread of velocities": _median(self.songs, "velocity_spread"),
        }


def _median(scores: Sequence[PianistScore], name: str) -> float:
    return _middle([getattr(score, name) for score in scores])


def _middle(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan


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


def time_of(song: GridSong, step: int) -> float:
    """Return the seconds of a step; those past the end go on at the middle step's length."""
    beyond = max(int(step) - song.n_steps + 1, 0)
    return float(song.times[min(int(step), song.n_steps - 1)]) + beyond * song.step_s


def add_song(
    score: AccompanimentScore,
    song: GridSong,
    real: ExcerptPosteriors,
    played: Played,
    human: Played,
) -> None:
    """Add one song's counts and figures to a score."""
    notes, steps = played.notes, played.steps
    stop = min(real.first + len(real.values), song.n_steps)
    tones = song.tones[steps].astype(np.int64)
    is_tone = (tones >> (notes[:, 2].astype(np.int64) % 12)) & 1
    is_after = after_change(song)[steps]
    score.n_notes += len(notes)
    score.n_human += len(human.notes)
    score.n_evaluated += int((tones > 0).sum())
    score.n_tones += int(is_tone.sum())
    score.n_evaluated_after += int((is_after & (tones > 0)).sum())
    score.n_tones_after += int(is_tone[is_after].sum())
    score.n_half_beats += int((steps % HALF_BEAT == 0).sum())
    score.n_unplayable += int(find_unplayable(notes, notes[:, 4] > 0.5).any.sum())
    score.n_repeated += count_repeated(human.notes, notes)
    if played.plans is not None:
        score.recoveries += recoveries(song.tones[real.first : stop], played.plans)
    seconds = time_of(song, stop) - time_of(song, real.first + ENTRY_STEPS)
    score.songs.append(score_pianist(notes, seconds))


def recoveries(tones: NDArray[np.uint16], plans: NDArray[np.int64]) -> list[float]:
    """Return the beats from each change of chord (S,) that a plan (S,) misses to the right plan.

    A plan is right if at least two thirds of its tones belong to the chord; one that is not found
    before the next change counts as long as the chord. The entry is left out.
    """
    bits = (tones[:, None] >> np.arange(12, dtype=np.uint16)) & 1
    own = CLASS_TONES[plans]
    is_right = (own * bits).sum(1) >= RIGHT * np.maximum(own.sum(1), 1)
    changes = np.flatnonzero(tones[1:] != tones[:-1]) + 1
    found = []
    for begin, end in zip(changes, np.append(changes[1:], len(tones)), strict=True):
        if begin < ENTRY_STEPS or not tones[begin] or is_right[begin]:
            continue
        late = np.flatnonzero(is_right[begin:end])
        found.append(float(late[0] if len(late) else end - begin) / STEPS_PER_BEAT)
    return found


def after_change(song: GridSong) -> NDArray[np.bool_]:
    """Return which steps (S,) lie on the first beat after the annotated chord has changed."""
    chords = song.tones
    is_after = np.zeros(song.n_steps, bool)
    for k in np.flatnonzero(chords[1:] != chords[:-1]) + 1:
        is_after[k : k + AFTER_CHANGE] = True
    return is_after


def measure(
    songs: Sequence[GridSong],
    real: dict[str, list[ExcerptPosteriors]],
    player: Player | None,
    ahead_s: float,
    seed: int = 0,
) -> AccompanimentScore:
    """Return the score of a player, or of the human where there is none, over all excerpts."""
    score = AccompanimentScore()
    for song in songs:
        for excerpt in real.get(song.song_id, []):
            human = human_playing(song, excerpt)
            played = human
            if player is not None:
                played = player(song, excerpt, lag_of(song.step_s, ahead_s), seed)
            add_song(score, song, excerpt, played, human)
    return score


def _shown(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def table(scores: dict[str, AccompanimentScore], human: AccompanimentScore) -> str:
    """Return a table in Markdown: a row a figure, a column a player; the last row is deviations."""
    names = list(human.figures)
    columns = {"human": human, **scores}
    lines = ["| | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for name in names:
        cells = [_shown(score.figures[name]) for score in columns.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    humans = human_spreads(human.songs)
    apart = [f"{pianist_distance(score.songs, humans):.2f}" for score in scores.values()]
    lines.append("| human deviations away, mean | 0 | " + " | ".join(apart) + " |")
    return "\n".join(lines)
