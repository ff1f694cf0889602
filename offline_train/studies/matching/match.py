"""Finds the passages of a folder of MIDI files that are nearest to a song.

Every file is cut into overlapping windows, embedded and indexed, once: the index is kept. The song
is cut and embedded in the same way; windows whose nearest passages follow each other in one file
are one match. Not here: the index (``index``) and the networks (``models.papers.embedding``).
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from engine.core.errors import DataError
from models.papers.embedding import JointEmbedding
from offline_train.corpora import Note
from offline_train.corpora.midi import read_lines
from offline_train.data.shards import sha256
from offline_train.data.sound_files import read_sound
from offline_train.studies.matching.index import PassageIndex, build_graph
from offline_train.studies.matching.snippets import LEAST_CELLS
from offline_train.studies.matching.train import EMBED_AT_ONCE, load_embedding
from offline_train.studies.matching.views import (
    FRAME_S,
    WINDOW_S,
    roll_window,
    sound_window,
    spectrum,
)
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.render import players_to_midi

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

STEP_S = 0.504  # from one window to the next: 42 frames
MOST_SKIPPED = 2  # windows that a match may leave out


@dataclass(frozen=True, slots=True)
class MatchConfig:
    """What is matched; ``cache`` keeps the index of the corpus."""

    model: Path
    song: Path
    corpus: Path
    cache: Path
    keys: int = 1  # 1: passages as written; 12: in every key
    nearest: int = 20  # passages looked at for each window
    n_matches: int = 10


class Match(NamedTuple):
    """A stretch of the song and the passage of the corpus that lies nearest to it."""

    song_start: float
    song_end: float
    file: str
    start: float
    semitones: int
    likeness: float  # mean cosine
    n_windows: int

    def line(self) -> str:
        """Return the match as text."""
        end = self.start + self.song_end - self.song_start
        key = f", {self.semitones:+d} semitones" if self.semitones else ""
        return (
            f"{_clock(self.song_start)}-{_clock(self.song_end)}  {self.likeness:.3f}  "
            f"{self.file} {_clock(self.start)}-{_clock(end)}{key}"
        )


def _clock(seconds: float) -> str:
    """Return minutes and seconds.

    >>> _clock(83.4)
    '1:23'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def match(c: MatchConfig) -> list[Match]:
    """Return the best matches, those with the most windows and likeness first.

    Raises
    ------
    DataError, ModelError
        If song, corpus or model is not what it should be.
    """
    network = load_embedding(c.model)
    windows, _ = song_windows(read_sound(c.song))
    index = corpus_index(c, network)
    likeness, found = index.search(embed_sounds(network, windows), c.nearest)
    return join_windows(index, likeness, found)[: c.n_matches]


def song_windows(samples: Array) -> tuple[Array, Array]:
    """Return the windows (W, F, T) of a waveform at 16 kHz, and their starts (W,) in seconds."""
    frames = spectrum(samples)
    step = round(STEP_S / FRAME_S)
    firsts = np.arange(0, max(len(frames) - round(WINDOW_S / FRAME_S), 0) + 1, step)
    windows = np.stack([sound_window(frames, int(first)) for first in firsts])
    return windows, (firsts * FRAME_S).astype(np.float32)


@torch.no_grad()
def embed_sounds(network: JointEmbedding, windows: Array) -> Array:
    """Return the embeddings (W, D) of windows of sound (W, F, T)."""
    parts = torch.split(torch.from_numpy(windows), EMBED_AT_ONCE)
    return np.concatenate([network.embed_sound(part).numpy() for part in parts])


@torch.no_grad()
def embed_rolls(network: JointEmbedding, rolls: NDArray[np.uint8]) -> Array:
    """Return the embeddings (W, D) of rolls (W, P, C)."""
    parts = torch.split(torch.from_numpy(rolls), EMBED_AT_ONCE)
    return np.concatenate([network.embed_score(part.float()).numpy() for part in parts])


