"""Taps that come and go on several threads."""

import threading

from engine.core.taps import Taps
from tests.engine.fakes import ListeningTap


def test_none_is_lost_when_several_come_and_go_at_once() -> None:
    taps, stay = Taps(), [ListeningTap() for _ in range(8)]
    barrier = threading.Barrier(len(stay))

    def come(tap: ListeningTap) -> None:
        barrier.wait(20.0)
        for _ in range(500):
            passing = ListeningTap()
            taps.add(passing)
            taps.remove(passing)
        taps.add(tap)

    threads = [threading.Thread(target=come, args=(tap,), daemon=True) for tap in stay]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)
    taps.silenced()
    assert [tap.calls for tap in stay] == [["silenced"]] * len(stay)
    assert len(taps._taps) == len(stay)
