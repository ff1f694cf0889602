"""What happens to a note between the decoder and the port: curve, transposition, channel.

Applied here and nowhere else. Not here: the ports (``engine.midi``).
"""

import math
from dataclasses import dataclass, field

from engine.errors import ConfigError
from engine.notes import NoteEvent

GAMMAS = {"linear": 1.0, "soft": 1.5, "hard": 0.67}
"""Named curves: out = 127 * (in / 127) ** gamma."""

FIXED_VELOCITY = 80
"""What the curve ``fixed`` makes of every velocity."""


def parse_curve(curve: str | float) -> float | None:
    """Return the gamma that ``curve`` names, None for ``fixed``.

    Raises ConfigError unless ``curve`` is linear, soft, hard, fixed or a number from 0.1 to 10.
    """
    if curve == "fixed":
        return None
    if isinstance(curve, str) and curve in GAMMAS:
        return GAMMAS[curve]
    try:
        gamma = math.nan if isinstance(curve, bool) else float(curve)
    except (TypeError, ValueError):
        gamma = math.nan
    if not 0.1 <= gamma <= 10.0:
        raise ConfigError(
            "midi.velocity_curve must be linear, soft, hard, fixed or a number from 0.1 to 10,"
            f" not {curve!r}"
        )
    return gamma


@dataclass(frozen=True, slots=True)
class NoteMapping:
    """Turns a note event into the bytes of a MIDI channel message.

    ``channel`` 1 to 16; ``transpose`` semitones; ``velocity_curve`` as :func:`parse_curve`.
    """

    channel: int = 1
    transpose: int = 0
    velocity_curve: str | float = "linear"
    _velocities: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        gamma = parse_curve(self.velocity_curve)
        table = [0]
        for velocity in range(1, 128):
            curved = FIXED_VELOCITY if gamma is None else 127 * (velocity / 127) ** gamma
            table.append(min(127, max(1, round(curved))))
        object.__setattr__(self, "_velocities", tuple(table))

    def message(self, event: NoteEvent) -> tuple[int, int, int] | None:
        """Return (status, pitch, velocity), or None where the pitch leaves 0 to 127.

        >>> NoteMapping(channel=2, transpose=12).message(NoteEvent(0.0, 60, 100))
        (145, 72, 100)
        """
        pitch = event.pitch + self.transpose
        if not 0 <= pitch <= 127:
            return None
        status = 0x90 if event.is_on else 0x80
        return status | (self.channel - 1), pitch, self._velocities[event.velocity]

    def all_notes_off(self) -> tuple[int, int, int]:
        """Return the channel's All Notes Off, controller 123.

        >>> NoteMapping().all_notes_off()
        (176, 123, 0)
        """
        return 0xB0 | (self.channel - 1), 123, 0
