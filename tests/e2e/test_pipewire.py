"""livecover on a PipeWire: loopback and port by nothing else, through its death too."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.audio.loopback import moved_streams as together
from engine.midi.port_sink import PortSink
from tests.e2e import pipewire, songs, takes
from tests.e2e.chain import PipeWireChain, pipewire_chain, recorder
from tests.e2e.conftest import require
from tests.e2e.processes import wait_until
from tests.e2e.servers import SINK
from tests.e2e.test_endings import is_quiet, sounds
from tests.e2e.together import HEARD, PLAYER, SONG, Desk

pytestmark = pytest.mark.e2e
RATE = 48000  # PipeWire's own


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[PipeWireChain]:
    """PipeWire and a recorder."""
    require(*pipewire.PROGRAMS, "pactl", "paplay", "jack_connect", "pw-metadata")
    if not pipewire.library_folders():
        pytest.skip("missing: pipewire-jack; run scripts/install-system test")
    if Path("/dev/snd/seq").exists():
        pytest.skip("ports open in the ALSA sequencer, not in JACK")
    # a busy machine is late, and plays all the same
    (tmp_path / "livecover.toml").write_text("[time]\nlate_tolerance = 5.0\nbacklog = 30.0\n")
    with pipewire_chain(tmp_path) as running:
        yield running


def test_whatever_the_graph_does_the_tune_is_played(chain: PipeWireChain, tune: songs.Song) -> None:
    """Another quantum, another rate, a sink that slept, another default output."""
    with chain.livecover("--rhythm", "free") as livecover:
        for quantum in (64, 2048, 0):
            chain.pipewire.set("force-quantum", quantum)
            play_anew(chain, tune, f"quantum {quantum}")
        for rate in (44100, 96000, 0):
            chain.pipewire.set("force-rate", rate)
            play_anew(chain, tune, f"rate {rate}")
        chain.pulse.suspend(SINK, True)
        chain.pulse.suspend(SINK, False)
        play_anew(chain, tune, "after a sleep")
        chain.pulse.load("module-null-sink", "sink_name=other", "channels=2")
        wait_until("another default", lambda: chain.pulse.set_default_sink("other"))
        wait_until("it follows", lambda: "listening to other.monitor" in livecover.text(), 60)
        play_anew(chain, tune, "at another output")
        assert livecover.stop(timeout=60) == 0, livecover.tail()
    # A cycle that a busy machine misses loses its MIDI, also a note's end: at the end all is ended.
    assert chain.recorder.is_silenced()
    assert "MIDI graph" in livecover.text() and "Traceback" not in livecover.text()


def play_anew(chain: PipeWireChain, tune: songs.Song, when: str) -> None:
    """Play the tune, and wait until most of its notes have come, at their pitches."""
    n_before = len(chain.recorder.messages())
    chain.play(tune)
    wanted = {pitch for _, pitch in tune.onsets}

    def has_come(messages: list[takes.Message]) -> bool:
        found = {message.pitch for message in takes.ons(messages[n_before:])}
        return len(found & wanted) > len(wanted) / 2

    chain.recorder.wait_for(f"the tune, {when}", has_come)


def test_what_the_graph_takes_is_half_its_period(
    chain: PipeWireChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How exactly, says ``livecover.bench graph``."""
    for key, value in {**os.environ, **chain.env}.items():
        monkeypatch.setenv(key, value)
    sink = PortSink("LiveCover")
    try:
        for quantum in (64, 2048):
            chain.pipewire.set("force-quantum", quantum)
            latency = quantum / RATE / 2
            wait_until(f"{quantum} samples", lambda: abs(sink.latency - latency) < 1e-6)  # noqa: B023
    finally:
        sink.close()


def test_song_and_piano_together(chain: PipeWireChain, chords: songs.Song) -> None:
    for sink in (HEARD, SONG):
        chain.pulse.load("module-null-sink", f"sink_name={sink}", "channels=2")
    wait_until("its output", lambda: chain.pulse.set_default_sink(HEARD))
    desk = Desk(chain.work, chain.pulse)
    with desk.song(chords), desk.listening() as listener, desk.together() as livecover:
        listener.wait(livecover)
        assert desk.places()[PLAYER] == together.SINK
        livecover.kill()
        wait_until("all is put back", desk.is_put_back)


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
