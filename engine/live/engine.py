"""The live engine: start and stop, changes of settings, what a player does, status.

The source's thread writes blocks into a ring, one worker reads them and owns features, model and
decoder (``engine.live.worker``), one MIDI thread sends (``engine.midi.scheduler``). Not
here: opening what the settings name (``engine.live.opening``).
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

from engine.accompany.accompanist import Accompanist
from engine.audio.opening import AudioSource, SongSource, open_source
from engine.beat.follower import BeatFollower
from engine.beat.opening import open_beat
from engine.core.errors import ConfigError, StoppedError
from engine.core.settings import (
    AudioSettings,
    BeatSettings,
    EngineSettings,
    ModelSettings,
)
from engine.core.song_place import SongCommand
from engine.core.taps import Tap, Taps
from engine.core.tempo import Tempo
from engine.cover.accompanying import open_accompanist
from engine.cover.stream import open_pipeline
from engine.live.opening import PartsOpener
from engine.live.sink import LiveSink
from engine.live.status import read_status
from engine.live.worker import Worker
from engine.midi.scheduler import Scheduler
from engine.midi.sinks import MidiSink, open_sink
from engine.model.latency import LatencyBudget
from engine.model.pipeline import Pipeline
from engine.perform.performer import channels
from engine.signal.meters import Status
from engine.system.bounded import remaining_timeout
from models.spec import FeatureSpec

STOP_TIMEOUT = 0.5
"""Seconds that ``stop`` waits for a thread; one that a library blocks longer is abandoned."""

_log = logging.getLogger(__name__)


class Engine:
    """Covers a source live, from ``start`` to ``stop``; a context manager does both.

    Everything is opened and warm before audio starts. After ``stop`` every note has ended and every
    file is written, whatever happened.

    Parameters
    ----------
    settings
        All of the engine's; :meth:`change` takes others.
    taps
        Get audio and events; :meth:`add_tap` adds more.
    open_source, open_pipeline, open_beat, open_accompanist, open_sink
        Ways to open what the settings name; a test passes its own.

    Raises
    ------
    LiveCoverError
        At construction, if the model, the source or an output cannot be opened, or the latency
        asked for is not possible.
    """

    def __init__(
        self,
        settings: EngineSettings,
        taps: Sequence[Tap] = (),
        *,
        open_source: Callable[[str, AudioSettings], AudioSource] = open_source,
        open_pipeline: Callable[[ModelSettings], Pipeline] = open_pipeline,
        open_beat: Callable[[BeatSettings, FeatureSpec], BeatFollower | None] = open_beat,
        open_accompanist: Callable[[EngineSettings], Accompanist] = open_accompanist,
        open_sink: Callable[[Sequence[str], Sequence[MidiSink]], MidiSink] = open_sink,
    ) -> None:
        self._opener = PartsOpener(
            open_source, open_pipeline, open_beat, open_accompanist, open_sink
        )
        parts = self._opener.open(settings)
        self._sink = LiveSink(parts.sink)
        self._taps = Taps(taps)
        self._scheduler = Scheduler(
            parts.sink,
            parts.budget.total,
            settings.time.late_tolerance,
            max_lead=self._opener.port_latency,
            on_sent=self._taps.sent,
        )
        self._worker = Worker(
            settings,
            parts.budget,
            parts.pipeline,
            parts.follower,
            parts.accompanist,
            parts.session,
            self._scheduler,
            self._taps,
            self._opener.open_session,
        )
        self._changing = threading.Lock()  # one change at a time
        self._closing = threading.Lock()  # guards what follows
        self._is_closed = False

    @property
    def settings(self) -> EngineSettings:
        """In force now."""
        return self._worker.settings

    @property
    def budget(self) -> LatencyBudget:
        """The latency, part by part."""
        return self._worker.budget

    @property
    def source(self) -> AudioSource:
        """The source in use."""
        return self._worker.session.source

    @property
    def sink(self) -> MidiSink:
        """The MIDI sink in use."""
        return self._sink.now

    @property
    def pipeline(self) -> Pipeline:
        """Front end and model."""
        return self._worker.pipeline

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the source, then the threads. From now on the latency is what it will be.

        Raises DeviceError, and ConfigError where the device has opened slower than the latency
        asked for; all is closed again then. Until the source has started no output is touched: a
        take on disk stays as it was.
        """
        assert not self._worker.is_started
        try:
            self._worker.start()
        except BaseException:
            self.stop()
            raise
        self._sink.choose_sounds(self.settings.midi)
        self._scheduler.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Return True once the song is over, False after ``timeout`` s.

        Raises what stopped the worker or the MIDI thread, if something did.
        """
        assert self._worker.is_started, "start() comes before wait()"
        self._worker.join(timeout)
        error = self._worker.error or self._scheduler.error
        if error is not None:
            raise error
        return not self._worker.is_alive

    def stop(self) -> None:
        """End every note, save files, close everything. A second call does nothing.

        What is to be kept comes first: where the program ends and something hangs, the time may be
        up before the last is closed. Raises MidiError if a file cannot be written.
        """
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        with contextlib.ExitStack() as stack:  # all of it, whatever one of them raises
            stack.callback(self._end_source)
            stack.callback(self._sink.close)
            stack.callback(self._taps.close)
            stack.callback(lambda: self._worker.join(remaining_timeout(STOP_TIMEOUT)))
            stack.callback(self._scheduler.close, STOP_TIMEOUT)  # no note waits for the last step
            self._worker.request_stop()

    def _end_source(self) -> None:
        if self._worker.is_alive:
            _log.error("the worker did not end in time: it is abandoned")
        self.source.stop()

    def correct_beat(self, correction: str, host_time: float) -> None:
        """Take what a player says of the beat (``CORRECTIONS``) at a host time.

        With the next block. Any thread; returns at once. Raises ConfigError if no beat is followed.
        """
        if self._worker.beat.follower is None:
            raise ConfigError("there is no beat to correct, it is off: choose --beat auto or tap")
        self._worker.beat.correct(correction, host_time)

    def control_song(self, command: SongCommand) -> None:
        """Pause, seek or loop the song. Any thread but the worker's and the MIDI thread.

        Notes end where the song pauses, or goes on elsewhere. Raises ConfigError if no
        file plays, StoppedError if the music is over.
        """
        worker = self._worker

        def act() -> None:
            source = worker.session.source
            if not isinstance(source, SongSource):
                raise ConfigError(
                    f"{source.name} cannot be paused or moved: only a song in a file can"
                )
            if command.action == "seek":
                worker.interrupt(lambda: source.transport.do(command))
            else:
                source.transport.do(command)

        worker.run_on_worker(act)

    def sequence(self, tempo: Tempo | None) -> None:
        """Follow a sequencer's tempo, if the settings say so; None without.

        Any thread; returns at once.
        """
        self._worker.beat.sequence(tempo)

    def panic(self) -> None:
        """Silence every receiver and drop what is queued, at once. Any thread."""
        self._worker.panic()

    def suspend(self, stop_program: Callable[[], None]) -> None:
        """End every note, and go on in time once ``stop_program`` returns. Any other thread.

        It is called on the worker's thread, so that no note begins meanwhile. A file goes on where
        it was; of a device, what came meanwhile is passed over.
        """
        try:
            self._worker.run_on_worker(lambda: self._worker.suspend(stop_program))
        except StoppedError:
            stop_program()

    def change(self, settings: EngineSettings) -> None:
        """Go on with other settings. Any thread but the worker's and the MIDI thread.

        Style, performance and decoder count from the next step on. Another input, model or output
        is opened here before the worker passes over to it, so playing goes on meanwhile; the ring
        and the gate's settings count with the next input. Returns once all is in force.

        Raises
        ------
        LiveCoverError
            As at construction; all stays as it was, and what was opened for it is closed.
        StoppedError
            The music is over, or ends before the change could count; the same.
        """
        with self._changing, contextlib.ExitStack() as undo:
            before, old = self.settings, self.sink
            change, sink = self._opener.prepare(settings, self._worker, old, undo)
            self._worker.run_on_worker(lambda: self._worker.apply(change))
            undo.pop_all()
            self._opener.port_latency = change.port_latency
            if sink is not old:
                self._sink.exchange(sink, self._scheduler, STOP_TIMEOUT)
            if sink is not old or _sound(settings) != _sound(before):
                self._sink.choose_sounds(settings.midi)

    def add_tap(self, tap: Tap) -> None:
        """Add a tap, which gets the source first. As ``change``."""
        worker = self._worker

        def add() -> None:
            self._taps.add(tap)
            if worker.is_connected:
                tap.begin(worker.session.source, worker.session.offset, worker.budget.total)

        worker.run_on_worker(add)

    def remove_tap(self, tap: Tap) -> None:
        """Remove a tap. Any thread."""
        self._taps.remove(tap)

    def status(self) -> Status:
        """Return the state now. Any thread."""
        status = read_status(self._worker, self._scheduler)
        return replace(
            status,
            n_midi_losses=self._sink.n_losses,
            is_midi_connected=self.sink.is_there,
        )


def _sound(settings: EngineSettings) -> tuple[object, ...]:
    """Return the settings that choose a sound at the ports."""
    return channels(settings.midi), settings.midi.program, settings.midi.bank
