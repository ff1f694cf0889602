"""Opening a lost source again, with back-off. On the worker's thread."""

import logging
from collections.abc import Callable
from dataclasses import replace

from engine.core.errors import DeviceError, LiveCoverError
from engine.core.settings import EngineSettings
from engine.live.session import Session
from engine.model.pipeline import Pipeline

BACK_OFF = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each try to open a lost source again; the last one repeats."""

_log = logging.getLogger(__name__)


class SourceReopener:
    """Opens the source that the settings name, until it is there again.

    Parameters
    ----------
    open_session
        Opens it, given settings and the engine's time.
    """

    def __init__(self, open_session: Callable[[EngineSettings, float], Session]) -> None:
        self._open_session = open_session
        self._n_tries = 0
        self._last_error = ""

    def begin(self) -> None:
        """Begin with the shortest pause: a source was lost."""
        self._n_tries = 0

    @property
    def pause(self) -> float:
        """Seconds before the next try."""
        return BACK_OFF[min(self._n_tries, len(BACK_OFF) - 1)]

    def reopen(self, settings: EngineSettings, now: float) -> Session | None:
        """Return the settings' source, started; None where it is not there yet."""
        self._n_tries += 1
        try:
            session = self._open_session(settings, now)
            session.start()
        except LiveCoverError as error:
            is_new = str(error) != self._last_error and not isinstance(error, DeviceError)
            _log.log(logging.WARNING if is_new else logging.DEBUG, "not yet: %s", error)
            self._last_error = str(error)
            return None
        return session


def warn_of_latency(
    session: Session, pipeline: Pipeline, settings: EngineSettings, latency: float
) -> None:
    """Log it if a source that is back needs more than the constant latency in seconds."""
    free = replace(settings, time=replace(settings.time, latency=None))
    needed = session.budget(pipeline, free).total
    if needed > latency + 1e-3:
        _log.warning(
            "this input needs %.0f ms, more than the %.0f ms of this session: notes may come"
            " late; start again to change it",
            1000 * needed,
            1000 * latency,
        )
