"""Losses, rolls, excerpts and the loop that both papers share."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.core.errors import ConfigError, DataError, ModelError
from models.features import MEL_VISION
from offline_train.studies.transcription.epochs import FitConfig, fit, read_log
from offline_train.studies.transcription.excerpts import Segments, load_excerpts, window
from offline_train.studies.transcription.losses import beta_cross_entropy
from offline_train.studies.transcription.rolls import Cells, notes_of, roll_of, score_notes
from offline_train.training.checkpoints import read_checkpoint, write_checkpoint
from tests.messages import refused
from tests.offline_train.shard_fixtures import song, write_folder


@pytest.mark.parametrize("beta", [0.05, 0.2, 0.5])
def test_the_loss_is_the_papers_formula(beta: float) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(3, 7, 88, generator=generator)
    y = (torch.rand(3, 7, 88, generator=generator) < 0.1).float()
    p = torch.sigmoid(z)
    printed = -(0.95 / (1 - beta) * (1 - y) * (1 - p).log() + 0.05 / beta * y * p.log()).mean()
    meant = -((1 - beta) / 0.95 * (1 - y) * (1 - p).log() + beta / 0.05 * y * p.log()).mean()
    torch.testing.assert_close(beta_cross_entropy(z, y, beta, as_printed=True), printed)
    torch.testing.assert_close(beta_cross_entropy(z, y, beta), meant)
    if beta == 0.05:  # the paper's "unweighted comparison", either way
        torch.testing.assert_close(
            printed, nn.functional.binary_cross_entropy_with_logits(z, y), rtol=1e-5, atol=1e-6
        )


def test_the_loss_stays_a_number_where_the_logarithm_does_not() -> None:
    z = torch.tensor([[500.0, -500.0]])
    assert math.isfinite(beta_cross_entropy(z, torch.tensor([[0.0, 1.0]]), 0.2).item())


@pytest.mark.parametrize("beta", [0.0, 1.0, -3.0])
def test_a_beta_out_of_range_is_refused(beta: float) -> None:
    with pytest.raises(ConfigError, match="beta must be above 0 and below 1"):
        beta_cross_entropy(torch.zeros(1), torch.zeros(1), beta)


def test_notes_come_back_from_their_roll() -> None:
    notes = np.array([(0.113, 0.52, 60, 90, 0), (0.3, 0.8, 64, 70, 0)], np.float32)
    found = notes_of(roll_of(notes, 100, 0.01), 0.01)
    np.testing.assert_allclose(found[:, :2], notes[:, :2], atol=0.0051)  # half a frame
    scores = score_notes([(notes, found)])
    assert scores["note"].f1 == scores["note_with_offset"].f1 == 1.0
    assert scores["frame"].f1 > 0.98


def test_cells_and_the_f1_that_the_paper_prints() -> None:
    """Table 1: CRNN, beta 0.05: precision 0.7435, recall 0.2563, "F1" 0.1903."""
    true, found = np.zeros((10, 88), bool), np.zeros((10, 88), bool)
    true[:, :4], found[:, 3:5] = True, True
    cells = Cells.of(true, found) + Cells.of(true, found)
    assert (cells.precision, cells.recall) == (0.5, 0.25)
    assert cells.f1 == pytest.approx(2 * 0.5 * 0.25 / 0.75)
    assert cells.printed_f1 == pytest.approx(0.5 * 0.25 / 0.75)
    assert cells.accuracy == pytest.approx(1 - 4 / 88)
    assert 0.7435 * 0.2563 / (0.7435 + 0.2563) == pytest.approx(0.1903, abs=5e-4)


def test_features_are_kept_and_silence_lies_around_them(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "p", [song("a", 1.0)])
    (excerpt,) = load_excerpts(folder, MEL_VISION)
    assert excerpt.features.shape == (100, 229)
    kept = folder / "mel-vision" / "a.npy"
    before = kept.stat().st_mtime_ns
    (again,) = load_excerpts(folder, MEL_VISION)
    assert kept.stat().st_mtime_ns == before
    edges = window(again, -2, 104, 3)
    assert edges.shape == (110, 229)
    assert np.allclose(edges[:5], np.log(MEL_VISION.log_floor))
    assert np.array_equal(edges[5:105], again.features.astype(np.float32))


def test_segments_are_the_same_for_an_epoch_and_others_for_the_next(tmp_path: Path) -> None:
    excerpts = load_excerpts(write_folder(tmp_path / "p", [song("a", 1.0)]), MEL_VISION)
    segments = Segments(excerpts, 32, 2, seed=1, margin=4)
    first, same, other = (list(segments.epoch(k)) for k in (0, 0, 1))
    assert len(first) == segments.n_batches == 2
    assert first[0]["features"].shape == (2, 40, 229)
    assert first[0]["roll"].shape == (2, 32, 88)
    assert torch.equal(first[0]["features"], same[0]["features"])
    assert not torch.equal(first[0]["features"], other[0]["features"])
    with refused(DataError, "500"):
        Segments(excerpts, 500, 2, seed=1)


class Line(nn.Module):
    """A line to be found."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 1)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        return torch.as_tensor((self.linear(batch["x"])[:, 0] - batch["x"].sum(1)).square().mean())


