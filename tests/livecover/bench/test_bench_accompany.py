"""The arithmetic of the accompaniment's benchmark."""

from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import DataError
from livecover import examples
from livecover.bench import accompany
from tests.messages import refused


def test_the_examples_beats_are_two_for_each_chord() -> None:
    beats = accompany.beats_of(examples.path(), None)
    assert np.median(np.diff(beats)) == pytest.approx(60 / 106, abs=0.001)
    assert len(beats) > 80


def test_beats_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "beats.txt"
    path.write_text("0.5\n1.0\n1.5\n")
    assert accompany.beats_of(Path("song.wav"), path).tolist() == [0.5, 1.0, 1.5]
    with refused(DataError, "--beats"):
        accompany.beats_of(Path("song.wav"), None)


def test_distances_are_to_the_nearest_sixteenth_within_the_song() -> None:
    grid = accompany.sixteenths(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(np.diff(grid), 0.25)
    found = accompany._distances(np.array([0.2, 1.01, 1.24, 2.9, 9.0]), grid)
    np.testing.assert_allclose(found, [0.01, -0.01, -0.1])


def test_an_onset_is_found_in_what_still_sounds() -> None:
    rate = 44100
    sound = 0.1 * np.sin(2 * np.pi * 220 * np.arange(rate // 4) / rate)
    ring = np.exp(-np.arange(rate // 4) / 400) * np.sin(
        2 * np.pi * 3000 * np.arange(rate // 4) / rate
    )
    at = 2000
    sound[at:] += 0.3 * ring[:-at]
    found = accompany._onset(sound.astype(np.float32))
    assert found is not None
    assert abs(found - at) < 64
    assert accompany._onset(np.zeros(1000, np.float32)) is None
