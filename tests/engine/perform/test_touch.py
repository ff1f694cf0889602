"""Touch: as far apart as a pianist's velocities, around the same middle."""

import numpy as np

from engine.core.notes import NoteEvent
from engine.perform.touch import FURTHEST, MEMORY, SPREAD, Touch


def played(velocities: list[int]) -> list[int]:
    events = [NoteEvent(0.1 * k, 60, velocity) for k, velocity in enumerate(velocities)]
    return [event.velocity for event in Touch().play(events)]


def test_velocities_spread_around_their_middle() -> None:
    given = [84, 90] * 100
    found = np.array(played(given))[100:]
    assert abs(found.mean() - 87) < 1
    assert abs(found.std() / np.std(given) - SPREAD) < 0.3


def test_the_middle_follows_the_song() -> None:
    found = played([70] * 20 + [100] * 6 * MEMORY)
    assert found[:20] == [70] * 20
    assert found[20] > 100 and abs(found[-1] - 100) <= 1


def test_nothing_leaves_what_midi_has() -> None:
    found = played([60, 127, 1, 127, 1])
    assert all(1 <= velocity <= 127 for velocity in found)
    assert found[2] >= 1 and found[1] - found[0] <= FURTHEST + 67


def test_ends_times_and_parts_stay() -> None:
    events = [NoteEvent(1.0, 60, 80, "melody"), NoteEvent(1.5, 60, 0, "melody")]
    found = Touch().play(events)
    assert found[1] == events[1]
    assert (found[0].time, found[0].pitch, found[0].part) == (1.0, 60, "melody")
