"""What a page may choose from, and whether what it chose is among it.

A page names inputs, ports and models only as they were offered, or as they have been in use since
the start: so nobody who speaks through it opens a file or makes one.
Not here: other checks of a value (``engine.core.settings``).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from engine.audio.opening import InputInfo, list_inputs
from engine.core.errors import ConfigError, LiveCoverError
from engine.core.settings import STYLE_FROM, MidiSettings
from engine.core.velocity import GAMMAS
from engine.cover.style import INTENSITIES
from engine.midi.sinks import list_ports
from engine.model.model_files import list_models
from livecover.settings.sections import Settings

VIRTUAL_PORTS = MidiSettings().midi_out
"""Offered always: where no such port is, one is made."""
ALWAYS = ("loopback", "mic")
"""Inputs that are offered always."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Input:
    """One input: what to show, the value of ``audio.input``, whether it hears this computer."""

    text: str
    name: str
    loopback: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """All that is offered; ``problems`` say why something is missing."""

    inputs: tuple[Input, ...] = ()
    ports: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    styles: tuple[str, ...] = INTENSITIES
    curves: tuple[str, ...] = (*GAMMAS, "fixed")
    problems: tuple[str, ...] = ()

    def as_message(self) -> dict[str, object]:
        """Return plain values, as ``livecover.panel.messages`` has them."""
        return asdict(self)


def find_choices() -> Choices:
    """Return what there is here. Never raises: where a system is missing, a problem says so.

    May take seconds, while devices are asked.
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
        Input("The default microphone", "mic", False),
        *(_input(info) for info in found(list_inputs)),
    )
    ports = tuple(dict.fromkeys((*VIRTUAL_PORTS, *found(list_ports))))
    models = tuple(found(list_models))
    for problem in problems:
        _log.debug("%s", problem)
    return Choices(inputs, ports, models, problems=tuple(problems))


def _input(info: InputInfo) -> Input:
    text = f"{info.name}, {info.n_channels} ch, {info.sample_rate} Hz"
    return Input(text, info.what_to_type, info.is_loopback)


@dataclass(slots=True)
class Offer:
    """What has been offered or in use, which alone may be chosen. Any thread."""

    choices: Choices = field(default_factory=Choices)
    _used: dict[str, set[str]] = field(default_factory=dict)

    def note(self, settings: Settings) -> None:
        """Remember what is in use now, so that a page may come back to it."""
        for key, names in _names(
            {
                "audio.input": settings.audio.input,
                "model.model": settings.model.model,
                "model.style": settings.model.style,
                "midi.midi_out": settings.midi.midi_out,
            }
        ):
            self._used.setdefault(key, set()).update(names)

    def check(self, values: Mapping[str, object]) -> None:
        """Raise ConfigError if ``values`` (by ``section.key``) name what was never offered."""
        choices = self.choices
        offered = {
            "audio.input": {*ALWAYS, *(i.name for i in choices.inputs)},
            "model.model": set(choices.models),
            "midi.midi_out": {*VIRTUAL_PORTS, *choices.ports},
        }
        for key, names in _names(values):
            for name in names:
                if name in self._used.get(key, ()):
                    continue
                if key == "model.style":
                    if STYLE_FROM in name:
                        raise ConfigError("a style of a file is given by handing over the file")
                elif name not in offered[key]:
                    raise ConfigError(f"{key} can only be chosen from what is offered")


def _names(values: Mapping[str, object]) -> list[tuple[str, list[str]]]:
    """Return the texts among the values that may name a file, by key."""
    keys = ("audio.input", "model.model", "model.style", "midi.midi_out")
    found = []
    for key in keys:
        value = values.get(key)
        items = value if isinstance(value, list | tuple) else [value]
        found.append((key, [item for item in items if isinstance(item, str)]))
    return found
