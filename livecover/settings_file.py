"""Settings into ``config.toml``, its comments kept. Reading it is ``livecover.settings``."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import platformdirs
import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable

from engine.errors import ConfigError
from engine.paths import exists, user_folder
from livecover.control.bindings import NONE
from livecover.settings import AUTO, FILE_NAME, Settings, find_config, load_settings

HEADER = "Settings of livecover; all there are, with their meaning: livecover's own config.toml."


def save_settings(settings: Settings, path: Path | None = None) -> Path:
    """Write what differs from the file's settings, and from the defaults, into the file.

    What the file says already stays as it is written, with every comment. The file is replaced as
    a whole, so that nobody ever reads half of it.

    Parameters
    ----------
    settings
        What reading the file gives from now on.
    path
        The file; it need not exist. None is the one that is read (:func:`find_config`), or a new
        one in the user's configuration folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        The file is not TOML or has a wrong key or value; it cannot be read or written.
    """
    path = path or find_config() or user_config()
    with _as_config_error(path):
        is_there = exists(path)
        text = path.read_bytes().decode() if is_there else ""
    before = load_settings(path, {}) if is_there else Settings()
    with _as_config_error(path):
        document = tomlkit.parse(text)
        if not is_there:
            document.add(tomlkit.comment(HEADER))
        for names, key, value in _differences(before, settings):
            _set(document, names, key, value)
        _replace(path, tomlkit.dumps(document), settings)
    return path


def user_config() -> Path:
    """Return the path of the user's own file of settings, there or not.

    Raises ConfigError where nobody knows a home folder.
    """
    folder = user_folder(lambda: platformdirs.user_config_path("livecover", appauthor=False))
    if folder is None:
        raise ConfigError("no home folder is known to save the settings in; give --config FILE")
    return folder / FILE_NAME


def _differences(
    before: Settings, after: Settings
) -> Iterator[tuple[tuple[str, ...], str, object]]:
    """Yield (names of tables, key, value as TOML has it) of what is not the same."""
    for section in fields(after):
        old, new = getattr(before, section.name), getattr(after, section.name)
        for key in fields(new):
            was, value = getattr(old, key.name), getattr(new, key.name)
            if value == was:
                continue
            if isinstance(value, Mapping):
                lines = {**dict.fromkeys(was, NONE), **value}
                for line in [line for line in lines if lines[line] != was.get(line)]:
                    yield (section.name, key.name), line, lines[line]
                continue
            value = list(value) if isinstance(value, tuple) else value
            yield (section.name,), key.name, AUTO if value is None else value


def _set(document: tomlkit.TOMLDocument, names: tuple[str, ...], key: str, value: object) -> None:
    """Set one key; a new one stands below the section's last, above comments on what follows."""
    section: Any = document
    for name in names:
        if name not in section:
            section.add(name, tomlkit.table())
        section = section[name]
    if key in section or not isinstance(section, AbstractTable):
        section[key] = value
        return
    body = section.value.body
    n_kept = max((i + 1 for i, (k, _) in enumerate(body) if k is not None), default=0)
    rest = body[n_kept:]
    del body[n_kept:]
    section.add(key, value)
    body += rest


def _replace(path: Path, text: str, settings: Settings) -> None:
    """Put a new file in the place of ``path``, whole and only if it says ``settings``.

    Raises OSError, or TOMLKitError if it says something else.
    """
    path = path.resolve()  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if load_settings(Path(name), {}) != settings:
            raise TOMLKitError("the file would say something else")
        if exists(path):
            shutil.copymode(path, name)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@contextlib.contextmanager
def _as_config_error(path: Path) -> Iterator[None]:
    """Raise ConfigError, which names the file, for what goes wrong within."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot save the settings here ({error.strerror}); make the folder writable,"
            " or name another file with --config"
        ) from error
    except UnicodeError as error:
        raise ConfigError(f"{path}: expected TOML, section by section, got: {error}") from error
    except TOMLKitError as error:
        raise ConfigError(
            f"{path}: cannot be changed as it is written ({error}); write each section as [section]"
            " and under it one key = value a line"
        ) from error
