"""A real DAW records the port: Ardour, without a display, driven by ``ardour_record.lua``."""

import contextlib
import glob
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.e2e import songs, takes
from tests.e2e.chain import PORT, Chain
from tests.e2e.jack_server import JACK_PERIOD
from tests.e2e.processes import SAMPLE_RATE, Process, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SCRIPT = Path(__file__).with_name("ardour_record.lua")
N_ATTEMPTS = 8
TRACK = "ardour:LiveCoverIn/midi_in 1"


def ardour_lua() -> str:
    """Return Ardour's Lua interpreter (its name holds the version); skip where there is none."""
    found = sorted(glob.glob("/usr/bin/ardour*-lua"))
    if not found:
        pytest.skip("missing: ardour; run scripts/install-system test")
    return found[-1]


@contextlib.contextmanager
def recording(chain: Chain, livecover: Process) -> Iterator[tuple[Process, Path]]:
    """Run Ardour, its track connected to the port and recording; give it and its session folder.

    While a session is made, Ardour asks libjack from two threads at once (its auto-connect thread
    names ports while the main thread becomes timebase master), which libjack does not bear: one
    time in five or so JACK throws Ardour out. Then another one is started.
    """
    for attempt in range(N_ATTEMPTS):
        session = chain.work / f"session-{attempt}"
        limits = {"DIR": str(session), "SECS": "60", "RATE": str(SAMPLE_RATE)}
        command = [ardour_lua(), str(SCRIPT)]
        env = {**chain.env, **limits}
        ardour = Process.start(f"ardour-{attempt}", command, chain.work, env)
        try:
            if has_come(session / "CONNECT", ardour, livecover):
                chain.jack.wait_for_port(TRACK, ardour, livecover)
                chain.jack.connect(PORT, TRACK)
                (session / "CONNECTED").touch()
                wait_until("Ardour records", (session / "READY").exists, 60, [ardour, livecover])
                yield ardour, session
                return
        finally:
            ardour.stop()
    pytest.fail(f"JACK threw Ardour out {N_ATTEMPTS} times")


def has_come(mark: Path, ardour: Process, livecover: Process) -> bool:
    """Return True once there is ``mark``, False once JACK has thrown Ardour out."""

    def is_thrown_out() -> bool:
        return "JACK HALTED" in ardour.text()

    def is_decided() -> bool:
        return is_thrown_out() or mark.exists()

    wait_until("Ardour's track", is_decided, 60, [ardour, livecover])
    return not is_thrown_out()


def test_ardour_records_the_notes(chain: Chain, tune: songs.Song) -> None:
    with chain.livecover("--midi-out", "take.mid") as livecover:
        with recording(chain, livecover) as (ardour, session):
            chain.play(tune)
            (session / "STOP").touch()
            assert ardour.wait(60) == 0, ardour.tail()
        assert livecover.stop() == 0, livecover.tail()

    (recorded,) = (session / "interchange").glob("*/midifiles/*.mid")
    daw, port = takes.read_midi_file(recorded), chain.recorder.messages()
    assert len(takes.ons(port)) >= len(songs.TUNE) // 2
    assert takes.has_pairs_only(daw)
    assert sorted(map(takes.key, takes.ons(daw))) == sorted(map(takes.key, takes.ons(port)))
    # Both count JACK's samples: what a busy machine does to the wall clock does not matter here.
    spacing = np.diff([m.sample / SAMPLE_RATE for m in takes.ons(port)])
    recorded_spacing = np.diff([m.time for m in takes.ons(daw)])
    assert np.abs(recorded_spacing - spacing).max() <= JACK_PERIOD / SAMPLE_RATE
