"""Song and piano together: the player's sound as an input, while nobody hears it from there.

The monitor then plays it, later, with the piano. Linux does all of it; elsewhere the player has to
be sent to a virtual device by hand.
"""

import sys

from engine.audio.devices.source import AudioSource
from engine.audio.loopback.macos import VIRTUAL_DEVICES, VirtualDevice, list_virtual_devices
from engine.audio.loopback.players import Player, players_of
from engine.audio.loopback.pulse import PulseMonitor
from engine.audio.loopback.pulse_server import ask_server
from engine.audio.loopback.song_sink import MONITOR, acquire_song_sink, release_song_sink
from engine.audio.loopback.windows import WasapiLoopback
from engine.core.errors import DeviceError
from engine.core.settings import AudioSettings

TOGETHER = "together"
"""What stands after ``--input`` for it."""
VIRTUAL_OUTPUTS = ("CABLE", "VB-Audio", "Voicemeeter", *VIRTUAL_DEVICES)
"""Parts of the names of outputs that nobody hears."""
MACOS_HOW_TO = (
    "to play song and piano together macOS needs a virtual device: install BlackHole ('brew install"
    " blackhole-2ch'), choose it alone as sound output in System Settings, then type livecover"
    " together again; song and piano play on your speakers"
)
WINDOWS_HOW_TO = (
    "to play song and piano together Windows needs a virtual device: install VB-CABLE"
    " (vb-audio.com/Cable), choose 'CABLE Input' as output in Settings, Sound, then type livecover"
    " together again; song and piano play on your speakers"
)


class TogetherSource(PulseMonitor):
    """The silent sink's monitor; from ``start`` to ``stop`` the player plays into it.

    Parameters as ``PulseMonitor``; ``player`` as ``PlayerChoice``. Raises DeviceError.
    """

    def __init__(self, player: str, block_size: int = 256, sample_rate: int | None = None) -> None:
        super().__init__(None, block_size, sample_rate)  # the sink is made like the default output
        self.name = self._wanted = MONITOR
        self._player = player
        self._has_sink = False

    def _locate(self) -> None:
        acquire_song_sink(self._player)
        self._has_sink = True

    def stop(self) -> None:
        """End recording, and put the player back; calling it again does nothing."""
        super().stop()
        if self._has_sink:
            self._has_sink = False
            release_song_sink()


def open_together(settings: AudioSettings, platform: str = sys.platform) -> AudioSource:
    """Return the source, not started. Raises DeviceError, which says what is to be installed."""
    if platform == "win32":
        source = WasapiLoopback(settings.block_size, settings.sample_rate)
        if not is_virtual(source.name):
            raise DeviceError(WINDOWS_HOW_TO)
        return source
    if platform == "darwin":
        if not list_virtual_devices():
            raise DeviceError(MACOS_HOW_TO)
        return VirtualDevice(settings.block_size, settings.sample_rate)
    return TogetherSource(settings.player, settings.block_size, settings.sample_rate)


def list_players(platform: str = sys.platform) -> list[Player]:
    """Return the programs whose sound can be taken now. Raises DeviceError where none answers."""
    if platform != "linux":
        return []
    return ask_server(lambda pulse: players_of(pulse.sink_input_list()))


def is_virtual(output: str) -> bool:
    """Return whether an output of this name is one that nobody hears."""
    return any(name.casefold() in output.casefold() for name in VIRTUAL_OUTPUTS)
