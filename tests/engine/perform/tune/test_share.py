"""What share of a threshold is enough for the tune: by how firmly it is struck of late."""

import numpy as np
import pytest

from engine.perform.tune.share import LEAST, MOST, TuneShare, one_voice

MANY = 200


def followed(*heights: float) -> float:
    share = TuneShare()
    for height in heights:
        share.observe(np.full(MANY, height, np.float32))
    return share.value


def test_a_firm_tune_is_asked_for_nearly_all() -> None:
    assert TuneShare().value == MOST == followed(0.8) == followed(1.0)


def test_a_soft_tune_for_less_and_never_for_nothing() -> None:
    assert LEAST < followed(0.55) < MOST
    assert followed(0.4) < followed(0.5) < followed(0.55)
    assert followed(0.05) == LEAST


def test_it_follows_the_song_within_some_attacks() -> None:
    share = TuneShare()
    before = share.value
    share.observe(np.full(3, 0.3, np.float32))
    assert share.value == before
    share.observe(np.full(MANY, 0.3, np.float32))
    assert share.value == LEAST
    share.observe(np.full(MANY, 0.8, np.float32))
    assert share.value == MOST


def test_nothing_struck_changes_nothing() -> None:
    share = TuneShare()
    share.observe(np.zeros(0, np.float32))
    assert share.value == MOST


@pytest.mark.parametrize(("tune", "keys"), [({5: 0.6, 9: 0.3}, [5]), ({5: 0.60, 9: 0.59}, [5, 9])])
def test_a_tune_has_one_voice(tune: dict[int, float], keys: list[int]) -> None:
    row = np.zeros(88, np.float32)
    row[list(tune)] = list(tune.values())
    assert np.flatnonzero(one_voice(row)).tolist() == keys
