"""Recording and playing through libpulse's "simple" API: a few C functions, called with ctypes.

PulseAudio and PipeWire both answer it, and only libpulse itself must be installed. PortAudio's way
to PulseAudio (ALSA's ``pulse`` plugin) was tried and left: with small blocks it stalled, and it
hung for a second at close once the server had died. API: pulse/simple.h, the same since 0.9.16.
Not here: which source to record (``pulse``), and which sink to play to
(``engine.playback.outputs``).
"""

import contextlib
import ctypes
import functools
import threading
from collections.abc import Iterator
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.system.bounded import call_with_timeout, remaining_timeout

_PLAYBACK, _RECORD = 1, 2  # pa_stream_direction
_FLOAT32LE = 5  # PA_SAMPLE_FLOAT32LE
_DEFAULT = 0xFFFFFFFF  # "let the server choose" in pa_buffer_attr
BUFFERED_BLOCKS = 64
"""Blocks that the server keeps for a reader that is late."""
ANSWER_S = 2.0
"""Seconds within which a sound server answers; one that takes longer hangs."""
CLOSE_S = 0.25
"""Seconds that ``close`` waits for a running call; a stream in a server that hangs is abandoned."""
HANGS = "the sound server does not answer; if it hangs, end it and start it again"

MISSING_LIBPULSE = (
    "loopback needs libpulse, which is not installed; install it with 'sudo apt install libpulse0'"
    " (Debian, Ubuntu), 'sudo dnf install pulseaudio-libs' (Fedora) or 'sudo pacman -S libpulse'"
    " (Arch)"
)


class _SampleSpec(ctypes.Structure):
    _fields_ = (("format", c_int), ("rate", c_uint32), ("channels", c_uint8))


