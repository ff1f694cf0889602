"""The status line and the progress bar in the terminal, and the log, all on stderr.

Not here: the view of ``--tui`` (``livecover.tui``), the text of the status line (``status``).
"""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.progress import Progress
from rich.text import Text

from engine.core.errors import LiveCoverError
from engine.system.paths import shown
from livecover.commands.status import log_line, status_line
from livecover.instrument.instrument import Instrument

LOG_EVERY = 10.0  # seconds between two lines without a terminal

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def live_line(console: Console) -> Iterator[Callable[[Instrument], None]]:
    """Yield a function that redraws the status line; log lines appear above it."""
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(instrument: Instrument) -> None:
            fault = instrument.recorder.fault
            line = status_line(instrument.status(), instrument.source_name, fault)
            live.update(Text(shown(line), no_wrap=True, overflow="ellipsis"), refresh=True)

        yield show


@contextlib.contextmanager
def log_lines() -> Iterator[Callable[[Instrument], None]]:
    """Yield a function that logs a line every ``LOG_EVERY`` seconds of the engine's time."""
    due = LOG_EVERY

    def show(instrument: Instrument) -> None:
        nonlocal due
        status = instrument.status()
        if status.seconds >= due:
            due += LOG_EVERY
            fault = instrument.recorder.fault
            _log.info("%s", log_line(status, instrument.source_name, fault))

    yield show


@contextlib.contextmanager
def progress_bar(console: Console, what: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that takes the share done, 0 to 1; without a terminal nothing is shown."""
    if not console.is_terminal:  # where it is only disabled, older rich leaves an empty line
        yield lambda share: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda share: progress.update(task, completed=share)


@contextlib.contextmanager
def logged(console: Console, level: str) -> Iterator[None]:
    """Log to stderr from ``level`` on: above the status line, or as plain lines."""
    handler: logging.Handler
    if console.is_terminal:
        handler = RichHandler(console=console, show_path=False, log_time_format="%H:%M:%S")
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    handler.addFilter(_shown)
    if level != "debug":
        handler.addFilter(_without_traceback)
    root = logging.getLogger()
    level_before = root.level
    root.addHandler(handler)
    root.setLevel(level.upper())
    try:
        yield
    except LiveCoverError:
        raise
    except Exception:
        _log.debug("what went wrong", exc_info=True)
        raise
    finally:
        root.removeHandler(handler)
        root.setLevel(level_before)


def _shown(record: logging.LogRecord) -> bool:
    """Remove control characters from a line, since names may come from anywhere."""
    record.msg, record.args = shown(record.getMessage()), None
    return True


def _without_traceback(record: logging.LogRecord) -> bool:
    """Reduce a library's log entry with a traceback to one line."""
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        record.msg = f"{record.getMessage().strip()} ({type(error).__name__}: {error})"
        record.args = record.exc_info = record.exc_text = None
    return True
