"""Measures MIDI clock: how even its ticks leave, and whether they stay on the song's beat.

A song of one tempo is heard live, from a file; ticks are noted when they leave, before any port.
Times are seconds, the table's milliseconds.
"""

import tempfile
import time
from pathlib import Path

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.core.settings import AudioSettings, EngineSettings, MidiSettings, ModelSettings
from engine.core.taps import Tap
from engine.live.engine import Engine
from engine.playback.soundfonts import find_soundfont
from engine.sync.clock_writer import START, STOP, TICK, TICKS, ClockMessage, ClockWriter
from engine.sync.sender import SyncSender
from livecover.bench import markdown
from livecover.sounds.rendering import RENDER_RATE, render_piano

BPM = 107.0
CHORDS = ((48, 60, 64, 67), (45, 60, 64, 69), (41, 60, 65, 69), (43, 59, 62, 67))  # a bar each
TUNE = (76, 74, 72, 74, 76, 79, 77, 74)  # on half beats
TAIL_S = 1.0

Times = NDArray[np.float64]


class _Start(Tap):
    """Notes the host time of the first sample."""

    host_time: float | None = None

    def audio(self, block: NDArray[np.float32], time: float, host_time: float) -> None:
        if self.host_time is None:
            self.host_time = host_time - time


def table(model: str, seconds: float) -> str:
    """Return how even ticks are, and how far from the beats of a song of so many seconds."""
    sent: list[tuple[float, ClockMessage]] = []
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        sound = Path(folder) / "song.wav"
        _write_song(sound, seconds)
        settings = EngineSettings(
            audio=AudioSettings(input=str(sound)),
            model=ModelSettings(model=model),
            midi=MidiSettings(midi_out=(str(Path(folder) / "notes.mid"),)),
        )
        start = _Start()
        sender: SyncSender[ClockMessage] = SyncSender(
            ClockWriter(), lambda message: sent.append((time.perf_counter(), message))
        )
        try:
            with Engine(settings, (start, sender)) as engine:
                latency = engine.budget.total
                engine.wait()
        finally:
            sender.shut_down()
    return _report(sent, start.host_time or 0.0, latency)


def _report(sent: list[tuple[float, ClockMessage]], begin: float, latency: float) -> str:
    first = next(k for k, (_, message) in enumerate(sent) if message[0] == START)
    ticks = np.array([time for time, message in sent[first:] if message[0] == TICK])
    tick_s = 60 / BPM / TICKS
    intervals = 1000 * np.abs(np.diff(ticks) - tick_s)
    late = ticks - begin - latency
    off = 1000 * (late - tick_s * np.arange(len(late)))
    off -= 1000 * 60 / BPM * np.round(np.median(off) / (1000 * 60 / BPM))  # beats are alike
    n = len(off) // 5
    rows: list[list[object]] = [
        ["ticks", len(ticks)],
        ["starts, stops", f"{_count(sent, START)}, {_count(sent, STOP)}"],
        ["interval off the tempo's, ms: median", f"{np.median(intervals):.2f}"],
        ["95th percentile", f"{np.quantile(intervals, 0.95):.2f}"],
        ["off the song's beat, ms: median", f"{np.median(off):.1f}"],
        ["90th percentile of the distance", f"{np.quantile(np.abs(off), 0.9):.1f}"],
        ["drift, last fifth against first, ms", f"{np.median(off[-n:]) - np.median(off[:n]):.1f}"],
    ]
    return markdown(["MIDI clock", f"{ticks[-1] - ticks[0]:.0f} s of {BPM:g} beats a minute"], rows)


def _count(sent: list[tuple[float, ClockMessage]], status: int) -> int:
    return sum(message[0] == status for _, message in sent)


def _write_song(path: Path, seconds: float) -> None:
    """Write chords and a tune of one tempo, played by a piano."""
    midi = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    midi.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(BPM)))
    events = []
    for half in range(int(seconds * BPM / 60) * 2):
        bar, at = half // 8, half * 240
        events += [(at, at + 220, TUNE[half % 8], 90)]
        if half % 2 == 0:
            keys = CHORDS[bar % 4][: 1 if half % 4 else 4]
            events += [(at, at + 440, key, 100 if half % 8 == 0 else 75) for key in keys]
    strokes = [(at, velocity, key) for at, _, key, velocity in events]
    strokes += [(end, 0, key) for _, end, key, _ in events]
    now = 0
    for at, velocity, key in sorted(strokes):
        track.append(mido.Message("note_on", note=key, velocity=velocity, time=at - now))
        now = at
    midi.save(path.with_suffix(".mid"))
    n_samples = round((midi.length + TAIL_S) * RENDER_RATE)
    font = find_soundfont()
    sound = render_piano(path.with_suffix(".mid"), n_samples, RENDER_RATE, font)
    soundfile.write(path, sound, RENDER_RATE)
