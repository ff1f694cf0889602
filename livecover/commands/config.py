"""``livecover config path | show | check``: where settings come from, and what they are."""

from collections.abc import Sequence
from pathlib import Path

import tomlkit

from engine.core.errors import ConfigError
from engine.system.paths import shown
from livecover.settings.file import plain
from livecover.settings.sections import Settings, values_of
from livecover.settings.source import find_source, read_settings, user_file

WORDS = ("path", "show", "check")


def config_lines(words: Sequence[str], config: Path | None, settings: Settings) -> list[str]:
    """Return the lines of ``path``, ``show`` or ``check``.

    ``settings`` are those of file and options. Raises ConfigError for another word, and what is
    wrong with the file.
    """
    if len(words) != 1 or words[0] not in WORDS:
        known = ", ".join(WORDS)
        raise ConfigError(f"livecover config takes one of {known}, not {' '.join(words)!r:.80}")
    match words[0]:
        case "path":
            return [_path(config)]
        case "show":
            return _toml(settings)
    return _check(config)


def _path(config: Path | None) -> str:
    """Return the path of the file that is read, or of that which would be written."""
    source = find_source(config)
    if source.path is not None:
        return shown(source.path.absolute())
    own = user_file()
    if own is None:
        raise ConfigError("there is no home folder, and so no settings file; give --config FILE")
    return f"{shown(own)} (not there yet; Save in the panel writes it)"


def _check(config: Path | None) -> list[str]:
    """Return a line about the file, and those about settings that it may not have."""
    source = find_source(config)
    if source.path is None:
        return ["there is no settings file: every setting has its default"]
    loaded = read_settings(source)
    defaults = values_of(Settings())
    n_changed = sum(value != defaults[key] for key, value in values_of(loaded.settings).items())
    return [f"{shown(source.path)}: in order, {n_changed} settings differ", *loaded.notes]


def _toml(settings: Settings) -> list[str]:
    """Return every setting as TOML, with its default where it differs."""
    defaults = values_of(Settings())
    lines: list[str] = []
    section = ""
    for name, value in values_of(settings).items():
        before, _, key = name.partition(".")
        if before != section:
            section = before
            lines += [*([""] if lines else []), f"[{section}]"]
        line = f"{key} = {_text(value)}"
        is_default = value == defaults[name]
        lines.append(line if is_default else f"{line}  # default: {_text(defaults[name])}")
    return [shown(line) for line in lines]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_text(k)} = {_text(v)}' for k, v in value.items())} }}"
    return str(tomlkit.item(plain(value)).as_string())
