"""The recipe of the window network: it learns, resumes, and is exported."""

import dataclasses
from pathlib import Path

import pytest
import torch

from engine.core.errors import ModelError
from engine.model.model_files import load_model
from models.window import OUTPUTS, WindowConfig
from offline_train.cli import main
from offline_train.recipes.window import WindowSettings, network_of, train
from offline_train.training.checkpoints import read_checkpoint
from tests.messages import refused
from tests.offline_train.shard_fixtures import song, write_folder

SMALL = WindowConfig(window_frames=64, channels=4, width=16, n_layers=1, n_heads=2)


@pytest.fixture
def config(tmp_path: Path) -> WindowSettings:
    songs = write_folder(tmp_path / "train", [song("a", 3.0), song("b", 2.0)])
    valid = write_folder(tmp_path / "valid", [song("v", 2.0)])
    return WindowSettings(
        tmp_path / "out", train=(songs,), valid=valid, network=SMALL, batch=2, steps=2, workers=0
    )


def test_it_learns_and_resumes_as_if_not_stopped(config: WindowSettings) -> None:
    whole = read_checkpoint(train(config), "window")
    assert whole["step"] == 2 and set(OUTPUTS) == set(whole["validation"])
    parts = dataclasses.replace(config, out=config.out.with_name("parts"))
    train(dataclasses.replace(parts, session_minutes=1e-9))
    assert read_checkpoint(parts.out / "last.pt", "window")["step"] == 1
    resumed = read_checkpoint(train(parts), "window")
    for name, value in whole["model"].items():
        torch.testing.assert_close(resumed["model"][name], value)


def test_its_accelerated_step_is_near_the_exact_one(config: WindowSettings) -> None:
    exact = read_checkpoint(train(dataclasses.replace(config, steps=1)), "window")
    quick = dataclasses.replace(config, steps=1, out=config.out.with_name("quick"))
    from offline_train.recipes import window

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "compile_modules", lambda *_: None)
        rounded = read_checkpoint(train(dataclasses.replace(quick, acceleration="on")), "window")
    for name, value in exact["validation"].items():
        assert rounded["validation"][name] == pytest.approx(value, rel=0.02)  # bfloat16: 3 digits


def test_a_trained_one_is_exported(
    config: WindowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = train(config)
    assert network_of(last).config == SMALL
    command = ["sketch-window", "--checkpoint", str(last), "--out", str(tmp_path / "w")]
    assert main(command) == 0
    spec = load_model(tmp_path / "w" / "window.onnx").spec
    assert spec.window_frames == 64 and spec.kind == "window"
    with refused(ModelError, "start.pt", "window"):
        torch.save({"recipe": "other"}, tmp_path / "start.pt")
        network_of(tmp_path / "start.pt")
