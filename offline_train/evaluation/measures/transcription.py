"""How well notes agree with true ones: note, frame and cell measures.

Sources: mir_eval.transcription and transcription_velocity (Raffel et al., ISMIR 2014; MIREX rules:
onset within 50 ms, offset within the larger of 50 ms and 20% of the note's length, velocity within
0.1 after the best linear scaling); frame measures as mir_eval.multipitch on a grid of 16 ms;
"average F1" of AMT-APC (Section IV-B): the mean of onset, frame and velocity F1 over matrix cells.
Notes are float arrays (n, >= 4): onset, offset in seconds, MIDI pitch, velocity. T frames, 88 keys.
"""

from dataclasses import dataclass, fields
from typing import TypeVar

import mir_eval
import numpy as np
from numpy.typing import NDArray

from engine.core.notes import Posteriors
from models.spec import MIN_PITCH, N_PITCHES

Notes = NDArray[np.float32]
Cells = NDArray[np.bool_]  # (T, 88)

ONSET_TOLERANCE = 0.05  # seconds
FRAME_S = 0.016  # grid of the frame measures
CELL_THRESHOLD = 0.5
ONSET_SLOPE_S = 3 * 0.016
"""Half the width of hFT-Transformer's onset triangle; its label is above zero inside."""


@dataclass(frozen=True, slots=True)
class Count:
    """Counts from which precision, recall and F1 follow, so that songs can be summed."""

    n_reference: int = 0
    n_estimated: int = 0
    n_matched: int = 0

    @property
    def precision(self) -> float:
        """Share of what was estimated that is right; 0 if there is nothing."""
        return self.n_matched / self.n_estimated if self.n_estimated else 0.0

    @property
    def recall(self) -> float:
        """Share of the reference that was found; 0 if there is nothing."""
        return self.n_matched / self.n_reference if self.n_reference else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.n_reference + self.n_estimated
        return 2 * self.n_matched / total if total else 0.0

    @property
    def density(self) -> float:
        """Estimated for each one of the reference."""
        return self.n_estimated / max(self.n_reference, 1)

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.n_reference + other.n_reference,
            self.n_estimated + other.n_estimated,
            self.n_matched + other.n_matched,
        )


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Counts of the cells of AMT-APC's three matrices."""

    onset: Count = Count()
    frame: Count = Count()
    velocity: Count = Count()

    @property
    def average_f1(self) -> float:
        """AMT-APC's average F1."""
        return (self.onset.f1 + self.frame.f1 + self.velocity.f1) / 3

    def __add__(self, other: "CellCounts") -> "CellCounts":
        return _sum_of(self, other)


@dataclass(frozen=True, slots=True)
class TranscriptionScore:
    """Every count of one song, or of several added up ("micro")."""

    onset: Count = Count()
    onset_offset: Count = Count()
    onset_velocity: Count = Count()
    onset_offset_velocity: Count = Count()
    onset_octave_free: Count = Count()  # pitch class instead of pitch
    melody: Count = Count()  # reference notes of the melody; only its recall means something
    frame: Count = Count()
    cells: CellCounts = CellCounts()  # as the paper counts them: posteriors at 0.5
    played: CellCounts = CellCounts()  # of the notes that are played

    def __add__(self, other: "TranscriptionScore") -> "TranscriptionScore":
        return _sum_of(self, other)


Counts = TypeVar("Counts", CellCounts, TranscriptionScore)


def _sum_of(first: Counts, second: Counts) -> Counts:
    return type(first)(*(getattr(first, f.name) + getattr(second, f.name) for f in fields(first)))


@dataclass(frozen=True, slots=True)
class CellMatrices:
    """Which cells (T, 88) of the onset, frame and velocity matrices are positive."""

    onset: Cells
    frame: Cells
    velocity: Cells


def score_onsets(reference: Notes, estimated: Notes) -> Count:
    """Return the note-onset count alone, the measure that tuning repeats."""
    return Count(len(reference), len(estimated), len(match_notes(reference, estimated)))


