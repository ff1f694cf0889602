"""What earlier versions wrote is read: checkpoints, options and results by their old names."""

import logging
from pathlib import Path

import pytest
import torch

from models.streaming import StreamingConfig, StreamingCover
from offline_train.cli import main
from offline_train.training.checkpoints import write_checkpoint
from offline_train.training.cover.task import load_checkpoint, network_of
from offline_train.training.renamed import OPTIONS, SETTINGS, WEIGHTS

SMALL = StreamingConfig(conv_channels=4, channels=8, trunk=8, context=8, hidden=8, refine_hidden=4)
SHIPPED = Path(__file__).parents[3] / "models" / "weights"


def with_old_names(network: StreamingCover) -> dict[str, object]:
    """Return a checkpoint as versions before the new names wrote it."""
    old = {new: name for name, new in SETTINGS.items()}
    weights = {}
    for name, value in network.state_dict().items():
        for before, now in WEIGHTS.items():
            name = name.replace(now, before)
        weights[name] = value
    settings = {old.get(name, name): value for name, value in network.config.to_dict().items()}
    return {"recipe": "train-cover", "network": settings, "ema": weights, "model": weights}


def test_a_checkpoint_with_old_names_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network, path = StreamingCover(SMALL), tmp_path / "old.pt"
    checkpoint = with_old_names(network)
    assert "again" in checkpoint["network"]  # type: ignore[operator]
    write_checkpoint(path, checkpoint)
    with caplog.at_level(logging.INFO):
        found = load_checkpoint(path)
    (record,) = caplog.records
    for old, new in {**SETTINGS, **WEIGHTS}.items():
        assert f"{old} is {new} now" in record.getMessage()
    assert found["network"] == SMALL.to_dict()
    assert found["model"].keys() == network.state_dict().keys()
    for name, value in network_of(found).state_dict().items():
        assert torch.equal(value, network.state_dict()[name])


def test_a_checkpoint_with_new_names_is_read_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network, path = StreamingCover(SMALL), tmp_path / "new.pt"
    state = {"ema": network.state_dict(), "network": SMALL.to_dict()}
    write_checkpoint(path, {"recipe": "train-cover", **state})
    with caplog.at_level(logging.INFO):
        assert load_checkpoint(path)["network"] == SMALL.to_dict()
    assert not caplog.records


@pytest.mark.parametrize("name", ["start.pt", "transcriber.pt"])
def test_the_weights_in_the_checkout_are_read(name: str) -> None:
    network = network_of(load_checkpoint(SHIPPED / name))
    assert bool(network.config.refine_hidden) == (name == "transcriber.pt")


@pytest.mark.parametrize("option", OPTIONS)
def test_an_old_option_is_taken_for_the_new_one(
    option: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "train" if option == "--again" else "export"
    with pytest.raises(SystemExit):
        main([command, f"{option}=-1"])
    assert f"argument {OPTIONS[option]}:" in capsys.readouterr().err
    assert f"{option} is called {OPTIONS[option]} now" in caplog.text
