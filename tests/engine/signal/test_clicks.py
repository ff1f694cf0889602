"""Clicks and notes are found where they were put, through noise, echoes and slow attacks."""

import numpy as np
import pytest

from engine.signal.clicks import (
    find_clicks,
    find_notes,
    make_click,
    summarise,
)

RATE = 48000
WANTED = [0.5, 1.2, 1.9]


def recording(delay: float, noise: float, seed: int = 0) -> np.ndarray:
    """Return noise with a click ``delay`` seconds after each time, and an echo of it."""
    rng = np.random.default_rng(seed)
    sound = noise * rng.standard_normal(round(2.8 * RATE)).astype(np.float32)
    click = make_click(RATE)
    for time in WANTED:
        for later, gain in ((0.0, 0.3), (0.013, 0.15)):
            start = round((time + delay + later) * RATE)
            sound[start : start + len(click)] += gain * click
    return sound


@pytest.mark.parametrize("delay", [-0.004, 0.0, 0.0317, 0.25])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_click_is_found_to_a_sample_or_two(delay: float, noise: float) -> None:
    found = find_clicks(recording(delay, noise), RATE, WANTED, 0.5)
    assert found == pytest.approx([delay] * 3, abs=5e-5)


def test_what_is_not_heard_is_left_out() -> None:
    rng = np.random.default_rng(1)
    noise = 0.1 * rng.standard_normal(round(2.8 * RATE)).astype(np.float32)
    assert find_clicks(noise, RATE, WANTED, 0.5) == []
    assert find_clicks(np.zeros(100, np.float32), RATE, WANTED, 0.5) == []
    assert find_notes(noise, RATE, WANTED, 0.5) == []
    assert find_notes(np.zeros(100, np.float32), RATE, WANTED, 0.5) == []


def test_a_note_begins_where_its_level_rises() -> None:
    t = np.arange(round(0.3 * RATE)) / RATE
    note = np.minimum(1, t / 0.005) * np.exp(-6 * t) * np.sin(2 * np.pi * 1046.5 * t)
    sound = 0.001 * np.random.default_rng(2).standard_normal(round(2.8 * RATE))
    for time in WANTED:
        start = round((time + 0.06) * RATE)
        sound[start : start + len(note)] += 0.4 * note
    found = find_notes(sound.astype(np.float32), RATE, WANTED, 0.5)
    assert found == pytest.approx([0.061] * 3, abs=1.5e-3)  # a fifth of an attack of 5 ms


def test_one_answer_far_off_counts_little() -> None:
    found = summarise([0.1] * 11 + [0.4])
    assert found.seconds == pytest.approx(0.1) and found.n_heard == 12
    assert found.low == pytest.approx(0.1) and found.high > 0.1
    assert summarise([0.2]).seconds == 0.2
