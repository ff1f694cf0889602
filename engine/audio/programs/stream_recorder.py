"""Records streams of a PulseAudio or PipeWire server, each by itself: what one program plays.

libpulse's mainloop is run by the reader, a bounded wait at a time; nothing is called back.
Interface: libpulse 16, ``pulse/stream.h`` (``pa_stream_set_monitor_stream``), ``mainloop.h``.
"""

import ctypes
import functools
import time
from collections.abc import Collection, Iterator
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.audio.loopback.pulse_simple import MISSING_LIBPULSE
from engine.core.errors import DeviceError

_FLOAT32LE = 5  # PA_SAMPLE_FLOAT32LE
_DEFAULT = 0xFFFFFFFF
_NO_AUTOSPAWN = 1  # PA_CONTEXT_NOAUTOSPAWN
_CONTEXT_READY, _STREAM_READY = 4, 2
_ADJUST_LATENCY = 0x2000  # PA_STREAM_ADJUST_LATENCY
_BUFFERED_BLOCKS = 64


class _SampleSpec(ctypes.Structure):
    _fields_ = (("format", c_int), ("rate", c_uint32), ("channels", c_uint8))


class _BufferAttr(ctypes.Structure):
    _fields_ = tuple(
        (name, c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize")
    )


_FUNCTIONS: dict[str, tuple[object, list[object]]] = {
    "pa_mainloop_new": (c_void_p, []),
    "pa_mainloop_get_api": (c_void_p, [c_void_p]),
    "pa_mainloop_prepare": (c_int, [c_void_p, c_int]),
    "pa_mainloop_poll": (c_int, [c_void_p]),
    "pa_mainloop_dispatch": (c_int, [c_void_p]),
    "pa_mainloop_free": (None, [c_void_p]),
    "pa_context_new": (c_void_p, [c_void_p, c_char_p]),
    "pa_context_connect": (c_int, [c_void_p, c_char_p, c_int, c_void_p]),
    "pa_context_get_state": (c_int, [c_void_p]),
    "pa_context_disconnect": (None, [c_void_p]),
    "pa_context_unref": (None, [c_void_p]),
    "pa_stream_new": (c_void_p, [c_void_p, c_char_p, POINTER(_SampleSpec), c_void_p]),
    "pa_stream_set_monitor_stream": (c_int, [c_void_p, c_uint32]),
    "pa_stream_connect_record": (c_int, [c_void_p, c_char_p, POINTER(_BufferAttr), c_int]),
    "pa_stream_get_state": (c_int, [c_void_p]),
    "pa_stream_readable_size": (c_size_t, [c_void_p]),
    "pa_stream_peek": (c_int, [c_void_p, POINTER(c_void_p), POINTER(c_size_t)]),
    "pa_stream_drop": (c_int, [c_void_p]),
    "pa_stream_disconnect": (c_int, [c_void_p]),
    "pa_stream_unref": (None, [c_void_p]),
}


@functools.cache
def _library() -> ctypes.CDLL:
    """Return libpulse, its functions declared. Raises DeviceError."""
    try:
        library = ctypes.CDLL("libpulse.so.0")
    except OSError as error:
        raise DeviceError(MISSING_LIBPULSE) from error
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class ProgramStream(NamedTuple):
    """A stream to record: a sink input's index, and the monitor of the sink it plays to."""

    sink_input: int
    monitor: str


class _Recording:
    """One stream's, over a connection of its own: of two on one PipeWire starves the second.

    Opens while the mainloop runs, by ``advance``.
    """

    def __init__(self, stream: ProgramStream, pulse: ctypes.CDLL, loop: int) -> None:
        self._of, self._pulse = stream, pulse
        self._stream: int | None = None
        self._context = pulse.pa_context_new(pulse.pa_mainloop_get_api(loop), b"livecover")
        pulse.pa_context_connect(self._context, None, _NO_AUTOSPAWN, None)

    def advance(self, spec: _SampleSpec, block_size: int) -> None:
        """Begin to record once there is a connection. Raises DeviceError once it is gone."""
        pulse = self._pulse
        state = pulse.pa_context_get_state(self._context)
        if state > _CONTEXT_READY:
            raise DeviceError("the sound server broke off")
        if state < _CONTEXT_READY or self._stream is not None:
            return
        fragment = 4 * spec.channels * block_size
        buffer = _BufferAttr(fragment * _BUFFERED_BLOCKS, _DEFAULT, _DEFAULT, _DEFAULT, fragment)
        self._stream = pulse.pa_stream_new(self._context, b"livecover", byref(spec), None)
        pulse.pa_stream_set_monitor_stream(self._stream, self._of.sink_input)
        monitor = self._of.monitor.encode()
        pulse.pa_stream_connect_record(self._stream, monitor, byref(buffer), _ADJUST_LATENCY)

    def blocks(self, n_channels: int) -> Iterator[NDArray[np.float32]]:
        """Give what has come."""
        pulse, stream = self._pulse, self._stream
        while stream is not None and pulse.pa_stream_get_state(stream) == _STREAM_READY:
            data, n_bytes = c_void_p(), c_size_t()
            pulse.pa_stream_peek(stream, byref(data), byref(n_bytes))
            if not n_bytes.value:
                return
            block = np.zeros((n_bytes.value // (4 * n_channels), n_channels), "<f4")
            if data.value:  # else it is a hole
                ctypes.memmove(block.ctypes.data, data.value, block.nbytes)
            pulse.pa_stream_drop(stream)
            yield block

    def close(self) -> None:
        """Close the stream and its connection."""
        pulse = self._pulse
        if self._stream is not None:
            pulse.pa_stream_disconnect(self._stream)
            pulse.pa_stream_unref(self._stream)
        pulse.pa_context_disconnect(self._context)
        pulse.pa_context_unref(self._context)


class StreamRecorder:
    """Records streams; every method belongs to one thread.

    Parameters
    ----------
    sample_rate, n_channels, block_size
        Hertz; channels; samples that the server sends at once.

    Raises
    ------
    DeviceError
        libpulse is missing.
    """

    def __init__(self, sample_rate: int, n_channels: int, block_size: int) -> None:
        self._pulse = _library()
        self._spec = _SampleSpec(_FLOAT32LE, sample_rate, n_channels)
        self._block_size = block_size
        self._recordings: dict[ProgramStream, _Recording] = {}
        self._loop: int | None = self._pulse.pa_mainloop_new()

    def choose(self, streams: Collection[ProgramStream]) -> None:
        """Record these and no others. Returns at once: a new one is heard once it is open."""
        assert self._loop is not None
        for stream in self._recordings.keys() - set(streams):
            self._recordings.pop(stream).close()
        for stream in streams:
            if stream not in self._recordings:
                self._recordings[stream] = _Recording(stream, self._pulse, self._loop)

    def read(self, timeout: float) -> list[tuple[ProgramStream, NDArray[np.float32]]]:
        """Return what has come, (n, channels) each, waiting for it so many seconds.

        A stream that has ended, or was refused, delivers nothing. Raises DeviceError once the
        server is gone.
        """
        deadline = time.monotonic() + timeout
        while True:
            found = []
            for stream, recording in self._recordings.items():
                recording.advance(self._spec, self._block_size)
                found += [(stream, block) for block in recording.blocks(self._spec.channels)]
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            self._iterate(left)

    def _iterate(self, seconds: float) -> None:
        """Let libpulse do what there is to do, or wait for something so long."""
        loop = self._loop
        self._pulse.pa_mainloop_prepare(loop, max(0, round(1e6 * seconds)))
        self._pulse.pa_mainloop_poll(loop)
        self._pulse.pa_mainloop_dispatch(loop)

    def close(self) -> None:
        """Close all; a second call does nothing."""
        if self._loop is not None:
            self.choose(())
            self._pulse.pa_mainloop_free(self._loop)
            self._loop = None
