"""MIDI clock on real servers: a program that was not written here follows the song's beat."""

import re

import numpy as np
import pytest

from livecover import examples
from livecover.bench.accompany import beats_of
from tests.e2e import songs
from tests.e2e.chain import Chain
from tests.e2e.processes import SAMPLE_RATE, Process
from tests.programs import missing_programs

pytestmark = pytest.mark.e2e

FOLLOWER = "jack_mclk_dump"
PORT = "livecover_clock:LiveCover Clock"
PLACE = re.compile(r"(\d+)\|(\d)\|(\d) @ (\d+)")  # bar, beat, sixteenth, at a sample


def test_another_program_follows_the_song(chain: Chain) -> None:
    """``jack_mclk_dump`` counts bars and beats by the clock that it gets."""
    missing = missing_programs(FOLLOWER, "stdbuf")
    assert not missing, f"missing: {', '.join(missing)}; run scripts/install-system test"
    # a busy machine is late, and sends all the same
    (chain.work / "livecover.toml").write_text("[time]\nlate_tolerance = 5.0\nbacklog = 30.0\n")
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
