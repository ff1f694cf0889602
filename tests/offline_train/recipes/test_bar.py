"""The bar network's recipe: its crops, a run that goes on, a file that is as torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.beat.bars import BEAT_DIM as ENGINE_DIM
from engine.beat.bars import LEVELS as ENGINE_LEVELS
from engine.beat.bars import USUAL_BPM as ENGINE_BPM
from engine.beat.bars import load_bar_model
from engine.beat.steps.attacks import N_BANDS
from engine.core.errors import ModelError
from models.bar import BEAT_DIM, LEVELS, RIGHT, STEPS, USUAL_BPM, BarConfig
from offline_train.data.accompaniment.bars import (
    HALF,
    OCTAVES,
    TWICE,
    BarCrops,
    HeardSong,
    beats_of,
)
from offline_train.exporting.export_bar import export_bar
from offline_train.recipes.bar import RECIPE, BarSettings, train
from offline_train.training.checkpoints import read_checkpoint

FRAME_S = 0.016


def heard_song(n_beats: int = 60, period: float = 0.608) -> HeardSong:
    """C on the first beat of each bar, and else D; a drum on each second beat."""
    n = round(n_beats * period / FRAME_S)
    beat = np.floor(np.arange(n) * FRAME_S / period + 1e-6).astype(int)
    frame = np.zeros((n, 88), np.uint8)
    frame[np.arange(n), np.where(beat % 4 == 0, 39, 41)] = 255
    attacks = np.zeros((n, N_BANDS), np.float16)
    attacks[np.diff(beat, prepend=-1).astype(bool) & (beat % 2 == 1), 5] = 1
    beats = np.asarray(period * np.arange(n_beats), np.float64)
    return HeardSong(frame, frame, attacks, FRAME_S, beats, np.arange(n_beats) % 4 == 0)


@pytest.fixture
def config(tmp_path: Path) -> BarSettings:
    for split, name in (("b-valid", "901"), ("train", "001-song")):
        (tmp_path / "heard" / split).mkdir(parents=True)
        np.savez(tmp_path / "heard" / split / f"{name}.npz", **heard_song()._asdict())
    return BarSettings(
        tmp_path / "run",
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
    song = heard_song()
    for level, n, every in ((HALF, 29, 2), (RIGHT, 59, 4), (TWICE, 118, 8)):
        beats, is_downbeat = beats_of(song, level)
        assert beats.shape == (n, BEAT_DIM)
        assert np.flatnonzero(is_downbeat).tolist() == list(range(0, n, every))
        assert beats[0, -1] == pytest.approx(np.log2(LEVELS[level] * song.bpm / 90))
        steps = beats[:, :-1].reshape(n, STEPS, -1)
        assert (steps[is_downbeat, 0, 0] > 0.9).all()  # C
        drum = np.flatnonzero(steps[..., -1]) / (STEPS * LEVELS[level])
        assert (drum[1:] % 2 == 1).all() and len(drum) > 20
    _, is_downbeat = beats_of(song, HALF, first=1)
    assert not is_downbeat.any()
    _, is_downbeat = beats_of(song, first=3)
    assert np.flatnonzero(is_downbeat)[0] == 1


def test_crops_know_their_level_and_their_bars() -> None:
    rng = np.random.default_rng(0)
    crops = BarCrops([heard_song()], 12)
    drawn = [crops.draw(rng) for _ in range(120)]
    assert {int(crop.level[0]) for crop in drawn} == set(range(len(LEVELS)))
    for crop in drawn:
        assert crop.beats.shape == (12, BEAT_DIM)
        assert (crop.is_known <= crop.counts).all()
        assert crop.level[0] in OCTAVES or not crop.is_known.any()
        assert not crop.beats[crop.counts == 0].any()
    counted = [crop for crop in drawn if crop.level[0] in OCTAVES]
    gaps = {int(g) for crop in counted for g in np.diff(np.flatnonzero(crop.is_downbeat))}
    assert gaps == {2, 3, 4, 8}


def test_a_tempo_that_no_clock_counts_is_not_drawn() -> None:
    rng = np.random.default_rng(0)
    slower = {k for k, level in enumerate(LEVELS) if level < 1.4}  # at 150 beats a minute
    faster = {k for k, level in enumerate(LEVELS) if level > 0.9}  # at 55
    for period, levels in ((0.4, slower), (1.1, faster)):
        crops = BarCrops([heard_song(60, period)], 12)
        assert {int(crops.draw(rng).level[0]) for _ in range(160)} == levels


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
    beats = np.random.default_rng(0).random((5, BEAT_DIM), np.float32)
    downbeat, level, _ = model.step(beats)
    assert downbeat.shape == (5,) and level.shape == (5, len(LEVELS))
    _, _, state = model.step(beats[:3])
    assert model.step(beats[3:], state)[1] == pytest.approx(level[3:], abs=1e-5)
    with pytest.raises(ModelError):
        load_bar_model(tmp_path / "none.onnx")
