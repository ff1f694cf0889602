"""From the scores of songs to the figures of a table, each with its name and label."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from offline_train.evaluation.measures.faults import FaultScore
from offline_train.evaluation.measures.pianist import PianistScore
from offline_train.evaluation.measures.playability import PlayabilityScore
from offline_train.evaluation.measures.rhythm import RhythmScore
from offline_train.evaluation.measures.transcription import TranscriptionScore
from offline_train.evaluation.measures.tune import TuneScore
from offline_train.evaluation.systems import Timing

Figures = dict[str, float]
"""Measure key -> value; a measure that does not apply is absent."""


@dataclass(frozen=True, slots=True)
class SongScore:
    """How a system did on a song; None where a measure does not apply."""

    playability: PlayabilityScore
    rhythm: RhythmScore
    pianist: PianistScore
    faults: FaultScore | None = None
    transcription: TranscriptionScore | None = None
    tune: TuneScore | None = None
    qmax: float | None = None
    melody_chroma: float | None = None
    melody_anywhere: float | None = None
    teacher_agreement: float | None = None
    teacher_by_chance: float | None = None
    chroma_agreement: float | None = None
    chroma_by_chance: float | None = None
    embedding_distance: float | None = None
    embedding_by_chance: float | None = None


class Measure(NamedTuple):
    """A row of the table. ``is_better_high`` None: neither is better."""

    key: str
    label: str
    digits: int
    is_better_high: bool | None


MEASURES = (
    Measure("onset_f1", "onset F1 (50 ms), all notes counted together", 3, True),
    Measure("onset_precision", "its precision", 3, True),
    Measure("onset_recall", "its recall", 3, True),
    Measure("onset_f1_mean", "onset F1, mean over songs", 3, True),
    Measure("onset_octave_free_f1", "onset F1, octave free", 3, True),
    Measure("onset_offset_f1", "onset and offset F1", 3, True),
    Measure("onset_velocity_f1", "onset and velocity F1", 3, True),
    Measure("onset_offset_velocity_f1", "onset, offset and velocity F1", 3, True),
    Measure("frame_f1", "frame F1 (16 ms)", 3, True),
    Measure("frame_precision", "its precision", 3, True),
    Measure("frame_recall", "its recall", 3, True),
    Measure("frame_f1_mean", "frame F1, mean over songs", 3, True),
    Measure("average_f1", "AMT-APC's average F1, cells at 0.5", 3, True),
    Measure("average_f1_mean", "AMT-APC's average F1, mean over songs", 3, True),
    Measure("cell_onset_f1", "of it, onset cells", 3, True),
    Measure("cell_frame_f1", "of it, frame cells", 3, True),
    Measure("cell_velocity_f1", "of it, velocity cells", 3, True),
    Measure("average_f1_played", "AMT-APC's average F1, cells of the notes played", 3, True),
    Measure("melody_recall", "melody notes found", 3, True),
    Measure("sung_found", "sung notes found, mean over songs", 3, True),
    Measure("sung_by_chance", "its value for the same notes one to two seconds off", 3, None),
    Measure("sung_beside", "notes of the tune a semitone beside what is sung", 3, False),
    Measure("density", "notes for each note of the human", 2, None),
    Measure("qmax", "Qmax figure", 4, False),
    Measure("qmax_to_human", "Qmax figure ÷ the human cover's, same songs", 2, False),
    Measure("melody_chroma", "melody chroma accuracy, top voice", 3, True),
    Measure("melody_anywhere", "melody chroma in any voice", 3, True),
    Measure("teacher_agreement", "octave-free onset agreement with basic-pitch, F1", 3, True),
    Measure("teacher_by_chance", "its value for the same notes a second late", 3, None),
    Measure("chroma_agreement", "chroma agreement with the audio", 3, True),
    Measure("chroma_by_chance", "its value for the same notes a second late", 3, None),
    Measure("embedding_distance", "distance from the song in the joint embedding", 3, False),
    Measure("embedding_by_chance", "its value for the same notes a second late", 3, None),
    Measure(
        "pianist_distance", "unlike a pianist: mean distance from humans, in deviations", 2, False
    ),
    Measure("pulse", "pulse", 3, None),
    Measure("grid_coherence", "rhythmic grid coherence", 3, None),
    Measure("crowded", "attacks within 0.1 s of the one before", 3, None),
    Measure("variation", "variation of the time between attacks", 3, None),
    Measure("single", "attacks of one note", 3, None),
    Measure("left_wide", "left hand: attacks wider than a tenth", 3, None),
    Measure("seconds_struck", "attacks with a minor second or ninth", 3, None),
    Measure("velocity_spread", "spread of velocities", 1, None),
    Measure("melody_above", "velocity of a chord's highest note above its mean", 1, None),
    Measure("note_s", "median note length, s", 3, None),
    Measure("too_long", "notes held too long, of those that the human plays", 3, False),
    Measure("repeated", "notes struck again where the human holds", 3, False),
    Measure("grid_share", "onsets within 60 ms of the half-beat grid", 3, True),
    Measure("sixteenth_ms", "onsets off the song's sixteenths, ms, median", 1, False),
    Measure("sixteenth_90_ms", "onsets off the song's sixteenths, ms, 90th percentile", 1, False),
    Measure("notes_a_second", "notes a second", 2, None),
    Measure("mean_velocity", "mean velocity", 1, None),
    Measure("restrike_share", "notes that strike a key again within 60 ms", 4, False),
    Measure("left_notes_a_second", "left hand: notes a second", 2, None),
    Measure("left_span", "left hand: mean span of chords, semitones", 1, None),
    Measure("left_polyphony", "left hand: mean polyphony", 2, None),
    Measure("left_max_polyphony", "left hand: most notes at once", 0, False),
    Measure("right_notes_a_second", "right hand: notes a second", 2, None),
    Measure("right_span", "right hand: mean span of chords, semitones", 1, None),
    Measure("right_polyphony", "right hand: mean polyphony", 2, None),
    Measure("right_max_polyphony", "right hand: most notes at once", 0, False),
    Measure("lookahead_ms", "lookahead of the model, ms", 0, False),
    Measure("latency_ms", "declared latency, ms", 0, False),
)
MEASURE = {measure.key: measure for measure in MEASURES}
_MEANS = (
    "qmax", "melody_chroma", "melody_anywhere", "teacher_agreement", "teacher_by_chance",
    "chroma_agreement", "chroma_by_chance", "embedding_distance", "embedding_by_chance",
)  # fmt: skip
_PAIRS = ("onset", "frame")
_F1 = ("onset_octave_free", "onset_offset", "onset_velocity", "onset_offset_velocity")
_CELLS = ("onset", "frame", "velocity")


def figures(scores: Sequence[SongScore], timing: Timing | None = None) -> Figures:
    """Return the figures of one song's score, or of several songs together.

    Transcription is counted over all songs' notes or cells together, and as a mean over songs
    where the key says so; shares and rates are over all notes and seconds; those of a pianist and
    distances from sixteenths are medians over songs; the rest are means over the songs for which
    they are known.
    """
    found = _transcription([s.transcription for s in scores if s.transcription is not None])
    for key in _MEANS:
        found |= _mean_of(scores, key)
    found |= _tune([s.tune for s in scores if s.tune is not None])
    found |= _pianist([s.pianist for s in scores])
    found |= _faults([s.faults for s in scores if s.faults is not None])
    found |= _rhythm([s.rhythm for s in scores])
    found |= _playability([s.playability for s in scores])
    if timing is not None and timing.lookahead_s is not None and timing.latency_s is not None:
        found["lookahead_ms"] = 1000 * timing.lookahead_s
        found["latency_ms"] = 1000 * timing.latency_s
    return found


def compare_qmax(system: Sequence[SongScore], human: Sequence[SongScore]) -> float | None:
    """Return mean Qmax figure of a system ÷ the human's, over songs where both are known."""
    both = [
        (s.qmax, h.qmax)
        for s, h in zip(system, human, strict=True)
        if s.qmax is not None and h.qmax is not None
    ]
    if not both:
        return None
    ours, theirs = np.mean(both, axis=0)
    return float(ours / theirs)


