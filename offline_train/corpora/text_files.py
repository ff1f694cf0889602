"""Text and JSON that people or other programs wrote: read whole, or DataError in one line."""

import codecs
import json
from pathlib import Path
from typing import Any

from engine.core.errors import DataError
from engine.system.file_kinds import HEAD_BYTES, kind_of
from engine.system.paths import shown


def read_text(path: Path, fallback: str | None = None) -> str:
    """Return a file's text, in UTF-8 or with the mark of UTF-16, without that mark.

    Raises DataError where it cannot be read or is in another encoding; where a ``fallback`` is
    given, that one is tried.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(
            f"{shown(path)}: expected a text file, could not read it ({reason})"
        ) from error
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        if fallback is not None and not is_wide:
            return data.decode(fallback)
        kind = kind_of(data[:HEAD_BYTES])
        raise DataError(f"{shown(path)}: expected text in UTF-8, got {kind} ({error})") from error


def read_json(path: Path) -> Any:
    """Return what a file of JSON says. Raises DataError where it says nothing."""
    text = read_text(path)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DataError(f"{shown(path)}: expected JSON, it is nested too deeply") from error
    except ValueError as error:  # a number of thousands of digits is one too
        raise DataError(f"{shown(path)}: expected JSON ({error})") from error
