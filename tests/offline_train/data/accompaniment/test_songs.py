"""POP909 on sixteenths: places, notes, chords, bands; and crops of it in any key, plan and lag."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.accompany.chords import NO_CHORD, class_of
from engine.core.errors import DataError
from models.accompanist import DONE
from offline_train.corpora import Note, read_song
from offline_train.data.accompaniment.batches import collate, step_tokens
from offline_train.data.accompaniment.crops import (
    Crops,
    ExcerptPosteriors,
    crop_notes,
    late,
    make_crop,
    moved,
)
from offline_train.data.accompaniment.plans import follow, mistaken, own_rows
from offline_train.data.accompaniment.posterior_noise import N_KINDS, PosteriorNoise, kinds_of
from offline_train.data.accompaniment.songs import (
    STRUCK,
    GridSong,
    band_cells,
    bar_places,
    grid_notes,
    grid_song,
    load_songs,
    prepare_songs,
    step_chords,
    step_times,
)
from offline_train.synthesis.bands.band import Player
from tests.messages import refused
from tests.offline_train.fixtures import write_data, write_song

BEATS = np.arange(0, 8, 0.5)


@pytest.fixture
def song(tmp_path: Path) -> GridSong:
    folder = write_song(tmp_path / "001")
    return grid_song(read_song(folder), np.random.default_rng(0))


@pytest.fixture
def noise(song: GridSong) -> PosteriorNoise:
    posteriors = np.where(song.bands[0, ..., None] > 0, 200, 3).astype(np.uint8)
    return PosteriorNoise.fit([(song.bands[0], np.repeat(posteriors, 2, -1))])


def test_places_count_from_each_downbeat_and_back_from_the_first() -> None:
    flags = np.zeros(9, bool)
    flags[[2, 6]] = True
    places = bar_places(flags)
    assert places[:8].tolist() == list(range(8, 16))
    assert places[8:28].tolist() == [*range(16), *range(4)]


def test_notes_lie_on_the_nearest_sixteenth_and_last_one_at_least() -> None:
    notes = [Note(0.01, 0.02, 60, 80), Note(1.1, 2.0, 62, 70), Note(1.13, 1.5, 62, 60)]
    table = grid_notes(notes, BEATS)
    assert table[:, :4].tolist() == [[0, 1, 60, 80], [9, 7, 62, 70]]  # the longest of two


def test_chords_begin_on_their_step(tmp_path: Path) -> None:
    song = read_song(write_song(tmp_path / "001"))
    chords, tones = step_chords(song, step_times(BEATS))
    assert chords[[0, 16, 32, 48]].tolist() == [[0, 0, 0], [9, 4, 9], [5, 0, 9], [7, 5, 7]]
    assert [bin(int(t)).count("1") for t in tones[[0, 16, 32, 48]]] == [3, 4, 3, 4]


def test_a_band_s_cells_say_who_sounds_and_who_strikes() -> None:
    bass = Player("bass", 0, [Note(0.0, 1.0, 36, 80)])
    lead = Player("melody", 0, [Note(0.5, 1.0, 60, 80)])
    cells = band_cells([lead, bass], BEATS)
    assert cells[:9, 36 - 21].tolist() == [2 + STRUCK, *[2] * 7, 0]
    assert cells[4, 60 - 21] == 1 + STRUCK


def test_songs_are_kept_and_come_back(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", 3)
    made = prepare_songs(data, "train", tmp_path / "songs")
    again = load_songs(tmp_path / "songs")
    assert [song.song_id for song in again] == ["001", "002", "003"]
    for one, other in zip(made, again, strict=True):
        np.testing.assert_array_equal(one.piano, other.piano)
        np.testing.assert_array_equal(one.bands, other.bands)
    assert made[0].bpm == pytest.approx(120)


def test_a_song_without_beats_is_named(tmp_path: Path) -> None:
    song = read_song(write_song(tmp_path / "007"))
    with refused(DataError, "007", "eight", "3"):
        grid_song(replace(song, beats=song.beats[:3]), np.random.default_rng(0))


def test_each_cell_has_a_kind_and_the_noise_draws_from_its_table(
    song: GridSong, noise: PosteriorNoise
) -> None:
    kinds = kinds_of(song.bands[0])
    assert kinds.min() >= 0
    assert kinds.max() < N_KINDS
    posteriors = noise.simulate(song.bands[0], np.random.default_rng(1))
    sounds = song.bands[0] > 0
    assert posteriors[sounds].min() == pytest.approx(200 / 255)
    assert posteriors[~sounds].max() == pytest.approx(3 / 255)


def test_noise_comes_back_and_needs_songs(noise: PosteriorNoise, tmp_path: Path) -> None:
    noise.save(tmp_path / "noise.npz")
    kept = PosteriorNoise.load(tmp_path / "noise.npz")
    np.testing.assert_allclose(kept.tables, noise.tables, atol=1e-3)
    with pytest.raises(DataError, match="expected songs with posteriors"):
        PosteriorNoise.fit([])
    with pytest.raises(DataError, match="expected tables of posterior noise"):
        PosteriorNoise.load(tmp_path / "none.npz")


def test_what_is_heard_moves_with_the_key() -> None:
    posteriors = np.zeros((1, 88, 2), np.float32)
    posteriors[0, [0, 40, 87]] = 1
    assert np.flatnonzero(moved(posteriors, 3)[0, :, 0]).tolist() == [3, 43]
    assert np.flatnonzero(moved(posteriors, -3)[0, :, 0]).tolist() == [37, 84]


def test_late_rows_are_those_of_steps_before() -> None:
    rows = np.arange(4, dtype=np.float32)[:, None]
    assert late(rows, 0).ravel().tolist() == [0, 1, 2, 3]
    assert late(rows, 6).ravel().tolist() == [0, 0, 0, 0]


def test_notes_follow_a_mistaken_plan() -> None:
    notes = np.array([[0, 4, 60, 80, 0], [0, 4, 64, 80, 1], [1, 4, 60, 80, 0]], np.int16)
    c_major, a_minor = (int(class_of(np.array(c))) for c in ((0, 0, 0), (9, 1, 9)))
    chord = np.array([c_major, c_major])
    plan = np.array([a_minor, c_major])
    moved_notes = follow(notes, chord, plan)
    assert moved_notes[:, 2].tolist() == [57, 60, 60]  # root to root, third to third
    assert follow(notes, chord, np.array([NO_CHORD, c_major]))[:, 2].tolist() == [60, 64, 60]


def test_mistakes_begin_at_changes_and_end() -> None:
    chord = np.repeat([0, 8, 16, 24], 16)
    plan = mistaken(chord, np.random.default_rng(3))
    is_other = plan != chord
    assert 0 < is_other.sum() <= 3 * 8
    assert not is_other[:16].any()


def test_what_the_plan_leaves_is_held_no_longer() -> None:
    notes = np.array([[0, 8, 60, 127, 0], [0, 8, 66, 127, 1]], np.int16)
    c_major, f_sharp = 0, 6 * 8
    rows = own_rows(notes, np.array([c_major] * 3 + [f_sharp] * 5), 8)
    struck, held = rows[:, :88], rows[:, 88:]
    assert struck[:, 60 - 21].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert (held[:, 60 - 21] > 0).tolist() == [False, True, True, *[False] * 5]
    assert (held[:, 66 - 21] > 0).tolist() == [False, *[True] * 7]


def test_tokens_are_the_notes_of_each_step_and_its_end() -> None:
    notes = np.array([[0, 2, 60, 80, 0], [0, 4, 64, 90, 1], [2, 1, 50, 70, 0]], np.int16)
    tokens = step_tokens(notes, 3)
    assert tokens["at"].tolist() == [0, 0, 0, 1, 2, 2]
    assert tokens["pitch"].tolist() == [39, 43, DONE, DONE, 29, DONE]
    assert tokens["last"].tolist() == [DONE, 39, 43, DONE, DONE, 29]
    seen = [np.flatnonzero(row).tolist() for row in tokens["struck"]]
    assert seen == [[], [39], [39, 43], [], [], [29]]
    assert tokens["length"].tolist() == [1, 3, 0, 0, 0, 0]


def test_a_crop_is_one_key_and_lag_throughout(song: GridSong, noise: PosteriorNoise) -> None:
    posteriors = noise.simulate(song.bands[0], np.random.default_rng(0))
    crop = make_crop(song, 0, posteriors, 2, 3, np.random.default_rng(0))
    assert crop.chord[0] == 3 * 8
    assert crop.observed.shape == (64, 220)
    assert not crop.observed[:2].any()
    np.testing.assert_array_equal(crop.observed[5, :176], moved(posteriors, 3)[3].ravel())
    assert crop_notes(song, 0, 64, 3, False)[0, 2] == song.piano[0, 2] + 3


def test_a_batch_is_padded_and_says_so(song: GridSong, noise: PosteriorNoise) -> None:
    real = {"001": [ExcerptPosteriors(16, np.full((20, 88, 2), 9, np.uint8))]}
    crops = Crops([song], noise, real, n_steps=80)
    batch = crops.draw(12, np.random.default_rng(0))
    assert batch.observed.shape == (12, 80, 220)
    assert set(batch.is_step.sum(1).tolist()) == {20, 64}
    of_step = batch.is_step.flatten()[batch.at]
    assert of_step.all()
    assert int((batch.pitch == DONE).sum()) == int(batch.is_step.sum())
    again = crops.draw(12, np.random.default_rng(0))
    assert all(bool((a == b).all()) for a, b in zip(batch.where, again.where, strict=True))
    one = make_crop(
        song,
        0,
        noise.simulate(song.bands[0], np.random.default_rng(0)),
        0,
        0,
        np.random.default_rng(0),
    )
    assert collate([one], 64).plan.shape == (1, 64, 37)
