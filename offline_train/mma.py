"""Accompanies a song with MMA, Musical MIDI Accompaniment: a chord chart in, a band out.

MMA (https://www.mellowood.ca/mma, GPL-2, Debian package ``mma``) runs as a program; what it writes
is the caller's. A chart has one line a bar and constant tempo; a beat of the chart is a beat of the
song, so that the band follows the song's own tempo. Not here: which grooves there are
(``mma_grooves``), the hand-made ones and who sings the melody (``band``), making sound
(``render``).
"""

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np

from engine.errors import DataError
from offline_train.band import Player, parse_chord
from offline_train.corpora import Note, Song
from offline_train.mma_grooves import STYLE_OF_GROOVE, TRAIN_GROOVES_MMA, UNHEARD_GROOVES_MMA

__all__ = ["TRAIN_GROOVES_MMA", "UNHEARD_GROOVES_MMA", "chord_name", "mma_players", "write_chart"]

MAX_PLAYERS = 8
MAX_BARS = 5000
TIME_LIMIT_S = 60.0
STEPS_PER_BEAT = 4  # chords change on sixteenths; POP909 places nearly all on a beat
DRUM_NOTE_S = 0.1
SECTION_BARS = 8  # the groove may change after so many bars

_NOTE_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_MMA_QUALITIES = {
    (0, 4, 7): "", (0, 3, 7): "m", (0, 3, 6): "mb5", (0, 4, 8): "aug", (0, 2, 7): "sus2",
    (0, 5, 7): "sus4", (0, 4, 7, 10): "7", (0, 4, 7, 11): "M7", (0, 3, 7, 10): "m7",
    (0, 4, 7, 9): "6", (0, 3, 7, 9): "m6", (0, 3, 6, 9): "dim7", (0, 3, 6, 10): "m7b5",
    (0, 3, 7, 11): "mM7", (0, 5, 7, 10): "7sus",
}  # fmt: skip

# Programs that may stand in for one another, by General MIDI number.
_FAMILIES = (
    (0, 1, 2, 3), (4, 5, 6, 7, 11), (16, 17, 18, 19), (20, 21, 22, 23), (24, 25), (26, 27, 28),
    (29, 30, 31), (32, 33, 34, 35, 36, 37, 38, 39), (40, 41, 42, 110), (48, 49, 50, 51),
    (52, 53, 54), (56, 57, 59, 60, 61, 62, 63), (64, 65, 66, 67), (68, 69, 70, 71),
    (72, 73, 74, 75), (80, 81, 82, 83, 84, 85, 86, 87), (88, 89, 90, 91, 92, 93, 94, 95),
)  # fmt: skip
_PIANOS = (0, 1, 2, 3)
_INSTEAD_OF_PIANO = (4, 5, 6, 7, 11, 16, 17, 18, 24, 25, 26, 27, 46)
_PAD_PROGRAMS = frozenset((44, *range(48, 55), *range(88, 96)))
_BASS_PROGRAMS = range(32, 40)
_KITS = (0, 0, 0, 8, 16, 24, 25, 32, 40)
_KEEP = {"bass": 0.95, "comp": 0.85, "pad": 0.7, "drums": 0.9}
_GAIN_DB = {"bass": (-5, 2), "comp": (-8, 0), "pad": (-12, -3), "drums": (-8, 1)}


class _Piece(NamedTuple):
    """A line of the chart: beats ``first`` to ``last`` (exclusive) of the song."""

    first: int
    last: int
    is_pickup: bool


class _Span(NamedTuple):
    """A chord by MMA's name, from ``start`` to ``end`` in beats of the song."""

    start: float
    end: float
    name: str


def mma_players(
    song: Song, rng: np.random.Generator, grooves: Sequence[str] = TRAIN_GROOVES_MMA
) -> list[Player]:
    """Return at most 8 players that accompany a song, with roles bass, comp, pad and drums.

    A style whose bar is as long as the song's is drawn from ``grooves``, then one or two of its
    grooves, which take turns; then which tracks play, on which programs. Every choice, MMA's own
    among them, comes from ``rng``. A song without two beats or without chords gives no players.

    Raises
    ------
    DataError
        If a groove is not in ``STYLE_OF_GROOVE``, the program mma is missing, or it fails.
    """
    unknown = [name for name in grooves if name not in STYLE_OF_GROOVE]
    if unknown or not grooves:
        raise DataError(
            f"expected MMA grooves out of STYLE_OF_GROOVE, got {unknown or 'none'}; "
            "name some of TRAIN_GROOVES_MMA or UNHEARD_GROOVES_MMA"
        )
    beats = _beat_times(song)
    if len(beats) < 3 or not any(parse_chord(c.symbol) for c in song.chords):
        return []
    names = _choose(grooves, _bar_length(song), rng)
    chart = write_chart(song, names, int(rng.integers(2**31)))
    players = _players(_run(chart, song.song_id), beats)
    return _vary(players, rng)


