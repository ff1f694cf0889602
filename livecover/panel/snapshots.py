"""Snapshots A and B: two sets of all settings, one of them active, until livecover ends.

Every page shows the same ones. Not here: the messages about them (``livecover.panel.messages``).
"""

from livecover.instrument.instrument import Instrument
from livecover.instrument.scenes import SOUND_KEYS
from livecover.panel.requests import SNAPSHOTS
from livecover.settings.sections import values_of


class Snapshots:
    """Snapshots A and B. A change of settings belongs to the active one.

    Parameters
    ----------
    instrument
        Whose settings they are.

    Attributes
    ----------
    active : str
        The name of the one that is instrument.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.active = SNAPSHOTS[0]
        self._instrument = instrument
        self._kept: dict[str, dict[str, object]] = {}

    def recall(self, name: str) -> None:
        """Make ``name`` the active snapshot; at first it equals the other.

        Raises LiveCoverError if its settings cannot be set; the other one stays active then.
        """
        if name == self.active:
            return
        now = self._now()
        wanted = self._kept.get(name, now)
        changed = {key: value for key, value in wanted.items() if value != now[key]}
        if changed:
            self._instrument.change(changed)
        self._kept[self.active] = now
        self.active = name

    def copy(self) -> None:
        """Copy the active snapshot to the other."""
        now = self._now()
        self._kept.update({name: now for name in SNAPSHOTS if name != self.active})

    def _now(self) -> dict[str, object]:
        values = values_of(self._instrument.settings)
        return {key: values[key] for key in sorted(SOUND_KEYS)}
