"""A held tone that wavers is not struck again; what dips and has an attack is."""

import numpy as np
import pytest

from engine.perform.restrikes import DIP_FRAMES, RestrikeJudge, RestrikeRule


def judged(
    lowest: float = 0.7, peak: float = 0.3, sides: float = 0.1, least: float = -0.5, since: int = 3
) -> bool:
    """Return whether a peak is a new note, where the key was ``lowest`` ``since`` rows before."""
    judge = RestrikeJudge(RestrikeRule(least))
    for row in [0.8] * DIP_FRAMES + [lowest] + [0.8] * since:
        frame, onset = np.full(88, row, np.float32), np.full(88, sides, np.float32)
        found = judge.is_new(frame, onset, np.full(88, peak, np.float32), onset)
    return bool(found.all())


@pytest.mark.parametrize(
    ("for_it", "against_it"),
    [
        ({"lowest": 0.1}, {"lowest": 0.7}),
        ({"peak": 0.95, "sides": 0.3}, {"peak": 0.3, "sides": 0.1}),
        ({"sides": 0.25}, {"sides": 0.02}),
        ({"lowest": 0.3, "least": -2.0}, {"lowest": 0.3, "least": 2.0}),
        ({"lowest": 0.1, "since": DIP_FRAMES - 1}, {"lowest": 0.1, "since": DIP_FRAMES}),
    ],
)
def test_attack_and_dip_make_a_new_note(
    for_it: dict[str, float], against_it: dict[str, float]
) -> None:
    assert judged(**for_it)  # type: ignore[arg-type]
    assert not judged(**against_it)  # type: ignore[arg-type]


def test_after_silence_everything_is_new() -> None:
    judge = RestrikeJudge(RestrikeRule(-0.5))
    sure, low = np.full(88, 0.9, np.float32), np.full(88, 0.1, np.float32)
    for _ in range(2 * DIP_FRAMES):
        found = judge.is_new(sure, low, np.full(88, 0.3, np.float32), low)
    assert not found.any()
    judge.reset()
    assert judge.is_new(sure, low, np.full(88, 0.3, np.float32), low).all()
