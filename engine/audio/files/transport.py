"""Pause, seek and loop of a song that plays: asked for by any thread, done by the song's own."""

import threading

from engine.core.song_place import SongCommand

LEAST_LOOP_S = 0.1
WAIT_S = 0.25  # in which a paused song sees that it is stopped


class SongTransport:
    """What is asked of a song that plays. Any thread."""

    def __init__(self) -> None:
        self.loop: tuple[float, float] | None = None
        """From where to where it is repeated, in seconds."""
        self._go = threading.Event()
        self._go.set()
        self._lock = threading.Lock()
        self._seek: float | None = None

    @property
    def is_paused(self) -> bool:
        """Whether it waits."""
        return not self._go.is_set()

    def do(self, command: SongCommand) -> None:
        """Take a command; it counts from the next block on."""
        match command.action:
            case "pause":
                self._go.clear()
            case "play":
                self._go.set()
            case "seek":
                with self._lock:
                    self._seek = command.start
            case "loop":
                self.loop = command.start, max(command.end, command.start + LEAST_LOOP_S)
            case "unloop":
                self.loop = None

    def wait(self, stop: threading.Event) -> bool:
        """Return once it is not paused: True, or False if it was stopped meanwhile."""
        while not self._go.wait(WAIT_S):
            if stop.is_set():
                return False
        return not stop.is_set()

    def next_start(self, position: float, is_end: bool = False) -> float | None:
        """Return the second to go on from, None where it is the next block.

        ``is_end``: the song is over.
        """
        with self._lock:
            seek, self._seek = self._seek, None
        if seek is not None:
            return seek
        if self.loop is not None and (is_end or position >= self.loop[1]):
            return self.loop[0]
        return None
