"""What hands have changed since livecover was started: that is saved, and no option of the start.

Not here: the file (``livecover.settings.file``).
"""

from collections.abc import Mapping

from livecover.settings.sections import Settings, values_of


class Changes:
    """Settings that were changed by hand.

    Parameters
    ----------
    settings
        Those that livecover was started with.
    """

    def __init__(self, settings: Settings) -> None:
        self._at_start = values_of(settings)
        self._by_hand: dict[str, object] = {}
        self._saved: set[str] = set()

    def note(self, values: Mapping[str, object]) -> None:
        """Remember that hands have changed these, by ``section.key``; of a table, these lines."""
        for name, value in values.items():
            before = self._by_hand.get(name)
            is_table = isinstance(before, Mapping) and isinstance(value, Mapping)
            self._by_hand[name] = {**before, **value} if is_table else value  # type: ignore[dict-item]

    def to_save(self, settings: Settings) -> dict[str, object]:
        """Return what is to stand in the file, ``settings`` being those of now.

        What is back where it was at the start is left out, unless it has been saved otherwise: an
        option of the command line is no change, by whatever way one comes back to it.
        """
        now = values_of(settings)
        return {
            name: value
            for name, value in self._by_hand.items()
            if name in self._saved or now[name] != self._at_start[name]
        }

    def note_saved(self, names: Mapping[str, object]) -> None:
        """Remember what stands in the file now."""
        self._saved.update(names)
