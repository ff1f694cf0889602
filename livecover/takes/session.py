"""One take while it is recorded: which notes, audio and bars belong to it, and at which second.

One thread, no clock: everything comes with its engine time. Not here: the files (``journal``,
``flac``), and when takes begin and end (``writer``).
"""

import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.core.note_tracker import NoteTracker
from engine.core.notes import Event
from engine.core.tempo import Tempo
from livecover.takes.ending import end_take
from livecover.takes.files import TakeFiles
from livecover.takes.flac import FlacTrack
from livecover.takes.journal import Contents, Journal
from livecover.takes.reserve import DiskReserve

Array = NDArray[np.float32]

LEAD_S = 1.0
"""Least seconds from a tempo to the bar line that the take's bars start from."""

LEAST_CHANGE_BPM = 0.1
"""Least change of tempo that is written where bars are not known."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _WrittenBeat:
    """What was last written of the beat."""

    bpm: float
    beats_per_bar: int
    bar: float | None = None  # a bar line, in the engine's time


class TakeSession:
    """A take from its first block to its end.

    Parameters
    ----------
    take
        Its files; the journal exists and is empty.
    header
        The first entries of its JSON.
    start
        Engine time of its second 0.
    has_song
        Whether to record the input too.
    on_step
        Called after each step of ending it.

    Every method may raise OSError.
    """

    def __init__(
        self,
        take: TakeFiles,
        header: dict[str, object],
        start: float,
        has_song: bool,
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        self.take = take
        self.start = start
        self._has_song = has_song
        self._on_step = on_step
        self._reserve = DiskReserve(take.reserve)
        self._journal = Journal(take.journal, header)
        self._track: FlacTrack | None = None
        self._n_songs = 0
        self._reached = 0.0  # seconds of the take
        self._n_dropped = 0
        self._n_lost_notes = self._n_overruns = 0
        self._early = NoteTracker()  # notes that began before the take and may still sound
        self._has_begun = False
        self._written: _WrittenBeat | None = None

    def hold(self, sounding: NoteTracker) -> None:
        """Take the notes and pedals that sound when the take begins."""
        self._early = sounding.copy()

    def sent(self, event: Event) -> None:
        """Write an event; a note from before the take is written at 0 s, if it still sounds."""
        if event.time < self.start:
            self._early.track(event)
            return
        if not self._has_begun:
            self._begin()
        self._journal.event(event, event.time - self.start)

    def audio(self, block: Array, time: float, sample_rate: int) -> None:
        """Write a block (n, c) whose first sample is at ``time``."""
        self._reached = max(self._reached, time - self.start + len(block) / sample_rate)
        if not self._has_song:
            return
        track = self._track
        if track is None or (track.sample_rate, track.n_channels) != (sample_rate, block.shape[1]):
            track = self._next_track(sample_rate, block.shape[1])
        track.write(block, round((time - self.start) * sample_rate))

    def dropped(self, n: int, time: float, sample_rate: int) -> None:
        """Count ``n`` samples from ``time`` on that were dropped; they become silence."""
        self._reached = max(self._reached, time - self.start + n / sample_rate)
        self._n_dropped += n

    def lost_notes(self, n: int) -> None:
        """Count ``n`` note-ons that were dropped."""
        self._n_lost_notes += n

    def overruns(self, n: int) -> None:
        """Take the number of gaps in the input since the take began."""
        self._n_overruns = max(self._n_overruns, n)  # a new engine counts from 0

    def lost(self) -> None:
        """Write that the input is gone."""
        self._journal.lost(self._reached)

    def text(self, text: str, time: float) -> None:
        """Write a text at ``time``."""
        self._journal.text(max(0.0, time - self.start), text)

    def beat(self, tempo: Tempo, time: float, line: float | None) -> None:
        """Write what is new of tempo and bars at ``time``; ``line`` is a bar line, if one is known.

        Bars are those of the metre that the take began with.
        """
        known = self._written
        if known is None or (line is not None and known.bar is None):
            self._begin_bars(tempo, time, line)
        elif line is None or known.bar is None:
            if abs(tempo.bpm - known.bpm) >= LEAST_CHANGE_BPM:
                self._tempo(tempo.bpm, time)
                self._written = replace(known, bpm=tempo.bpm)
        elif tempo.beats_per_bar == known.beats_per_bar:
            if line - known.bar > 0.5 * tempo.beats_per_bar * tempo.beat_s:
                self._tempo(tempo.bpm, line)
                self._bar(line, tempo.beats_per_bar)
                self._written = replace(known, bar=line)

    def _begin_bars(self, tempo: Tempo, time: float, line: float | None) -> None:
        """Write the tempo at ``time``, and the first bar line at least ``LEAD_S`` later."""
        self._tempo(tempo.bpm, time)
        self._written = _WrittenBeat(tempo.bpm, tempo.beats_per_bar)
        if line is None:
            return
        bar_s = tempo.beats_per_bar * tempo.beat_s
        first = line + max(0, math.ceil((time + LEAD_S - line) / bar_s)) * bar_s
        self._bar(first, tempo.beats_per_bar)
        self._written = replace(self._written, bar=first)

    def _tempo(self, bpm: float, time: float) -> None:
        self._journal.tempo(max(0.0, time - self.start), bpm)

    def _bar(self, time: float, n_beats: int) -> None:
        """Write a bar line at ``time``, which may be in the future."""
        self._journal.bar(time - self.start, n_beats)

    def flush(self) -> None:
        """Hand everything to the system, so that a crash of this program loses nothing of it."""
        self._write_reached()
        self._journal.flush()
        self._reserve.keep(self._journal.n_bytes // 2)  # a MIDI file is shorter than its journal
        if self._track is not None:
            self._track.flush()

    def end(self, time: float, reason: str) -> Contents:
        """End the take at engine time ``time``; return its contents. Raises DataError too."""
        if not self._has_begun:
            self._begin()
        self._write_reached()
        self._journal.end(max(0.0, time - self.start), reason)
        if self._track is not None:
            self._track.close()
        self._journal.close()
        return end_take(self.take, self._on_step)

    def fail(self, fault: str) -> Contents:
        """End the take with what was written so far, since no more can be written.

        Raises OSError, DataError if that fails too: the journal stays, and the next start of
        livecover completes the take.
        """
        self._reserve.release()
        if self._track is not None:
            with contextlib.suppress(OSError, ValueError):  # it may be closed
                self._track.flush()
            with contextlib.suppress(OSError):
                self._track.close()
        try:
            self._journal.failed(self._reached, fault)
        except ValueError:
            _log.debug("%s had ended already", self.take.name)
        self._journal.close()
        return end_take(self.take, self._on_step)

    def _write_reached(self) -> None:
        self._journal.reached(self._reached, self._n_dropped, self._n_lost_notes, self._n_overruns)

    def _begin(self) -> None:
        """Write the notes and pedals that sounded before the take."""
        self._has_begun = True
        sounding: list[Event] = [*self._early.pedals, *self._early.notes]
        for event in sounding:
            self._journal.event(event, 0.0)

    def _next_track(self, sample_rate: int, n_channels: int) -> FlacTrack:
        """Begin a file, for the first block or when the input's format changes."""
        if self._track is not None:
            self._track.close()
        self._n_songs += 1
        path = self.take.song(self._n_songs)
        self._track = FlacTrack(path, sample_rate, n_channels)
        self._journal.song(path.name)
        return self._track
