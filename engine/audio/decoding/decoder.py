"""What decodes a file: the protocol of PyAV and of the program ffmpeg, and which formats they may.

Pieces are (n, channels) float32, of any length. Time that a damaged file has lost is silence, so
that what follows comes at its time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,loas,matroska,mlp,mov,mp3,"
    "mpc,mpc8,mpeg,mpegts,ogg,oma,rm,shn,tak,truehd,tta,voc,w64,wav,webm,wv,xwma"
)
"""FFmpeg's names of the containers that are opened.

Playlists and the like are not among them, which name other files and addresses: a file that is
given is the only one that is read.
"""
_WITH_LENGTH = frozenset("ape asf avi caf dsf matroska mov mpc8 tak tta webm wv".split())
LEAST_GAP_S = 0.1
"""Silence is put where more than this is missing between two packets."""
LONGEST_GAP_S = 60.0
"""A longer one is a wrong timestamp."""


class DecodingError(Exception):
    """A decoder cannot open a file; says why."""


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """What a decoder says of a file's first sound track."""

    sample_rate: int
    n_channels: int
    seconds: float  # that it holds
    declared: float | None  # seconds, by its header


def declares_length(container: str) -> bool:
    """Return whether a file's header says how long it is; of others FFmpeg guesses.

    >>> declares_length("mov,mp4,m4a,3gp,3g2,mj2"), declares_length("aac")
    (True, False)
    """
    return not _WITH_LENGTH.isdisjoint(container.split(","))


class Decoder(Protocol):
    """A way to decode files. Any thread; each iterator belongs to one."""

    name: str

    def is_there(self) -> bool:
        """Return whether it is installed."""

    def format_of(self, path: Path) -> SoundFormat:
        """Return what a file is. Raises DecodingError where it holds no sound, OSError."""

    def pieces(
        self, path: Path, on_damage: Callable[[], None] = lambda: None
    ) -> Iterator[NDArray[np.float32]]:
        """Yield a file's sound; ``on_damage`` is called, perhaps late, where some is lost.

        Raises as ``format_of``; closing the iterator ends it.
        """
