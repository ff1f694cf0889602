"""Where the files of a take lie and what they are called. Not here: what is in them."""

import datetime
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engine.core.errors import ConfigError
from engine.system.bounded import join_thread
from engine.system.paths import is_folder

JOURNAL_SUFFIX = ".journal"
_NUMBER = re.compile(r" Take (\d+)(?:\D|$)")


@dataclass(frozen=True, slots=True)
class TakeFiles:
    """The files of one take: ``folder`` and ``name``, such as ``2026-11-21 18-05-12 Take 3``."""

    folder: Path
    name: str

    @property
    def journal(self) -> Path:
        """What is written while recording, and gone once the take is whole."""
        return self._file(JOURNAL_SUFFIX)

    @property
    def reserve(self) -> Path:
        """Room that is kept for the take's end; hidden, and gone with the journal."""
        return self.folder / f".{self.name}.reserve"

    @property
    def midi(self) -> Path:
        """The notes."""
        return self._file(".mid")

    @property
    def about(self) -> Path:
        """What is to be said about the take, as JSON."""
        return self._file(".json")

    @property
    def piano(self) -> Path:
        """The notes, as the piano here plays them."""
        return self._file(" piano.flac")

    @property
    def mix(self) -> Path:
        """Song and piano together."""
        return self._file(" mix.flac")

    def song(self, part: int) -> Path:
        """The input; ``part`` counts from 1, one more where the input changed its format."""
        return self._file(".flac" if part == 1 else f" part {part}.flac")

    def _file(self, ending: str) -> Path:
        return self.folder / f"{self.name}{ending}"  # not with_suffix: a name may hold a dot


def begin_take(folder: Path, now: datetime.datetime) -> TakeFiles:
    """Return a take's files under a name that no other take has, its journal made and empty.

    Raises ConfigError where the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numbers = [int(m[1]) for path in folder.iterdir() if (m := _NUMBER.search(path.name))]
        number = max(numbers, default=0) + 1
        while True:
            take = TakeFiles(folder, f"{now:%Y-%m-%d %H-%M-%S} Take {number}")
            try:
                take.journal.touch(exist_ok=False)
                return take
            except FileExistsError:  # another livecover was quicker
                number += 1
    except OSError as error:
        raise _unwritable(folder, error) from error


def check_folder(folder: Path) -> None:
    """Make the folder where it is not there. Raises ConfigError unless it can be written to."""
    probe = folder / ".livecover"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(folder, error) from error


def check_folder_in_time(folder: Path, timeout: float) -> None:
    """Do the same where the disk may hang. Raises ConfigError after ``timeout`` seconds too."""
    found: list[Exception | None] = []

    def check() -> None:
        try:
            check_folder(folder)
        except ConfigError as error:
            found.append(error)
        else:
            found.append(None)

    thread = threading.Thread(target=check, name="folder", daemon=True)
    thread.start()
    join_thread(thread, timeout)
    if not found:
        raise ConfigError(
            f"takes cannot be written to {str(folder)!r} (the disk does not answer): give --record"
            " another folder"
        )
    if found[0] is not None:
        raise found[0]


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"takes cannot be written to {str(folder)!r} ({error.strerror or error}): give"
        " --record a folder that you may write to"
    )


def unfinished(folder: Path) -> list[TakeFiles]:
    """Return the takes whose journal nobody writes any more: their program was killed."""
    journals = sorted(folder.glob(f"*{JOURNAL_SUFFIX}")) if is_folder(folder) else []
    return [
        TakeFiles(folder, path.name.removesuffix(JOURNAL_SUFFIX))
        for path in journals
        if not _is_in_use(path)
    ]


def claim(file: IO[bytes]) -> None:
    """Let other programs know that this journal is being written. It ends with the process."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_in_use(path: Path) -> bool:
    """Return whether a running program writes this journal."""
    try:
        if sys.platform == "win32":
            path.rename(path)  # refused while it is open
            return False
        with path.open("ab") as file:
            claim(file)
        return False
    except OSError:
        return True
