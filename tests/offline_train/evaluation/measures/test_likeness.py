"""Qmax against essentia's own and by its meaning; melody chroma counted by hand."""

import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.evaluation.measures import likeness
from offline_train.evaluation.measures.likeness import (
    cross_recurrence,
    hpcp,
    longest_diagonal,
    melody_chroma,
    qmax,
)
from tests.messages import refused


def profile(seed: int, n_frames: int = 300) -> np.ndarray:
    """A walk over pitch classes of a scale that has one key only."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.choice([0, 0, 0, 2, 4, 5, 7, 7, 9, 11], n_frames // 6 + 1), 6)[
        :n_frames
    ]
    rows = 0.2 * rng.random((n_frames, 12))
    rows[np.arange(n_frames), centres] = 1
    return rows.astype(np.float32)


def notes_of(*rows: tuple[float, float, int]) -> np.ndarray:
    return np.array([(*row, 80, 0) for row in rows], np.float32).reshape(-1, 5)


def test_a_song_is_most_like_itself_in_any_key() -> None:
    song = profile(1)
    same = qmax(song, song)
    assert same == pytest.approx(np.sqrt(291) / 289)  # the first two rows cannot be on a path
    assert qmax(song, np.roll(song, 3, axis=1)) == pytest.approx(same)
    other = qmax(song, profile(2))
    assert same is not None and other is not None
    assert other > 3 * same


def test_a_diagonal_is_followed_across_a_disruption() -> None:
    plot = np.eye(20, dtype=bool)
    assert longest_diagonal(plot) == 18
    plot[10, 10] = False
    assert longest_diagonal(plot) == 17 - 0.5
    plot = np.eye(20, dtype=bool)[::2]  # played at half the pace
    assert longest_diagonal(plot) == 8


def test_recurrence_takes_the_nearest_of_both_sides() -> None:
    plot = cross_recurrence(profile(1), profile(2))
    assert plot.shape == (291, 291)
    assert plot.mean(0).max() <= 0.1 and plot.mean(1).max() <= 0.1


@pytest.mark.parametrize("cover", [np.zeros((100, 12)), profile(1, 9), np.zeros((0, 12))])
def test_silence_and_too_little_have_no_qmax(cover: np.ndarray) -> None:
    assert qmax(profile(1), cover.astype(np.float32)) is None


def test_it_agrees_with_essentia() -> None:
    es = pytest.importorskip("essentia.standard")
    song, cover = profile(1), profile(3, 250)
    cover[50:120] = song[80:150]
    recurrence = es.ChromaCrossSimilarity(
        frameStackSize=9, frameStackStride=1, binarizePercentile=0.095, oti=True
    )(song, cover)
    _, distance = es.CoverSongSimilarity(
        disOnset=0.5, disExtension=0.5, alignmentType="serra09", distanceType="asymmetric"
    )(recurrence)
    assert qmax(song, cover) == pytest.approx(distance, rel=1e-5)


def test_profiles_name_the_pitch_class() -> None:
    pytest.importorskip("essentia.standard")
    time = np.arange(44100, dtype=np.float32) / 44100
    rows = hpcp(np.sin(2 * np.pi * 440 * time).astype(np.float32), 44100)
    assert rows.shape[1] == 12
    assert rows.mean(0).argmax() == 0  # essentia counts from A


def test_without_essentia_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "has_essentia", lambda: False)
    with refused(DataError, "Qmax", "essentia", "type: "):
        hpcp(np.zeros(100, np.float32), 16000)


def test_melody_chroma_listens_to_the_top_voice_and_to_any() -> None:
    melody = notes_of((0.0, 1.0, 72), (1.0, 2.0, 74))
    copy = notes_of((0.0, 1.0, 60), (1.0, 2.0, 62))
    assert melody_chroma(melody, copy) == pytest.approx((1, 1))
    covered = notes_of((0.0, 1.0, 60), (1.0, 2.0, 62), (1.0, 2.0, 65))
    assert melody_chroma(melody, covered) == pytest.approx((0.5, 1), abs=0.02)
    half = notes_of((0.0, 0.5, 72))
    assert melody_chroma(melody, half) == pytest.approx((0.25, 0.25), abs=0.02)
    assert melody_chroma(notes_of(), copy) is None
    assert melody_chroma(melody, notes_of()) == pytest.approx((0, 0))