class _BufferAttr(ctypes.Structure):
    _fields_ = tuple(
        (name, c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize")
    )


@functools.cache
def _libraries() -> tuple[ctypes.CDLL, ctypes.CDLL]:
    """Return libpulse-simple and libpulse, their functions declared. Raises DeviceError."""
    try:
        simple = ctypes.CDLL("libpulse-simple.so.0")
        pulse = ctypes.CDLL("libpulse.so.0")
    except OSError as error:
        raise DeviceError(MISSING_LIBPULSE) from error
    simple.pa_simple_new.restype = c_void_p
    simple.pa_simple_new.argtypes = [
        *(c_char_p, c_char_p, c_int, c_char_p, c_char_p),
        *(POINTER(_SampleSpec), c_void_p, POINTER(_BufferAttr), POINTER(c_int)),
    ]
    simple.pa_simple_read.restype = c_int
    simple.pa_simple_read.argtypes = [c_void_p, c_void_p, c_size_t, POINTER(c_int)]
    simple.pa_simple_write.restype = c_int
    simple.pa_simple_write.argtypes = [c_void_p, c_void_p, c_size_t, POINTER(c_int)]
    simple.pa_simple_get_latency.restype = c_uint64
    simple.pa_simple_get_latency.argtypes = [c_void_p, POINTER(c_int)]
    simple.pa_simple_free.restype = None
    simple.pa_simple_free.argtypes = [c_void_p]
    pulse.pa_strerror.restype = c_char_p
    pulse.pa_strerror.argtypes = [c_int]
    return simple, pulse


class _Stream:
    """An open stream of either direction; its methods but ``close`` belong to one thread."""

    def __init__(
        self,
        direction: int,
        device: str,
        stream_name: str,
        spec: _SampleSpec,
        buffer: _BufferAttr,
    ) -> None:
        self._simple, self._pulse = _libraries()
        self._busy = threading.Lock()  # held during a call: to close under one would crash
        self._is_closed = False
        error = c_int(0)

        def open_stream() -> int | None:
            stream: int | None = self._simple.pa_simple_new(
                None,
                b"livecover",
                direction,
                device.encode(),
                stream_name.encode(),
                byref(spec),
                None,
                byref(buffer),
                byref(error),
            )
            return stream

        def free(stream: int | None) -> None:
            if stream:
                self._simple.pa_simple_free(stream)

        try:
            self._stream = call_with_timeout(ANSWER_S, "the sound server", open_stream, free)
        except TimeoutError as timeout:
            raise DeviceError(HANGS) from timeout
        if not self._stream:
            what = "record" if direction == _RECORD else "play to"
            raise DeviceError(f"cannot {what} {device}: {self._words(error)}")

    def _words(self, error: c_int) -> str:
        text: bytes = self._pulse.pa_strerror(error)
        return text.decode(errors="replace")

    def close(self) -> None:
        """Close the stream, or let the call that hangs in it do so; a second call does nothing.

        Any thread.
        """
        self._is_closed = True
        if self._busy.acquire(timeout=remaining_timeout(CLOSE_S)):
            try:
                self._free()
            finally:
                self._busy.release()

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keep the stream open within the block. Raises DeviceError where it is closed."""
        with self._busy:
            if self._is_closed:
                raise DeviceError("the stream is closed")
            try:
                yield
            finally:
                if self._is_closed:
                    self._free()

    def _free(self) -> None:
        stream, self._stream = self._stream, None
        if stream:
            self._simple.pa_simple_free(stream)


class PulseRecorder(_Stream):
    """One recording stream; ``read`` and ``close`` belong to one thread.

    Parameters
    ----------
    source
        The name of a PulseAudio source.
    stream_name
        What mixers show, and what finds the stream again.
    sample_rate, n_channels, block_size
        Hertz; channels; samples of one block, which is also what the server sends at once.

    Raises
    ------
    DeviceError
        libpulse is missing, or the server refuses.
    """

    def __init__(
        self, source: str, stream_name: str, sample_rate: int, n_channels: int, block_size: int
    ) -> None:
        self._block = np.zeros((block_size, n_channels), dtype="<f4")
        fragment = self._block.nbytes
        buffer = _BufferAttr(fragment * BUFFERED_BLOCKS, _DEFAULT, _DEFAULT, _DEFAULT, fragment)
        spec = _SampleSpec(_FLOAT32LE, sample_rate, n_channels)
        super().__init__(_RECORD, source, stream_name, spec, buffer)

    def read(self) -> NDArray[np.float32]:
        """Return the next block (block_size, n_channels), valid until the next call.

        Waits for it without the GIL. Raises DeviceError once the server or the source is gone.
        """
        error = c_int(0)
        block = self._block
        at, n = block.ctypes.data, block.nbytes
        with self._in_use():
            if self._simple.pa_simple_read(self._stream, at, n, byref(error)):
                raise DeviceError(self._words(error))
        return block


class PulsePlayer(_Stream):
    """One playing stream; all methods belong to one thread.

    Parameters
    ----------
    sink
        The name of a PulseAudio sink.
    stream_name
        What mixers show.
    sample_rate, n_channels
        Hertz; channels.
    buffer_size, block_size
        Samples that the server keeps and asks for at once.

    Raises
    ------
    DeviceError
        libpulse is missing, or the server refuses.
    """

    def __init__(
        self,
        sink: str,
        stream_name: str,
        sample_rate: int,
        n_channels: int,
        buffer_size: int,
        block_size: int,
    ) -> None:
        frame = 4 * n_channels
        # prebuf 0: where we are late the stream goes on in silence and what comes late is dropped,
        # so that its place in time stays.
        buffer = _BufferAttr(_DEFAULT, buffer_size * frame, 0, block_size * frame, _DEFAULT)
        spec = _SampleSpec(_FLOAT32LE, sample_rate, n_channels)
        super().__init__(_PLAYBACK, sink, stream_name, spec, buffer)

    def write(self, block: NDArray[np.float32]) -> None:
        """Hand over a block (n, n_channels); waits for room without the GIL.

        Raises DeviceError once the server or the sink is gone.
        """
        error = c_int(0)
        data = np.ascontiguousarray(block, dtype="<f4")
        at, n = data.ctypes.data, data.nbytes
        with self._in_use():
            if self._simple.pa_simple_write(self._stream, at, n, byref(error)):
                raise DeviceError(self._words(error))

    def latency(self) -> float:
        """Return the seconds until a sample that is written now is heard, as the server says.

        Asks the server, which answers in well under a millisecond. Raises DeviceError as above.
        """
        error = c_int(0)
        with self._in_use():
            microseconds: int = self._simple.pa_simple_get_latency(self._stream, byref(error))
        if error.value:
            raise DeviceError(self._words(error))
        return microseconds / 1e6