def write_chart(song: Song, grooves: Sequence[str], seed: int) -> str:
    """Return MMA's input for a song; the grooves take turns every 8 bars.

    A bar longer or shorter than the groove's, or a pickup, becomes one or more cut bars.
    """
    beats = _beat_times(song)
    tempo = 60 / float(np.median(np.diff(beats)))
    lines = [f"RndSeed {seed}", f"Tempo {np.clip(tempo, 30, 300):.2f}"]
    size = STYLE_OF_GROOVE[grooves[0]].beats
    spans = _chord_spans(song, beats)
    for k, piece in enumerate(_pieces(song, len(beats) - 1, size)):
        if k % SECTION_BARS == 0 and (k == 0 or len(grooves) > 1):
            lines.append(f"Groove {grooves[k // SECTION_BARS % len(grooves)]}")
        if piece.last - piece.first < size:
            side = " Side=Right" if piece.is_pickup else ""
            lines.append(f"Truncate {piece.last - piece.first}{side}")
        lines.append(f"{k + 1} {_chord_line(spans, piece)}")
    return "\n".join(lines) + "\n"


def chord_name(symbol: str) -> str:
    """Return MMA's name of a Harte symbol, such as ``Dm7/F``; ``z`` (a rest) for no chord."""
    parsed = parse_chord(symbol)
    if parsed is None:
        return "z"
    root, intervals, bass = parsed
    quality = _MMA_QUALITIES.get(intervals, "m" if 3 in intervals else "")
    slash = "" if bass == root else f"/{_NOTE_NAMES[bass]}"
    return f"{_NOTE_NAMES[root]}{quality}{slash}"


def _beat_times(song: Song) -> list[float]:
    """Return the strictly rising times of the song's beats and of the end of the last."""
    times: list[float] = []
    for beat in song.beats:
        if not times or beat.time > times[-1] + 0.01:
            times.append(beat.time)
    return [*times, 2 * times[-1] - times[-2]] if len(times) > 1 else times


def _downbeats(song: Song, times: list[float]) -> list[int]:
    """Return which of the beats begin a bar; every fourth if the song does not say."""
    marked = {beat.time for beat in song.beats if beat.is_downbeat}
    return [k for k, time in enumerate(times[:-1]) if time in marked] or [
        *range(0, len(times) - 1, 4)
    ]


def _bar_length(song: Song) -> int:
    """Return the most frequent number of beats between downbeats; 4 if there is no whole bar."""
    lengths = Counter(b - a for a, b in pairwise(_downbeats(song, _beat_times(song))))
    return lengths.most_common(1)[0][0] if lengths else 4


def _choose(grooves: Sequence[str], bar: int, rng: np.random.Generator) -> list[str]:
    """Return one or two grooves of one style whose bars fill the song's, if any do."""
    sizes = {STYLE_OF_GROOVE[name].beats for name in grooves}
    fitting = [s for s in sizes if bar % s == 0] or [4 if 4 in sizes else min(sizes)]
    fits = [name for name in grooves if STYLE_OF_GROOVE[name].beats in fitting]
    style = rng.choice(sorted({STYLE_OF_GROOVE[name].name for name in fits}))
    mates = [name for name in fits if STYLE_OF_GROOVE[name].name == style]
    count = min(len(mates), int(rng.integers(1, 3)))
    return [str(name) for name in rng.choice(mates, count, replace=False)]


def _pieces(song: Song, n_beats: int, size: int) -> Iterator[_Piece]:
    """Yield the song's beats in lines of at most ``size``, each bar starting a line."""
    downbeats = _downbeats(song, _beat_times(song))
    pickup = downbeats[0]
    if pickup % size:
        yield _Piece(0, pickup % size, True)
    bounds = [*range(pickup % size, pickup, size), *downbeats, n_beats]
    for first, last in pairwise(bounds):
        for start in range(first, last, size):
            yield _Piece(start, min(start + size, last), False)


def _chord_spans(song: Song, beats: list[float]) -> list[_Span]:
    """Return the chords with start and end in beats, on the nearest sixteenths."""
    times = [time for chord in song.chords for time in (chord.start, chord.end)]
    steps = np.round(np.interp(times, beats, np.arange(len(beats))) * STEPS_PER_BEAT)
    starts, ends = (steps / STEPS_PER_BEAT).reshape(-1, 2).T.tolist()
    names = [chord_name(chord.symbol) for chord in song.chords]
    spans = [_Span(*span) for span in zip(starts, ends, names, strict=True)]
    return [span for span in spans if span.end > span.start]


def _chord_line(spans: list[_Span], piece: _Piece) -> str:
    """Return the chords of a line of the chart, each with the beat on which it starts."""
    changes = {float(piece.first): "z"}
    for start, end, name in spans:
        if end > piece.first and start < piece.last:
            changes[max(start, piece.first)] = name
            changes.setdefault(end, "z")  # until the next chord, which may start here
    line, before = [], ""
    for at, name in sorted(changes.items()):
        if at < piece.last and name != before:
            line.append(f"{name}@{at - piece.first + 1:g}")
            before = name
    return " ".join(line)


