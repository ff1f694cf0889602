"""What a ``livecover.toml`` in the working folder may not set: it may be a stranger's.

A folder that was downloaded or unpacked brings its own file, and livecover reads it because it was
started there. So such a file chooses how livecover plays, and no more: nothing that is run, nothing
that is written, nobody to talk to. These count from the user's own file, by ``--config`` and on the
command line. Not here: which file is read (``livecover.settings.sections``).
"""

import re
from collections.abc import Iterator

from engine.midi.sinks import is_midi_file

ALWAYS = frozenset({"piano.plugin", "arranger.model", "record.folder", "panel.host", "panel.port"})
"""Whatever their value: programs, a folder to write to, and who may connect."""
SCORES = (".musicxml", ".mxl", ".xml")


def is_reserved(name: str, value: object) -> bool:
    r"""Return whether ``value`` of this ``section.key`` needs a file that is trusted.

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
    if name == "model.model":  # a model is a program; those that come with livecover are known
        return re.fullmatch(r"[\w-]+", text) is None
    if name == "midi.midi_out":  # a file would be written, over what is there
        return "/" in text or "\\" in text or is_midi_file(text) or text.lower().endswith(SCORES)
    return False


def _is_on_another_host(text: str) -> bool:
    """Return whether it is such a path: Windows asks that host, and answers it with a login."""
    return re.match(r"\s*(from:)?\s*[/\\]{2}", text) is not None


def _texts(value: object) -> Iterator[str]:
    items = value if isinstance(value, list | tuple) else [value]
    yield from (item for item in items if isinstance(item, str))
