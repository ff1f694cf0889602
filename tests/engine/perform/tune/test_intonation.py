"""What a singer meant: songs in C whose tune is heard beside the scale, more and less plainly."""

import numpy as np
import pytest

from engine.core.notes import NoteEvent, Posteriors
from engine.perform.tune.intonation import KNOWN_S, MEMORY_S, Intonation
from models.spec import MIN_PITCH, N_PITCHES

FRAME_S = 0.016
C_MAJOR = (60, 62, 64, 65, 67, 69, 71)
SONG_S = 12.0  # seven keys at once are known well after it
C_SHARP, C, D = 61, 60, 62
AT = round(SONG_S / FRAME_S) + 20  # frame of the onset that is judged


def song(heard: dict[int, tuple[float, float]], sounding: tuple[int, ...] = C_MAJOR) -> Posteriors:
    """Frames in which keys sound, then an onset at ``AT``: onset and frame by key."""
    n = AT + 10
    frame = np.zeros((n, N_PITCHES), np.float32)
    onset = np.zeros_like(frame)
    frame[: AT - 10, [key - MIN_PITCH for key in sounding]] = 0.9
    for key, (peak, level) in heard.items():
        onset[AT, key - MIN_PITCH] = peak
        frame[AT:, key - MIN_PITCH] = level
    return Posteriors(np.arange(n), onset, frame, np.full_like(frame, 0.5), frame)


def on(pitch: int, frame: float = AT, part: str = "melody") -> NoteEvent:
    assert part in ("melody", "accompaniment")
    return NoteEvent(frame * FRAME_S, pitch, 80, "melody" if part == "melody" else "accompaniment")


def off(pitch: int, frame: float) -> NoteEvent:
    return NoteEvent(frame * FRAME_S, pitch, 0, "melody")


def played(posteriors: Posteriors, events: list[NoteEvent]) -> list[tuple[int, bool]]:
    return [(e.pitch, e.is_on) for e in Intonation(FRAME_S).play(posteriors, events)]


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ({C_SHARP: (0.4, 0.7), D: (0.1, 0.2)}, D),
        ({C_SHARP: (0.4, 0.7), C: (0.1, 0.2)}, C),
        ({C_SHARP: (0.4, 0.7), C: (0.05, 0.1), D: (0.3, 0.5)}, D),
        ({C_SHARP: (0.0, 0.7), D: (0.0, 0.4)}, D),  # a slide
        ({C_SHARP: (0.9, 0.9), C: (0.001, 0.01), D: (0.001, 0.01)}, C_SHARP),  # plainly heard
        ({D: (0.3, 0.5), C_SHARP: (0.4, 0.5)}, D),
    ],
)
def test_a_note_beside_the_scale_is_what_was_meant(
    heard: dict[int, tuple[float, float]], meant: int
) -> None:
    events = [on(C_SHARP), off(C_SHARP, AT + 5)]
    assert played(song(heard), events) == [(meant, True), (meant, False)]


NEAR = {C_SHARP: (0.4, 0.7), D: (0.3, 0.5)}


def test_a_note_of_the_scale_stays() -> None:
    assert played(song({65: (0.2, 0.4), 64: (0.6, 0.9)}), [on(65)]) == [(65, True)]


def test_the_accompaniments_notes_stay() -> None:
    assert played(song(NEAR), [on(C_SHARP, part="accompaniment")]) == [(C_SHARP, True)]


def test_what_the_song_has_used_of_late_stays() -> None:
    """A raised seventh, a blue note."""
    assert played(song(NEAR, (*C_MAJOR, C_SHARP)), [on(C_SHARP)]) == [(C_SHARP, True)]


def test_nothing_is_said_where_there_is_no_scale() -> None:
    assert played(song(NEAR, tuple(range(60, 72))), [on(C_SHARP)]) == [(C_SHARP, True)]


def test_nothing_is_said_before_a_scale_is_known() -> None:
    late = song(NEAR)
    n = int(0.5 * KNOWN_S / len(C_MAJOR) / FRAME_S)
    short = late.part(slice(AT - 10 - n, None))
    assert played(short, [on(C_SHARP)]) == [(C_SHARP, True)]


def test_a_new_key_is_followed() -> None:
    """A minute of D flat after C: what was beside the scale is in it."""
    first = song({})
    n = round(MEMORY_S / FRAME_S)
    frame = np.zeros((n, N_PITCHES), np.float32)
    frame[:, [key + 1 - MIN_PITCH for key in C_MAJOR]] = 0.9
    then = Posteriors(np.arange(n), np.zeros_like(frame), frame, frame, frame)
    intonation = Intonation(FRAME_S)
    intonation.play(first, [])
    intonation.play(then, [])
    last = song(NEAR).part(slice(AT - 10, None))
    assert [e.pitch for e in intonation.play(last, [on(C_SHARP)])] == [C_SHARP]


def test_a_note_that_meets_one_that_just_began_is_that_one() -> None:
    events = [on(D, AT - 3), on(C_SHARP), off(C_SHARP, AT + 2), off(D, AT + 5)]
    assert played(song(NEAR), events) == [(D, True), (D, False)]


def test_a_note_that_meets_one_that_sounds_strikes_it_again() -> None:
    """The end of the one before comes too late then, and says nothing."""
    events = [on(D, AT - 30), on(C_SHARP), off(D, AT + 2), off(C_SHARP, AT + 5)]
    expected = [(D, True), (D, False), (D, True), (D, False)]
    assert played(song(NEAR), events) == expected


def test_pieces_give_what_the_whole_gives() -> None:
    posteriors = song(NEAR)
    events = [on(C_SHARP, AT + 0.5), off(C_SHARP, AT + 5)]
    whole = Intonation(FRAME_S).play(posteriors, events)
    intonation, found = Intonation(FRAME_S), []
    for k in range(0, len(posteriors), 2):
        decided = [e for e in events if k <= e.time / FRAME_S + 1 < k + 2]
        found += intonation.play(posteriors.part(slice(k, k + 2)), decided)
    assert found == whole
    assert [e.pitch for e in found] == [D, D]


def test_a_gap_ends_what_is_down_and_keeps_the_scale() -> None:
    intonation = Intonation(FRAME_S)
    posteriors = song(NEAR)
    assert [e.pitch for e in intonation.play(posteriors.part(slice(0, AT + 3)), [on(C_SHARP)])] == [
        D
    ]
    assert [e.pitch for e in intonation.end([off(C_SHARP, AT + 3)])] == [D]
    again = intonation.play(posteriors.part(slice(AT - 5, None)), [on(C_SHARP)])
    assert [e.pitch for e in again] == [D]
    assert not intonation.end()
