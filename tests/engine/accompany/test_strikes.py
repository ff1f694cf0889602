"""What was heard of a sixteenth, in halves."""

import numpy as np
import pytest

from engine.accompany.strikes import gather_strikes

FRAME_S = 0.01
STEPS = np.array([0.2, 0.4, 0.6, 0.8])


def test_a_stroke_belongs_to_the_half_step_in_which_it_was_heard() -> None:
    struck, sounding = np.zeros((2, 100, 88), np.float32), np.zeros((1, 100, 88), np.float32)
    (onset, melody), (frame,) = struck, sounding
    onset[36, 5], onset[43, 6] = 0.7, 0.8  # 40 ms before the second step, 30 ms after it
    melody[43, 6] = 0.9
    frame[40:50, 6] = 0.5  # the half after it
    heard = gather_strikes(struck, sounding, FRAME_S, STEPS)
    assert heard.shape == (3, 5, 88)
    assert heard[1, :, 5] == pytest.approx([0.7, 0, 0, 0, 0])
    assert heard[1, :, 6] == pytest.approx([0, 0.8, 0, 0.9, 0.5])
    assert not heard[0].any() and not heard[2].any()


def test_what_is_behind_the_sound_is_silent() -> None:
    rows = np.ones((2, 45, 88), np.float32)
    heard = gather_strikes(rows, rows, FRAME_S, STEPS)
    assert (heard[0] == 1).all()
    assert heard[1].min() > 0 and not heard[2].any()
