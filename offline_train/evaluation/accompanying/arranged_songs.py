"""The bar-wise arranger on the songs of the accompanist: offline, for comparison only.

It hears each excerpt as a whole and writes it two bars at a time, on the true beats and bars, as
the accompanist plays on the true sixteenths; so it is never late, and no accompanist can be so
well informed. Its melody is left out, as it is of the human's piano. Not here: what each figure is
(``accompaniment``), the arranger on beats that it tracks (``systems``).
"""

import numpy as np

from engine.core.notes import NoteEvent
from engine.whole_song.arranger import Arranged, Arranger
from engine.whole_song.grid import BEATS_PER_BAR, STEPS_PER_BEAT, Grid, grid_of
from engine.whole_song.song_analysis import WALTZ, on_grid
from engine.whole_song.song_analyzer import SongAnalyzer
from offline_train.data.accompaniment.crops import ExcerptPosteriors
from offline_train.data.accompaniment.songs import GridSong
from offline_train.evaluation.accompanying.accompaniment_players import (
    ENTRY_STEPS,
    Played,
    in_two_hands,
    time_of,
)
from offline_train.evaluation.hearing.step_posteriors import Sound, sound_of
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE
from offline_train.evaluation.songs.rungs import EvaluateConfig


class Arranging:
    """The arranger as a player of excerpts.

    Parameters
    ----------
    arranger
        Opened.
    config
        The rung whose songs are played.
    """

    def __init__(self, arranger: Arranger, config: EvaluateConfig) -> None:
        self._arranger, self._config = arranger, config
        self._analyzer = SongAnalyzer()

    def __call__(self, song: GridSong, real: ExcerptPosteriors, lag: int, seed: int) -> Played:
        """Return what it writes; lag and seed are nothing to it."""
        del lag, seed
        sound = sound_of(self._config, song.song_id)
        grid = true_grid(song, real.first, sound)
        outputs = self._analyzer.run([sound.samples])
        arranged = self._arranger.arrange(on_grid(outputs, grid))
        before = int(grid.step(sound.beats[:1])[0])  # steps of the grid before the excerpt's first
        stop = min(real.first + len(real.values), song.n_steps)
        return in_two_hands(_events(arranged, song, real.first, stop, before), song)


def true_grid(song: GridSong, first: int, sound: Sound) -> Grid:
    """Return the annotated beats of an excerpt that begins on step ``first``, in bars."""
    downbeats = np.flatnonzero(song.place == 0)
    lengths = np.bincount(np.diff(downbeats)) if len(downbeats) > 1 else np.zeros(1)
    metre = WALTZ if int(lengths.argmax()) == WALTZ * STEPS_PER_BEAT else BEATS_PER_BAR
    begins = song.place[first::STEPS_PER_BEAT] == 0
    return grid_of(
        sound.beats, int(begins.argmax()) % metre, len(sound.samples) / SAMPLE_RATE, metre
    )


def _events(
    arranged: Arranged, song: GridSong, first: int, stop: int, before: int
) -> list[NoteEvent]:
    """Return the accompaniment's events from the entry on, in time order."""
    events, ends = [], dict[int, int]()
    for note in sorted(arranged.notes, key=lambda note: -note.step):
        step = first + note.step - before
        if note.is_melody or not first + ENTRY_STEPS <= step < stop:
            continue
        end = min(step + note.length, ends.get(note.pitch, stop))  # until it is struck again
        ends[note.pitch] = step
        events.append(NoteEvent(time_of(song, step), note.pitch, note.velocity))
        events.append(NoteEvent(time_of(song, end), note.pitch, 0))
    return sorted(events, key=lambda event: (event.time, event.is_on))
