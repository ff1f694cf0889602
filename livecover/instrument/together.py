"""Song and piano heard together, here: by ``livecover together``, and by the panel."""

import sys
from collections.abc import Mapping

from engine.audio.loopback.together import TOGETHER
from engine.core.errors import ConfigError, LiveCoverError
from engine.playback.outputs.opening import audible_output
from engine.playback.outputs.output import DEFAULT
from livecover.instrument.instrument import Instrument
from livecover.settings.sections import Settings, with_values

TOGETHER_VALUES: dict[str, object] = {"audio.input": TOGETHER, "piano.enabled": True}
"""Of the settings; the monitor's output and the latency are others."""
TOGETHER_LATENCY_S = 0.4
"""The song waits for its notes, so that there is time to hear them well; a video waits less."""


def for_together(
    settings: Settings, given: Mapping[str, object], platform: str = sys.platform
) -> Settings:
    """Return ``settings`` with the input, the monitor and the piano on.

    An output that they name for the monitor stays, and so does a latency that was chosen, the
    shortest too if it was typed. ``given`` is what was typed, by ``section.key``. Raises
    ConfigError if that is another input, and DeviceError where there is no output to be heard.
    """
    if given.get("audio.input", TOGETHER) != TOGETHER:
        raise ConfigError(
            f"together takes the song from the program that plays it, not from"
            f" {given['audio.input']!r}: leave --input out, or give --monitor and --piano instead"
        )
    device = settings.monitor.device if settings.monitor.is_on else DEFAULT
    if device == DEFAULT:
        device = audible_output(platform)
    values = {**TOGETHER_VALUES, "monitor.device": device}
    if settings.time.latency is None and "time.latency" not in given:
        values["time.latency"] = TOGETHER_LATENCY_S
    return with_values(settings, values)


def apart(settings: Settings) -> dict[str, object]:
    """Return the values of now, to go back to; where song and piano are together, those without."""
    if settings.audio.input == TOGETHER:
        defaults = Settings()
        return {
            "audio.input": defaults.audio.input,
            "monitor.device": defaults.monitor.device,
            "piano.enabled": defaults.piano.enabled,
            "time.latency": defaults.time.latency,
        }
    return {
        "audio.input": settings.audio.input,
        "monitor.device": settings.monitor.device,
        "piano.enabled": settings.piano.enabled,
        "time.latency": settings.time.latency,
    }


def toggle_together(instrument: Instrument, before: dict[str, object] | None) -> dict[str, object]:
    """Play song and piano together from now on, or go back to ``before`` and stop.

    Returns what to go back to. Raises LiveCoverError, after which all is as it was, but stopped.
    """
    settings = instrument.settings
    instrument.stop()
    kept = apart(settings)
    if settings.audio.input == TOGETHER:
        instrument.change(before or kept)
        return kept
    wanted = for_together(settings, {})
    try:
        instrument.change(
            {
                **TOGETHER_VALUES,
                "monitor.device": wanted.monitor.device,
                "time.latency": wanted.time.latency,
            }
        )
        instrument.start()
    except LiveCoverError:
        instrument.change(kept)
        raise
    return kept
