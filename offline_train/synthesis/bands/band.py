"""Arranges a POP909 song for a band: who plays what, on which program, how loud.

A groove (``grooves``) is a bar of sixteenth steps for drums, bass and chords, laid over the song's
own beats and chords. Not here: making sound of it (``render``).
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from engine.core.chords import INTERVALS
from offline_train.corpora import Note, Song
from offline_train.synthesis.bands.grooves import Groove

STEPS_PER_BEAT = 4
_ROOTS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DEGREES = {
    "1": 0, "b2": 1, "2": 2, "b3": 3, "3": 4, "4": 5, "b5": 6, "5": 7, "#5": 8, "b6": 8, "6": 9,
    "b7": 10, "7": 11,
}  # fmt: skip
LOWEST_BASS = 28  # E1, the lowest string of a bass

ParsedChord = tuple[int, tuple[int, ...], int]
"""Root pitch class, intervals above it in semitones, bass pitch class."""


def parse_chord(symbol: str) -> ParsedChord | None:
    """Return (root, intervals, bass) pitch classes of a Harte symbol, or None for no chord."""
    if symbol == "N" or ":" not in symbol:
        return None
    root_name, _, rest = symbol.partition(":")
    quality, _, over = rest.partition("/")
    root = _ROOTS[root_name[0]] + root_name.count("#") - root_name.count("b")
    intervals = INTERVALS.get(quality, INTERVALS["maj"])
    bass = (root + _DEGREES.get(over, 0)) % 12 if over else root % 12
    return root % 12, intervals, bass


_LEADS = (*range(52, 55), *range(56, 80), *range(40, 43), *range(80, 88), 0, 1, 4, 5, 11, 16, 18,
          22, 24, 25, 26, 27, 29, 30, 85)  # fmt: skip
_COMPS = (*range(24, 32), 4, 5, 6, 7, *range(16, 22), 0, 1, 2, 11, 12, 46, 62, 81)
_PADS = (*range(48, 55), *range(88, 96), 16, 19, 61)
_BASSES = tuple(range(32, 40))
_KITS = (0, 0, 0, 8, 16, 24, 25, 32, 40)


@dataclass(slots=True)
class Player:
    """One part of the band. ``gain_db`` and ``pan`` (-1 to 1) are for the mixer."""

    role: str  # melody, bridge, bass, comp, pad, drums or piano
    program: int
    notes: list[Note] = field(default_factory=list)
    gain_db: float = 0.0
    pan: float = 0.0


class Rhythm(NamedTuple):
    """The players that a groove speaks to."""

    drums: Player
    bass: Player
    comp: Player


class _Grid:
    """Time of any sixteenth of a song, from its beats; chords by time."""

    def __init__(self, song: Song) -> None:
        self.beats = [b.time for b in song.beats]
        if len(self.beats) > 1:
            self.beats.append(2 * self.beats[-1] - self.beats[-2])
        self.bars = [k for k, b in enumerate(song.beats) if b.is_downbeat] or [0]
        self.chord_starts = [c.start for c in song.chords]
        self.chords = song.chords

    def time(self, beat: int, step: int, swing: float) -> float:
        """Return seconds of a sixteenth; odd eighths come late by ``swing`` of a sixteenth."""
        beat, part = beat + step // STEPS_PER_BEAT, step % STEPS_PER_BEAT
        if beat + 1 >= len(self.beats):
            return self.beats[-1]
        shift = swing if part >= 2 else 0.0
        start, end = self.beats[beat], self.beats[beat + 1]
        return start + (end - start) * (part + shift) / STEPS_PER_BEAT

    def chord(self, time: float) -> tuple[ParsedChord | None, float]:
        """Return (chord, its end) that sounds at a time."""
        k = bisect_right(self.chord_starts, time + 0.02) - 1
        if k < 0 or time > self.chords[k].end:
            return None, time
        return parse_chord(self.chords[k].symbol), self.chords[k].end


def _voicing(root: int, intervals: tuple[int, ...], low: int) -> list[int]:
    """Return the chord's pitches in close position from the first tone at or above ``low``."""
    classes = sorted((root + i - low) % 12 for i in intervals)
    return [low + c for c in classes]


def arrange(song: Song, grooves: tuple[Groove, ...], rng: np.random.Generator) -> list[Player]:
    """Return the band's players for a song; every choice comes from ``rng``."""
    groove = grooves[rng.integers(len(grooves))]
    players = lead_players(song, rng)
    bass = Player("bass", int(rng.choice(_BASSES)), gain_db=float(rng.uniform(-5, 2)))
    comp = Player("comp", int(rng.choice(_COMPS)), gain_db=float(rng.uniform(-9, 0)))
    pad = Player("pad", int(rng.choice(_PADS)), gain_db=float(rng.uniform(-14, -4)))
    drums = Player("drums", int(rng.choice(_KITS)), gain_db=float(rng.uniform(-8, 1)))
    low = int(rng.integers(48, 62))
    lay_groove(song, groove, Rhythm(drums, bass, comp), low, rng)
    pad.notes += held_chords(song, low + 3, rng)
    for player, share in ((bass, 0.93), (comp, 0.88), (pad, 0.45), (drums, 0.88)):
        if player.notes and rng.random() < share:
            players.append(player)
    if rng.random() < 0.15:  # most mixes have no piano, so that the model arranges, not copies
        players.append(Player("piano", int(rng.choice((0, 1, 2, 4, 5))), song.piano, -6.0))
    for player in players:
        player.pan = 0.0 if player.role == "bass" else float(rng.uniform(-0.7, 0.7))
    return players


