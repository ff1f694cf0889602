"""Opening an output by its name, listing outputs, and finding one that is heard.

Outputs: on Linux sinks of PulseAudio (``pulse``), everything else through PortAudio (``device``).
"""

import sys
from dataclasses import dataclass

from engine.audio.devices.portaudio import devices, portaudio, with_new_devices
from engine.audio.loopback.pulse_server import connected
from engine.audio.loopback.pulse_simple import ANSWER_S, HANGS
from engine.audio.loopback.together import is_virtual
from engine.core.errors import DeviceError
from engine.playback.outputs.device import DeviceOutput, find_output
from engine.playback.outputs.output import DEFAULT, N_CHANNELS, Output
from engine.playback.outputs.pulse import PulseOutput
from engine.system.bounded import call_with_timeout


def audible_output(platform: str = sys.platform) -> str:
    """Return the default output, or another where nobody hears that: as ``open_output`` takes it.

    On Linux it is the default, which stays one that is heard. Raises DeviceError as
    ``DeviceOutput``.
    """
    if platform == "linux":
        return DEFAULT
    sd = portaudio()
    if not is_virtual(str(find_output(sd, DEFAULT)["name"])):
        return DEFAULT
    for device in devices(sd, "output", N_CHANNELS):
        if not is_virtual(device["name"]):
            return str(device["name"])
    raise DeviceError("there is no output but virtual ones: connect speakers or headphones")


def open_output(device: str, platform: str = sys.platform) -> Output:
    """Return the output that ``device`` means: ``default``, a name or an index.

    Raises
    ------
    DeviceError
        There is none such, or it cannot be opened.
    """
    if platform != "linux" or device.isdecimal():
        return DeviceOutput(device)
    return PulseOutput(device)


@dataclass(frozen=True, slots=True)
class OutputInfo:
    """An output as ``livecover devices`` and the panel list it."""

    name: str
    """As ``open_output`` takes it."""
    text: str
    """As its system calls it."""


def list_outputs(platform: str = sys.platform) -> list[OutputInfo]:
    """Return the outputs that ``open_output`` opens by name. Raises DeviceError."""
    if platform != "linux":
        sd = portaudio()
        outputs = with_new_devices(lambda: devices(sd, "output", N_CHANNELS))
        return [OutputInfo(name, name) for name in dict.fromkeys(d["name"] for d in outputs)]
    try:
        return call_with_timeout(ANSWER_S, "the sound server", _list_sinks)
    except TimeoutError as error:
        raise DeviceError(HANGS) from error


def _list_sinks() -> list[OutputInfo]:
    with connected() as pulse:
        return [OutputInfo(sink.name, sink.description) for sink in pulse.sink_list()]
