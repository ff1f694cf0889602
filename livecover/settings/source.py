"""Finds and reads the settings file, and decides which of its settings to trust.

The file given by ``--config``, else ``livecover.toml`` in the working folder, else ``config.toml``
in the user's configuration folder. The working folder may come from somebody else. So a
``config.toml`` there is not read (many programs have one), and some settings of a
``livecover.toml`` are ignored (``livecover.settings.trust``). Not here: parsing
(``livecover.settings.sections``).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import platformdirs

from engine.core.errors import ConfigError
from engine.core.typed_values import MAX_BYTES
from engine.system.paths import did_you_mean, is_file, user_folder
from livecover.settings.sections import Settings, from_toml, values_of, with_values
from livecover.settings.trust import is_reserved

FOLDER_FILE = Path("livecover.toml")
"""In the working folder."""
USER_FILE = "config.toml"
"""In the user's configuration folder."""
LOADED = ("model.model", "piano.plugin", "piano.soundfont", "arranger.model")
"""Paths that are relative to the settings file; others are relative to the working folder."""


class Source(NamedTuple):
    """Where settings come from."""

    path: Path | None
    """The file; None for the defaults."""
    is_trusted: bool = True
    """False for a file in the working folder."""


class Loaded(NamedTuple):
    """The settings that were read."""

    settings: Settings
    notes: tuple[str, ...] = ()
    """Lines for the log: settings that were ignored, and how to use them."""


def load_settings(config: Path | None, overrides: Mapping[str, object]) -> Settings:
    """Return the settings: the defaults, overridden by the file, overridden by ``overrides``.

    Parameters
    ----------
    config
        The file to read, which must exist. None looks for one (:func:`find_source`).
    overrides
        Values by ``section.key``, for example ``{"time.latency": 0.3}``.

    Raises
    ------
    ConfigError
        No such file, not TOML, an unknown section or key, a wrong type or value.
    """
    return with_values(read_settings(find_source(config)).settings, overrides)


def find_source(config: Path | None = None) -> Source:
    """Return ``config``, else the working folder's file, else the user's own, else no file."""
    if config is not None:
        return Source(config)
    if is_file(FOLDER_FILE):
        return Source(FOLDER_FILE, is_trusted=False)
    own = user_file()
    return Source(own if own is not None and is_file(own) else None)


def user_file() -> Path | None:
    """Return the path of the user's own file, existing or not; None without a home folder."""
    folder = user_folder(lambda: platformdirs.user_config_path("livecover", appauthor=False))
    return None if folder is None else folder / USER_FILE


def read_settings(source: Source) -> Loaded:
    """Return the settings that the file may set. Raises ConfigError that names the file."""
    if source.path is None:
        return Loaded(Settings(), _unread())
    settings = read_file(source.path)
    if not source.is_trusted:
        return _without_reserved(settings, source.path)
    notes = _unread() if source.path == user_file() else ()
    return Loaded(_beside(settings, source.path.parent), notes)


def read_file(path: Path) -> Settings:
    """Return all settings in the file. Raises ConfigError that names the file."""
    try:
        return from_toml(_read(path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def refuse_reserved(source: Source, values: Mapping[str, object]) -> None:
    """Raise ConfigError if that file may not set ``values`` (by ``section.key``)."""
    names = [name for name, value in values.items() if is_reserved(name, value)]
    if names and not source.is_trusted:
        raise ConfigError(
            f"{source.path} in the working folder cannot set {', '.join(names)}; start livecover"
            f" with --config {source.path} to save it there"
        )


def _read(path: Path) -> bytes:
    """Return the file's content, of a too large file one byte more than allowed."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        near = did_you_mean(path)
        raise ConfigError(f"cannot read this settings file ({error.strerror}){near}") from error


def _beside(settings: Settings, folder: Path) -> Settings:
    """Return the settings with relative paths of what is loaded made relative to the file.

    Otherwise a file in the working folder could be loaded instead.
    """
    values = values_of(settings)
    names = [name for name in LOADED if _is_relative(name, values[name])]
    return with_values(settings, {name: str(folder / str(values[name])) for name in names})


def _is_relative(name: str, value: object) -> bool:
    """Return whether it is a relative path, and not the name of a model of livecover's."""
    if not isinstance(value, str) or value.startswith("~") or Path(value).is_absolute():
        return False
    is_model = name.endswith(".model")
    return not is_model or bool(os.path.dirname(value)) or value.endswith(".onnx")


def _without_reserved(settings: Settings, path: Path) -> Loaded:
    """Return the settings without those that need a trusted file, and a line about them."""
    defaults = values_of(Settings())
    reserved = {
        name: defaults[name]
        for name, value in values_of(settings).items()
        if value != defaults[name] and is_reserved(name, value)
    }
    if not reserved:
        return Loaded(settings)
    note = (
        f"{path} in the working folder cannot set {', '.join(reserved)}, which keeps its"
        f" default; if the file is yours, give it by --config {path}"
    )
    return Loaded(with_values(settings, reserved), (note,))


def _unread() -> tuple[str, ...]:
    """Return a line about a ``config.toml`` for livecover in the working folder, if any."""
    path = Path(USER_FILE)
    own = user_file()
    try:
        if own is not None and is_file(own) and path.samefile(own):
            return ()
        is_ours = from_toml(_read(path)) != Settings()
    except (OSError, ConfigError):  # none, or not livecover's
        return ()
    if not is_ours:
        return ()
    return (
        f"{path} in the working folder is not read: rename it {FOLDER_FILE}, or give it by"
        f" --config {path}",
    )
