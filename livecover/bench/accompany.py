"""Measures mode accompany: what it costs, when its notes sound, what it hears of itself.

The servers are those of the end-to-end tests (``tests/e2e``, so a checkout is needed), private to
the measurement. Times are seconds, tables in milliseconds.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.accompany.step_writer import STEPS
from engine.beat.opening import open_beat
from engine.core.errors import DataError
from engine.core.settings import EngineSettings, ModelSettings, PlaySettings
from engine.cover.accompanying import open_accompanying
from engine.cover.stream import CoverStream, open_pipeline
from livecover import examples
from livecover.bench import markdown, require_servers

if TYPE_CHECKING:
    from tests.e2e.chain import Chain
    from tests.e2e.songs import Song

Array = NDArray[np.float32]
Times = NDArray[np.float64]

HALF_BAR = 2  # beats between two chords of the example
NEAR_S = 0.05  # of a message, in which its sound begins
TAIL_S = 2.0


def cost(model: str, song: Path, n_rounds: int = 3) -> str:
    """Return the real-time factor of beat and accompanist beside the model, on one core.

    In processor time, the least of some rounds in turns.
    """
    samples, rate = soundfile.read(song, dtype="float32", always_2d=True)
    cover = EngineSettings(model=ModelSettings(model=model), play=PlaySettings(rhythm="free"))
    on_beat = replace(cover, play=PlaySettings())
    accompany = EngineSettings(model=cover.model, play=PlaySettings(mode="accompany"))
    ways: dict[str, Callable[[], CoverStream]] = {
        "cover": lambda: open_stream(cover, samples.shape[1], rate, with_beat=False),
        "beat": lambda: open_stream(cover, samples.shape[1], rate, with_beat=True),
        "on the beat": lambda: open_stream(on_beat, samples.shape[1], rate),
        "all": lambda: open_stream(accompany, samples.shape[1], rate, with_beat=True),
    }
    spent = {
        name: min(_spent(make(), samples, rate) for _ in range(n_rounds))
        for name, make in ways.items()
    }
    beat, own = spent["beat"] - spent["cover"], spent["all"] - spent["beat"]
    rows = [
        ["beat", f"{beat:.3f}"],
        ["accompanist", f"{own:.3f}"],
        ["both", f"{beat + own:.3f}"],
        [f"{model}, which hears", f"{spent['cover']:.3f}"],
        ["all", f"{spent['all']:.3f}"],
        ["a cover on the beat", f"{spent['on the beat']:.3f}"],
    ]
    return markdown([f"real-time factor, {song.name}", "one core"], rows)


def open_stream(
    settings: EngineSettings, n_channels: int, rate: int, with_beat: bool = False
) -> CoverStream:
    """Return a stream as for a whole song; a cover's may hear the beat too."""
    pipeline = open_pipeline(settings.model)
    if with_beat:
        pipeline.tap = open_beat(settings.beat, pipeline.spec.features)
    parts = open_accompanying(pipeline, settings, rate, n_channels, lambda _: 0.0)
    return CoverStream(pipeline, settings, rate, n_channels, parts)


def _spent(stream: CoverStream, samples: Array, rate: int) -> float:
    """Return the processor seconds for a second of sound, by blocks as of a device."""
    start = time.process_time()
    for begin in range(0, len(samples), 256):
        stream.push(samples[begin : begin + 256])
    stream.finish()
    return (time.process_time() - start) * rate / len(samples)


def on_beat(model: str, song: Path, beats: Path | None, ahead: float) -> str:
    """Return how far the piano's onsets are from the song's sixteenths, in recorded sound.

    Song, PulseAudio, livecover, JACK, FluidSynth, recording; notes are sent ``ahead``.
    """
    require_servers()
    from tests.e2e import chain as real

    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        with real.chain(Path(folder)) as chain:
            heard, sent, started = _perform(chain, model, _as_song(song, chain.work), ahead)
    grid = sixteenths(beats_of(song, beats))
    rows = []
    for name, times in (("the piano's sound", heard), ("MIDI at the port", sent)):
        off = 1000 * _distances(times - started, grid)
        figures = [f"{np.median(off):.1f}", f"{np.quantile(np.abs(off - np.median(off)), 0.9):.1f}"]
        rows.append([name, len(off), *figures, f"{np.quantile(np.abs(off), 0.9):.1f}"])
    columns = ["onsets", "median, ms", "90% within, about it", "90% within"]
    return markdown([f"after --ahead {1000 * ahead:.0f}ms, {song.name}", *columns], rows)


