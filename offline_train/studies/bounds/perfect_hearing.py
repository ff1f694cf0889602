"""How near to a human's cover one comes who hears everything: true beats, chords, tune and band.

A network over sixteenths reads the whole song, the bars to come too, as its score has it, and says
which keys the pianist of POP909 strikes on each step. What it misses no better hearing would find:
the pianist chose among textures that fit alike. It is the upper bound of onset F1 for covers that
do not know the pianist. Nor does the sound say which of two leads is the tune: POP909's interludes
(BRIDGE) are played by a lead, too, but not by its pianist; ``one_lead`` tells of both as one.
Shapes: B crops, S steps (sixteenths), P = 88 pitches.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from models.spec import MIN_PITCH, N_PITCHES
from offline_train.corpora import read_song
from offline_train.data.accompaniment.songs import STRUCK, GridSong, prepare_songs
from offline_train.evaluation.measures.faults import count_repeated
from offline_train.evaluation.measures.transcription import Count

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

N_PLACES = 16
N_INPUTS = 4 * N_PITCHES + 36 + N_PLACES
KEYS = range(-5, 7)
"""Semitones by which crops are transposed."""
THRESHOLDS = np.arange(0.1, 0.8, 0.02)
MOST_REPEATED = 0.03  # of what is played, where few keys are to be struck again


@dataclass(frozen=True, slots=True)
class BoundConfig:
    """One study: its data, and how long it learns."""

    data: Path
    out: Path
    steps: int = 1500
    n_steps: int = 256
    batch: int = 8
    hidden: int = 160
    learning_rate: float = 4e-3
    seed: int = 1
    one_lead: bool = False  # whether tune and interludes are not told apart


@dataclass(frozen=True, slots=True)
class Bound:
    """What is found of the human's notes of a split, matched by step and pitch.

    ``n_repeated`` notes strike a key again that the human holds.
    """

    threshold: float
    everything: Count
    tune: Count
    accompaniment: Count
    n_repeated: int

    @property
    def repeated(self) -> float:
        """Of what is played, the share that the human holds."""
        return self.n_repeated / max(self.everything.n_estimated, 1)

    def table(self) -> str:
        """Return the figures as a table."""
        rows = ("all notes", self.everything), ("tune", self.tune), ("piano", self.accompaniment)
        lines = ["| | precision | recall | onset F1 |", "|---|---|---|---|"]
        lines += [f"| {n} | {c.precision:.3f} | {c.recall:.3f} | {c.f1:.3f} |" for n, c in rows]
        return "\n".join([*lines, "", f"struck again where the human holds: {self.repeated:.3f}"])


class PerfectEar(nn.Module):
    """Scores (B, S, N_INPUTS) -> logits (B, S, P) that a key is struck; reads both ways."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.read = nn.Linear(N_INPUTS, hidden)
        self.gru = nn.GRU(hidden, hidden, 2, batch_first=True, bidirectional=True)
        self.strike = nn.Linear(2 * hidden + N_INPUTS, N_PITCHES)
        nn.init.constant_(self.strike.bias, -3.0)

    def forward(self, score: Tensor) -> Tensor:
        """Return the logits."""
        followed, _ = self.gru(torch.relu(self.read(score)))
        logits: Tensor = self.strike(torch.cat([followed, score], 2))
        return logits


class Score(NamedTuple):
    """A song, and notes (n, >= 3) of its lead as they are told: step, length, pitch."""

    song: GridSong
    lead: NDArray[np.int16]


def scores_of(c: BoundConfig, split: str) -> list[Score]:
    """Return the songs of a split."""
    songs = prepare_songs(c.data, split, c.out / split)
    return [Score(song, both_leads(c.data, song) if c.one_lead else song.melody) for song in songs]


def songs_of(scores: Sequence[Score]) -> list[GridSong]:
    """Return whose scores they are."""
    return [score.song for score in scores]


def both_leads(data: Path, song: GridSong) -> NDArray[np.int16]:
    """Return tune and interludes (n, 3) on a song's steps."""
    notes = read_song(data / "pop909" / song.song_id).bridge
    edges = np.array([(note.onset, note.offset) for note in notes]).reshape(-1, 2)
    steps = np.round(np.interp(edges, song.times, np.arange(song.n_steps))).astype(np.int16)
    lengths = np.maximum(steps[:, 1] - steps[:, 0], 1)
    pitches = np.array([note.pitch for note in notes], np.int16)
    bridge = np.column_stack([steps[:, 0], lengths, pitches]).astype(np.int16)
    return np.concatenate([song.melody[:, :3], bridge])


def score_rows(score: Score, band: int = 0, key: int = 0) -> Array:
    """Return what is known of a song, transposed by ``key`` semitones: (S, N_INPUTS)."""
    song = score.song
    melody = np.zeros((2, song.n_steps, N_PITCHES), np.float32)
    for step, length, pitch in score.lead[:, :3]:
        melody[0, step, pitch - MIN_PITCH] = 1
        melody[1, step : step + length, pitch - MIN_PITCH] = 1
    cells = song.bands[band]
    rolls = [*melody, cells > STRUCK, cells > 0]
    has_chord = song.chords[:, 0] >= 0
    bits = (song.tones[:, None] >> np.arange(12)) & 1
    classes = [bits, *(np.eye(12)[song.chords[:, k]] * has_chord[:, None] for k in (0, 2))]
    places = np.eye(N_PLACES)[song.place % N_PLACES]
    moved = [*(moved_by(roll, key) for roll in rolls), *(np.roll(c, key, 1) for c in classes)]
    return np.concatenate([*moved, places], 1).astype(np.float32)


