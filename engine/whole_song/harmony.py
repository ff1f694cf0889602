"""Chords and key from a transcriber's output, by templates.

A chord is 36 numbers (``engine.core.chords``). Recognition compares the chroma of each beat with
templates and lets a Viterbi path prefer to stay (Sheh and Ellis, ISMIR 2003, in its plainest form).
The key is the best of 24 by the profiles of Krumhansl and Kessler (1982). Pitch classes count from
C = 0.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.chords import CHORD_DIM, PITCH_NAMES, chord_vector, qualities
from engine.core.chroma import bass_of, fold

Array = NDArray[np.float32]

QUALITIES = qualities("maj", "min", "7", "maj7", "min7", "sus4", "dim")
PRIOR = {"maj": 0.06, "min": 0.06, "7": 0.0, "maj7": 0.0, "min7": 0.0, "sus4": -0.03, "dim": -0.05}
BASS_WEIGHTS = (0.25, 0.15, 0.12)  # of root, third and fifth in the bass
STAY = 0.25
SHARPNESS = 1.0
LOUD_ENOUGH = 0.05
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


class ChordName(NamedTuple):
    """A chord; ``bass`` is its lowest pitch class."""

    root: int
    quality: str
    bass: int

    def __str__(self) -> str:
        over = f"/{PITCH_NAMES[self.bass]}" if self.bass != self.root else ""
        return f"{PITCH_NAMES[self.root]}:{self.quality}{over}"


class Key(NamedTuple):
    """A key, ``is_minor`` or major, and its number of sharps, negative for flats."""

    tonic: int
    is_minor: bool

    @property
    def sharps(self) -> int:
        """From -5 to 6.

        >>> Key(2, False).sharps, Key(9, True).sharps, Key(8, False).sharps
        (2, 0, -4)
        """
        major = (self.tonic + 3) % 12 if self.is_minor else self.tonic
        return (major * 7 + 5) % 12 - 5

    @property
    def midi_name(self) -> str:
        """As a MIDI file's key signature has it, ``Ebm`` for E flat minor."""
        sharp = {1: "C#", 3: "D#", 6: "F#", 8: "G#", 10: "A#"}
        use_sharp = self.sharps > 0 and self.tonic in sharp
        name = sharp[self.tonic] if use_sharp else PITCH_NAMES[self.tonic]
        return name + ("m" if self.is_minor else "")


def vector_of(chord: ChordName | None) -> Array:
    """Return the 36 numbers of a chord; zeros of none."""
    if chord is None:
        return np.zeros(CHORD_DIM, np.float32)
    tones = [chord.root + k for k in QUALITIES[chord.quality]]
    return chord_vector(chord.root, tones, chord.bass)


def recognise(sounding: Array) -> list[ChordName | None]:
    """Return the chord of each beat of what sounds (n, 88), None where hardly anything does."""
    if not len(sounding):
        return []
    chroma, bass = fold(sounding), bass_of(sounding)
    loud = chroma.sum(1) > LOUD_ENOUGH
    names = [(root, quality) for quality in QUALITIES for root in range(12)]
    templates = np.array([vector_of(ChordName(r, q, r))[12:24] for r, q in names])
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    fit = _unit(chroma) @ templates.T
    for k, weight in enumerate(BASS_WEIGHTS):
        fit += weight * _unit(bass)[:, [(r + QUALITIES[q][k]) % 12 for r, q in names]]
    fit += np.array([PRIOR[quality] for _, quality in names], np.float32)
    path = _viterbi(SHARPNESS * fit)
    found: list[ChordName | None] = []
    for k, state in enumerate(path):
        root, quality = names[state]
        lowest = int(bass[k].argmax()) if bass[k].any() else root
        is_tone = (lowest - root) % 12 in QUALITIES[quality]
        found.append(ChordName(root, quality, lowest if is_tone else root) if loud[k] else None)
    return found


def _unit(rows: Array) -> Array:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def _viterbi(score: NDArray[np.floating]) -> list[int]:
    """Return the best path through scores (n, states) where staying earns ``STAY``."""
    n, states = score.shape
    best, back = np.array(score[0]), np.zeros((n, states), int)
    for k in range(1, n):
        jump = int(best.argmax())
        stays = best + STAY >= best[jump]
        back[k] = np.where(stays, np.arange(states), jump)
        best = np.where(stays, best + STAY, best[jump]) + score[k]
    path = [int(best.argmax())]
    for k in range(n - 1, 0, -1):
        path.append(int(back[k, path[-1]]))
    return path[::-1]


def find_key(chroma: NDArray[np.floating]) -> Key:
    """Return the key of a song's summed chroma (12,)."""
    centred = chroma - chroma.mean()
    fits = [
        (float(np.corrcoef(centred, np.roll(profile, tonic))[0, 1]), Key(tonic, is_minor))
        for profile, is_minor in ((_MAJOR, False), (_MINOR, True))
        for tonic in range(12)
    ]
    if not np.ptp(centred):
        return Key(0, False)
    return max(fits, key=lambda fit: fit[0])[1]
