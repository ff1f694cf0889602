"""The boundary of every command line: whatever ends a command becomes one line and an exit code.

0 done; 2 an error that the user can mend; 70 a fault of the program's own; 130 interrupted, by
Ctrl-C or SIGTERM; 141 nobody reads any more what is printed. The line goes to stderr, without a
traceback: that of a fault is kept in a file, and the log has it at level debug.
Not here: what a command does, and its log.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import platformdirs

from engine.core.errors import LiveCoverError
from engine.system.bounded import has_abandoned_threads, list_hung_calls, separate_shutdown
from engine.system.paths import shown, user_folder

EXIT_ERROR, EXIT_FAULT, EXIT_INTERRUPTED, EXIT_UNREAD = 2, 70, 130, 141
FAULT_FILE = "fault.txt"
OWN = ("engine", "livecover", "models", "offline_train")  # what cannot be missing

_log = logging.getLogger(__name__)


def run_command(name: str, body: Callable[[], int], when_interrupted: str = "") -> int:
    """Return the exit code of ``body``, or of the error it raised, which is printed in one line.

    What ``body`` holds open is closed by then. SystemExit passes. On the main thread.

    Parameters
    ----------
    name
        Of the command, before the line.
    body
        The command.
    when_interrupted
        What to say after Ctrl-C or SIGTERM.
    """
    _open_streams()
    with _quiet_threads(), separate_shutdown(), _interrupted_by_sigterm():
        try:
            try:
                code = body()
            except SystemExit:
                say()
                raise
            say()
            return code
        except KeyboardInterrupt:
            line, code = when_interrupted, EXIT_INTERRUPTED
        except Exception as error:
            line, code = verdict(error)
        if line:
            _tell(f"{name}: {' '.join(line.split())}")
        _leave(sys.stdout)
        return code


def end_process(name: str, code: int) -> None:
    """End the process where a thread hangs, and print which library's; else return.

    Everything is saved by then, and all is reported. Nothing waits for the interpreter, which takes
    its time to end beside such a thread; a thread that waits for a disk without interruption keeps
    the process all the same.
    """
    stuck = list_hung_calls()
    if stuck:
        _tell(f"{name}: {', '.join(stuck)} did not answer to the end and was left")
    if stuck or has_abandoned_threads():
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            _leave(stream)
        os._exit(code)


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does, with all that is held open closed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def say(*lines: str) -> None:
    """Print lines to stdout, now.

    Raises LiveCoverError where they cannot be written, BrokenPipeError where nobody reads them.
    """
    if sys.stdout is None:  # without a console
        return
    try:
        if lines:  # at once: who reads the first only, as head does, has not gone before the last
            sys.stdout.write("\n".join(map(shown, lines)) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise LiveCoverError(
            f"what there is to say cannot be written to the standard output ({error.strerror}):"
            " send it to a terminal, or to a disk that has space"
        ) from error


def verdict(error: Exception) -> tuple[str, int]:
    """Return what to say of what ended a command, empty for nothing, and the exit code."""
    match error:
        case LiveCoverError():
            return str(error), EXIT_ERROR
        case BrokenPipeError():
            return "", EXIT_UNREAD
        case OSError():
            return _of_the_system(error), EXIT_ERROR
        case MemoryError():
            return "there is not enough memory: close other programs", EXIT_ERROR
        case UnicodeError():
            return f"expected text in UTF-8, got something else ({error})", EXIT_ERROR
        case RecursionError():
            return "a file is nested too deeply to be read", EXIT_ERROR
    kept = _keep(error)
    if isinstance(error, ImportError) and (error.name or "").split(".")[0] not in OWN:
        return (
            f"a part of the installation is missing or broken ({error}): install again",
            EXIT_ERROR,
        )
    where = f"the details are in {shown(kept)}" if kept else "--log-level debug shows where"
    return (
        f"a fault of the program's own, not of yours: {_words(error)}; {where}: please report it",
        EXIT_FAULT,
    )


def _of_the_system(error: OSError) -> str:
    """Return the path and the reason of an error of the system's."""
    paths = [
        shown(os.fsdecode(p))
        for p in (error.filename, error.filename2)
        if isinstance(p, str | bytes)
    ]
    reason = error.strerror or str(error) or type(error).__name__
    return ": ".join([" and ".join(paths), reason]) if paths else reason


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _keep(error: BaseException) -> Path | None:
    """Write a fault's traceback into the user's own folder; return the file, None without one."""
    folder = user_folder(lambda: platformdirs.user_log_path("livecover", appauthor=False))
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(traceback.format_exception(error))
        (folder / FAULT_FILE).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return None
    return folder / FAULT_FILE


def _open_streams() -> None:
    """Make stdin, stdout and stderr usable for any text, however the program was started.

    A closed descriptor is opened on nothing; else the next file would take its number, and C
    libraries would write their complaints into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "w" if number else "r", encoding="utf-8")
            setattr(sys, name, stream)
        if number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _quiet_threads() -> Iterator[None]:
    """Tell in one line what ends a thread, and nothing of a log that cannot be written."""
    before = threading.excepthook, sys.unraisablehook, logging.raiseExceptions

    def on_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is None or isinstance(args.exc_value, SystemExit):
            return
        _keep(args.exc_value)
        name = args.thread.name if args.thread else "a thread"
        _log.error("a fault of the program's own in %s: %s", name, _words(args.exc_value))
        _log.debug("its details", exc_info=args.exc_value)

    threading.excepthook = on_thread
    sys.unraisablehook = lambda caught: _log.debug("ignored", exc_info=caught.exc_value)
    logging.raiseExceptions = False
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook, logging.raiseExceptions = before


def _tell(line: str) -> None:
    """Print a line to stderr, if anything can be."""
    try:
        print(shown(line), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _leave(sys.stderr)


def _leave(stream: TextIO) -> None:
    """Send what could not be written to nowhere, so that nothing complains at the very end."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