def _run(chart: str, song_id: str) -> mido.MidiFile:
    """Return what MMA plays for a chart. Raises DataError if it is missing or fails."""
    program = shutil.which("mma")
    if program is None:
        raise DataError("expected the program mma; on Debian install the package mma")
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "song.mma", Path(folder) / "song.mid"
        settings = Path(folder) / "settings"  # empty, so that no mmarc of the user's counts
        source.write_text(chart)
        settings.touch()
        command = [program, "-w", "-m", str(MAX_BARS), "-i", str(settings)]
        command += ["-f", str(out), str(source)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                cwd=folder,
                timeout=TIME_LIMIT_S,
                env={**os.environ, "PYTHONHASHSEED": "0"},
            )
        except subprocess.TimeoutExpired as error:
            raise DataError(f"{song_id}: mma took over {TIME_LIMIT_S:.0f} s; skip it") from error
        if done.returncode or not out.is_file():
            said = " ".join((done.stdout + done.stderr).split())[-300:]
            raise DataError(f"{song_id}: expected mma to accompany the song, it said: {said}")
        return mido.MidiFile(out)


def _players(midi: mido.MidiFile, beats: list[float]) -> list[Player]:
    """Return a player for each track with notes, its ticks laid onto the song's beats."""
    players = []
    for track in midi.tracks:
        notes, program, is_drums = _track(track, midi.ticks_per_beat, beats)
        if notes:
            role = "drums" if is_drums else _role(track.name, program)
            players.append(Player(role, program, _let_ring(notes) if is_drums else notes))
    return players


def _let_ring(notes: list[Note]) -> list[Note]:
    """Return drum notes held for 0.1 s or until struck again: MMA's last a tick or so."""
    rung, after = [], dict[int, float]()
    for note in reversed(notes):
        end = min(note.onset + DRUM_NOTE_S, after.get(note.pitch, np.inf))
        after[note.pitch] = note.onset
        if end > note.onset:
            rung.append(note._replace(offset=end))
    return rung[::-1]


def _role(track_name: str, program: int) -> str:
    if track_name.upper().startswith(("BASS", "WALK")) or program in _BASS_PROGRAMS:
        return "bass"
    return "pad" if program in _PAD_PROGRAMS else "comp"


def _track(
    track: mido.MidiTrack, ticks_per_beat: int, beats: list[float]
) -> tuple[list[Note], int, bool]:
    """Return a track's notes in seconds, its program and whether it is a drum track."""
    spans: list[tuple[int, int, int, int]] = []  # on, off (ticks), pitch, velocity
    sounding: dict[int, tuple[int, int]] = {}
    tick, program, is_drums = 0, 0, False
    for message in track:
        tick += message.time
        if message.type == "program_change":
            program, is_drums = message.program, message.channel == 9
        elif message.type in ("note_on", "note_off"):
            if message.note in sounding:
                on, velocity = sounding.pop(message.note)
                spans.append((on, tick, message.note, velocity))
            if message.type == "note_on" and message.velocity > 0:
                sounding[message.note] = (tick, message.velocity)
    if not spans:
        return [], program, is_drums
    at = np.arange(len(beats)) * ticks_per_beat
    onsets = np.interp([s[0] for s in spans], at, beats)
    offsets = np.interp([s[1] for s in spans], at, beats)
    notes = [
        Note(float(onset), float(offset), pitch, velocity)
        for onset, offset, (_, _, pitch, velocity) in zip(onsets, offsets, spans, strict=True)
        if offset > onset >= 0
    ]
    return sorted(notes), program, is_drums


def _vary(players: list[Player], rng: np.random.Generator) -> list[Player]:
    """Return some of the players, on programs, levels and places drawn from ``rng``."""
    kept = [player for player in players if rng.random() < _KEEP[player.role]]
    if not any(player.role != "drums" for player in kept):
        kept = players
    kept = sorted(kept, key=lambda player: -len(player.notes))[:MAX_PLAYERS]
    for player in kept:
        player.program = _swap(player, rng)
        player.gain_db = float(rng.uniform(*_GAIN_DB[player.role]))
        player.pan = 0.0 if player.role == "bass" else float(rng.uniform(-0.7, 0.7))
    return kept


def _swap(player: Player, rng: np.random.Generator) -> int:
    """Return a program akin to the player's; a piano mostly gives way to other instruments."""
    draw = float(rng.random())
    if player.role == "drums":
        return int(rng.choice(_KITS))
    if player.program in _PIANOS and draw < 0.75:  # so that the model arranges, not copies
        return int(rng.choice(_INSTEAD_OF_PIANO))
    family = next((f for f in _FAMILIES if player.program in f), (player.program,))
    return int(rng.choice(family)) if draw < 0.6 else player.program
