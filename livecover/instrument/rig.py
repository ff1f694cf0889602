"""Opens what the engine is used with: takes, song and piano, MIDI clock, Ableton Link.

These are opened first, since the engine's latency must include that of the output.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from engine.core.errors import DeviceError
from engine.core.settings import EngineSettings
from engine.core.taps import Tap
from engine.live.engine import Engine
from engine.midi.sinks import MidiSink, sinks_of
from engine.system.bounded import join_thread
from livecover.instrument.engine_runner import OpenEngine
from livecover.instrument.link_output import LinkOutput
from livecover.instrument.ports import PortState, state_of
from livecover.instrument.sound_output import SoundOutput, sound_key
from livecover.instrument.sync_output import SyncOutput, sync_key
from livecover.instrument.way_out import port_way_out, sent_ahead
from livecover.settings.sections import Settings
from livecover.takes.ending import recover_takes
from livecover.takes.files import TakeFiles
from livecover.takes.journal import Contents
from livecover.takes.recorder import TakeRecorder
from livecover.takes.rendering import Renderer

RECOVERY_S = 5.0
"""Seconds that the start waits for the recovery of takes."""

_log = logging.getLogger(__name__)


class Rig:
    """Recorder, monitor, piano, MIDI clock and Link, by the settings; a context manager.

    Parameters
    ----------
    settings
        All sections.
    open_engine
        Opens an engine; a test passes its own.

    Attributes
    ----------
    recorder : TakeRecorder
        A tap.
    recovered : list of str
        A line about each take of a killed program.
    sound : SoundOutput or None
        What plays song or piano, if one of them is played here.
    sync : SyncOutput or None
        What sends MIDI clock, if it is sent.
    link : LinkOutput or None
        The session of Ableton Link, if there is one.

    Raises
    ------
    MidiError
        The port for MIDI clock cannot be opened.
    DeviceError
        The output, FluidSynth, the SoundFont, the plugin or Ableton Link is missing or cannot be
        opened.
    """

    def __init__(self, settings: Settings, open_engine: OpenEngine = Engine) -> None:
        self._settings = settings
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self.recovered = _recovered(settings.record.path)
        with contextlib.ExitStack() as stack:
            self.sound = SoundOutput(settings) if sound_key(settings) else None
            stack.callback(self._close_outputs)
            self.sync: SyncOutput | None = None
            self.link: LinkOutput | None = None
            self.sync = SyncOutput(settings, self._note_sinks) if sync_key(settings) else None
            self.link = LinkOutput(settings) if settings.sync.link else None
            self._renderer = Renderer()
            stack.callback(self._renderer.shut_down)
            self.recorder = TakeRecorder(
                settings.record.path,
                settings.record.audio,
                settings,
                model=self._model,
                on_end=self._render,
                n_overruns=self._n_overruns,
                way_out=self._way_out,
            )
            stack.callback(self.recorder.shut_down)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write what was recorded, and close the outputs."""
        self._stack.close()

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The engine's taps, without the recorder."""
        sound = () if self.sound is None else (self.sound.tap,)
        senders = (output.sender for output in (self.sync, self.link) if output is not None)
        return (*sound, *senders)

    @property
    def is_sync_running(self) -> bool:
        """Whether a receiver of MIDI clock has been started."""
        return self.sync is not None and self.sync.sender.is_running

    @property
    def n_link_peers(self) -> int | None:
        """Other programs in the session of Ableton Link; None without one."""
        return None if self.link is None else self.link.n_peers

    def ports(self) -> list[PortState]:
        """Return the state of sound output, clock port and Link, where there are any."""
        found: list[PortState] = []
        if self.sync is not None:
            is_closed = self.sync.port is None and self._engine is None
            state = "closed" if is_closed else state_of(self.sync.is_there)
            found.append(PortState("clock", self.sync.name, state))
        if self.link is not None:
            found.append(self.link.state())
        if self.sound is not None:
            playback = self.sound.playback
            found.append(PortState("output", playback.name, state_of(playback.is_there)))
        return found

    def needed(self, settings: Settings) -> Settings:
        """Return ``settings`` with the latency that the output needs, and with the way out."""
        return _needed(settings, self.sound)

    @contextlib.contextmanager
    def changing(self, settings: Settings) -> Iterator[Settings]:
        """Open what other settings need; yield them with the latency that the output needs.

        After the block the new outputs count and the old ones are closed. If it raises, nothing has
        changed, and what was opened is closed. Raises as the constructor, before the block.
        """
        sound, sync, link = self.sound, self.sync, self.link
        with contextlib.ExitStack() as undo:
            if sound_key(settings) != sound_key(self._settings):
                sound = SoundOutput(settings) if sound_key(settings) else None
                undo.callback(_close, sound)
                if sound is not None and self._engine is not None:
                    sound.playback.refuse_loop(self._engine.source.name)
            if sync_key(settings) != sync_key(self._settings):
                sync = SyncOutput(settings, self._note_sinks) if sync_key(settings) else None
                undo.callback(_close, sync)
            if settings.sync.link != self._settings.sync.link:
                link = LinkOutput(settings) if settings.sync.link else None
                undo.callback(_close, link)
            yield _needed(settings, sound)
            undo.pop_all()
        before = (self.sound, self.sync, self.link)
        unused = [old for old in before if old not in (sound, sync, link)]
        self._settings, self.sound, self.sync, self.link = settings, sound, sync, link
        self._apply(settings)
        for old in unused:
            _close(old)

    def open_engine(self, settings: EngineSettings, taps: Sequence[Tap]) -> Engine:
        """Return an engine. Raises DeviceError if its input records our own output."""
        engine = self._engine = self._open_engine(settings, taps)
        if self.sound is not None:
            try:
                self.sound.playback.refuse_loop(engine.source.name)
            except DeviceError:
                engine.stop()  # closes its MIDI port
                raise
        return engine

    def _apply(self, settings: Settings) -> None:
        """Set gains, offsets and ways out."""
        if self.sync is not None:
            self.sync.sender.offset = settings.sync.offset
        if self.link is not None:
            self.link.sender.offset = settings.sync.link_offset
        if self.sound is not None:
            self.sound.apply(settings)

    def _close_outputs(self) -> None:
        _close(self.link)
        _close(self.sync)
        _close(self.sound)

    def _note_sinks(self) -> Sequence[MidiSink]:
        return () if self._engine is None else sinks_of(self._engine.sink)

    def _render(self, files: TakeFiles, contents: Contents) -> None:
        """Let the piano play a take into a file, if it is on."""
        if self._settings.piano.enabled:
            self._renderer.render(files, contents, self._settings.piano)

    def _model(self) -> str:
        """Return the model's name and version; empty before the first engine."""
        if self._engine is None:
            return ""
        spec = self._engine.pipeline.spec
        return f"{spec.name} {spec.version}"

    def _way_out(self) -> float:
        """Return how late notes are heard, as far as it was measured."""
        settings, sound = self._settings, self.sound
        if settings.piano.enabled and sound is not None:
            return settings.calibration.way_out(sound.playback.name)
        return port_way_out(settings)

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


def _needed(settings: Settings, sound: SoundOutput | None) -> Settings:
    settings = sent_ahead(settings)
    return settings if sound is None else sound.needs(settings)


def _close(output: SoundOutput | SyncOutput | LinkOutput | None) -> None:
    if output is not None:
        output.close()
