"""A model of one's own covers: exported with what is there to tune on, and given new presets."""

import dataclasses
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.errors import DataError, ModelError
from engine.model.model_files import load_model, model_path
from models.features import LOG_STFT_16K
from models.spec import Decoding
from models.streaming import StreamingConfig, StreamingCover
from offline_train.cli import main
from offline_train.data.shards import Piece
from offline_train.evaluation.tuning import TuningExample
from offline_train.exporting import thresholds
from offline_train.exporting.release import cover_spec, restyle
from offline_train.exporting.thresholds import cover_decoding, own_covers, pair_examples
from offline_train.training.cover.task import load_checkpoint
from tests.messages import refused
from tests.offline_train.shard_fixtures import recording, song, write_folder

SMALL = StreamingConfig(conv_channels=4, channels=8, trunk=8, context=8, hidden=8)


def pair(name: str, seconds: float) -> Piece:
    """A song and its cover as ``pairs`` leaves them."""
    made = song(name, seconds)
    arrays = {"stems": made.arrays["stems"][:, :1], "notes": made.arrays["notes"]}
    return Piece(name, arrays, {"seconds": seconds, "roles": ["recording"], "kind": "pair"})


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``pairs`` writes it, and in it a checkpoint to start from."""
    folder = tmp_path_factory.mktemp("mine")
    write_folder(folder / "train", [pair("a", 6.0), pair("b", 5.0)])
    write_folder(folder / "valid", [pair("v", 5.0)])
    weights = StreamingCover(SMALL).state_dict()
    start = {"recipe": "train-cover", "network": SMALL.to_dict(), "ema": weights}
    torch.save(start, folder / "start.pt")
    return folder


def test_own_covers_are_gone_on_with_exported_and_played(
    mine: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIVECOVER_DATA", str(tmp_path / "not asked for"))
    monkeypatch.setattr(thresholds, "TUNING_S", 3.0)
    caplog.set_level(logging.INFO)
    prepared = ["--prepared", str(mine)]
    budget = ["--hours", "1e-9", "--frames", "64"]  # one step
    start = ["--start-from", str(mine / "start.pt"), "--out", str(tmp_path)]
    assert main(["train", *prepared, *budget, *start]) == 0
    last = tmp_path / "last.pt"
    assert load_checkpoint(last)["network"] == SMALL.to_dict()  # the start's, unasked
    said = ["export", *prepared, "--checkpoint", str(last), "--out", str(tmp_path)]
    assert main([*said, "--name", "mine"]) == 0
    assert f"mine: tuning thresholds on the covers in {mine / 'valid'}: 1" in caplog.text
    assert "giantmidi-solo-valid to tune transcribe on" in caplog.text
    assert not (tmp_path / "transcribe.onnx").exists()
    spec = load_model(tmp_path / "mine.onnx").spec
    assert spec.name == "mine" and spec.trained["songs"] == 2
    assert spec.decoding.notes_per_second == pytest.approx(5, abs=1)  # a note every 0.2 s
    covers = ["--covers", str(mine / "valid"), "--out", str(tmp_path / "again" / "new.onnx")]
    assert main(["restyle", str(tmp_path / "mine.onnx"), *covers]) == 0
    assert load_model(tmp_path / "again" / "new.onnx").spec.name == "new"
    assert (tmp_path / "again" / f"{LOG_STFT_16K.name}.frontend.onnx").is_file()


def test_the_middle_of_a_cover_is_tuned_on(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard_s = []

    def listen(_: object, samples: np.ndarray, style: str) -> object:
        heard_s.append(len(samples) / 16000)
        return None

    monkeypatch.setattr(thresholds, "listen", listen)
    monkeypatch.setattr(thresholds, "load_pipeline", lambda _: None)
    monkeypatch.setattr(thresholds, "TUNING_S", 4.2 / thresholds.TUNING_SONGS)
    (heard,) = pair_examples(Path(), own_covers(mine / "valid"))  # one has the time of all
    assert isinstance(heard, TuningExample) and heard_s == [4.2]
    assert heard.human[0, 0] == pytest.approx(0.1, abs=0.01) and heard.human[-1, 0] < 4.2


def test_without_covers_the_shipped_thresholds_stay(
    mine: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert own_covers(tmp_path / "nowhere") == []
    valid = write_folder(tmp_path / "valid", [song("not by pairs", 2.0)])
    network = StreamingCover(SMALL)
    spec = cover_spec(network, mine / "train", "mine", {})
    decoding = cover_decoding(network, spec, valid, None, tmp_path)
    assert "mine: keeping the thresholds of the shipped model live" in caplog.text
    shipped = load_model("live").spec.decoding
    assert dataclasses.replace(decoding, notes_per_second=shipped.notes_per_second) == shipped
    assert decoding != Decoding()


def test_training_without_songs_to_check_with_says_so_first(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(mine / "train", tmp_path / "train")
    assert main(["train", "--prepared", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err
    assert "valid: expected shards" in line and line.endswith("prepare or pairs\n")
    assert not (tmp_path / "out").exists()


def test_a_shipped_model_is_not_rewritten(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = model_path("live").stat().st_mtime_ns
    assert main(["restyle", "live", "--covers", str(mine / "train")]) == 2
    assert "expected --out FILE.onnx: the shipped live stays" in capsys.readouterr().err
    assert model_path("live").stat().st_mtime_ns == before


def test_presets_of_no_covers_are_refused(tiny_stateful_path: Path, tmp_path: Path) -> None:
    covers = write_folder(tmp_path / "covers", [recording("r", 2.0)])
    with pytest.raises(DataError, match="covers: expected shards with covers"):
        restyle(tiny_stateful_path, covers, tmp_path / "out" / "new.onnx")


def test_a_window_model_is_restyled_in_both_its_files(
    tiny_window_path: Path, mine: Path, tmp_path: Path
) -> None:
    out = restyle(tiny_window_path, mine / "train", tmp_path / "new.onnx")
    assert set(load_model(out).spec.styles) == {"calm", "balanced", "intense"}


def test_a_model_is_given_the_presets_of_covers(tiny_stateful_path: Path, tmp_path: Path) -> None:
    for part in tiny_stateful_path.parent.iterdir():
        (tmp_path / part.name).write_bytes(part.read_bytes())
    model = tmp_path / tiny_stateful_path.name
    before = load_model(model).spec
    covers = write_folder(tmp_path / "covers", [song("a", 6.0), song("b", 8.0)])
    after = load_model(restyle(model, covers)).spec
    assert set(after.styles) == {"calm", "balanced", "intense"}
    assert after.decoding.notes_per_second > before.decoding.notes_per_second == 0
    assert after.features == before.features


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_what_is_no_model_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "some.onnx"
    if content is not None:
        path.write_bytes(content)
    with refused(ModelError, "some.onnx", "livecover-train"):
        restyle(path, tmp_path)
