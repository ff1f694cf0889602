"""The inputs, ports and models that a page may choose, and the check that it chose one of them.

A page may only choose what was listed, or what has been in use since the start. So nobody who
reaches the panel can open or create a file. Not here: other checks (``engine.core.settings``).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from engine.audio.loopback.players import ALL, AUTO
from engine.audio.loopback.together import TOGETHER, list_players
from engine.audio.opening import InputInfo, list_inputs
from engine.core.errors import ConfigError, LiveCoverError
from engine.core.settings import STYLE_FROM, MidiSettings
from engine.core.velocity import GAMMAS
from engine.cover.style import INTENSITIES
from engine.midi.sinks import list_ports
from engine.model.model_files import list_models
from engine.playback.outputs.opening import OutputInfo, list_outputs
from livecover.panel.program_icons import find_icon
from livecover.settings.output import DEFAULT, OFF
from livecover.settings.sections import Settings

VIRTUAL_PORTS = MidiSettings().midi_out
"""Always listed: if there is no such port, a virtual one is opened."""
ALWAYS = ("loopback", TOGETHER, "mic")
"""Inputs that are always listed."""
CLOCK_PORT = "LiveCover Clock"
"""The port that is made for MIDI clock where none is chosen; always listed."""

NAMING = (
    *("audio.input", "model.model", "model.style", "midi.midi_out"),
    *("audio.player", "monitor.device", "piano.device", "sync.midi_out"),
)
"""Settings whose texts may name a file, a device or a port."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Input:
    """One input: its text, its value of ``audio.input``, whether it is a loopback."""

    text: str
    name: str
    loopback: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """All choices; ``icons`` of players by name; ``problems`` say why some are missing."""

    inputs: tuple[Input, ...] = ()
    ports: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    outputs: tuple[OutputInfo, ...] = ()
    players: tuple[str, ...] = ()
    icons: Mapping[str, Path] = field(default_factory=dict)
    styles: tuple[str, ...] = INTENSITIES
    curves: tuple[str, ...] = (*GAMMAS, "fixed")
    problems: tuple[str, ...] = ()

    def as_message(self) -> dict[str, object]:
        """Return plain values, as ``livecover.panel.messages`` describes them."""
        return {**asdict(self), "icons": list(self.icons)}


def find_choices() -> Choices:
    """Return the choices on this machine. Never raises: a missing system becomes a problem.

    May take seconds, while devices are queried.
    """
    problems: list[str] = []

    def found(find: Callable[[], Sequence[T]]) -> Sequence[T]:
        try:
            return find()
        except LiveCoverError as error:
            problems.append(" ".join(str(error).split()))
            return ()

    inputs = (
        Input("What this computer plays", "loopback", True),
        Input("The song's program, silenced", TOGETHER, True),
        Input("The default microphone", "mic", False),
        *(i for i in map(_input, found(list_inputs)) if i.name not in ALWAYS),
    )
    ports = tuple(dict.fromkeys((*VIRTUAL_PORTS, *found(list_ports))))
    models = tuple(found(list_models))
    outputs = tuple(found(list_outputs))
    players = found(list_players)
    icons = {player.name: find_icon(player.icons) for player in players}
    for problem in problems:
        _log.debug("%s", problem)
    problems = list(dict.fromkeys(problems))
    return Choices(
        inputs,
        ports,
        models,
        outputs,
        tuple(player.name for player in players),
        {name: path for name, path in icons.items() if path is not None},
        problems=tuple(problems),
    )


def _input(info: InputInfo) -> Input:
    text = f"{info.name}, {info.n_channels} ch, {info.sample_rate} Hz"
    return Input(text, info.what_to_type, info.is_loopback)


@dataclass(slots=True)
class AllowList:
    """What a page may choose: what was listed, and what has been in use. Any thread."""

    choices: Choices = field(default_factory=Choices)
    _used: dict[str, set[str]] = field(default_factory=dict)

    def add_in_use(self, settings: Settings) -> None:
        """Add what is in use now, so that a page may choose it again."""
        for key, names in _names(
            {
                "audio.input": settings.audio.input,
                "audio.player": settings.audio.player,
                "model.model": settings.model.model,
                "model.style": settings.model.style,
                "midi.midi_out": settings.midi.midi_out,
                "monitor.device": settings.monitor.device,
                "piano.device": settings.piano.device,
                "sync.midi_out": settings.sync.midi_out,
            }
        ):
            self._used.setdefault(key, set()).update(names)

    def add(self, key: str, name: str) -> None:
        """Add a value that may be chosen from now on."""
        self._used.setdefault(key, set()).add(name)

    def check(self, values: Mapping[str, object]) -> None:
        """Raise ConfigError if ``values`` (by ``section.key``) name anything else."""
        choices = self.choices
        outputs = [output.name for output in choices.outputs]
        offered = {
            "audio.input": {*ALWAYS, *(i.name for i in choices.inputs)},
            "audio.player": {AUTO, ALL, *choices.players},
            "model.model": set(choices.models),
            "midi.midi_out": {*VIRTUAL_PORTS, *choices.ports},
            "monitor.device": {OFF, DEFAULT, *outputs},
            "piano.device": {DEFAULT, *outputs},
            "sync.midi_out": {OFF, CLOCK_PORT, *VIRTUAL_PORTS, *choices.ports},
        }
        for key, names in _names(values):
            for name in names:
                if name in self._used.get(key, ()):
                    continue
                if key == "model.style":
                    if STYLE_FROM in name:
                        raise ConfigError(
                            "a style from a file: choose or drop the file on the page"
                        )
                elif name not in offered[key]:
                    raise ConfigError(f"{key}: expected one of the panel's choices, got {name!r}")


def _names(values: Mapping[str, object]) -> list[tuple[str, list[str]]]:
    """Return the texts among the values that may name a file, by key."""
    found = []
    for key in NAMING:
        value = values.get(key)
        items = value if isinstance(value, list | tuple) else [value]
        found.append((key, [item for item in items if isinstance(item, str)]))
    return found
