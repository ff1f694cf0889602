"""The bar network's recipe: its crops, a run that goes on, a file that is as torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.beat.bars import BEAT_DIM as ENGINE_DIM
from engine.beat.bars import LEVELS as ENGINE_LEVELS
from engine.beat.bars import USUAL_BPM as ENGINE_BPM
from engine.beat.bars import load_bar_model
from engine.core.errors import ModelError
from models.bar import BEAT_DIM, LEVELS, USUAL_BPM, BarConfig
from offline_train.data.accompaniment.bars import HALF, RIGHT, TWICE, BarCrops, beats_of
from offline_train.data.accompaniment.crops import ExcerptPosteriors
from offline_train.data.accompaniment.posterior_noise import PosteriorNoise
from offline_train.data.accompaniment.songs import GridSong, prepare_songs
from offline_train.exporting.export_bar import export_bar
from offline_train.recipes.bar import RECIPE, BarSettings, train
from offline_train.training.checkpoints import read_checkpoint
from tests.offline_train.fixtures import write_data


@pytest.fixture
def config(tmp_path: Path) -> BarSettings:
    data = write_data(tmp_path / "data", 1)
    song = prepare_songs(data, "train", tmp_path / "songs-train")[0]
    heard = np.where(song.bands[0, ..., None] > 0, 200, 3).astype(np.uint8).repeat(2, -1)
    PosteriorNoise.fit([(song.bands[0], heard)]).save(tmp_path / "noise-live.npz")
    (tmp_path / "heard" / "b-valid").mkdir(parents=True)
    (tmp_path / "heard" / "train").mkdir()
    np.savez(tmp_path / "heard" / "b-valid" / "901.npz", first=0, live=heard)
    fine = heard.repeat(2, 0)
    np.savez(tmp_path / "heard" / "train" / "001-song.npz", first=0, live=heard, fine=fine)
    return BarSettings(
        tmp_path / "run",
        data=data,
        heard=tmp_path,
        network=BarConfig(width=8, hidden=6),
        steps=3,
        valid_every=2,
        batch=2,
        n_beats=6,
    )


def test_the_network_and_the_engine_agree() -> None:
    assert (ENGINE_DIM, ENGINE_LEVELS, ENGINE_BPM) == (BEAT_DIM, LEVELS, USUAL_BPM)


def test_beats_are_half_right_or_twice() -> None:
    place = np.tile(np.arange(16), 2)
    posteriors = np.zeros((32, 88, 2), np.float32)
    posteriors[:, 39, 1] = 1
    for level, n, downbeats in ((HALF, 4, [0, 2]), (RIGHT, 8, [0, 4])):
        beats, is_downbeat = beats_of(posteriors, place, 90 * LEVELS[level], level)
        assert beats.shape == (n, BEAT_DIM)
        assert np.flatnonzero(is_downbeat).tolist() == downbeats
        assert beats[0, -1] == pytest.approx(np.log2(LEVELS[level]))
    _, is_downbeat = beats_of(posteriors, place, 45.0, HALF, is_odd=True)
    assert not is_downbeat.any()
    _, is_downbeat = beats_of(posteriors[3:], place[3:], 90.0)  # the first whole beat is the second
    assert np.flatnonzero(is_downbeat).tolist() == [3]


def crops_of(config: BarSettings, fine: bool) -> tuple[BarCrops, GridSong]:
    song = config.songs("train")[0]
    values = np.full((song.n_steps, 88, 2), 100, np.uint8)
    excerpt = ExcerptPosteriors(0, values, values.repeat(2, 0) if fine else None)
    noise = PosteriorNoise.load(config.heard / "noise-live.npz")
    return BarCrops([song], noise, {song.song_id: [excerpt]}, 12), song


def test_crops_know_their_level_and_twice_needs_thirty_seconds(config: BarSettings) -> None:
    rng = np.random.default_rng(0)
    for fine in (False, True):
        crops, _ = crops_of(config, fine)
        drawn = [crops.draw(rng) for _ in range(60)]
        assert {int(crop.level[0]) for crop in drawn} == {HALF, RIGHT, *([TWICE] if fine else [])}
        for crop in drawn:
            assert crop.beats.shape == (12, BEAT_DIM)
            assert (crop.is_known <= crop.counts).all()
            assert not crop.beats[crop.counts == 0].any()
    gaps = {int(g) for crop in drawn for g in np.diff(np.flatnonzero(crop.is_downbeat))}
    assert {3, 4, 8} & gaps == {3, 4, 8} or {3, 4} <= gaps


def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    config: BarSettings, tmp_path: Path
) -> None:
    whole = read_checkpoint(train(config), RECIPE)
    again = replace(config, out=tmp_path / "again")
    train(replace(again, minutes=1e-9))
    resumed = read_checkpoint(train(again), RECIPE)
    assert resumed["step"] == whole["step"] == 3
    for name, value in whole["model"].items():
        assert value.equal(resumed["model"][name])


def test_the_file_gives_what_torch_gives(config: BarSettings, tmp_path: Path) -> None:
    path = export_bar(train(config), tmp_path / "out")
    model = load_bar_model(path)
    downbeat, level = model.step(np.zeros((5, BEAT_DIM), np.float32))
    assert downbeat.shape == (5,) and level.shape == (5, 3)
    with pytest.raises(ModelError):
        load_bar_model(tmp_path / "none.onnx")
