"""Ctrl-Z in a real shell, on real servers: notes end, the program stops, and goes on in time."""

import contextlib
import os
import re
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from tests.e2e import songs, takes
from tests.e2e.chain import COMMAND, PORT, START_TIMEOUT, Chain, Tap
from tests.e2e.processes import wait_until
from tests.e2e.terminal import Shell, is_stopped, shell
from tests.e2e.test_endings import is_quiet, sounds
from tests.e2e.test_live import CYCLE, declared_latency

pytestmark = pytest.mark.e2e
CTRL_C, CTRL_Z = "\x03", "\x1a"


@contextlib.contextmanager
def playing(chain: Chain, *arguments: str) -> Iterator[tuple[Shell, int]]:
    """Run livecover in the foreground of a shell, to the recorder; give both."""
    command = [*COMMAND, "--midi-out", "LiveCover", "--control", "off", *arguments]
    with shell(chain.work, chain.env) as bash:
        pid = bash.run(command)
        try:
            chain.jack.wait_for_port(PORT, bash.process, timeout=START_TIMEOUT)
            chain.jack.connect(PORT, "recorder:midi")
            yield bash, pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def stop(bash: Shell, pid: int, chain: Chain) -> list[takes.Message]:
    """Press Ctrl-Z while notes sound; return what had come by the end of all."""
    chain.recorder.wait_for("held notes", sounds)
    bash.type(CTRL_Z)
    wait_until("livecover is stopped", lambda: is_stopped(pid))
    return chain.recorder.wait_for("the end of all notes", is_quiet)


def leave(bash: Shell, code: int = 0) -> None:
    """Wait for the end of the job in the foreground; the shell tells its code."""
    bash.type("echo ended with $?.\n")
    wait_until("its end", lambda: f"ended with {code}." in bash.process.text(), 15, [bash.process])
    assert "Traceback" not in bash.process.text()


def test_notes_end_before_the_program_stops_and_come_in_time_after(
    chain: Chain, chords: songs.Song, tune: songs.Song
) -> None:
    with playing(chain, "--input", "loopback", "--rhythm", "free") as (bash, pid):
        wait_until("livecover records", lambda: chain.pulse.is_heard_by("livecover"), 60)
        tap = Tap(chain.pulse)
        with chain.pulse.playing(chords.path) as player:
            before = stop(bash, pid, chain)
            assert player.wait(30) == 0  # the song plays on, unheard
        assert chain.recorder.messages() == before
        bash.type("fg\n")
        wait_until("livecover goes on", lambda: not is_stopped(pid))
        chain.play(tune)
        heard = chain.recorder.messages()[len(before) :]
        started = tap.start_of(tune)
        tap.close()
        assert takes.has_pairs_only(heard)
        bash.type(CTRL_C)
        leave(bash)
    latency = declared_latency(bash.process.text())
    due = [takes.Message(started + latency + at, pitch, 1) for at, pitch in tune.onsets]
    late = takes.delays(due, heard, reach=0.15)
    assert len(late) >= len(due) // 2
    assert abs(np.median(late)) <= CYCLE / 2 + 0.035, late


def test_a_file_goes_on_where_it_was(chain: Chain, tune: songs.Song) -> None:
    pause = 2.0
    with playing(chain, "--input", str(tune.path)) as (bash, pid):
        chain.recorder.wait_for("a note", lambda heard: len(takes.ons(heard)) >= 3)
        bash.type(CTRL_Z)
        wait_until("livecover is stopped", lambda: is_stopped(pid))
        before = chain.recorder.wait_for("the end of all notes", is_quiet)
        with pytest.raises(AssertionError):  # nothing comes while it is stopped
            chain.recorder.wait_for("more", lambda heard: len(heard) > len(before), pause)
        bash.type("fg\n")
        leave(bash)
    said = bash.process.text()
    heard = chain.recorder.messages()
    assert takes.has_pairs_only(heard)
    first, second = takes.ons(heard[: len(before)]), takes.ons(heard[len(before) :])
    assert len(first) + len(second) >= len(songs.TUNE) // 2 and second
    assert second[0].time - first[-1].time >= pause
    # Where the song began for each note that it has; the cover strikes others beside them.
    starts = [m.time - at for at, pitch in tune.onsets for m in second if m.pitch == pitch]
    n_in_time = np.sum(abs(np.array(starts) - np.median(starts)) <= CYCLE + 0.035)
    assert n_in_time >= 3, starts
    assert re.search(r"\d+ notes in 0:0", said), said[-800:]
