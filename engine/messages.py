"""The bytes of a MIDI channel message. Not here: when and where they are sent."""

from engine.notes import Event, NoteEvent

SUSTAIN, ALL_NOTES_OFF = 64, 123  # controllers

Message = tuple[int, int, int]


def message(event: Event) -> Message:
    """Return (status, data, data) of a note or a pedal.

    >>> message(NoteEvent(0.0, 60, 100, channel=2))
    (145, 60, 100)
    """
    if isinstance(event, NoteEvent):
        return (0x90 if event.is_on else 0x80) | (event.channel - 1), event.pitch, event.velocity
    return controller(event.channel, SUSTAIN, 127 if event.is_down else 0)


def controller(channel: int, number: int, value: int) -> Message:
    """Return a control change on ``channel`` (1 to 16).

    >>> controller(1, ALL_NOTES_OFF, 0)
    (176, 123, 0)
    """
    return 0xB0 | (channel - 1), number, value
