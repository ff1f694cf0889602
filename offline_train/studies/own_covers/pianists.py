"""Three pianists who play by rule, each with a manner of her own, to prove models of covers with.

Each takes a song's tune, beats and chords: ``sparse`` is high and soft, with a chord a bar;
``dense`` low and loud, in octaves; ``arpeggio`` plays broken chords in the middle. Not here: what
makes of their covers a model (``fine_tune``).
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from offline_train.corpora import Note, Song
from offline_train.synthesis.bands.band import parse_chord

Pianist = Callable[[Song, np.random.Generator], list[Note]]
"""(song, for the touch) -> the notes of a cover, by onset, at the song's times."""

SHORTEST_S = 0.05
"""From a key's stroke to the next of it, or to its release."""
ARPEGGIO = (0, 2, 1, 3)
"""Which of a chord's tones, from below, a sixteenth plays."""


def sparse(song: Song, rng: np.random.Generator) -> list[Note]:
    """Return the tune an octave higher, two soft tones of the chord at each bar's beginning."""
    notes = [n._replace(pitch=_within(n.pitch + 12, 74, 98), velocity=50) for n in song.melody]
    downbeats = [beat.time for beat in song.beats if beat.is_downbeat]
    for start, end in pairwise(downbeats):
        tones = _tones(song, start, 72)[1:3]
        notes += [Note(start, 0.95 * (end - start) + start, pitch, 36) for pitch in tones]
    return _touched(notes, 6, rng)


def dense(song: Song, rng: np.random.Generator) -> list[Note]:
    """Return the tune in low octaves, over a chord and a bass in octaves on every beat."""
    low = [n._replace(pitch=_within(n.pitch - 12, 52, 70), velocity=108) for n in song.melody]
    notes = [*low, *(n._replace(pitch=n.pitch - 12, velocity=100) for n in low)]
    for start, end in _beats(song):
        stop = start + 0.8 * (end - start)
        tones = _tones(song, start, 43)
        notes += [Note(start, stop, pitch, 96) for pitch in tones[:3]]
        notes += [Note(start, stop, _within(tones[0], 26, 37) + k, 104) for k in (0, 12)]
    return _touched(notes, 5, rng)


def arpeggio(song: Song, rng: np.random.Generator) -> list[Note]:
    """Return the tune over broken chords in sixteenths around middle C."""
    notes = [n._replace(velocity=80) for n in song.melody]
    for start, end in _beats(song):
        tones = _tones(song, start, 52)
        step = (end - start) / len(ARPEGGIO)
        for k, which in enumerate(ARPEGGIO):
            onset = start + k * step
            notes.append(
                Note(onset, onset + 1.2 * step, tones[which % len(tones)], 62 + 6 * (not k))
            )
    return _touched(notes, 8, rng)


PIANISTS: dict[str, Pianist] = {"sparse": sparse, "dense": dense, "arpeggio": arpeggio}


def _beats(song: Song) -> Iterator[tuple[float, float]]:
    """Yield where each beat begins and ends, those that are long enough to play in."""
    for start, end in pairwise(sorted(beat.time for beat in song.beats)):
        if end - start > 4 * SHORTEST_S:
            yield start, end


def _tones(song: Song, time: float, lowest: int) -> list[int]:
    """Return four tones of the chord at a time, rising, from ``lowest`` on; of C where none is."""
    symbol = next((c.symbol for c in song.chords if c.start <= time + 0.05 < c.end), "N")
    root, intervals, _ = parse_chord(symbol) or (0, (0, 4, 7), 0)
    first = lowest + (root - lowest) % 12
    tones = [first + k for k in intervals]
    return sorted([*tones, first + 12])[:4]


def _within(pitch: int, low: int, high: int) -> int:
    """Return a pitch moved by octaves until it lies between two others, an octave apart or more."""
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return pitch


def _touched(notes: list[Note], spread: float, rng: np.random.Generator) -> list[Note]:
    """Return notes by onset, each key once at a time, with a hand's unevenness."""
    last: dict[int, float] = {}
    played = []
    for note in sorted(notes):
        is_struck_again = note.onset - last.get(note.pitch, -1.0) < SHORTEST_S
        if is_struck_again or note.offset - note.onset < SHORTEST_S:
            continue
        last[note.pitch] = note.onset
        velocity = int(np.clip(round(note.velocity + rng.normal(0, spread)), 1, 127))
        played.append(note._replace(onset=note.onset + rng.uniform(0, 0.008), velocity=velocity))
    return sorted(played)
