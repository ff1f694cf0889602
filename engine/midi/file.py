"""A take on disk: note events to a type-1 MIDI file, saved whole at each time.

Three tracks at 120 beats a minute and 960 ticks a beat: tempo, melody, accompaniment. Times are
the events' own, in the audio, so the file holds the music without latency or jitter.
"""

import io
import logging
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path

import mido

from engine.core.errors import DataError, MidiError
from engine.core.note_tracker import NoteTracker, ended
from engine.core.notes import Event, NoteEvent, Part, PedalEvent
from engine.midi.event_log import EventLog
from engine.midi.messages import message
from engine.midi.tempo_map import TICKS_PER_BEAT, TempoMap
from engine.system.bounded import MIN_SAVE_S, call_with_timeout, join_thread
from engine.system.paths import given_path
from engine.system.whole_file import check_writable, written_whole

TEMPO = TempoMap()  # 120 beats a minute
PARTS: tuple[Part, ...] = ("melody", "accompaniment")
SAVE_S = 10.0
"""Seconds in which a disk takes the file at last: it may have to wake up."""

log = logging.getLogger(__name__)


def paired(events: Sequence[Event]) -> list[Event]:
    """Return ``events`` in time order with every note-on ended exactly once, as it began.

    A note that is repeated ends there; notes still open end with the last event, and so does a
    pedal that is still down.
    """
    return list(_in_pairs(sorted(sorted(events, key=_begins), key=attrgetter("time"))))


def _in_pairs(events: Iterable[Event]) -> Iterator[Event]:
    """Yield events that come in time order as :func:`paired` returns them."""
    sounding, end = NoteTracker(), 0.0
    for event in events:
        on = sounding.track(event)
        if on is not None:
            yield ended(on, event.time)
            end = event.time
        if isinstance(event, PedalEvent) or event.is_on:
            yield event
            end = event.time
    yield from [ended(on, end) for on in sounding.notes]
    for channel in sorted(down.channel for down in sounding.pedals):
        yield PedalEvent(end, False, channel)


def _begins(event: Event) -> bool:
    """Return whether it begins something: of one moment, what ends comes first."""
    return event.is_on if isinstance(event, NoteEvent) else event.is_down


def to_midi_file(events: Sequence[Event]) -> mido.MidiFile:
    """Return the take of :func:`to_bytes`, read."""
    log = EventLog()
    for event in events:
        log.append(event)
    return mido.MidiFile(file=io.BytesIO(to_bytes(log)))


def to_bytes(events: EventLog) -> bytes:
    """Return the take as a type-1 file: tempo, melody and accompaniment tracks.

    Pedals stand in the accompaniment's track. One event after the other: a long take is saved again
    and again, and memory must not grow with each save.
    """
    channels: dict[Part, set[int]] = {part: set() for part in PARTS}
    for event in events.in_order():
        if isinstance(event, PedalEvent) or event.is_on:
            channels[_part(event)].add(event.channel)
    tracks = {part: _Track(part) for part in PARTS}
    for part, track in tracks.items():
        for channel in sorted(channels[part] or {1}):
            track.add(0, bytes((0xC0 | channel - 1, 0)))
    for event in _in_pairs(events.in_order()):
        tracks[_part(event)].add(TEMPO.tick(event.time), bytes(message(event)))
    conductor = _Track("livecover")
    for tick, change in TEMPO.messages():
        conductor.add(tick, bytes(change.bytes()))
    whole = [conductor, *tracks.values()]
    header = struct.pack(">4sIHHH", b"MThd", 6, 1, len(whole), TICKS_PER_BEAT)
    return header + b"".join(track.chunk() for track in whole)


class _Track:
    """A track's messages as bytes, one after the other (SMF 1.0)."""

    def __init__(self, name: str) -> None:
        self._body = bytearray()
        self._last = 0
        self.add(0, b"\xff\x03" + _length(len(name)) + name.encode())

    def add(self, ticks: int, data: bytes) -> None:
        """Add a message, not before the last one."""
        self._body += _length(ticks - self._last) + data
        self._last = ticks

    def chunk(self) -> bytes:
        """Return the whole track."""
        body = bytes(self._body) + b"\x00\xff\x2f\x00"
        return b"MTrk" + len(body).to_bytes(4, "big") + body


