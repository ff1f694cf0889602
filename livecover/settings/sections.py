"""All sections of settings, and reading them from TOML.

The engine's sections and their checks are dataclasses of ``engine.core.settings``. TOML has no
null, so None is written ``"auto"``. Not here: which file is read (``livecover.settings.source``),
and the options that override it (``livecover.options``).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from engine.core import checks
from engine.core.errors import ConfigError
from engine.core.settings import EngineSettings
from engine.core.typed_values import convert, nearest, parse_toml, shown, word
from livecover.mapping.bindings import merge_maps
from livecover.mapping.settings import ControlSettings
from livecover.settings.calibration import CalibrationSettings
from livecover.settings.output import (
    MonitorSettings,
    PianoSettings,
    RecordSettings,
    SyncSettings,
)
from livecover.settings.panel import PanelSettings
from livecover.settings.terminal import TuiSettings

LOG_LEVELS = ("debug", "info", "warning", "error")
STATUS_FORMS = ("line", "json")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Section ``log``: messages while running."""

    level: str = "info"
    """debug, info, warning or error."""
    status: str = "line"
    """line: a status line for people; json: a line of JSON each time, on stdout."""

    def __post_init__(self) -> None:
        checks.choice("log.level", self.level, LOG_LEVELS)
        checks.choice("log.status", self.status, STATUS_FORMS)


@dataclass(frozen=True, slots=True)
class ArrangerSettings:
    """Section ``arranger``: arranges a whole file as a score."""

    enabled: bool = False
    """True: a file is arranged instead of covered."""
    model: str = "arranger"
    """A shipped arranger's name or the folder of one."""

    def __post_init__(self) -> None:
        checks.flag("arranger.enabled", self.enabled)
        checks.text("arranger.model", self.model)


@dataclass(frozen=True, slots=True)
class Settings(EngineSettings):
    """All sections: the engine's and the program's."""

    record: RecordSettings = field(default_factory=RecordSettings)
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
    piano: PianoSettings = field(default_factory=PianoSettings)
    sync: SyncSettings = field(default_factory=SyncSettings)
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    arranger: ArrangerSettings = field(default_factory=ArrangerSettings)
    panel: PanelSettings = field(default_factory=PanelSettings)
    control: ControlSettings = field(default_factory=ControlSettings)
    tui: TuiSettings = field(default_factory=TuiSettings)
    log: LogSettings = field(default_factory=LogSettings)


def with_values(settings: Settings, values: Mapping[str, object]) -> Settings:
    """Return ``settings`` with ``values`` by ``section.key``. Raises ConfigError on a wrong one."""
    sections: dict[str, dict[str, object]] = {}
    for name, value in values.items():
        section, _, key = name.partition(".")
        sections.setdefault(section, {})[key] = value
    return _apply(settings, sections)


def from_toml(content: bytes) -> Settings:
    """Return the settings of a file's content, over the defaults.

    Raises
    ------
    ConfigError
        Not TOML, an unknown section or key, a wrong type or value.
    """
    return _apply(Settings(), parse_toml(content))


def values_of(settings: Settings) -> dict[str, object]:
    """Return every setting by ``section.key``."""
    return {
        f"{section.name}.{key.name}": getattr(getattr(settings, section.name), key.name)
        for section in dataclasses.fields(settings)
        for key in dataclasses.fields(getattr(settings, section.name))
    }


def _apply(settings: Settings, sections: Mapping[str, object]) -> Settings:
    """Return ``settings`` with the given keys replaced. Raises ConfigError on a wrong one."""
    names = [f.name for f in dataclasses.fields(settings)]
    changed: dict[str, Any] = {}
    for name, values in sections.items():
        if name not in names and not isinstance(values, Mapping):
            raise ConfigError(f"{word(name)} is not in a section{_nearest_key(None, name)}")
        if name not in names:
            raise ConfigError(f"unknown section [{word(name)}]{nearest(name, names, '[{}]')}")
        if not isinstance(values, Mapping):
            raise ConfigError(f"{name} must be a section of keys ([{name}]), not {shown(values)}")
        section = getattr(settings, name)
        hints = get_type_hints(type(section))
        converted: dict[str, Any] = {}
        for key, value in values.items():
            if key not in hints:
                raise ConfigError(f"unknown key {name}.{word(key)}{_nearest_key(name, key)}")
            converted[key] = convert(f"{name}.{key}", value, hints[key])
            if isinstance(converted[key], Mapping):  # each of its lines is a setting
                merge = merge_maps if name == "control" else _merged
                converted[key] = merge(getattr(section, key), converted[key])
        changed[name] = dataclasses.replace(section, **converted)
    return dataclasses.replace(settings, **changed)


def _merged(before: Mapping[str, float], given: Mapping[str, float]) -> dict[str, float]:
    return {**before, **given}


def _nearest_key(section: str | None, key: str) -> str:
    """Return the same for a key: the same key in another section, or the nearest in this one."""
    defaults = Settings()
    keys = {
        f.name: [k.name for k in dataclasses.fields(getattr(defaults, f.name))]
        for f in dataclasses.fields(defaults)
    }
    elsewhere = [f"{other}.{key}" for other, known in keys.items() if key in known]
    if elsewhere:
        return f"; did you mean {elsewhere[0]}?"
    return nearest(key, keys[section], f"{section}.{{}}") if section else ""