def lead_players(song: Song, rng: np.random.Generator) -> list[Player]:
    """Return who plays the tune and, mostly, the second voice."""
    lead, second = rng.choice(_LEADS, 2)
    players = [Player("melody", int(lead), _loudness(song.melody, rng), float(rng.uniform(-1, 5)))]
    if song.bridge and rng.random() < 0.85:
        players.append(
            Player("bridge", int(second), _loudness(song.bridge, rng), float(rng.uniform(-8, 1)))
        )
    return players


def lay_groove(
    song: Song, groove: Groove, rhythm: Rhythm, low: int, rng: np.random.Generator
) -> None:
    """Add the notes of a groove over a song's beats and chords to the players.

    ``low`` is the lowest pitch that the chords may take; ``rng`` makes timing and force human.
    """
    grid = _Grid(song)
    for k, first_beat in enumerate(grid.bars):
        last_beat = grid.bars[k + 1] if k + 1 < len(grid.bars) else len(grid.beats) - 1
        n_steps = (last_beat - first_beat) * STEPS_PER_BEAT
        for step in range(n_steps):
            time = grid.time(first_beat, step, groove.swing)
            step_s = max(grid.time(first_beat, step + 1, groove.swing) - time, 0.02)
            chord, end = grid.chord(time)
            _drum_step(rhythm.drums, groove, step % 16, time, rng)
            if chord is not None:
                _bass_step(rhythm.bass, groove, step % 16, time, step_s, chord, rng)
                _comp_step(rhythm.comp, groove, step % 16, time, step_s, chord, end, low, rng)


def held_chords(song: Song, low: int, rng: np.random.Generator) -> list[Note]:
    """Return every chord of a song held to its end, in close position from ``low`` up."""
    notes = []
    for start, end, symbol in song.chords:
        parsed = parse_chord(symbol)
        if parsed is not None:
            pitches = _voicing(parsed[0], parsed[1], low)
            notes += [Note(start, end, p, int(rng.integers(50, 80))) for p in pitches]
    return notes


def _loudness(notes: list[Note], rng: np.random.Generator) -> list[Note]:
    """Return notes at a singer's level, slightly varied: POP909's melodies have one velocity."""
    level = rng.integers(80, 112)
    wobble = rng.integers(-12, 13, len(notes))
    return [
        n._replace(velocity=int(np.clip(level + w, 30, 127)))
        for n, w in zip(notes, wobble, strict=True)
    ]


def _drum_step(
    drums: Player, groove: Groove, step: int, time: float, rng: np.random.Generator
) -> None:
    for pitch, row in groove.drums.items():
        if row[step] in "xo":
            level = 100 if row[step] == "x" else 55
            onset = time + float(rng.normal(0, 0.004))
            drums.notes.append(
                Note(max(onset, 0.0), onset + 0.1, pitch, int(level + rng.integers(-15, 16)))
            )


def _bass_pitch(mark: str, chord: ParsedChord) -> int:
    """Return the pitch of a groove's mark over a chord: 1 its bass, 8 the octave, 5 its fifth.

    The fifth is the chord's own, however it is inverted: just above the bass, or below it where
    that is nearer. Where the bass is the fifth, it is the root above.
    """
    root, intervals, bass = chord
    pitch = LOWEST_BASS + (bass - LOWEST_BASS) % 12
    if mark != "5":
        return pitch + {"1": 0, "8": 12}[mark]
    fifth = next((i for i in intervals if 6 <= i <= 8), 7)
    above = (root + fifth - pitch) % 12 or (root - pitch) % 12
    return pitch + (above - 12 if above > 8 and pitch + above - 12 >= LOWEST_BASS else above)


def _bass_step(
    bass: Player,
    groove: Groove,
    step: int,
    time: float,
    step_s: float,
    chord: ParsedChord,
    rng: np.random.Generator,
) -> None:
    mark = groove.bass[step]
    if mark not in "158":
        return
    length = 1
    while step + length < 16 and groove.bass[step + length] == "-":
        length += 1
    pitch = _bass_pitch(mark, chord)
    onset = max(time + float(rng.normal(0, 0.006)), 0.0)
    end = onset + length * step_s * float(rng.uniform(0.8, 0.98))
    bass.notes.append(Note(onset, end, pitch, int(rng.integers(75, 110))))


def _comp_step(
    comp: Player,
    groove: Groove,
    step: int,
    time: float,
    step_s: float,
    chord: ParsedChord,
    chord_end: float,
    low: int,
    rng: np.random.Generator,
) -> None:
    if groove.comp[step] != "x":
        return
    length = 1
    while step + length < 16 and groove.comp[step + length] == ".":
        length += 1
    pitches = _voicing(chord[0], chord[1], low)
    end = min(time + length * step_s * 0.95, max(chord_end, time + 0.05))
    if groove.comp_style == "pad":
        end = chord_end
    spread = 0.0
    if groove.comp_style == "arpeggio":
        tones = [*pitches, pitches[0] + 12]
        pitches = [tones[(step * 3) % len(tones)]]
        end = max(end, time + 2 * step_s)
    elif groove.comp_style == "strum":
        spread = float(rng.uniform(0.004, 0.02))
    level = int(rng.integers(60, 100))
    for k, pitch in enumerate(pitches):
        onset = max(time + k * spread + float(rng.normal(0, 0.004)), 0.0)
        comp.notes.append(Note(onset, max(end, onset + 0.05), pitch, level))
