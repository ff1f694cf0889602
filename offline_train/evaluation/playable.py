"""Whether a model's covers can be played: parts, hands, pedal and faults, beside the human's.

A recipe: each song is transcribed once, by the live path; then the decoder runs with each melody
threshold, and the engine's own hands and pedal on what it gives. Needs POP909 (rungs a to c), whose
tracks, chords and pedal are the truth. Not here: what each measure is (``parts``, ``playability``,
``pedalling``, ``faults``), the tables (``playable_report``).
"""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.core.errors import DataError
from engine.core.notes import NoteEvent, PedalEvent, Posteriors
from engine.core.settings import DecoderSettings
from engine.cover.style import style_pace, style_vector
from engine.model.pipeline import load_pipeline
from engine.perform.decoder import NoteDecoder
from engine.perform.hands import Hands
from engine.perform.pedal import Pedal
from models.spec import Decoding
from offline_train import corpora
from offline_train.evaluation.measures.faults import FaultScore, score_faults
from offline_train.evaluation.measures.parts import PartsScore, score_parts
from offline_train.evaluation.measures.pedalling import PedalScore, score_pedal
from offline_train.evaluation.measures.playability import Unplayable, find_unplayable, split_hands
from offline_train.evaluation.measures.transcription import Count, match_notes, score_onsets
from offline_train.evaluation.songs.reference_song import ReferenceSong
from offline_train.evaluation.songs.rungs import (
    RENDERED,
    EvaluateConfig,
    read_reference_song,
    reference_piece,
    song_names,
)
from offline_train.evaluation.systems import events_to_notes, listen

Notes = NDArray[np.float32]

MELODY_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RULES = tuple(f.name for f in dataclasses.fields(Unplayable))


@dataclass(frozen=True, slots=True)
class HandsScore:
    """One song's counts of what two hands cannot play, or several songs' added up."""

    n_notes: int = 0
    n_unplayable: int = 0
    broken: tuple[int, ...] = (0,) * len(RULES)  # by rule; a note may break several
    onset: Count = Count()
    melody: Count = Count()

    def __add__(self, other: "HandsScore") -> "HandsScore":
        return HandsScore(
            self.n_notes + other.n_notes,
            self.n_unplayable + other.n_unplayable,
            tuple(a + b for a, b in zip(self.broken, other.broken, strict=True)),
            self.onset + other.onset,
            self.melody + other.melody,
        )


@dataclass(slots=True)
class PlayableScore:
    """Everything that the tables show, songs added up."""

    n_songs: int = 0
    seconds: float = 0.0
    parts: dict[float, PartsScore] = field(
        default_factory=lambda: defaultdict(PartsScore)
    )  # by melody threshold
    hands: dict[str, HandsScore] = field(
        default_factory=lambda: defaultdict(HandsScore)
    )  # "before", "after", "human"
    pedal: dict[str, PedalScore] = field(
        default_factory=lambda: defaultdict(PedalScore)
    )  # "harmony", "never up", "human"
    faults: dict[str, FaultScore] = field(
        default_factory=lambda: defaultdict(FaultScore)
    )  # "cover", "in two hands", "human"


def measure(
    model: str | Path,
    config: EvaluateConfig,
    style: str = "balanced",
    span: int = 14,
    thresholds: Sequence[float] = MELODY_THRESHOLDS,
) -> PlayableScore:
    """Return the scores of a model's covers of a rung's songs.

    Raises
    ------
    ModelError, ConfigError
        If there is no such model or style.
    DataError
        If the rung is not of POP909, or has no songs.
    """
    if config.rung not in RENDERED:
        raise DataError(f"expected a rung of POP909, {', '.join(RENDERED)}, got {config.rung}")
    pipeline = load_pipeline(model)
    frame_s, decoding = pipeline.spec.features.frame_s, pipeline.spec.decoding
    pace = style_pace(style_vector(style, pipeline.spec), pipeline.spec)
    total = PlayableScore()
    for name in tqdm(song_names(config), f"rung {config.rung}", unit="song"):
        song = read_reference_song(config, name)
        posteriors = listen(pipeline, song.samples, style)
        truth, pedals = reference_piece(config, name)
        for threshold in sorted({*thresholds, decoding.melody_threshold}):
            tried = dataclasses.replace(decoding, melody_threshold=threshold)
            notes = events_to_notes(_decoded(posteriors, frame_s, tried, pace))
            total.parts[threshold] += score_parts(_truth(song), notes, _array(truth.piano))
        _score(total, song, _decoded(posteriors, frame_s, decoding, pace), truth, pedals, span)
        total.n_songs += 1
        total.seconds += song.seconds
    return total


