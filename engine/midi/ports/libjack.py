"""What RtMidi does not report of a JACK server: its end, a stall, and connections.

A second client, beside RtMidi's, through the same library: a dozen C functions called with ctypes
(jack/jack.h). Linux. Used in ``engine.midi.ports.jack_child`` only, whose process may hang.
"""

import ctypes
import glob
import os
import re
import socket
from collections.abc import Callable, Sequence
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_uint32, c_ulong, c_void_p
from pathlib import Path

PIPEWIRE_LIBRARIES = (
    "/usr/lib/*/pipewire-0.3/jack/libjack.so.0",  # Debian, Ubuntu
    "/usr/lib64/pipewire-0.3/jack/libjack.so.0",  # Fedora, openSUSE
    "/usr/lib/pipewire-0.3/jack/libjack.so.0",  # Arch
)
MIDI_TYPE = b"8 bit raw midi"
NO_START_SERVER = 1
INPUT, OUTPUT = 1, 2  # flags of ports

_Shutdown = CFUNCTYPE(None, c_void_p)


def pipewire_library() -> str | None:
    """Return the path of PipeWire's own libjack; None where it is not installed.

    PipeWire is no JACK server: only its own library finds it, and python-rtmidi's wheel brings
    that of JACK.
    """
    found = [path for pattern in PIPEWIRE_LIBRARIES for path in sorted(glob.glob(pattern))]
    return found[0] if found else None


def pipewire_answers() -> bool:
    """Return whether something listens at PipeWire's socket (pipewire(1))."""
    env = os.environ
    default = env.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    folder = env.get("PIPEWIRE_RUNTIME_DIR") or default
    path = os.path.join(folder, env.get("PIPEWIRE_REMOTE") or "pipewire-0")
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except OSError:
            return False
    return True


def loaded_library() -> str:
    """Return the path of the libjack that this process has loaded. Raises OSError without one."""
    for line in Path("/proc/self/maps").read_text("utf-8", "replace").splitlines():
        path = line.split(maxsplit=5)[-1]
        if re.search(r"/libjack[-.\w]*$", path):
            return path
    raise OSError("no libjack is loaded")


class JackWatch:
    """A client without ports that looks at a server.

    Active, as PipeWire tells its end and its time to none but active clients.

    Parameters
    ----------
    library
        Path of the libjack that everything else in this process uses.
    name
        Of the client.
    on_shutdown
        Called on a thread of the library's once the server has ended.

    Raises
    ------
    OSError
        The library cannot be used, or no server answers.
    """

    def __init__(self, library: str, name: str, on_shutdown: Callable[[], None]) -> None:
        self._jack = jack = ctypes.CDLL(library)
        for function in ("jack_get_ports", "jack_port_get_all_connections"):
            getattr(jack, function).restype = POINTER(c_char_p)
        jack.jack_client_open.restype = jack.jack_port_by_name.restype = c_void_p
        jack.jack_last_frame_time.restype = c_uint32
        jack.jack_get_buffer_size.restype = jack.jack_get_sample_rate.restype = c_int
        jack.jack_free.argtypes = [c_void_p]
        status = c_int()
        opened = jack.jack_client_open(name.encode(), NO_START_SERVER, ctypes.byref(status))
        if not opened:
            raise OSError(f"no JACK server answers (status {status.value:#x})")
        self._client = c_void_p(opened)
        self._callback = _Shutdown(lambda _: on_shutdown())  # kept: the library calls it
        jack.jack_on_shutdown(self._client, self._callback, None)
        jack.jack_activate(self._client)

    def ports(self, flags: int = 0) -> set[str]:
        """Return the names of all MIDI ports, or of those that are ``INPUT`` or ``OUTPUT``."""
        return set(
            self._names(self._jack.jack_get_ports(self._client, None, MIDI_TYPE, c_ulong(flags)))
        )

    def connections(self, port: str) -> list[str]:
        """Return the ports that a port is connected to."""
        found = self._jack.jack_port_by_name(self._client, port.encode())
        if not found:
            return []
        all_of = self._jack.jack_port_get_all_connections(self._client, c_void_p(found))
        return self._names(all_of)

    def connect(self, source: str, destination: str) -> None:
        """Connect two ports, if both are there."""
        self._jack.jack_connect(self._client, source.encode(), destination.encode())

    def frame(self) -> int:
        """Return a number that grows while the server runs."""
        return int(self._jack.jack_last_frame_time(self._client))

    def period(self) -> float:
        """Return the seconds of the graph's period; 0 where the server does not say."""
        n_samples = int(self._jack.jack_get_buffer_size(self._client))
        rate = int(self._jack.jack_get_sample_rate(self._client))
        return n_samples / rate if n_samples > 0 and rate > 0 else 0.0

    def close(self) -> None:
        """Leave the server."""
        self._jack.jack_client_close(self._client)

    def _names(self, names: Sequence[bytes | None]) -> list[str]:
        """Return a list of C's that ends with a null, and free it."""
        found: list[str] = []
        if not names:
            return found
        for name in names:
            if name is None:
                break
            found.append(name.decode(errors="replace"))
        self._jack.jack_free(names)
        return found
