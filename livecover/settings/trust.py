"""The settings that a ``livecover.toml`` in the working folder may not set.

A downloaded folder may contain such a file. So it may change how livecover plays, but not what code
runs, what files are written, or who can connect. The user's own file, ``--config`` and options may.
Not here: which file is read (``livecover.settings.source``).
"""

import re
from collections.abc import Iterator

from engine.midi.sinks import is_midi_file

ALWAYS = frozenset(
    {
        *("piano.plugin", "arranger.model", "record.folder"),
        *("panel.host", "panel.port", "panel.keep_address", "sync.link"),
    }
)
"""With any value: code to run, a folder to write to, and who can connect."""
SCORES = (".musicxml", ".mxl", ".xml")


def is_reserved(name: str, value: object) -> bool:
    r"""Return whether this ``value`` of ``section.key`` needs a trusted file.

    >>> is_reserved("model.model", "live"), is_reserved("model.model", "./own.onnx")
    (False, True)
    >>> is_reserved("midi.midi_out", ("Piano",)), is_reserved("midi.midi_out", ("take.mid",))
    (False, True)
    >>> is_reserved("audio.input", "song.mp3"), is_reserved("audio.input", "\\\\host\\song.mp3")
    (False, True)
    """
    if name in ALWAYS:
        return True
    return any(_is_on_another_host(text) or _is_reserved(name, text) for text in _texts(value))


def _is_reserved(name: str, text: str) -> bool:
    if name == "model.model":  # a model file can run code; livecover's own have plain names
        return re.fullmatch(r"[\w-]+", text) is None
    if name == "midi.midi_out":  # a file would be overwritten
        return "/" in text or "\\" in text or is_midi_file(text) or text.lower().endswith(SCORES)
    return False


def _is_on_another_host(text: str) -> bool:
    """Return whether it is a path on another host: Windows would log in there."""
    return re.match(r"\s*(from:)?\s*[/\\]{2}", text) is not None


def _texts(value: object) -> Iterator[str]:
    items = value if isinstance(value, list | tuple) else [value]
    yield from (item for item in items if isinstance(item, str))