def _perform(chain: "Chain", model: str, song: "Song", ahead: float) -> tuple[Times, Times, float]:
    """Return when the piano's notes began to sound, when they were sent, and the song's start."""
    from tests.e2e import takes
    from tests.e2e.chain import PORT, Tap
    from tests.e2e.processes import SAMPLE_RATE
    from tests.e2e.servers import fluidsynth

    options = ("--model", model, "--mode", "accompany", "--ahead", f"{ahead:g}")
    tap = Tap(chain.pulse)
    with fluidsynth(chain.work, chain.jack), chain.livecover(*options) as livecover:
        chain.jack.connect(PORT, "fluid:midi_00")
        chain.jack.connect("fluid:left", "recorder:audio")
        chain.play(song)
        messages = takes.ons(chain.recorder.messages())
        started = tap.start_of(song)
        tap.close()
        livecover.stop()
        sound = chain.recorder.audio()
    sent = np.array([message.time for message in messages])
    first = sorted({message.sample: message.time for message in messages}.items())
    heard = [
        moment + onset / SAMPLE_RATE
        for sample, moment in first
        if (onset := _onset(sound[sample : sample + round(3 * NEAR_S * SAMPLE_RATE)])) is not None
    ]
    return np.array(heard), sent, started


def _onset(sound: Array) -> int | None:
    """Return the sample at which a note begins, where curvature first is 0.3 of its highest."""
    edges = np.abs(np.diff(sound, 2))
    smooth = np.convolve(edges, np.ones(64) / 64, "valid")
    if not len(smooth) or smooth.max() < 1e-5:
        return None
    return int(np.argmax(smooth > 0.3 * smooth.max()) + 32)


def _as_song(song: Path, work: Path) -> "Song":
    """Return the song as the servers play it: mono, at their rate."""
    import soxr

    from tests.e2e.processes import SAMPLE_RATE
    from tests.e2e.songs import Song

    samples, rate = soundfile.read(song, dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(1), rate, SAMPLE_RATE).astype(np.float32)
    mono = np.concatenate([mono, np.zeros(round(TAIL_S * SAMPLE_RATE), np.float32)])
    path = work / "song.wav"
    soundfile.write(path, mono, SAMPLE_RATE, subtype="PCM_16")
    return Song(path, mono, SAMPLE_RATE)


def beats_of(song: Path, beats: Path | None) -> Times:
    """Return a song's beats: of a text file, a line each; of the example, by its chords."""
    if beats is not None:
        return np.asarray(np.loadtxt(beats, ndmin=1), float)
    if song != examples.path():
        raise DataError("give the song's beats as --beats FILE, a line with seconds for each")
    now, chords = 0.0, []
    for message in mido.MidiFile(song.with_suffix(".mid")):
        now += message.time
        if message.type == "marker":
            chords.append(now)
    at = np.arange(0, len(chords) - 1 + 1e-9, 1 / HALF_BAR)
    return np.asarray(np.interp(at, np.arange(len(chords)), chords))


def sixteenths(beats: Times) -> Times:
    """Return the times of all sixteenths of beats."""
    at = np.arange(0, len(beats) - 1 + 1e-9, 1 / STEPS)
    return np.asarray(np.interp(at, np.arange(len(beats)), beats))


def _distances(times: Times, grid: Times) -> Times:
    """Return how much later than the nearest of a grid times are, of those within it."""
    times = times[(times >= grid[0]) & (times <= grid[-1])]
    nearest = np.argmin(np.abs(times[:, None] - grid[None]), 1)
    return np.asarray(times - grid[nearest])
