"""What a cover on the beat hears of the tune."""

import numpy as np
import pytest

from engine.beat.steps.sound import SoundGatherer
from engine.core.notes import Posteriors
from engine.cover.hearing import CoverHearing
from models.spec import N_PITCHES
from tests.engine.fakes import SPEC

FRAME_S = 0.02
KEY = 39


@pytest.fixture
def hearing() -> CoverHearing:
    """A key that sounds from frame 100 to 200, the tune's in the second half of that."""
    frame = np.zeros((300, N_PITCHES), np.float32)
    melody = np.zeros_like(frame)
    frame[100:200, KEY], melody[150:, KEY] = 0.8, 0.5
    heard = CoverHearing(FRAME_S, SoundGatherer(SPEC.features))
    heard.push(Posteriors(np.arange(300), np.zeros_like(frame), frame, frame, melody))
    return heard


@pytest.mark.parametrize(
    ("begin", "end", "sung"),
    [
        (3.0, 4.0, 0.4),
        (2.0, 3.0, 0.0),
        (2.8, 3.2, 0.2),
        (5.9, 6.5, 0.0),  # up to what is known
        (7.0, 8.0, 0.0),
        (-1.0, -0.5, 0.0),
    ],
)
def test_how_likely_a_key_is_sung(
    hearing: CoverHearing, begin: float, end: float, sung: float
) -> None:
    assert hearing.sung(KEY, begin, end) == pytest.approx(sung)
    assert hearing.sung(KEY + 1, begin, end) == 0


def test_how_likely_a_key_was_struck_next_to_a_time() -> None:
    onset = np.zeros((50, N_PITCHES), np.float32)
    onset[20, KEY] = 0.7
    hearing = CoverHearing(FRAME_S, SoundGatherer(SPEC.features))
    hearing.push(Posteriors(np.arange(50), onset, onset, onset, onset))
    near = [hearing.struck(KEY, frame * FRAME_S) for frame in (16, 17, 23, 24, 90)]
    assert near == pytest.approx([0, 0.7, 0.7, 0, 0])
