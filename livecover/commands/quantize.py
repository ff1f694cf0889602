"""``livecover quantize``: moves the notes of takes towards the beat, and writes their tempo.

The beat is tracked in the recorded song, as for the arranger (``engine.whole_song``), and shifted
as a whole to fit the take's notes. Second 0 of the file stays second 0 of the audio, so both stay
together, and a DAW's bars are the song's.
"""

import logging
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

import mido
import numpy as np

from engine.core.errors import ConfigError, DataError, LiveCoverError
from engine.midi.reader import read_midi
from engine.midi.writer import midi_file
from engine.system.paths import NO_SUCH_FILE, file_fault, is_folder
from engine.system.whole_file import check_writable, written_whole
from engine.whole_song.beats import LEAST_BEATS, Beats, Times
from engine.whole_song.grid import STEPS_PER_BEAT, Grid, grid_of
from engine.whole_song.song_analysis import find_beats
from engine.whole_song.song_analyzer import SongAnalyzer, sound_blocks
from engine.whole_song.song_tempo import SongTempo
from livecover.commands.timed_messages import Timed, timed_track, timed_tracks

SUFFIX = " quantized"
STRENGTH = 0.5
LEAST_GAP_S = 0.06  # between two note-ons of a key
SUSTAIN = 64

_log = logging.getLogger(__name__)


def beats_of(sound: Path, beats_per_bar: int | None = None) -> Beats:
    """Return the beats of an audio file, with bars of three or four, whichever fits.

    Raises
    ------
    DataError
        If it has too few.
    LiveCoverError
        If the file cannot be read or a model is missing.
    """
    outputs = SongAnalyzer().run(sound_blocks(str(sound)))
    beats = find_beats(outputs, beats_per_bar)
    n_beats = len(beats.times) if outputs.is_music else 0
    if n_beats < LEAST_BEATS:
        raise DataError(
            f"{sound}: expected at least {LEAST_BEATS} beats, found {n_beats}: the take is too"
            " short to quantize, or has no beat"
        )
    return beats


def quantize_take(
    take: mido.MidiFile,
    beats: Beats,
    strength: float = STRENGTH,
    steps_per_beat: int = STEPS_PER_BEAT,
) -> mido.MidiFile:
    """Return a take with each note moved part of the way to the nearest step of the grid.

    Notes keep their length in seconds; the pedal moves with the note before it; a note repeated
    within a step is not moved.

    Parameters
    ----------
    take
        Its second 0 is that of the beats.
    beats
        The song's.
    strength
        0 only writes the tempo, 1 moves every note onto a step.
    steps_per_beat
        4 are sixteenths, 3 triplets.

    Raises
    ------
    ConfigError
        If the strength is not from 0 to 1, or the steps are not from 1 to 12.
    """
    if not 0 <= strength <= 1:
        raise ConfigError(f"--strength must be a number from 0 to 1, not {strength:g}")
    if not 1 <= steps_per_beat <= 12:
        raise ConfigError(f"--steps must be a whole number from 1 to 12, not {steps_per_beat}")
    tracks = timed_tracks(take)
    ons = [timed.time for track in tracks for timed in track if timed.end is not None]
    end = max((timed.time for track in tracks for timed in track), default=0.0)
    grid = grid_of(beats.times, beats.first_downbeat, end, beats.beats_per_bar)
    grid = in_phase(grid, np.array(ons), steps_per_beat)
    for track in tracks:
        _quantize(track, grid, strength, steps_per_beat)
    tempo = SongTempo(grid)
    written = [timed_track(track, tempo) for track in tracks if track]
    return midi_file([tempo.conductor("tempo"), *written])


def in_phase(grid: Grid, ons: Times, steps_per_beat: int = STEPS_PER_BEAT) -> Grid:
    """Return the grid, shifted by less than half a step to fit most note-ons."""
    if not len(ons):
        return grid
    steps = steps_per_beat / STEPS_PER_BEAT
    position = grid.position(ons) * steps
    shift = float(np.median(ons - grid.time(np.round(position) / steps)))
    return Grid(grid.beats + shift, grid.beats_per_bar)


