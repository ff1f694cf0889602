"""The program ``ffmpeg``, where it is installed.

It is asked for an AU file of floats, whose header names sample rate and channels.
"""

import contextlib
import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from engine.audio.decoding.decoder import FORMATS, DecodingError, SoundFormat, declares_length

_HEADER = struct.Struct(">4s5I")  # .snd, first sample, bytes of samples, encoding, rate, channels
_PIECE = 1 << 16  # bytes
_MEASURE_S = 120.0
"""Seconds within which ffmpeg has looked at a file's packets."""
_CONTAINER = re.compile(r"Input #0, ([\w,]+), from")
_VIDEO = re.compile(r": Video: (?!.*\(attached pic\))")
_DURATION = re.compile(r"Duration: (\d+):(\d+):([\d.]+)")
_TIME = re.compile(rb"out_time_us=(\d+)")


class FfmpegDecoder:
    """A decoder: :class:`engine.audio.decoding.decoder.Decoder`."""

    name = "ffmpeg"

    def is_there(self) -> bool:
        """Return whether the program is installed."""
        return shutil.which("ffmpeg") is not None

    def format_of(self, path: Path) -> SoundFormat:
        """Return what a file is; its packets are looked at, and the first is decoded."""
        with _decoding(path) as (_, sample_rate, n_channels):
            pass
        copy = ("-c", "copy", "-f", "null", "-progress", "pipe:1", "-")
        try:
            done = subprocess.run(
                _command(path, "info", *copy), capture_output=True, timeout=_MEASURE_S
            )
        except subprocess.TimeoutExpired as error:
            raise DecodingError(f"ffmpeg took longer than {_MEASURE_S:g} s") from error
        times, words = _TIME.findall(done.stdout), done.stderr.decode(errors="replace")
        container, found = _CONTAINER.search(words), _DURATION.search(words)
        declared = None
        is_video = _VIDEO.search(words)  # whose length may be the picture's
        if container and found and declares_length(container[1]) and not is_video:
            hours, minutes, seconds = map(float, found.groups())
            declared = 3600 * hours + 60 * minutes + seconds
        held = int(times[-1]) / 1e6 if times else 0.0
        return SoundFormat(sample_rate, n_channels, held, declared)

    def pieces(
        self, path: Path, on_damage: Callable[[], None] = lambda: None
    ) -> Iterator[NDArray[np.float32]]:
        """Yield a file's sound."""
        with _decoding(path, on_damage) as (output, _, n_channels):
            n_bytes = _PIECE // (4 * n_channels) * 4 * n_channels
            while data := output.read(n_bytes):
                whole = data[: len(data) // (4 * n_channels) * 4 * n_channels]
                yield np.frombuffer(whole, ">f4").astype(np.float32).reshape(-1, n_channels)


@contextlib.contextmanager
def _decoding(
    path: Path, on_damage: Callable[[], None] = lambda: None
) -> Iterator[tuple[IO[bytes], int, int]]:
    """Give what ffmpeg writes after the header, sample rate and channels.

    Raises DecodingError. ``on_damage`` is called at the end if ffmpeg said that something is wrong.
    """
    fill = ("-af", "aresample=async=1")  # what is lost is silence
    sound = ("-c:a", "pcm_f32be", "-f", "au", "pipe:1")
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            _command(path, "error", *fill, *sound), stdout=subprocess.PIPE, stderr=words
        )
        assert process.stdout is not None
        try:
            header = process.stdout.read(_HEADER.size)
            if len(header) < _HEADER.size:
                process.wait()
                words.seek(0)
                raise DecodingError(_reason(words.read()))
            _, first, _, _, sample_rate, n_channels = _HEADER.unpack(header)
            process.stdout.read(first - _HEADER.size)
            yield process.stdout, sample_rate, n_channels
            if words.tell():
                on_damage()
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def _command(path: Path, level: str, *rest: str) -> list[str | bytes]:
    """Return the command line that takes a file's first sound track."""
    own = ("-nostdin", "-hide_banner", "-loglevel", level)
    only = ("-protocol_whitelist", "file", "-format_whitelist", FORMATS)
    name = b"file:" + os.fsencode(path)
    return ["ffmpeg", *own, *only, "-i", name, "-map", "0:a:0", *rest]


def _reason(words: bytes) -> str:
    """Return what ffmpeg said first, without the file's name and places in memory."""
    first = words.decode(errors="replace").strip().partition("\n")[0]
    first = re.sub(r"^\[[^]]*\] *", "", first)
    return first.rpartition(": ")[2].rstrip(".") or "there is no sound in it"
