"""The recipe of the streaming model: it learns, resumes, and refuses what is not its own."""

import dataclasses
import json
import os
import signal
from pathlib import Path

import pytest
import torch

from engine.core.errors import DataError, ModelError
from models.streaming import StreamingConfig, StreamingCover
from offline_train.recipes.cover import train
from offline_train.training.cover.settings import CoverSettings, Part
from offline_train.training.cover.task import CoverTask, load_checkpoint, network_of, validate
from offline_train.training.loop import train_step
from tests.messages import refused
from tests.offline_train.shard_fixtures import recording, song, write_folder

SMALL = StreamingConfig(conv_channels=4, channels=8, trunk=8, context=8, hidden=8)


@pytest.fixture
def config(tmp_path: Path) -> CoverSettings:
    songs = write_folder(tmp_path / "train", [song("a", 3.0), song("b", 2.0)])
    real = write_folder(tmp_path / "real", [recording("c", 3.0)])
    valid = write_folder(tmp_path / "valid", [song("v", 2.0)])
    return CoverSettings(
        tmp_path / "out",
        prepared=tmp_path,
        shares={songs.name: 1.0, real.name: 1.0},
        valid=Path(valid.name),
        network=SMALL,
        hours=1e-9,  # one step, whatever the machine
        n_frames=64,
        batch=2,
        consistency_from=0.0,
    )


def test_it_trains_resumes_and_leaves_a_loadable_checkpoint(config: CoverSettings) -> None:
    path = train(config)
    first = load_checkpoint(path)
    assert first["step"] == 1
    longer = dataclasses.replace(config, hours=(first["seconds"] + 1e-6) / 3600)
    assert load_checkpoint(train(longer))["step"] == 2
    network = network_of(load_checkpoint(path))
    assert not network.training
    assert {"onset", "frame", "velocity", "melody"} < set(validate(network, config))
    lines = [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "validation" in line] == [1, 2]


@pytest.mark.parametrize(
    ("part", "learns"),
    [("all", {True}), ("cover", {False}), ("heads", {False, True}), ("transcriber", {True})],
)
def test_what_is_not_trained_stays_as_it_is(
    config: CoverSettings, part: Part, learns: set[bool]
) -> None:
    c = dataclasses.replace(config, part=part)
    before = {n: v.clone() for n, v in CoverTask(c).network.state_dict().items()}
    task = CoverTask(c)
    task.network.load_state_dict(before)
    train_step(task, c.schedule(), next(task.batches(0)), 0, 0.0, "")
    moved = {
        name: bool((value != before[name]).any()) for name, value in task.network.named_parameters()
    }
    transcriber = {m for n, m in moved.items() if n.startswith(("trunk.", "transcription."))}
    cover = {m for n, m in moved.items() if not n.startswith(("trunk.", "transcription."))}
    assert learns <= transcriber <= learns | {False}
    assert (True in cover) == (part in ("all", "cover"))


def test_the_rate_warms_up_then_follows_the_time_used(config: CoverSettings) -> None:
    rate = config.schedule().rate
    rates = [rate(step, 0.0) for step in range(config.warmup_steps)]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(config.learning_rate)
    assert config.learning_rate > rate(10_000, 0.5) > rate(10_000, 1.0) > 0


def test_a_checkpoint_of_another_model_is_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    torch.save({"recipe": "another"}, other)
    with refused(ModelError, "other.pt", "train-cover"):
        load_checkpoint(other)
    other.write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match="expected a checkpoint"):
        load_checkpoint(other)


def test_a_run_may_begin_with_the_weights_of_another(config: CoverSettings, tmp_path: Path) -> None:
    first = train(config)
    second = dataclasses.replace(config, out=tmp_path / "second", start_from=first)
    checkpoint = load_checkpoint(train(second))
    assert checkpoint["step"] == 1
    before = load_checkpoint(first)["ema"]["trunk.harmonics.weight"]
    moved = checkpoint["ema"]["trunk.harmonics.weight"] - before
    assert 0 < moved.abs().max() < 0.01


def test_a_network_of_another_size_is_told_in_one_line(
    config: CoverSettings, tmp_path: Path
) -> None:
    path, wider = train(config), dataclasses.replace(SMALL, hidden=12)
    with refused(ModelError, "network.hidden", "8", "12", "another folder"):
        train(dataclasses.replace(config, network=wider))
    begun = dataclasses.replace(config, out=tmp_path / "wider", start_from=path, network=wider)
    narrower = dataclasses.replace(config, start_from=train(begun), out=tmp_path / "narrower")
    with pytest.raises(ModelError, match=r"cannot begin with it: .*expected at least"):
        train(narrower)


def test_weights_of_another_make_are_told_in_one_line(config: CoverSettings) -> None:
    checkpoint = load_checkpoint(train(config))
    checkpoint["ema"]["elsewhere"] = checkpoint["ema"].pop("trunk.harmonics.weight")
    with refused(ModelError, "elsewhere", "train it anew"):
        network_of(checkpoint)


def test_an_end_from_outside_leaves_a_checkpoint(
    config: CoverSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_step = CoverTask.after_step

    def step_and_be_ended(self: CoverTask) -> None:
        after_step(self)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(CoverTask, "after_step", step_and_be_ended)
    with pytest.raises(KeyboardInterrupt):
        train(dataclasses.replace(config, hours=1.0))
    assert load_checkpoint(config.out / "last.pt")["step"] == 1


def test_without_shards_it_says_what_to_run(config: CoverSettings) -> None:
    with pytest.raises(DataError, match="run livecover-train prepare"):
        train(dataclasses.replace(config, shares={"nowhere": 1.0}))
    assert not config.out.exists()


def test_average_of_a_network_keeps_its_indices(config: CoverSettings) -> None:
    learner = CoverTask(config)
    before = learner.cover.along_pitch.band.clone()
    for _ in range(20):
        learner.average.update_parameters(learner.network)
    average = learner.average.module
    assert isinstance(average, StreamingCover)
    assert torch.equal(average.along_pitch.band, before)


def test_what_is_no_number_is_refused_and_the_weights_stay(config: CoverSettings) -> None:
    task = CoverTask(config)
    batch = next(task.batches(0))
    batch["style"] = batch["style"] * torch.nan
    before = {name: value.clone() for name, value in task.network.named_parameters()}
    with refused(DataError, "here", "loss"):
        train_step(task, config.schedule(), batch, 0, 0.0, "here")
    for name, value in task.network.named_parameters():
        assert torch.equal(value, before[name])
