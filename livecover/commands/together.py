"""``livecover together``: the settings with which song and piano are heard together, here."""

import sys
from collections.abc import Mapping

from engine.audio.loopback.together import TOGETHER
from engine.core.errors import ConfigError
from engine.playback.output import DEFAULT, audible_output
from livecover.settings.sections import Settings, with_values


def for_together(
    settings: Settings, given: Mapping[str, object], platform: str = sys.platform
) -> Settings:
    """Return ``settings`` with the input, the monitor and the piano on.

    An output that they name for the monitor stays. ``given`` is what was typed, by
    ``section.key``. Raises ConfigError if that is another input, and DeviceError where there is no
    output to be heard.
    """
    if given.get("audio.input", TOGETHER) != TOGETHER:
        raise ConfigError(
            f"together takes the song from the program that plays it, not from"
            f" {given['audio.input']!r}: leave --input out, or give --monitor and --piano instead"
        )
    device = settings.monitor.device if settings.monitor.is_on else DEFAULT
    if device == DEFAULT:
        device = audible_output(platform)
    values = {"audio.input": TOGETHER, "monitor.device": device, "piano.enabled": True}
    return with_values(settings, values)
