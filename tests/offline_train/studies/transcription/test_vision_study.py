"""Paper 3's study on a tiny slice: every kind of run, tables, a model that the engine plays."""

from pathlib import Path

import numpy as np
import pytest

from engine.model.pipeline import load_pipeline
from models.papers.seq2seq import Transformer
from offline_train.data.prepare import PrepareConfig
from offline_train.data.shards import read_manifest
from offline_train.studies.experiments import ExperimentConfig, run_experiment
from offline_train.studies.transcription import vision_ladder, vision_study
from offline_train.studies.transcription.rolls import Cells
from offline_train.studies.transcription.tables import VisionRow, vision_table
from tests.offline_train.shard_fixtures import song, write_folder


def sines(config: PrepareConfig) -> int:
    """Stand for the rendering of piano."""
    if not read_manifest(config.out):
        write_folder(config.out, [song("a", 2.5)])
    return 1


def test_the_study_runs_to_its_end_and_again_from_its_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = tuple(r for r in vision_ladder.PICTURES if r.beta == 0.2)
    some = (vision_ladder.TRANSFORMERS[0], vision_ladder.TRANSFORMERS[-1])
    monkeypatch.setattr(vision_study, "PICTURES", pictures)
    monkeypatch.setattr(vision_study, "LADDER", (*pictures, *some))
    monkeypatch.setattr(vision_study, "prepare", sines)
    config = ExperimentConfig(tmp_path, tmp_path / "out", "tiny")
    report = run_experiment("vision", config)
    for words in (
        "After 1 epoch of",
        "After 2 epochs of",
        "| CRNN | β 0.2 |",
        "mended",
        "given the true",
    ):
        assert words in report
    assert "Through the engine, `crnn.onnx`" in report or "it waits 204 ms" in report
    assert (config.out / "rolls.png").stat().st_size > 5000
    (model,) = [p for p in config.out.glob("*.onnx") if "frontend" not in p.name]
    pipeline = load_pipeline(model)
    assert pipeline.spec.trained["recipe"] == "livecover-train experiment vision"
    sound = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    assert len(pipeline.push(sound)) + len(pipeline.flush()) == 26

    monkeypatch.setattr(vision_study, "fit", None)  # nothing is left to learn
    again = run_experiment("vision", config)
    assert again == report


def test_the_ladder_has_the_papers_runs_and_one_change_at_a_time() -> None:
    names = [rung.name for rung in vision_ladder.LADDER]
    assert "crnn-beta0.2" in names and "transformer-encoder-norm-first" in names
    assert len(set(names)) == len(names) == 19
    assert {(r.network, r.beta) for r in vision_ladder.PICTURES} == {
        (network, beta) for network in ("CRNN", "FCNN") for beta in (0.05, 0.2, 0.5)
    }
    plain = vision_ladder.TRANSFORMERS[4]
    assert plain.transformer == vision_ladder.PAPER
    for rung in vision_ladder.TRANSFORMERS[5:-2]:
        assert rung.transformer is not None
        changed = [
            name
            for name, value in rung.transformer.to_dict().items()
            if value != vision_ladder.PAPER.to_dict()[name]
        ]
        changed += ["beta"] * (rung.beta != plain.beta) + ["rate"] * rung.is_warmed
        assert len(changed) == 1, rung.setting
    network = vision_study.network_of(vision_study.SCALES["tiny"], plain)
    assert isinstance(network, Transformer)


def test_the_table_has_the_papers_columns_and_gains() -> None:
    rows = [
        VisionRow("CRNN", "β 0.2", epoch, Cells(100, 80, both, 10_000), 384_561, 61.4, 0.7)
        for epoch, both in ((1, 40), (2, 60))
    ]
    first, second = vision_table(rows, 1), vision_table(rows, 2)
    assert (
        "| CRNN | β 0.2 | 0.4444 | 0.2222 | 0.5000 | 0.4000 | 0.9900 | 0.70 | 384,561 | 61 |"
    ) in first
    assert "| 0.6667 (+0.2222) | 0.3333 | 0.7500 (+0.2500) | 0.6000 (+0.2000) |" in second
