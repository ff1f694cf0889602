"""What the accompanist plays itself counts for less in what it hears, and nothing else does."""

import numpy as np

from engine.accompany.own_sound import AFTER_S, BEFORE_S, LEFT, RING_S, OwnSound
from engine.core.notes import NoteEvent, Posteriors

FRAME_S = 0.01


def ones(start: int, stop: int) -> Posteriors:
    rows = np.ones((stop - start, 88), np.float32)
    return Posteriors(np.arange(start, stop), rows, rows, rows)


def test_a_note_is_taken_out_while_it_is_heard() -> None:
    own = OwnSound(FRAME_S)
    own.play([NoteEvent(1.0, 60, 80), NoteEvent(1.5, 60, 0)])
    heard = own.take_out(ones(0, 300))
    times = np.arange(300) * FRAME_S
    near = 1e-6
    is_struck = (times >= 1.0 - BEFORE_S - near) & (times <= 1.0 + AFTER_S + near)
    is_held = (times >= 1.0 - BEFORE_S - near) & (times <= 1.5 + RING_S + near)
    np.testing.assert_array_equal(heard.onset[:, 60 - 21], np.where(is_struck, LEFT, 1))
    np.testing.assert_array_equal(heard.frame[:, 60 - 21], np.where(is_held, LEFT, 1))
    others = np.arange(88) != 60 - 21
    assert heard.onset[:, others].all()
    assert heard.frame[:, others].all()


def test_frames_that_come_one_by_one_are_as_at_once() -> None:
    events = [NoteEvent(k * 0.2, 60 + k % 3, 80 * (k % 4 != 3)) for k in range(20)]
    whole, parts = OwnSound(FRAME_S), OwnSound(FRAME_S)
    whole.play(events)
    expected = whole.take_out(ones(0, 500))
    parts.play(events)
    found = [parts.take_out(ones(k, k + 1)) for k in range(500)]
    np.testing.assert_array_equal(np.concatenate([p.frame for p in found]), expected.frame)
    np.testing.assert_array_equal(np.concatenate([p.onset for p in found]), expected.onset)


def test_keys_off_the_piano_and_nothing_heard_are_no_matter() -> None:
    own = OwnSound(FRAME_S)
    own.play([NoteEvent(0.0, 10, 80), NoteEvent(0.0, 120, 80)])
    assert own.take_out(ones(0, 10)).frame.all()
    assert len(own.take_out(ones(0, 0))) == 0
