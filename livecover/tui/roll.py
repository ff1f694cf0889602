"""The notes of the last seconds, as a grid for half-block characters. Not here: colours.

A row of the terminal has two levels of pitch (``▀``, ``▄``); a column is a span of time. Times are
seconds of ``time.perf_counter``.
"""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.core.note_tracker import NoteTracker
from engine.core.notes import Event, NoteEvent
from engine.core.taps import Tap, TappedSource
from models.spec import MIN_PITCH, N_PITCHES

MAX_NOTES = 4096
"""Most notes that are kept: more than in a minute."""
EMPTY, ACCOMPANIMENT, MELODY, ONSET = 0, 1, 2, 3
"""Values of a cell; where a note begins, it is ``ACCOMPANIMENT + ONSET - 1`` or the melody's."""

Span = tuple[float, float, int, int]
"""Begin, end, pitch, ACCOMPANIMENT or MELODY."""


class RollTap(Tap):
    """A tap that keeps notes until they are drawn. On the engine's threads, without a lock."""

    def __init__(self) -> None:
        self._found: deque[tuple[NoteEvent | None, float]] = deque(maxlen=4 * MAX_NOTES)
        self._spans: deque[Span] = deque(maxlen=MAX_NOTES)
        self._open = NoteTracker()  # with host times

    def found(self, events: Sequence[Event], dues: Sequence[float]) -> None:  # noqa: D102
        for event, due in zip(events, dues, strict=True):
            if isinstance(event, NoteEvent):
                self._found.append((event, due))

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:  # noqa: D102
        self.silenced()

    def silenced(self) -> None:  # noqa: D102
        self._found.append((None, time.perf_counter()))

    def close(self) -> None:  # noqa: D102
        self.silenced()

    def spans(self, start: float, now: float) -> list[Span]:
        """Return the notes that sound between two times. On the drawing thread."""
        for _ in range(len(self._found)):
            event, due = self._found.popleft()
            if event is None:
                self._spans += [_span(on, due) for on in self._open.notes]
                self._open.clear()
                self._spans = deque(
                    ((on, min(off, due), p, part) for on, off, p, part in self._spans if on < due),
                    MAX_NOTES,
                )
                continue
            on = self._open.track(replace(event, time=due))
            if on is not None:
                self._spans.append(_span(on, due))
        sounding = [_span(on, now) for on in self._open.notes]
        visible = [span for span in (*self._spans, *sounding) if span[1] > start and span[0] <= now]
        return sorted(visible, key=lambda span: span[3])  # the melody is drawn last


def _span(on: NoteEvent, end: float) -> Span:
    part = MELODY if on.part == "melody" else ACCOMPANIMENT
    return on.time, max(on.time, end), on.pitch, part


def grid(
    spans: Iterable[Span], start: float, now: float, n_columns: int, n_levels: int
) -> list[bytearray]:
    """Return the cells: rows of pitch (the highest first), columns of time (the oldest first).

    >>> [list(row) for row in grid([(0.5, 1.0, 21, MELODY)], 0.0, 1.0, 4, 2)]
    [[0, 0, 0, 0], [0, 0, 4, 2]]
    """
    cells = [bytearray(n_columns) for _ in range(n_levels)]
    width = (now - start) / n_columns
    for on, off, pitch, part in spans:
        if not MIN_PITCH <= pitch < MIN_PITCH + N_PITCHES:
            continue
        row = cells[n_levels - 1 - (pitch - MIN_PITCH) * n_levels // N_PITCHES]
        first = max(0, int((on - start) / width))
        last = min(n_columns - 1, max(first, int((min(off, now) - start) / width - 1e-9)))
        for column in range(first, last + 1):
            row[column] = part
        if on >= start and first < n_columns:
            row[first] = part + ONSET - 1
    return cells
