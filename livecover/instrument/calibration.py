"""Measuring the way out of what the settings name, for the command line and the panel."""

import threading
from collections.abc import Callable, Mapping

from engine.audio.opening import is_file_input, open_source
from engine.core.errors import ConfigError
from engine.midi.port_sink import PortSink
from engine.midi.sinks import is_midi_file
from engine.playback.calibration import measure_output, measure_port
from engine.playback.outputs.opening import open_output
from engine.playback.playback_thread import PlaybackThread
from engine.signal.clicks import WayOut
from livecover.settings.sections import Settings

CONNECT_S = 8.0
"""Seconds that a DAW, or who connects it, has to take a port that was just made."""


def calibrate(
    settings: Settings,
    stop: threading.Event,
    tell: Callable[[str], None],
    is_port: bool | None = None,
) -> tuple[str, WayOut]:
    """Return what was measured, and of what: the name of an output or of a MIDI port.

    Takes ten to thirty seconds, in which clicks or notes sound. Nothing else may play meanwhile.

    Parameters
    ----------
    settings
        Name the input that hears, the output of monitor or piano, and the ports.
    stop
        Ends it.
    tell
        Gets lines for the user.
    is_port
        Whether notes at the first port are meant, rather than an output of this program; None: if
        neither monitor nor piano is on.

    Raises
    ------
    ConfigError
        The input is a file, or there is no port to send notes to.
    DeviceError, MidiError
        What is needed cannot be opened, or the clicks are not heard.
    """
    audio, monitor, piano = settings.audio, settings.monitor, settings.piano
    if is_file_input(audio.input):
        raise ConfigError(
            f"calibrate hears back what it plays, and {audio.input!r} is a file: give --input"
            " loopback or mic"
        )
    source = open_source(audio.input, audio)
    if is_port is None:
        is_port = not (monitor.is_on or piano.enabled)
    if not is_port:
        device = monitor.device if monitor.is_on else piano.device
        playback = PlaybackThread(open_output(device), lambda: open_output(device))
        try:
            tell(f"clicks on {playback.name}, heard by {source.name}; Ctrl-C stops")
            return playback.name, measure_output(playback, source, stop)
        finally:
            playback.shut_down()
    name = next((name for name in settings.midi.midi_out if not is_midi_file(name)), None)
    if name is None:
        raise ConfigError("midi.midi_out names no port: give --midi-out PORT, or --monitor OUTPUT")
    port = PortSink(name)
    try:
        if port.is_virtual:
            tell(f"let your DAW play the notes of {name}; they begin in {CONNECT_S:g} s")
            stop.wait(CONNECT_S)
        tell(f"notes to {name}, heard by {source.name}; Ctrl-C stops")
        return name, measure_port(port, source, stop, channel=settings.midi.channel)
    finally:
        port.close()


def lines_of(name: str, found: WayOut) -> Mapping[str, float]:
    """Return what ``calibration.outputs`` gets."""
    return {name: round(found.seconds, 4)}


def describe(name: str, found: WayOut) -> str:
    """Return the result in one line.

    >>> describe("Headphones", WayOut(0.1524, 0.15, 0.157, 12))
    'Headphones is heard 152.4 ms later (most within 150.0 to 157.0 ms; 12 heard)'
    """
    low, high = 1000 * found.low, 1000 * found.high
    return (
        f"{name} is heard {1000 * found.seconds:.1f} ms later (most within {low:.1f} to"
        f" {high:.1f} ms; {found.n_heard} heard)"
    )
