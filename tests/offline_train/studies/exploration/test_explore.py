"""An exploration on made-up songs: begins alike, is judged through the engine, is not run twice."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import ConfigError, DataError, ModelError
from models.streaming import StreamingConfig
from offline_train.evaluation import EvaluateConfig
from offline_train.evaluation.songs.reference_song import ReferenceSong, cached_song
from offline_train.recipes.cover import train
from offline_train.studies.exploration import explore as study
from offline_train.studies.exploration.explore import ExploreConfig, Setting, explore, start_of
from offline_train.studies.exploration.report import save
from offline_train.training.cover.settings import CoverSettings
from tests.messages import refused
from tests.offline_train.fixtures import write_data
from tests.offline_train.shard_fixtures import song, tones, write_folder

SMALL = StreamingConfig(conv_channels=4, channels=8, trunk=8, context=8, hidden=8)
GRID = (
    Setting("lookahead-4", "lookahead", dataclasses.replace(SMALL, lookahead_frames=4)),
    Setting("width-0.5", "width", dataclasses.replace(SMALL, hidden=4)),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ExploreConfig:
    """Shards, a start, and a song as if it were rendered."""
    base = tmp_path_factory.mktemp("explore")
    prepared = base / "prepared"
    write_folder(prepared / "train", [song("a", 4.0)])
    write_folder(prepared / "valid", [song("v", 2.0)])
    run = CoverSettings(
        base / "start",
        prepared=prepared,
        shares={"train": 1.0},
        network=SMALL,
        hours=1e-9,
        n_frames=32,
        batch=1,
    )
    run = dataclasses.replace(run, start_from=train(run))
    songs = EvaluateConfig(
        write_data(base / "data"), base / "cache", "valid", excerpt_s=2.0, limit=1
    )
    samples, notes = tones(2.0, 1)
    heard = ReferenceSong("901", (samples / 32768).astype(np.float32), notes, np.arange(4) / 2)
    for rung in (songs, dataclasses.replace(songs, rung="a", excerpt_s=60.0)):
        cached_song(rung.folder, "901", lambda: heard)
    return ExploreConfig(run, songs, base)


@pytest.fixture
def config(made: ExploreConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExploreConfig:
    monkeypatch.setitem(study.GRIDS, "small", GRID)
    return dataclasses.replace(made, out=tmp_path)


def test_settings_are_trained_and_judged_once(
    config: ExploreConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dataclasses.replace(config, only=("lookahead-4",))
    assert [result.name for result in explore(first)] == ["lookahead-4"]
    results = explore(config)
    assert [(r.name, r.began_with) for r in results] == [
        ("lookahead-4", "last.pt"),
        ("width-0.5", "nothing"),
    ]
    assert all(r.steps == 1 and r.real_time_factor > 0 and r.latency_ms > 64 for r in results)
    monkeypatch.setattr(study, "train", None)  # nothing is trained again
    again = explore(config)
    assert [r.onset_f1 for r in again] == [r.onset_f1 for r in results]
    assert save(again, config).stat().st_size > 0
    facts = json.loads((config.out / "explore.json").read_text())
    assert [row["name"] for row in facts["results"]] == ["lookahead-4", "width-0.5"]
    assert len((config.out / "explore.md").read_text().splitlines()) == 4


def test_a_run_of_another_network_is_refused(config: ExploreConfig) -> None:
    start = start_of(config, "lookahead")
    run = dataclasses.replace(config.train, out=config.out / "lookahead-4", start_from=start)
    train(run)
    with pytest.raises(ModelError, match="expected a run of .*lookahead_frames=4.*came another"):
        explore(config)


def test_what_cannot_be_run_is_refused(
    config: ExploreConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong, words in (
        ({"only": ("lookahead-5",)}, "a setting must be one of lookahead-4, width-0.5"),
        ({"grid": "large"}, "grid must be one of small, full"),
    ):
        with pytest.raises(ConfigError, match=words):
            explore(dataclasses.replace(config, **wrong))
    nothing = dataclasses.replace(config.train, prepared=config.out / "nowhere")
    with refused(DataError, "livecover-train prepare"):
        explore(dataclasses.replace(config, train=nothing))
    nowhere = dataclasses.replace(config.train, start_from=Path("nowhere.pt"))
    with pytest.raises(ModelError, match=r"nowhere\.pt: expected a checkpoint"):
        explore(dataclasses.replace(config, train=nowhere))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with refused(ConfigError, "torchrun", "--only"):
        explore(config)


def test_the_grids_names_are_unique_and_their_axes_hold_the_usual_network() -> None:
    for grid in study.GRIDS.values():
        assert len({setting.name for setting in grid}) == len(grid)
    full = {setting.name: setting.network for setting in study.GRIDS["full"]}
    assert full["lookahead-4"] == full["width-1"] == study.BASE
    assert full["width-0.5"].hidden == study.BASE.hidden // 2
    assert full["hidden-128"].hidden == 2 * study.BASE.hidden
