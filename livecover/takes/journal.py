"""The journal of a take that is being recorded: one JSON array a line, in order of arrival.

Each flush hands it to the system, so that a killed program loses nothing older than the last flush.
Times are seconds of the take. Not here: the files made of it (``ending``).
"""

import errno
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.core.errors import DataError
from engine.core.notes import Event, NoteEvent, PedalEvent
from livecover.takes.files import lock_journal

FORMAT = 1
FAILED = "failed"
"""``ended`` of a take that could not be written further."""


@dataclass(slots=True)
class Contents:
    """The contents of a take, as read from its journal."""

    header: dict[str, object] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    texts: list[tuple[float, str]] = field(default_factory=list)
    tempos: list[tuple[float, float]] = field(default_factory=list)  # (second, beats a minute)
    bars: list[tuple[float, int]] = field(default_factory=list)  # (second, beats in the bar)
    songs: list[str] = field(default_factory=list)  # names of files
    seconds: float = 0.0  # its length, as far as it is known
    n_losses: int = 0
    n_dropped: int = 0  # samples of the song that are silence instead
    n_lost_notes: int = 0  # note-ons dropped while the disk was slow
    n_overruns: int = 0  # gaps in the input
    ended: str | None = None  # None: the program was killed
    fault: str = ""  # why the take ended, if not on request


class Journal:
    """The file while it is written. One thread; every method may raise OSError."""

    def __init__(self, path: Path, header: dict[str, object]) -> None:
        self._file = path.open("ab")
        lock_journal(self._file)
        self._write("begin", FORMAT, header)
        self.flush()

    def event(self, event: Event, time: float) -> None:
        """Write a note or a pedal at ``time`` of the take."""
        if isinstance(event, NoteEvent):
            values = (event.pitch, event.velocity, event.part, event.hand, event.channel)
            self._write("note", _micro(time), *values)
        else:
            self._write("pedal", _micro(time), event.is_down, event.channel)

    def text(self, time: float, text: str) -> None:
        """Write a text, such as the name of a style."""
        self._write("text", _micro(time), text)

    def tempo(self, time: float, bpm: float) -> None:
        """Write the beats a minute from ``time`` on."""
        self._write("tempo", _micro(time), bpm)

    def bar(self, time: float, n_beats: int) -> None:
        """Write a bar line at ``time``, and the bar's number of beats."""
        self._write("bar", _micro(time), n_beats)

    def song(self, name: str) -> None:
        """Write the name of an audio file that begins."""
        self._write("song", name)

    def reached(
        self, time: float, n_dropped: int, n_lost_notes: int = 0, n_overruns: int = 0
    ) -> None:
        """Write the take's length so far, and what is missing."""
        self._write("reached", _micro(time), n_dropped, n_lost_notes, n_overruns)

    def lost(self, time: float) -> None:
        """Write that the input was lost."""
        self._write("lost", _micro(time))

    def end(self, time: float, reason: str) -> None:
        """Write the last line."""
        self._write("end", _micro(time), reason)

    def failed(self, time: float, fault: str) -> None:
        """Write why the take could not go on, as the last line."""
        self._write("failed", _micro(time), fault)

    @property
    def n_bytes(self) -> int:
        """Length of the file."""
        return self._file.tell()

    def flush(self) -> None:
        """Hand everything to the system, so that it survives a crash of this program.

        Raises OSError too if the file has been removed.
        """
        self._file.flush()
        if not os.fstat(self._file.fileno()).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "the take's files have been removed")

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def _write(self, *values: object) -> None:
        self._file.write(json_line(values))


def json_line(values: object) -> bytes:
    r"""Return values as one line of JSON in UTF-8; undecodable bytes of a name are kept.

    >>> json_line("café"), json_line("caf\udce9")
    (b'"caf\xc3\xa9"\n', b'"caf\\udce9"\n')
    """
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _micro(time: float) -> float:
    return round(time, 6)


def read_journal(path: Path) -> Contents:
    """Return the contents of a journal, without a last line that was cut off.

    Raises
    ------
    DataError
        The file cannot be read, or was not written by this program.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
        return _contents([json.loads(line) for line in lines])
    except (OSError, ValueError, TypeError, IndexError, KeyError) as error:
        raise DataError(
            f"{path}: expected a take's journal of this version ({error}): move the file away"
        ) from error


def _contents(lines: Iterable[list[Any]]) -> Contents:
    found = Contents()
    end: float | None = None
    for kind, *values in lines:
        match [kind, *values]:
            case ["begin", int(version), dict(header)]:
                if version != FORMAT:
                    raise ValueError(f"format {version}, not {FORMAT}")
                found.header = header
            case ["note", time, pitch, velocity, part, hand, channel]:
                found.events.append(NoteEvent(time, pitch, velocity, part, hand, channel))
            case ["pedal", time, is_down, channel]:
                found.events.append(PedalEvent(time, is_down, channel))
            case ["text", time, text]:
                found.texts.append((time, text))
            case ["tempo", time, bpm]:
                found.tempos.append((time, bpm))
            case ["bar", time, n_beats]:
                found.bars.append((time, n_beats))
            case ["song", name]:
                found.songs.append(name)
            case ["reached", time, n_dropped, *more]:  # older versions wrote no more
                found.n_dropped = n_dropped
                found.n_lost_notes, found.n_overruns = more or (0, 0)
            case ["lost", time]:
                found.n_losses += 1
            case ["end", time, reason]:
                found.ended, end = reason, time
            case ["failed", time, fault]:
                found.ended, found.fault = FAILED, fault
            case _:
                raise ValueError(f"an unknown line {kind!r}")
        if kind not in ("begin", "song", "bar"):  # a bar line is written before its time
            found.seconds = max(found.seconds, float(values[0]))
    if end is not None:
        found.seconds = end
    return found
