"""A real DAW records the port: Ardour, without a display, driven by ``ardour_record.lua``."""

import glob
import os
from pathlib import Path

import numpy as np
import pytest

from tests.e2e import songs, takes
from tests.e2e.chain import PORT, Chain
from tests.e2e.servers import JACK_PERIOD, SAMPLE_RATE, Process, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SCRIPT = Path(__file__).with_name("ardour_record.lua")
TRACK = "ardour:LiveCoverIn/midi_in 1"


def ardour_lua() -> str:
    """Return Ardour's Lua interpreter (its name holds the version); skip where there is none."""
    found = sorted(glob.glob("/usr/bin/ardour*-lua"))
    if not found:
        words = "missing: ardour; run scripts/install-system test"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(words)
    return found[-1]


def test_ardour_records_the_notes(chain: Chain, tune: songs.Song) -> None:
    session = chain.work / "session"
    limits = {"DIR": str(session), "SECS": "60", "RATE": str(SAMPLE_RATE)}
    with chain.livecover("--midi-out", "take.mid") as livecover:
        command = [ardour_lua(), str(SCRIPT)]
        ardour = Process.start("ardour", command, chain.work, {**chain.env, **limits})
        try:
            wait_until("Ardour's track", (session / "CONNECT").exists, 60, [ardour, livecover])
            chain.jack.connect(PORT, TRACK)
            wait_until("Ardour records", (session / "READY").exists, 60, [ardour, livecover])
            chain.play(tune)
            (session / "STOP").touch()
            assert ardour.wait(60) == 0, ardour.tail()
        finally:
            ardour.stop()
        assert livecover.stop() == 0, livecover.tail()

    (recorded,) = (session / "interchange").glob("*/midifiles/*.mid")
    daw, port = takes.read_midi_file(recorded), chain.recorder.messages()
    assert len(takes.ons(port)) >= len(songs.TUNE) // 2
    assert takes.has_pairs_only(daw)
    assert sorted(map(takes.key, takes.ons(daw))) == sorted(map(takes.key, takes.ons(port)))
    spacing = [np.diff([m.time for m in takes.ons(notes)]) for notes in (daw, port)]
    cycle = JACK_PERIOD / SAMPLE_RATE  # both hear the port cycle by cycle
    assert np.abs(spacing[0] - spacing[1]).max() <= 2 * cycle
