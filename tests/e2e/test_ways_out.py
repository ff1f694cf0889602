"""Every way out, while every server hangs: the program ends, its notes too, and all is saved."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e import songs, takes
from tests.e2e.chain import COMMAND, chain, private_env
from tests.e2e.conftest import require, require_chain
from tests.e2e.processes import Process, wait_until
from tests.e2e.servers import PROGRAMS, pulse_server
from tests.e2e.ways_out import SINKS, WAYS, Way, end

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_out_ends_and_saves_whatever_hangs(way: Way, tmp_path: Path) -> None:
    require_chain()
    left = end(tmp_path, way, way.needs[-1])
    assert left.code == 0, left.said[-2000:]  # and not killed for never ending
    assert left.n_notes >= 4 and left.n_take >= 4
    assert left.is_whole
    assert "Traceback" not in left.said


def test_a_way_out_leaves_no_note_at_the_port(tmp_path: Path) -> None:
    require_chain()
    left = end(tmp_path, WAYS[0], "PulseAudio")
    assert left.code == 0 and left.n_stuck == 0, left.said[-2000:]


def test_a_server_that_hangs_at_the_start_is_told(tmp_path: Path) -> None:
    require(*PROGRAMS)
    with pulse_server(tmp_path) as pulse:
        assert pulse.process is not None
        pulse.process.popen.send_signal(signal.SIGSTOP)
        try:
            ended = subprocess.run(
                [*COMMAND, "--input", "loopback", "--midi-out", "take.mid", "--control", "off"],
                cwd=tmp_path,
                env={**os.environ, **private_env(tmp_path, pulse.env)},
                capture_output=True,
                text=True,
                timeout=60,
            )
        finally:
            pulse.process.popen.send_signal(signal.SIGCONT)
    assert ended.returncode == 2
    said = ended.stderr.splitlines()
    assert said[0].startswith("livecover: the sound server does not answer; if it hangs, end it")
    assert said[1:] == ["livecover: the sound server did not answer to the end and was left"]


def catches(process: Process, number: signal.Signals) -> bool:
    """Return whether a process has said what to do at a signal (proc(5))."""
    status = Path(f"/proc/{process.popen.pid}/status").read_text()
    found = re.search(r"SigCgt:\s*(\w+)", status)
    return found is not None and bool(int(found[1], 16) >> (number - 1) & 1)


def test_a_signal_while_a_midi_server_hangs_at_the_start_is_obeyed(tmp_path: Path) -> None:
    require_chain()
    with chain(tmp_path, is_synchronous=False) as running:
        running.jack.process.popen.send_signal(signal.SIGSTOP)
        try:
            livecover = Process.start("livecover", COMMAND, tmp_path, running.env)
            wait_until("it listens", lambda: catches(livecover, signal.SIGHUP), 60, [livecover])
            livecover.popen.send_signal(signal.SIGTERM)
            assert livecover.wait(20) == 0, livecover.tail()
        finally:
            running.jack.process.popen.send_signal(signal.SIGCONT)
            livecover.kill()
    assert "Traceback" not in livecover.text()


def test_an_audio_server_that_hangs_for_a_while_is_heard_again(
    tmp_path: Path, tune: songs.Song
) -> None:
    require_chain()
    with chain(tmp_path, sinks=SINKS) as running, running.livecover("--monitor", "room") as process:
        assert running.pulse.process is not None
        server = running.pulse.process.popen
        try:
            server.send_signal(signal.SIGSTOP)
            wait_until("word of the loss", lambda: "trying again" in process.text(), 20, [process])
        finally:
            server.send_signal(signal.SIGCONT)
        wait_until("word of the return", lambda: "audio is back" in process.text(), 20, [process])
        n_before = len(takes.ons(running.recorder.messages()))
        running.play(tune)
        heard = len(takes.ons(running.recorder.messages())) - n_before
        assert heard >= len(songs.TUNE) // 2
        assert process.stop() == 0, process.tail()
    assert "Traceback" not in process.text()
