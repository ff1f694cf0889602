"""Shows the view in the terminal, handles keys, and restores the terminal.

Not here: rendering (``livecover.tui.view``).
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

from engine.core.errors import ConfigError, LiveCoverError
from engine.cover.style import INTENSITIES
from engine.system import paths
from livecover.control.command_queue import CommandQueue
from livecover.instrument.instrument import Instrument
from livecover.mapping.targets import SETTINGS, Range, Target
from livecover.tui.keys import listen_for_keys
from livecover.tui.roll import RollTap
from livecover.tui.view import ViewState, render_lines

REFRESH = 0.08  # seconds between two pictures: twelve a second
STYLE_STEP = 0.05
DENSITY_STEP = 2**0.25
OFFSET_STEP = 0.01  # seconds
SWITCH_KEYS = {"m": "play.mute", "h": "play.hold", "d": "play.hands", " ": "play"}
CORRECTION_KEYS = {"t": "tap", "[": "halve", "]": "double", "o": "one"}
MAX_TOLD = 50
"""Most log entries that are written again after the view is closed."""


_log = logging.getLogger(__name__)


def check_terminal(console: Console) -> None:
    """Raise ConfigError without a suitable terminal."""
    if not console.is_terminal or console.is_dumb_terminal:
        raise ConfigError(
            "--tui needs a terminal with cursor control, got another output; leave it out, or use"
            " --panel"
        )


class KeyCommands:
    """Handles the view's keys.

    Parameters
    ----------
    instrument
        What is controlled.
    queue
        Makes the changes.
    stop
        Set by the key that quits.
    """

    def __init__(self, instrument: Instrument, queue: CommandQueue, stop: threading.Event) -> None:
        self._instrument = instrument
        self._queue = queue
        self._stop = stop

    def handle(self, key: str) -> None:
        """Handle a key; ignore an unknown one."""
        put, value = self._queue.put, self._queue.value
        match key:
            case "1" | "2" | "3":
                put("model.style", INTENSITIES[int(key) - 1])
            case "left" | "right":
                put("model.style", _moved(value("model.style"), 1 if key == "right" else -1))
            case "down" | "up":
                factor = DENSITY_STEP if key == "up" else 1 / DENSITY_STEP
                put(
                    "decoder.density", _within("decoder.density", value("decoder.density") * factor)
                )
            case "m" | "h" | "d" | " ":
                name = SWITCH_KEYS[key]
                put(name, not value(name))
            case "-" | "+" | "=" | "<" | ">":
                name = "midi.octave" if key in "<>" else "midi.transpose"
                step = -1 if key in "-<" else 1
                put(name, int(_within(name, value(name) + step)))
            case "a" | "c" | "y":
                name = {"a": "play.parts", "c": "play.mode", "y": "play.rhythm"}[key]
                put(name, Target(name, SETTINGS[name]).pressed(value(name)))
            case "r":
                put("record", not value("record"))
            case "," | ".":
                offset = value("beat.offset") + (OFFSET_STEP if key == "." else -OFFSET_STEP)
                put("beat.offset", _within("beat.offset", offset))
            case _ if key in CORRECTION_KEYS:
                self._correct_beat(CORRECTION_KEYS[key])
            case "p":
                self._instrument.panic()
            case "q":
                self._stop.set()

    def _correct_beat(self, correction: str) -> None:
        try:
            self._instrument.song.correct_beat(correction, time.perf_counter())
        except LiveCoverError as error:
            _log.warning("%s", error)


def _moved(style: object, steps: int) -> float:
    """Return the style ``steps`` further to intense, from 0.5 if it is a list of numbers."""
    scale = SETTINGS["model.style"]
    assert isinstance(scale, Range)
    number = scale.number(style)
    return _within("model.style", (0.5 if number is None else number) + STYLE_STEP * steps)


def _within(name: str, number: float) -> float:
    """Return the nearest allowed number for a setting, rounded."""
    scale = SETTINGS[name]
    assert isinstance(scale, Range)
    low, high = scale.limits
    return round(min(high, max(low, number)), 3)


@contextlib.contextmanager
def terminal_view(
    instrument: Instrument, console: Console, stop: threading.Event
) -> Iterator[Callable[[Instrument], None]]:
    """Yield a function that draws the view; ``stop`` is set by the key that quits.

    The view's last line shows the log; afterwards the log's entries are written again where they
    belong. Raises ConfigError without a suitable terminal.
    """
    check_terminal(console)
    tap, log = RollTap(), _LogBuffer()
    instrument.add_tap(tap)
    try:
        with (
            log.capture(),
            Live(
                console=console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="crop",
            ) as live,
            CommandQueue(instrument, log.tell) as queue,
            listen_for_keys(KeyCommands(instrument, queue, stop).handle),
        ):

            def show(instrument: Instrument) -> None:
                width, height = console.size
                picture = render_lines(_view_state(instrument, tap, log.last), width, height)
                live.update(Group(*picture), refresh=True)

            show(instrument)
            yield show
    finally:
        instrument.remove_tap(tap)


def _view_state(instrument: Instrument, tap: RollTap, log_line: str) -> ViewState:
    now = time.perf_counter()
    return ViewState(
        instrument.settings,
        instrument.status(),
        instrument.budget,
        (
            paths.shown(instrument.source_name),
            paths.shown(instrument.sink_name),
            instrument.model_name,
        ),
        instrument.recorder.is_recording,
        instrument.recorder.fault,
        tuple(tap.spans(now - instrument.settings.tui.seconds, now)),
        now,
        now - instrument.song.delay,
        log_line,
        instrument.outputs.n_link_peers,
    )


class _LogBuffer(logging.Handler):
    """Keeps log entries while the view is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""
        self._records: deque[logging.LogRecord] = deque(maxlen=MAX_TOLD)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an entry."""
        self._records.append(record)
        self.tell(record.getMessage())

    def tell(self, text: str) -> None:
        """Show a text in the last line only."""
        self.last = " ".join(text.split())

    @contextlib.contextmanager
    def capture(self) -> Iterator[None]:
        """Keep entries for the terminal within the block, and pass them on afterwards."""
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
