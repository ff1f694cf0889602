"""The MIDI sink of an engine, exchanged for another while it plays.

Not here: the sinks (``engine.midi``), and the thread that sends (``engine.midi.scheduler``).
"""

import threading

from engine.core.settings import MidiSettings
from engine.midi.messages import program_messages
from engine.midi.port_sink import PortSink
from engine.midi.scheduler import Scheduler
from engine.midi.sinks import MidiSink, close_unused, sinks_of, unused_sinks
from engine.perform.performer import channels


class LiveSink:
    """The sink in use, from the first to the last.

    Parameters
    ----------
    sink
        The first.

    Attributes
    ----------
    now : MidiSink
        The one in use. Any thread may read it.
    """

    def __init__(self, sink: MidiSink) -> None:
        self.now = sink
        self._n_losses_before = 0  # of sinks that are used no more
        self._closing = threading.Lock()  # guards what follows, and the sink
        self._is_closed = False

    @property
    def n_losses(self) -> int:
        """How often a sink was lost since the start."""
        return self._n_losses_before + self.now.n_losses

    def choose_sounds(self, settings: MidiSettings) -> None:
        """Send program and bank to every port."""
        messages = program_messages(channels(settings), settings.program, settings.bank)
        for port in sinks_of(self.now):
            if isinstance(port, PortSink):
                port.choose_sound(messages)

    def exchange(self, sink: MidiSink, scheduler: Scheduler, timeout: float) -> None:
        """Let the scheduler send to another sink, and close what is not used any more."""
        scheduler.change_sink(sink, timeout)
        with self._closing:
            old, self.now = self.now, sink
            is_late = self._is_closed  # meanwhile, and the old one with it
        if is_late:
            sink.close()
        self._n_losses_before += sum(unused.n_losses for unused in unused_sinks(old, sink))
        close_unused(old, sink)

    def close(self) -> None:
        """Close the sink in use, and each that comes later. Raises MidiError."""
        with self._closing:
            sink, self._is_closed = self.now, True
        sink.close()
