"""Paths as users give them: ``~``, and checks on the disk that never raise.

``pathlib`` raises where a folder may not be entered, a name is too long or holds a NUL, or nobody
knows the home folder. Whatever a user may have typed goes through here instead.
"""

import difflib
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import platformdirs

from engine.core.errors import ConfigError

NO_SUCH_FILE = "no such file"
MAX_COMPARED = 2000  # names of a folder, of which one may have been meant
_NOT_SHOWN = "[\0-\x08\x0b-\x1f\x7f-\x9f\udc80-\udcff]"  # a tab and a new line are


def given_path(text: str | Path) -> Path:
    """Return the path that was typed; ``~`` and ``~user`` at its beginning are home folders.

    As in a shell: a name that is no user's is taken as it is, if something there is called so.

    Raises
    ------
    ConfigError
        Nobody knows that home folder, or the path holds a NUL character.

    >>> given_path("takes/one.mid").as_posix(), given_path("~draft.mid").as_posix()
    ('takes/one.mid', '~draft.mid')
    """
    typed = os.fspath(text)
    if "\0" in typed:
        raise ConfigError(
            f"{typed!r} holds a NUL character, which no file's name may: leave it out"
        )
    path = Path(os.path.expanduser(typed))
    first = path.parts[0] if path.parts else ""
    is_folder_of_nobody = first.startswith("~") and (len(path.parts) > 1 or first == "~")
    if is_folder_of_nobody and not os.path.lexists(first):
        raise ConfigError(
            f"{shown(typed)}: no home folder is known for {shown(first)}; give the path in full"
        )
    return path


def exists(path: str | Path) -> bool:
    """Return whether something is there, as far as one may look."""
    return os.path.exists(path)


def is_file(path: str | Path) -> bool:
    """Return whether a file is there, as far as one may look."""
    return os.path.isfile(path)


def is_folder(path: str | Path) -> bool:
    """Return whether a folder is there, as far as one may look."""
    return os.path.isdir(path)


def file_fault(path: str | Path) -> str | None:
    """Return why ``path`` is no file to be read, in words; None where it is one.

    >>> file_fault("nowhere/song.wav"), file_fault(".")
    ('no such file', 'it is a folder')
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return NO_SUCH_FILE
    except OSError as error:
        return error.strerror or str(error)
    except ValueError:  # a NUL, or a letter that the disk's names cannot have
        return "no file can have this name"
    if stat.S_ISDIR(mode):
        return "it is a folder"
    return None if stat.S_ISREG(mode) else "it is a device, not a file"


def did_you_mean(path: Path) -> str:
    """Return ``; did you mean ...?`` with the file beside it that is called most like it, or ''."""
    try:
        beside = os.listdir(path.parent)[:MAX_COMPARED]
    except (OSError, ValueError):
        return ""
    others = [name for name in beside if name != path.name]  # a link to nowhere is there itself
    near = difflib.get_close_matches(path.name, others, n=1, cutoff=0.75)
    return f"; did you mean {shown(path.with_name(near[0]))}?" if near else ""


def user_folder(find: Callable[[], Path]) -> Path | None:
    """Return the folder that ``find``, of platformdirs, names; None where there is no home.

    Its releases differ: one raises, another answers with a ``~`` that nobody replaced.
    """
    try:
        path = find()
    except (OSError, RuntimeError, ValueError):
        return None
    return path if path.is_absolute() else None


def cache_folder() -> Path:
    """Return the user's folder for what can be made again. Raises ConfigError without a home."""
    folder = user_folder(lambda: platformdirs.user_cache_path("livecover", appauthor=False))
    if folder is None:
        raise ConfigError("no home folder is known to keep files in; set HOME to one")
    return folder


def state_folder() -> Path:
    """Return the user's folder for what a program leaves for its next start, existing or not.

    Raises ConfigError without a home.
    """
    folder = user_folder(lambda: platformdirs.user_state_path("livecover", appauthor=False))
    if folder is None:
        raise ConfigError("no home folder is known to keep files in; set HOME to one")
    return folder


def shown(path: str | Path) -> str:
    r"""Return a path, or words with paths, for a message.

    Bytes that are no text become ``\xe9``, and so do characters that a terminal obeys.

    >>> shown("caf\udce9.wav"), shown("\x1b[2Jsong.wav")
    ('caf\\xe9.wav', '\\x1b[2Jsong.wav')
    """
    return re.sub(_NOT_SHOWN, lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", str(path))


def system_path(path: Path) -> str | bytes:
    """Return a path as libsndfile takes any: bytes, but on Windows."""
    return str(path) if sys.platform == "win32" else os.fsencode(path)
