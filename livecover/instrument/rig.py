"""Opens what the engine is used with: recorder of takes, output for song and piano, MIDI clock.

These are opened first, since the engine's latency must include that of the output.
"""

import contextlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from engine.core.errors import DeviceError, MidiError
from engine.core.settings import EngineSettings
from engine.core.taps import Tap
from engine.live.engine import Engine
from engine.midi.clock_sender import ClockSender
from engine.midi.clock_writer import ClockMessage
from engine.midi.port_sink import PortSink
from engine.midi.ports.names import CLOCK_CLIENT
from engine.midi.ports.names import open_output as open_midi_output
from engine.midi.sinks import is_midi_file, sinks_of
from engine.playback.monitor import Monitor
from engine.playback.output import open_output
from engine.playback.piano import Piano
from engine.playback.playback_thread import PlaybackThread, Player
from engine.system.bounded import join_thread
from livecover.instrument.engine_runner import OpenEngine
from livecover.settings.output import MonitorSettings, PianoSettings, SyncSettings
from livecover.settings.sections import Settings
from livecover.sounds.synth import check_piano, open_live_synth
from livecover.takes.ending import recover_takes
from livecover.takes.files import TakeFiles
from livecover.takes.journal import Contents
from livecover.takes.recorder import TakeRecorder
from livecover.takes.rendering import Renderer

MONITOR_S = 0.1
"""Seconds, beside the output's, by which a song has to be heard later to be played here."""
RECOVERY_S = 5.0
"""Seconds that the start waits for the recovery of takes."""

_log = logging.getLogger(__name__)


