"""Every recipe: a run that was stopped ends, to the bit, as one that was not."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from models.features import LOG_STFT_16K, MEL_HFT
from models.papers.embedding import EmbeddingConfig
from models.papers.unet_lstm import UnetLstmConfig
from models.streaming import StreamingConfig, Transcriber
from offline_train.data.dataset import CoverCrops
from offline_train.data.shards import append_manifest, read_shards, write_shard
from offline_train.recipes import amt_apc as train_hft
from offline_train.recipes import amt_apc_data as apc_data
from offline_train.recipes import amt_apc_run as hft_run
from offline_train.recipes import cover as train_cover
from offline_train.recipes.amt_apc_run import ApcSettings
from offline_train.studies.arranging.batches import Units
from offline_train.studies.arranging.study import TINY as TINY_ARRANGER
from offline_train.studies.arranging.train import ArrangerConfig
from offline_train.studies.arranging.train import train as train_arranger
from offline_train.studies.experiments import ExperimentConfig
from offline_train.studies.matching.snippets import analyze_pieces
from offline_train.studies.matching.train import MatchingConfig
from offline_train.studies.matching.train import train as train_matching
from offline_train.studies.transcription import adapt, transfer_study, vision_ladder, vision_study
from offline_train.studies.transcription.epochs import FitConfig, fit
from offline_train.training import loop
from offline_train.training.checkpoints import (
    random_state,
    read_checkpoint,
    restore_random_state,
    write_checkpoint,
)
from offline_train.training.cover import task as cover_task
from offline_train.training.cover.settings import CoverSettings, Part
from offline_train.training.cover.task import load_checkpoint, network_of
from offline_train.training.loading import NumberedExamples, load_batches
from tests.offline_train.recipes.test_amt_apc import TINY as TINY_HFT
from tests.offline_train.shard_fixtures import recording, song, write_folder
from tests.offline_train.studies.arranging.test_arranging import analyzed_piece
from tests.offline_train.studies.transcription.test_adapt import write_start
from tests.offline_train.studies.transcription.test_transfer_study import make_data
from tests.offline_train.studies.transcription.test_vision_study import sines
from tests.offline_train.training.test_data_parallel import in_two_workers, needs_fork

SMALL = StreamingConfig(conv_channels=4, channels=8, trunk=8, context=8, hidden=8)
Train = Callable[[Path], None]


@contextmanager
def stopped_at(step: int) -> Iterator[None]:
    """A signal comes in this step of an optimizer, the first being 1."""
    steps = itertools.count(1)

    def look(*_: object) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGTERM)

    hook = register_optimizer_step_post_hook(look)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        hook.remove()


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Compare what two checkpoints hold, to the bit, but for times and folders."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one.keys() - {"train", "fit", "seconds", "validated_s", "commit"}:
            assert_same(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True, msg=where)
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for k, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}[{k}]")
    else:
        assert one == other, where


def check(train: Train, tmp_path: Path, stops: tuple[int, ...], name: str = "last.pt") -> None:
    """Train twice, once in parts, and compare what is left."""
    train(tmp_path / "whole")
    for step in stops:
        with stopped_at(step):
            train(tmp_path / "parts")
        np.random.rand(7)  # what another program of the day would do to the sources of chance
        torch.rand(7)
    train(tmp_path / "parts")
    (one,) = (tmp_path / "whole").rglob(name)
    (other,) = (tmp_path / "parts").rglob(name)
    found = [torch.load(path, weights_only=True) for path in (one, other)]
    assert_same(*found)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    write_folder(folder / "songs", [song("a", 3.0), song("b", 2.0)])
    write_folder(folder / "real", [recording("c", 3.0)])
    write_folder(folder / "valid", [song("v", 2.0)])
    return folder


def cover_recipe(shards: Path, part: Part = "all", n_steps: int = 6) -> Train:
    """Train by a clock on which each step takes a second."""

    def train(out: Path) -> None:
        config = CoverSettings(
            out,
            prepared=shards,
            shares={"songs": 1.0, "real": 1.0},
            network=SMALL,
            hours=n_steps / 3600,
            n_frames=64,
            batch=2,
            warmup_steps=2,
            consistency_from=0.3,
            part=part,
        )
        seconds = itertools.count()
        clock = SimpleNamespace(monotonic=lambda: float(next(seconds)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "time", clock)
            patch.setattr(loop, "LOG_EVERY_S", 1e9)
            patch.setattr(cover_task, "VALIDATION_CROPS", 8)
            train_cover.train(config)

    return train


@pytest.mark.parametrize("part", ["all", "transcriber", "heads", "cover"])
def test_the_cover_model(shards: Path, tmp_path: Path, part: Part) -> None:
    check(cover_recipe(shards, part), tmp_path, (3,))


def test_the_cover_models_mass_goes_on(shards: Path, tmp_path: Path) -> None:
    with stopped_at(3):
        cover_recipe(shards)(tmp_path / "out")
    path = tmp_path / "out" / "last.pt"
    mass = load_checkpoint(path)["mass"]
    assert set(mass) == {"onset", "frame"} and all(value != 0.01 for value in mass.values())


def resume_in_each_worker(out: Path) -> None:
    """Train whole and in parts; the first worker alone writes, and the other waits for it."""
    train = cover_recipe(out / "shards", n_steps=4)
    train(out / "whole")
    with stopped_at(2):
        train(out / "parts")
    torch.distributed.barrier()
    train(out / "parts")
    torch.distributed.barrier()
    found = [load_checkpoint(out / name / "last.pt") for name in ("whole", "parts")]
    torch.save(found, out / f"{torch.distributed.get_rank()}.pt")


@needs_fork
def test_the_cover_model_on_two_workers(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shards == tmp_path / "shards"
    for whole, parts in in_two_workers(resume_in_each_worker, tmp_path, monkeypatch):
        assert whole["step"] == 4
        assert_same(whole, parts)


@pytest.mark.parametrize("stop", [2, 5, 8], ids=["amt", "extend", "apc"])
def test_amt_apc(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int) -> None:
    monkeypatch.setitem(hft_run.NETWORKS, "small", replace(TINY_HFT, dropout=0.1))
    songs = (shards / "songs",)

    def train(out: Path) -> None:
        train_hft.train(
            ApcSettings(
                out,
                train=songs,
                valid=songs,
                amt_steps=4,
                extend_steps=2,
                apc_steps=4,
                amt_frames=8,
                n_frames=12,
                batch=2,
                valid_every=2,
                valid_crops=2,
                learning_rate=1e-3,
                workers=2 if stop == 2 else 0,
            )
        )

    check(train, tmp_path, (stop,))


def test_matching(shards: Path, tmp_path: Path) -> None:
    long = write_folder(tmp_path / "long", [song("one", 8.0)])
    heard = analyze_pieces([long], tmp_path / "heard", "cover")
    network = EmbeddingConfig(channels=(4, 4, 4, 4), dims=8, head="register", is_variational=True)

    def train(out: Path) -> None:
        config = MatchingConfig(out, network, steps=4, batch=3, valid_every=4, valid_candidates=2)
        train_matching(config, heard, heard)

    check(train, tmp_path, (2,))


def test_arranging(tmp_path: Path) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    append_manifest(folder, write_shard(folder / "shard-00000.tar", [analyzed_piece()]))
    units = Units(read_shards(folder))

    def train(out: Path) -> None:
        config = ArrangerConfig(out, TINY_ARRANGER, steps=8, batch=3, valid_every=2, valid_units=2)
        train_arranger(config, units, units)

    check(train, tmp_path, (2, 3))  # twice, in two stages


@pytest.mark.parametrize("kind", ["picture", "transformer"])
def test_the_study_of_vision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    rungs = {"picture": vision_ladder.PICTURES[-1], "transformer": vision_ladder.TRANSFORMERS[-1]}
    monkeypatch.setattr(vision_study, "prepare", sines)
    scale = replace(vision_study.SCALES["tiny"], segment_s=0.25, transformer_batch=1)

    def train(out: Path) -> None:
        vision_study.trained(ExperimentConfig(tmp_path, out, "tiny"), scale, rungs[kind])

    check(train, tmp_path, (1,) if kind == "transformer" else (2,))


def test_the_study_of_transfer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = replace(LOG_STFT_16K, name="quick", n_bins=176, hop_length=512)  # for the CQT
    monkeypatch.setattr(transfer_study, "CQT_TRANSFER", quick)
    scale = transfer_study.Scale(
        0.1, 0.05, 0.05, 3.0, 32, 1, 2, 1, UnetLstmConfig(channels=(2, 2), hidden=4)
    )

    def train(out: Path) -> None:
        if not (out / "data").is_dir():
            make_data(out / "data")
        config = ExperimentConfig(tmp_path, out, "tiny")
        transfer_study.trained(config, scale, transfer_study.Training("piano"))

    check(train, tmp_path, (2,))


def test_teaching_an_instrument(shards: Path, tmp_path: Path) -> None:
    start = write_start(tmp_path / "start.pt")

    def train(out: Path) -> None:
        config = adapt.AdaptConfig(tmp_path, out, start, steps=20, batch=1, n_frames=32)
        network = Transcriber(network_of({**torch.load(start, weights_only=True)}))
        adapt.learn(network, config, shards / "songs")

    check(train, tmp_path, (5,))


def test_epochs_with_chance_in_them(tmp_path: Path) -> None:
    def train(out: Path) -> None:
        torch.manual_seed(0)
        first = nn.Linear(3, 8)
        network = nn.Sequential(first, nn.Dropout(0.5), nn.Linear(8, 1))

        def batches(epoch: int) -> Iterator[dict[str, torch.Tensor]]:
            generator = torch.Generator().manual_seed(epoch)
            return ({"x": torch.randn(5, 3, generator=generator)} for _ in range(4))

        def loss_of(batch: dict[str, torch.Tensor]) -> torch.Tensor:
            fit_of: torch.Tensor = network(batch["x"]).square().mean()
            return fit_of + np.random.rand() * first.bias.sum()

        c = FitConfig(out, name="line", epochs=3, epoch_steps=4, learning_rate=0.05)
        fit(network, loss_of, batches, dict, c)

    np.random.seed(1)
    state = {"random_state": random_state()}
    train(tmp_path / "whole")
    restore_random_state(tmp_path, state)
    with stopped_at(6):
        train(tmp_path / "parts")
    np.random.rand(3)
    train(tmp_path / "parts")
    whole, parts = (read_checkpoint(tmp_path / n / "last.pt", "line") for n in ("whole", "parts"))
    assert_same(whole, parts)


def test_a_checkpoint_of_an_older_version_goes_on_and_says_what_it_lacks(
    shards: Path, tmp_path: Path, caplog: Any
) -> None:
    train = cover_recipe(shards)
    with stopped_at(3):
        train(tmp_path / "out")
    path = tmp_path / "out" / "last.pt"
    checkpoint = load_checkpoint(path)
    newer = ("mass", "random_state", "validated_s", "best_score", "smoothed", "validation")
    older = {name: value for name, value in checkpoint.items() if name not in newer}
    older["train"] = {name: checkpoint["train"][name] for name in ("hours", "part", "seed")}
    write_checkpoint(path, older)
    train(tmp_path / "out")
    assert load_checkpoint(path)["step"] == 6
    said = [r.getMessage() for r in caplog.records if "older version" in r.getMessage()]
    assert len(said) == 2 and all("last.pt: an older version wrote it" in line for line in said)
    assert "without the density of covers" in said[0]
    assert "without the state of the random generators" in said[1]


@pytest.mark.parametrize("n_workers", [0, 1, 2])
def test_examples_are_their_numbers_whoever_makes_them(shards: Path, n_workers: int) -> None:
    crops = CoverCrops({shards / "songs": 1.0}, LOG_STFT_16K, 16, 2)

    def drawn(first: int, workers: int, n: int) -> list[torch.Tensor]:
        batches = load_batches(crops, 5, 2, first, workers)
        return [batch["samples"] for batch in itertools.islice(batches, n)]

    whole = drawn(0, 0, 7)
    assert not torch.equal(whole[0], whole[1])
    for one, other in zip(whole[3:], drawn(3, n_workers, 4), strict=True):
        assert torch.equal(one, other)


def test_crops_of_amt_apc_are_their_numbers(shards: Path) -> None:
    crops = apc_data.HftCrops((shards / "songs",), "cover", MEL_HFT, 8, 4)
    one, other = (next(iter(NumberedExamples(crops, 7, 2, 3))).samples for _ in range(2))
    assert torch.equal(one, other)


def test_every_random_generator_goes_on(tmp_path: Path) -> None:
    import random

    own = np.random.default_rng(3)
    torchs = torch.Generator().manual_seed(4)

    def draw() -> list[float]:
        return [
            random.random(),
            float(np.random.rand()),
            float(torch.rand(1)),
            float(own.random()),
            float(torch.rand(1, generator=torchs)),
        ]

    state = random_state(own, torchs)
    first = draw()
    for name in ("random_state", "chance"):  # as older versions called it
        restore_random_state(tmp_path, {name: state}, own, torchs)
        assert draw() == first
