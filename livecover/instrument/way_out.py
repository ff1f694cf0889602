"""What is done about how late notes are heard that another program plays: a DAW's piano.

``[calibration]`` says how late that is. Not here: an output of our own (``sound_output``), and
measuring (``calibration``).
"""

from dataclasses import replace

from livecover.settings.sections import Settings


def port_way_out(settings: Settings) -> float:
    """Return the seconds from a note at the MIDI port until it is heard; 0 of our own piano.

    The nudge belongs to an output of our own, where there is one.
    """
    if settings.piano.enabled:
        return 0.0
    measured = settings.calibration.outputs
    way_out = next((measured[name] for name in settings.midi.midi_out if name in measured), 0.0)
    return way_out if settings.monitor.is_on else way_out + settings.calibration.nudge


def sent_ahead(settings: Settings) -> Settings:
    """Return ``settings`` with notes of mode accompany sent ahead by the way out, too.

    With a monitor the song waits for them instead.
    """
    if settings.monitor.is_on:
        return settings
    own = settings.accompany
    ahead = min(1.0, max(0.0, own.ahead + port_way_out(settings)))
    return replace(settings, accompany=replace(own, ahead=ahead))
