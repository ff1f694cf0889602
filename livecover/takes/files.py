"""The files of a take: folder and names. Not here: their contents."""

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
        """Written while recording, and removed once the take is whole."""
        return self._file(JOURNAL_SUFFIX)

    @property
    def reserve(self) -> Path:
        """Reserved disk space; hidden, and removed with the journal."""
        return self.folder / f".{self.name}.reserve"

    @property
    def midi(self) -> Path:
        """The notes."""
        return self._file(".mid")

    @property
    def about(self) -> Path:
        """Facts about the take, as JSON."""
        return self._file(".json")

    @property
    def piano(self) -> Path:
        """The notes, played by the piano."""
        return self._file(" piano.flac")

    @property
    def mix(self) -> Path:
        """Song and piano together."""
        return self._file(" mix.flac")

    def song(self, part: int) -> Path:
        """The input; ``part`` counts from 1, with a new part when the input's format changes."""
        return self._file(".flac" if part == 1 else f" part {part}.flac")

    def _file(self, ending: str) -> Path:
        return self.folder / f"{self.name}{ending}"  # not with_suffix: a name may contain a dot


def begin_take(folder: Path, now: datetime.datetime) -> TakeFiles:
    """Return the files of a new take, its journal created and empty.

    Raises ConfigError if the folder cannot be created or written to.
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
            except FileExistsError:  # another livecover has taken it
                number += 1
    except OSError as error:
        raise _unwritable(folder, error) from error


def check_folder(folder: Path) -> None:
    """Create the folder if needed. Raises ConfigError if it cannot be written to."""
    probe = folder / ".livecover"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(folder, error) from error


def check_folder_in_time(folder: Path, timeout: float) -> None:
    """As :func:`check_folder`; raises ConfigError too if the disk takes ``timeout`` seconds."""
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
    """Return the takes whose program was killed: their journal exists, and is not being written."""
    journals = sorted(folder.glob(f"*{JOURNAL_SUFFIX}")) if is_folder(folder) else []
    return [
        TakeFiles(folder, path.name.removesuffix(JOURNAL_SUFFIX))
        for path in journals
        if not _is_in_use(path)
    ]


def lock_journal(file: IO[bytes]) -> None:
    """Lock a journal, to show that it is being written. The lock ends with the process."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_in_use(path: Path) -> bool:
    """Return whether a running program is writing this journal."""
    try:
        if sys.platform == "win32":
            path.rename(path)  # refused while it is open
            return False
        with path.open("ab") as file:
            lock_journal(file)
        return False
    except OSError:
        return True
