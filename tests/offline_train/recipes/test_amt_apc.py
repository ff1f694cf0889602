"""AMT-APC's recipe from shards to an exported model, with a network of a few weights."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.errors import ConfigError, DataError, ModelError
from models.features import MEL_HFT, Features
from models.hft import HftConfig
from offline_train.data import sampler
from offline_train.data.shards import Piece, append_manifest, write_shard
from offline_train.exporting.export_hft import export_hft
from offline_train.recipes import amt_apc as train_hft
from offline_train.recipes import amt_apc_run as hft_run
from offline_train.recipes.amt_apc import train
from offline_train.recipes.amt_apc_data import Batch, HftCrops, collate, crop_samples
from offline_train.recipes.amt_apc_run import ApcSettings, load_checkpoint, network_of
from offline_train.studies.exploration.ablation import ROWS, ablation, table
from offline_train.training.checkpoints import write_checkpoint
from tests.messages import refused

RATE = MEL_HFT.sample_rate
SECONDS = 6
TINY = HftConfig(
    margin_frames=4,
    conv_frames=3,
    hidden=8,
    feed_forward=8,
    n_heads=2,
    n_encoder_layers=1,
    n_decoder_layers=1,
    n_time_layers=1,
    n_velocities=128,
    dropout=0.0,
)


def song(name: str, seed: int) -> Piece:
    """Sines and a drum, as ``prepare`` would store them: a cover, and a score of two stems."""
    rng = np.random.default_rng(seed)
    time = np.arange(SECONDS * RATE) / RATE
    stems = np.zeros((len(time), 2), np.float32)
    rows = []
    for k in range(2 * SECONDS):
        onset, pitch = 0.5 * k + 0.1, int(rng.integers(48, 84))
        rows.append((onset, onset + 0.3, pitch, 80, k % 2))
        sounding = (time >= onset) & (time < onset + 0.3)
        stems[sounding, k % 2] += (
            0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time)[sounding]
        )
    notes = np.array(rows, np.float32)
    return Piece(
        name,
        {"stems": np.round(stems * 32767).astype(np.int16), "notes": notes, "score": notes},
        {"kind": "song", "seconds": SECONDS, "roles": ["lead", "bass"]},
    )


def drawn(crops: HftCrops, n: int) -> list[Batch]:
    rng = np.random.default_rng(3)
    return [crops.draw(rng) for _ in range(n)]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    append_manifest(
        folder, write_shard(folder / "shard-00000.tar", [song("a-0", 1), song("b-0", 2)])
    )
    return folder


@pytest.fixture
def config(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApcSettings:
    monkeypatch.setitem(hft_run.NETWORKS, "small", TINY)
    return ApcSettings(
        tmp_path / "run",
        train=(shards,),
        valid=(shards,),
        amt_steps=3,
        extend_steps=1,
        apc_steps=2,
        amt_frames=8,
        n_frames=12,
        batch=2,
        valid_every=2,
        valid_crops=2,
        learning_rate=1e-3,
        workers=0,
    )


def test_a_crop_has_sound_and_targets_at_the_same_time(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "master", lambda sound, *_: sound)
    monkeypatch.setattr(sampler, "draw_gains", lambda roles, _: np.ones(len(roles), np.float32))
    crops = HftCrops((shards,), "transcribe", MEL_HFT, 90, 8)
    layer = Features(MEL_HFT)
    for crop in drawn(crops, 6):
        assert crop.samples.shape == (crop_samples(MEL_HFT, 90, 8),)
        energy = layer(crop.samples[None])[0, 8:-8].exp().sum(1)  # of the frames with targets
        loud = (energy > 0.05 * energy.max()).float()
        sounding = crop.targets.frame.amax(1)
        assert (loud == sounding).float().mean() > 0.85  # a window blurs by four frames
        shifted = [(loud == sounding.roll(k)).float().mean() for k in (-12, 0, 12)]
        assert max(shifted) == shifted[1]


def test_a_bent_crop_is_labelled_as_it_sounds(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "master", lambda sound, *_: sound)
    monkeypatch.setattr(sampler, "draw_gains", lambda roles, _: np.ones(len(roles), np.float32))
    crops = HftCrops((shards,), "transcribe", MEL_HFT, 60, 0)
    for crop in drawn(crops, 6):
        sounding = crop.targets.frame.numpy()
        rows = np.flatnonzero((sounding.sum(1) == 1) & (np.roll(sounding, 8, 0).sum(1) == 1))
        for row in rows[:1]:  # eight frames into a note
            pitch = 21 + int(sounding[row].argmax())
            part = crop.samples[row * 256 : row * 256 + 2048].numpy() * np.hanning(2048)
            peak = np.abs(np.fft.rfft(part, 16 * 2048)).argmax() * RATE / (16 * 2048)
            if sounding[row - 6 : row, pitch - 21].all():
                assert 69 + 12 * np.log2(peak / 440) == pytest.approx(pitch, abs=0.4)


def test_a_folder_without_covers_is_refused(tmp_path: Path) -> None:
    piece = song("a-0", 1)
    del piece.arrays["notes"]
    append_manifest(tmp_path, write_shard(tmp_path / "shard-00000.tar", [piece]))
    with refused(DataError, "notes"):
        HftCrops((tmp_path,), "cover", MEL_HFT, 8, 0).draw(np.random.default_rng(0))


def test_crops_repeat_with_their_seed(shards: Path) -> None:
    one, other = (
        collate(drawn(crops, 2))
        for crops in (HftCrops((shards,), "cover", MEL_HFT, 8, 4) for _ in range(2))
    )
    assert torch.equal(one.samples, other.samples)
    assert torch.equal(one.targets.velocity, other.targets.velocity)
    assert one.style.sum(1).tolist() == pytest.approx([3.0, 3.0], abs=1e-4)


def test_three_stages_lead_to_a_cover_model(config: ApcSettings) -> None:
    path = train(config)
    assert path == config.out / "apc.pt"
    checkpoint = load_checkpoint(path)
    network = network_of(checkpoint)
    assert network.config == replace(TINY, n_frames=12, has_style=True)
    amt = load_checkpoint(config.out / "amt.pt")
    assert amt["network"]["n_frames"] == 8 and not amt["network"]["has_style"]
    assert checkpoint["validation"].keys() == {"loss", "onset", "frame", "velocity", "average"}
    assert checkpoint["data"].keys() == {str(config.train[0])}
    assert checkpoint["train"]["seed"] == 1
    lines = [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["amt", "amt", "extend", "apc"]


def test_a_stopped_run_goes_on(config: ApcSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    n_learned = 0

    def stopped(self: train_hft.StageTask) -> None:
        nonlocal n_learned
        n_learned += 1
        if n_learned == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(train_hft.StageTask, "after_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    assert signal.getsignal(signal.SIGTERM) == before
    left = load_checkpoint(config.out / "last.pt")
    assert (left["stage"], left["step"]) == ("amt", 2)
    network_of(left)
    assert train(config).name == "apc.pt"
    assert n_learned == 3 + 1 + 2
    train(config)  # nothing is left to do
    assert n_learned == 3 + 1 + 2


def test_the_best_loss_of_an_older_version_stays_the_best(config: ApcSettings) -> None:
    config = replace(config, stages=("amt",))
    train(replace(config, minutes=1e-6))
    last = config.out / "last.pt"
    older = {name: v for name, v in load_checkpoint(last).items() if name != "best_score"}
    write_checkpoint(last, {**older, "best": 1e-9})
    train(config)
    assert load_checkpoint(last)["best_score"] == -1e-9
    assert not (config.out / "amt.pt").exists()  # no loss was lower


def test_time_over_leaves_a_run_that_goes_on(config: ApcSettings) -> None:
    short = replace(config, minutes=1e-6)
    assert train(short).name == "last.pt"
    assert load_checkpoint(config.out / "last.pt")["step"] == 1
    assert train(config).name == "apc.pt"


def test_another_models_checkpoint_is_refused_by_name(config: ApcSettings) -> None:
    config.out.mkdir()
    last = config.out / "last.pt"
    torch.save({"recipe": "train-cover"}, last)
    with refused(ModelError, "last.pt", "train-hft", "train-cover"):
        train(config)
    last.write_bytes(b"no checkpoint")
    with refused(ModelError, "last.pt", "train-hft"):
        train(config)


def test_a_run_of_other_settings_is_refused_by_name(config: ApcSettings) -> None:
    config = replace(config, stages=("apc",), apc_steps=1)
    train(config)
    with refused(ModelError, "has_style", "True", "False"):
        train(replace(config, has_style=False))
    begun = replace(config, out=config.out / "next", begin_with=config.out / "apc.pt")
    with pytest.raises(ModelError, match="holds .* not the network 'paper'"):
        train(replace(begun, network="paper"))
    with pytest.raises(ModelError, match="stage apc cannot begin with it: .* may only grow"):
        train(replace(begun, n_frames=8))


def test_a_full_disk_leaves_the_checkpoint_before(
    config: ApcSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(replace(config, minutes=1e-6))
    last = config.out / "last.pt"

    def full(_: object, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with refused(DataError, ".pt", "make room"):
        train(replace(config, minutes=1e-6))
    assert load_checkpoint(last)["step"] == 1
    assert not list(config.out.glob("*.partial"))


def test_settings_are_checked(config: ApcSettings) -> None:
    for wrong, words in (
        ({"network": "huge"}, "network must be one of paper, small, not 'huge'"),
        ({"stages": ("x",)}, r"stages must be some of amt, extend, apc, not \['x'\]"),
        ({"stages": ("apc", "amt")}, "stages must be in order, amt, extend, apc, not apc, amt"),
        ({"apc_steps": 0}, "apc_steps must be a whole number from 1 to .*, not 0"),
    ):
        with pytest.raises(ConfigError, match=words):
            replace(config, **wrong)


def test_ablation_has_the_papers_rows_and_goes_on(config: ApcSettings) -> None:
    config = replace(config, amt_steps=1, apc_steps=1)
    with pytest.raises(DataError, match="expected shards"):
        ablation(config, (config.out / "nowhere",))
    assert not config.out.is_dir()  # it is said before the hours
    rows = ablation(config, config.valid)
    assert tuple(row.model for row in rows) == ROWS
    assert all(0 <= row.average <= 1 and row.loss > 0 for row in rows)
    assert table(rows).count("\n") == 5
    assert len(json.loads((config.out / "ablation.json").read_text())["rows"]) == 4
    lines = (config.out / "full" / "log.jsonl").read_text()
    assert ablation(config, config.valid) == rows
    assert (config.out / "full" / "log.jsonl").read_text() == lines


def test_a_checkpoint_becomes_a_model_that_the_engine_plays(config: ApcSettings) -> None:
    from engine.model.pipeline import load_pipeline
    from engine.model.window_model import WindowModel

    config = replace(config, stages=("apc",), apc_steps=1, n_frames=32)
    path = export_hft(train(config), config.out, "tiny-studio", covers=config.train)
    pipeline = load_pipeline(path)
    assert isinstance(pipeline.model, WindowModel)
    assert sorted(pipeline.spec.styles) == ["balanced", "calm", "intense"]
    assert pipeline.spec.decoding.frame_off_threshold == 0.5
    pipeline.model = pipeline.model.offline_variant()
    pipeline.style = np.array(pipeline.spec.styles["calm"], np.float32)
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    n_answered = len(pipeline.push(noise.astype(np.float32))) + len(pipeline.flush())
    assert n_answered == RATE // 256 + 1
