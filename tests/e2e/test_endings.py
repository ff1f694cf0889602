"""However a session ends or is disturbed: no note stays, and the take is saved."""

import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e import songs, takes
from tests.e2e.chain import PORT, Chain, recorder
from tests.e2e.processes import wait_until

pytestmark = pytest.mark.e2e


def sounds(messages: Sequence[takes.Message]) -> bool:
    """True while at least two notes are held."""
    return len(takes.unended(messages)) >= 2


def is_quiet(messages: Sequence[takes.Message]) -> bool:
    """True once there were notes and all have ended."""
    return bool(messages) and not takes.unended(messages)


def check_take(chain: Chain, at_least: int = 2) -> list[takes.Message]:
    """Return the saved take's notes: some, each with its end."""
    take = takes.read_midi_file(chain.work / "take.mid")
    assert len(takes.ons(take)) >= at_least
    assert takes.has_pairs_only(take)
    return take


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_mid_note_ends_every_note_and_saves_the_take(
    chain: Chain, chords: songs.Song, number: signal.Signals
) -> None:
    with (
        chain.livecover("--midi-out", "take.mid") as livecover,
        chain.pulse.playing(chords.path),
    ):
        chain.recorder.wait_for("held notes", sounds)
        livecover.popen.send_signal(number)
        assert livecover.wait(60) == 0, livecover.tail()
        got = chain.recorder.wait_for("the end of all notes", is_quiet)
    assert takes.has_pairs_only(got)
    take = check_take(chain)
    # Notes of one moment stand on two tracks in the file, so only their order may differ.
    assert sorted(m.pitch for m in takes.ons(take)) == sorted(m.pitch for m in takes.ons(got))
    assert re.search(rf"\b{len(takes.ons(got))} notes", livecover.text()), livecover.tail()
    assert "Traceback" not in livecover.text()


def test_a_stuck_note_would_be_seen(rough_chain: Chain, chords: songs.Song) -> None:
    """The control for the test above: a crash of all its processes leaves notes on."""
    with rough_chain.livecover() as livecover, rough_chain.pulse.playing(chords.path):
        rough_chain.recorder.wait_for("held notes", sounds)
        children = Path(f"/proc/{livecover.popen.pid}/task/{livecover.popen.pid}/children")
        for pid in children.read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        livecover.kill()
        assert takes.unended(rough_chain.recorder.messages())


def test_where_livecover_is_killed_its_port_ends_every_note(
    chain: Chain, chords: songs.Song
) -> None:
    with chain.livecover() as livecover, chain.pulse.playing(chords.path):
        chain.recorder.wait_for("held notes", sounds)
        livecover.kill()
        chain.recorder.wait_for("the end of all notes", is_quiet)


def test_the_audio_server_goes_and_comes_back(
    chain: Chain, chords: songs.Song, tune: songs.Song
) -> None:
    with chain.livecover("--midi-out", "take.mid") as livecover:
        with chain.pulse.playing(chords.path):
            chain.recorder.wait_for("held notes", sounds)
            chain.pulse.kill()
        before = chain.recorder.wait_for("the end of all notes", is_quiet)
        wait_until("word of the loss", lambda: "trying again" in livecover.text(), 10, [livecover])

        chain.pulse.start()
        chain.wait_until_heard(livecover)
        chain.play(tune)
        after = chain.recorder.messages()[len(before) :]
        assert len(takes.ons(after)) >= len(songs.TUNE) // 2
        assert livecover.stop() == 0, livecover.tail()
    assert takes.has_pairs_only(chain.recorder.messages())
    take = check_take(chain)
    assert len(takes.ons(take)) == len(takes.ons(before)) + len(takes.ons(after))
    assert "Traceback" not in livecover.text()


def test_the_reader_of_the_port_goes(chain: Chain, chords: songs.Song) -> None:
    with (
        recorder(chain.work, chain.jack, "other") as other,
        chain.livecover("--midi-out", "take.mid") as livecover,
        chain.pulse.playing(chords.path) as player,
    ):
        chain.jack.connect(PORT, "other:midi")
        other.wait_for("held notes", sounds)
        assert other.process.stop() == 0, other.process.tail()
        n_before = len(chain.recorder.messages())
        chain.recorder.wait_for("notes after it", lambda ms: len(takes.ons(ms[n_before:])) >= 2)
        player.stop()
        chain.recorder.wait_for("the end of all notes", is_quiet)
        assert livecover.stop() == 0, livecover.tail()
    check_take(chain)
    assert "Traceback" not in livecover.text()


def test_the_midi_server_goes_and_comes_back(
    chain: Chain, chords: songs.Song, tune: songs.Song
) -> None:
    with (
        chain.livecover("--midi-out", "take.mid") as livecover,
        chain.pulse.playing(chords.path) as player,
    ):
        chain.recorder.wait_for("held notes", sounds)
        chain.jack.kill()
        wait_until("word of the loss", lambda: "is gone" in livecover.text(), 10, [livecover])
        assert player.wait(30) == 0, player.tail()
        chain.jack.start()
        with recorder(chain.work / "again", chain.jack) as again:
            chain.jack.wait_for_port(PORT, livecover)
            again.wait_until_connected()  # as it was before, by livecover
            chain.play(tune)
            after = again.wait_for("the end of all notes", is_quiet)
            assert len(takes.ons(after)) >= len(songs.TUNE) // 2
            assert livecover.stop(timeout=60) == 0, livecover.tail()
            assert not takes.unended(again.messages())
    check_take(chain, at_least=len(takes.ons(after)) + 2)  # the file missed nothing
    assert "MIDI port 'LiveCover' is back" in livecover.text()
    assert "a MIDI port was lost 1 times" in livecover.text()
    assert "Traceback" not in livecover.text()
