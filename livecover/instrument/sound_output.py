"""The song and the piano on one output, as the settings name them.

Not here: when it is opened (``rig``), how it plays (``engine.playback``).
"""

import contextlib
from dataclasses import replace

from engine.core.taps import Tap
from engine.playback.monitor import Monitor
from engine.playback.outputs.opening import open_output
from engine.playback.piano import Piano
from engine.playback.playback_thread import PlaybackThread, Player
from livecover.instrument.way_out import port_way_out
from livecover.settings.sections import Settings
from livecover.sounds.synth import check_piano, open_live_synth

MONITOR_S = 0.1
"""Seconds, beside the output's, by which a song has to be heard later to be played here."""


class SoundOutput:
    """Monitor and piano on one output, from its construction to ``close``.

    Parameters
    ----------
    settings
        With a monitor or a piano that is on.

    Attributes
    ----------
    playback : PlaybackThread
        The tap.

    Raises
    ------
    DeviceError
        The output, FluidSynth, the SoundFont or the plugin is missing or cannot be opened.
    """

    def __init__(self, settings: Settings) -> None:
        monitor, piano = settings.monitor, settings.piano
        device = monitor.device if monitor.is_on else piano.device
        if piano.enabled:
            check_piano(piano)  # before the output is opened
        self._monitor: Monitor | None = None
        self._piano: Piano | None = None
        players: list[Player] = []
        with contextlib.ExitStack() as stack:
            self.playback = PlaybackThread(open_output(device), lambda: open_output(device))
            stack.callback(self.playback.shut_down)
            if monitor.is_on:
                self._monitor = Monitor(self.playback.sample_rate)
                players.append(self._monitor)
            if piano.enabled:
                rate = self.playback.sample_rate
                self._piano = Piano(open_live_synth(piano, rate), rate)
                stack.callback(self._piano.shut_down)
                players.append(self._piano)
            self.apply(settings)
            self.playback.play(players)
            stack.callback(self.playback.shut_down)  # before the piano is freed
            self._stack = stack.pop_all()

    @property
    def tap(self) -> Tap:
        """What the engine's calls go to."""
        return self.playback

    def apply(self, settings: Settings) -> None:
        """Set volumes, and how late the output and the notes' port are heard. Any thread."""
        monitor, piano = settings.monitor, settings.piano
        self.playback.way_out = settings.calibration.way_out(self.playback.name)
        if self._monitor is not None:
            self._monitor.extra_delay = port_way_out(settings)
            self._monitor.gain = 0.0 if monitor.mute else _factor(monitor.gain_db)
        if self._piano is not None:
            self._piano.gain = 0.0 if piano.mute else _factor(piano.gain_db)

    def needs(self, settings: Settings) -> Settings:
        """Return ``settings`` with the latency that this output needs."""
        way_out = max(0.0, settings.calibration.way_out(self.playback.name))
        lead = round(self.playback.latency + way_out, 3)
        time, own = settings.time, settings.accompany
        allowance = time.output_allowance
        if self._piano is not None:
            allowance = max(allowance, lead)
        elif way_out > 0:
            allowance += way_out
        if self._monitor is not None:
            own = replace(own, song_later=min(2.0, max(own.song_later, lead + MONITOR_S)))
        time = replace(time, output_allowance=min(1.0, allowance))
        return replace(settings, time=time, accompany=own)

    def close(self) -> None:
        """Fade out and close everything; a second call does nothing."""
        self._stack.close()


def sound_key(settings: Settings) -> tuple[object, ...]:
    """Return what another output, or other players, are opened for; empty if there is none."""
    monitor, piano = settings.monitor, settings.piano
    if not (monitor.is_on or piano.enabled):
        return ()
    device = monitor.device if monitor.is_on else piano.device
    synth = (piano.soundfont, piano.plugin) if piano.enabled else ()
    return device, monitor.is_on, piano.enabled, *synth


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))
