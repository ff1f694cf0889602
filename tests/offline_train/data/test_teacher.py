"""The teacher's time base, its labels on our frames, and its decoding."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.data.teacher import Teacher, TeacherPosteriors, decode_notes, to_our_frames

Array = NDArray[np.float32]
RATE = 16000

needs_network = pytest.mark.skipif(
    importlib.util.find_spec("basic_pitch") is None,
    reason="basic-pitch's network is not installed (pip install --no-deps basic-pitch)",
)


def plucked(pitch: int, seconds: float) -> Array:
    """A decaying tone with six harmonics."""
    time = np.arange(round(seconds * RATE)) / RATE
    f0_hz = 440 * 2 ** ((pitch - 69) / 12)
    tone = sum(np.sin(2 * np.pi * f0_hz * k * time) / k**1.5 for k in range(1, 7))
    return np.asarray(0.2 * tone * np.exp(-3 * time) * np.minimum(time / 0.004, 1), np.float32)


@pytest.fixture(scope="module")
def tune() -> tuple[Array, list[tuple[float, int]]]:
    """Two minutes of silence with plucked notes in the first and the last eight seconds."""
    rng = np.random.default_rng(4)
    samples, notes = np.zeros(120 * RATE, np.float32), []
    for begin in (0.5, 111.5):
        for k in range(15):
            start = round((begin + 0.5 * k + rng.uniform(0, 0.1)) * RATE)
            tone = plucked(pitch := int(rng.integers(48, 84)), 0.4)
            samples[start : start + len(tone)] += tone
            notes.append((start / RATE, pitch))
    return samples, notes


@pytest.fixture(scope="module")
def heard(tune: tuple[Array, list[tuple[float, int]]]) -> tuple[Array, TeacherPosteriors]:
    onset, frame = Teacher().predict(tune[0], RATE)  # once for both, it takes seconds
    ours = to_our_frames(onset, frame, 120 * RATE // 256 + 1)
    return decode_notes(onset, frame), TeacherPosteriors(*ours)


@needs_network
def test_notes_do_not_drift_in_two_minutes(
    tune: tuple[Array, list[tuple[float, int]]], heard: tuple[Array, TeacherPosteriors]
) -> None:
    """Uncorrected, basic-pitch's frames are 0.5 s off at the end."""
    notes, _ = heard
    for onset, pitch in tune[1]:
        of_pitch = notes[notes[:, 2] == pitch]
        # A frame of the teacher is 12 ms, its onsets are that coarse.
        assert np.abs(of_pitch[:, 0] - onset).min() < 0.03, (onset, pitch)


@needs_network
def test_posteriors_peak_at_the_onset_on_our_frames(
    tune: tuple[Array, list[tuple[float, int]]], heard: tuple[Array, TeacherPosteriors]
) -> None:
    _, posteriors = heard
    assert posteriors.onset.shape == posteriors.frame.shape == (120 * RATE // 256 + 1, 88)
    assert posteriors.onset.dtype == posteriors.frame.dtype == np.float32
    assert 0 <= posteriors.onset.min() and posteriors.onset.max() <= 1
    for onset, pitch in tune[1]:
        centre = round(onset / 0.016)
        near = posteriors.onset[centre - 6 : centre + 7, pitch - 21]
        assert near.max() > 0.5
        assert abs((centre - 6 + int(near.argmax())) * 0.016 - onset) < 0.03
        sounding = posteriors.frame[centre + 3 : centre + 10, pitch - 21]
        assert sounding.mean() > 0.3


@needs_network
def test_notes_are_the_same_at_another_rate(
    tune: tuple[Array, list[tuple[float, int]]], heard: tuple[Array, TeacherPosteriors]
) -> None:
    soxr = pytest.importorskip("soxr")
    samples = tune[0][: 10 * RATE]
    notes = Teacher().notes(soxr.resample(samples, RATE, 44100), 44100)
    expected = heard[0][heard[0][:, 0] < 9]
    assert notes[: len(expected), 2].tolist() == expected[:, 2].tolist()
    assert np.abs(notes[: len(expected), 0] - expected[:, 0]).max() < 0.013


@needs_network
@pytest.mark.parametrize("n_samples", [0, 1, 255, 16000])
def test_silence_of_any_length_has_no_notes(n_samples: int) -> None:
    silence = np.zeros(n_samples, np.float32)
    assert Teacher().notes(silence, RATE).shape == (0, 5)
    assert len(Teacher().posteriors(silence, RATE).frame) == n_samples // 256 + 1


def test_a_missing_network_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match="not installed; type: .* --no-deps"):
        Teacher()


def test_a_package_without_the_network_says_so_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = importlib.util.spec_from_loader("basic_pitch", None, is_package=True)
    assert spec is not None
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    with pytest.raises(DataError, match=r"nmp\.onnx"):
        Teacher()


def test_a_narrow_peak_keeps_its_height_and_place() -> None:
    onset = np.zeros((400, 88), np.float32)
    onset[100::50, 40] = 0.9  # of the teacher's frames, 11.61 ms each
    ours, _ = to_our_frames(onset, onset, 290)
    for peak in range(100, 400, 50):
        seconds = peak * 256 / 22050
        rows = np.nonzero(ours[:, 40] >= 0.899)[0]
        assert np.abs(rows * 0.016 - seconds).min() <= 0.008 + 1e-9


def test_frames_are_interpolated_in_time() -> None:
    time = np.arange(400) * 256 / 22050
    ramp = np.repeat(np.clip(time / 4, 0, 1)[:, None], 88, 1).astype(np.float32)
    _, ours = to_our_frames(ramp, ramp, 200)
    assert np.abs(ours[:, 0] - np.arange(200) * 0.016 / 4).max() < 1e-4


def posteriors_of(*notes: tuple[int, int, int]) -> tuple[Array, Array]:
    onset, frame = np.zeros((2, 200, 88), np.float32)
    for start, stop, key in notes:
        onset[start, key] = 0.8
        frame[start:stop, key] = 0.6
    return onset, frame


def test_decoding_hand_written_posteriors() -> None:
    """A note, one struck again, one too short, and one without an onset of its own."""
    onset, frame = posteriors_of((20, 60, 40), (60, 100, 40), (30, 38, 50), (120, 160, 60))
    onset[120, 60] = 0
    frame[116:120, 60] = (0.1, 0.2, 0.35, 0.5)  # fades in: no jump that is an onset
    onset[:, 10] = 0
    notes = decode_notes(onset, frame)
    frames = np.round(notes[:, :2] * 22050 / 256).astype(int)
    assert notes[:, 2].tolist() == [61, 61, 81]
    assert frames.tolist()[:2] == [[20, 60], [60, 100]]
    assert abs(frames[2, 0] - 118) <= 1 and abs(frames[2, 1] - 160) <= 1
    assert notes[:, 3].tolist()[:2] == [76, 76]  # 127 times 0.6
    assert not notes[:, 4].any()


def test_a_semitone_beside_a_note_is_not_another() -> None:
    onset, frame = posteriors_of((20, 60, 40))
    frame[20:60, 41] = 0.35  # over the threshold, but no jump that is an onset
    assert decode_notes(onset, frame)[:, 2].tolist() == [61]


def test_no_posteriors_give_no_notes() -> None:
    assert decode_notes(*posteriors_of()).shape == (0, 5)
