"""The bytes of a MIDI channel message. Not here: when and where they are sent."""

from collections.abc import Sequence

from engine.core.notes import Event, NoteEvent

SUSTAIN = 64
ALL_SOUND_OFF, RESET_ALL_CONTROLLERS, ALL_NOTES_OFF = 120, 121, 123
"""Controllers, and channel mode messages (MIDI 1.0, tables III and I)."""

CHANNELS = range(1, 17)

Message = tuple[int, int, int]


def message(event: Event) -> Message:
    """Return (status, data, data) of a note or a pedal.

    >>> message(NoteEvent(0.0, 60, 100, channel=2))
    (145, 60, 100)
    """
    if isinstance(event, NoteEvent):
        return (0x90 if event.is_on else 0x80) | (event.channel - 1), event.pitch, event.velocity
    return controller(event.channel, SUSTAIN, 127 if event.is_down else 0)


def program_messages(
    channels: Sequence[int], program: int | None, bank: int | None = None
) -> list[tuple[int, ...]]:
    """Return what chooses a sound on each channel: bank select and program change, as given.

    >>> program_messages([2], 5, 129)
    [(177, 0, 1), (177, 32, 1), (193, 5)]
    """
    found: list[tuple[int, ...]] = []
    for channel in channels:
        if bank is not None:
            found += [controller(channel, 0, bank >> 7), controller(channel, 32, bank & 0x7F)]
        if program is not None:
            found.append((0xC0 | (channel - 1), program))
    return found


def panic_messages() -> list[Message]:
    """Return what makes any receiver silent: pedal up, no sound, no controllers, no notes.

    On all sixteen channels, one after the other, as mido's ``panic`` and ``reset`` in one.

    >>> panic_messages()[:4]
    [(176, 64, 0), (176, 120, 0), (176, 121, 0), (176, 123, 0)]
    """
    numbers = (SUSTAIN, ALL_SOUND_OFF, RESET_ALL_CONTROLLERS, ALL_NOTES_OFF)
    return [controller(channel, number, 0) for channel in CHANNELS for number in numbers]


def controller(channel: int, number: int, value: int) -> Message:
    """Return a control change on ``channel`` (1 to 16).

    >>> controller(1, ALL_NOTES_OFF, 0)
    (176, 123, 0)
    """
    return 0xB0 | (channel - 1), number, value
