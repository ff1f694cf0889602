"""The process that ``jack_process`` starts: one RtMidi client of JACK, and who watches it.

It takes commands as lines of JSON on its standard input and answers on its standard output. It ends
once the server has ended or stalled; where its parent is gone, it ends what sounds. Imports nothing
heavy: it should start quickly.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from engine.midi.ports.libjack import (
    INPUT,
    OUTPUT,
    JackWatch,
    loaded_library,
    pipewire_answers,
    pipewire_library,
)
from engine.system.priority import raise_thread_priority

LIBRARY = "LIVECOVER_LIBJACK"
"""Names the libjack to use instead of the one that RtMidi brings."""
CHECK_EVERY_S = 0.1
STALLED_S = 2.0
"""After which a server whose time stands still counts as gone."""
HANG_S = 10
"""After which the system ends a process that its server holds up, though RtMidi has the
interpreter's lock. Whoever started it has given up by then, or is gone. Not sooner: on a busy
machine leaving takes long, and a server that waits for each client hangs on one that was killed."""
FETCH_EVERY_S = 0.005
CYCLE_CHECK_S = 0.001
DELIVERY_CYCLES = 2  # one begins and takes what was sent; when the next begins it was read
QUEUE_LIMIT = 4096
SILENCE = (64, 123)  # sustain pedal up, All Notes Off

_writing = threading.Lock()


def main(kind: str, name: str) -> None:
    """Open an ``input`` or ``output`` client called ``name``; serve commands until the end."""
    signal.alarm(HANG_S)
    library = os.environ.get(LIBRARY)
    if library:
        ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)  # its functions go before RtMidi's own
    try:
        child = Child(kind, name, library)
    except Exception as error:
        pipewire = pipewire_library()
        if pipewire and not library and pipewire_answers():
            os.execve(sys.executable, sys.orig_argv, {**os.environ, LIBRARY: pipewire})
        say(error=str(error))
        return
    if kind == "output":
        raise_thread_priority()
    child.tell_period()
    say(reply="PipeWire" if library else "JACK")
    child.serve()


def say(**words: object) -> None:
    """Write one line. Any thread."""
    with _writing:
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()


def leave(*_: object) -> NoReturn:
    """End the process at once: the server is gone."""
    os._exit(1)


class Child:
    """An RtMidi client with a watch on its server. Raises what opening them raises."""

    def __init__(self, kind: str, name: str, library: str | None) -> None:
        import rtmidi  # not before the library is chosen

        api = rtmidi.API_UNIX_JACK
        self._is_input = kind == "input"
        self._client: Any = (
            rtmidi.MidiIn(rtapi=api, name=name, queue_size_limit=QUEUE_LIMIT)
            if self._is_input
            else rtmidi.MidiOut(rtapi=api, name=name)
        )
        self._watch = JackWatch(library or loaded_library(), f"{name}_watch", leave)
        self._before: set[str] | None = None  # all ports that were there before ours
        self._suffix = ""  # of our own
        self._port: str | None = None  # our own, as JACK calls it
        self._period = 0.0
        self._lost: list[str] = []  # connections to make again
        self._stop = threading.Event()
        self._sounding: set[tuple[int, int]] = set()
        self._channels: set[int] = set()

    def tell_period(self) -> None:
        """Say how long the graph's period is, if that is not as it was said last."""
        period = self._watch.period()
        if period and period != self._period:
            self._period = period
            say(period=period)

    def serve(self) -> None:
        """Do what each line asks for, until one says close or there are no more."""
        commands: dict[str, Callable[..., object]] = {
            "ports": self._client.get_ports,
            "open": self._open,
            "ignore": lambda *types: self._client.ignore_types(*types),
            "reconnect": lambda *ports: self._lost.extend(ports),
        }
        works = [self._check, self._fetch] if self._is_input else [self._check]
        threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in threads:
            thread.start()
        for line in sys.stdin.buffer:
            what, *how = json.loads(line)
            if what == "send":
                self._send(how)
            elif what == "close":
                break
            else:
                try:
                    say(reply=commands[what](*how))
                except Exception as error:
                    say(error=str(error))
        else:
            self._silence()
        self._stop.set()
        for thread in threads:
            thread.join()
        if not self._is_input:
            self._flush()
        self._client.delete()
        self._watch.close()

    def _open(self, index: int | None, name: str) -> None:
        """Open a virtual port, or connect to the one of this index."""
        before = self._watch.ports()
        if index is None:
            self._client.open_virtual_port(name)
        else:
            self._client.open_port(index, name)
        self._suffix, self._before = f":{name}", before

    def _send(self, message: list[int]) -> None:
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind in (0x80, 0x90):
            self._channels.add(channel)
            begins = kind == 0x90 and message[2] > 0
            (self._sounding.add if begins else self._sounding.discard)((channel, message[1]))
        self._client.send_message(message)

    def _silence(self) -> None:
        """End what sounds: the parent process was killed."""
        for channel, key in self._sounding:
            self._client.send_message([0x80 | channel, key, 0])
        for channel in self._channels:
            for number in SILENCE:
                self._client.send_message([0xB0 | channel, number, 0])

    def _flush(self) -> None:
        """Wait until what was sent is delivered: RtMidi waits only until it lies in its own port.

        A port that is closed in the same cycle takes it along, and with it the last note-offs.
        """
        for _ in range(DELIVERY_CYCLES):
            frame = self._watch.frame()
            while self._watch.frame() == frame:
                time.sleep(CYCLE_CHECK_S)  # there is nothing to wait for

    def _fetch(self) -> None:
        """Forward incoming messages. On a thread of its own."""
        while not self._stop.wait(FETCH_EVERY_S):
            while (event := self._client.get_message()) is not None:
                say(received=event)

    def _check(self) -> None:
        """Leave a server that has stalled; report connections, and restore lost ones."""
        frame, still = 0, 0.0
        seen: list[str] = []
        reported: list[str] = []
        while not self._stop.wait(CHECK_EVERY_S):
            signal.alarm(HANG_S)
            before, frame = frame, self._watch.frame()
            still = still + CHECK_EVERY_S if frame == before else 0.0
            if still >= STALLED_S:
                leave()
            self.tell_period()
            self._port = self._port or self._own_port()
            if self._port is None:
                continue
            before_seen, seen = seen, self._watch.connections(self._port)
            self._reconnect(self._port)
            # A loss is reported when seen twice: where a server ends, connections may go first.
            is_sure = seen == before_seen or set(seen) >= set(reported)
            if seen != reported and is_sure and not self._lost:
                reported = seen
                say(connections=reported)

    def _own_port(self) -> str | None:
        """Return our port's name, once everybody sees it; JACK may have changed the client's."""
        if self._before is None:
            return None
        new = self._watch.ports(INPUT if self._is_input else OUTPUT) - self._before
        return next((port for port in sorted(new) if port.endswith(self._suffix)), None)

    def _reconnect(self, port: str) -> None:
        """Make those of the lost connections again whose other end is there."""
        for other in set(self._lost) & self._watch.ports():
            self._lost.remove(other)
            self._watch.connect(*((other, port) if self._is_input else (port, other)))


if __name__ == "__main__":
    main(*sys.argv[1:])
