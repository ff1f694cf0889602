"""The instrument: settings, engine and takes behind one class.

The command line, the panel, MIDI controllers and the terminal all control it. Every method may be
called from any thread. Not here: any of those, and what an engine does.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from engine.core.errors import LiveCoverError, StoppedError
from engine.core.taps import Tap
from engine.core.tempo import Beat, BeatState
from engine.live.engine import Engine
from engine.model.latency import LatencyBudget
from engine.signal.meters import Status
from engine.system.bounded import begin_shutdown
from livecover.instrument.controllers import Controllers
from livecover.instrument.engine_runner import EngineRunner, OpenEngine
from livecover.instrument.outputs import NoOutputs, Outputs
from livecover.instrument.ports import PortState, idle_ports, ports_of
from livecover.instrument.recording import NoRecorder, Recorder
from livecover.instrument.scenes import Scenes
from livecover.instrument.song_control import SongControl
from livecover.settings.changes import UserChanges
from livecover.settings.file import Unsaved
from livecover.settings.sections import Settings, with_values
from livecover.takes.recorder import TakeRecorder

_log = logging.getLogger(__name__)


class Instrument:
    """An engine that can be started, changed and stopped repeatedly; a context manager.

    Parameters
    ----------
    settings
        The initial ones.
    config
        The file that :meth:`save` writes; None is the one that settings are read from.
    recorder
        Records takes; None if there is nothing to record with.
    open_engine
        Opens an engine, given settings and taps; a test passes its own.
    outputs
        What plays and sends beside the engine; None if there is nothing.

    Attributes
    ----------
    settings : Settings
        The present ones; replaced at each change.
    error : str
        Why the engine stopped by itself; empty if it did not.
    has_ended : bool
        Whether the last song played to its end.
    controllers : Controllers
        The state of MIDI control.
    song : SongControl
        Control of the song that plays.
    recorder : Recorder
        Records takes.
    outputs : Outputs
        What plays and sends beside the engine.
    scenes : Scenes
        The user's.
    user_changes : UserChanges
        The settings that were changed by hand.
    """

    def __init__(
        self,
        settings: Settings,
        config: Path | None = None,
        recorder: TakeRecorder | None = None,
        open_engine: OpenEngine = Engine,
        outputs: Outputs | None = None,
    ) -> None:
        self.settings = settings
        self.error = ""
        self.has_ended = False
        self.controllers = Controllers(self._tell)
        self.user_changes = UserChanges(settings, config)
        self.scenes = Scenes(lambda: self.settings, lasting=self.user_changes.lasting)
        self.recorder: Recorder = recorder or NoRecorder()
        self._refused: LiveCoverError | None = None  # why it did not start
        self.outputs: Outputs = outputs or NoOutputs()
        own = () if recorder is None else (recorder,)
        self._runner = EngineRunner(open_engine, (*own, *self.outputs.taps))
        self.song = SongControl(self._runner, lambda: self.settings)
        self._subscribers: list[Callable[[], None]] = []
        self._lock = threading.RLock()  # one start or change at a time; it may take seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and write what was recorded; nothing starts after this."""
        try:
            self._runner.close()
            self._tell()
        finally:
            self.recorder.shut_down()

    @property
    def engine(self) -> Engine | None:
        """The engine that plays; None when idle."""
        return self._runner.engine

    @property
    def is_playing(self) -> bool:
        """Whether an engine runs."""
        return self.engine is not None

    def status(self) -> Status:
        """Return the engine's state; when idle all zeros, with a sequencer's tempo."""
        engine, tempo = self.engine, self.song.tempo
        if engine is not None:
            return engine.status()
        return Status(beat=Beat("clock", BeatState.LOCKED, 1.0, tempo)) if tempo else Status()

    @property
    def last_status(self) -> Status:
        """The final state of the engine that stopped last."""
        return self._runner.last_status

    @property
    def budget(self) -> LatencyBudget:
        """The parts of the latency; none when idle."""
        engine = self.engine
        return LatencyBudget(()) if engine is None else engine.budget

    @property
    def source_name(self) -> str:
        """The input's name; empty when idle."""
        engine = self.engine
        return "" if engine is None else engine.source.name

    @property
    def sink_name(self) -> str:
        """The MIDI output's name; empty when idle."""
        engine = self.engine
        return "" if engine is None else engine.sink.name

    def ports(self) -> list[PortState]:
        """Return the state of the input, of every MIDI port and of the sound output."""
        engine, control = self.engine, self.controllers.port_state()
        if engine is None:
            found = idle_ports(self.settings, self._refused)
        else:
            found = ports_of(engine)
        return [*found, *self.outputs.ports(), *([] if control is None else [control])]

    @property
    def model_name(self) -> str:
        """The model's name and version; empty when idle."""
        engine = self.engine
        spec = None if engine is None else engine.pipeline.spec
        return "" if spec is None else f"{spec.name} {spec.version}"

    def start(self) -> None:
        """Start playing; do nothing if it plays already.

        Raises LiveCoverError; StoppedError if :meth:`stop` was called meanwhile.
        """
        with self._lock:
            if not self.is_playing:
                self.error, self.has_ended = "", False
            try:
                self._refused = None
                if not self._runner.start(self.outputs.needed(self.settings)):
                    return
            except LiveCoverError as error:
                self._refused = error
                raise
        self._tell()

    def stop(self) -> None:
        """End every note and stop what plays or is being started; do nothing when idle.

        Never waits for a change that is under way. Raises MidiError of a file.
        """
        self._runner.stop()
        self._tell()

    def wait(self, timeout: float, *, ends_program: bool = False) -> bool:
        """Return True once nothing plays, False after ``timeout`` s.

        Stops an engine whose song is over, but none that was started meanwhile. Raises its error.
        With ``ends_program`` the program's time to end counts from here.
        """
        engine = self.engine
        if engine is None:
            return True
        try:
            if not engine.wait(timeout):
                return False
        except BaseException as error:
            if self.engine is engine:
                self.error = str(error)
                if ends_program:
                    begin_shutdown()
            self._runner.end(engine)
            self._tell()
            raise
        self.has_ended = self.engine is engine  # else it was stopped
        if self.has_ended and ends_program:
            begin_shutdown()
        self._runner.end(engine)
        self._tell()
        return self.engine is None

    def suspend(self, stop_program: Callable[[], None]) -> None:
        """End every note, and go on in time once ``stop_program`` returns (``Engine.suspend``)."""
        engine = self.engine
        if engine is None:
            stop_program()
        else:
            engine.suspend(stop_program)

    def panic(self) -> None:
        """Silence every receiver at once, and release a held pedal.

        Never waits for a change that is under way: the pedal's setting follows it.
        """
        engine = self.engine
        if engine is not None:
            engine.panic()
        if not self.settings.play.hold:
            return
        if self._lock.acquire(blocking=False):
            try:
                self._release_hold()
            finally:
                self._lock.release()
        else:
            threading.Thread(target=self._release_hold, name="panic", daemon=True).start()

    def _release_hold(self) -> None:
        try:
            self.change({"play.hold": False})
        except LiveCoverError as error:
            _log.warning("%s", error)

    def record(self, on: bool) -> None:
        """Begin a take with the next block, or end it. Raises ConfigError if that fails."""
        self.recorder.record(on)
        self._tell()

    def change(self, values: Mapping[str, object]) -> None:
        """Change settings by ``section.key``, all or none; at once if something plays.

        These are changes by hand, which :meth:`save` writes. If the music ends meanwhile, they
        count from the next start. Raises LiveCoverError with what is wrong.
        """
        with self._lock:
            settings = with_values(self.settings, values)
            taps = self.outputs.taps
            with self.outputs.changing(settings) as needed:
                engine = self.engine
                if engine is not None:
                    with contextlib.suppress(StoppedError):
                        engine.change(needed)
            self._runner.exchange_taps(taps, self.outputs.taps)
            self.settings = settings
            self.user_changes.note(values)
        self._tell()

    def unsaved(self) -> Unsaved:
        """Return what :meth:`save` would write. Raises ConfigError as that does."""
        with self._lock:
            return self.user_changes.unsaved(self.settings)

    def save(self) -> Path:
        """Write the changes by hand into the settings file; return its path.

        Options of the command line are not written. Raises ConfigError.
        """
        with self._lock:
            return self.user_changes.save(self.settings)

    def add_tap(self, tap: Tap) -> None:
        """Add a tap to this engine and every later one."""
        self._runner.add_tap(tap)

    def remove_tap(self, tap: Tap) -> None:
        """Remove a tap."""
        self._runner.remove_tap(tap)

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` after each change of settings or state, on the changing thread."""
        self._subscribers.append(on_change)

    def _tell(self) -> None:
        for on_change in tuple(self._subscribers):
            on_change()
