"""A session of Ableton Link with the song's beat.

Not here: what it is told when (``engine.sync.link_writer``).
"""

from engine.sync.link import LinkSession
from engine.sync.link_writer import LinkWriter, Timeline, Transport
from engine.sync.sender import SyncSender
from livecover.instrument.ports import PortState
from livecover.settings.sections import Settings


class LinkOutput:
    """A peer that leads, from its construction to ``close``.

    Parameters
    ----------
    settings
        With ``sync.link``.

    Attributes
    ----------
    sender : SyncSender
        The tap.

    Raises DeviceError where Link is missing or cannot begin.
    """

    def __init__(self, settings: Settings) -> None:
        self._session = LinkSession()
        self.sender: SyncSender[Timeline | Transport] = SyncSender(
            LinkWriter(), self._session.send, settings.sync.link_offset
        )

    @property
    def n_peers(self) -> int:
        """Number of other programs in the session."""
        return self._session.n_peers

    def state(self) -> PortState:
        """Return the session's state as that of a port."""
        return PortState("link", "Ableton Link", "open", peers_text(self.n_peers))

    def close(self) -> None:
        """Stop the session and leave it; a second call does nothing."""
        self.sender.shut_down()
        self._session.close()


def peers_text(n: int) -> str:
    """Return how many peers there are, in words.

    >>> peers_text(0), peers_text(1), peers_text(3)
    ('no peer yet', '1 peer', '3 peers')
    """
    return "no peer yet" if n == 0 else f"{n} peer{'s' * (n > 1)}"