def score_offsets(reference: Notes, estimated: Notes) -> Count:
    """Return the count of notes whose onset and offset are found, as MIREX counts them."""
    matched = match_notes(reference, estimated, offsets=True)
    return Count(len(reference), len(estimated), len(matched))


def score_transcription(
    reference: Notes, estimated: Notes, cells: CellMatrices | None = None, frame_s: float = FRAME_S
) -> TranscriptionScore:
    """Return every count of notes (m, >= 4) against notes (n, 5), the fifth column "is melody".

    ``cells`` are a model's posteriors every ``frame_s``; without them the estimated
    notes' own cells are taken, as a network without doubt would have given them.
    """
    sizes = len(reference), len(estimated)
    pairs = match_notes(reference, estimated)
    is_melody = reference[:, 4] > 0.5 if reference.shape[1] > 4 else np.zeros(len(reference), bool)
    n_melody_matched = sum(bool(is_melody[k]) for k, _ in pairs)
    end = max(
        (float(notes[:, 1].max()) for notes in (reference, estimated) if len(notes)), default=0.0
    )
    n_cells = round(end / frame_s) + 1
    played = cells_of_notes(estimated, n_cells, frame_s)
    cells = cells or played
    labels = labels_of_notes(reference, max(n_cells, len(cells.frame)), frame_s)
    n_frames = round(end / FRAME_S) + 1
    return TranscriptionScore(
        onset=Count(*sizes, len(pairs)),
        onset_offset=score_offsets(reference, estimated),
        onset_velocity=Count(*sizes, len(match_notes(reference, estimated, velocities=True))),
        onset_offset_velocity=Count(
            *sizes, len(match_notes(reference, estimated, offsets=True, velocities=True))
        ),
        onset_octave_free=Count(*sizes, len(match_notes(_folded(reference), _folded(estimated)))),
        melody=Count(int(is_melody.sum()), len(estimated), n_melody_matched),
        frame=_count_cells(sounding(reference, n_frames), sounding(estimated, n_frames)),
        cells=_count_matrices(labels, cells),
        played=_count_matrices(labels, played),
    )


def sounding(notes: Notes, n_frames: int, frame_s: float = FRAME_S) -> Cells:
    """Return (n_frames, 88): whether a key sounds at k frame_s, onset included, offset not."""
    cells = np.zeros((n_frames, N_PITCHES), bool)
    first = np.ceil(notes[:, 0] / frame_s - 1e-6).astype(int)
    last = np.ceil(notes[:, 1] / frame_s - 1e-6).astype(int)
    for start, stop, key in zip(first, last, _keys(notes), strict=True):
        cells[max(start, 0) : stop, key] = True
    return cells


def labels_of_notes(notes: Notes, n_frames: int, frame_s: float = FRAME_S) -> CellMatrices:
    """Return where AMT-APC's labels are not zero.

    Onset: inside the triangle of 3 frames of 16 ms to either side; velocity: where the triangle
    is 0.5 or more; frame: while the note sounds.
    """
    return CellMatrices(
        _near_onsets(notes, n_frames, frame_s, ONSET_SLOPE_S),
        sounding(notes, n_frames, frame_s),
        _near_onsets(notes, n_frames, frame_s, ONSET_SLOPE_S / 2),
    )


def cells_of_notes(notes: Notes, n_frames: int, frame_s: float = FRAME_S) -> CellMatrices:
    """Return the cells above 0.5 of a network that is sure of these notes.

    Against its own labels such a network reaches an onset F1 of about 0.7, not 1: the paper counts
    a label as positive wherever it is not zero, and an output from 0.5.
    """
    peaks = _near_onsets(notes, n_frames, frame_s, ONSET_SLOPE_S / 2)
    return CellMatrices(peaks, sounding(notes, n_frames, frame_s), peaks)


