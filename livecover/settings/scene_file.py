"""The file of scenes: named sets of settings, in the order in which program changes recall them.

TOML, an array of tables. Not here: what a scene holds, and recalling one
(``livecover.instrument.scenes``).
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import platformdirs
import tomlkit

from engine.core.errors import ConfigError
from engine.core.typed_values import AUTO
from engine.system.paths import exists, shown, user_folder
from engine.system.whole_file import written_whole

NAME = "scenes.toml"
HEADER = "Scenes of livecover, kept in the panel. Program changes count from the first."
MAX_BYTES = 1 << 20

Scenes = dict[str, dict[str, object]]
"""Settings by ``section.key``, by the scene's name, in order."""


def scene_path() -> Path | None:
    """Return the path of the user's scenes; None without a home folder."""
    folder = user_folder(lambda: platformdirs.user_config_path("livecover", appauthor=False))
    return None if folder is None else folder / NAME


def read_scenes(path: Path) -> Scenes:
    """Return the scenes of a file; none if there is none. Raises ConfigError if it is no such."""
    if not exists(path):
        return {}
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("it is too large")
        tables = tomllib.loads(path.read_text("utf-8")).get("scene", [])
        return {str(table["name"]): _settings(table["settings"]) for table in tables}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{shown(path)}: expected scenes as livecover writes them ({error}); mend the file, or"
            " move it away"
        ) from error


def write_scenes(path: Path, scenes: Mapping[str, Mapping[str, object]]) -> None:
    """Replace the file. Raises DataError if it cannot be written."""
    document = tomlkit.document()
    document.add(tomlkit.comment(HEADER))
    tables = tomlkit.aot()
    for name, values in scenes.items():
        table = tomlkit.table()
        table.add("name", name)
        settings = tomlkit.table()
        for key, value in values.items():
            settings.add(tomlkit.key(key), AUTO if value is None else _plain(value))
        table.add("settings", settings)
        tables.append(table)
    document.add("scene", tables)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(tomlkit.dumps(document).encode())


def _settings(table: object) -> dict[str, object]:
    if not isinstance(table, dict):
        raise TypeError("settings must be a table")
    return {str(key): value for key, value in table.items()}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
