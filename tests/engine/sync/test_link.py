"""A session of Ableton Link, on a package of the test's own; the real one is in tests/e2e."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.errors import DeviceError
from engine.sync.link import LinkSession
from engine.sync.link_writer import Timeline, Transport
from tests.messages import refused


class State:
    """Keeps what is set."""

    def __init__(self) -> None:
        self.set: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *values: self.set.append((name, values))


class Peer:
    """The package's ``Link``, five seconds ahead of the host's clock."""

    enabled = startStopSyncEnabled = False  # noqa: N815

    def __init__(self, bpm: float) -> None:
        self.state, self.committed = State(), 0

    def clock(self) -> Any:
        return SimpleNamespace(micros=lambda: 6_000_000)

    def numPeers(self) -> int:  # noqa: N802
        return 3

    def captureSessionState(self) -> State:  # noqa: N802
        return self.state

    def commitSessionState(self, state: State) -> None:  # noqa: N802
        self.committed += 1


def test_a_tempo_and_its_place_are_set_at_the_links_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "link", SimpleNamespace(Link=Peer))
    session = LinkSession(clock=lambda: 1.0)
    peer = session._link
    assert peer.enabled and peer.startStopSyncEnabled and session.n_peers == 3
    session.send(Timeline(98.5, 17.25, 1.5, 3))
    session.send(Transport(True, 0.75))
    assert peer.committed == 2
    assert peer.state.set == [
        ("setTempo", (98.5, 6_500_000)),
        ("forceBeatAtTime", (17.25, 6_500_000, 3.0)),
        ("setIsPlaying", (True, 5_750_000)),
    ]
    session.close()
    session.close()
    assert not peer.enabled


@pytest.mark.parametrize("module", [None, SimpleNamespace()])
def test_without_the_package_the_message_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, module: object
) -> None:
    monkeypatch.setitem(sys.modules, "link", module)
    with refused(DeviceError, "Ableton Link", "LinkPython-extern", "sync.link"):
        LinkSession()


def test_a_network_that_is_refused_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(bpm: float) -> None:
        raise RuntimeError("open: no\npermission")

    monkeypatch.setitem(sys.modules, "link", SimpleNamespace(Link=refuse))
    with refused(DeviceError, "Ableton Link", "no permission", "sync.link"):
        LinkSession()
