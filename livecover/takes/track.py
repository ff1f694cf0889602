"""The song of a take: a FLAC file that can be opened whole at any moment, also after a kill.

libsndfile writes how long a FLAC file is when it is closed. Until then the header says "unknown",
and soundfile opens the file but does not read it whole. So here that field is written now and then,
with the number of samples whose frames are complete. Samples are (n, channels) float32.
"""

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

Array = NDArray[np.float32]

SLACK = 2  # samples: rounding, not a gap
SILENCE_AT_ONCE = 1 << 16  # samples
_BLOCK_AT, _LENGTH_AT = 8, 18  # bytes from the file's start (RFC 9639, section 8.2)
_LENGTH_BITS = 36


class _Disk:
    """A file as libsndfile calls it, from C, where an exception would go nowhere but to stderr.

    The first error is kept in ``error``; nothing is written after it.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self.raw = raw
        self.error: OSError | None = None
        self.tell, self.read = raw.tell, raw.read

    def write(self, data: bytes) -> int:
        """Write all of it and return its length, or return 0 once there was an error."""
        left = memoryview(data)
        while left and self.error is None:
            try:
                left = left[self.raw.write(left) :]
            except OSError as error:
                self.error = error
        return len(data) if self.error is None else 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, if there was no error."""
        try:
            return self.raw.seek(offset, whence)
        except OSError as error:
            self.error = self.error or error
            return 0


class FlacFile:
    """A FLAC file of 24 bits that is written. One thread; every method may raise OSError.

    Parameters
    ----------
    path
        Must not exist.
    sample_rate, n_channels
        Of every block.
    """

    def __init__(self, path: Path, sample_rate: int, n_channels: int) -> None:
        self.raw: BinaryIO = path.open("x+b", buffering=0)
        self._disk = _Disk(self.raw)
        try:
            self._file = soundfile.SoundFile(
                self._disk, "w", sample_rate, n_channels, subtype="PCM_24", format="FLAC"
            )
        except soundfile.SoundFileError as error:
            self.raw.close()
            path.unlink(missing_ok=True)
            raise self._disk.error or OSError(
                f"no FLAC of {sample_rate} Hz, {n_channels} channels: {error}"
            ) from error

    def write(self, block: Array) -> None:
        """Write a block (n, c)."""
        try:
            self._file.write(block)
        except (soundfile.SoundFileError, AssertionError) as error:  # its own, where less came
            raise self._disk.error or OSError(str(error)) from error
        if self._disk.error is not None:
            raise self._disk.error

    def close(self) -> None:
        """Write what is left; a second call does nothing."""
        if self._file.closed:
            return
        try:
            self._file.close()
        except soundfile.SoundFileError as error:
            raise self._disk.error or OSError(str(error)) from error
        finally:
            self.raw.close()
        if self._disk.error is not None:
            raise self._disk.error


class FlacTrack:
    """One file, from its first sample on; as ``FlacFile``."""

    def __init__(self, path: Path, sample_rate: int, n_channels: int) -> None:
        self.path = path
        self.sample_rate = sample_rate
        self.n_channels = n_channels
        self.n_samples = 0
        self._flac = FlacFile(path, sample_rate, n_channels)
        self._raw = self._flac.raw

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
        self._flac.close()

    def _write(self, block: Array) -> None:
        self._flac.write(block)
        self.n_samples += len(block)

    def _read(self, at: int, n: int) -> bytes:
        self._raw.seek(at)
        return self._raw.read(n)
