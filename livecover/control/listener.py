"""Control by MIDI: what comes is understood on a thread of its own, and done by the hands.

Not here: settings of controllers
(``livecover.mapping.bindings``), the ports (``livecover.control.ports``).
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from engine.core.errors import LiveCoverError, MidiError
from engine.core.tempo import Tempo
from engine.cover.style import INTENSITIES
from engine.system.bounded import join_thread
from livecover.control.clock import ClockIn
from livecover.control.feedback import Feedback
from livecover.control.hands import Hands
from livecover.control.ports import POLL_S, ControlPort, Fetch, Message
from livecover.instrument.protocol import Worked
from livecover.mapping.bindings import Binding, find, learned
from livecover.mapping.settings import OFF, PORT
from livecover.mapping.sources import Source, heard, is_move, named
from livecover.mapping.targets import CENTRE, PANIC, PRESETS

SONG_POSITION, TICK, START, CONTINUE, STOP = 0xF2, 0xF8, 0xFA, 0xFB, 0xFC
TEMPO_EVERY_S = 0.25

_log = logging.getLogger(__name__)


class Played(Worked, Protocol):
    """An instrument, as far as controllers work it."""

    @property
    def learning(self) -> str | None: ...  # noqa: D102
    def learn(self, name: str | None) -> None: ...  # noqa: D102
    def panic(self) -> None: ...  # noqa: D102
    def keep_time(self, tempo: Tempo | None) -> None: ...  # noqa: D102
    def subscribe(self, on_change: Callable[[], None]) -> None: ...  # noqa: D102


class Listener:
    """Understands what controllers and a DAW say, and answers.

    Parameters
    ----------
    played
        The instrument.
    hands
        Do what is asked.
    fetch
        Returns what has come.
    send
        Sends a message back to the controllers.
    """

    def __init__(
        self, played: Played, hands: Hands, fetch: Fetch, send: Callable[[Message], None]
    ) -> None:
        self._played = played
        self._hands = hands
        self._fetch = fetch
        self._control = played.settings.control
        self._bindings = self._control.bindings()
        self._feedback = Feedback(send, self._control.channel or 1)
        self._clock = ClockIn()
        self._tempo: Tempo | None = None
        self._tempo_at = 0.0
        self._pressed: set[Source] = set()  # controllers that are buttons, and down
        self._is_known = False  # whether any controller was heard
        self._is_news = True
        """Whether feedback may have something to say: something was heard, or has changed."""
        self._answer_at: float | None = None

    def wake(self) -> None:
        """Look whether there is something to answer. Any thread."""
        self._is_news = True

    def turn(self, now: float) -> None:
        """Understand what has come, and answer. To be called every ``POLL_S``."""
        control = self._played.settings.control
        if control != self._control:
            self._control, self._bindings = control, control.bindings()
        for message, host_time in self._fetch():
            if message[0] >= 0xF0:
                self._keep_time(message, host_time)
            elif not self._feedback.is_echo(message, now):
                self._obey(message, now)
                self._is_news = True
        self._tell_tempo(now)
        is_due = self._answer_at is not None and now >= self._answer_at
        if self._is_news or is_due:
            self._is_news = False
            self._answer_at = self._feedback.turn(self._bindings, self._hands.state, now)

    def _keep_time(self, message: Message, host_time: float) -> None:
        """Take what a sequencer says of time."""
        status, low, high = message
        if status == TICK:
            self._clock.tick(host_time)
        elif status == SONG_POSITION:
            self._clock.place(low | high << 7)
        elif status in (START, CONTINUE, STOP):
            if status == START:
                self._clock.start()
            elif status == CONTINUE:
                self._clock.go_on()
            else:
                self._clock.stop()
            if self._control.transport:
                self._hands.ask("record", status != STOP)

    def _tell_tempo(self, now: float) -> None:
        """Hand the tempo on, now and then."""
        if now < self._tempo_at + TEMPO_EVERY_S:
            return
        tempo = self._clock.tempo(now, self._control.beats_per_bar)
        if tempo is not None or self._tempo is not None:
            self._tempo, self._tempo_at = tempo, now
            self._played.keep_time(tempo)

    def _obey(self, message: Message, now: float) -> None:
        """Do what a controller asks for."""
        found = heard(message)
        if found is None:
            return
        source, value = found
        if self._control.channel not in (None, source.channel):
            return
        if not self._is_known:  # somebody is there, who was told nothing until now
            self._is_known = True
            self._feedback.forget()
        if self._played.learning is not None:
            self._learn(source, value)
            return
        binding = find(self._bindings, source)
        if binding is None:
            return
        self._feedback.heard(binding, value, source.channel or 1, now)
        self._apply(binding, source, value)

    def _apply(self, binding: Binding, source: Source, value: int) -> None:
        target = binding.target
        if target.name == PRESETS:
            if value < len(INTENSITIES):
                self._hands.ask("model.style", INTENSITIES[value])
        elif not binding.is_pressed and target.scale is not None:
            self._hands.ask(target.name, target.from_value(value))
        elif self._is_press(source, value):
            if target.name == PANIC:
                self._played.panic()
            else:
                self._hands.ask(target.name, target.pressed(self._hands.state(target.name)))

    def _is_press(self, source: Source, value: int) -> bool:
        """Return whether a button has just gone down."""
        if source.kind == "program":
            return True
        is_down = value >= CENTRE if source.kind == "cc" else value > 0
        was_down = source in self._pressed
        (self._pressed.add if is_down else self._pressed.discard)(source)
        return is_down and not was_down

    def _learn(self, source: Source, value: int) -> None:
        """Bind what is moved to what waits for it."""
        name = self._played.learning
        if name is None or not is_move(source, value):
            return
        try:
            lines = learned(self._control.map, name, named(source, self._control.channel))
            self._played.change({"control.map": lines})
        except LiveCoverError as error:
            _log.warning("%s", " ".join(str(error).split()))
            return
        self._played.learn(None)
        self._control = self._played.settings.control
        self._bindings = self._control.bindings()
        self._pressed.add(source)  # its letting go is nothing new
        _log.info("%s drives %s now", source, name)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Listen within the block."""
        is_over = threading.Event()

        def run() -> None:
            while not is_over.wait(POLL_S):
                try:
                    self.turn(time.perf_counter())
                except Exception:
                    _log.exception("control by MIDI failed; it goes on with what comes next")

        thread = threading.Thread(target=run, name="control", daemon=True)
        self._played.subscribe(self.wake)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            join_thread(thread, 1.0)


@contextlib.contextmanager
def controlled(
    played: "Controlled", open_port: Callable[[str], ControlPort] = ControlPort
) -> Iterator[None]:
    """Let hardware and DAW work an instrument within the block.

    Where the default port cannot be opened, a line in the log says why, and that is all.

    Raises
    ------
    MidiError
        A port that was asked for cannot be opened.
    """
    name = played.settings.control.port
    if name == OFF:
        yield
        return
    with Hands(played) as hands, contextlib.ExitStack() as stack:
        try:
            port = open_port(name)
        except MidiError as error:
            if name != PORT:
                raise
            _log.warning("no control by MIDI: %s", " ".join(str(error).split()))
            yield
            return
        stack.callback(port.close)
        listener = Listener(played, hands, port.fetch, port.send)
        hands.on_done = listener.wake
        stack.enter_context(listener.running())
        played.controller = name
        try:
            yield
        finally:
            played.controller = ""


class Controlled(Played, Protocol):
    """An instrument that is told where controllers are heard."""

    controller: str
