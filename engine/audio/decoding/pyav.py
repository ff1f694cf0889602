"""PyAV: FFmpeg's libraries in Python, the extra ``formats``.

Interface: PyAV 15 to 18, ``av.open`` and ``av.AudioResampler``.
"""

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.decoding.decoder import (
    FORMATS,
    LEAST_GAP_S,
    LONGEST_GAP_S,
    DecodingError,
    SoundFormat,
    declares_length,
)
from engine.system.paths import system_path

_ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC
_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}


class PyAvDecoder:
    """A decoder: :class:`engine.audio.decoding.decoder.Decoder`."""

    name = "PyAV"

    def is_there(self) -> bool:
        """Return whether PyAV is installed."""
        return importlib.util.find_spec("av") is not None

    def format_of(self, path: Path) -> SoundFormat:
        """Return what a file is; its packets are looked at, and the first is decoded."""
        with _opened(path) as (container, track):
            declared = _declared(container, track)
            frame = next(_frames(container, track), None)
            if frame is None:
                raise DecodingError("no sound in it can be decoded")
        with _opened(path) as (container, track):
            seconds = _seconds(container, track)
        return SoundFormat(frame.sample_rate, len(frame.layout.channels), seconds, declared)

    def pieces(
        self, path: Path, on_damage: Callable[[], None] = lambda: None
    ) -> Iterator[NDArray[np.float32]]:
        """Yield a file's sound."""
        import av

        with _opened(path) as (container, track):
            resampler, start, n_samples, rate = None, 0.0, 0, 1
            for frame in _frames(container, track):
                if resampler is None:
                    rate, n_channels = frame.sample_rate, len(frame.layout.channels)
                    resampler = av.AudioResampler("flt", frame.layout, rate)
                    start = frame.time or 0.0
                lost = 0.0 if frame.time is None else frame.time - start - n_samples / rate
                if LEAST_GAP_S < lost < LONGEST_GAP_S:
                    on_damage()
                    yield np.zeros((round(lost * rate), n_channels), np.float32)
                    n_samples += round(lost * rate)
                elif abs(lost) >= LONGEST_GAP_S:
                    start += lost
                for piece in resampler.resample(frame):
                    samples = piece.to_ndarray().reshape(-1, n_channels)
                    n_samples += len(samples)
                    yield samples


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Give a file's container and first sound track. Raises DecodingError, OSError."""
    import av

    # Opened here: FFmpeg takes no name that is no UTF-8, and some names for addresses.
    with open(system_path(path), "rb") as file:
        try:
            container = av.open(file, options=_OPTIONS, metadata_errors="replace")
        except (av.FFmpegError, ValueError) as error:
            raise DecodingError(_reason(error)) from error
        with container:
            if not container.streams.audio:
                raise DecodingError("there is no sound in it")
            yield container, container.streams.audio[0]


def _declared(container: Any, track: Any) -> float | None:
    """Return the seconds that a header says the track has; a video's may be the picture's."""
    if not declares_length(container.format.name):
        return None
    if track.duration:
        return float(track.duration * track.time_base)
    is_video = any(not s.disposition.value & _ATTACHED_PICTURE for s in container.streams.video)
    return None if is_video or not container.duration else container.duration / 1e6


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _packets(container: Any, track: Any) -> Iterator[Any]:
    """Yield a track's packets, as far as they can be read."""
    import av

    with contextlib.suppress(av.FFmpegError):
        yield from container.demux(track)


def _frames(container: Any, track: Any) -> Iterator[Any]:
    """Yield what can be decoded of a track; damaged packets are left out."""
    import av

    for packet in _packets(container, track):
        with contextlib.suppress(av.FFmpegError):
            yield from (frame for frame in packet.decode() if frame.samples)


def _seconds(container: Any, track: Any) -> float:
    """Return how long a track is, by its packets."""
    first = end = shift = 0.0
    is_first = True
    for packet in _packets(container, track):
        if packet.pts is None:
            continue
        at = float(packet.pts * track.time_base)
        if is_first:
            first = end = at
            is_first = False
        at -= shift
        if abs(at - end) > LONGEST_GAP_S:
            shift += at - end
            at = end
        end = max(end, at + float((packet.duration or 0) * track.time_base))
    return end - first
