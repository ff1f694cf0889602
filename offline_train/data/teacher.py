"""The teacher: basic-pitch, a robust transcriber of any instrument, on our frames.

The network is Spotify's (Bittner et al., "A Lightweight Instrument-Agnostic Model for Polyphonic
Note Transcription and Multipitch Estimation", ICASSP 2022; Apache-2.0), the ONNX file is read out
of the package ``basic-pitch`` without importing it, since importing it needs TensorFlow.
``decode_notes`` follows its ``note_creation.py`` (Apache-2.0, (c) Spotify AB) and differs in the
time base only.

The time base: basic-pitch advances its windows by 36,164 samples, 141.27 of its frames, and keeps
142 of each, so its frames drift by half a second in two minutes. Here a window advances by 142
frames exactly, so that frame k of the whole is centred on sample 256 * k at 22,050 Hz.

Shapes: n samples, S frames of the teacher (11.61 ms), T of ours (16 ms), 88 pitches from MIDI 21.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.model.graph import Graph
from engine.system.extras import install
from models.spec import MIN_PITCH, N_PITCHES

Array = NDArray[np.float32]

TEACHER_RATE = 22050
TEACHER_HOP = 256
WINDOW_SAMPLES = 43844
WINDOW_FRAMES = 172
MARGIN_FRAMES = 15  # dropped at either end of a window, as basic-pitch does
KEPT_FRAMES = WINDOW_FRAMES - 2 * MARGIN_FRAMES
BATCH_WINDOWS = 4

FRAME_SAMPLES, FRAME_RATE = 256, 16000  # ours

ONSET_THRESHOLD = 0.5
FRAME_THRESHOLD = 0.3
MIN_NOTE_FRAMES = 11  # 127.7 ms
ENERGY_TOLERANCE_FRAMES = 11

_AUDIO = "serving_default_input_2:0"
_ONSET, _FRAME = "StatefulPartitionedCall:2", "StatefulPartitionedCall:1"


@dataclass(frozen=True, slots=True)
class TeacherPosteriors:
    """The teacher's posteriors on our frames: ``onset`` and ``frame``, (T, 88) float32 in 0..1.

    Row k is centred on second k * 0.016. ``onset`` is the greatest value within the frame, so that
    a peak keeps its height; ``frame`` is interpolated.
    """

    onset: Array
    frame: Array


def teacher_path() -> Path:
    """Return where basic-pitch's network lies. Raises DataError if it is not installed."""
    spec = importlib.util.find_spec("basic_pitch")  # finds, does not import
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / "saved_models" / "icassp_2022" / "nmp.onnx"
        if path.is_file():
            return path
    how = install(["basic-pitch"], ["--no-deps"])  # its package needs TensorFlow
    raise DataError(f"expected basic-pitch's network nmp.onnx, it is not installed; type: {how}")


class Teacher:
    """basic-pitch on one core.

    Parameters
    ----------
    path : Path, optional
        Another ONNX file of the same shape.

    Raises
    ------
    DataError
        If basic-pitch is not installed.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._graph = Graph(path or teacher_path(), "cpu", 1)

    def predict(self, samples: Array, sample_rate: int) -> tuple[Array, Array]:
        """Return (onset, frame), both (S, 88), of mono samples (n,) on the teacher's frames."""
        resampled = np.asarray(samples, np.float32)
        if sample_rate != TEACHER_RATE:
            resampled = np.asarray(soxr.resample(resampled, sample_rate, TEACHER_RATE), np.float32)
        n_frames = len(resampled) // TEACHER_HOP + 1
        n_windows = -(-n_frames // KEPT_FRAMES)
        step = KEPT_FRAMES * TEACHER_HOP
        padded = np.zeros((n_windows - 1) * step + WINDOW_SAMPLES, np.float32)
        margin = MARGIN_FRAMES * TEACHER_HOP
        fitting = resampled[: len(padded) - margin]
        padded[margin : margin + len(fitting)] = fitting
        windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::step]
        onsets, frames = [], []
        for first in range(0, n_windows, BATCH_WINDOWS):
            batch = np.ascontiguousarray(windows[first : first + BATCH_WINDOWS, :, None])
            onset, frame = self._graph.run({_AUDIO: batch}, [_ONSET, _FRAME])
            onsets.append(onset[:, MARGIN_FRAMES:-MARGIN_FRAMES].reshape(-1, N_PITCHES))
            frames.append(frame[:, MARGIN_FRAMES:-MARGIN_FRAMES].reshape(-1, N_PITCHES))
        return np.concatenate(onsets)[:n_frames], np.concatenate(frames)[:n_frames]

    def posteriors(self, samples: Array, sample_rate: int) -> TeacherPosteriors:
        """Return the posteriors of mono samples (n,), on our frames."""
        onset, frame = self.predict(samples, sample_rate)
        n_frames = int(len(samples) / sample_rate * FRAME_RATE) // FRAME_SAMPLES + 1
        return TeacherPosteriors(*to_our_frames(onset, frame, n_frames))

    def notes(self, samples: Array, sample_rate: int) -> Array:
        """Return notes (m, 5) of mono samples (n,), by onset: onset, offset, pitch, velocity, 0."""
        return decode_notes(*self.predict(samples, sample_rate))


