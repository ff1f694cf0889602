"""Beats of made-up pulses, and librosa's answers to the same."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.whole_song.beats import FASTEST_BPM, estimate_tempo, smooth, track_beats

FRAME_S = 0.016


def pulse(seed: int) -> NDArray[np.float32]:
    """Some minutes of a pulse in noise, none at the ends."""
    rng = np.random.default_rng(seed)
    n, period = int(rng.integers(900, 5000)), rng.uniform(25, 55)
    strength = (0.3 * rng.random(n) ** 8).astype(np.float32)
    at = np.arange(rng.uniform(0, 300), n - rng.uniform(0, 200), period)
    strength[np.clip(np.round(at + rng.normal(0, 0.7, len(at))), 0, n - 1).astype(int)] += 1
    return strength


def test_beats_of_a_pulse_are_found() -> None:
    strength = np.zeros(2000, np.float32)  # 32 s
    strength[np.round(np.arange(0.3, 31.8, 0.6) / FRAME_S).astype(int)] = 1
    beats = track_beats(strength, FRAME_S)
    assert np.median(np.diff(beats)) == pytest.approx(0.6, abs=0.02)
    near = np.abs(beats[2:-2, None] - np.arange(0.3, 31.8, 0.6)[None]).min(1)
    assert near.max() < 0.05


@pytest.mark.parametrize("n", [0, 1, 2, 500])
def test_nothing_has_no_beats(n: int) -> None:
    assert not len(track_beats(np.zeros(n, np.float32), FRAME_S))
    assert len(track_beats(np.ones(n, np.float32), FRAME_S)) <= n


@pytest.mark.parametrize("seed", range(4))
def test_librosa_finds_the_same(seed: int) -> None:
    librosa = pytest.importorskip("librosa")
    strength = pulse(seed)
    frames = {"onset_envelope": strength, "sr": 16000, "hop_length": 256}
    bpm = float(librosa.feature.tempo(**frames, start_bpm=120, ac_size=16.0)[0])
    assert estimate_tempo(strength, FRAME_S) == pytest.approx(bpm)
    while bpm > FASTEST_BPM:
        bpm /= 2
    _, beats = librosa.beat.beat_track(**frames, bpm=bpm, units="time", trim=False)
    assert track_beats(strength, FRAME_S) == pytest.approx(smooth(beats))
