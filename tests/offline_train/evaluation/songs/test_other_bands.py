"""Rung e's synthesizer: which instruments it takes, and its errors."""

from pathlib import Path

import mido
import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.corpora import Note
from offline_train.evaluation.songs.other_bands import timidity
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.render import RENDER_RATE, players_to_midi
from tests.messages import says
from tests.programs import needs


def scale(program: int) -> mido.MidiFile:
    return players_to_midi([Player("comp", program, [Note(0.5, 1.0, 60, 90)])])


@needs("timidity")
@pytest.mark.parametrize("program", [24, 49, 90])
def test_an_instrument_that_is_not_there_gives_way_to_one_like_it(program: int) -> None:
    audio = timidity(scale(program))
    before, after = audio[: RENDER_RATE // 2 - 400], audio[RENDER_RATE // 2 + 400 : RENDER_RATE]
    assert np.abs(before).max() < 1e-3 < np.abs(after).max()


def test_missing_samples_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        timidity(scale(0), tmp_path / "none.cfg")
    says(error.value, "none.cfg", "timidity and freepats")