def struck(notes: NDArray[np.int16], n_steps: int, key: int = 0) -> Array:
    """Return where notes are struck, transposed: (n_steps, P)."""
    roll = np.zeros((n_steps, N_PITCHES), np.float32)
    roll[notes[:, 0], notes[:, 2] - MIN_PITCH] = 1
    return moved_by(roll, key)


def moved_by(roll: NDArray[np.generic], key: int) -> Array:
    """Return a roll (S, P) moved by ``key`` semitones; what the move uncovers is empty."""
    moved = np.zeros(roll.shape, np.float32)
    low, high = max(key, 0), N_PITCHES + min(key, 0)
    moved[:, low:high] = roll[:, low - key : high - key]
    return moved


def find_bounds(c: BoundConfig) -> tuple[Bound, Bound]:
    """Train, choose thresholds on the validation songs, and return the test songs' figures.

    The first is of the highest F1, the second of the highest with few notes struck again.

    Raises
    ------
    DataError
        If there is no POP909 in ``data``.
    """
    torch.manual_seed(c.seed)
    train, valid, test = (scores_of(c, split) for split in ("train", "valid", "test"))
    network = learn(c, train)
    likely = answers(network, valid)
    found = [count(songs_of(valid), likely, float(t)) for t in THRESHOLDS]
    calm = [bound for bound in found if bound.repeated <= MOST_REPEATED] or found[-1:]
    likely = answers(network, test)
    bounds = []
    for best in (max(some, key=lambda bound: bound.everything.f1) for some in (found, calm)):
        log.info("on validation songs, from %.2f on: %.3f", best.threshold, best.everything.f1)
        bounds.append(count(songs_of(test), likely, best.threshold))
    return bounds[0], bounds[1]


def learn(c: BoundConfig, scores: Sequence[Score]) -> PerfectEar:
    """Return the network after ``steps``, the learning rate falling to nothing."""
    network = PerfectEar(c.hidden)
    optimizer = torch.optim.AdamW(network.parameters(), c.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, c.learning_rate, total_steps=c.steps, pct_start=0.05
    )
    for n, (score, wanted) in enumerate(islice(_batches(c, scores), c.steps), 1):
        loss = bce(network(score), wanted)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if n % 100 == 0:
            log.info("%d of %d steps: loss %.5f", n, c.steps, loss.item())
    return network.eval()


def _batches(c: BoundConfig, scores: Sequence[Score]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield scores and what the human strikes, of random crops in random keys."""
    rng = np.random.default_rng(c.seed)
    while True:
        rows = []
        for _ in range(c.batch):
            score, key = scores[int(rng.integers(len(scores)))], int(rng.choice(KEYS))
            song = score.song
            first = int(rng.integers(max(song.n_steps - c.n_steps, 0) + 1))
            known = score_rows(score, int(rng.integers(len(song.bands))), key)
            human = struck(np.concatenate([song.piano, song.melody]), song.n_steps, key)
            rows.append([_fitted(x, first, c.n_steps) for x in (known, human)])
        of_scores, humans = zip(*rows, strict=True)
        yield torch.from_numpy(np.stack(of_scores)), torch.from_numpy(np.stack(humans))


def _fitted(rows: Array, first: int, n: int) -> Array:
    """Return n rows from ``first`` on; what is behind the last is empty."""
    part = rows[first : first + n]
    return np.pad(part, ((0, n - len(part)), (0, 0)))


@torch.inference_mode()
def answers(network: PerfectEar, scores: Sequence[Score]) -> list[Array]:
    """Return the probabilities (S, P) of each song that a key is struck."""
    known = (torch.from_numpy(score_rows(score))[None] for score in scores)
    return [torch.sigmoid(network(rows))[0].numpy() for rows in known]


def count(songs: Sequence[GridSong], likely: Sequence[Array], threshold: float) -> Bound:
    """Return what keys of at least ``threshold`` find of the human's notes.

    Of what is struck, the tune's is what the tune strikes there; all else is the accompaniment's.
    """
    total, tune, piano, n_repeated = Count(), Count(), Count(), 0
    for song, values in zip(songs, likely, strict=True):
        played = values >= threshold
        sung = struck(song.melody, song.n_steps) > 0
        human = (struck(song.piano, song.n_steps) > 0) | sung
        total += _matched(human, played)
        tune += _matched(sung, played & sung)
        piano += _matched(human & ~sung, played & ~sung)
        n_repeated += _repeated(song, played)
    return Bound(threshold, total, tune, piano, n_repeated)


def _matched(human: NDArray[np.bool_], played: NDArray[np.bool_]) -> Count:
    return Count(int(human.sum()), int(played.sum()), int((human & played).sum()))


def _repeated(song: GridSong, played: NDArray[np.bool_]) -> int:
    """Return how many keys are struck again within one note of the human's."""
    human = np.concatenate([song.piano, song.melody])
    steps, keys = np.nonzero(played)
    ours = np.column_stack([steps, steps + 1, keys + MIN_PITCH])
    theirs = np.column_stack([human[:, 0], human[:, 0] + human[:, 1], human[:, 2]])
    return count_repeated(theirs.astype(np.float32), ours.astype(np.float32))