def _length(n: int) -> bytes:
    """Return a variable-length quantity: seven bits a byte, the last without the eighth."""
    out = [n & 0x7F]
    while n := n >> 7:
        out.append(0x80 | n & 0x7F)
    return bytes(reversed(out))


def _part(event: Event) -> Part:
    """Return the track that an event stands in."""
    return event.part if isinstance(event, NoteEvent) else "accompaniment"


class FileSink:
    """Keeps every event and writes the file at close, and now and then before that.

    The file is whole at any moment (``engine.system.whole_file``). A sink that was opened and
    closed only leaves the disk as it was.

    Parameters
    ----------
    path
        Ends in .mid or .midi, ``~`` being the home folder; an existing file is replaced.
    autosave
        Least seconds between saves while recording (on a thread of its own, and never more than
        a fiftieth of the time); None saves at close only.

    Raises MidiError at once where the file could not be written later.
    """

    def __init__(self, path: str | Path, autosave: float | None = 5.0) -> None:
        self.name = str(path)
        self.is_there, self.n_losses, self.latency = True, 0, 0.0  # a file does not leave
        self._path = given_path(path)
        self._autosave = autosave
        self._lock = threading.Lock()  # guards the log only, never held over a write
        self._events = EventLog()
        self._is_used = False
        self._is_closed = threading.Event()
        self._saver: threading.Thread | None = None
        self._check()

    def send(self, event: Event) -> None:
        """Keep the event. Raises MidiError once closed."""
        if self._is_closed.is_set():
            raise MidiError(f"MIDI file {self.name!r} is closed")
        self._is_used = True
        with self._lock:
            self._events.append(event)
        if self._saver is None and self._autosave is not None:
            self._saver = threading.Thread(target=self._run, name="midi-file", daemon=True)
            self._saver.start()

    def silence(self) -> None:
        """Do nothing: open notes are ended in every file that is written."""
        self._is_used = True

    def panic(self) -> None:
        """Do nothing, as :meth:`silence`."""
        self._is_used = True

    def close(self) -> None:
        """Write the file; a second call does nothing.

        Raises MidiError where that fails, or the disk has not taken it within ``SAVE_S``.
        """
        if self._is_closed.is_set():
            return
        self._is_closed.set()
        if self._saver is not None and not join_thread(self._saver, SAVE_S, MIN_SAVE_S):
            raise self._unsaved()
        if not self._is_used:
            return
        data = self._encoded()
        try:
            call_with_timeout(SAVE_S, self.name, lambda: self._write(data), least=MIN_SAVE_S)
        except TimeoutError as error:
            raise self._unsaved() from error

    def _encoded(self) -> bytes:
        """Return what was sent so far as a file's bytes. A long take's may take a second."""
        with self._lock:
            events = self._events.copy()
        return to_bytes(events)

    def _write(self, data: bytes) -> None:
        """Put the file in its place. Raises MidiError where that fails."""
        try:
            with written_whole(self._path) as file:
                file.write(data)
        except DataError as error:
            raise MidiError(f"MIDI file {error}") from error

    def _unsaved(self) -> MidiError:
        return MidiError(
            f"MIDI file {self.name!r} is as it was last saved: its disk does not answer; is it"
            " still there?"
        )

    def _run(self) -> None:
        """Save now and then until closed. On the saver thread."""
        assert self._autosave is not None
        pause, n_saved = self._autosave, 0
        while not self._is_closed.wait(pause):
            if len(self._events) == n_saved:
                continue
            n_saved = len(self._events)
            start = time.perf_counter()
            data = self._encoded()
            if self._is_closed.is_set():  # all of it is to be written then
                return
            try:
                self._write(data)
            except MidiError as error:
                log.warning("%s", error)
            pause = max(self._autosave, 50 * (time.perf_counter() - start))

    def _check(self) -> None:
        """Raise MidiError unless a file can be put at the path."""
        try:
            check_writable(self._path)
        except DataError as error:
            raise MidiError(f"MIDI file {error}") from error
