"""Measures how much a cover changes with a song's tuning, polarity, level and offset.

Each altered song is covered as a file, and onset F1 (50 ms) against the untouched song's cover is
printed, the time stretched back where the alteration stretched it. A cover of the song 8 ms later
shows what any change of the samples costs. Covers are free: on the beat much of them is what a
pianist would play, whatever was heard. Where there is a reference, a human's cover as
MIDI, F1 to that is printed too, and how far it is from the untouched song's.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.core.notes import notes_of
from engine.core.settings import EngineSettings, ModelSettings
from engine.cover.stream import CoverStream, open_pipeline
from engine.midi.reader import read_midi
from engine.model.pipeline import Pipeline
from engine.signal.conditioning import PRIME_S
from engine.system.paths import is_file
from livecover.commands.timed_messages import timed_tracks

Array = NDArray[np.float32]
Onsets = list[tuple[float, int]]

CENTS = (-50, -45, -32, -25, 25, 32, 45, 50)
LEVELS_DBFS = (-20, -40, -55)
ON_OFFSET_DBFS, OFFSET = -50, 0.3
DRUMS = 9  # the channel
WINDOW_S = 0.05
DELAY_S = 0.008


def altered(song: Array, rate: int) -> Iterator[tuple[str, Array, float, float]]:
    """Yield what was done to a song (n, c), the result, its speed and its delay in seconds."""
    import soxr  # comes with the extra demo

    n_late = round(DELAY_S * rate)
    late = np.concatenate([np.zeros((n_late, song.shape[1]), np.float32), song])
    yield f"{1000 * DELAY_S:g} ms later", late, 1.0, n_late / rate
    for cents in CENTS:
        speed = 2 ** (cents / 1200)
        bent = np.asarray(soxr.resample(song, speed * rate, rate), np.float32)
        yield f"{cents:+d} cents, A = {440 * speed:.0f} Hz", bent, speed, 0.0
    sides = song if song.shape[1] == 2 else np.repeat(song[:, :1], 2, axis=1)
    yield "one channel inverted", sides * np.array((1, -1), np.float32), 1.0, 0.0
    mono = song.mean(1)
    yield "right = -left", np.stack([mono, -mono], 1), 1.0, 0.0
    for dbfs in LEVELS_DBFS:
        gain = np.float32(10 ** (dbfs / 20) / np.abs(song).max())
        yield f"peak at {dbfs} dBFS", song * gain, 1.0, 0.0
    gain = np.float32(10 ** (ON_OFFSET_DBFS / 20) / np.abs(song).max())
    what = f"peak at {ON_OFFSET_DBFS} dBFS, with an offset of {OFFSET}"
    yield what, song * gain + np.float32(OFFSET), 1.0, 0.0


def onsets(pipeline: Pipeline, song: Array, rate: int) -> Onsets:
    """Return (seconds, pitch) of a song's cover, played as a file is."""
    stream = CoverStream(pipeline, EngineSettings(), rate, song.shape[1])
    stream.prime(song[: round(PRIME_S * rate)])
    events = []
    for start in range(0, len(song), rate // 2):
        events += stream.push(song[start : start + rate // 2])
    return [(n.time, n.pitch) for n in notes_of([*events, *stream.finish()]) if n.is_on]


def onset_f1(found: Onsets, expected: Onsets) -> float:
    """Return F1 of onsets of the same pitch within 50 ms, each matched once, in order of time."""
    left = sorted(found)
    n_hits = 0
    for time, pitch in sorted(expected):
        near = (n for n in left if n[1] == pitch and abs(n[0] - time) <= WINDOW_S)
        if (hit := next(near, None)) is not None:
            left.remove(hit)
            n_hits += 1
    return 2 * n_hits / max(1, len(found) + len(expected))


def reference_onsets(path: Path) -> Onsets:
    """Return the onsets of a MIDI file's notes but drums. Raises DataError."""
    tracks = timed_tracks(read_midi(path))
    notes = [(timed.time, timed.message) for track in tracks for timed in track]
    found = [(t, m.note) for t, m in notes if m.type == "note_on" and m.channel != DRUMS]
    if not found:
        raise DataError(f"{path}: expected a human's cover, found no notes")
    return found


def table(model: str, path: Path, reference: Path | None = None) -> str:
    """Return the table of a song's alterations, as Markdown; NAME.mid beside it is a reference."""
    if reference is None and is_file(path.with_suffix(".mid")):
        reference = path.with_suffix(".mid")
    expected = None if reference is None else reference_onsets(reference)
    song, rate = soundfile.read(path, dtype="float32", always_2d=True)
    pipeline = open_pipeline(ModelSettings(model))
    untouched = onsets(pipeline, song, rate)
    lines = ["| the song, its cover free | notes | F1 to the untouched cover |", "|---|---|---|"]
    if reference:
        lines = [f"{lines[0]} F1 to {reference.name} | change |", f"{lines[1]}---|---|"]

    def row(what: str, found: Onsets) -> None:
        line = f"| {what} | {len(found)} | {onset_f1(found, untouched):.3f} |"
        if expected is not None:
            f1 = onset_f1(found, expected)
            line += f" {f1:.3f} | {f1 - onset_f1(untouched, expected):+.3f} |"
        lines.append(line)

    row("untouched", untouched)
    for what, sound, speed, delay in altered(song, rate):
        row(what, [(speed * (t - delay), p) for t, p in onsets(pipeline, sound, rate)])
    return "\n".join(lines)