def _transcription(scores: Sequence[TranscriptionScore]) -> Figures:
    if not scores:
        return {}
    total = sum(scores, TranscriptionScore())
    found = {f"{name}_f1": getattr(total, name).f1 for name in (*_PAIRS, *_F1)}
    for name in _PAIRS:
        found[f"{name}_precision"] = getattr(total, name).precision
        found[f"{name}_recall"] = getattr(total, name).recall
        found[f"{name}_f1_mean"] = float(np.mean([getattr(s, name).f1 for s in scores]))
    found["average_f1"] = total.cells.average_f1
    found["average_f1_mean"] = float(np.mean([s.cells.average_f1 for s in scores]))
    found |= {f"cell_{name}_f1": getattr(total.cells, name).f1 for name in _CELLS}
    found["average_f1_played"] = total.played.average_f1
    found["density"] = total.onset.density
    if total.melody.n_reference:
        found["melody_recall"] = total.melody.recall
    return found


def _tune(scores: Sequence[TuneScore]) -> Figures:
    if not scores:
        return {}
    found = {
        "sung_found": _mean(s.found for s in scores),
        "sung_by_chance": _mean(s.by_chance for s in scores),
    }
    beside = [s.beside for s in scores if s.beside is not None]
    return found | {"sung_beside": _mean(beside)} if beside else found