def to_our_frames(onset: Array, frame: Array, n_frames: int) -> tuple[Array, Array]:
    """Return (onset, frame), (S, 88) on the teacher's frames, as (n_frames, 88) on ours."""
    ratio = (
        FRAME_SAMPLES / FRAME_RATE * TEACHER_RATE / TEACHER_HOP
    )  # teacher's frames in one of ours
    centre = np.arange(n_frames, dtype=np.float64) * ratio  # in frames of the teacher
    low, high = centre - ratio / 2, centre + ratio / 2
    # The interval is longer than a frame of the teacher: these are all the whole frames in it.
    candidates = [_at(onset, position) for position in (low, high, np.ceil(low), np.floor(high))]
    return np.maximum.reduce(candidates), _at(frame, centre)


def _at(rows: Array, position: NDArray[np.floating]) -> Array:
    """Return rows (S, 88) interpolated at fractional positions (T,), the ends held."""
    position = np.clip(position, 0, len(rows) - 1)
    first = np.minimum(position.astype(int), max(len(rows) - 2, 0))
    second = np.minimum(first + 1, len(rows) - 1)
    share = (position - first).astype(np.float32)[:, None]
    mixed: Array = np.clip(rows[first] * (1 - share) + rows[second] * share, 0, 1)
    return mixed


def decode_notes(onset: Array, frame: Array) -> Array:
    """Return notes (m, 5) of posteriors (S, 88) on the teacher's frames, basic-pitch's own way.

    Its defaults: onsets are also inferred from jumps of the frames; a note goes on until its
    frames stay under the threshold for 11 frames, its neighbours' energy is spent with it; what
    energy is left makes notes without an onset ("melodia trick").
    """
    energy = frame.copy()
    onset = _with_inferred_onsets(onset, frame)
    is_peak = np.zeros(onset.shape, bool)
    is_peak[1:-1] = (onset[1:-1] > onset[:-2]) & (onset[1:-1] > onset[2:])
    found: list[tuple[int, int, int]] = []
    for start, key in np.argwhere(is_peak & (onset >= ONSET_THRESHOLD))[::-1].tolist():
        if start >= len(frame) - 1:
            continue
        stop = _end_of_energy(energy[:, key], start)
        if stop - start > MIN_NOTE_FRAMES:
            energy[start:stop, max(key - 1, 0) : key + 2] = 0
            found.append((start, stop, key))
    found += _notes_without_onset(energy)
    frame_s = TEACHER_HOP / TEACHER_RATE
    notes = [
        (
            start * frame_s,
            stop * frame_s,
            key + MIN_PITCH,
            np.clip(np.round(127 * frame[start:stop, key].mean()), 1, 127),
            0,
        )
        for start, stop, key in sorted(found)
    ]
    return np.array(notes, np.float32).reshape(-1, 5)


def _with_inferred_onsets(onset: Array, frame: Array) -> Array:
    """Return onsets or the frames' rise over one and over two frames, whichever is greater."""
    rise = np.zeros_like(frame)
    rise[2:] = np.maximum(np.minimum(frame[2:] - frame[1:-1], frame[2:] - frame[:-2]), 0)
    greatest = rise.max(initial=0)
    if greatest == 0:
        return onset
    inferred: Array = np.maximum(onset, rise * (onset.max() / greatest))
    return inferred


def _end_of_energy(energy: Array, start: int) -> int:
    """Return the frame after the last one of a note that begins at ``start``."""
    i, quiet = start + 1, 0
    while i < len(energy) - 1 and quiet < ENERGY_TOLERANCE_FRAMES:
        quiet = quiet + 1 if energy[i] < FRAME_THRESHOLD else 0
        i += 1
    return i - quiet


def _notes_without_onset(energy: Array) -> list[tuple[int, int, int]]:
    """Return (start, stop, key) around the peaks of what energy is left; spends ``energy``."""
    found = []
    while energy.max(initial=0) > FRAME_THRESHOLD:
        middle, key = map(int, np.unravel_index(np.argmax(energy), energy.shape))
        keys = slice(max(key - 1, 0), key + 2)
        energy[middle, key] = 0
        stop, quiet = middle + 1, 0
        while stop < len(energy) - 1 and quiet < ENERGY_TOLERANCE_FRAMES:
            quiet = quiet + 1 if energy[stop, key] < FRAME_THRESHOLD else 0
            energy[stop, keys] = 0
            stop += 1
        start, quiet_before = middle - 1, 0
        while start > 0 and quiet_before < ENERGY_TOLERANCE_FRAMES:
            quiet_before = quiet_before + 1 if energy[start, key] < FRAME_THRESHOLD else 0
            energy[start, keys] = 0
            start -= 1
        start, stop = start + 1 + quiet_before, stop - 1 - quiet
        if stop - start > MIN_NOTE_FRAMES:
            found.append((start, stop, key))
    return found
