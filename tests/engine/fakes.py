"""A band of stand-ins: a model that hears loudness, a source and a sink that a test drives.

The model's frame is 10 ms. From the first frame that is loud a C4 sounds, until the first that is
not, so that a test can say to the frame what must come out.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError, MidiError
from engine.core.notes import Event, NoteEvent, Posteriors, notes_of
from engine.core.settings import (
    AudioSettings,
    BeatSettings,
    EngineSettings,
    GateSettings,
    TimeSettings,
)
from engine.core.taps import Tap, TappedSource
from engine.core.tempo import Beat, BeatState
from engine.model.frontend import FrontEnd
from engine.model.pipeline import Pipeline
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from models.spec import FeatureSpec, ModelSpec

Array = NDArray[np.float32]

RATE = 1000
HOP = 10
PITCH = 60
JITTER = 0.003  # seconds
PROMISED = 0.001  # seconds
AGO = 7.5  # seconds; all of a script is due, and its first note within the tolerance of 10 s
SPEC = ModelSpec(
    name="loudness",
    kind="stateful",
    features=FeatureSpec("loudness", "none", RATE, 40, 40, HOP, 1, 0.0, 500.0, 1e-5),
    version="1",
    lookahead_frames=0,
    styles={"balanced": [0.0] * 24, "intense": [1.0] * 24},
)


SETTINGS = EngineSettings(
    audio=AudioSettings(ring=20.0),
    time=TimeSettings(latency=0.5, late_tolerance=10.0, backlog=20.0),
    gate=GateSettings(enabled=False),
    beat=BeatSettings(source="off"),
)
"""Under which every note of a scripted source is due at once, and none is dropped."""


def loudness(samples: Array) -> Array:
    """Return the peak of the middle hop of each window, (k, 1)."""
    n_frames = (len(samples) - 40) // HOP + 1
    return np.array([[np.abs(samples[HOP * k + 15 : HOP * k + 25]).max()] for k in range(n_frames)])


class ListeningTap(Tap):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.begun: list[float] = []  # latency at each begin
        self.blocks: list[tuple[int, float, float]] = []  # samples, time, moment
        self.found_events: list[Event] = []
        self.sent_events: list[tuple[Event, float, float]] = []
        self.changes: list[tuple[EngineSettings, float]] = []
        self.beats: list[Beat] = []
        self.is_locked = threading.Event()  # a beat was heard
        self.calls: list[str] = []

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:
        self.begun.append(latency)
        self.calls.append("begin")

    def audio(self, block: Array, time: float, host_time: float) -> None:
        self.blocks.append((len(block), time, host_time))

    def found(self, events: Sequence[Event], dues: Sequence[float]) -> None:
        self.found_events += events

    def sent(self, event: Event, due: float, at: float) -> None:
        self.sent_events.append((event, due, at))

    def changed(self, settings: EngineSettings, latency: float) -> None:
        self.changes.append((settings, latency))

    def beat(self, beat: Beat) -> None:
        self.beats.append(beat)
        if beat.state is BeatState.LOCKED:
            self.is_locked.set()

    def silenced(self) -> None:
        self.calls.append("silenced")

    def lost(self) -> None:
        self.calls.append("lost")

    def close(self) -> None:
        self.calls.append("close")


class LoudnessModel:
    """Sounds C4 while a feature is above 0.1. ``fail_at`` is a frame at which it breaks."""

    spec = least_spec = SPEC
    wait_frames = 0

    def __init__(self, fail_at: int | None = None) -> None:
        self.fail_at = fail_at
        self.heard: list[int] = []
        self.styles: list[float] = []
        self._was_loud = False

    def step(self, frames: NDArray[np.int64], features: Array, style: Array) -> Posteriors:
        if self.fail_at is not None and self.fail_at in frames:
            raise RuntimeError("the model broke")
        self.heard += frames.tolist()
        self.styles += [float(style[0])] * len(frames)
        onset, frame, velocity = (np.zeros((len(frames), 88), np.float32) for _ in range(3))
        for row, value in enumerate(features[:, 0]):
            is_loud = bool(value > 0.1)
            onset[row, PITCH - 21] = is_loud and not self._was_loud
            frame[row, PITCH - 21] = is_loud
            velocity[row, PITCH - 21] = value
            self._was_loud = is_loud
        return Posteriors(frames, onset, frame, velocity)

    def flush(self, style: Array) -> Posteriors:
        self.reset()
        return self.step(np.zeros(0, np.int64), np.zeros((0, 1), np.float32), style)

    def reset(self) -> None:
        self._was_loud = False

    def waiting(self, n_frames: int) -> Self:
        return self

    def offline_variant(self) -> Self:
        return self


def make_pipeline(fail_at: int | None = None) -> Pipeline:
    return Pipeline(FrontEnd(SPEC.features, loudness), LoudnessModel(fail_at))


def model_of(pipeline: Pipeline) -> LoudnessModel:
    assert isinstance(pipeline.model, LoudnessModel)
    return pipeline.model


def sound(seconds: float, *loud: tuple[float, float], channels: int = 1) -> Array:
    """Return (n, channels) samples: 250 Hz at 0.5 within each ``loud`` (start, stop), else 0."""
    wave = np.tile(np.array((0.5, 0.5, -0.5, -0.5), np.float32), round(seconds * RATE))
    samples = np.zeros((round(seconds * RATE), channels), np.float32)
    for start, stop in loud:
        part = slice(round(start * RATE), round(stop * RATE))
        samples[part] = wave[: len(samples[part]), None]
    return samples


class ScriptedSource:
    """A source whose ``script`` runs when it starts, and that a test may feed later.

    As a device: it promises ``PROMISED`` seconds of latency and says ``latency`` once it has
    started, it gives blocks of ``block_size``, and each arrives up to ``JITTER`` late. Sample n was
    there ``n / sample_rate`` after ``begun``, which lies ``AGO`` seconds back, so that all that a
    shorter script plays is due at once. After ``stop`` nothing comes any more.
    """

    sample_rate = RATE
    n_channels = 1
    is_realtime = True

    def __init__(
        self,
        script: Callable[["ScriptedSource"], None] = lambda source: None,
        latency: float = 0.004,
        name: str = "script",
        fails_to_start: bool = False,
    ) -> None:
        self.name = name
        self.latency = PROMISED
        self.latency_when_open = latency
        self.block_size = 16
        self.error: str | None = None
        self.is_finished = False
        self.n_overflows = 0
        self.n_bad_samples = 0
        self.begun = 0.0
        self.has_stopped = threading.Event()
        self._script = script
        self._fails_to_start = fails_to_start
        self._is_running = False
        self._ring: SampleRing | None = None
        self._clock: StreamClock | None = None

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        if self._fails_to_start:
            raise DeviceError(f"{self.name} does not start")
        self._ring, self._clock = ring, clock
        self.begun = time.perf_counter() - AGO
        self.error, self.is_finished = None, False
        self._is_running = True
        self.latency = self.latency_when_open
        self._jitter = random.Random(0)
        self._script(self)

    def play(self, samples: Array) -> None:
        assert self._ring is not None and self._clock is not None
        for start in range(0, len(samples) if self._is_running else 0, self.block_size):
            self._ring.write(samples[start : start + self.block_size])
            total = self._ring.total_written
            arrival = self.begun + total / self.sample_rate + self._jitter.uniform(0.0, JITTER)
            self._clock.update(total, arrival)

    def finish(self) -> None:
        assert self._ring is not None
        self.is_finished = True
        self._ring.wake()

    def lose(self, reason: str) -> None:
        assert self._ring is not None
        self.error = reason
        self._ring.wake()

    def is_alive(self) -> bool:
        return self._is_running and not self.is_finished and self.error is None

    @property
    def is_running(self) -> bool:
        return self._is_running

    def stop(self) -> None:
        self._is_running = False
        self.has_stopped.set()


class CollectingSink:
    """Keeps every event; ``has`` waits until so many came.

    As a port: it is used by one thread at a time, and refuses what comes once it is closed.
    """

    name = "collection"
    is_there = True
    n_losses = 0
    latency = 0.0

    def __init__(self, fails_to_close: bool = False) -> None:
        self.events: list[Event] = []
        self.n_silences = self.n_panics = 0
        self.n_closed = 0
        self._fails_to_close = fails_to_close
        self._changed = threading.Condition()
        self._user = threading.Lock()

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        assert self._user.acquire(blocking=False), f"{self.name}: two threads at once"
        try:
            if self.n_closed:
                raise MidiError(f"{self.name} is closed")
            yield
        finally:
            self._user.release()

    def send(self, event: Event) -> None:
        with self._used(), self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def silence(self) -> None:
        with self._used():
            self.n_silences += 1

    def panic(self) -> None:
        with self._used():
            self.n_panics += 1

    def close(self) -> None:
        self.n_closed += 1
        if self._fails_to_close:
            raise MidiError("the disk is full")

    @property
    def notes(self) -> list[NoteEvent]:
        return notes_of(self.events)

    def has(self, n_events: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.events) >= n_events, 60.0)
