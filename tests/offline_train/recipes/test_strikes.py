"""The strike network's recipe: its crops, late singers, a run that goes on, its file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import engine.accompany.strikes
from engine.accompany.strikes import LAST_PLACE, load_strike_model
from engine.core.errors import DataError, ModelError
from models.strikes import (
    CHANNELS,
    HALVES,
    N_SEMITONES,
    UNKNOWN_PLACE,
    StrikeConfig,
    StrikeNetwork,
)
from offline_train.data.accompaniment.heard_covers import HeardCover, load_heard_covers
from offline_train.data.accompaniment.strike_crops import (
    StrikeCrops,
    late,
    passage,
    tune_onsets,
)
from offline_train.exporting.export_strikes import export_strikes
from offline_train.recipes.strikes import RECIPE, StrikeSettings, begin_with, best_f1, train
from offline_train.training.checkpoints import read_checkpoint
from tests.messages import refused

FRAME_S = 0.016
PERIOD = 0.608  # 38 frames
TUNE, BASS = 72, 40


def heard_cover(n_beats: int = 40) -> HeardCover:
    """A tune on each beat, a bass on each second one, heard as they are played.

    The band plays the bass an octave lower, which the transcription says.
    """
    n = round(n_beats * PERIOD / FRAME_S)
    onset, melody, frame, band_onset, band_frame = (np.zeros((n, 88), np.uint8) for _ in range(5))
    beats = np.asarray(PERIOD * np.arange(n_beats), np.float64)
    notes = []
    for k, time in enumerate(beats):
        first = round(time / FRAME_S)
        for pitch, is_tune in ((TUNE, 1), (BASS, 0)):
            if is_tune or k % 2 == 0:
                onset[first, pitch - 21] = 230
                frame[first : first + 20, pitch - 21] = 200
                melody[first : first + 20, pitch - 21] = 255 * is_tune
                band_key = pitch - 21 if is_tune else pitch - 33
                band_onset[first, band_key], band_frame[first : first + 20, band_key] = 240, 210
                notes.append((time, time + 0.3, pitch, 80, is_tune))
    spectrum = np.zeros((n, N_SEMITONES), np.uint8)
    spectrum[:, :88] = band_frame
    heard = onset, melody, frame, band_onset, band_frame, spectrum
    is_downbeat = np.arange(n_beats) % 4 == 0
    return HeardCover(*heard, FRAME_S, beats, is_downbeat, np.array(notes, "f4"))


@pytest.fixture
def config(tmp_path: Path) -> StrikeSettings:
    for split in ("valid", "train"):
        (tmp_path / "heard" / split).mkdir(parents=True)
        np.savez(tmp_path / "heard" / split / "001.npz", **heard_cover()._asdict())
    return StrikeSettings(
        tmp_path / "run",
        heard=tmp_path / "heard",
        network=StrikeConfig(hidden=6, said=2, local=4, joined=4, timbre=3),
        steps=3,
        valid_every=2,
        batch=2,
        n_steps=32,
    )


def test_a_passage_is_what_was_heard_and_what_the_human_strikes() -> None:
    whole = passage(heard_cover())
    n = len(whole.heard)
    assert whole.heard.shape == (n, CHANNELS, 88) and whole.struck.shape == (n, 2, 88)
    assert n == 4 * 40 - 1 and whole.place[:17].tolist() == [*range(16), 0]
    tune, bass = whole.struck[:, 0, TUNE - 21], whole.struck[:, 1, BASS - 21]
    assert np.flatnonzero(tune).tolist() == list(range(0, n, 4))
    assert np.flatnonzero(bass).tolist() == list(range(0, n, 8))
    onset = whole.heard[:, :2, TUNE - 21].max(1)
    assert np.flatnonzero(onset > 0.5).tolist() == list(range(0, n, 4))
    assert not whole.heard[:, 2:4, BASS - 21].any()
    assert np.flatnonzero(whole.heard[:, 4:6, BASS - 33].max(1) > 0.5).tolist() == list(
        range(0, n, 8)
    )
    assert whole.heard[0, 6, BASS - 21] > 0 and whole.heard[0, 7, BASS - 33] > 0
    assert whole.sound.shape == (n, HALVES, N_SEMITONES)
    assert whole.sound[0, 1, BASS - 33] > 0 and not whole.sound[0, 1, BASS - 21]
    assert whole.counts.all()


def test_crops_are_in_any_key_and_know_where_they_end() -> None:
    rng = np.random.default_rng(0)
    crops = StrikeCrops([heard_cover()], 64)
    drawn = [crops.draw(rng) for _ in range(120)]
    keys = set()
    for crop in drawn:
        assert crop.heard.shape == (64, CHANNELS, 88) and crop.struck.shape == (64, 2, 88)
        assert not crop.heard[crop.counts == 0].any() and not crop.struck[crop.counts == 0].any()
        assert crop.place.max() <= UNKNOWN_PLACE
        keys |= set(np.flatnonzero(crop.struck[:, 0].any(0)).tolist())
    assert keys == set(range(TUNE - 21 - 5, TUNE - 21 + 7))
    assert {float(crop.counts.mean()) == 1 for crop in drawn} == {True, False}
    assert any((crop.place[crop.counts > 0] == UNKNOWN_PLACE).all() for crop in drawn)
    has_transcription = {bool(crop.heard[:, [4, 5, 7]].any()) for crop in drawn}
    assert has_transcription == {True, False}
    assert {bool(crop.sound.any()) for crop in drawn} == {True, False}
    for crop in drawn:
        tune = crop.struck[:, 0].any(0)
        assert not crop.sound.any() or crop.sound[:, 1, :88][:, tune].any()


def test_singers_are_late_and_what_they_sing_is_moved_with_them() -> None:
    cover = heard_cover()
    rows = np.concatenate([cover.struck(), cover.sounding()])
    onsets = tune_onsets(cover, 0)
    moved = late(rows, onsets, FRAME_S, np.random.default_rng(4))
    assert (moved[:, :, BASS - 21] == rows[:, :, BASS - 21]).all()
    before, after = (np.flatnonzero(r[0, :, TUNE - 21] > 0.5) for r in (rows, moved))
    assert len(after) == len(before) and not (after == before).all()
    assert -4 <= (after - before).min() and (after - before).max() <= 11
    at = after[5]
    assert moved[1, at, TUNE - 21] > 0.9 and moved[2, at, TUNE - 21] > 0.9


def test_the_best_f1_is_over_thresholds() -> None:
    wanted, likely = [np.array([1, 0, 1, 0])], [np.array([0.4, 0.3, 0.5, 0.05])]
    assert best_f1(wanted, likely) == pytest.approx(1.0)
    assert best_f1(wanted, [1 - likely[0]]) < 0.7


def test_the_network_reads_both_ways() -> None:
    torch.manual_seed(0)
    network = StrikeNetwork(StrikeConfig(hidden=8, said=2, local=4, joined=4, timbre=3)).eval()
    heard, place = torch.rand(1, 12, CHANNELS, 88), torch.arange(12)[None]
    sound = torch.rand(1, 12, HALVES, N_SEMITONES)
    other = heard.clone()
    other[0, 11] = 0
    with torch.no_grad():
        first, second = network(heard, sound, place), network(other, sound, place)
        silent = network(heard, 0 * sound, place)
    assert first.shape == (1, 12, 2, 88)
    assert not torch.equal(first[0, 8], second[0, 8])
    assert not torch.equal(first, silent)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    config: StrikeSettings, tmp_path: Path
) -> None:
    whole = read_checkpoint(train(config), RECIPE)
    again = replace(config, out=tmp_path / "again")
    train(replace(again, minutes=1e-9))
    resumed = read_checkpoint(train(again), RECIPE)
    assert resumed["step"] == whole["step"] == 3
    for name, value in whole["model"].items():
        assert value.equal(resumed["model"][name])


def test_a_run_may_begin_with_a_network_that_heard_less(
    config: StrikeSettings, tmp_path: Path
) -> None:
    before = read_checkpoint(train(config), RECIPE)
    deaf = {
        name: value[:, : value.shape[1] - {"keyboard.weight": N_SEMITONES, "join.weight": 6}[name]]
        if name in ("keyboard.weight", "join.weight")
        else value
        for name, value in before["model"].items()
        if not name.startswith(("partials.", "timbre", "alike."))
    }
    torch.save(before | {"model": deaf}, tmp_path / "deaf.pt")
    on = replace(config, out=tmp_path / "on", start_from=tmp_path / "deaf.pt")
    assert read_checkpoint(train(on), RECIPE)["step"] == 3
    torch.manual_seed(1)
    network = StrikeNetwork(config.network).eval()
    begin_with(network, deaf)
    heard, place = torch.rand(1, 12, CHANNELS, 88), torch.arange(12)[None]
    sound = torch.rand(1, 12, HALVES, N_SEMITONES)
    with torch.no_grad():
        assert network(heard, sound, place).equal(network(heard, 0 * sound, place))
    torch.save(before | {"model": {"join.weight": torch.zeros(5, 5, 1, 1)}}, tmp_path / "odd.pt")
    with refused(ModelError, "as large", "join.weight"):
        train(replace(on, out=tmp_path / "odd", start_from=tmp_path / "odd.pt"))


def test_the_file_gives_what_torch_gives(config: StrikeSettings, tmp_path: Path) -> None:
    path = export_strikes(train(config), tmp_path / "out")
    model = load_strike_model(path)
    rng = np.random.default_rng(0)
    heard = rng.random((7, CHANNELS, 88), np.float32)
    sound = rng.random((7, HALVES, N_SEMITONES), np.float32)
    found = model.read(heard, sound, np.arange(7))
    assert found.tune.shape == found.accompaniment.shape == (7, 88)
    assert 0 <= found.tune.min() and found.tune.max() <= 1
    late_bar = model.read(heard, sound, np.arange(7) + 20)
    assert (late_bar.tune == model.read(heard, sound, np.full(7, LAST_PLACE)).tune).all()
    with pytest.raises(ModelError):
        load_strike_model(tmp_path / "none.onnx")


def test_a_file_that_hears_less_is_refused(
    config: StrikeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine.accompany.strikes.CHANNELS == CHANNELS
    path = export_strikes(train(config), tmp_path / "out")
    monkeypatch.setattr(engine.accompany.strikes, "CHANNELS", CHANNELS + 1)
    with refused(ModelError, "9 channels", "it hears 8", "export it again"):
        load_strike_model(path)


def test_nothing_that_was_heard_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="hear-covers"):
        load_heard_covers(tmp_path)
