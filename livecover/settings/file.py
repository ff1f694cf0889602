"""Writes settings into their file and keeps its comments. Not here: reading (``source``)."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable

from engine.core.errors import ConfigError
from engine.core.typed_values import AUTO
from engine.system.paths import exists
from livecover.mapping.bindings import NONE
from livecover.settings.sections import Settings, from_toml, values_of, with_values
from livecover.settings.source import Source, find_source, read_file, refuse_reserved, user_file

HEADER = "Settings of livecover. livecover's own config.toml explains all of them."
BOM = "\ufeff"


class Line(NamedTuple):
    """One line of the file, before and after; TOML."""

    name: str
    """``section.key``, or ``control.map."cc 1"``."""
    before: str
    after: str


class Unsaved(NamedTuple):
    """What saving would write, and where."""

    path: Path
    lines: tuple[Line, ...]


def find_unsaved(values: Mapping[str, object], config: Path | None = None) -> Unsaved:
    """Return what :func:`save_values` would write. Raises ConfigError as that does."""
    source = _source_to_save(config)
    refuse_reserved(source, values)
    before = _read(source)
    lines = (
        Line(".".join(names + (_quoted(names, key),)), _toml(old), _toml(new))
        for names, key, old, new in _differences(before, with_values(before, values))
    )
    return Unsaved(_path(source), tuple(lines))


def save_values(values: Mapping[str, object], config: Path | None = None) -> Path:
    """Write those ``values`` that differ from the file; return its path.

    All other lines and all comments stay. The file is replaced atomically.

    Parameters
    ----------
    values
        By ``section.key``, as :func:`livecover.settings.sections.with_values` takes them.
    config
        The file; it need not exist. None is the one that is read
        (:func:`livecover.settings.source.find_source`), or a new one in the user's configuration
        folder.

    Raises
    ------
    ConfigError
        A value is wrong, or may not be set in that file; the file is not TOML or has a wrong key or
        value; it cannot be read or written.
    """
    source = _source_to_save(config)
    refuse_reserved(source, values)
    path, before = _path(source), _read(source)
    after = with_values(before, values)
    if after == before:
        return path
    with _as_config_error(path):
        text = path.read_bytes().decode().removeprefix(BOM) if exists(path) else ""
        document = tomlkit.parse(text)
        if not exists(path):
            document.add(tomlkit.comment(HEADER))
        for names, key, _, value in _differences(before, after):
            _set(document, names, key, value)
        _replace(path, tomlkit.dumps(document), after)
    return path


def _source_to_save(config: Path | None) -> Source:
    source = find_source(config)
    if source.path is not None:
        return source
    own = user_file()
    if own is None:
        raise ConfigError("there is no home folder to save the settings in; give --config FILE")
    return Source(own)


def _path(source: Source) -> Path:
    assert source.path is not None
    return source.path


def _read(source: Source) -> Settings:
    """Return the settings in the file; the defaults if there is none."""
    return read_file(_path(source)) if exists(_path(source)) else Settings()


def _differences(
    before: Settings, after: Settings
) -> Iterator[tuple[tuple[str, ...], str, object, object]]:
    """Yield (names of tables, key, old value, new value) of each difference."""
    old, new = values_of(before), values_of(after)
    for name in [name for name in new if new[name] != old[name]]:
        section, _, key = name.partition(".")
        was, value = old[name], new[name]
        if not isinstance(value, Mapping) or not isinstance(was, Mapping):
            yield (section,), key, was, value
            continue
        lines = {**dict.fromkeys(was, NONE), **value}
        for line in [line for line in lines if lines[line] != was.get(line)]:
            yield (section, key), line, was.get(line, NONE), lines[line]


def _quoted(names: tuple[str, ...], key: str) -> str:
    """Return a key as the file has it: those of the mapping have spaces."""
    return key if len(names) == 1 else f'"{key}"'


def plain(value: object) -> Any:
    """Return the value as TOML has it."""
    if value is None:
        return AUTO
    return list(value) if isinstance(value, tuple) else value


def _toml(value: object) -> str:
    return str(tomlkit.item(plain(value)).as_string())


def _set(document: tomlkit.TOMLDocument, names: tuple[str, ...], key: str, value: object) -> None:
    """Set one key; a new one is added after the section's last, before the comments that follow."""
    section: Any = document
    for name in names:
        if name not in section:
            section.add(name, tomlkit.table())
        section = section[name]
    if key in section or not isinstance(section, AbstractTable):
        section[key] = plain(value)
        return
    body = section.value.body
    n_kept = max((i + 1 for i, (k, _) in enumerate(body) if k is not None), default=0)
    rest = body[n_kept:]
    del body[n_kept:]
    section.add(key, plain(value))
    body += rest


def _replace(path: Path, text: str, settings: Settings) -> None:
    """Replace the file ``path`` by ``text``, after checking that it gives ``settings``.

    Raises OSError, or TOMLKitError if it gives others.
    """
    if from_toml(text.encode()) != settings:
        raise TOMLKitError("the new file would give other settings")
    path = Path(os.path.realpath(path))  # keep a symbolic link
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if exists(path):
            shutil.copymode(path, name)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@contextlib.contextmanager
def _as_config_error(path: Path) -> Iterator[None]:
    """Raise ConfigError, which names the file, for errors within the block."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot save the settings here ({error.strerror}); make the folder writable,"
            " or name another file with --config"
        ) from error
    except UnicodeError as error:  # a file name may be undecodable
        raise ConfigError(
            f"{path}: cannot hold a file name that is not Unicode ({error}); rename that file"
        ) from error
    except TOMLKitError as error:
        raise ConfigError(
            f"{path}: cannot be changed in its present form ({error}); write each section as"
            " [section], with one key = value on each line below"
        ) from error
