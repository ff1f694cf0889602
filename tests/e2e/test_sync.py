"""The beat for others, on real servers: programs follow MIDI clock and Ableton Link.

Two of them were not written here: ``jack_mclk_dump``, and Ableton's own ``LinkHut``.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.tempo import Beat, BeatState, Tempo
from engine.sync.link import LinkSession
from engine.sync.link_writer import LinkWriter, Timeline, Transport
from engine.sync.sender import SyncSender
from livecover import examples
from livecover.bench.accompany import beats_of
from tests.e2e import songs
from tests.e2e.chain import Chain
from tests.e2e.processes import SAMPLE_RATE, Process, wait_until
from tests.programs import missing_programs

pytestmark = pytest.mark.e2e

FOLLOWER = "jack_mclk_dump"
PORT = "livecover_clock:LiveCover Clock"
LINK_HUT = "LinkHut"
HUT_LINE = re.compile(r"yes \[(\w+)\] *\| ([\d.]+)")  # start stop sync, tempo
PLACE = re.compile(r"(\d+)\|(\d)\|(\d) @ (\d+)")  # bar, beat, sixteenth, at a sample


def test_another_program_follows_the_song(chain: Chain) -> None:
    """``jack_mclk_dump`` counts bars and beats by the clock that it gets."""
    missing = missing_programs(FOLLOWER, "stdbuf")
    assert not missing, f"missing: {', '.join(missing)}; run scripts/install-system test"
    bear_a_busy_machine(chain)
    song = songs.whole_example(chain.work / "song.wav")
    command = ["stdbuf", "-oL", FOLLOWER, "-n"]  # a line as soon as it is written
    follower = Process.start("follower", command, chain.work, chain.env)
    try:
        with chain.livecover("--sync-out", "LiveCover Clock") as livecover:
            heard_by = next(port for port in chain.jack.ports() if "mclk" in port)
            chain.jack.connect(PORT, heard_by)
            chain.play(song)
            assert livecover.stop(timeout=60) == 0, livecover.tail()
    finally:
        follower.stop()
    said = follower.text()
    assert re.findall(r"\) (start|stop|continue)", said) == ["start", "stop"], livecover.tail()
    places = np.array([[int(number) for number in place] for place in PLACE.findall(said)])
    beats = 4 * (places[:, 0] - 1) + places[:, 1] - 1 + places[:, 2] / 4
    assert beats[0] == 0
    n_beats, seconds = np.ptp(beats), np.ptp(places[:, 3]) / SAMPLE_RATE
    assert n_beats > 60
    wanted = np.median(np.diff(beats_of(examples.path(), None)))
    assert seconds / n_beats == pytest.approx(wanted, rel=0.02), livecover.tail()


def test_a_peer_of_ableton_link_has_tempo_and_place(tmp_path: Path) -> None:
    """It is a process of its own, and hears by network of a song of four beats at 97 a minute."""
    pytest.importorskip("link", reason="Ableton Link: pip install LinkPython-extern")
    session = LinkSession()
    sender: SyncSender[Timeline | Transport] = SyncSender(LinkWriter(), session.send)
    sender.offset = 0.03
    try:
        with link_follower(tmp_path) as follower:
            wait_until("the peer", lambda: session.n_peers > 0, 60, [follower])
            begin = time.perf_counter()
            sender.beat(Beat("heard", BeatState.LOCKED, 1.0, Tempo(97.0, begin, 2)))
            wait_until(
                "a bar", lambda: plays(follower) and past(follower, begin + 4), 60, [follower]
            )
            sender.lost()
            wait_until("it stops", lambda: not plays(follower), 60, [follower])
    finally:
        sender.shut_down()
        session.close()
    seen = [look for look in looks(follower) if look["at"] > begin and look["playing"]]
    assert seen[0]["at"] > begin + 2 * 60 / 97 - 0.2  # with the bar line
    assert np.median([look["bpm"] for look in seen]) == pytest.approx(97.0, abs=0.01)
    wanted = [2 + (look["at"] - begin - 0.03) * 97 / 60 for look in seen]
    off = [(look["position"] - beat + 2) % 4 - 2 for look, beat in zip(seen, wanted, strict=True)]
    assert np.median(np.abs(off)) < 0.01  # 6 ms


def test_peers_of_ableton_link_follow_the_song(chain: Chain) -> None:
    """One of them is Ableton's own ``LinkHut``: tempo, start and stop."""
    pytest.importorskip("link", reason="Ableton Link: pip install LinkPython-extern")
    missing = missing_programs(LINK_HUT)
    assert not missing, f"missing: {', '.join(missing)}; run scripts/install-system test"
    bear_a_busy_machine(chain)
    song = songs.whole_example(chain.work / "song.wav")
    with link_follower(chain.work) as follower, link_hut(chain) as hut:
        with chain.livecover("--link", "--status", "json") as livecover:
            wait_until("peers", lambda: any(look["peers"] == 2 for look in looks(follower)))
            chain.play(song)
            assert livecover.stop(timeout=60) == 0, livecover.tail()
        wait_until("it stops", lambda: not plays(follower), 60, [follower])
        wait_until("LinkHut stops", lambda: "[stopped]" in hut.tail(200), 60, [hut])
    told = [line for line in json_lines(livecover.text()) if line["type"] == "status"]
    assert max(line["link_peers"] for line in told) == 2
    song_bpm = np.median([x["beat"]["bpm"] for x in told if x["beat"]["state"] == "locked"])
    peer_bpm = np.median([look["bpm"] for look in looks(follower) if look["playing"]])
    hut_bpm = [float(bpm) for state, bpm in HUT_LINE.findall(hut.text()) if state == "playing"]
    assert peer_bpm == pytest.approx(song_bpm, rel=0.05)  # by which the tempo bends
    assert np.median(hut_bpm) == pytest.approx(peer_bpm, rel=0.02)


@contextmanager
def link_follower(work: Path) -> Iterator[Process]:
    """Run ``link_follower.py``; it has looked once."""
    command = [sys.executable, str(Path(__file__).with_name("link_follower.py"))]
    follower = Process.start("peer", command, work, {})
    try:
        wait_until("it looks", lambda: bool(looks(follower)), 60, [follower])
        yield follower
    finally:
        follower.stop()


@contextmanager
def link_hut(chain: Chain) -> Iterator[Process]:
    """Run ``LinkHut`` in the session, which synchronises start and stop."""
    hut = Process.start("hut", [LINK_HUT], chain.work, chain.env, stdin=subprocess.PIPE)
    try:
        assert hut.popen.stdin is not None
        hut.popen.stdin.write(b"as")  # Link, and start stop sync
        hut.popen.stdin.flush()
        wait_until("LinkHut", lambda: "yes [stopped]" in hut.text(), 60, [hut])
        yield hut
    finally:
        hut.stop()


def bear_a_busy_machine(chain: Chain) -> None:
    """Let livecover be late, and send all the same."""
    (chain.work / "livecover.toml").write_text("[time]\nlate_tolerance = 5.0\nbacklog = 30.0\n")


def looks(follower: Process) -> list[dict[str, Any]]:
    """Return what the peer has seen by now."""
    return json_lines(follower.text())


def json_lines(text: str) -> list[dict[str, Any]]:
    """Return the whole lines that are JSON."""
    lines = text[: text.rfind("\n") + 1].splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def plays(follower: Process) -> bool:
    """Return whether the session plays, as the peer sees it."""
    return bool(looks(follower)[-1]["playing"])


def past(follower: Process, time: float) -> bool:
    """Return whether the peer has looked after a time."""
    return bool(looks(follower)[-1]["at"] > time)
