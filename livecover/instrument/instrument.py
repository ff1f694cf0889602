"""The instrument: settings, engine and takes as one thing that a player works.

What the command line, the panel, hardware controls and the terminal drive. Every method may be
called from any thread. Not here: any of those, and what an engine does.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from engine.core.errors import ConfigError, LiveCoverError, StoppedError
from engine.core.settings import EngineSettings
from engine.core.taps import Tap
from engine.core.tempo import Tempo
from engine.live.engine import Engine
from engine.model.latency import LatencyBudget
from engine.signal.meters import Status
from engine.system.bounded import begin_shutdown
from livecover.mapping.targets import check_target
from livecover.settings.changes import Changes
from livecover.settings.file import Unsaved, find_unsaved, save_values
from livecover.settings.sections import Settings, with_values
from livecover.takes.recorder import TakeRecorder

OpenEngine = Callable[[EngineSettings, Sequence[Tap]], Engine]

_log = logging.getLogger(__name__)


class Instrument:
    """An engine that can be started, changed and stopped again and again.

    Parameters
    ----------
    settings
        At first.
    config
        The file that :meth:`save` writes; None is the one that settings are read from.
    recorder
        Of takes; None where nothing is to be recorded.
    open_engine
        Opens an engine, given settings and taps; a test passes its own.

    Attributes
    ----------
    settings : Settings
        Now; replaced at each change.
    error : str
        Why the engine stopped of itself; empty if it did not.
    has_ended : bool
        Whether the song that played last came to its end.
    controller : str
        The port at which hardware is heard; empty where none is.
    learning : str or None
        What the next controller that moves will drive.
    tempo : Tempo or None
        Of the song, where MIDI clock tells it.
    last_status : Status
        Of the engine that stopped last, at its end.
    """

    def __init__(
        self,
        settings: Settings,
        config: Path | None = None,
        recorder: TakeRecorder | None = None,
        open_engine: OpenEngine = Engine,
    ) -> None:
        self.settings = settings
        self.error = ""
        self.has_ended = False
        self.controller = ""
        self.learning: str | None = None
        self.tempo: Tempo | None = None
        self._told_bpm: float | None = None  # to the recorder
        self.last_status = Status()
        self._config = config
        self._changes = Changes(settings)
        self._recorder = recorder
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self._taps: tuple[Tap, ...] = () if recorder is None else (recorder,)
        self._tapping = threading.Lock()
        self._subscribers: list[Callable[[], None]] = []
        self._lock = threading.RLock()  # one start or change at a time; it may take seconds
        self._ending = threading.RLock()  # one stop at a time, and nobody starts meanwhile
        self._is_wanted = False  # whether what is being started is to play
        self._is_shut = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and write what was recorded; nothing starts any more."""
        self._is_shut = True
        try:
            self.stop()
        finally:
            if self._recorder is not None:
                self._recorder.shut_down()

    # What is

    @property
    def engine(self) -> Engine | None:
        """The engine that plays; None when idle."""
        return self._engine

    @property
    def is_playing(self) -> bool:
        """Whether an engine runs."""
        return self._engine is not None

    def status(self) -> Status:
        """Return the engine's state; all zeros when idle."""
        engine = self._engine
        return Status() if engine is None else engine.status()

    @property
    def budget(self) -> LatencyBudget:
        """The latency by its parts; none when idle."""
        engine = self._engine
        return LatencyBudget(()) if engine is None else engine.budget

    @property
    def source_name(self) -> str:
        """The input that is heard; empty when idle."""
        engine = self._engine
        return "" if engine is None else engine.source.name

    @property
    def sink_name(self) -> str:
        """Where notes go; empty when idle."""
        engine = self._engine
        return "" if engine is None else engine.sink.name

    @property
    def model_name(self) -> str:
        """Who plays; empty when idle."""
        engine = self._engine
        return (
            "" if engine is None else f"{engine.pipeline.spec.name} {engine.pipeline.spec.version}"
        )

    @property
    def is_recording(self) -> bool:
        """Whether a take is being recorded."""
        return self._recorder is not None and self._recorder.is_recording

    @property
    def recording_fault(self) -> str:
        """Why recording has failed, or what it waits for; empty where all is well."""
        return "" if self._recorder is None else self._recorder.fault

    @property
    def recording_faults(self) -> tuple[str, ...]:
        """Why takes since the start are not whole."""
        return () if self._recorder is None else tuple(self._recorder.faults)

    # What is done

    def change(self, values: Mapping[str, object]) -> None:
        """Change settings by ``section.key``, all or none; heard at once where something plays.

        This is what hands do: :meth:`save` writes it. Where the music ends before, the values count
        from the next start, as when idle. Raises LiveCoverError with what is wrong.
        """
        with self._lock:
            settings = with_values(self.settings, values)
            engine = self._engine
            if engine is not None:
                with contextlib.suppress(StoppedError):
                    engine.change(settings)
            self.settings = settings
            self._changes.note(values)
        self._tell()

    def start(self) -> None:
        """Play; nothing if something plays.

        Raises LiveCoverError; StoppedError where :meth:`stop` was called meanwhile.
        """
        with self._lock:
            with self._ending:  # what is being stopped gives its port back first
                if self._engine is not None:
                    return
                self._is_wanted = not self._is_shut
            self.error, self.has_ended = "", False
            engine = self._open_engine(self.settings, self._taps)
            engine.start()
            with self._ending:
                if self._is_wanted:
                    self._engine = engine
            if self._engine is not engine:
                engine.stop()
                raise StoppedError("it was stopped before it had started; start again")
        self._tell()

    def stop(self) -> None:
        """End every note and close what plays or is being started; nothing when idle.

        Never waits for a change that is under way. Raises MidiError of a file.
        """
        with self._ending:
            self._is_wanted = False
            engine = self._engine
            if engine is not None:
                self._end(engine)
        self._tell()

    def _end(self, engine: Engine) -> None:
        """Stop this engine, if it is still the one that plays."""
        with self._ending:
            if self._engine is not engine:
                return
            self._engine = None
            self.last_status = engine.status()
            engine.stop()

    def wait(self, timeout: float, *, ends_program: bool = False) -> bool:
        """Return True once nothing plays (any more), False after ``timeout`` s.

        An engine whose song is over is stopped; one that another has started meanwhile is not.
        ``ends_program``: the program's time to end runs from the song's end, or what ended it.
        Raises what ended it before.
        """
        engine = self._engine
        if engine is None:
            return True
        try:
            if not engine.wait(timeout):
                return False
        except BaseException as error:
            if self._engine is engine:
                self.error = str(error)
                if ends_program:
                    begin_shutdown()
            self._end(engine)
            self._tell()
            raise
        self.has_ended = self._engine is engine  # nobody has stopped it
        if self.has_ended and ends_program:
            begin_shutdown()
        self._end(engine)
        self._tell()
        return self._engine is None

    def suspend(self, stop_program: Callable[[], None]) -> None:
        """End every note, and go on in time once ``stop_program`` returns (``Engine.suspend``)."""
        engine = self._engine
        if engine is None:
            stop_program()
        else:
            engine.suspend(stop_program)

    def record(self, on: bool) -> None:
        """Begin a take with what comes now, or end it.

        Raises ConfigError where it cannot be written.
        """
        if self._recorder is None:
            raise ConfigError("takes cannot be recorded here: start livecover with --record FOLDER")
        self._recorder.record(on)
        self._tell()

    def learn(self, name: str | None) -> None:
        """Let the next controller that moves drive a setting or a deed; None: none.

        Raises ConfigError where none can, or none is heard.
        """
        if name is not None:
            check_target(name)
            if not self.controller:
                raise ConfigError("no controller is heard: give a MIDI port with --control PORT")
        self.learning = name
        self._tell()

    def keep_time(self, tempo: Tempo | None) -> None:
        """Take the song's tempo, which takes and pictures go by; None where nobody knows it."""
        self.tempo = tempo
        bpm, told = (None if tempo is None else tempo.bpm), self._told_bpm
        is_same = bpm == told or (bpm is not None and told is not None and abs(bpm - told) < 0.1)
        if self._recorder is not None and not is_same:
            self._told_bpm = None if bpm is None else round(bpm, 1)
            self._recorder.tempo(tempo)

    def unsaved(self) -> Unsaved:
        """Return what :meth:`save` would write. Raises ConfigError as that does."""
        with self._lock:
            return find_unsaved(self._changes.to_save(self.settings), self._config)

    def save(self) -> Path:
        """Write what was changed by hand into the file of settings; return its path.

        What the command line said for this once is not written. Raises ConfigError.
        """
        with self._lock:
            values = self._changes.to_save(self.settings)
            path = save_values(values, self._config)
            self._changes.note_saved(values)
        return path

    def panic(self) -> None:
        """Silence every receiver, first of all, and let go of a pedal that is held.

        Never waits for a change that is under way: the setting of the pedal follows it.
        """
        engine = self._engine
        if engine is not None:
            engine.panic()
        if not self.settings.play.hold:
            return
        if self._lock.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._lock.release()
        else:
            threading.Thread(target=self._let_go, name="panic", daemon=True).start()

    def _let_go(self) -> None:
        """Let go of the pedals that are held."""
        try:
            self.change({"play.hold": False})
        except LiveCoverError as error:
            _log.warning("%s", error)

    # Who listens

    def add_tap(self, tap: Tap) -> None:
        """Let ``tap`` hear this engine and every later one."""
        with self._lock:
            with self._tapping:
                self._taps = (*self._taps, tap)
            engine = self._engine
            if engine is not None:
                with contextlib.suppress(StoppedError):  # it hears the next one
                    engine.add_tap(tap)

    def remove_tap(self, tap: Tap) -> None:
        """Let ``tap`` hear no more."""
        with self._tapping:
            self._taps = tuple(other for other in self._taps if other is not tap)
        engine = self._engine
        if engine is not None:
            engine.remove_tap(tap)

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` after each change of settings or state, on the changing thread."""
        self._subscribers.append(on_change)

    def _tell(self) -> None:
        for on_change in tuple(self._subscribers):
            on_change()
