"""Labels against hand-written ones, transposition by bins, and crops of takes on disk."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import DataError
from models.features import LOG_STFT_16K as SPEC
from offline_train.dataset import Crops, colour, rasterize, read_takes, transpose

Array = NDArray[np.float32]
SILENCE = np.float32(np.log(SPEC.log_floor))


def note(
    onset: float, offset: float, pitch: int = 60, velocity: int = 127, melody: int = 0
) -> Array:
    return np.array([(onset, offset, pitch, velocity, melody)], np.float32)


def column(labels: dict[str, Array], name: str, pitch: int = 60) -> list[float]:
    return [round(float(v), 3) for v in labels[name][:, pitch - 21]]


def test_a_note_on_a_frame() -> None:
    labels = rasterize(note(4, 7, velocity=127), 0, 10, 1.0)
    assert column(labels, "onset") == [0, 0, 0, 0.5, 1, 0.5, 0, 0, 0, 0]
    assert column(labels, "frame") == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert column(labels, "velocity") == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    assert all(array.shape == (10, 88) and array.dtype == np.float32 for array in labels.values())
    assert labels["frame"].sum() == 3 and labels["onset"].sum() == 2  # and nothing elsewhere


def test_the_peak_carries_the_place_between_frames() -> None:
    labels = rasterize(note(4.25, 7), 0, 10, 1.0)
    assert column(labels, "onset") == [0, 0, 0, 0.375, 0.875, 0.625, 0.125, 0, 0, 0]


def test_seconds_become_frames() -> None:
    labels = rasterize(note(1.0, 1.5), 98, 10, 0.01)
    assert column(labels, "onset") == [0, 0.5, 1, 0.5, 0, 0, 0, 0, 0, 0]
    assert column(labels, "frame") == [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]


def test_a_note_that_began_before_the_crop_sounds_without_an_onset() -> None:
    labels = rasterize(note(-5, 3), 0, 5, 1.0)
    assert column(labels, "onset") == [0] * 5
    assert column(labels, "frame") == [1, 1, 1, 0, 0]


def test_the_slopes_of_onsets_just_outside_reach_in() -> None:
    assert column(rasterize(note(-1, 3), 0, 5, 1.0), "onset") == [0.5, 0, 0, 0, 0]
    assert column(rasterize(note(5, 9), 0, 5, 1.0), "onset") == [0, 0, 0, 0, 0.5]
    assert column(rasterize(note(5, 9), 0, 5, 1.0), "frame") == [0] * 5


def test_the_shortest_note_sounds_for_a_frame() -> None:
    assert column(rasterize(note(2, 2.1), 0, 5, 1.0), "frame") == [0, 0, 1, 0, 0]


def test_melody_wins_where_parts_share_a_pitch() -> None:
    both = np.concatenate([note(1, 4, velocity=64, melody=1), note(1, 6, velocity=127)])
    labels = rasterize(both, 0, 6, 1.0)
    assert column(labels, "melody") == [1, 1, 1, 1, 0, 0]
    assert column(labels, "velocity")[1] == pytest.approx(64 / 127, abs=1e-3)


def test_pitches_beyond_the_piano_are_left_out() -> None:
    outside = np.concatenate([note(1, 3, 20), note(1, 3, 109), note(1, 3, 21), note(1, 3, 108)])
    labels = rasterize(outside, 0, 4, 1.0)
    assert np.flatnonzero(labels["frame"].any(0)).tolist() == [0, 87]


@pytest.mark.parametrize("semitones", [-6, -1, 1, 5])
def test_a_semitone_is_three_bins(semitones: int) -> None:
    features = np.random.default_rng(0).normal(size=(4, SPEC.n_bins)).astype(np.float32)
    moved, notes = transpose(features, note(0, 1), semitones, SPEC)
    bins = 3 * semitones
    inside = slice(max(bins, 0), SPEC.n_bins + min(bins, 0))
    source = slice(max(-bins, 0), SPEC.n_bins + min(-bins, 0))
    np.testing.assert_array_equal(moved[:, inside], features[:, source])
    uncovered = np.delete(moved, range(inside.start, inside.stop), axis=1)
    assert uncovered.shape == (4, abs(bins)) and (uncovered == SILENCE).all()
    assert notes[0, 2] == 60 + semitones


def test_no_transposition_changes_nothing() -> None:
    features, notes = np.ones((2, SPEC.n_bins), np.float32), note(0, 1)
    moved, same = transpose(features, notes, 0, SPEC)
    np.testing.assert_array_equal(moved, features)
    np.testing.assert_array_equal(same, notes)


@pytest.mark.parametrize("seed", range(5))
def test_colouring_keeps_features_possible(seed: int) -> None:
    features = np.full((20, SPEC.n_bins), SILENCE)
    features[5:10, 100] = 2
    coloured = colour(features, SPEC, np.random.default_rng(seed))
    assert coloured.dtype == np.float32 and coloured.shape == features.shape
    assert (coloured >= SILENCE - 1e-4).all()
    assert int(coloured[7].argmax()) == 100  # the tone still stands out


def write_take(folder: Path, name: str, n_frames: int, notes: Array) -> None:
    ramp = np.repeat(np.arange(n_frames)[:, None], SPEC.n_bins, 1)
    np.save(folder / f"{name}.features.npy", ramp.astype(np.float16))
    np.save(folder / f"{name}.notes.npy", notes)


def test_takes_that_are_whole_and_have_notes_are_read(tmp_path: Path) -> None:
    write_take(tmp_path, "b-0", 50, note(0.1, 0.3))
    write_take(tmp_path, "a-0", 50, note(0.2, 0.3))
    write_take(tmp_path, "empty-0", 50, np.zeros(0, np.float32))
    write_take(tmp_path, ".half-0", 50, note(0.1, 0.3))
    takes = read_takes(tmp_path)
    assert [t.features.name for t in takes] == ["a-0.features.npy", "b-0.features.npy"]
    assert takes[0].style.sum() == pytest.approx(3)


def test_a_folder_without_takes_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected prepared takes; run `livecover-train prepare`"):
        read_takes(tmp_path)


def test_crops_are_whole_examples_and_come_from_their_seed(tmp_path: Path) -> None:
    write_take(tmp_path, "long-0", 80, note(0.3, 0.9))
    write_take(tmp_path, "short-0", 10, note(0.05, 0.1))
    crops, again = (Crops(tmp_path, SPEC, 24, 4, seed=7) for _ in range(2))
    for crop, same in itertools.islice(zip(crops, again, strict=False), 12):
        assert set(crop) == {"features", "style", "onset", "frame", "velocity", "melody"}
        assert crop["features"].shape == (24, SPEC.n_bins) and crop["style"].shape == (24,)
        assert all(crop[n].shape == (24, 88) for n in ("onset", "frame", "velocity", "melody"))
        assert all(bool((crop[n] == same[n]).all()) for n in crop)
        assert all(bool(array.isfinite().all()) for array in crop.values())


def test_labels_come_after_the_lookahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As many frames as the crop, so that it begins at frame 0 of the take.
    monkeypatch.setattr("offline_train.dataset.transpose", lambda f, n, k, s: (f, n))
    write_take(tmp_path, "a-0", 24, note(10 * SPEC.frame_s, 14 * SPEC.frame_s))
    crop = next(iter(Crops(tmp_path, SPEC, 24, 4, seed=0)))
    assert int(crop["onset"][:, 60 - 21].argmax()) == 14
