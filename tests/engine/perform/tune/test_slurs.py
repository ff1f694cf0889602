"""Notes of a tune that begin without an attack."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.notes import NoteEvent, Posteriors
from engine.core.settings import DecoderSettings
from engine.perform.decoder import SLUR_VELOCITY, NoteDecoder
from engine.perform.tune.slurs import SlurDetector
from models.spec import MIN_PITCH

FRAME_S = 0.016
SETTINGS = DecoderSettings(0.3, 0.3, 0.15, 0.3, 0.5, 0.0)
N_FRAMES = 100


def posteriors(**keys: NDArray[np.float32]) -> Posteriors:
    """Return posteriors of silence but for what is given."""
    empty = np.zeros((N_FRAMES, 88), np.float32)
    values = {name: keys.get(name, empty) for name in ("onset", "frame", "velocity", "melody")}
    return Posteriors(np.arange(N_FRAMES), **values)


def sung(
    *spans: tuple[int, int, int], onset_at: int | None = None, sure: float = 0.9
) -> Posteriors:
    """Return posteriors of a tune of (key, first frame, end), attacked at one frame at most."""
    onset, frame, velocity, melody = (np.zeros((N_FRAMES, 88), np.float32) for _ in range(4))
    for key, start, stop in spans:
        frame[start:stop, key], melody[start:stop, key] = sure, sure
    if onset_at is not None:
        onset[onset_at, spans[0][0]], velocity[onset_at, spans[0][0]] = 0.9, 0.5
    return posteriors(onset=onset, frame=frame, velocity=velocity, melody=melody)


def played(heard: Posteriors, settings: DecoderSettings = SETTINGS) -> list[NoteEvent]:
    decoder = NoteDecoder(FRAME_S, settings)
    return decoder.push(heard) + decoder.flush()


def test_a_slurred_note_of_the_tune_is_struck_once_as_loud_as_the_last() -> None:
    events = played(sung((40, 20, 50), (42, 50, 80), onset_at=20))
    ons = [e for e in events if e.is_on]
    assert [e.pitch - MIN_PITCH for e in ons] == [40, 42]
    assert [e.velocity for e in ons] == [64, 64] and {e.part for e in ons} == {"melody"}
    assert ons[1].time == pytest.approx(50 * FRAME_S)
    assert len(events) == 4  # each ends


def test_a_tune_without_any_attack_has_a_loudness_too() -> None:
    (on, _) = played(sung((40, 20, 50)))
    assert on.velocity == SLUR_VELOCITY


def test_what_is_not_the_tunes_needs_an_attack() -> None:
    frame = np.zeros((N_FRAMES, 88), np.float32)
    frame[20:50, 40] = 0.9
    assert played(posteriors(frame=frame)) == []
    assert played(replace(posteriors(frame=frame), melody=None)) == []


def test_a_note_that_sounds_is_not_struck_again() -> None:
    heard = sung((40, 20, 80), onset_at=20)
    assert heard.melody is not None
    heard.melody[20:60] = 0.0  # it was the accompaniment's, and is the tune's from here on
    assert sum(e.is_on for e in played(heard)) == 1


def test_a_tune_has_one_voice() -> None:
    heard = sung((40, 20, 50))
    assert heard.melody is not None
    heard.frame[20:50, 47], heard.melody[20:50, 47] = 0.9, 0.5  # its twelfth
    assert [e.pitch - MIN_PITCH for e in played(heard) if e.is_on] == [40]


def test_one_frame_alone_is_no_slur() -> None:
    assert played(sung((40, 20, 21))) == []


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_size_of_blocks_changes_nothing(size: int) -> None:
    heard = sung((40, 20, 50), (42, 50, 80), onset_at=20)
    decoder = NoteDecoder(FRAME_S, SETTINGS)
    events: list[NoteEvent] = []
    for start in range(0, N_FRAMES, size):
        events += decoder.push(heard.part(slice(start, start + size)))
    assert events + decoder.flush() == played(heard)


def test_a_slur_is_as_likely_as_an_onset_must_be() -> None:
    for threshold, expected in ((0.3, 1), (0.7, 1), (0.9, 0), (1.0, 0)):
        settings = replace(SETTINGS, onset_threshold=threshold)
        assert sum(e.is_on for e in played(sung((40, 20, 50)), settings)) == expected


@pytest.mark.parametrize(("frames_after", "n_struck"), [(1, 2), (4, 1), (8, 2)])
def test_a_slur_soon_after_an_attack_is_a_stumble(frames_after: int, n_struck: int) -> None:
    heard = sung((40, 20, 50))
    heard.onset[20 - frames_after, 30] = 0.9
    heard.frame[20 - frames_after : 50, 30] = 0.9
    decoder = NoteDecoder(FRAME_S, SETTINGS, slur_spacing=0.1)
    assert sum(e.is_on for e in decoder.push(heard) + decoder.flush()) == n_struck
    assert sum(e.is_on for e in played(heard)) == 2


def test_what_began_before_the_stream_is_no_slur() -> None:
    assert played(sung((40, 0, 50))) == []
    detector, ones = SlurDetector(), np.ones(88, np.float32)
    rows = np.zeros((20, 88), np.float32)
    rows[15:, 30] = 0.4
    begun = [np.flatnonzero(detector.push(row, ones, 0.3)).tolist() for row in rows]
    assert begun[:16] == [[]] * 16 and begun[16] == [30] and begun[18:] == [[]] * 2
