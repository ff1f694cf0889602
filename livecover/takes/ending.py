"""Makes the MIDI file and the JSON of a take's journal, after its end or after a crash.

Not here: the journal (``journal``).
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from engine.core.errors import DataError
from engine.core.notes import NoteEvent
from livecover.takes.files import TakeFiles, unfinished
from livecover.takes.journal import FAILED, Contents, read_journal
from livecover.takes.midi import to_midi

KILLED = "killed"
"""``ended`` of a take whose program was killed."""


def end_take(take: TakeFiles, on_step: Callable[[], None] = lambda: None) -> Contents:
    """Write the take's MIDI file and JSON, remove its journal, and return its contents.

    ``on_step`` is called after each step, which may take a second.

    Raises
    ------
    DataError
        The journal cannot be read; it stays.
    OSError
        A file cannot be written; the journal stays.
    """
    contents = read_journal(take.journal)
    on_step()
    midi = to_midi(contents)
    on_step()
    take.reserve.unlink(missing_ok=True)
    _write(take.midi, lambda file: midi.save(file=file))
    on_step()
    about = json.dumps(describe(take, contents), indent=2, ensure_ascii=False) + "\n"
    _write(take.about, lambda file: file.write(about.encode("utf-8", "backslashreplace")))
    take.journal.unlink()
    return contents


def recover_takes(folder: Path) -> list[str]:
    """Complete the takes that a killed program left in ``folder``; return a line about each."""
    lines = []
    for take in unfinished(folder):
        try:
            if not take.journal.stat().st_size:  # killed before the first note
                take.journal.unlink()
                take.reserve.unlink(missing_ok=True)
                continue
            contents = end_take(take)
            n = _n_notes(contents)
            lines.append(
                f"recovered {take.midi}: {n} notes, {contents.seconds:.1f} s, "
                + (contents.fault or "from a livecover that was killed")
            )
        except (DataError, OSError) as error:
            lines.append(f"the take {take.name} could not be recovered: {error}")
    return lines


def describe(take: TakeFiles, contents: Contents) -> dict[str, object]:
    """Return the contents of the JSON file."""
    ons = [e for e in contents.events if isinstance(e, NoteEvent) and e.is_on]
    ended = contents.ended or KILLED
    return {
        "take": take.name,
        **contents.header,
        "seconds": contents.seconds,
        "ended": ended,
        "is_whole": ended not in (KILLED, FAILED)
        and not (contents.n_dropped or contents.n_lost_notes or contents.n_overruns),
        "fault": contents.fault,
        "n_notes": len(ons),
        "n_melody_notes": sum(event.part == "melody" for event in ons),
        "n_losses_of_input": contents.n_losses,
        "n_dropped_samples": contents.n_dropped,
        "n_lost_notes": contents.n_lost_notes,
        "n_overruns": contents.n_overruns,
        "midi": take.midi.name,
        "songs": contents.songs,
        "tempos": contents.tempos,
        "changes": contents.texts,
    }


def _n_notes(contents: Contents) -> int:
    return sum(isinstance(event, NoteEvent) and event.is_on for event in contents.events)


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under another name, and rename it once it is whole."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
