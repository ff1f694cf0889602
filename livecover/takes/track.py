"""The song of a take: a FLAC file that can be opened whole at any moment, also after a kill.

libsndfile writes how long a FLAC file is when it is closed. Until then the header says "unknown",
and soundfile opens the file but does not read it whole. So here that field is written now and then,
with the number of samples whose frames are complete. Samples are (n, channels) float32.
"""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

Array = NDArray[np.float32]

SLACK = 2  # samples: rounding, not a gap
SILENCE_AT_ONCE = 1 << 16  # samples
_BLOCK_AT, _LENGTH_AT = 8, 18  # bytes from the file's start (RFC 9639, section 8.2)
_LENGTH_BITS = 36


class FlacTrack:
    """One file, from its first sample on. One thread; every method may raise OSError.

    Parameters
    ----------
    path
        Must not exist.
    sample_rate, n_channels
        Of every block.
    """

    def __init__(self, path: Path, sample_rate: int, n_channels: int) -> None:
        self.path = path
        self.sample_rate = sample_rate
        self.n_channels = n_channels
        self.n_samples = 0
        self._raw = path.open("x+b", buffering=0)
        try:
            self._file = soundfile.SoundFile(
                self._raw, "w", sample_rate, n_channels, subtype="PCM_24", format="FLAC"
            )
        except soundfile.SoundFileError as error:
            self._raw.close()
            path.unlink(missing_ok=True)
            raise OSError(f"no FLAC of {sample_rate} Hz, {n_channels} channels: {error}") from error

    @property
    def seconds(self) -> float:
        """How long it is by now."""
        return self.n_samples / self.sample_rate

    def write(self, block: Array, at: int) -> None:
        """Write a block (n, channels) at sample ``at``.

        Silence fills a gap before it; of what was written before, by another input, that stays.
        """
        if at > self.n_samples + SLACK:
            self.pad(at)
        elif at < self.n_samples - SLACK:
            block = block[self.n_samples - at :]
        self._write(block)

    def pad(self, until: int) -> None:
        """Write silence up to sample ``until``."""
        while (n := min(until - self.n_samples, SILENCE_AT_ONCE)) > 0:
            self._write(np.zeros((n, self.n_channels), np.float32))

    def flush(self) -> None:
        """Make the file one that can be opened, as far as its frames are complete."""
        end = self._raw.tell()
        if end <= _LENGTH_AT + 8:
            return
        block_size = int.from_bytes(self._read(_BLOCK_AT, 2))
        n_complete = max(0, self.n_samples - 1) // block_size * block_size
        rest = int.from_bytes(self._read(_LENGTH_AT, 8)) >> _LENGTH_BITS << _LENGTH_BITS
        self._raw.seek(_LENGTH_AT)
        self._raw.write((rest | n_complete).to_bytes(8))
        self._raw.seek(end)

    def close(self) -> None:
        """Write what is left; a second call does nothing."""
        if self._file.closed:
            return
        try:
            self._file.close()
        finally:
            self._raw.close()

    def _write(self, block: Array) -> None:
        try:
            self._file.write(block)
        except soundfile.SoundFileError as error:
            raise OSError(str(error)) from error
        self.n_samples += len(block)

    def _read(self, at: int, n: int) -> bytes:
        self._raw.seek(at)
        return self._raw.read(n)
