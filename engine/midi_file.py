"""A take on disk: note events to a type-1 MIDI file, saved whole at each time.

Three tracks at 120 beats a minute and 960 ticks a beat: tempo, melody, accompaniment. Times are
the events' own, in the audio, so the file holds the music without latency or jitter.
"""

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import mido

from engine.errors import MidiError
from engine.notes import NoteEvent, Part
from engine.velocity import NoteMapping

TICKS_PER_BEAT = 960
TEMPO = 500_000  # microseconds a beat: 120 beats a minute
PARTS: tuple[Part, ...] = ("melody", "accompaniment")

log = logging.getLogger(__name__)


def paired(events: Sequence[NoteEvent]) -> list[NoteEvent]:
    """Return ``events`` in time order with every note-on ended exactly once, in its own part.

    A note that is struck again ends there; notes still open end with the last event.
    """
    result: list[NoteEvent] = []
    sounding: dict[int, Part] = {}
    for event in sorted(events, key=lambda event: (event.time, event.is_on)):
        part = sounding.pop(event.pitch, None)
        if part is not None:
            result.append(NoteEvent(event.time, event.pitch, 0, part))
        if event.is_on:
            sounding[event.pitch] = event.part
            result.append(event)
    end = result[-1].time if result else 0.0
    result += [NoteEvent(end, pitch, 0, part) for pitch, part in sounding.items()]
    return result


def to_midi_file(events: Sequence[NoteEvent], mapping: NoteMapping) -> mido.MidiFile:
    """Return the take as a type-1 file: tempo, melody and accompaniment tracks."""
    take = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    conductor = take.add_track("livecover")
    conductor.append(mido.MetaMessage("set_tempo", tempo=TEMPO))
    tracks = {part: take.add_track(part) for part in PARTS}
    for track in tracks.values():
        track.append(mido.Message("program_change", channel=mapping.channel - 1, program=0))
    ticks = dict.fromkeys(PARTS, 0)
    for event in paired(events):
        data = mapping.message(event)
        if data is None:
            continue
        now = max(0, round(mido.second2tick(event.time, TICKS_PER_BEAT, TEMPO)))
        message = mido.Message.from_bytes(data, time=now - ticks[event.part])
        ticks[event.part] = now
        tracks[event.part].append(message)
    return take


class FileSink:
    """Keeps every event and writes the file at close, and now and then before that.

    A save goes to ``.NAME.part`` beside the file, which then takes the file's place, so the file
    is whole at any moment. A sink that never saw ``send`` or ``panic`` leaves the disk as it was.

    Parameters
    ----------
    path
        Ends in .mid or .midi; an existing file is replaced.
    mapping
        Channel, transposition and velocity curve.
    autosave
        Least seconds between saves while recording (on a thread of its own, and never more than
        a fiftieth of the time); None saves at close only.

    Raises MidiError at once where the file could not be written later.
    """

    def __init__(
        self, path: Path, mapping: NoteMapping | None = None, autosave: float | None = 5.0
    ) -> None:
        self.name = str(path)
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._mapping = mapping or NoteMapping()
        self._autosave = autosave
        self._lock = threading.Lock()  # guards the list only, never held over a write
        self._events: list[NoteEvent] = []
        self._is_used = False
        self._is_closed = threading.Event()
        self._saver: threading.Thread | None = None
        self._check()

    def send(self, event: NoteEvent) -> None:
        """Keep the event. Raises MidiError once closed."""
        if self._is_closed.is_set():
            raise MidiError(f"MIDI file {self.name!r} is closed")
        self._is_used = True
        with self._lock:
            self._events.append(event)
        if self._saver is None and self._autosave is not None:
            self._saver = threading.Thread(target=self._run, name="midi-file", daemon=True)
            self._saver.start()

    def panic(self) -> None:
        """Do nothing: open notes are ended in every file that is written."""
        self._is_used = True

    def close(self) -> None:
        """Write the file. Raises MidiError where that fails; a second call does nothing."""
        if self._is_closed.is_set():
            return
        self._is_closed.set()
        if self._saver is not None:
            self._saver.join()
        if self._is_used:
            self.save()

    def save(self) -> None:
        """Write what was sent so far. Raises MidiError where that fails."""
        with self._lock:
            events = self._events.copy()
        try:
            with open(self._part, "wb") as file:
                to_midi_file(events, self._mapping).save(file=file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._part, self._path)
        except OSError as error:
            self._part.unlink(missing_ok=True)
            raise self._unwritable(error) from error

    def _run(self) -> None:
        """Save now and then until closed. On the saver thread."""
        assert self._autosave is not None
        pause, n_saved = self._autosave, 0
        while not self._is_closed.wait(pause):
            if len(self._events) == n_saved:
                continue
            n_saved = len(self._events)
            start = time.perf_counter()
            try:
                self.save()
            except MidiError as error:
                log.warning("%s", error)
            pause = max(self._autosave, 50 * (time.perf_counter() - start))

    def _check(self) -> None:
        """Raise MidiError unless a file can be written beside the path, and put in its place."""
        try:
            if self._path.is_dir():
                raise IsADirectoryError("it is a folder")
            self._part.touch()
            self._part.unlink()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> MidiError:
        """Return the error for the user."""
        return MidiError(
            f"MIDI file {self.name!r} cannot be written ({error.strerror or error}):"
            " give a path in a folder that exists, that you may write to and that has space"
        )
