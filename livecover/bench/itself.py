"""Measures what the accompanist understands where a microphone hears its piano too.

The example is accompanied, its piano is mixed into it, softer or as loud, and the planner hears the
mixture: as it is, and with what was played taken out. A plan is right if two thirds of its tones
belong to the song's chord. Shapes: n samples, S sixteenths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.accompany.chords import CLASS_TONES
from engine.accompany.model import Place
from engine.accompany.own_sound import OwnSound
from engine.accompany.step_writer import STEPS
from engine.beat.steps.gathering import gather_steps
from engine.core.chords import INTERVALS, PITCH_NAMES
from engine.core.notes import NoteEvent, Posteriors
from engine.core.settings import EngineSettings, ModelSettings, PlaySettings
from engine.cover.accompanying import open_accompanist
from engine.cover.stream import CoverStream, open_pipeline
from engine.midi.messages import message
from engine.model.cover_model import join_posteriors
from engine.model.pipeline import Pipeline
from engine.playback.fluid import FluidPiano
from engine.signal.conditioning import PRIME_S
from livecover import examples
from livecover.bench import markdown
from livecover.bench.accompany import beats_of, open_stream, sixteenths
from livecover.sounds.synth import BUNDLED

Array = NDArray[np.float32]

LEVELS_DB = (-6.0, 0.0)  # of the piano against the song
LAG = 2  # sixteenths by which hearing is late
ENTRY = 32  # sixteenths that do not count
RIGHT = 0.66
BAR = 16


@dataclass(frozen=True, slots=True)
class _Song:
    samples: Array  # (n,) at the model's rate
    rate: int
    steps: NDArray[np.float64]  # (S,)
    tones: Array  # (S, 12)


def table(model: str) -> str:
    """Return the share of sixteenths whose plan is right, by how loud the piano is heard."""
    settings = EngineSettings(model=ModelSettings(model=model), play=PlaySettings(mode="accompany"))
    pipeline = open_pipeline(settings.model)
    song = _example(pipeline.spec.features.sample_rate)
    stream = open_stream(settings, 1, song.rate)
    notes = [e for e in _played(stream, song) if isinstance(e, NoteEvent)]
    piano = _sound(notes, len(song.samples), song.rate)
    start = round(notes[0].time * song.rate)
    equal = _rms(song.samples[start:]) / _rms(piano[start:])
    frame_s = pipeline.spec.features.frame_s
    alone = _right(settings, song, _listen(pipeline, song.samples), frame_s)
    rows: list[list[object]] = [["not heard", f"{alone:.3f}", ""]]
    for db in LEVELS_DB:
        mixture = song.samples + np.float32(equal * 10 ** (db / 20)) * piano
        heard = _listen(pipeline, mixture)
        own = OwnSound(frame_s)
        own.play(notes)
        as_it_is, taken_out = (
            _right(settings, song, posteriors, frame_s)
            for posteriors in (heard, own.take_out(heard))
        )
        rows.append([f"{db:+.0f} dB", f"{as_it_is:.3f}", f"{taken_out:.3f}"])
    return markdown(["the piano in the microphone", "right plans", "with it taken out"], rows)


def _example(rate: int) -> _Song:
    path = examples.path()
    samples, own_rate = soundfile.read(path, dtype="float32", always_2d=True)
    import soxr

    mono = soxr.resample(samples.mean(1), own_rate, rate).astype(np.float32)
    steps = sixteenths(beats_of(path, None))
    return _Song(mono, rate, steps, _tones(path.with_suffix(".mid"), steps))


def _tones(midi: Path, steps: NDArray[np.float64]) -> Array:
    """Return the tones (S, 12) of the chord that a file's markers name at each step."""
    now, rows = 0.0, np.zeros((len(steps), 12), np.float32)
    for event in mido.MidiFile(midi):
        now += event.time
        if event.type == "marker":
            root, _, quality = event.text.partition("/")[0].partition(":")
            tones = [(PITCH_NAMES.index(root) + k) % 12 for k in INTERVALS[quality]]
            rows[steps >= now - 1e-3] = np.isin(np.arange(12), tones)
    return rows


def _played(stream: CoverStream, song: _Song) -> Sequence[object]:
    stream.prime(song.samples[: round(PRIME_S * song.rate), None])
    return [*stream.push(song.samples[:, None]), *stream.finish()]


def _sound(notes: Sequence[NoteEvent], n: int, rate: int) -> Array:
    """Return the piano's sound (n,) of notes in time order."""
    piano = FluidPiano(BUNDLED, rate)
    messages = [(round(note.time * rate), message(note)) for note in notes]
    sound = piano.render(n, [(at, told) for at, told in messages if at < n]).mean(1)
    piano.close()
    return np.asarray(sound, np.float32)


def _listen(pipeline: Pipeline, samples: Array) -> Posteriors:
    pipeline.reset()
    rate = pipeline.spec.features.sample_rate
    pipeline.prime(samples[: round(PRIME_S * rate)])
    parts = [pipeline.push(samples[k : k + 4096]) for k in range(0, len(samples), 4096)]
    return join_posteriors([*parts, pipeline.flush()])


def _right(settings: EngineSettings, song: _Song, heard: Posteriors, frame_s: float) -> float:
    """Return the share of sixteenths that are planned right from what was heard ``LAG`` before."""
    accompanist = open_accompanist(settings)
    bpm = 60 / (STEPS * float(np.median(np.diff(song.steps))))
    rows = gather_steps(heard.onset, heard.frame, frame_s, song.steps)
    is_right = []
    for k in range(len(rows)):
        if k >= LAG:
            accompanist.hear(rows[k - LAG : k - LAG + 1])
        plan = accompanist.step(Place(k % BAR, LAG, bpm), plays=False).plan
        own = CLASS_TONES[plan.chord]
        is_right.append(own @ song.tones[k] >= RIGHT * max(own.sum(), 1))
    return float(np.mean(is_right[ENTRY:]))


def _rms(samples: Array) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))