def _rhythm(scores: Sequence[RhythmScore]) -> Figures:
    known = [s for s in scores if s.n_near_grid is not None]
    n_onsets = sum(s.n_onsets for s in known)
    found = {}
    if n_onsets:
        found["grid_share"] = sum(s.n_near_grid or 0 for s in known) / n_onsets
    for key in ("sixteenth", "sixteenth_90"):
        off = [value for s in scores if (value := getattr(s, f"{key}_s")) is not None]
        found |= {f"{key}_ms": 1000 * float(np.median(off))} if off else {}
    return found


def _pianist(scores: Sequence[PianistScore]) -> Figures:
    found: Figures = {}
    for key in (f.name for f in fields(PianistScore) if f.name != "notes_a_second"):
        known = [value for s in scores if not math.isnan(value := getattr(s, key))]
        found |= {key: float(np.median(known))} if known else {}
    return found


def _faults(scores: Sequence[FaultScore]) -> Figures:
    total = sum(scores, FaultScore())
    found = {"repeated": total.of_notes("n_repeated")} if total.n_notes else {}
    return found | ({"too_long": total.of_matched("n_too_long")} if total.n_matched else {})


def _playability(scores: Sequence[PlayabilityScore]) -> Figures:
    n_notes = sum(s.n_notes for s in scores)
    seconds = sum(s.seconds for s in scores)
    if not n_notes or not seconds:
        return {"notes_a_second": 0.0} if seconds else {}
    played = [s for s in scores if s.n_notes]
    found = {
        "notes_a_second": n_notes / seconds,
        "mean_velocity": sum(s.mean_velocity * s.n_notes for s in scores) / n_notes,
        "restrike_share": sum(s.n_restrikes for s in scores) / n_notes,
    }
    for side in ("left", "right"):
        hands = [getattr(s, side) for s in played]
        found |= {
            f"{side}_notes_a_second": _mean(h.notes_a_second for h in hands),
            f"{side}_span": _mean(h.mean_span for h in hands),
            f"{side}_polyphony": _mean(h.mean_polyphony for h in hands),
            f"{side}_max_polyphony": float(max(h.max_polyphony for h in hands)),
        }
    return found


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _mean_of(scores: Sequence[SongScore], key: str) -> Figures:
    known = [value for value in (getattr(score, key) for score in scores) if value is not None]
    return {key: float(np.mean(known))} if known else {}
