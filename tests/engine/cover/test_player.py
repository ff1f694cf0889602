"""A free cover's player: its notes end where their sound has faded, a transcription's do not."""

import dataclasses

import numpy as np
import pytest

from engine.core.notes import NoteEvent, Posteriors, notes_of
from engine.core.settings import EngineSettings
from engine.cover.player import CoverPlayer
from models.spec import N_PITCHES, Decoding
from tests.engine.fakes import PITCH, make_pipeline, model_of

FRAME_S = 0.01
STRUCK, FADED, GONE, N = 10, 40, 80, 100
KEY = PITCH - 21


def fading() -> Posteriors:
    """Return a key that is struck, sounds at 0.9 until ``FADED``, then at 0.36 until ``GONE``."""
    onset, frame = (np.zeros((N, N_PITCHES), np.float32) for _ in range(2))
    onset[STRUCK, KEY] = 0.9
    frame[STRUCK:FADED, KEY], frame[FADED:GONE, KEY] = 0.9, 0.36
    return Posteriors(np.arange(N), onset, frame, np.full((N, N_PITCHES), 0.5, np.float32))


@pytest.mark.parametrize(("notes_per_second", "end"), [(6.0, FADED), (0.0, GONE)])
def test_a_covers_note_ends_where_it_has_faded(notes_per_second: float, end: int) -> None:
    pipeline = make_pipeline()
    decoding = Decoding(frame_off_threshold=0.2, notes_per_second=notes_per_second)
    model_of(pipeline).spec = dataclasses.replace(pipeline.spec, decoding=decoding)
    player = CoverPlayer(pipeline, EngineSettings())
    events: list[NoteEvent] = notes_of(player.finish(fading(), 1.0))
    assert [event.is_on for event in events] == [True, False]
    assert events[0].time == pytest.approx(STRUCK * FRAME_S, abs=FRAME_S)
    assert events[1].time == pytest.approx(end * FRAME_S, abs=FRAME_S)
