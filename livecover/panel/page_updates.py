"""What all pages are told: how things stand when one opens, and what has happened since.

Not here: when it is sent, and to whom (``livecover.panel.web.sessions``); what a message means
(``messages``).
"""

import contextlib
import logging
from collections.abc import Iterator

from livecover.instrument.instrument import Instrument
from livecover.panel.command_runner import CommandRunner, Message
from livecover.panel.log_buffer import LogBuffer
from livecover.panel.mapping_messages import MappingMessages
from livecover.panel.tap import PanelTap


class PageUpdates:
    """The messages about an instrument that go to every page. One thread.

    Parameters
    ----------
    instrument
        What the pages show.
    runner
        Runs their commands.

    Attributes
    ----------
    tap : PanelTap
        Hears the engine while it is active.
    """

    def __init__(self, instrument: Instrument, runner: CommandRunner) -> None:
        self.tap = PanelTap()
        self._instrument, self._runner = instrument, runner
        self._log = LogBuffer()
        self._mapping = MappingMessages(instrument)
        self._has_changed = False

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        """Collect what happens within the block."""
        self._instrument.subscribe(self.note_change)
        self._instrument.add_tap(self.tap)
        logging.getLogger().addHandler(self._log)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(self._log)
            self.tap.set_active(False)
            self._instrument.remove_tap(self.tap)

    def note_change(self) -> None:
        """Let the next status come with the settings. Any thread."""
        self._has_changed = True

    def all(self) -> list[Message]:
        """Return the mapping and the log, for a page that opens."""
        return [*self._mapping.all(), self._log.all()]

    def take_new(self, with_status: bool) -> list[Message]:
        """Return what has happened since the last call; with the status, changed settings too."""
        messages = [*self.tap.take_messages(), *self._log.take_new()]
        chroma = self.tap.take_chroma()
        if chroma is not None:
            messages.append(chroma)
        if with_status:
            if self._has_changed:
                self._has_changed = False
                messages.append({"type": "settings", **self.settings()})
                messages += self._mapping.changes()
            messages.append(self._runner.status())
        return messages

    def settings(self) -> dict[str, object]:
        """Return the settings and which snapshot they are."""
        return {"settings": self._runner.settings(), "snapshot": self._runner.snapshots.active}
