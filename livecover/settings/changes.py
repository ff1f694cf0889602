"""The settings that were changed by hand since the start: these are saved, options are not.

Not here: the file (``livecover.settings.file``).
"""

from collections.abc import Mapping
from pathlib import Path

from livecover.settings.file import Unsaved, find_unsaved, save_values
from livecover.settings.sections import Settings, values_of


class UserChanges:
    """Settings that were changed by hand.

    Parameters
    ----------
    settings
        Those that livecover was started with.
    config
        The file to save in; None is the one that settings are read from.
    """

    def __init__(self, settings: Settings, config: Path | None = None) -> None:
        self._at_start = values_of(settings)
        self._config = config
        self._by_hand: dict[str, object] = {}
        self._saved: set[str] = set()
        self._temporary: dict[str, set[object]] = {}

    def add_temporary(self, name: str, value: object) -> None:
        """Let a value never be saved, also not in a scene: what it names ends with the program."""
        self._temporary.setdefault(name, set()).add(value)

    def is_temporary(self, name: str, value: object) -> bool:
        """Return whether a value of a setting is never saved."""
        return name in self._temporary and value in self._temporary[name]

    def lasting(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return ``values``, by ``section.key``, without those that are never saved."""
        return {name: value for name, value in values.items() if not self.is_temporary(name, value)}

    def note(self, values: Mapping[str, object]) -> None:
        """Add changes by ``section.key``, but temporary ones; of a table, only these lines."""
        for name, value in self.lasting(values).items():
            before = self._by_hand.get(name)
            is_table = isinstance(before, Mapping) and isinstance(value, Mapping)
            self._by_hand[name] = {**before, **value} if is_table else value  # type: ignore[dict-item]

    def unsaved(self, settings: Settings) -> Unsaved:
        """Return what :meth:`save` would write. Raises ConfigError as that does."""
        return find_unsaved(self._to_save(settings), self._config)

    def save(self, settings: Settings) -> Path:
        """Write the changes, ``settings`` being the present ones; return the file's path.

        Raises ConfigError as :func:`livecover.settings.file.save_values`.
        """
        values = self._to_save(settings)
        path = save_values(values, self._config)
        self._saved.update(values)
        return path

    def _to_save(self, settings: Settings) -> dict[str, object]:
        """Return the changes to write.

        A setting that is back at its value of the start is left out, unless another value has been
        saved: the value of an option is not saved, however the user came back to it.
        """
        now = values_of(settings)
        return {
            name: value
            for name, value in self._by_hand.items()
            if name in self._saved or now[name] != self._at_start[name]
        }
