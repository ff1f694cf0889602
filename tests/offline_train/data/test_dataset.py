"""Labels against hand-written ones, transposition by bins, and crops of shards on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.features import LOG_STFT_16K as SPEC
from offline_train.data.dataset import (
    CoverCrops,
    mean_style_of,
    peaks,
    rasterize,
    shift_bins,
    teacher_labels,
)
from offline_train.data.shards import read_shards
from tests.offline_train.shard_fixtures import recording, song, write_folder

Array = NDArray[np.float32]
SILENCE = np.float32(np.log(SPEC.log_floor))


def note(
    onset: float, offset: float, pitch: int = 60, velocity: int = 127, melody: int = 0
) -> Array:
    return np.array([(onset, offset, pitch, velocity, melody)], np.float32)


def drawn(crops: CoverCrops, seed: int, n: int) -> list[dict[str, torch.Tensor]]:
    rng = np.random.default_rng(seed)
    return [crops.draw(rng) for _ in range(n)]


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


@pytest.mark.parametrize("semitones", [-6, -1, 0, 1, 5])
def test_a_semitone_is_three_bins(semitones: int) -> None:
    features = torch.randn(1, 4, SPEC.n_bins)
    moved = shift_bins(features, torch.tensor([semitones]), SPEC)
    bins = 3 * semitones
    inside = slice(max(bins, 0), SPEC.n_bins + min(bins, 0))
    source = slice(max(-bins, 0), SPEC.n_bins + min(-bins, 0))
    torch.testing.assert_close(moved[..., inside], features[..., source])
    uncovered = np.delete(moved[0].numpy(), range(inside.start, inside.stop), axis=1)
    assert uncovered.shape == (4, abs(bins)) and (uncovered == SILENCE).all()


def test_a_teachers_onset_becomes_a_triangle_at_its_first_greatest() -> None:
    onset = np.zeros((16, 88), np.float32)
    onset[5:12, 3] = (0.3, 0.8, 0.8, 0.8, 0.6, 0.4, 0.3)
    onset[8, 4] = 0.1  # too little to tell
    found = peaks(onset)
    np.testing.assert_allclose(np.flatnonzero(found[:, 3]), [5, 6, 7])
    np.testing.assert_allclose(found[5:8, 3], [0.4, 0.8, 0.4])
    assert not found[:, 4].any()


@pytest.mark.parametrize("semitones", [-3, 0, 4])
def test_teacher_labels_begin_where_they_are_asked_for(semitones: int) -> None:
    teacher = np.zeros((40, 88, 2), np.uint8)
    teacher[20, 30], teacher[20:30, 30, 1] = 255, 255
    labels = teacher_labels(teacher, 15, 10, semitones)
    assert labels["onset"].shape == labels["velocity"].shape == (10, 88)
    assert labels["onset"].argmax() == 5 * 88 + 30 + semitones
    assert labels["frame"].sum() == 5
    assert not teacher_labels(teacher, -30, 10, 0)["frame"].any()


def test_crops_are_whole_examples_and_come_from_their_seed(tmp_path: Path) -> None:
    shares = {
        write_folder(tmp_path / "songs", [song("a", 4.0), song("b", 0.8)]): 2.0,
        write_folder(tmp_path / "real", [recording("c", 3.0)]): 1.0,
    }
    crops, again = (drawn(CoverCrops(shares, SPEC, 24, 4), 7, 12) for _ in range(2))
    n_samples = SPEC.win_length + 23 * SPEC.hop_length
    kinds = set()
    for crop, same in zip(crops, again, strict=True):
        assert crop["samples"].shape == crop["clean"].shape == (n_samples,)
        assert crop["style"].shape == (24,)
        names = (
            "onset",
            "frame",
            "velocity",
            "melody",
            "transcription_onset",
            "transcription_frame",
        )
        assert all(crop[n].shape == (24, 88) for n in names)
        assert all(bool((crop[n] == same[n]).all()) for n in crop)
        assert all(bool(array.isfinite().all()) for array in crop.values())
        kinds.add((float(crop["has_cover"]), float(crop["has_velocity"])))
    assert kinds == {(1.0, 1.0), (0.0, 0.0)}


def test_a_cover_says_whether_its_tune_is_known(tmp_path: Path) -> None:
    unmarked, marked = song("a", 4.0), song("b", 4.0)
    marked.arrays["notes"][:3, 4] = 1
    for piece, known in ((unmarked, 0.0), (marked, 1.0), (recording("c", 4.0), 0.0)):
        folder = write_folder(tmp_path / piece.name, [piece])
        (crop,) = drawn(CoverCrops({folder: 1.0}, SPEC, 24, 4), 1, 1)
        assert float(crop["has_melody"]) == known


def test_labels_lie_where_the_features_rise(tmp_path: Path) -> None:
    """Whatever the bend, the shift and the place: the label's bin is where sound begins."""
    from models.features import Features

    folder = write_folder(tmp_path / "songs", [song("a", 6.0)])
    layer, n_right, n_all = Features(SPEC), 0, 0
    for crop in drawn(CoverCrops({folder: 1.0}, SPEC, 64, 4), 1, 12):
        features = shift_bins(layer(crop["clean"][None]), crop["shift"][None], SPEC)[0]
        for t, pitch in np.argwhere(crop["onset"].numpy() > 0.7):
            frame = int(t) - 4
            if 8 <= frame < 56:
                rise = features[frame + 4] - features[frame - 6]
                n_right += int(rise[3 * pitch : 3 * pitch + 3].max() > 0.5 * rise.max())
                n_all += 1
    assert n_all > 10
    assert n_right >= 0.5 * n_all  # clean sound is not bent, so half of the crops cannot fit


def test_what_is_left_out_of_the_mix_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "songs", [song("a", 3.0)])
    (piece,) = read_shards(folder)
    style = mean_style_of([piece])
    crops = CoverCrops({folder: 1.0}, SPEC, 64, 4)
    loud, silent = np.array([1.0, 1.0], np.float32), np.array([1.0, 0.0], np.float32)
    monkeypatch.setattr("offline_train.data.sampler.draw_gains", lambda roles, rng: loud)
    both = crops.crop(piece, style, np.random.default_rng(0))
    monkeypatch.setattr("offline_train.data.sampler.draw_gains", lambda roles, rng: silent)
    one = crops.crop(piece, style, np.random.default_rng(0))
    assert 0 < one["transcription_frame"].sum() < both["transcription_frame"].sum()
    assert one["frame"].sum() == both["frame"].sum()  # the cover is the same


def test_what_sounds_may_be_let_go_before_it_ends(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "songs", [song("a", 3.0)])
    (piece,) = read_shards(folder)
    style = mean_style_of([piece])
    to_the_end, let_go = (
        CoverCrops({folder: 1.0}, SPEC, 64, 4, n).crop(piece, style, np.random.default_rng(0))
        for n in (0, 2)
    )
    assert bool((to_the_end["frame"] == let_go["frame"]).all())  # the cover's keys stay
    assert bool((to_the_end["transcription_onset"] == let_go["transcription_onset"]).all())
    assert bool((let_go["transcription_frame"] <= to_the_end["transcription_frame"]).all())
    ends = to_the_end["transcription_frame"] - let_go["transcription_frame"]
    assert 0 < ends.sum() < to_the_end["transcription_frame"].sum()
