"""Settings from three places: defaults, then a file, then the command line.

The sections and their checks are dataclasses of ``engine.core.settings``; here they are read from
TOML. TOML has no null, so a setting that may be None is written ``"auto"``. Not here: which file is
read (``livecover.settings.source``), what a setting does (``engine``), and the options that
override it (``livecover.cli``).
"""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from engine.core import checks
from engine.core.errors import ConfigError
from engine.core.settings import EngineSettings
from livecover.mapping.bindings import merge_maps
from livecover.mapping.settings import ControlSettings
from livecover.settings.output import MonitorSettings, PianoSettings, RecordSettings
from livecover.settings.panel import PanelSettings
from livecover.settings.terminal import TuiSettings

AUTO = "auto"
MAX_BYTES = 1024 * 1024
"""Of a file of settings."""
MAX_WHOLE = 2**63
"""TOML's whole numbers lie below it; Python reads larger ones, which nothing else can hold."""
MAX_SAID = 80
"""Characters of a wrong value that a message shows."""
METRES = (AUTO, "4/4", "3/4")
LOG_LEVELS = ("debug", "info", "warning", "error")

_TYPE_NAMES: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    NoneType: f'"{AUTO}"',
    tuple[str, ...]: "a list of texts",
    tuple[float, ...]: "a list of numbers",
    Mapping[str, str]: "a table of texts",
}


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Section ``log``: what is told while running."""

    level: str = "info"
    """debug, info, warning or error."""

    def __post_init__(self) -> None:
        checks.choice("log.level", self.level, LOG_LEVELS)


@dataclass(frozen=True, slots=True)
class ArrangerSettings:
    """Section ``arranger``: a whole file to a score, bar by bar."""

    enabled: bool = False
    """True: a file is arranged instead of covered."""
    model: str = "arranger"
    """A shipped arranger's name or the folder of one."""
    metre: str = "auto"
    """``4/4`` or ``3/4``, of quantized takes too; auto hears which."""

    def __post_init__(self) -> None:
        checks.flag("arranger.enabled", self.enabled)
        checks.text("arranger.model", self.model)
        checks.choice("arranger.metre", self.metre, METRES)

    @property
    def beats_per_bar(self) -> int | None:
        """Of the metre; None where it is to be heard."""
        return None if self.metre == AUTO else int(self.metre[0])


@dataclass(frozen=True, slots=True)
class Settings(EngineSettings):
    """Every section: the engine's, and those of the program around it."""

    record: RecordSettings = field(default_factory=RecordSettings)
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
    piano: PianoSettings = field(default_factory=PianoSettings)
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
    if len(content) > MAX_BYTES:
        raise ConfigError(f"a file of settings has at most {MAX_BYTES // 1024} kB")
    try:
        sections = tomllib.loads(content.decode("utf-8-sig"))  # Notepad puts a mark before it
    except UnicodeDecodeError as error:
        raise ConfigError(
            "expected TOML in UTF-8, and this is in another encoding; save it anew as UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"expected TOML, section by section, got: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            "expected TOML, section by section, got thousands of digits, or of brackets in brackets"
        ) from error
    return _apply(Settings(), sections)


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
            raise ConfigError(f"{_word(name)} stands under no section{_nearest_key(None, name)}")
        if name not in names:
            raise ConfigError(f"unknown section [{_word(name)}]{_nearest(name, names, '[{}]')}")
        if not isinstance(values, Mapping):
            raise ConfigError(f"{name} must be a section of keys ([{name}]), not {_said(values)}")
        section = getattr(settings, name)
        hints = get_type_hints(type(section))
        converted: dict[str, Any] = {}
        for key, value in values.items():
            if key not in hints:
                raise ConfigError(f"unknown key {name}.{_word(key)}{_nearest_key(name, key)}")
            converted[key] = _convert(f"{name}.{key}", value, hints[key])
            if isinstance(converted[key], Mapping):  # its lines are settings of their own
                converted[key] = merge_maps(getattr(section, key), converted[key])
        changed[name] = dataclasses.replace(section, **converted)
    return dataclasses.replace(settings, **changed)


def _nearest(name: str, names: list[str], form: str) -> str:
    """Return ``; did you mean ...?``, or what there is where nothing is near."""
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {form.format(near[0])}?"
    return f"; known: {', '.join(form.format(n) for n in names)}"


def _nearest_key(section: str | None, key: str) -> str:
    """Return the same for a key: its name in another section, or the nearest of this one."""
    defaults = Settings()
    keys = {
        f.name: [k.name for k in dataclasses.fields(getattr(defaults, f.name))]
        for f in dataclasses.fields(defaults)
    }
    elsewhere = [f"{other}.{key}" for other, known in keys.items() if key in known]
    if elsewhere:
        return f"; did you mean {elsewhere[0]}?"
    return _nearest(key, keys[section], f"{section}.{{}}") if section else ""


def _convert(name: str, value: object, hint: Any) -> Any:
    """Return ``value`` as ``hint`` has it. Raises ConfigError that names both."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if NoneType in options and (value is None or value == AUTO):
        return None
    for option in options:
        if get_origin(option) is Mapping:
            if isinstance(value, Mapping) and all(isinstance(v, str) for v in value.values()):
                return dict(value)
        elif get_origin(option) is tuple:
            item = get_args(option)[0]
            items = value if isinstance(value, list | tuple) else [value]
            if all(_is_a(v, item) for v in items):
                return tuple(map(item, items))
        elif _is_a(value, option):
            return option(value)
    expected = " or ".join(_TYPE_NAMES[option] for option in options)
    raise ConfigError(f"{name} must be {expected}, not {_said(value)}")


def _is_a(value: object, kind: Any) -> bool:
    """True if ``value`` is of ``kind``: a whole number is a number too, a truth value is not."""
    if isinstance(value, bool):
        return kind is bool
    if isinstance(value, int) and abs(value) >= MAX_WHOLE:
        return False
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _said(value: object) -> str:
    """Return ``value`` as a message shows it: not long, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        text = "a number of thousands of digits"
    return _word(text)


def _word(text: str) -> str:
    """Return ``text`` as a message shows it: short, and without what moves a terminal's cursor."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: MAX_SAID + 1])
    return plain if len(text) <= MAX_SAID else f"{plain[:MAX_SAID]}..."
