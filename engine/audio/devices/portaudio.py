"""PortAudio (sounddevice): its devices, and when it may look for new ones.

It lists devices only when it starts, and must not start again while a stream of ours is open. An
output can be interrupted for that (whoever plays to it opens it again), an input cannot.
``portaudio()`` is the only place that imports sounddevice; the rest takes what it returns.
"""

import atexit
import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Protocol, TypeVar

from engine.core.errors import DeviceError
from engine.system.bounded import call_with_timeout, list_hung_calls, remaining_timeout
from engine.system.extras import install

T = TypeVar("T")

ANSWER_S = 3.0
"""Seconds within which PortAudio opens a stream or looks for devices."""
CLOSE_S = 0.5
"""The same for closing a stream."""
NAME = "PortAudio"
_PREFERRED_APIS = ("Windows WASAPI", "Core Audio", "JACK Audio Connection Kit", "ALSA")
_INSTALL = {
    "linux": "install it with 'sudo apt install libportaudio2' (Debian, Ubuntu), 'sudo dnf install"
    " portaudio' (Fedora) or 'sudo pacman -S portaudio' (Arch)",
    "darwin": "install it with 'brew install portaudio'",
}

_log = logging.getLogger(__name__)


class Interruptible(Protocol):
    """An output that can be closed by another than its owner."""

    def interrupt(self) -> None:
        """Close the stream, and leave :func:`open_stream`; a later write raises DeviceError."""


class _Streams:
    """What is open."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # guards all here, and PortAudio's start
        self.n_open = 0
        self.outputs: list[Interruptible] = []


_streams = _Streams()


def portaudio() -> ModuleType:
    """Return sounddevice. Raises DeviceError where the PortAudio library is missing."""

    def load() -> ModuleType:
        is_first = "sounddevice" not in sys.modules
        import sounddevice

        module: ModuleType = sounddevice
        if is_first:  # its own way out waits for a server that hangs
            atexit.unregister(sounddevice._exit_handler)
            atexit.register(_end, sounddevice._exit_handler)
        return module

    try:
        return ask_portaudio(load)
    except OSError as error:
        how = _INSTALL.get(sys.platform, "install PortAudio")
        if sys.platform == "win32":  # it comes inside the package
            how = f"type: {install(['sounddevice'], ['--force-reinstall'])}"
        raise DeviceError(f"audio input needs PortAudio, which was not found; {how}") from error


def _end(terminate: Callable[[], None]) -> None:
    """End PortAudio with the program."""
    with contextlib.suppress(DeviceError):
        ask_portaudio(terminate, CLOSE_S)


def ask_portaudio(
    call: Callable[[], T], seconds: float = ANSWER_S, undo: Callable[[T], object] = lambda _: None
) -> T:
    """Return what a call into PortAudio returns. Raises DeviceError where it hangs.

    On Windows it runs on the calling thread, since WASAPI belongs to threads that have COM.
    """
    if sys.platform == "win32":
        return call()
    hangs = "PortAudio does not answer: a sound server or a driver hangs; end it and start it again"
    if NAME in list_hung_calls():  # it is not to be used by two at once
        raise DeviceError(hangs)
    try:
        return call_with_timeout(seconds, NAME, call, undo)
    except TimeoutError as error:
        raise DeviceError(hangs) from error


def refresh_devices(may_interrupt: bool = False) -> bool:
    """Let PortAudio look for devices again, where no stream is open; return whether it did.

    ``may_interrupt`` closes outputs for that, if nothing but outputs is open.
    """
    sd = portaudio()
    with _locked():
        if may_interrupt and 0 < _streams.n_open == len(_streams.outputs):
            for output in tuple(_streams.outputs):
                output.interrupt()
        if _streams.n_open:
            return False

        def restart() -> None:
            sd._terminate()  # sounddevice documents no other way (its issue 6)
            sd._initialize()

        ask_portaudio(restart)
        return True


def with_new_devices(act: Callable[[], T]) -> T:
    """Return what ``act`` returns, which finds or opens a device.

    PortAudio looks for devices before, and again where ``act`` raises DeviceError and it could not
    look because of an open output, which is interrupted then.
    """
    is_new = refresh_devices()
    try:
        return act()
    except DeviceError:
        if is_new or not refresh_devices(may_interrupt=True):
            raise
        return act()


def open_stream(open_it: Callable[[], Any], owner: Interruptible | None = None) -> Any:
    """Return a started stream, which :func:`close_stream` closes.

    ``owner`` is the output that may be interrupted. Raises DeviceError where PortAudio hangs, and
    whatever else ``open_it`` raises.
    """
    _count(1, owner)  # before it opens: PortAudio must not restart meanwhile
    try:
        return ask_portaudio(open_it, undo=lambda stream: close_stream(stream, owner))
    except BaseException:
        if NAME not in list_hung_calls():
            _count(-1, owner)
        raise


def started(stream: Any) -> Any:
    """Return a stream once it has started; where it cannot, it is closed."""
    try:
        stream.start()
    except BaseException:
        stream.close(ignore_errors=True)
        raise
    return stream


def close_stream(stream: Any, owner: Interruptible | None = None) -> None:
    """Close a stream. One that hangs is abandoned, and counts as open."""

    def close() -> None:
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)

    with contextlib.suppress(DeviceError):
        ask_portaudio(close, CLOSE_S, lambda _: _count(-1, owner))
        _count(-1, owner)


def _count(change: int, owner: Interruptible | None) -> None:
    with _locked():
        _streams.n_open += change
        if owner is not None:
            (_streams.outputs.append if change > 0 else _streams.outputs.remove)(owner)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock. Raises DeviceError where who holds it hangs."""
    if not _streams.lock.acquire(timeout=remaining_timeout(ANSWER_S)):
        raise DeviceError("PortAudio is still busy: try again")
    try:
        yield
    finally:
        _streams.lock.release()


def devices(sd: Any, direction: str, least: int = 1) -> list[dict[str, Any]]:
    """Return PortAudio's devices, each with its ``index`` and its host API's name as ``api``.

    Only those with at least ``least`` channels in a ``direction``, ``input`` or ``output``.
    """
    try:
        apis = [api["name"] for api in sd.query_hostapis()]
        listed = list(enumerate(sd.query_devices()))
    except sd.PortAudioError as error:
        raise DeviceError(f"PortAudio cannot list its devices ({error}); try again") from error
    return [
        {**device, "index": index, "api": apis[device["hostapi"]]}
        for index, device in listed
        if device[f"max_{direction}_channels"] >= least
    ]


def matches(devices: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Return the devices that ``text`` means: by full name, else by a part of it.

    Windows lists a device once for each host API; the best of them stands for all.
    """
    wanted = text.casefold()
    found = [d for d in devices if d["name"].casefold() == wanted]
    found = found or [d for d in devices if wanted in d["name"].casefold()]
    for api in _PREFERRED_APIS:
        preferred = [d for d in found if d["api"] == api]
        if preferred:
            return preferred
    return found
