"""Accompanies a song with MMA, Musical MIDI Accompaniment: a chord chart in, a band out.

MMA (https://www.mellowood.ca/mma, GPL-2, Debian package ``mma``) runs as a program; what it writes
is the caller's. Its notes are laid onto the song's own beats. Not here: the chart (``mma_chart``),
which grooves there are (``mma_grooves``), the hand-made ones and who sings the melody (``band``),
making sound (``render``).
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np

from engine.core.errors import DataError
from engine.core.note_tracker import pair_strokes
from engine.midi.reader import read_midi
from offline_train.corpora import Note, Song
from offline_train.corpora.midi import NOTES, is_note_on
from offline_train.synthesis.bands.band import Player, parse_chord
from offline_train.synthesis.bands.chart import bar_length, beat_times, write_chart
from offline_train.synthesis.bands.mma_grooves import STYLE_OF_GROOVE, TRAIN_GROOVES_MMA

MAX_PLAYERS = 8
MAX_BARS = 5000
TIME_LIMIT_S = 60.0
DRUM_NOTE_S = 0.1

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
            "name some of TRAIN_GROOVES_MMA or HELD_OUT_GROOVES_MMA"
        )
    beats = beat_times(song)
    if len(beats) < 3 or not any(parse_chord(c.symbol) for c in song.chords):
        return []
    names = _choose(grooves, bar_length(song), rng)
    chart = write_chart(song, names, int(rng.integers(2**31)))
    players = _players(_run(chart, song.song_id), beats)
    return _vary(players, rng)


def _choose(grooves: Sequence[str], bar: int, rng: np.random.Generator) -> list[str]:
    """Return one or two grooves of one style whose bars fill the song's, if any do."""
    sizes = {STYLE_OF_GROOVE[name].beats for name in grooves}
    fitting = [s for s in sizes if bar % s == 0] or [4 if 4 in sizes else min(sizes)]
    fits = [name for name in grooves if STYLE_OF_GROOVE[name].beats in fitting]
    style = rng.choice(sorted({STYLE_OF_GROOVE[name].name for name in fits}))
    mates = [name for name in fits if STYLE_OF_GROOVE[name].name == style]
    count = min(len(mates), int(rng.integers(1, 3)))
    return [str(name) for name in rng.choice(mates, count, replace=False)]


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
        return read_midi(out)


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
    strokes: list[tuple[int, bool, tuple[int, int, int]]] = []  # tick, pitch, velocity
    tick, program, is_drums = 0, 0, False
    for message in track:
        tick += message.time
        if message.type == "program_change":
            program, is_drums = message.program, message.channel == 9
        elif message.type in NOTES:
            stroke = tick, message.note, message.velocity
            strokes.append((message.note, is_note_on(message), stroke))
    spans = [(on, off[0]) for on, off in pair_strokes(strokes) if off is not None]
    if not spans:
        return [], program, is_drums
    at = np.arange(len(beats)) * ticks_per_beat
    onsets = np.interp([tick for (tick, _, _), _ in spans], at, beats)
    offsets = np.interp([off for _, off in spans], at, beats)
    notes = [
        Note(float(onset), float(offset), pitch, velocity)
        for onset, offset, ((_, pitch, velocity), _) in zip(onsets, offsets, spans, strict=True)
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
