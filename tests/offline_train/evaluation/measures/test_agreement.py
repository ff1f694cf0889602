"""Agreement of notes with a teacher's notes and with a sound."""

import numpy as np
import pytest
from numpy.typing import NDArray

from offline_train.evaluation.measures.agreement import (
    Agreement,
    agreement,
    audio_chroma,
    chroma_agreement,
    notes_chroma,
    octave_free_agreement,
    shifted,
)

Array = NDArray[np.float32]
RATE = 16000


def notes_of(*rows: tuple[float, float, int]) -> Array:
    return np.array([(on, off, pitch, 80, 0) for on, off, pitch in rows], np.float32)


@pytest.fixture(scope="module")
def scale() -> Array:
    """Two notes a second for ten seconds, up a scale and down."""
    pitches = [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62, 60, 64, 67, 72, 67, 64]
    return notes_of(*((0.5 * k, 0.5 * k + 0.45, p) for k, p in enumerate(pitches)))


def played(notes: Array, seconds: float = 10.0) -> Array:
    """The notes as tones with three harmonics."""
    samples = np.zeros(round(seconds * RATE), np.float32)
    for onset, offset, pitch in notes[:, :3].astype(float):
        time = np.arange(round((offset - onset) * RATE)) / RATE
        f0_hz = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * f0_hz * k * time) / k**2 for k in (1, 2, 3))
        first = round(onset * RATE)
        samples[first : first + len(time)] += 0.2 * tone
    return samples


def test_octaves_do_not_matter_and_time_does(scale: Array) -> None:
    octave = scale.copy()
    octave[::2, 2] += 12
    octave[1::3, 2] -= 24
    octave[:, :2] += 0.04
    assert octave_free_agreement(octave, scale) == 1.0
    octave[:, :2] += 0.02
    assert octave_free_agreement(octave, scale) == 0.0
    third = scale.copy()
    third[:, 2] += 4
    assert octave_free_agreement(third, scale) == 0.0


def test_each_note_is_matched_once() -> None:
    """Two octaves of a note answer one note of the teacher, and the nearest pairs leave room."""
    teacher = notes_of((1.0, 1.5, 60))
    assert octave_free_agreement(
        notes_of((1.0, 1.5, 48), (1.0, 1.5, 60)), teacher
    ) == pytest.approx(2 / 3)
    two = notes_of((1.0, 1.5, 60), (1.06, 1.5, 72))
    # 1.04 could take either; as many pairs as possible means that 0.96 takes the first.
    assert octave_free_agreement(notes_of((1.04, 1.5, 60), (0.96, 1.5, 60)), two) == 1.0


def test_no_notes_agree_with_nothing(scale: Array) -> None:
    nothing = np.zeros((0, 5), np.float32)
    assert octave_free_agreement(nothing, scale) == 0.0
    assert octave_free_agreement(scale, nothing) == 0.0
    assert chroma_agreement(nothing, played(scale), RATE) == 0.0
    assert chroma_agreement(scale, np.zeros(10 * RATE, np.float32), RATE) == 0.0
    assert chroma_agreement(scale, np.zeros(0, np.float32), RATE) == 0.0


def test_a_shift_changes_times_alone(scale: Array) -> None:
    late = shifted(scale, 1.0)
    assert np.array_equal(late[:, :2], scale[:, :2] + 1)
    assert np.array_equal(late[:, 2:], scale[:, 2:])


def test_the_sound_of_the_notes_agrees_and_a_late_one_does_not(scale: Array) -> None:
    samples = played(scale)
    right = chroma_agreement(scale, samples, RATE)
    assert right > 0.75  # the harmonics add fifths, which the notes have not
    assert chroma_agreement(shifted(scale), samples, RATE) < right - 0.2
    assert chroma_agreement(scale, 0.01 * samples, RATE) == pytest.approx(right, abs=1e-4)
    octave = scale.copy()
    octave[:, 2] += 12
    assert chroma_agreement(octave, samples, RATE) == pytest.approx(right, abs=1e-6)


@pytest.mark.parametrize("pitch", [40, 57, 72, 88])
def test_a_tone_is_its_own_pitch_class(pitch: int) -> None:
    heard = audio_chroma(played(notes_of((0, 3, pitch)), 3.0), RATE)
    assert len(heard) == 31
    assert (heard[5:25].argmax(1) == pitch % 12).all()


def test_chroma_of_notes_follows_them_in_time() -> None:
    chroma = notes_chroma(notes_of((1.0, 2.0, 61)), 40)
    sounding = np.nonzero(chroma[:, 1] > 0.3 * chroma.max())[0] / 10
    assert sounding[0] == pytest.approx(1.0, abs=0.11)
    assert sounding[-1] == pytest.approx(2.0, abs=0.11)
    assert not np.delete(chroma, 1, axis=1).any()


def test_recordings_add_up_by_notes_and_by_seconds(scale: Array) -> None:
    right = agreement(scale, scale, played(scale), RATE)
    silent = agreement(scale[:0], scale[:10], np.zeros(5 * RATE, np.float32), RATE)
    assert right.figures()["octave_free_agreement"] == 1.0
    assert right.figures()["octave_free_agreement_by_chance"] < 0.3
    both = sum((right, silent), Agreement()).figures()
    assert both["notes_a_second"] == pytest.approx(20 / 15)
    assert both["teacher_notes_a_second"] == pytest.approx(30 / 15)
    assert both["octave_free_agreement"] == pytest.approx(2 * 20 / 50)
    alone = right.figures()
    assert both["chroma_agreement"] == pytest.approx(alone["chroma_agreement"] * 10 / 15)
    assert alone["chroma_agreement_by_chance"] < alone["chroma_agreement"]
    assert not any(Agreement().figures().values())
