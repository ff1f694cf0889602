"""The training command's answers to what it cannot take: one line and exit code 2."""

import sys
from pathlib import Path

import pytest

from offline_train.cli import main
from offline_train.recipes.amt_apc_run import ApcSettings


@pytest.mark.parametrize("count", ["0", "-1", "two", "1.5"])
def test_count_that_is_none_is_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--steps", count])
    assert stop.value.code == 2
    assert f"expected a whole number from 1 on, not {count}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0", "fast"])
def test_learning_rate_that_is_none_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("train", "train-apc"):
        with pytest.raises(SystemExit) as stop:
            main([command, f"--learning-rate={text}"])
        assert stop.value.code == 2
        assert f"expected a number from 1e-09 on, not {text}" in capsys.readouterr().err


def test_share_above_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["export", "--transcription-residual-weight", "1.5"])
    assert stop.value.code == 2
    assert "expected a number from 0 to 1, not 1.5" in capsys.readouterr().err


def test_folder_that_cannot_be_made_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    assert main(["sketch-window", "--network", "window", "--out", str(in_the_way / "out")]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and str(in_the_way) in line


def test_a_package_that_training_needs_is_named_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as without:
        without.delitem(sys.modules, "offline_train.recipes.amt_apc", raising=False)
        without.setitem(sys.modules, "torch", None)
        assert main(["train-apc"]) == 2
    said = capsys.readouterr().err
    assert "livecover-train: this needs torch, which is not installed; type: " in said
    monkeypatch.setitem(sys.modules, "offline_train.recipes.amt_apc", None)
    assert main(["train-apc"]) == 70  # a fault of the program's own
    assert "this needs" not in capsys.readouterr().err  # what is not found is ours


def test_train_apc_goes_through_the_stages_that_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[ApcSettings] = []
    monkeypatch.setattr("offline_train.recipes.amt_apc.train", asked.append)
    begun = tmp_path / "amt.pt"
    for options in ([], ["--stages", "apc", "--begin-with", str(begun)]):
        assert main(["train-apc", *options]) == 0
    assert [c.stages for c in asked] == [("amt", "extend", "apc"), ("apc",)]
    assert [c.begin_with for c in asked] == [None, begun]
    with pytest.raises(SystemExit) as stop:
        main(["train-apc", "--stages", "cover"])
    assert stop.value.code == 2 and "invalid choice: 'cover'" in capsys.readouterr().err


def test_stages_out_of_order_are_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train-apc", "--stages", "apc", "amt", "--out", str(tmp_path)]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "stages must be in order, amt, extend, apc, not apc, amt" in line
