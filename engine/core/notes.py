"""The values that flow from the model to the MIDI port.

Shapes: n frames, 88 pitches (index 0 is MIDI pitch 21, A0). Times are seconds of input audio,
0 at the first sample that the engine took.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Part = Literal["accompaniment", "melody"]
Hand = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Posteriors:
    """A model's outputs for n frames; every array float32 in [0, 1].

    ``frames`` (n,) int64 gives each row's frame index (time = index * hop / sample_rate). Indices
    rise; they skip where the engine slept or dropped features.
    """

    frames: NDArray[np.int64]
    onset: NDArray[np.float32]  # (n, 88)
    frame: NDArray[np.float32]  # (n, 88)
    velocity: NDArray[np.float32]  # (n, 88), times 127 is the MIDI velocity
    melody: NDArray[np.float32] | None = None  # (n, 88)
    transcription: NDArray[np.float32] | None = None  # (n, 2, 88), onset, frame: all that plays

    def __len__(self) -> int:
        return len(self.frames)

    def part(self, rows: slice) -> "Posteriors":
        """Return some of the rows."""
        return Posteriors(
            self.frames[rows],
            self.onset[rows],
            self.frame[rows],
            self.velocity[rows],
            None if self.melody is None else self.melody[rows],
            None if self.transcription is None else self.transcription[rows],
        )


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """One note-on (velocity 1 to 127) or note-off (velocity 0) at a moment of the input audio."""

    time: float
    pitch: int
    velocity: int
    part: Part = "accompaniment"
    hand: Hand | None = None  # None where hands are not assigned
    channel: int = 1  # MIDI channel, 1 to 16

    @property
    def is_on(self) -> bool:
        """True for a note-on."""
        return self.velocity > 0


@dataclass(frozen=True, slots=True)
class Note:
    """A note from its onset to its offset, seconds."""

    onset: float
    offset: float
    pitch: int
    velocity: int
    part: Part = "accompaniment"
    hand: Hand | None = None  # None where hands are not assigned


@dataclass(frozen=True, slots=True)
class PedalEvent:
    """The sustain pedal of one channel goes down or up at a moment of the input audio."""

    time: float
    is_down: bool
    channel: int = 1


Event = NoteEvent | PedalEvent


def notes_of(events: Iterable[Event]) -> list[NoteEvent]:
    """Return the notes among ``events``."""
    return [event for event in events if isinstance(event, NoteEvent)]
