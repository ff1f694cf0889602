"""``livecover quantize``: a take's notes moved part of the way to the beat, and its tempo written.

For takes, never live. The beat is the song's own, tracked in the recorded input as the arranger
does it (``engine.arranging``, extra ``arrange``); it is smoothed, and shifted as a whole to where
the take's notes lie. Second 0 of the file stays second 0 of the sound, so the two still sound
together, and the bars of a DAW lie on the song's.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

from engine.arranging.grid import BEATS_PER_BAR, LEAST_BEATS, Grid, Times, track_beats
from engine.arranging.hearing import SAMPLE_RATE, Ears, downbeat_of, struck
from engine.audio import FileSource, open_source
from engine.errors import ConfigError, DataError
from engine.resample import Resampler
from engine.settings import AudioSettings
from livecover.tempo_map import TICKS_PER_BEAT, TempoMap, Timed, timed_tracks

SUFFIX = " quantized"
STRENGTH = 0.5
STEPS_PER_BEAT = 4
SMOOTHING_BEATS = 9  # neighbours, itself among them, that are asked where a beat is
LEAST_GAP_S = 0.06  # between two strikes of a key
SUSTAIN = 64
BLOCK_S = 1.0


@dataclass(frozen=True, slots=True)
class Beats:
    """Beats (n >= 2,) of a song in seconds, rising, and which of the first four begins a bar."""

    times: Times
    first_downbeat: int = 0

    @property
    def bpm(self) -> float:
        """Beats a minute, of the middle interval."""
        return 60 / float(np.median(np.diff(self.times)))


def find_beats(sound: Path) -> Beats:
    """Return the beats that are heard in a sound file.

    Raises
    ------
    DataError
        If it has too few, or librosa is not installed.
    LiveCoverError
        If the file cannot be read or a model is missing.
    """
    source = open_source(str(sound), AudioSettings(), paced=False)
    assert isinstance(source, FileSource), "a file goes in"
    resampler = Resampler(source.sample_rate, SAMPLE_RATE, source.n_channels)
    blocks = source.blocks(round(BLOCK_S * source.sample_rate))
    parts = [resampler.push(block) for block in blocks]
    heard = Ears().hear(np.concatenate([*parts, resampler.flush()]))
    hop_length = round(heard.frame_s * SAMPLE_RATE)
    times = track_beats(struck(heard.transcription), SAMPLE_RATE, hop_length)
    if len(times) < LEAST_BEATS:
        raise DataError(
            f"{sound}: expected at least {LEAST_BEATS} beats, found {len(times)}: the take is too"
            " short to quantize, or has no beat"
        )
    return Beats(smooth(times), downbeat_of(heard, times))


def smooth(times: Times) -> Times:
    """Return beats without the tracker's jitter of a frame: each where its neighbours expect it.

    The line through them is Theil's and Sen's, of middle slope and height, so that one beat gone
    astray moves none of the others.

    >>> smooth(np.array([0.0, 0.5, 1.0, 1.56, 2.0, 2.5, 3.0, 3.5, 4.0])).tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    """
    smoothed = np.empty(len(times))
    for k in range(len(times)):
        start = min(max(0, k - SMOOTHING_BEATS // 2), max(0, len(times) - SMOOTHING_BEATS))
        near = np.arange(len(times))[start : start + SMOOTHING_BEATS]
        first, second = np.triu_indices(len(near), 1)
        period = np.median((times[near[second]] - times[near[first]]) / (second - first))
        smoothed[k] = np.median(times[near] - period * (near - k))
    return smoothed


def quantize_take(
    take: mido.MidiFile,
    beats: Beats,
    strength: float = STRENGTH,
    steps_per_beat: int = STEPS_PER_BEAT,
) -> mido.MidiFile:
    """Return a take with each note moved a share of the way to the nearest step of the beat.

    Lengths are kept, in seconds; the pedal moves with the note before it; a key struck again within
    a step stays where it is.

    Parameters
    ----------
    take
        Its second 0 is that of the beats.
    beats
        Of the song.
    strength
        0 leaves the notes and writes the tempo alone, 1 puts every note onto a step.
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
    beats = _in_phase(_whole(beats, end), np.array(ons), steps_per_beat)
    grid = Grid(beats.times)
    for track in tracks:
        _quantize(track, grid, strength, steps_per_beat)
    tempo = TempoMap(beats.times, beats.first_downbeat)
    quantized = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    quantized.tracks.append(tempo.conductor())
    quantized.tracks += [tempo.track(track) for track in tracks if track]
    return quantized


def _whole(beats: Beats, seconds: float) -> Beats:
    """Return the beats from second 0 to the end, at the border's tempo where none were heard."""
    times = np.asarray(beats.times, float)
    first, last = (float(np.median(np.diff(border))) for border in (times[:9], times[-9:]))
    n_before = max(0, int(times[0] / first))
    n_after = max(1, int((seconds - times[-1]) / last) + 2)
    earlier = times[0] - first * np.arange(n_before, 0, -1)
    later = times[-1] + last * np.arange(1, n_after + 1)
    downbeat = (beats.first_downbeat + n_before) % BEATS_PER_BAR
    return Beats(np.concatenate([earlier, times, later]), downbeat)


def _in_phase(beats: Beats, ons: Times, steps_per_beat: int) -> Beats:
    """Return the beats, shifted by less than half a step to where most note-ons lie."""
    if not len(ons):
        return beats
    grid, steps = Grid(beats.times), steps_per_beat / STEPS_PER_BEAT
    position = grid.position(ons) * steps
    shift = float(np.median(ons - grid.time(np.round(position) / steps)))
    return Beats(beats.times + shift, beats.first_downbeat)


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
    paths: Sequence[Path], strength: float = STRENGTH, steps_per_beat: int = STEPS_PER_BEAT
) -> list[str]:
    """Quantize takes, ``NAME.mid`` beside ``NAME.flac``, as ``NAME quantized.mid``; return lines.

    A folder stands for the takes in it.

    Raises
    ------
    LiveCoverError
        If there is no take, or one that was named has no sound or no beat.
    """
    lines = []
    for path in paths:
        for take in _takes(path):
            lines.append(_quantize_file(take, strength, steps_per_beat))
    return lines


def _takes(path: Path) -> list[Path]:
    """Return the MIDI files of takes that a path means. Raises DataError if there is none."""
    if path.is_dir():
        midi = sorted(path.glob("*.mid"))
        takes = [file for file in midi if sound_of(file).is_file() and SUFFIX not in file.stem]
    else:
        takes = [path] if path.is_file() and sound_of(path).is_file() else []
    if not takes:
        raise DataError(
            f"{path}: expected a take, NAME.mid beside NAME.flac, or a folder of them; livecover"
            " --record FOLDER makes one"
        )
    return takes


def sound_of(take: Path) -> Path:
    """Return the recorded input beside a take's MIDI file."""
    return take.with_name(f"{take.stem}.flac")


def _quantize_file(take: Path, strength: float, steps_per_beat: int) -> str:
    out = take.with_name(f"{take.stem}{SUFFIX}.mid")
    try:
        notes = mido.MidiFile(take)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{take}: expected a MIDI file, could not read it ({error})") from error
    beats = find_beats(sound_of(take))
    quantized = quantize_take(notes, beats, strength, steps_per_beat)
    try:
        quantized.save(out)
    except OSError as error:
        raise DataError(f"{out}: expected to write it there ({error})") from error
    return f"{out}: {beats.bpm:.1f} beats a minute, strength {strength:g}"