def corpus_index(c: MatchConfig, network: JointEmbedding) -> PassageIndex:
    """Return the corpus's index, from the cache if the corpus and the model are the same."""
    paths = sorted(p for p in c.corpus.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
    if not paths:
        raise DataError(f"{c.corpus}: expected a folder with MIDI files, found none")
    listing = [(str(p.relative_to(c.corpus)), p.stat().st_size) for p in paths]
    text = f"{c.corpus.resolve()}{listing}{c.keys}"
    facts = {"corpus": hashlib.sha256(text.encode()).hexdigest(), "model": sha256(c.model)}
    folder = c.cache / facts["corpus"][:16]
    held = PassageIndex.load(folder, facts)
    if held is not None:
        return held
    index = _index(c, network, paths)
    index.save(folder, facts)
    return index


def _index(c: MatchConfig, network: JointEmbedding, paths: Sequence[Path]) -> PassageIndex:
    shifts = [k - c.keys // 2 for k in range(c.keys)]
    vectors: list[Array] = []
    rows: list[tuple[int, float, int]] = []
    files: list[str] = []
    for path in tqdm(paths, "index", unit="file"):
        try:
            notes = file_notes(path)
        except DataError as error:
            log.warning("skipped %s", error)
            continue
        cut = list(_passages(notes, shifts))
        if not cut:
            continue
        vectors.append(embed_rolls(network, np.stack([roll for roll, _, _ in cut])))
        rows += [(len(files), start, shift) for _, start, shift in cut]
        files.append(str(path.relative_to(c.corpus)))
    if not rows:
        raise DataError(f"{c.corpus}: none of {len(paths)} MIDI files has notes enough")
    numbers, starts, semitones = (np.array(column) for column in zip(*rows, strict=True))
    return PassageIndex(
        files,
        numbers.astype(np.int32),
        starts.astype(np.float32),
        semitones.astype(np.int8),
        build_graph(np.concatenate(vectors)),
    )


def file_notes(path: Path) -> Array:
    """Return the notes (n, 4) of a MIDI file, drums apart: onset, offset, pitch, velocity."""
    notes = [note for line in read_lines(path) if not line.is_drums for note in line.notes]
    return np.array(sorted(notes), np.float32).reshape(-1, 4)


def _passages(
    notes: Array, shifts: Sequence[int]
) -> Iterator[tuple[NDArray[np.uint8], float, int]]:
    end = float(notes[:, 1].max()) if len(notes) else 0.0
    for start in np.arange(0.0, max(end - WINDOW_S, 0.0) + STEP_S, STEP_S):
        for shift in shifts:
            roll = roll_window(notes, float(start), shift)
            if roll.sum() >= LEAST_CELLS:
                yield roll, float(start), shift


def join_windows(index: PassageIndex, likeness: Array, found: NDArray[np.int64]) -> list[Match]:
    """Return matches of a song's windows: runs of hits that go on in one file, in one key."""
    lines: dict[tuple[str, int, int], list[tuple[int, float, float]]] = defaultdict(list)
    for window, (row, numbers) in enumerate(zip(likeness, found, strict=True)):
        for cosine, number in zip(row, numbers, strict=True):
            if number < 0:  # faiss found fewer
                continue
            passage = index.passage(int(number))
            lag = round(passage.start / STEP_S) - window
            key = (passage.file, passage.semitones, lag)
            lines[key].append((window, passage.start, float(cosine)))
    matches = []
    for (file, semitones, _), hits in lines.items():
        run: list[tuple[int, float, float]] = []
        for hit in [*hits, None]:
            if run and (hit is None or hit[0] - run[-1][0] > MOST_SKIPPED + 1):
                matches.append(_as_match(file, semitones, run))
                run = []
            if hit is not None:
                run.append(hit)
    return sorted(matches, key=lambda m: -m.likeness * m.n_windows)


def _as_match(file: str, semitones: int, run: Sequence[tuple[int, float, float]]) -> Match:
    first, last = run[0][0] * STEP_S, run[-1][0] * STEP_S + WINDOW_S
    cosine = float(np.mean([hit[2] for hit in run]))
    return Match(first, last, file, run[0][1], semitones, cosine, len(run))


def save_matches(matches: Sequence[Match], corpus: Path, out: Path) -> list[Path]:
    """Write each match as a MIDI file, in the song's time and key; return the paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for k, found in enumerate(matches):
        seconds = found.song_end - found.song_start
        notes = [
            Note(
                float(on - found.start + found.song_start),
                float(min(off, found.start + seconds) - found.start + found.song_start),
                int(pitch) + found.semitones,
                int(velocity),
            )
            for on, off, pitch, velocity in file_notes(corpus / found.file)
            if found.start <= on < found.start + seconds and 0 <= pitch + found.semitones < 128
        ]
        path = out / f"{k + 1:02d}.mid"
        midi: Any = players_to_midi([Player("piano", 0, notes)])
        midi.save(path)
        paths.append(path)
    return paths
