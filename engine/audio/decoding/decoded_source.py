"""A song in a file that a decoder reads, as a source."""

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.decoding.decoder import Decoder, DecodingError, SoundFormat
from engine.audio.files.song_source import SongSource
from engine.audio.files.sound_file import check_format
from engine.core.errors import DeviceError

Array = NDArray[np.float32]

_DAMAGED = "is damaged; what can be decoded is heard"
TOLERANCE_S = 1.0
"""By which a header may be wrong before it is said."""


class DecodedSource(SongSource):
    """A song in a file of any format.

    Parameters
    ----------
    path, paced, block_size
        As :class:`engine.audio.files.song_source.SongSource` has them.
    decoder
        What reads the file; it is installed.

    Raises
    ------
    DecodingError
        The decoder cannot open it.
    DeviceError
        It is out of the limits of sample rate and channels, or holds nothing.
    OSError
        It cannot be read.
    """

    known_errors = (DecodingError,)

    def __init__(self, path: Path, paced: bool, block_size: int, decoder: Decoder) -> None:
        found = decoder.format_of(path)
        super().__init__(path, found.sample_rate, found.n_channels, paced, block_size)
        self._decoder = decoder
        self.n_samples = round(found.seconds * found.sample_rate)
        if not self.n_samples:  # nothing says how long it is
            self.n_samples = sum(len(piece) for piece in decoder.pieces(path))
        check_format(path, self.n_samples, found.n_channels, found.sample_rate)
        self._warn_of_length(found)

    def _warn_of_length(self, found: SoundFormat) -> None:
        held, declared = self.duration, found.declared
        if declared is not None and declared > held + TOLERANCE_S:
            self._warn(f"is cut short: it declares {declared:.1f} s and holds {held:.1f} s")

    def blocks(self, block_size: int | None = None) -> Generator[Array]:
        """Yield the song's blocks, as :class:`SongSource` does."""
        size = self.block_size if block_size is None else block_size
        n_read = 0
        self.position = 0.0
        pieces = self._decoder.pieces(self.path, lambda: self._warn(_DAMAGED))
        for block in _cut(pieces, size):
            if block.shape[1] != self.n_channels:
                raise DeviceError(f"{self.path} was changed while it was read")
            n_read += len(block)
            self.position = n_read / self.sample_rate
            yield block
        if self.position + TOLERANCE_S < self.duration:
            self._warn(f"is broken at {self.position:.1f} s")


def _cut(pieces: Iterable[Array], size: int) -> Iterator[Array]:
    """Yield blocks of one size, the last one smaller."""
    rest: Array | None = None
    for piece in pieces:
        rest = piece if rest is None or not len(rest) else np.concatenate((rest, piece))
        whole = len(rest) // size * size
        yield from (rest[at : at + size] for at in range(0, whole, size))
        rest = rest[whole:]
    if rest is not None and len(rest):
        yield rest
