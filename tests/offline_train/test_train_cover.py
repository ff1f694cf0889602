"""The recipe of the streaming model: it learns, resumes, and refuses what is not its own."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import DataError, ModelError
from models.features import LOG_STFT_16K
from models.streaming import StreamingConfig
from offline_train.dataset import read_takes
from offline_train.train_cover import (
    TrainConfig,
    cover_loss,
    learning_rate,
    load_checkpoint,
    network_of,
    train,
    validate,
)

SMALL = StreamingConfig(conv_channels=4, channels=8, context=8, hidden=8)


def write_takes(folder: Path, n_takes: int) -> None:
    """Write takes whose notes are bright bins: something a network can learn."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(n_takes):
        features = rng.normal(-4, 0.1, (200, LOG_STFT_16K.n_bins)).astype(np.float16)
        notes = []
        for start in range(10, 180, 20):
            pitch = int(rng.integers(40, 70))
            features[start : start + 15, 3 * (pitch - 21) + 1] = 2.0
            notes.append((start * 0.016, (start + 15) * 0.016, pitch, 90, k % 2))
        np.save(folder / f"{k:03}-0.features.npy", features)
        np.save(folder / f"{k:03}-0.notes.npy", np.array(notes, np.float32))


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    write_takes(tmp_path / "train", 3)
    write_takes(tmp_path / "valid", 1)
    return TrainConfig(
        tmp_path / "train",
        tmp_path / "valid",
        tmp_path / "out",
        hours=1e-9,  # one step, whatever the machine
        n_frames=64,
        batch=2,
        threads=1,
    )


def test_it_trains_resumes_and_leaves_a_loadable_checkpoint(config: TrainConfig) -> None:
    path = train(config, SMALL)
    first = load_checkpoint(path)
    assert first["step"] == 1
    longer = dataclasses.replace(config, hours=(first["seconds"] + 1e-6) / 3600)
    assert load_checkpoint(train(longer, SMALL))["step"] == 2
    network = network_of(load_checkpoint(path))
    assert not network.training
    assert set(validate(network, config)) == {"onset", "frame", "velocity", "melody"}
    lines = [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "validation" in line] == [1, 2]


def test_the_loss_falls_when_the_answer_is_nearer(config: TrainConfig) -> None:
    target = {name: torch.zeros(1, 4, 88) for name in ("onset", "frame", "velocity", "melody")}
    target["onset"][0, 1, 40] = target["frame"][0, 1, 40] = 1.0
    target["velocity"][0, 1, 40] = 0.7
    far = {name: torch.full((1, 4, 88), -2.0) for name in target}
    near = {name: value.clone() for name, value in far.items()}
    for name in ("onset", "frame"):
        near[name][0, 1, 40] = 3.0
    near["velocity"][0, 1, 40] = float(np.log(0.7 / 0.3))
    far_terms, near_terms = cover_loss(far, target, config), cover_loss(near, target, config)
    for name in ("onset", "frame", "velocity"):
        assert near_terms[name] < far_terms[name]
    assert near_terms["velocity"] == pytest.approx(0.0, abs=1e-6)


def test_the_rate_warms_up_then_follows_the_time_used(config: TrainConfig) -> None:
    rates = [learning_rate(step, 0.0, config) for step in range(config.warmup_steps)]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(config.learning_rate)
    half, end = learning_rate(10_000, 0.5, config), learning_rate(10_000, 1.0, config)
    assert config.learning_rate > half > end > 0


def test_a_checkpoint_of_another_model_is_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    torch.save({"recipe": "another"}, other)
    with pytest.raises(ModelError, match=r"other\.pt: expected a checkpoint of train-cover"):
        load_checkpoint(other)
    other.write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match="expected a checkpoint"):
        load_checkpoint(other)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="livecover-train prepare"):
        read_takes(tmp_path)
