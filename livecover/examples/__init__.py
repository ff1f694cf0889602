"""The songs that ship with the program, beside this module.

``auld-lang-syne.ogg`` is the demo's song; ``auld-lang-syne.mid`` holds its melody and chords as
they were written. Both were made by ``livecover-train example-song``.
"""

from pathlib import Path


def path(name: str = "auld-lang-syne.ogg") -> Path:
    """Return the file of an example."""
    return Path(__file__).parent / name
