"""Section ``control``: the port for controllers, and their mapping."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.core import checks
from livecover.mapping.bindings import Bindings, merge_maps, parse_map

OFF = "off"
PORT = "LiveCover Control"
DEFAULT_MAP = {"cc 1": "model.style", "cc 64": "play.hold", "program": "presets"}
"""The modulation wheel, the sustain pedal, program numbers 0 to 2."""


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Section ``control``: MIDI control from hardware and a DAW."""

    port: str = PORT
    """A MIDI port's name, as ``midi.midi_out`` has it, or off."""
    channel: int | None = None
    """The channel to listen on, 1 to 16; None is all."""
    transport: bool = True
    """Whether MIDI start and stop begin and end a take."""
    beats_per_bar: int = 4
    """Quarter notes in a bar of the song that MIDI clock counts."""
    map: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_MAP))
    """What each controller controls."""

    def __post_init__(self) -> None:
        checks.text("control.port", self.port)
        if self.channel is not None:
            checks.integer("control.channel", self.channel, 1, 16)
        checks.integer("control.beats_per_bar", self.beats_per_bar, 1, 32)
        checks.flag("control.transport", self.transport)
        object.__setattr__(self, "map", merge_maps({}, self.map))
        self.bindings()

    def bindings(self) -> Bindings:
        """Return the mapping, parsed."""
        return parse_map(self.map)
