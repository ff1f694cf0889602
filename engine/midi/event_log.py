"""Events kept as bytes: a fiftieth of the memory that they take as objects."""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import Event, NoteEvent, Part, PedalEvent

_RECORD = struct.Struct("<dBBBB")
_FIELDS = np.dtype(
    [("time", "<f8"), ("key", "u1"), ("velocity", "u1"), ("channel", "u1"), ("is_melody", "u1")]
)
_PEDAL = 255
"""In the place of the key: a pedal, whose velocity is 1 when it is down."""


class EventLog:
    """Events without their hands. One thread at a time."""

    def __init__(self) -> None:
        self._records = bytearray()

    def __len__(self) -> int:
        return len(self._records) // _RECORD.size

    def append(self, event: Event) -> None:
        """Keep an event."""
        if isinstance(event, PedalEvent):
            key, velocity, is_melody = _PEDAL, int(event.is_down), False
        else:
            key, velocity, is_melody = event.pitch, event.velocity, event.part == "melody"
        self._records += _RECORD.pack(event.time, key, velocity, event.channel, is_melody)

    def copy(self) -> "EventLog":
        """Return a copy."""
        other = EventLog()
        other._records = self._records[:]
        return other

    def in_order(self) -> Iterator[Event]:
        """Yield the events by time; of one moment, what ends comes first."""
        found: NDArray[np.void] = np.frombuffer(bytes(self._records), _FIELDS)
        for k in np.lexsort((found["velocity"] > 0, found["time"])):
            time, key, velocity, channel, is_melody = found[k].item()
            if key == _PEDAL:
                yield PedalEvent(time, velocity > 0, channel)
            else:
                part: Part = "melody" if is_melody else "accompaniment"
                yield NoteEvent(time, key, velocity, part, channel=channel)