def cells_of_posteriors(posteriors: Posteriors) -> CellMatrices:
    """Return the cells that AMT-APC counts as positive in a model's outputs.

    Onset and frame above 0.5; velocity where it is not 0. A network that regresses velocity says
    something everywhere, since it learns at onsets only (more than half of its cells are not
    zero): then its onset must be above 0.5 too.
    """
    n_frames = int(posteriors.frames[-1]) + 1 if len(posteriors) else 0

    def placed(rows: Cells) -> Cells:
        cells = np.zeros((n_frames, N_PITCHES), bool)
        cells[posteriors.frames] = rows
        return cells

    onset = posteriors.onset > CELL_THRESHOLD
    velocity = np.round(posteriors.velocity * 127) >= 1
    if velocity.size and velocity.mean() > 0.5:
        velocity &= onset
    return CellMatrices(placed(onset), placed(posteriors.frame > CELL_THRESHOLD), placed(velocity))


def match_notes(
    reference: Notes, estimated: Notes, offsets: bool = False, velocities: bool = False
) -> list[tuple[int, int]]:
    """Return mir_eval's matching of notes, (reference, estimated) indices, each used once."""
    if not len(reference) or not len(estimated):
        return []
    notes = [
        (_intervals(n), mir_eval.util.midi_to_hz(n[:, 2].astype(float)))
        for n in (reference, estimated)
    ]
    rules = {"onset_tolerance": ONSET_TOLERANCE, "offset_ratio": 0.2 if offsets else None}
    if not velocities:
        pairs = mir_eval.transcription.match_notes(*notes[0], *notes[1], **rules)
    else:
        loudness = [n[:, 3].astype(float) for n in (reference, estimated)]
        pairs = mir_eval.transcription_velocity.match_notes(
            *notes[0], loudness[0], *notes[1], loudness[1], **rules
        )
    return [(int(k), int(m)) for k, m in pairs]


def _intervals(notes: Notes) -> NDArray[np.float64]:
    """Return (n, 2) onset and offset, every note at least a millisecond long."""
    intervals = notes[:, :2].astype(float)
    intervals[:, 1] = np.maximum(intervals[:, 1], intervals[:, 0] + 0.001)
    return intervals


def _folded(notes: Notes) -> Notes:
    """Return the notes in the octave from middle C."""
    folded = notes.copy()
    folded[:, 2] = 60 + notes[:, 2] % 12
    return folded


def _keys(notes: Notes) -> NDArray[np.int64]:
    keys: NDArray[np.int64] = np.round(notes[:, 2]).astype(np.int64) - MIN_PITCH
    return keys.clip(0, N_PITCHES - 1)


def _near_onsets(notes: Notes, n_frames: int, frame_s: float, within: float) -> Cells:
    """Return (n_frames, 88): whether k frame_s lies less than ``within`` seconds from an onset.

    With half the triangle's width the edge counts, as 0.5 does.
    """
    cells = np.zeros((n_frames, N_PITCHES), bool)
    edge = 1e-6 if within < ONSET_SLOPE_S else -1e-6
    first = np.ceil((notes[:, 0] - within - edge) / frame_s).astype(int)
    last = np.floor((notes[:, 0] + within + edge) / frame_s).astype(int)
    for start, stop, key in zip(first, last, _keys(notes), strict=True):
        cells[max(start, 0) : stop + 1, key] = True
    return cells


def _count_matrices(labels: CellMatrices, estimated: CellMatrices) -> CellCounts:
    return CellCounts(
        _count_cells(labels.onset, estimated.onset),
        _count_cells(labels.frame, estimated.frame),
        _count_cells(labels.velocity, estimated.velocity),
    )


def _count_cells(reference: Cells, estimated: Cells) -> Count:
    """Return the count of positive cells; the shorter matrix ends in silence."""
    n = min(len(reference), len(estimated))
    n_matched = int((reference[:n] & estimated[:n]).sum())
    return Count(int(reference.sum()), int(estimated.sum()), n_matched)
