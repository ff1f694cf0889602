"""Records one stream of a PulseAudio or PipeWire server: what one program plays, by itself.

libpulse's mainloop is run by the reader, a bounded wait at a time; nothing is called back.
Interface: libpulse 16, ``pulse/stream.h`` (``pa_stream_set_monitor_stream``), ``mainloop.h``.
"""

import ctypes
import functools
import time
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p

import numpy as np
from numpy.typing import NDArray

from engine.audio.loopback.pulse_simple import ANSWER_S, HANGS, MISSING_LIBPULSE
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


class StreamRecorder:
    """Records a program's stream; every method belongs to one thread.

    Parameters
    ----------
    stream
        The sink input's index.
    monitor
        The monitor of the sink that it plays to.
    sample_rate, n_channels, block_size
        Hertz; channels; samples that the server sends at once.

    Raises
    ------
    DeviceError
        libpulse is missing, the server refuses or does not answer, or the stream has ended.
    """

    def __init__(
        self, stream: int, monitor: str, sample_rate: int, n_channels: int, block_size: int
    ) -> None:
        self._pulse = _library()
        self._n_channels = n_channels
        self._stream: int | None = None
        self._loop = self._pulse.pa_mainloop_new()
        self._context = self._pulse.pa_context_new(
            self._pulse.pa_mainloop_get_api(self._loop), b"livecover"
        )
        try:
            self._open(stream, monitor, sample_rate, block_size)
        except BaseException:
            self.close()
            raise

    def _open(self, stream: int, monitor: str, sample_rate: int, block_size: int) -> None:
        pulse = self._pulse
        pulse.pa_context_connect(self._context, None, _NO_AUTOSPAWN, None)
        self._wait_for(lambda: pulse.pa_context_get_state(self._context), _CONTEXT_READY)
        spec = _SampleSpec(_FLOAT32LE, sample_rate, self._n_channels)
        fragment = 4 * self._n_channels * block_size
        buffer = _BufferAttr(fragment * _BUFFERED_BLOCKS, _DEFAULT, _DEFAULT, _DEFAULT, fragment)
        self._stream = pulse.pa_stream_new(self._context, b"livecover", byref(spec), None)
        pulse.pa_stream_set_monitor_stream(self._stream, stream)
        pulse.pa_stream_connect_record(
            self._stream, monitor.encode(), byref(buffer), _ADJUST_LATENCY
        )
        self._wait_for(lambda: pulse.pa_stream_get_state(self._stream), _STREAM_READY)

    def _wait_for(self, state: Callable[[], int], ready: int) -> None:
        """Wait until something is ready; states above that are its end. Raises DeviceError."""
        deadline = time.monotonic() + ANSWER_S
        while (now := state()) != ready:
            if now > ready:
                raise DeviceError("the program's stream cannot be recorded: has it ended?")
            if time.monotonic() > deadline:
                raise DeviceError(HANGS)
            self._iterate(0.1)

    def _iterate(self, seconds: float) -> None:
        """Let libpulse do what there is to do, or wait for something so long."""
        loop = self._loop
        self._pulse.pa_mainloop_prepare(loop, max(0, round(1e6 * seconds)))
        self._pulse.pa_mainloop_poll(loop)
        self._pulse.pa_mainloop_dispatch(loop)

    def read(self, timeout: float) -> NDArray[np.float32] | None:
        """Return what has come (n, channels), waiting for it so many seconds; None if nothing has.

        Raises DeviceError once the stream or the server is gone.
        """
        pulse, deadline = self._pulse, time.monotonic() + timeout
        while pulse.pa_stream_get_state(self._stream) == _STREAM_READY:
            data, n_bytes = c_void_p(), c_size_t()
            pulse.pa_stream_peek(self._stream, byref(data), byref(n_bytes))
            if n_bytes.value:
                block = np.zeros((n_bytes.value // (4 * self._n_channels), self._n_channels), "<f4")
                if data.value:  # else it is a hole
                    ctypes.memmove(block.ctypes.data, data.value, block.nbytes)
                pulse.pa_stream_drop(self._stream)
                return block
            if (left := deadline - time.monotonic()) <= 0:
                return None
            self._iterate(left)
        raise DeviceError("the program's stream has ended")

    def close(self) -> None:
        """Close the stream and the connection; a second call does nothing."""
        pulse, (stream, self._stream) = self._pulse, (self._stream, None)
        if stream:
            pulse.pa_stream_disconnect(stream)
            pulse.pa_stream_unref(stream)
        context, self._context = self._context, None
        if context:
            pulse.pa_context_disconnect(context)
            pulse.pa_context_unref(context)
            pulse.pa_mainloop_free(self._loop)
