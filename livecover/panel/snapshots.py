"""Snapshots A and B: all settings twice, one of which is played. Kept as long as the program runs.

They are the instrument's, not a page's: every page shows the same, and one that is loaded anew or
comes later finds them. Not here: what a page says of them (``livecover.panel.messages``).
"""

from livecover.instrument.protocol import Worked
from livecover.panel.messages import SETTABLE, SNAPSHOTS
from livecover.settings.sections import values_of

KEYS = SETTABLE - {"play.mute", "play.hold"}
"""What a snapshot has: hold and mute are moments, not a sound."""


class Snapshots:
    """What A and B hold; what is changed belongs to the active one.

    Parameters
    ----------
    played
        The instrument.

    Attributes
    ----------
    active : str
        The name of the one that is played.
    """

    def __init__(self, played: Worked) -> None:
        self.active = SNAPSHOTS[0]
        self._played = played
        self._kept: dict[str, dict[str, object]] = {}

    def choose(self, name: str) -> None:
        """Play what is kept under ``name``: at first the same as now.

        Raises LiveCoverError where that cannot be; the other one stays active then.
        """
        if name == self.active:
            return
        now = self._now()
        wanted = self._kept.get(name, now)
        changed = {key: value for key, value in wanted.items() if value != now[key]}
        if changed:
            self._played.change(changed)
        self._kept[self.active] = now
        self.active = name

    def copy(self) -> None:
        """Let the other one be as the active one is now."""
        now = self._now()
        self._kept.update({name: now for name in SNAPSHOTS if name != self.active})

    def _now(self) -> dict[str, object]:
        values = values_of(self._played.settings)
        return {key: values[key] for key in sorted(KEYS)}