def _quantize(track: Sequence[Timed], grid: Grid, strength: float, steps_per_beat: int) -> None:
    """Move a track's notes and pedals."""
    steps = steps_per_beat / STEPS_PER_BEAT
    ons = [timed for timed in track if timed.end is not None]
    moments = [on.time for on in ons]
    position = grid.position(moments) * steps
    wanted = grid.time((position + strength * (np.round(position) - position)) / steps)
    last: dict[tuple[int, int], Timed] = {}
    for on, moment in zip(ons, wanted.tolist(), strict=True):
        assert on.end is not None
        key = on.message.channel, on.message.note
        before = last.get(key)
        earliest = 0.0 if before is None else before.time + LEAST_GAP_S
        length, old = on.end.time - on.time, on.time
        on.time = max(moment, 0.0) if moment >= earliest else max(old, earliest)
        on.end.time = on.time + length
        if before is not None and before.end is not None:
            before.end.time = min(before.end.time, on.time)
        last[key] = on
    for timed in track:
        if timed.message.type == "control_change" and timed.message.control == SUSTAIN:
            k = bisect_right(moments, timed.time + 1e-6) - 1
            if k >= 0:
                timed.time = max(0.0, timed.time + ons[k].time - moments[k])


def run(
    paths: Sequence[Path],
    strength: float = STRENGTH,
    steps_per_beat: int = STEPS_PER_BEAT,
    beats_per_bar: int | None = None,
) -> Iterator[str]:
    """Quantize takes, ``NAME.mid`` beside ``NAME.flac``, as ``NAME quantized.mid``; yield lines.

    A folder means all takes in it. If one fails, the others are still quantized.

    Raises
    ------
    LiveCoverError
        If there is no take; after the last one, if some could not be quantized.
    """
    takes = [take for path in paths for take in takes_at(path)]
    failed: list[tuple[Path, LiveCoverError]] = []
    for take in takes:
        try:
            yield _quantize_file(take, strength, steps_per_beat, beats_per_bar)
        except LiveCoverError as error:
            if len(takes) == 1:
                raise
            _log.error("%s", error)
            failed.append((take, error))
    if failed:
        names = ", ".join(take.name for take, _ in failed)
        raise DataError(f"{len(failed)} of {len(takes)} takes could not be quantized: {names}")


def takes_at(path: Path) -> list[Path]:
    """Return the MIDI files of the takes at a path. Raises DataError if there is none."""
    midi = [path]
    if is_folder(path):
        try:
            midi = [file for file in sorted(path.iterdir()) if file.suffix == ".mid"]
        except OSError as error:
            raise DataError(
                f"{path} cannot be read: {error.strerror}; give a folder of takes that you may read"
            ) from error
        midi = [file for file in midi if SUFFIX not in file.stem]
    faults = {take: file_fault(take) or file_fault(sound_of(take)) for take in midi}
    takes = [take for take, fault in faults.items() if fault is None]
    if takes:
        return takes
    for take, fault in faults.items():
        if fault != NO_SUCH_FILE:
            raise DataError(f"{take} and {sound_of(take).name} cannot be read: {fault}")
    raise DataError(
        f"{path}: expected a take, NAME.mid beside NAME.flac, or a folder of them; livecover"
        " --record FOLDER makes one"
    )


def sound_of(take: Path) -> Path:
    """Return the recorded input beside a take's MIDI file."""
    return take.with_name(f"{take.stem}.flac")


def _quantize_file(
    take: Path, strength: float, steps_per_beat: int, beats_per_bar: int | None
) -> str:
    out = take.with_name(f"{take.stem}{SUFFIX}.mid")
    check_writable(out)
    notes = read_midi(take)
    beats = beats_of(sound_of(take), beats_per_bar)
    quantized = quantize_take(notes, beats, strength, steps_per_beat)
    with written_whole(out) as file:
        quantized.save(file=file)
    return f"{out}: {beats.bpm:.1f} beats a minute, strength {strength:g}"
