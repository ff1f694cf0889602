"""What the computer plays, as a source; one class for each system, found in its own module.

Linux: the monitor of PulseAudio's or PipeWire's default sink. Windows: WASAPI loopback. macOS: a
virtual device. Each module imports its platform's library only when it is used.
"""

import sys

from engine.audio.devices.source import AudioSource, InputInfo
from engine.audio.loopback.macos import VirtualDevice, list_virtual_devices
from engine.audio.loopback.pulse import PulseMonitor
from engine.audio.loopback.pulse_server import list_monitors
from engine.audio.loopback.windows import WasapiLoopback, list_speakers
from engine.core.settings import AudioSettings

LOOPBACK = "loopback"
"""What stands after ``--input`` for the default loopback."""


def open_loopback(
    settings: AudioSettings, name: str | None = None, platform: str = sys.platform
) -> AudioSource:
    """Return this system's loopback, not started.

    Parameters
    ----------
    settings
        Block size and sample rate.
    name
        A PulseAudio monitor; None is what the default output plays, and follows it.
    platform
        As ``sys.platform``.

    Raises
    ------
    DeviceError
        It cannot be had; the message says what to install or to set up.
    """
    if platform == "win32":
        return WasapiLoopback(settings.block_size, settings.sample_rate, channels=settings.channels)
    if platform == "darwin":
        return VirtualDevice(settings.block_size, settings.sample_rate, settings.channels)
    return PulseMonitor(name, settings.block_size, settings.sample_rate, settings.channels)


def list_loopbacks(platform: str = sys.platform) -> list[InputInfo]:
    """Return this system's loopbacks, the default one first. Raises DeviceError as above."""
    if platform == "win32":
        return list_speakers()
    if platform == "darwin":
        return list_virtual_devices()
    return list_monitors()
