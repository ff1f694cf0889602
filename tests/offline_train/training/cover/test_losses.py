"""The loss terms against hand-made cases."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.streaming import COVER, TRANSCRIPTION_PREFIX
from models.trunk import TRANSCRIPTION
from offline_train.training.cover.losses import Weights, as_dense_as, consistency_loss, cover_loss

NAMES = (*COVER, *(TRANSCRIPTION_PREFIX + name for name in TRANSCRIPTION))


def batch_of(size: int) -> dict[str, Tensor]:
    batch = {name: torch.zeros(size, 4, 88) for name in NAMES}
    for prefix in ("", TRANSCRIPTION_PREFIX):
        batch[prefix + "onset"][:, 1, 40] = batch[prefix + "frame"][:, 1, 40] = 1.0
        batch[prefix + "velocity"][:, 1, 40] = 0.7
    flags = ("has_cover", "has_transcription", "has_velocity", "has_melody")
    return batch | {name: torch.ones(size) for name in flags}


def logits_of(size: int) -> dict[str, Tensor]:
    return {name: torch.full((size, 4, 88), -2.0) for name in NAMES}


def test_the_loss_falls_when_the_answer_is_nearer() -> None:
    batch, far, near = batch_of(1), logits_of(1), logits_of(1)
    for prefix in ("", TRANSCRIPTION_PREFIX):
        near[prefix + "onset"][0, 1, 40] = near[prefix + "frame"][0, 1, 40] = 3.0
        near[prefix + "velocity"][0, 1, 40] = float(np.log(0.7 / 0.3))
    before, after = cover_loss(far, batch, Weights()), cover_loss(near, batch, Weights())
    for name in before:
        if name != "melody":
            assert after[name] < before[name]
    assert after["velocity"] == pytest.approx(0.0, abs=1e-6)


def test_what_has_no_labels_does_not_count() -> None:
    batch, logits = batch_of(2), logits_of(2)
    batch["has_cover"] = torch.tensor([1.0, 0.0])
    alone = cover_loss(logits, batch, Weights())
    for name in COVER:  # the second row may be anything
        logits[name] = torch.cat([logits[name][:1], torch.randn(1, 4, 88)])
    for name, value in cover_loss(logits, batch, Weights()).items():
        torch.testing.assert_close(value, alone[name])
    batch["has_cover"] = torch.zeros(2)
    assert cover_loss(logits, batch, Weights())["onset"] == 0


def test_where_nobody_knows_the_tune_it_does_not_count() -> None:
    batch, logits = batch_of(1), logits_of(1)
    known = cover_loss(logits, batch, Weights())
    batch["has_melody"] = torch.zeros(1)
    unknown = cover_loss(logits, batch, Weights())
    assert known.pop("melody") > 0 == unknown.pop("melody")
    assert known == unknown


def test_logits_are_moved_until_they_are_as_dense() -> None:
    logits = torch.randn(1, 50, 88) - 5
    found = as_dense_as(logits, torch.tensor(0.03))
    assert found.mean() == pytest.approx(0.03, rel=1e-2)
    order = found.flatten()[logits.flatten().argsort()]
    assert (order.diff() >= 0).all()  # the same order
    assert as_dense_as(logits - 9, torch.tensor(0.5)).mean() < 0.05  # silence stays silent


def test_consistency_is_least_where_both_agree() -> None:
    clean = {name: torch.randn(2, 4, 88) - 3 for name in ("onset", "frame")}
    mass = {name: torch.sigmoid(value).mean() for name, value in clean.items()}
    same = consistency_loss(clean, clean, mass, Weights())
    other = {name: value + torch.randn_like(value) for name, value in clean.items()}
    assert same < consistency_loss(other, clean, mass, Weights())


def test_the_tune_can_weigh_more() -> None:
    batch, logits = batch_of(1), logits_of(1)
    plain = cover_loss(logits, batch, Weights())["onset"]
    assert cover_loss(logits, batch, Weights(tune=3.0))["onset"] == plain  # there is none
    batch["melody"][:, 1, 40] = 1.0
    once, thrice = (cover_loss(logits, batch, Weights(tune=t))["onset"] for t in (1.0, 3.0))
    error = torch.nn.functional.softplus(torch.tensor(2.0))  # of the tune's only onset
    torch.testing.assert_close(thrice - once, 2 * Weights().onset * error / (4 * 88))
