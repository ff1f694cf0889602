"""A take as it is written: one JSON array a line, in the order in which things came.

Appended and handed to the system at each flush, so that a killed program has lost nothing older
than the last one. Times are seconds of the take. Not here: what is made of it (``ending``).
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
from livecover.takes.files import claim

FORMAT = 1
FAILED = "failed"
"""How a take ended that could not be written any more."""


@dataclass(slots=True)
class Contents:
    """What a journal holds."""

    header: dict[str, object] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    texts: list[tuple[float, str]] = field(default_factory=list)
    tempos: list[tuple[float, float]] = field(default_factory=list)  # (second, beats a minute)
    bars: list[tuple[float, int]] = field(default_factory=list)  # (second of a line, its beats)
    songs: list[str] = field(default_factory=list)  # names of files
    seconds: float = 0.0  # up to where it is known
    n_losses: int = 0
    n_dropped: int = 0  # samples of the song that became silence
    n_lost_notes: int = 0  # note-ons that found no room while the disk was slow
    n_overruns: int = 0  # gaps in the input, which nobody heard
    ended: str | None = None  # None: the program was killed
    fault: str = ""  # why the take ended, where nobody wanted it to


class Journal:
    """The file while it is written. One thread; every method may raise OSError."""

    def __init__(self, path: Path, header: dict[str, object]) -> None:
        self._file = path.open("ab")
        claim(self._file)
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
        """Write words, such as the name of a style."""
        self._write("text", _micro(time), text)

    def tempo(self, time: float, bpm: float) -> None:
        """Write the beats a minute from ``time`` on."""
        self._write("tempo", _micro(time), bpm)

    def bar(self, time: float, n_beats: int) -> None:
        """Write that a bar of so many beats begins at ``time``."""
        self._write("bar", _micro(time), n_beats)

    def song(self, name: str) -> None:
        """Write the name of a file of sound that begins."""
        self._write("song", name)

    def reached(
        self, time: float, n_dropped: int, n_lost_notes: int = 0, n_overruns: int = 0
    ) -> None:
        """Write how far the take has come, and what of it is missing."""
        self._write("reached", _micro(time), n_dropped, n_lost_notes, n_overruns)

    def lost(self, time: float) -> None:
        """Write that the input was lost."""
        self._write("lost", _micro(time))

    def end(self, time: float, reason: str) -> None:
        """Write the last line."""
        self._write("end", _micro(time), reason)

    def failed(self, time: float, fault: str) -> None:
        """Write, as the last line, why the take could not go on."""
        self._write("failed", _micro(time), fault)

    @property
    def n_bytes(self) -> int:
        """How long the file is."""
        return self._file.tell()

    def flush(self) -> None:
        """Hand everything to the system, which keeps it whatever becomes of this program.

        Raises OSError too once somebody has removed the file: then nothing is kept.
        """
        self._file.flush()
        if not os.fstat(self._file.fileno()).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "somebody has removed the take's files")

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def _write(self, *values: object) -> None:
        self._file.write(json_line(values))


def json_line(values: object) -> bytes:
    r"""Return values as one line of JSON in UTF-8; a name that is no text keeps its bytes.

    >>> json_line("café"), json_line("caf\udce9")
    (b'"caf\xc3\xa9"\n', b'"caf\\udce9"\n')
    """
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _micro(time: float) -> float:
    return round(time, 6)


def read_journal(path: Path) -> Contents:
    """Return what a journal holds; a last line that was cut off is left out.

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
            f"{path} is not a take's journal that this version can read ({error}): move it away"
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
            case ["reached", time, n_dropped, *more]:  # an older version told no more
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
        if kind not in ("begin", "song", "bar"):  # a bar is told before it comes
            found.seconds = max(found.seconds, float(values[0]))
    if end is not None:
        found.seconds = end
    return found
