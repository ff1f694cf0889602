"""How a cover agrees with a real recording that has no truth: with its teacher, with its sound.

- ``octave_free_agreement``: F1 of note onsets, 50 ms, where pitch classes must be equal and octaves
  need not; each note is matched once, as many pairs as can be had (mir_eval's matching).
- ``chroma_agreement``: mean cosine of the notes' and the audio's twelve pitch classes, ten times a
  second, over the moments when both sound.

Neither says how good a cover is: a figure means something beside ``shifted`` ones, the same notes a
second late, which keep the song's key, density and chords' rhythm but not its time.

Notes are float32 (n, >= 4): onset, offset, MIDI pitch, velocity. Chroma are (T, 12), C first.
"""

from dataclasses import dataclass
from functools import cache

import mir_eval
import numpy as np
import soxr
from numpy.typing import NDArray

Array = NDArray[np.float32]

ONSET_TOLERANCE = 0.05  # seconds
RATE_HZ = 10.0  # chroma a second
SMOOTHING_S = 0.3
SHIFT = 1.0  # seconds

CHROMA_RATE = 11025
CHROMA_FFT = 8192  # 0.74 s, 1.35 Hz a bin: tells semitones apart from about A2 on
LOWEST_HZ, HIGHEST_HZ = 65.0, 2100.0
LEVEL = 0.01  # root mean square that audio is brought to before its magnitudes are compressed
SILENCE = 1e-2  # of the loudest moment


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts and sums over recordings, to be added up; ``..._late`` is of the notes a second late.

    ``chroma`` is the sum over recordings of ``chroma_agreement`` times their seconds.
    """

    seconds: float = 0.0
    n_notes: int = 0
    n_teacher: int = 0
    n_matched: int = 0
    n_matched_late: int = 0
    chroma: float = 0.0
    chroma_late: float = 0.0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(
            self.seconds + other.seconds,
            self.n_notes + other.n_notes,
            self.n_teacher + other.n_teacher,
            self.n_matched + other.n_matched,
            self.n_matched_late + other.n_matched_late,
            self.chroma + other.chroma,
            self.chroma_late + other.chroma_late,
        )

    def figures(self) -> dict[str, float]:
        """Return the figures of a table by name."""
        notes, seconds = max(self.n_notes + self.n_teacher, 1), max(self.seconds, 1e-9)
        return {
            "notes_a_second": self.n_notes / seconds,
            "teacher_notes_a_second": self.n_teacher / seconds,
            "octave_free_agreement": 2 * self.n_matched / notes,
            "octave_free_agreement_by_chance": 2 * self.n_matched_late / notes,
            "chroma_agreement": self.chroma / seconds,
            "chroma_agreement_by_chance": self.chroma_late / seconds,
        }


def agreement(notes: Array, teacher: Array, samples: Array, sample_rate: int) -> Agreement:
    """Return how notes agree with the teacher's notes and with the sound (n,), chance beside it."""
    seconds, late = len(samples) / sample_rate, shifted(notes)
    return Agreement(
        seconds,
        len(notes),
        len(teacher),
        n_matched_octave_free(notes, teacher),
        n_matched_octave_free(late, teacher),
        seconds * chroma_agreement(notes, samples, sample_rate),
        seconds * chroma_agreement(late, samples, sample_rate),
    )


def octave_free_agreement(estimated: Array, teacher: Array) -> float:
    """Return the F1 of onsets with octaves folded; 0 if either has no notes."""
    if not len(estimated) or not len(teacher):
        return 0.0
    matched = n_matched_octave_free(estimated, teacher)
    return 2 * matched / (len(estimated) + len(teacher))


def n_matched_octave_free(estimated: Array, teacher: Array) -> int:
    """Return how many notes match: pitch classes equal, onsets within 50 ms, each note once."""
    total = 0
    for pitch_class in range(12):
        ours, theirs = _onsets(estimated, pitch_class), _onsets(teacher, pitch_class)
        if len(ours) and len(theirs):
            total += len(mir_eval.util.match_events(theirs, ours, ONSET_TOLERANCE))
    return total


def _onsets(notes: Array, pitch_class: int) -> NDArray[np.float64]:
    """Return the sorted onsets of a pitch class's notes."""
    of_class = notes[notes[:, 2] % 12 == pitch_class]
    return np.sort(of_class[:, 0].astype(np.float64))


