"""MIDI control: reads what controllers and a DAW send, on a thread of its own, and sends feedback.

Not here: the mapping (``livecover.mapping``), the ports (``livecover.control.ports``), making the
changes (``livecover.control.command_queue``).
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

from engine.core.errors import LiveCoverError, MidiError
from engine.core.tempo import CORRECTIONS, Tempo
from engine.cover.style import INTENSITIES
from engine.system.bounded import join_thread
from livecover.control.clock import MidiClockReceiver
from livecover.control.command_queue import CommandQueue
from livecover.control.feedback import Feedback
from livecover.control.ports import POLL_S, ControlPort, Fetch, Message
from livecover.instrument.instrument import Instrument
from livecover.instrument.ports import PortState, state_of
from livecover.mapping.bindings import Binding, find_binding, lines_to_learn
from livecover.mapping.settings import OFF, PORT
from livecover.mapping.sources import Source, is_learnable, parse_message, without_known_channel
from livecover.mapping.targets import CENTRE, PANIC, PRESETS, SCENES

SONG_POSITION, TICK, START, CONTINUE, STOP = 0xF2, 0xF8, 0xFA, 0xFB, 0xFC
TEMPO_EVERY_S = 0.25
"""Seconds between two reports of the tempo."""

_log = logging.getLogger(__name__)


class ControlListener:
    """Turns messages of controllers and a DAW into changes, and answers with feedback.

    Parameters
    ----------
    instrument
        What is controlled.
    queue
        Makes the changes.
    fetch
        Returns the messages that have come.
    send
        Sends a message back to the controllers.
    """

    def __init__(
        self,
        instrument: Instrument,
        queue: CommandQueue,
        fetch: Fetch,
        send: Callable[[Message], None],
    ) -> None:
        self._instrument = instrument
        self._queue = queue
        self._fetch = fetch
        self._control = instrument.settings.control
        self._bindings = self._control.bindings()
        self._feedback = Feedback(send, self._control.channel or 1)
        self._clock = MidiClockReceiver()
        self._tempo: Tempo | None = None
        self._tempo_at = 0.0
        self._pressed: set[Source] = set()  # buttons that are down
        self._has_heard = False  # whether any controller has sent anything
        self._needs_feedback = True
        """Whether something was received or has changed since the last feedback."""
        self._feedback_at: float | None = None

    def request_feedback(self) -> None:
        """Send feedback at the next poll, where any is due. Any thread."""
        self._needs_feedback = True

    def poll(self, now: float) -> None:
        """Handle the messages that have come, and send feedback. Call it every ``POLL_S``."""
        control = self._instrument.settings.control
        if control != self._control:
            self._control, self._bindings = control, control.bindings()
        for message, host_time in self._fetch():
            if message[0] >= 0xF0:
                self._handle_transport(message, host_time)
            elif not self._feedback.is_echo(message, now):
                self._handle_control(message, host_time, now)
                self._needs_feedback = True
        self._report_tempo(now)
        is_due = self._feedback_at is not None and now >= self._feedback_at
        if self._needs_feedback or is_due:
            self._needs_feedback = False
            self._feedback_at = self._feedback.send_due(self._bindings, self._queue.value, now)

    def _handle_transport(self, message: Message, host_time: float) -> None:
        """Take a sequencer's clock, start, continue, stop or song position."""
        status, low, high = message
        if status == TICK:
            self._clock.tick(host_time)
        elif status == SONG_POSITION:
            self._clock.set_position(low | high << 7)
        elif status in (START, CONTINUE, STOP):
            if status == START:
                self._clock.start()
            elif status == CONTINUE:
                self._clock.resume()
            else:
                self._clock.stop()
            if self._control.transport:
                self._queue.put("record", status != STOP)

    def _report_tempo(self, now: float) -> None:
        """Give the tempo to the instrument, every ``TEMPO_EVERY_S``."""
        if now < self._tempo_at + TEMPO_EVERY_S:
            return
        tempo = self._clock.tempo(now, self._control.beats_per_bar)
        if tempo is not None or self._tempo is not None:
            self._tempo, self._tempo_at = tempo, now
            self._instrument.song.set_tempo(tempo)

    def _handle_control(self, message: Message, host_time: float, now: float) -> None:
        """Take a controller's message: learn it, or make the change that it is mapped to."""
        found = parse_message(message)
        if found is None:
            return
        source, value = found
        if self._control.channel not in (None, source.channel):
            return
        if not self._has_heard:  # a controller is connected, and has had no feedback yet
            self._has_heard = True
            self._feedback.reset()
        if self._instrument.controllers.learning is not None:
            self._learn(source, value)
            return
        binding = find_binding(self._bindings, source)
        if binding is None:
            return
        self._feedback.received(binding, value, source.channel or 1, now)
        self._apply(binding, source, value, host_time)

    def _apply(self, binding: Binding, source: Source, value: int, host_time: float) -> None:
        target = binding.target
        if target.name == PRESETS:
            if value < len(INTENSITIES):
                self._queue.put("model.style", INTENSITIES[value])
        elif target.name == SCENES:
            self._recall_scene(value)
        elif not binding.is_pressed and target.scale is not None:
            self._queue.put(target.name, target.from_value(value))
        elif self._is_press(source, value):
            if target.name == PANIC:
                self._instrument.panic()
            elif target.name in CORRECTIONS:
                self._correct_beat(target.name, host_time)
            else:
                self._queue.put(target.name, target.pressed(self._queue.value(target.name)))

    def _recall_scene(self, number: int) -> None:
        try:
            for key, value in self._instrument.scenes.changes(number).items():
                self._queue.put(key, value)
        except LiveCoverError as error:
            _log.warning("%s", error)

    def _correct_beat(self, correction: str, host_time: float) -> None:
        try:
            self._instrument.song.correct_beat(correction, host_time)
        except LiveCoverError as error:
            _log.warning("%s", error)

    def _is_press(self, source: Source, value: int) -> bool:
        """Return whether a button has just been pressed."""
        if source.kind == "program":
            return True
        is_down = value >= CENTRE if source.kind == "cc" else value > 0
        was_down = source in self._pressed
        (self._pressed.add if is_down else self._pressed.discard)(source)
        return is_down and not was_down

    def _learn(self, source: Source, value: int) -> None:
        """Map the controller that has moved to the setting that MIDI learn waits for."""
        name = self._instrument.controllers.learning
        if name is None or not is_learnable(source, value):
            return
        try:
            named = without_known_channel(source, self._control.channel)
            lines = lines_to_learn(self._control.map, name, named)
            self._instrument.change({"control.map": lines})
        except LiveCoverError as error:
            _log.warning("%s", " ".join(str(error).split()))
            return
        self._instrument.controllers.learn(None)
        self._control = self._instrument.settings.control
        self._bindings = self._control.bindings()
        self._pressed.add(source)  # so that its release does nothing
        _log.info("%s controls %s now", source, name)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Poll on a thread within the block."""
        is_over = threading.Event()

        def run() -> None:
            while not is_over.wait(POLL_S):
                try:
                    self.poll(time.perf_counter())
                except Exception:
                    _log.exception("MIDI control failed; it goes on with the next message")

        thread = threading.Thread(target=run, name="control", daemon=True)
        self._instrument.subscribe(self.request_feedback)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            join_thread(thread, 1.0)


@contextlib.contextmanager
def midi_control(
    instrument: Instrument, open_port: Callable[[str], ControlPort] = ControlPort
) -> Iterator[None]:
    """Let hardware and a DAW control an instrument within the block.

    If the default port cannot be opened, a line in the log says why, and playing goes on.

    Raises
    ------
    MidiError
        A port that the settings name cannot be opened.
    """
    name, controllers = instrument.settings.control.port, instrument.controllers
    if name == OFF:
        yield
        return
    with CommandQueue(instrument) as queue, contextlib.ExitStack() as stack:
        try:
            port = open_port(name)
        except MidiError as error:
            if name != PORT:
                raise
            why = " ".join(str(error).split())
            _log.warning("no control by MIDI: %s", why)
            controllers.port_state = lambda: PortState("controllers", name, "refused", why)
            yield
            return
        stack.callback(port.close)
        listener = ControlListener(instrument, queue, port.fetch, port.send)
        queue.on_done = listener.request_feedback
        stack.enter_context(listener.running())
        controllers.port = name
        controllers.port_state = lambda: PortState("controllers", name, state_of(port.is_there))
        try:
            yield
        finally:
            controllers.port = ""
            controllers.port_state = lambda: None
