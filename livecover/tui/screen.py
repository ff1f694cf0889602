"""Puts the view up in the terminal, does what keys ask, and leaves the terminal as it was.

Not here: what is seen (``livecover.tui.view``).
"""

import contextlib
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from rich.console import Console, Group
from rich.live import Live

from engine.core.errors import ConfigError
from engine.cover.style import INTENSITIES
from engine.system import paths
from livecover.control.command_queue import CommandQueue
from livecover.instrument.instrument import Instrument
from livecover.mapping.targets import SETTINGS, Range, Target
from livecover.tui.keys import keys_heard
from livecover.tui.roll import RollTap
from livecover.tui.view import Seen, lines

REFRESH = 0.08  # seconds between two pictures: twelve a second
STYLE_STEP = 0.05
DENSITY_STEP = 2**0.25
MAX_TOLD = 50
"""Lines of the log that are told again once the view is gone."""


def check_terminal(console: Console) -> None:
    """Raise ConfigError where nothing can be shown."""
    if not console.is_terminal or console.is_dumb_terminal:
        raise ConfigError(
            "--tui needs a terminal that can be drawn on; leave it away, or use --panel"
        )


class Keyboard:
    """Does what keys ask.

    Parameters
    ----------
    instrument
        What is played.
    queue
        Do what takes its time.
    stop
        Is set to quit.
    """

    def __init__(self, instrument: Instrument, queue: CommandQueue, stop: threading.Event) -> None:
        self._instrument = instrument
        self._queue = queue
        self._stop = stop

    def hear(self, key: str) -> None:
        """Do what a key asks; one that means nothing does nothing."""
        ask, state = self._queue.put, self._queue.value
        match key:
            case "1" | "2" | "3":
                ask("model.style", INTENSITIES[int(key) - 1])
            case "left" | "right":
                ask("model.style", _moved(state("model.style"), 1 if key == "right" else -1))
            case "down" | "up":
                factor = DENSITY_STEP if key == "up" else 1 / DENSITY_STEP
                ask(
                    "decoder.density", _within("decoder.density", state("decoder.density") * factor)
                )
            case "m" | "h":
                name = "play.mute" if key == "m" else "play.hold"
                ask(name, not state(name))
            case "a":
                parts = Target("play.parts", SETTINGS["play.parts"])
                ask("play.parts", parts.pressed(state("play.parts")))
            case "r":
                ask("record", not state("record"))
            case "p":
                self._instrument.panic()
            case "q":
                self._stop.set()


def _moved(style: object, steps: int) -> float:
    """Return a style a step nearer to calm or intense; from the middle where it is neither."""
    scale = SETTINGS["model.style"]
    assert isinstance(scale, Range)
    number = scale.number(style)
    return _within("model.style", (0.5 if number is None else number) + STYLE_STEP * steps)


def _within(name: str, number: float) -> float:
    """Return the nearest number that a setting may be, without a long tail."""
    scale = SETTINGS[name]
    assert isinstance(scale, Range)
    low, high = scale.limits
    return round(min(high, max(low, number)), 3)


@contextlib.contextmanager
def shown(
    instrument: Instrument, console: Console, stop: threading.Event
) -> Iterator[Callable[[Instrument], None]]:
    """Yield what draws the view; ``stop`` is set by the key that quits.

    The log is shown in the view's last line, and told again where it went when the view is gone.
    Raises ConfigError where nothing can be shown.
    """
    check_terminal(console)
    tap, log = RollTap(), _LastLines()
    instrument.add_tap(tap)
    try:
        with (
            log.instead(),
            Live(
                console=console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="crop",
            ) as live,
            CommandQueue(instrument, log.tell) as queue,
            keys_heard(Keyboard(instrument, queue, stop).hear),
        ):

            def show(instrument: Instrument) -> None:
                width, height = console.size
                picture = lines(_look(instrument, tap, log.last), width, height)
                live.update(Group(*picture), refresh=True)

            show(instrument)
            yield show
    finally:
        instrument.remove_tap(tap)


def _look(instrument: Instrument, tap: RollTap, told: str) -> Seen:
    now = time.perf_counter()
    return Seen(
        instrument.settings,
        instrument.status(),
        instrument.budget,
        (
            paths.shown(instrument.source_name),
            paths.shown(instrument.sink_name),
            instrument.model_name,
        ),
        instrument.is_recording,
        instrument.recording_fault,
        instrument.tempo,
        tuple(tap.spans(now - instrument.settings.tui.seconds, now)),
        now,
        told,
    )


class _LastLines(logging.Handler):
    """Keeps the log while it cannot be written."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""
        self._records: deque[logging.LogRecord] = deque(maxlen=MAX_TOLD)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self._records.append(record)
        self.tell(record.getMessage())

    def tell(self, text: str) -> None:
        """Take words for the last line only."""
        self.last = " ".join(text.split())

    @contextlib.contextmanager
    def instead(self) -> Iterator[None]:
        """Take what goes to stderr within the block, and hand it on afterwards."""
        root = logging.getLogger()
        others = [handler for handler in root.handlers if _is_on_screen(handler)]
        for handler in others:
            root.removeHandler(handler)
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)
            for handler in others:
                root.addHandler(handler)
            for record in self._records:
                for handler in others:
                    handler.handle(record)


def _is_on_screen(handler: logging.Handler) -> bool:
    """Return whether a handler writes to the terminal."""
    stream = getattr(getattr(handler, "console", handler), "stream", None)
    return hasattr(handler, "console") or stream in (sys.stderr, sys.stdout)
