"""The arranger as a player of excerpts: on the true beats, without its melody."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.whole_song.grid_notes import GridNote
from offline_train.corpora import read_song
from offline_train.data.accompaniment.crops import ExcerptPosteriors
from offline_train.data.accompaniment.songs import GridSong, grid_song
from offline_train.evaluation.accompanying import arranged_songs
from offline_train.evaluation.accompanying.arranged_songs import Arranging, true_grid
from offline_train.evaluation.hearing.step_posteriors import Sound
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE
from offline_train.evaluation.songs.rungs import EvaluateConfig
from tests.offline_train.fixtures import write_song

FIRST = 4
"""Step of the song with which the excerpt begins: the second beat of a bar."""


@pytest.fixture
def song(tmp_path: Path) -> GridSong:
    return grid_song(read_song(write_song(tmp_path / "001")), np.random.default_rng(0))


@pytest.fixture
def sound(song: GridSong) -> Sound:
    """The song from its second beat on, 0.2 s before that."""
    beats = song.times[FIRST::4] - song.times[FIRST] + 0.2
    samples = np.zeros(round((beats[-1] + 0.5) * SAMPLE_RATE), np.float32)
    return Sound("001", "001", samples, beats, float(song.times[FIRST]) - 0.2)


def test_the_grid_is_of_the_annotated_beats_and_bars(song: GridSong, sound: Sound) -> None:
    grid = true_grid(song, FIRST, sound)
    assert grid.beats_per_bar == 4
    (at,) = grid.step(sound.beats[:1])
    assert at % 16 == FIRST % 16  # a bar of the grid begins where one of the song does
    assert grid.time(at + np.arange(0, 40, 4)) == pytest.approx(sound.beats[:10])


def test_bars_of_three_are_so_on_the_grid(song: GridSong, sound: Sound) -> None:
    waltz = SimpleNamespace(place=(np.arange(song.n_steps) % 12).astype(np.uint8))
    grid = true_grid(waltz, 0, sound)  # type: ignore[arg-type]
    assert grid.beats_per_bar == 3 and grid.steps_per_bar == 12


def test_it_plays_on_the_songs_sixteenths_from_the_entry_on(
    song: GridSong, sound: Sound, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at = int(true_grid(song, FIRST, sound).step(sound.beats[:1])[0])
    notes = [
        GridNote(at + 8, 4, 60, 80),  # before the entry
        GridNote(at + 33, 8, 48, 70),
        GridNote(at + 36, 4, 48, 75),  # struck again
        GridNote(at + 36, 4, 84, 90, True),  # the melody's
        GridNote(at + 4000, 4, 60, 80),  # after the end
    ]
    arranger: Any = SimpleNamespace(arrange=lambda analysis: SimpleNamespace(notes=notes))
    for name, value in (
        ("SongAnalyzer", lambda: SimpleNamespace(run=lambda blocks: None)),
        ("on_grid", lambda outputs, grid: None),
        ("sound_of", lambda config, name: sound),
    ):
        monkeypatch.setattr(arranged_songs, name, value)
    player = Arranging(arranger, EvaluateConfig(tmp_path, tmp_path))
    real = ExcerptPosteriors(FIRST, np.zeros((song.n_steps - FIRST, 88, 2), np.uint8))
    played = player(song, real, 2, 0)
    assert played.steps.tolist() == [FIRST + 33, FIRST + 36]
    assert played.notes[:, 2:4].tolist() == [[48, 70], [48, 75]]
    assert played.notes[0, 1] == pytest.approx(song.times[FIRST + 36])
    assert played.plans is None