class Rig:
    """Recorder, monitor, piano and MIDI clock, according to the settings; a context manager.

    Parameters
    ----------
    settings
        All sections.
    open_engine
        Opens an engine; a test passes its own.

    Attributes
    ----------
    settings : Settings
        The same, with a latency that includes the output's.
    recorder : TakeRecorder
        A tap.
    recovered : list of str
        A line about each take of a killed program.
    playback : PlaybackThread or None
        A tap, if song or piano is played.
    sync : ClockSender or None
        A tap, if MIDI clock is sent.

    Raises
    ------
    MidiError
        The port for MIDI clock cannot be opened.
    DeviceError
        The output, FluidSynth, the SoundFont or the plugin is missing or cannot be opened.
    """

    def __init__(self, settings: Settings, open_engine: OpenEngine = Engine) -> None:
        self.settings = settings
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self.recovered = _recovered(settings.record.path)
        self.playback: PlaybackThread | None = None
        self._monitor: Monitor | None = None
        self._piano: Piano | None = None
        self._stack = contextlib.ExitStack()
        if settings.monitor.is_on or settings.piano.enabled:
            self._open_playback(settings.monitor, settings.piano)
        self.sync: ClockSender | None = None
        if settings.sync.is_on:
            self._open_sync(settings.sync)
        on_end = _nothing
        if settings.piano.enabled:
            renderer = Renderer(settings.piano)
            self._stack.callback(renderer.shut_down)
            on_end = renderer.render
        self.recorder = TakeRecorder(
            settings.record.path,
            settings.record.audio,
            settings,
            model=self._model,
            on_end=on_end,
            n_overruns=self._n_overruns,
        )
        self._stack.callback(self.recorder.shut_down)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write what was recorded, and close the output."""
        self._stack.close()

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The engine's taps, without the recorder."""
        return tuple(tap for tap in (self.playback, self.sync) if tap is not None)

    def open_engine(self, settings: EngineSettings, taps: Sequence[Tap]) -> Engine:
        """Return an engine. Raises DeviceError if its input records our own output."""
        engine = self._engine = self._open_engine(settings, taps)
        if self.playback is not None:
            try:
                self.playback.refuse_loop(engine.source.name)
            except DeviceError:
                engine.stop()  # closes its MIDI port
                raise
        return engine

    def apply(self, settings: Settings) -> None:
        """Apply gains and offset of changed settings; other devices need a restart."""
        if self.sync is not None:
            self.sync.offset = settings.sync.offset
        if self._monitor is not None:
            self._monitor.gain = _factor(settings.monitor.gain_db)
        if self._piano is not None:
            self._piano.gain = _factor(settings.piano.gain_db)

    def _open_playback(self, monitor: MonitorSettings, piano: PianoSettings) -> None:
        device = monitor.device if monitor.is_on else piano.device
        if piano.enabled:
            check_piano(piano)  # before the output is opened
        playback = PlaybackThread(open_output(device), lambda: open_output(device))
        self._stack.callback(playback.shut_down)
        players: list[Player] = []
        if monitor.is_on:
            self._monitor = Monitor(playback.sample_rate, _factor(monitor.gain_db))
            players.append(self._monitor)
            own = self.settings.accompany
            later = max(own.song_later, round(playback.latency + MONITOR_S, 3))
            self.settings = replace(self.settings, accompany=replace(own, song_later=later))
        if piano.enabled:
            synth = open_live_synth(piano, playback.sample_rate)
            self._piano = Piano(synth, playback.sample_rate)
            self._piano.gain = _factor(piano.gain_db)
            self._stack.callback(self._piano.shut_down)
            players.append(self._piano)
            time = self.settings.time
            allowance = max(time.output_allowance, round(playback.latency, 3))
            self.settings = replace(
                self.settings, time=replace(time, output_allowance=min(1.0, allowance))
            )
        playback.play(players)
        self._stack.callback(playback.shut_down)  # before the piano is freed
        self.playback = playback

    def _open_sync(self, sync: SyncSettings) -> None:
        if is_midi_file(sync.midi_out):
            raise MidiError(
                f"sync.midi_out is a port's name, not a file such as {sync.midi_out!r}: give the"
                " name of a port, that of the notes or another"
            )
        if sync.midi_out in self.settings.midi.midi_out:
            send, port_latency = self._send_with_notes, self._notes_latency
        else:
            port = PortSink(sync.midi_out, connect=lambda: open_midi_output(CLOCK_CLIENT))
            self._stack.callback(port.close)
            send, port_latency = port.send_realtime, lambda: port.latency
        self.sync = ClockSender(send, sync.offset, port_latency)
        self._stack.callback(self.sync.shut_down)

    def _send_with_notes(self, message: ClockMessage) -> None:
        """Send to the notes' own port of that name; nothing while it is not one of them."""
        sinks = () if self._engine is None else sinks_of(self._engine.sink)
        for sink in sinks:
            if isinstance(sink, PortSink) and sink.name == self.settings.sync.midi_out:
                sink.send_realtime(message)

    def _notes_latency(self) -> float:
        """Return what the notes' ports take."""
        return 0.0 if self._engine is None else self._engine.sink.latency

    def _model(self) -> str:
        """Return the model's name and version; empty before the first engine."""
        if self._engine is None:
            return ""
        spec = self._engine.pipeline.spec
        return f"{spec.name} {spec.version}"

    def _n_overruns(self) -> int:
        """Return the number of gaps in the input since the engine began."""
        return 0 if self._engine is None else self._engine.status().n_overruns


def _recovered(folder: Path) -> list[str]:
    """Return a line about each recovered take; after ``RECOVERY_S`` the lines go to the log.

    So a disk that does not answer does not delay the start.
    """
    lines: list[str] = []
    is_late = threading.Event()

    def recover() -> None:
        found = recover_takes(folder)
        if is_late.is_set():
            for line in found:
                _log.warning("%s", line)
        lines.extend(found)

    thread = threading.Thread(target=recover, name="recovery", daemon=True)
    thread.start()
    if not join_thread(thread, RECOVERY_S):
        is_late.set()
        _log.warning("takes in %s are still being recovered, or its disk does not answer", folder)
    return lines


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _nothing(files: TakeFiles, contents: Contents) -> None:
    pass