def fit_config(name: str, out: Path, epochs: int = 1, seed: int = 1) -> FitConfig:
    return FitConfig(out, name=name, epochs=epochs, epoch_steps=4, learning_rate=0.05, seed=seed)


def batches(epoch: int) -> Iterator[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(epoch)
    for _ in range(4):
        yield {"x": torch.randn(5, 3, generator=generator)}


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    def train(folder: Path, stop_at: int | None) -> Line:
        torch.manual_seed(0)
        line = Line()
        seen = 0

        def stopped(epoch: int) -> Iterator[dict[str, Tensor]]:
            nonlocal seen
            for batch in batches(epoch):
                seen += 1
                if seen == stop_at:
                    import os
                    import signal

                    os.kill(os.getpid(), signal.SIGTERM)
                yield batch

        c = fit_config("line", folder, 3)
        fit(line, line.loss, stopped, lambda: {"size": 1.0}, c)
        return line

    whole = train(tmp_path / "whole", None)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", 6)
    assert len(read_log(tmp_path / "parts")) == 1
    resumed = train(tmp_path / "parts", None)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    logs = [read_log(tmp_path / name) for name in ("whole", "parts")]
    assert [line["epoch"] for line in logs[1]] == [1, 2, 3]
    assert [line["loss"] for line in logs[0]] == pytest.approx([x["loss"] for x in logs[1]])


def test_another_run_in_the_folder_is_refused(tmp_path: Path) -> None:
    line = Line()
    fit(line, line.loss, batches, dict, fit_config("line", tmp_path))
    with refused(ModelError, "circle", "line"):
        fit(line, line.loss, batches, dict, fit_config("circle", tmp_path))
    with refused(ModelError, "seed", "1", "2", "another folder"):
        fit(line, line.loss, batches, dict, fit_config("line", tmp_path, seed=2))


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    line = Line()
    with refused(DataError, "step 0", "loss"):
        fit(line, lambda b: line.loss(b) * math.nan, batches, dict, fit_config("l", tmp_path))


def test_a_run_of_an_older_version_resumes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole, line = Line(), Line()
    c = fit_config("line", tmp_path, 2)
    fit(line, line.loss, batches, dict, fit_config("line", tmp_path / "first"))
    checkpoint = read_checkpoint(tmp_path / "first" / "last.pt", "line")
    older = {name: checkpoint[name] for name in ("recipe", "model", "optimizer")}
    progress = {"epoch": 1, "step": 0, "n_steps": 4, "loss": 0.0, "seconds": 0.0}
    older |= {"fit": {"seed": 1}, "progress": progress, "chance": checkpoint["random_state"]}
    write_checkpoint(tmp_path / "last.pt", older)
    assert [row["epoch"] for row in fit(whole, whole.loss, batches, dict, c)] == [2]
    assert read_checkpoint(tmp_path / "last.pt", "line")["step"] == 8
