"""The checks of ``livecover doctor`` on what the settings name: input, ports, outputs, plugin.

Each returns what was found, and raises LiveCoverError with what to do. Not here: the checks of the
machine (``doctor``).
"""

import threading
from collections.abc import Callable

from engine.audio.loopback.opening import LOOPBACK
from engine.audio.loopback.together import TOGETHER
from engine.audio.opening import open_source
from engine.core.errors import DeviceError, LiveCoverError
from engine.core.notes import NoteEvent
from engine.midi.sinks import PortSink, is_midi_file
from engine.playback.outputs.opening import open_output
from engine.playback.playback_thread import loop_fault
from engine.system.bounded import call_in_thread
from engine.system.paths import given_path, shown
from engine.system.priority import raise_thread_priority
from engine.system.whole_file import check_writable
from livecover.settings.sections import Settings
from livecover.sounds.synth import open_live_synth

TEST_NOTE, TEST_VELOCITY, TEST_S = 60, 64, 0.4
PIANO_RATE = 48000


def check_input(settings: Settings) -> str:
    """Open the input, without starting it."""
    if settings.audio.input == LOOPBACK:
        return "what this computer plays, as above"
    source = open_source(settings.audio.input, settings.audio)
    try:
        return f"{source.name}, {source.sample_rate} Hz, {source.n_channels} ch"
    finally:
        source.stop()


def check_port(settings: Settings, pause: Callable[[float], object] | None = None) -> str:
    """Send a note to each port that is there; see whether each file can be written.

    A port that would be made is only named, since nobody hears it yet. ``pause`` waits for so many
    seconds.
    """
    pause = pause or threading.Event().wait
    found = []
    for name in settings.midi.midi_out:
        if is_midi_file(name):
            check_writable(given_path(name))
            found.append(f"{shown(name)} can be written")
            continue
        sink = PortSink(name)
        try:
            if sink.is_virtual:
                found.append(f"{name} will be made when livecover plays: connect a synthesizer")
                continue
            _send_note(sink, settings.midi.channel, pause)
            found.append(
                f"{name} has taken a test note: middle C, on channel {settings.midi.channel}"
            )
        finally:
            sink.close()
    return "; ".join(found)


def check_output(settings: Settings) -> str:
    """Open the output of song and piano, if one of them is played here.

    Raises DeviceError, also where it plays what the input hears.
    """
    monitor, piano = settings.monitor, settings.piano
    if not (monitor.is_on or piano.enabled):
        return "off: neither --monitor nor --piano is on"
    output = open_output(monitor.device if monitor.is_on else piano.device)
    try:
        heard = _heard(settings)
        if output.is_heard_in(heard):
            raise DeviceError(loop_fault(heard, output.name))
        return f"{output.name}, {output.sample_rate} Hz"
    finally:
        output.close()


def _heard(settings: Settings) -> str:
    """Return the input's name; empty where it cannot be opened, or has an output of its own."""
    if settings.audio.input == TOGETHER:
        return ""
    try:
        source = open_source(settings.audio.input, settings.audio)
    except LiveCoverError:  # ``check_input`` says why
        return ""
    source.stop()
    return source.name


def check_plugin(settings: Settings) -> str:
    """Load the plugin, in a process of its own, if there is one."""
    plugin = settings.piano.plugin
    if plugin is None:
        return "none: the piano is a SoundFont"
    open_live_synth(settings.piano, PIANO_RATE).close()
    return f"{shown(plugin)} can be loaded"


def check_priority() -> str:
    """Try real-time priority, on a thread of its own; never fails."""
    raised = call_in_thread(raise_thread_priority, "priority")
    if raised.result():
        return "real-time, as the MIDI thread asks for"
    return "ordinary: on a busy machine notes may be late by milliseconds"


def _send_note(sink: PortSink, channel: int, pause: Callable[[float], object]) -> None:
    """Send a note and its end. Raises MidiError where the port is gone."""
    try:
        sink.send(NoteEvent(0.0, TEST_NOTE, TEST_VELOCITY, channel=channel))
        pause(TEST_S)
    finally:
        sink.send(NoteEvent(TEST_S, TEST_NOTE, 0, channel=channel))
