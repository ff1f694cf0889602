"""What is told to the engine about the song that plays: its tempo, its beat, and where it goes on.

Not here: hearing the beat (``engine.beat``); playing a song from a file (``engine.live``).
"""

from collections.abc import Callable

from engine.core.errors import ConfigError
from engine.core.song_place import SongCommand
from engine.core.tempo import Tempo
from livecover.instrument.engine_runner import EngineRunner
from livecover.instrument.way_out import port_way_out
from livecover.settings.sections import Settings


class SongControl:
    """Control of the song that plays. Every method may be called from any thread.

    Parameters
    ----------
    runner
        Has the engine that plays it.
    settings
        Returns the present ones.

    Attributes
    ----------
    tempo : Tempo or None
        The song's, if MIDI clock gives it.
    """

    def __init__(self, runner: EngineRunner, settings: Callable[[], Settings]) -> None:
        self.tempo: Tempo | None = None
        self._runner, self._settings = runner, settings

    @property
    def delay(self) -> float:
        """Seconds from the input until the song is heard here: the monitor's, 0 without."""
        engine, settings = self._runner.engine, self._settings()
        if not settings.monitor.is_on:
            return 0.0
        return (0.0 if engine is None else engine.budget.total) + port_way_out(settings)

    def set_tempo(self, tempo: Tempo | None) -> None:
        """Take a sequencer's tempo, for the beat and for displays; None if it is not known."""
        self.tempo = tempo
        engine = self._runner.engine
        if engine is not None:
            engine.sequence(tempo)

    def correct_beat(self, correction: str, host_time: float) -> None:
        """Take what a player says of the beat (``CORRECTIONS``) as it is heard at a host time.

        Raises ConfigError if nothing plays, or no beat is followed.
        """
        engine = self._runner.engine
        if engine is None:
            raise ConfigError("there is no beat yet, since nothing plays: start first")
        engine.correct_beat(correction, host_time - self.delay)

    def command(self, command: SongCommand) -> None:
        """Pause, seek or loop a song in a file. Raises ConfigError if none plays."""
        engine = self._runner.engine
        if engine is None:
            raise ConfigError("no song plays: start first")
        engine.control_song(command)
