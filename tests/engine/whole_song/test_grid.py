"""The grid of sixteenths: steps and seconds, bars from beats, the downbeat."""

import numpy as np
import pytest

from engine.core.errors import DataError
from engine.whole_song.grid import Grid, bar_phases, grid_of


def test_steps_and_seconds_are_inverse_where_tempo_changes() -> None:
    grid = Grid(np.array([0.0, 0.5, 1.0, 1.75, 2.5]))
    assert grid.n_bars == 1 and grid.n_units == 1 and grid.n_steps == 16
    assert grid.time(np.array([0, 2, 4, 10, 16])).tolist() == [0, 0.25, 0.5, 1.375, 2.5]
    times = np.array([0.1, 1.2, 2.4])
    assert grid.time(grid.position(times)) == pytest.approx(times)
    assert grid.step([0.12, 0.13, 2.5]).tolist() == [1, 1, 16]
    assert float(grid.time(18)) == pytest.approx(2.5 + 0.375)  # on at the last tempo
    assert float(grid.position([-0.25])[0]) == -2.0


def test_a_grid_reaches_from_the_first_bar_to_the_end() -> None:
    beats = 1.0 + 0.5 * np.arange(20)
    grid = grid_of(beats, first_downbeat=2, seconds=12.0)
    assert (len(grid.beats) - 1) % 4 == 0
    assert grid.beats[0] == pytest.approx(0.0)  # two beats before the first
    assert grid.beats[-1] >= 12.0
    assert np.diff(grid.beats) == pytest.approx(np.full(len(grid.beats) - 1, 0.5))


@pytest.mark.parametrize("first", range(4))
def test_the_known_downbeat_begins_a_bar(first: int) -> None:
    beats = 3.0 + 0.4 * np.arange(30)
    grid = grid_of(beats, first, 16.0)
    at = int(np.argmin(np.abs(grid.beats - beats[first])))
    assert at % 4 == 0
    assert grid.beats[0] <= 0.05 and grid.beats[0] > -1.6


def test_bars_of_three() -> None:
    grid = grid_of(1.0 + 0.5 * np.arange(20), first_downbeat=2, seconds=12.0, beats_per_bar=3)
    assert (len(grid.beats) - 1) % 3 == 0 and grid.steps_per_bar == 12
    assert grid.beats[0] == pytest.approx(-1.0)
    assert (grid.n_units * 2 - grid.n_bars) in (0, 1)


def test_beats_that_are_too_few_are_told() -> None:
    with pytest.raises(DataError, match="at least 8 rising beats, got 3"):
        grid_of(np.array([0.0, 0.5, 1.0]), 0, 2.0)


def test_the_downbeat_is_where_harmony_changes() -> None:
    chroma = np.zeros((32, 12), np.float32)
    for beat in range(32):
        chroma[beat, [((beat - 3) // 4 * 5) % 12, ((beat - 3) // 4 * 5 + 4) % 12]] = 1
    even = np.ones(32, np.float32)
    assert bar_phases(even, even, chroma).argmax() == 3


def test_the_downbeat_of_a_waltz() -> None:
    chroma = np.zeros((33, 12), np.float32)
    chroma[np.arange(33), (np.arange(33) - 2) // 3 % 12] = 1
    even = np.ones(33, np.float32)
    assert bar_phases(even, even, chroma, beats_per_bar=3).argmax() == 2
