"""The whole recipe on a made-up song, command by command, as docs/training.md tells it."""

import json
from pathlib import Path

import pytest

from engine.model.model_files import load_model
from offline_train.cli import main
from offline_train.synthesis import band_renders, stems
from offline_train.synthesis.band_renders import HELD_OUT_SOUNDFONT
from tests.offline_train.fixtures import write_data, write_solo


@pytest.mark.e2e
def test_prepare_train_export_evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for names in ("TRAIN_SOUNDFONTS", "TRAIN_DRUMS"):  # what the tests' machine has
        monkeypatch.setattr(stems, names, (HELD_OUT_SOUNDFONT,) * 3)
        monkeypatch.setattr(band_renders, names, (HELD_OUT_SOUNDFONT,) * 3)
    monkeypatch.setattr(stems, "PIANOS", ((HELD_OUT_SOUNDFONT, 0),))
    data = write_data(tmp_path / "data")
    write_solo(data / "giantmidi", 2)
    monkeypatch.setenv("LIVECOVER_DATA", str(data))
    monkeypatch.chdir(tmp_path)
    for split in ("train", "valid"):
        assert main(["prepare", "--split", split, "--workers", "1"]) == 0
    solo = ["--corpus", "giantmidi", "--solo", "--split", "valid"]
    assert main(["prepare", *solo, "--workers", "1"]) == 0
    assert main(["train", "--hours", "1e-9", "--frames", "64", "--batch", "2"]) == 0
    assert main(["export", "--out", "models"]) == 0
    model = load_model(tmp_path / "models" / "live.onnx")
    assert set(model.spec.styles) == {"calm", "balanced", "intense"}
    assert model.spec.trained["songs"] == 2
    assert model.spec.decoding.notes_per_second > 0
    assert load_model(tmp_path / "models" / "transcribe.onnx").spec.outputs[0] == "onset"
    command = ["evaluate", "models/live.onnx", "--limit", "1", "--baselines", "human"]
    assert main([*command, "--without-qmax", "--json", "scores.json"]) == 0
    assert "| onset F1 (50 ms), all notes counted together | " in capsys.readouterr().out
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert list(scores["rungs"]["b"]["systems"]["human"]["each"]) == ["902"]


@pytest.mark.parametrize("arguments", [[], ["--data", "nowhere"]])
def test_without_data_it_says_where_to_get_them(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LIVECOVER_DATA", raising=False)
    assert main(["evaluate", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "POP909-Dataset" in said and (arguments or ["none"])[-1] in said


def test_a_folder_without_splits_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pop909").mkdir()
    assert main(["prepare", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "splits.json" in capsys.readouterr().err
