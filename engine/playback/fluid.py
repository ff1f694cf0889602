"""A SoundFont played by FluidSynth's library: a dozen C functions, called with ctypes.

They release the GIL. API: fluidsynth.h, versions 2 and 3. Samples are (n, 2) float32. Not here:
when a note is played (``engine.playback.piano``).
"""

import ctypes
import ctypes.util
import functools
import os
import sys
from collections.abc import Sequence
from ctypes import c_char_p, c_double, c_float, c_int, c_void_p
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.midi.messages import Message
from engine.playback.soundfonts import check_soundfont

Array = NDArray[np.float32]

GRID = 64
"""Samples that FluidSynth computes at once; a message counts from the next such block on."""
N_CHANNELS = 16
GAIN = 0.4
"""FluidSynth's gain at 0 dB of ours: a chord of ten loud keys fits."""

_NAMES = (
    "libfluidsynth.so.3",
    "libfluidsynth.so.2",
    "libfluidsynth-3.dll",
    "libfluidsynth.3.dylib",
)
_FOLDERS = ("", "/opt/homebrew/lib/", "/usr/local/lib/")
_INSTALL = {
    "linux": "'sudo apt install libfluidsynth3' (Debian, Ubuntu), 'sudo dnf install"
    " fluidsynth-libs' (Fedora) or 'sudo pacman -S fluidsynth' (Arch)",
    "darwin": "'brew install fluid-synth'",
    "win32": "'choco install fluidsynth', or put libfluidsynth-3.dll on the PATH",
}


@functools.cache
def _library() -> ctypes.CDLL:
    """Return FluidSynth, its functions declared. Raises DeviceError where it is missing."""
    found = ctypes.util.find_library("fluidsynth")
    for name in [*(f + n for f in _FOLDERS for n in _NAMES), *([found] if found else [])]:
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        how = _INSTALL.get(sys.platform, "your system's package of FluidSynth")
        raise DeviceError(f"the piano needs FluidSynth, which was not found; install it with {how}")
    _declare(library)
    return library


def _declare(library: ctypes.CDLL) -> None:
    signatures: dict[str, tuple[object, ...]] = {
        "new_fluid_settings": (c_void_p,),
        "new_fluid_synth": (c_void_p, c_void_p),
        "delete_fluid_settings": (None, c_void_p),
        "delete_fluid_synth": (None, c_void_p),
        "fluid_settings_setnum": (c_int, c_void_p, c_char_p, c_double),
        "fluid_settings_setint": (c_int, c_void_p, c_char_p, c_int),
        "fluid_synth_sfload": (c_int, c_void_p, c_char_p, c_int),
        "fluid_synth_set_channel_type": (c_int, c_void_p, c_int, c_int),
        "fluid_synth_noteon": (c_int, c_void_p, c_int, c_int, c_int),
        "fluid_synth_noteoff": (c_int, c_void_p, c_int, c_int),
        "fluid_synth_cc": (c_int, c_void_p, c_int, c_int, c_int),
        "fluid_synth_program_change": (c_int, c_void_p, c_int, c_int),
        "fluid_set_log_function": (c_void_p, c_int, c_void_p, c_void_p),
        "fluid_synth_write_float": (
            c_int,
            *(c_void_p, c_int, c_void_p, c_int, c_int, c_void_p, c_int, c_int),
        ),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


class FluidPiano:
    """A SoundFont's first instrument, on all 16 channels. One thread.

    Parameters
    ----------
    soundfont
        An .sf2 or .sf3 file.
    sample_rate
        Hertz.
    gain
        Factor.

    Raises
    ------
    DeviceError
        FluidSynth is missing, or the file is no SoundFont that it reads.
    """

    def __init__(self, soundfont: Path, sample_rate: int, gain: float = 1.0) -> None:
        self._synth: int | None = None
        self._settings: int | None = None
        check_soundfont(soundfont)
        self._fluid = fluid = _library()
        for level in range(4):  # its own words would break into the live line
            fluid.fluid_set_log_function(level, None, None)
        self._settings = fluid.new_fluid_settings()
        fluid.fluid_settings_setnum(self._settings, b"synth.sample-rate", float(sample_rate))
        fluid.fluid_settings_setnum(self._settings, b"synth.gain", GAIN * gain)
        fluid.fluid_settings_setint(self._settings, b"synth.chorus.active", 0)
        self._synth = fluid.new_fluid_synth(self._settings)
        if fluid.fluid_synth_sfload(self._synth, os.fsencode(soundfont), 1) < 0:
            self.close()
            raise DeviceError(
                f"FluidSynth cannot read the SoundFont {soundfont}; give another after --soundfont"
            )
        for channel in range(N_CHANNELS):
            fluid.fluid_synth_set_channel_type(self._synth, channel, 0)  # no drums
            fluid.fluid_synth_program_change(self._synth, channel, 0)
        self._n_rendered = 0

    def render(self, n: int, messages: Sequence[tuple[int, Message]]) -> Array:
        """Return the next ``n`` samples, given (sample, message) of what is played in them.

        A message counts from the nearest start of a block of ``GRID`` samples on: at most half a
        block early or late.
        """
        sound = np.empty((n, 2), np.float32)
        done = 0
        for at, message in messages:
            place = self._n_rendered + at
            stop = min(n, max(done, (place + GRID // 2) // GRID * GRID - self._n_rendered))
            self._write(sound[done:stop])
            done = stop
            self._take(message)
        self._write(sound[done:])
        self._n_rendered += n
        return sound

    def close(self) -> None:
        """Free it; a second call does nothing."""
        if self._synth is not None:
            self._fluid.delete_fluid_synth(self._synth)
            self._synth = None
        if self._settings is not None:
            self._fluid.delete_fluid_settings(self._settings)
            self._settings = None

    def _take(self, message: Message) -> None:
        status, first, second = message
        channel, kind = status & 0x0F, status & 0xF0
        if kind == 0x90 and second:
            self._fluid.fluid_synth_noteon(self._synth, channel, first, second)
        elif kind in (0x80, 0x90):
            self._fluid.fluid_synth_noteoff(self._synth, channel, first)
        else:
            self._fluid.fluid_synth_cc(self._synth, channel, first, second)

    def _write(self, sound: Array) -> None:
        if len(sound):
            data = sound.ctypes.data
            right = data + ctypes.sizeof(c_float)
            self._fluid.fluid_synth_write_float(self._synth, len(sound), data, 0, 2, right, 0, 2)
