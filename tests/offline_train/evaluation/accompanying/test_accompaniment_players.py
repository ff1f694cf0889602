"""Players of excerpts: how late they hear, and what the trivial one plays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.accompany.chords import N_CLASSES
from engine.accompany.sampling import SamplingSettings
from offline_train.corpora import read_song
from offline_train.data.accompaniment.crops import ExcerptPosteriors
from offline_train.data.accompaniment.songs import GridSong, grid_song
from offline_train.evaluation.accompanying.accompaniment_players import ENTRY_STEPS, Trivial, lag_of
from tests.offline_train.fixtures import write_song


@pytest.fixture
def song(tmp_path: Path) -> GridSong:
    return grid_song(read_song(write_song(tmp_path / "001")), np.random.default_rng(0))


@pytest.fixture
def real() -> ExcerptPosteriors:
    return ExcerptPosteriors(0, np.zeros((64, 88, 2), np.uint8))


@pytest.mark.parametrize(
    ("step_s", "ahead_s", "lag"),
    [(0.2, 0.0, 1), (0.25, 0.0, 1), (0.125, 0.0, 2), (0.2, 0.5, 4), (0.125, 1.0, 10)],
)
def test_hearing_is_late_by_whole_steps(step_s: float, ahead_s: float, lag: int) -> None:
    assert lag_of(step_s, ahead_s) == lag


class OneChord:
    """Hears C major for ever."""

    def reset(self) -> None:
        pass

    def plan(self, *_: Any) -> Any:
        p = np.zeros(N_CLASSES, np.float32)
        p[0] = 1
        bass = np.zeros((N_CLASSES, 12), np.float32)
        bass[:, 0] = 1
        return p, bass


def test_the_trivial_accompanist_plays_the_bass_on_one(
    song: GridSong, real: ExcerptPosteriors
) -> None:
    model: Any = OneChord()
    played = Trivial(model, SamplingSettings())(song, real, 2, 0)
    on_one = played.notes[played.steps == 32]
    assert on_one[:, 2].tolist() == [36, 60, 64, 67]
    assert played.notes[played.steps == 36][:, 2].tolist() == [60, 64, 67]
    assert set(played.steps % 4) == {0}
    assert played.steps.min() == ENTRY_STEPS == 32