def _score(
    total: PlayableScore,
    song: ReferenceSong,
    events: list[NoteEvent],
    truth: corpora.Song,
    pedals: list[corpora.Pedal],
    span: int,
) -> None:
    """Add one song's hands, pedal and faults."""
    human = _truth(song)
    human = human[np.lexsort((human[:, 2], human[:, 0]))]
    cover, played = events_to_notes(events), Hands(span).push(events)
    cover = cover[np.lexsort((cover[:, 2], cover[:, 0]))]
    kept, is_right = notes_in_hands(played)
    total.hands["before"] += score_hands(human, cover, split_hands(cover), span)
    total.hands["after"] += score_hands(human, kept, is_right, span)
    total.hands["human"] += score_hands(human, human, split_hands(human), span)
    shortened, ours = pedalled(events, song.seconds)
    under, up = events_to_notes(shortened), [corpora.Pedal(0.0, True)]
    columns = {"cover": cover, "in two hands": kept, "under the pedal": under, "human": human}
    for name, notes in columns.items():
        total.faults[name] += score_faults(human, notes)
    piano = _array(truth.piano)
    for name, notes, moves in (
        ("harmony", under, ours), ("never up", cover, up), ("human", piano, pedals)
    ):  # fmt: skip
        total.pedal[name] += score_pedal(notes, moves, pedals, truth.chords, song.seconds)


def score_hands(human: Notes, notes: Notes, is_right: NDArray[np.bool_], span: int) -> HandsScore:
    """Return the counts of notes (n, 5), ordered by onset, with hands (n,)."""
    found = find_unplayable(notes, is_right, span)
    melody = human[human[:, 4] > 0.5]
    n_melody = len(match_notes(melody, notes))
    return HandsScore(
        len(notes),
        int(found.any.sum()),
        tuple(int(getattr(found, rule).sum()) for rule in RULES),
        score_onsets(human, notes),
        Count(len(melody), len(notes), n_melody),
    )


def notes_in_hands(events: Sequence[NoteEvent]) -> tuple[Notes, NDArray[np.bool_]]:
    """Return notes (n, 5), ordered by onset, and whether the right hand plays each (n,)."""
    on_right = [event for event in events if event.hand == "right"]
    on_left = [event for event in events if event.hand != "right"]
    hands = [events_to_notes(on_left), events_to_notes(on_right)]
    notes = np.concatenate(hands)
    is_right = np.repeat([False, True], [len(hand) for hand in hands])
    order = np.lexsort((notes[:, 2], notes[:, 0]))
    return notes[order], is_right[order]


def pedalled(
    events: Sequence[NoteEvent], end: float
) -> tuple[list[NoteEvent], list[corpora.Pedal]]:
    """Return the notes under the engine's pedal, and what it does, to a song's ``end``."""
    pedal = Pedal()
    moves = [*pedal.push(events, end), *pedal.flush(end)]
    pedals = [corpora.Pedal(m.time, m.is_down) for m in moves if isinstance(m, PedalEvent)]
    return [m for m in moves if isinstance(m, NoteEvent)], pedals


def _decoded(
    posteriors: Posteriors, frame_s: float, decoding: Decoding, pace: float
) -> list[NoteEvent]:
    decoder = NoteDecoder(frame_s, DecoderSettings().resolved(decoding))
    decoder.pace = pace
    return decoder.push(posteriors) + decoder.flush()


def _truth(song: ReferenceSong) -> Notes:
    assert song.notes is not None, "songs of POP909 have their notes"
    return song.notes


def _array(notes: Sequence[corpora.Note]) -> Notes:
    return np.array([(*note, 0) for note in notes], np.float32).reshape(-1, 5)
