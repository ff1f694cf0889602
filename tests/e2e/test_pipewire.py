"""livecover on a PipeWire: loopback and port by nothing else, through its death too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import pipewire, songs, takes
from tests.e2e.chain import PipeWireChain, pipewire_chain, recorder
from tests.e2e.conftest import require
from tests.e2e.processes import wait_until
from tests.e2e.test_endings import is_quiet, sounds

pytestmark = pytest.mark.e2e


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[PipeWireChain]:
    """PipeWire and a recorder."""
    require(*pipewire.PROGRAMS, "pactl", "paplay", "jack_connect")
    if not pipewire.library_folders():
        pytest.skip("missing: pipewire-jack; run scripts/install-system test")
    if Path("/dev/snd/seq").exists():
        pytest.skip("ports open in the ALSA sequencer, not in JACK")
    with pipewire_chain(tmp_path) as running:
        yield running


def test_pipewire_goes_and_comes_back(
    chain: PipeWireChain, chords: songs.Song, tune: songs.Song
) -> None:
    with chain.livecover() as livecover:
        with chain.pulse.playing(chords.path):
            chain.recorder.wait_for("held notes", sounds)
            chain.jack.kill()
            chain.pipewire.kill()
        wait_until("word of the loss", lambda: "is gone" in livecover.text(), 10, [livecover])
        chain.pipewire.start()
        chain.jack.start()
        with recorder(chain.work / "again", chain.jack) as again:
            again.wait_until_connected()
            chain.wait_until_heard(livecover)
            chain.play(tune)
            after = again.wait_for("the end of all notes", is_quiet)
            assert len(takes.ons(after)) >= len(songs.TUNE) // 2
            assert livecover.stop(timeout=60) == 0, livecover.tail()
            assert not takes.unended(again.messages())
    assert "MIDI port 'LiveCover' is back" in livecover.text()
    assert "a MIDI port was lost 1 times" in livecover.text()
    assert "Traceback" not in livecover.text()
