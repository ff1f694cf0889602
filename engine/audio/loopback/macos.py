"""Loopback on macOS: a virtual device that hands output back as input, found by its name.

Core Audio has no monitor of its own that PortAudio can open.
"""

from collections.abc import Sequence

from engine.audio.devices.device import DeviceSource, list_devices
from engine.audio.devices.portaudio import with_new_devices
from engine.audio.devices.source import InputInfo
from engine.core.errors import DeviceError

VIRTUAL_DEVICES = ("BlackHole", "Loopback Audio", "Soundflower", "VB-Cable", "Background Music")
HOW_TO = (
    "macOS has no loopback of its own: install BlackHole ('brew install blackhole-2ch'), make a"
    " Multi-Output Device of your speakers and BlackHole in Audio MIDI Setup, choose it as sound"
    " output, then start livecover again"
)


def list_virtual_devices() -> list[InputInfo]:
    """Return the virtual inputs that are known by name, the first of them as ``loopback``."""
    inputs = list_devices()
    found = [
        device
        for name in VIRTUAL_DEVICES
        for device in inputs
        if name.casefold() in device.name.casefold()
    ]
    return [
        InputInfo(
            device.index,
            device.name,
            device.n_channels,
            device.sample_rate,
            is_loopback=True,
            what_to_type="loopback" if place == 0 else device.what_to_type,
        )
        for place, device in enumerate(found)
    ]


class VirtualDevice(DeviceSource):
    """The first known virtual device. Raises DeviceError, which tells how to make one."""

    def __init__(
        self,
        block_size: int = 256,
        sample_rate: int | None = None,
        channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__(with_new_devices(_find_name), block_size, sample_rate, channels)


def _find_name() -> str:
    """Return the first virtual device's name. Raises DeviceError."""
    devices = list_virtual_devices()
    if not devices:
        raise DeviceError(HOW_TO)
    return devices[0].name
