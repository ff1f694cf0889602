"""The takes of a folder: what is there of each, showing and deleting them.

Not here: what their files contain (``ending``).
"""

import json
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.errors import DataError
from engine.system.paths import is_folder, shown
from livecover.takes.files import JOURNAL_SUFFIX, TakeFiles

MAX_LISTED = 200
"""Takes that are listed, the newest first."""
MAX_ABOUT = 1 << 20
"""Bytes of a take's JSON beyond which it is none of ours."""
KINDS = ("mix", "song", "piano", "midi")


@dataclass(frozen=True, slots=True)
class Take:
    """One take that has ended."""

    files: TakeFiles
    seconds: float
    n_notes: int
    is_whole: bool

    @property
    def name(self) -> str:
        """As its files begin."""
        return self.files.name

    def file(self, kind: str) -> Path | None:
        """Return the file of one of KINDS; None if there is none."""
        files = self.files
        paths = {"mix": files.mix, "song": files.song(1), "piano": files.piano, "midi": files.midi}
        path = paths.get(kind)
        return path if path is not None and path.is_file() else None


def list_takes(folder: Path) -> list[Take]:
    """Return the takes in ``folder`` that have ended, the newest first; none if there is none."""
    if not is_folder(folder):
        return []
    names = sorted((path.stem for path in folder.glob("*.json")), reverse=True)
    found = (_read(TakeFiles(folder, name)) for name in names)
    takes = [take for take in found if take is not None]
    return sorted(takes, key=lambda take: take.name, reverse=True)[:MAX_LISTED]


def find_take(folder: Path, name: str) -> Take:
    """Return the take of that name. Raises DataError if it is none of those listed."""
    for take in list_takes(folder):
        if take.name == name:
            return take
    raise DataError(f"there is no take {shown(name)} in {shown(folder)}: look at the list again")


def delete_take(folder: Path, name: str) -> None:
    """Delete all files of a take. Raises DataError if there is none, or one cannot be deleted."""
    take = find_take(folder, name)
    try:
        for path in _files_of(take.files):
            path.unlink(missing_ok=True)
        take.files.about.unlink()  # the last: until then it is listed
    except OSError as error:
        raise DataError(
            f"{shown(name)} cannot be deleted ({error.strerror}): close what uses it, and try again"
        ) from error


def reveal(folder: Path, system: str = platform.system()) -> None:
    """Open a folder in the system's file manager. Raises DataError where there is none."""
    command = {"Darwin": "open", "Windows": "explorer"}.get(system, "xdg-open")
    if not is_folder(folder):
        raise DataError(f"there is no folder {shown(folder)} yet: record a take first")
    try:
        subprocess.Popen(
            [command, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise DataError(
            f"no file manager could be opened ({command}: {error.strerror}); the takes are in"
            f" {shown(folder)}"
        ) from error


def _read(files: TakeFiles) -> Take | None:
    """Return the take of these files; None if the JSON is not a take's."""
    try:
        if files.about.stat().st_size > MAX_ABOUT:
            return None
        about: Any = json.loads(files.about.read_bytes())
        if about["take"] != files.name:
            return None
        seconds, n_notes = float(about["seconds"]), int(about["n_notes"])
        return Take(files, seconds, n_notes, bool(about["is_whole"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _files_of(files: TakeFiles) -> list[Path]:
    """Return the files of a take but its JSON; those of a take whose name goes on are not its."""
    own = [files.midi, files.piano, files.mix, files.reserve, files.song(1)]
    n_parts = 2
    while files.song(n_parts).exists():
        own.append(files.song(n_parts))
        n_parts += 1
    quantized = files.folder.glob("*.mid")
    own += [path for path in quantized if path.stem == f"{files.name} quantized"]
    assert files.journal.suffix == JOURNAL_SUFFIX
    return own