def chroma_agreement(notes: Array, samples: Array, sample_rate: int) -> float:
    """Return the mean cosine between the notes' chroma and that of mono samples (n,).

    Moments when the audio is silent do not count; when it sounds and the notes do not, 0 counts.
    0 if the audio is silent throughout.
    """
    chroma = audio_chroma(samples, sample_rate)
    played = notes_chroma(notes, len(chroma))
    loudness = np.linalg.norm(chroma, axis=1)
    sounds = loudness > SILENCE * max(loudness.max(initial=0.0), 1e-9)
    if not sounds.any():
        return 0.0
    chroma, played = chroma[sounds], played[sounds]
    lengths = np.linalg.norm(chroma, axis=1) * np.linalg.norm(played, axis=1)
    cosines = (chroma * played).sum(1) / np.maximum(lengths, 1e-12)
    return float(cosines.mean())


def shifted(notes: Array, seconds: float = SHIFT) -> Array:
    """Return the same notes later: what agreement is had by chance."""
    late = notes.copy()
    late[:, :2] += seconds
    return late


def notes_chroma(notes: Array, n_rows: int) -> Array:
    """Return (n_rows, 12): velocity-weighted pitch classes sounding at each tenth of a second."""
    chroma = np.zeros((n_rows, 12), np.float32)
    time = np.arange(n_rows) / RATE_HZ
    half = 0.5 / RATE_HZ
    for onset, offset, pitch, velocity in notes[:, :4].astype(float):
        first, last = np.searchsorted(time, (onset - half, max(offset, onset + 0.05) + half))
        within = time[first:last]
        # The share of the tenth of a second around each row that the note fills.
        share = np.minimum(within + half, offset) - np.maximum(within - half, onset)
        chroma[first:last, int(pitch) % 12] += velocity / 127 * np.clip(share * RATE_HZ, 0, 1)
    return _smooth(chroma)


def audio_chroma(samples: Array, sample_rate: int) -> Array:
    """Return (T, 12) of mono samples (n,): log-compressed magnitudes of C2 to C7, folded."""
    audio = np.asarray(samples, np.float32)
    if sample_rate != CHROMA_RATE:
        audio = np.asarray(soxr.resample(audio, sample_rate, CHROMA_RATE), np.float32)
    loudness = float(np.sqrt(np.mean(np.square(audio), dtype=np.float64))) if len(audio) else 0.0
    audio = audio * (LEVEL / max(loudness, 1e-9))
    n_rows = int(len(audio) / CHROMA_RATE * RATE_HZ) + 1
    padded = np.pad(audio, (CHROMA_FFT // 2, CHROMA_FFT))
    window, folding = np.hanning(CHROMA_FFT).astype(np.float32), _folding()
    chroma = np.zeros((n_rows, 12), np.float32)
    for row in range(n_rows):
        start = round(row / RATE_HZ * CHROMA_RATE)
        magnitude = np.abs(np.fft.rfft(padded[start : start + CHROMA_FFT] * window))
        chroma[row] = np.log1p(magnitude) @ folding
    return _smooth(chroma)


@cache
def _folding() -> Array:
    """Return (bins, 12): the share of each bin of the spectrum that belongs to a pitch class."""
    frequency = np.fft.rfftfreq(CHROMA_FFT, 1 / CHROMA_RATE)
    pitch = 69 + 12 * np.log2(np.maximum(frequency, 1.0) / 440)
    distance = (pitch[:, None] - np.arange(12) + 6) % 12 - 6  # semitones to each pitch class
    share = np.exp(-0.5 * (distance / 0.25) ** 2)
    share[(frequency < LOWEST_HZ) | (frequency > HIGHEST_HZ)] = 0
    # High octaves have more bins for a semitone: each octave weighs the same.
    share /= np.maximum(frequency, LOWEST_HZ)[:, None] / LOWEST_HZ
    folding: Array = share.astype(np.float32)
    return folding


def _smooth(chroma: Array) -> Array:
    """Return chroma (T, 12) under a Hann window of ``SMOOTHING_S`` to either side."""
    half = round(SMOOTHING_S * RATE_HZ)
    window = np.hanning(2 * half + 1)[1:-1]
    window /= window.sum()
    columns = [np.convolve(column, window, mode="same") for column in chroma.T]
    return np.stack(columns, axis=1).astype(np.float32) if len(chroma) else chroma
