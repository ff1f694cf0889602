"""FLAC files that can be opened while they are written, and after a crash.

libsndfile writes the length into a FLAC file's header when the file is closed. Until then it is
"unknown", and soundfile reads only part of the file. So the field is updated here at each flush,
with the number of samples in complete frames. Samples are (n, channels) float32.
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
    """A file for libsndfile, which calls it from C, where an exception would be lost.

    The first error is kept in ``error``; nothing is written after it.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self.raw = raw
        self.error: OSError | None = None
        self.tell, self.read = raw.tell, raw.read

    def write(self, data: bytes) -> int:
        """Write all data and return its length; return 0 after an error."""
        left = memoryview(data)
        while left and self.error is None:
            try:
                left = left[self.raw.write(left) :]
            except OSError as error:
                self.error = error
        return len(data) if self.error is None else 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position; keep an error."""
        try:
            return self.raw.seek(offset, whence)
        except OSError as error:
            self.error = self.error or error
            return 0


class FlacFile:
    """Writes a FLAC file of 24 bits. One thread; every method may raise OSError.

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
        except (soundfile.SoundFileError, AssertionError) as error:  # its own, after a short write
            raise self._disk.error or OSError(str(error)) from error
        if self._disk.error is not None:
            raise self._disk.error

    def close(self) -> None:
        """Write the rest and close the file. A second call does nothing."""
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
    """Writes a FLAC file of a take by sample position; threads and errors as ``FlacFile``."""

    def __init__(self, path: Path, sample_rate: int, n_channels: int) -> None:
        self.path = path
        self.sample_rate = sample_rate
        self.n_channels = n_channels
        self.n_samples = 0
        self._flac = FlacFile(path, sample_rate, n_channels)
        self._raw = self._flac.raw

    @property
    def seconds(self) -> float:
        """Length so far."""
        return self.n_samples / self.sample_rate

    def write(self, block: Array, at: int) -> None:
        """Write a block (n, channels) at sample ``at``.

        A gap before it becomes silence; samples that are already written stay.
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
        """Write the length of the complete frames into the header."""
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
        """Write the rest and close the file. A second call does nothing."""
        self._flac.close()

    def _write(self, block: Array) -> None:
        self._flac.write(block)
        self.n_samples += len(block)

    def _read(self, at: int, n: int) -> bytes:
        self._raw.seek(at)
        return self._raw.read(n)
