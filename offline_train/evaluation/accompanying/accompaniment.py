"""What an accompaniment is worth: chord tones, plans, hands, and how like a pianist it is.

Each song is played from its beginning, strictly causal, on the live model's posteriors, and beside
it stands the human. Not here: who plays (``accompaniment_players``), the posteriors
(``step_posteriors``), what each measure is (``measures``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.accompany.chords import CLASS_TONES
from engine.whole_song.grid import STEPS_PER_BEAT
from offline_train.data.accompaniment.crops import ExcerptPosteriors
from offline_train.data.accompaniment.songs import GridSong
from offline_train.evaluation.accompanying.accompaniment_players import (
    ENTRY_STEPS,
    Played,
    Player,
    human_playing,
    lag_of,
    time_of,
)
from offline_train.evaluation.measures.faults import count_repeated
from offline_train.evaluation.measures.pianist import (
    PianistScore,
    human_spreads,
    pianist_distance,
    score_pianist,
)
from offline_train.evaluation.measures.playability import find_unplayable

AFTER_CHANGE = 4
RIGHT = 0.66  # share of a plan's tones
HALF_BEAT = 2


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
