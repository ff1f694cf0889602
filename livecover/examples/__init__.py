"""The songs that come with the program, in this folder.

``auld-lang-syne.ogg`` is the demo's song; ``auld-lang-syne.mid`` has its melody and chords. Both
were made by ``livecover-train example-song``.
"""

from pathlib import Path


def path(name: str = "auld-lang-syne.ogg") -> Path:
    """Return the file of an example."""
    return Path(__file__).parent / name
