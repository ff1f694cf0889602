"""A program with the view in its terminal: ``python -m tests.livecover.tui.terminal HOW FILE``.

It plays nothing, and ends by a key, a signal or, with HOW ``raise``, an exception after the first
key. What keys made of the settings is written to FILE.
"""

import json
import sys
import threading
from pathlib import Path

from rich.console import Console

from livecover.commands.console import logged
from livecover.commands.signals import stop_on_signals
from livecover.instrument.instrument import Instrument
from livecover.settings.sections import Settings
from livecover.tui.screen import REFRESH, terminal_view


def main(how: str, path: Path) -> None:
    """Show the view until told to stop."""
    console, changed = Console(stderr=True), threading.Event()
    instrument = Instrument(Settings())
    instrument.subscribe(changed.set)
    try:
        with (
            stop_on_signals() as stop,
            logged(console, "info"),
            terminal_view(instrument, console, stop) as show,
        ):
            while not stop.is_set():
                stop.wait(REFRESH)
                show(instrument)
                if how == "raise" and changed.is_set():
                    raise RuntimeError("a fault of ours")
    finally:
        settings = instrument.settings
        found = [settings.model.style, settings.play.parts, settings.play.mute]
        path.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
