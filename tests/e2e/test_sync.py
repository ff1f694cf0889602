"""The beat for others, on real servers: programs follow MIDI clock and Ableton Link."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livecover import examples
from livecover.bench.accompany import beats_of
from tests.e2e import songs
from tests.e2e.chain import Chain
from tests.e2e.processes import SAMPLE_RATE, Process, wait_until
from tests.programs import missing_programs

pytestmark = pytest.mark.e2e

FOLLOWER = "jack_mclk_dump"
PORT = "livecover_clock:LiveCover Clock"
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


def test_a_peer_of_ableton_link_follows_the_song(chain: Chain) -> None:
    """It is a process of its own; tempo, place in the bar, start and stop come by the network."""
    pytest.importorskip("link", reason="Ableton Link: pip install LinkPython-extern")
    bear_a_busy_machine(chain)
    song = songs.whole_example(chain.work / "song.wav")
    command = [sys.executable, str(Path(__file__).with_name("link_follower.py"))]
    follower = Process.start("peer", command, chain.work, {})
    try:
        with chain.livecover("--link", "--link-offset", "30ms", "--status", "json") as livecover:
            wait_until("the peer", lambda: any(look["peers"] for look in looks(follower)))
            chain.play(song)
            assert livecover.stop(timeout=60) == 0, livecover.tail()
        wait_until("it stops", lambda: not looks(follower)[-1]["playing"], processes=[follower])
    finally:
        follower.stop()
    told = [line for line in json_lines(livecover.text()) if line["type"] == "status"]
    assert {line["link_peers"] for line in told} >= {1}
    seen = looks(follower)
    is_playing = [look["playing"] for look in seen]
    assert any(is_playing) and not is_playing[0]
    beats, tempos = [], []
    for line in told:
        beat = line["beat"]
        if beat["state"] != "locked" or not is_playing[k := nearest(seen, line["now"])]:
            continue
        late = line["latency"] + 0.03
        wanted = beat["number"] + (seen[k]["at"] - beat["at"] - late) * beat["bpm"] / 60
        beats.append((seen[k]["position"] - wanted + 2) % 4 - 2)
        tempos.append(seen[k]["bpm"] / beat["bpm"])
    assert len(beats) > 20
    assert np.median(np.abs(beats)) < 0.03, beats
    assert np.median(tempos) == pytest.approx(1.0, abs=0.01)


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


def nearest(seen: list[dict[str, Any]], at: float) -> int:
    """Return which look was nearest to a time."""
    return int(np.argmin([abs(look["at"] - at) for look in seen]))
