"""Opens the piano that the settings name: a SoundFont or a plugin.

Not here: playing it (``instrument.rig`` live, ``takes.rendering`` for takes).
"""

from functools import partial
from pathlib import Path

from engine.playback.fluid import FluidPiano
from engine.playback.piano import Synth
from engine.playback.plugin import PluginPiano, load_plugin
from engine.playback.soundfonts import check_soundfont, find_soundfont
from engine.playback.synth_process import SynthProcess
from engine.system.paths import given_path, is_file
from livecover.settings.output import PianoSettings

BUNDLED = Path(__file__).with_name("piano.sf3")


def open_synth(settings: PianoSettings, sample_rate: int) -> Synth:
    """Return the piano of the settings, in this process. Raises DeviceError.

    A plugin must be loaded on the main thread; many require it. It may end the process.
    """
    if settings.plugin is not None:
        return PluginPiano(load_plugin(given_path(settings.plugin)), sample_rate)
    return FluidPiano(soundfont_of(settings), sample_rate)


def open_live_synth(settings: PianoSettings, sample_rate: int) -> Synth:
    """Return the piano of the settings; a plugin is in a process of its own. Raises DeviceError."""
    if settings.plugin is None:
        return open_synth(settings, sample_rate)
    return SynthProcess(f"the plugin {settings.plugin}", partial(open_synth, settings, sample_rate))


def check_piano(settings: PianoSettings) -> None:
    """Raise DeviceError if the SoundFont is missing or not valid."""
    if settings.plugin is None:
        check_soundfont(soundfont_of(settings))


def soundfont_of(settings: PianoSettings) -> Path:
    """Return the SoundFont's path: named, or bundled, or the first found. Raises DeviceError."""
    if settings.soundfont is not None:
        return given_path(settings.soundfont)
    return BUNDLED if is_file(BUNDLED) else find_soundfont()
