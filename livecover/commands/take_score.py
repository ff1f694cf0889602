"""``livecover score``: writes a take as a score for two hands, with pedal, bars and chord symbols.

Beats, bars, chords and key are the recorded song's, as for ``livecover quantize``; the notes are
the take's, on the nearest sixteenth. Not here: note values and the file (``engine.whole_song``).
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np

from engine.core.errors import DataError, LiveCoverError
from engine.midi.reader import read_midi
from engine.system.paths import shown
from engine.system.whole_file import check_writable
from engine.whole_song import notation
from engine.whole_song.arranger import Arranged
from engine.whole_song.beats import LEAST_BEATS
from engine.whole_song.grid import Grid
from engine.whole_song.grid_notes import GridNote, ending, hands_apart
from engine.whole_song.song_analysis import SongAnalysis, analyze
from engine.whole_song.song_analyzer import SongAnalyzer, sound_blocks
from livecover.commands.quantize import SUSTAIN, in_phase, sound_of, takes_at
from livecover.commands.timed_messages import Timed, timed_tracks

SUFFIX = ".musicxml"
DOWN = 64
MELODY, LEFT, RIGHT = "melody", "left hand", "right hand"

_log = logging.getLogger(__name__)


def score_take(take: mido.MidiFile, analysis: SongAnalysis) -> Arranged:
    """Return a take on the grid of its song, which is shifted as a whole to fit the notes.

    Hands are those of the take's tracks; without them notes are split between two. The melody is
    the right hand's.

    Raises DataError if the take has no notes.
    """
    tracks = [(_name(track), track) for track in timed_tracks(take)]
    ons = [(name, timed) for name, track in tracks for timed in track if timed.end is not None]
    if not ons:
        raise DataError("the take holds no notes: there is nothing to write down")
    grid = in_phase(analysis.grid, np.array([on.time for _, on in ons]))
    steps = grid.step([on.time for _, on in ons]).tolist()
    ends = grid.step([on.end.time for _, on in ons if on.end is not None]).tolist()
    notes = [
        GridNote(
            step,
            max(1, end - step),
            on.message.note,
            on.message.velocity,
            is_melody=name == MELODY,
            is_left=name == LEFT,
        )
        for (name, on), step, end in zip(ons, steps, ends, strict=True)
        if 0 <= step < grid.n_steps
    ]
    has_hands = any(name in (LEFT, RIGHT) for name, _ in ons)
    played = _apart(notes) if has_hands else hands_apart(_apart(notes))
    return Arranged(played, replace(analysis, grid=grid), _pedals(tracks, grid))


def run(paths: Sequence[Path], beats_per_bar: int | None = None) -> Iterator[str]:
    """Write takes, ``NAME.mid`` beside ``NAME.flac``, as ``NAME.musicxml``; yield lines.

    A folder means all takes in it. If one fails, the others are still written.

    Raises
    ------
    LiveCoverError
        If there is no take; after the last one, if some could not be written.
    """
    takes = [take for path in paths for take in takes_at(path)]
    failed: list[str] = []
    for take in takes:
        try:
            yield _write(take, beats_per_bar)
        except LiveCoverError as error:
            if len(takes) == 1:
                raise
            _log.error("%s", error)
            failed.append(take.name)
    if failed:
        names = ", ".join(failed)
        raise DataError(f"{len(failed)} of {len(takes)} takes could not be written down: {names}")


def _write(take: Path, beats_per_bar: int | None) -> str:
    out = take.with_suffix(SUFFIX)
    check_writable(out)
    file = read_midi(take)
    outputs = SongAnalyzer().run(sound_blocks(str(sound_of(take))))
    if not outputs.is_music:
        raise DataError(f"{shown(take)}: its song is silent, so there are no bars to write it in")
    analysis = analyze(outputs, beats_per_bar)
    if len(analysis.grid.beats) < LEAST_BEATS:
        raise DataError(f"{shown(take)}: the take is too short for a score, or has no beat")
    score = score_take(file, analysis)
    notation.write(score, out)
    grid, key = score.analysis.grid, analysis.key
    mode = "minor" if key.is_minor else "major"
    return (
        f"{shown(out)}: {len(score.notes)} notes in {grid.n_bars} bars of {grid.beats_per_bar}/4,"
        f" {key.midi_name.removesuffix('m')} {mode}"
    )


def _name(track: Sequence[Timed]) -> str:
    """Return the track's name; empty without."""
    return next((str(t.message.name) for t in track if t.message.type == "track_name"), "")


def _apart(notes: list[GridNote]) -> list[GridNote]:
    """Return the notes in order, one for each key and step; the one before ends there."""
    latest: dict[int, int] = {}
    result: list[GridNote] = []
    for note in sorted(notes):
        before = latest.get(note.pitch)
        if before is not None:
            if result[before].step == note.step:
                continue
            result[before] = ending(result[before], note.step)
        latest[note.pitch] = len(result)
        result.append(note)
    return result


def _pedals(
    tracks: Sequence[tuple[str, Sequence[Timed]]], grid: Grid
) -> tuple[tuple[int, bool], ...]:
    """Return what the pedal does; a channel's stands in each of its tracks, so each once."""
    moves = {
        (timed.time, timed.message.value >= DOWN)
        for _, track in tracks
        for timed in track
        if timed.message.type == "control_change" and timed.message.control == SUSTAIN
    }
    ordered = sorted(moves)
    steps = grid.step([time for time, _ in ordered]).tolist()
    return tuple((step, is_down) for step, (_, is_down) in zip(steps, ordered, strict=True))
