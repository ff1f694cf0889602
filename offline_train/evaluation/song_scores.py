"""One song covered by several systems, and every cover measured.

Not here: the songs and their figures together (``scoring``), what each measure is (a module for
each family).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offline_train.evaluation.figures import SongScore
from offline_train.evaluation.measures import likeness
from offline_train.evaluation.measures.agreement import (
    chroma_agreement,
    octave_free_agreement,
    shifted,
)
from offline_train.evaluation.measures.faults import score_faults
from offline_train.evaluation.measures.pianist import PianistScore, score_pianist
from offline_train.evaluation.measures.playability import score_playability
from offline_train.evaluation.measures.rhythm import score_rhythm
from offline_train.evaluation.measures.transcription import cells_of_posteriors, score_transcription
from offline_train.evaluation.measures.tune import score_tune
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE, ReferenceSong
from offline_train.evaluation.songs.rungs import Embed
from offline_train.evaluation.systems import Cover, SystemChoice, open_system

Array = NDArray[np.float32]

HUMAN = SystemChoice("human", "human")
BASIC_PITCH = SystemChoice("basic-pitch", "basic-pitch")


@dataclass(frozen=True, slots=True)
class ScoredSong:
    """One song's scores and covers, by the system's name."""

    name: str
    seconds: float
    scores: dict[str, SongScore]
    covers: dict[str, Array]  # notes (n, 5)
    human: PianistScore | None = None  # of the song's own cover


def score_song(
    song: ReferenceSong, choices: Sequence[SystemChoice], profile: Array | None = None
) -> ScoredSong:
    """Return the scores of each system's cover; ``profile`` (T, 12) is the song's, for Qmax."""
    opened = {choice.name: open_system(choice).cover(song) for choice in choices}
    teacher = opened.get(BASIC_PITCH.name)
    scores: dict[str, SongScore] = {}
    known: dict[bytes, float | None] = {}  # two paths that agree are played and compared once
    for choice in choices:
        cover, other = opened[choice.name], None if choice == BASIC_PITCH else teacher
        score = score_cover(song, cover, other, is_truth=choice == HUMAN)
        key = np.round(cover.notes[:, :4], 2).tobytes()
        if profile is not None and key not in known:
            known[key] = likeness.cover_qmax(profile, cover.notes)
        scores[choice.name] = replace(score, qmax=known.get(key))
    covers = {name: cover.notes for name, cover in opened.items()}
    human = None if song.notes is None else score_pianist(song.notes, song.seconds)
    return ScoredSong(song.name, song.seconds, scores, covers, human)


def with_distances(scored: ScoredSong, song: ReferenceSong, embed: Embed) -> ScoredSong:
    """Return the song with each cover's distance in a joint embedding among its scores."""
    embedded = embed(song.samples)
    scores = {
        name: replace(
            score,
            embedding_distance=embedded.distance(scored.covers[name]),
            embedding_by_chance=embedded.distance(shifted(scored.covers[name])),
        )
        for name, score in scored.scores.items()
    }
    return replace(scored, scores=scores)


def score_cover(
    song: ReferenceSong, cover: Cover, teacher: Cover | None = None, is_truth: bool = False
) -> SongScore:
    """Return how well a cover does, Qmax apart; the human's own is not compared with itself.

    ``teacher`` is basic-pitch's notes of the song.
    """
    notes, late = cover.notes, shifted(cover.notes)
    transcription, melody, faults = None, None, None
    if song.notes is not None:
        faults = score_faults(song.notes, notes)
        melody = likeness.melody_chroma(song.notes[song.notes[:, 4] > 0.5], notes)
        if not is_truth:
            cells = None if cover.posteriors is None else cells_of_posteriors(cover.posteriors)
            transcription = score_transcription(song.notes, notes, cells, cover.frame_s)
    score = SongScore(
        score_playability(notes, song.seconds),
        score_rhythm(notes, song.beats),
        score_pianist(notes, song.seconds),
        faults,
        transcription,
        None if song.sung is None else score_tune(song.sung, notes),
        melody_chroma=melody[0] if melody else None,
        melody_anywhere=melody[1] if melody else None,
        chroma_agreement=chroma_agreement(notes, song.samples, SAMPLE_RATE),
        chroma_by_chance=chroma_agreement(late, song.samples, SAMPLE_RATE),
    )
    if teacher is None:
        return score
    return replace(
        score,
        teacher_agreement=octave_free_agreement(notes, teacher.notes),
        teacher_by_chance=octave_free_agreement(late, teacher.notes),
    )
