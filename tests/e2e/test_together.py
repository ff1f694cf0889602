"""``livecover together`` on a real PulseAudio: everything is put back, whatever happens."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.audio.loopback.moved_streams import SINK
from tests.e2e import together
from tests.e2e.chain import COMMAND, run_livecover
from tests.e2e.conftest import require
from tests.e2e.processes import Process, wait_until
from tests.e2e.servers import PROGRAMS
from tests.e2e.songs import Song
from tests.e2e.together import PLAYER, SONG, Desk
from tests.livecover.panel.fakes import Client

pytestmark = pytest.mark.e2e


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    require(*PROGRAMS)
    with together.desk(tmp_path) as running:
        yield running


def test_the_song_is_heard_with_the_piano_and_goes_back(desk: Desk, chords: Song) -> None:
    with desk.song(chords), desk.listening() as listener:
        with desk.together() as livecover:
            listener.wait(livecover)
            assert desk.places()[PLAYER] == SINK
            options = ["--midi-out", "b.mid", "--control", "off"]
            second = run_livecover(desk.work, "together", *options, env=desk.env)
            assert second.returncode == 2 and "stop that one first" in second.stderr
            assert desk.places()[PLAYER] == SINK
            assert livecover.stop(60) == 0, livecover.tail()
        assert desk.is_put_back()
    assert f"{SINK}.monitor" in livecover.text() and "Traceback" not in livecover.text()


def test_a_page_begins_it_and_ends_it(desk: Desk, chords: Song) -> None:
    options = ["--panel-port", "0", "--no-open-browser", "--midi-out", "p.mid", "--control", "off"]
    with desk.song(chords), desk.listening() as listener:
        panel = Process.start("panel", [*COMMAND, "panel", *options], desk.work, desk.env)
        try:
            wait_until("a page", lambda: "panel at http" in panel.text(), 60, [panel])
            (url,) = re.findall(r"panel at (http://\S+/)", panel.text())
            with Client(url) as page:
                page.say(type="do", action="together")
                listener.wait(panel)
                assert desk.places()[PLAYER] == SINK
                page.say(type="do", action="together")
                wait_until("all is put back", desk.is_put_back)
            assert panel.stop(60) == 0, panel.tail()
        finally:
            panel.kill()


def test_what_a_killed_one_has_moved_goes_back_at_once(desk: Desk, chords: Song) -> None:
    with desk.song(chords), desk.listening() as listener:
        with desk.together("--player", "paplay") as livecover:
            listener.wait(livecover)
            livecover.kill()
        wait_until("all is put back", desk.is_put_back)


def test_the_next_start_puts_back_what_nobody_could(desk: Desk, chords: Song, tune: Song) -> None:
    """As after a power cut: the process that watches is gone too."""
    left = {"a stream that has ended": SONG}
    state = desk.work / "state" / "livecover"
    state.mkdir(parents=True)
    with desk.song(chords):
        desk.pulse.load("module-null-sink", f"sink_name={SINK}", "channels=2")
        index = desk.pulse.list("short", "sink-inputs").split()[0]
        desk.pulse.move(index, SINK)
        left[index] = SONG
        (state / "together.json").write_text(str(left).replace("'", '"'))
        result = run_livecover(
            desk.work, "--input", str(tune.path), "--midi-out", "a.mid", env=desk.env
        )
        assert result.returncode == 0 and "1 streams" in result.stderr, result.stderr
        assert desk.is_put_back()
