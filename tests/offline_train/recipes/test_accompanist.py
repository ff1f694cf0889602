"""The accompanist's recipe: settings from a file, a run that goes on, files that are as torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.accompany.accompanist import Accompanist
from engine.accompany.model import AccompanistModel, Place
from engine.core.errors import ModelError
from models.accompanist import Accompanist as Network
from models.accompanist import AccompanistConfig
from models.causal_stack import StackConfig
from offline_train.data.accompaniment.posterior_noise import PosteriorNoise
from offline_train.data.accompaniment.songs import prepare_songs
from offline_train.exporting.accompanist import export_accompanist, join_networks
from offline_train.recipes.accompanist import (
    AccompanistSettings,
    Learns,
    begin_with,
    load_network,
    train,
)
from offline_train.training.checkpoints import read_checkpoint
from tests.messages import refused
from tests.offline_train.fixtures import write_data

TINY = StackConfig(width=16, layers=1, heads=2, feed_forward=16)
TINY_PLAN = StackConfig(width=48, layers=1, heads=2, feed_forward=48, classes=12)


@pytest.fixture
def config(tmp_path: Path) -> AccompanistSettings:
    data = write_data(tmp_path / "data", 1)
    songs = prepare_songs(data, "train", tmp_path / "songs-train")
    heard = np.where(songs[0].bands[0, ..., None] > 0, 200, 3).astype(np.uint8).repeat(2, -1)
    PosteriorNoise.fit([(songs[0].bands[0], heard)]).save(tmp_path / "noise-live.npz")
    (tmp_path / "heard" / "b-valid").mkdir(parents=True)
    np.savez(tmp_path / "heard" / "b-valid" / "901.npz", first=0, live=heard)
    return AccompanistSettings(
        tmp_path / "run",
        data=data,
        heard=tmp_path,
        network=AccompanistConfig(TINY_PLAN, TINY, writer=16, memory=64),
        steps=3,
        valid_every=2,
        batch=2,
        n_steps=64,
    )


def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    config: AccompanistSettings, tmp_path: Path
) -> None:
    whole = read_checkpoint(train(config), "train-accompanist")
    again = replace(config, out=tmp_path / "again")
    train(replace(again, minutes=1e-9))
    resumed = read_checkpoint(train(again), "train-accompanist")
    assert resumed["step"] == whole["step"] == 3
    for name, value in whole["model"].items():
        torch.testing.assert_close(resumed["model"][name], value, rtol=0, atol=0)


@pytest.mark.parametrize("learns", ["plan", "play"])
def test_planner_and_player_learn_apart(config: AccompanistSettings, learns: Learns) -> None:
    torch.manual_seed(config.seed)
    before = Network(config.network).state_dict()
    part = replace(config, learns=learns, own_past=0.5, is_half=True)
    after = read_checkpoint(train(part), "train-accompanist")["model"]
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == ({"planner"} if learns == "plan" else {"player", "writer"})


def test_a_run_begins_with_the_parts_that_fit(config: AccompanistSettings) -> None:
    first = train(config)
    network = Network(replace(config.network, writer=24))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    begin_with(network, first)
    given, now = read_checkpoint(first, "train-accompanist")["model"], network.state_dict()
    for name, value in now.items():
        is_writer = name.startswith("writer.")
        assert torch.equal(value, before[name] if is_writer else given[name])


def test_what_is_exported_plays(config: AccompanistSettings, tmp_path: Path) -> None:
    network = load_network(train(config))
    model = AccompanistModel(export_accompanist(network, tmp_path / "model", {"seed": 1}))
    accompanist = Accompanist(model, seed=3)
    for k in range(8):
        accompanist.hear(np.full((1, 88, 2), 0.1, np.float32))
        step = accompanist.step(Place(k, 2, 90.0))
        assert all(21 <= note.pitch <= 108 for note in step.notes)


def test_planner_and_player_of_two_runs_are_joined(
    config: AccompanistSettings, tmp_path: Path
) -> None:
    plan, play = train(config), train(replace(config, out=tmp_path / "other", seed=2))
    network, trained = join_networks(plan, play)
    for name, value in network.state_dict().items():
        source = plan if name.startswith("planner.") else play
        assert torch.equal(value, read_checkpoint(source, "train-accompanist")["model"][name])
    assert (trained["plan"]["seed"], trained["play"]["seed"]) == (1, 2)


def test_another_kind_of_folder_or_checkpoint_is_refused(
    config: AccompanistSettings, tmp_path: Path
) -> None:
    with refused(ModelError, "train-accompanist"):
        load_network(config.heard / "noise-live.npz")
    del tmp_path
