"""Ctrl-Z and the shell's jobs: notes end before the program stops, and it goes on in time."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from rich.console import Console

from livecover import playing
from livecover.commands import job_control
from livecover.commands.job_control import in_foreground
from livecover.instrument.instrument import Instrument
from livecover.settings.sections import Settings, with_values
from tests.tiny import TINY_FEATURES

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGTSTP"), reason="no job control")
ROOT = Path(__file__).parents[3]


class Jobs:
    """What happened, in order; the program is stopped by a fake of the shell."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        monkeypatch.setattr(playing, "midi_control", lambda instrument: contextlib.nullcontext())
        monkeypatch.setattr(playing, "_display", self._display)
        monkeypatch.setattr(job_control, "_stop_program", lambda: self.told.append("stopped"))
        monkeypatch.setattr(Instrument, "suspend", self._suspend)

    @contextlib.contextmanager
    def _display(self, *_: object) -> Iterator[Any]:
        self.told.append("shown")
        yield lambda instrument: None
        self.told.append("gone")

    def _suspend(self, stop_program: Any) -> None:
        self.told.append("silent")
        stop_program()
        self.told.append("in time")

    def attend(self, settings: Settings, looks: int) -> None:
        """Attend to an instrument, with Ctrl-Z at the first of some looks."""

        def look(refresh: float) -> bool:
            nonlocal looks
            looks -= 1
            if looks == 1:
                signal.raise_signal(signal.SIGTSTP)
            return looks == 0

        playing.attend(Instrument(settings), Console(file=io.StringIO()), threading.Event(), look)


def test_the_view_goes_and_the_notes_end_before_the_program_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = Jobs(monkeypatch)
    before = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGTTOU)
    jobs.attend(Settings(), 2)
    assert jobs.told == ["shown", "gone", "silent", "stopped", "in time", "shown", "gone"]
    assert (signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGTTOU)) == before


def test_a_view_in_the_background_waits_for_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs(monkeypatch)
    answers = [False, True, True]
    monkeypatch.setattr(job_control, "in_foreground", lambda stream: answers.pop(0))
    jobs.attend(with_values(Settings(), {"tui.enabled": True}), 1)
    assert jobs.told == ["silent", "stopped", "in time", "shown", "gone"]


def test_only_a_terminal_has_a_foreground(monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_foreground(io.StringIO())
    ours, theirs = os.openpty()
    with open(ours, "rb"), open(theirs) as terminal:
        assert in_foreground(terminal)  # of no session of ours
        monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: os.getpgrp() + 1)
        assert not in_foreground(terminal)


def test_an_idle_instrument_only_stops() -> None:
    told: list[str] = []
    Instrument(Settings()).suspend(lambda: told.append("stopped"))
    assert told == ["stopped"]


def test_the_program_stops_and_goes_on(
    tmp_path: Path, tiny_song: NDArray[np.float32], tiny_stateful_path: Path
) -> None:
    rate = 2 * TINY_FEATURES.sample_rate
    soundfile.write(tmp_path / "s.wav", np.tile(np.repeat(tiny_song, 2), 40), rate)
    command = [sys.executable, "-m", "livecover", "--input", "s.wav", "--midi-out", "a.mid"]
    command += ["--model", str(tiny_stateful_path), "--record", "takes", "--control", "off"]
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, process_group=0
    ) as process:
        try:
            assert process.stdout is not None
            while b"Ctrl-C stops" not in process.stdout.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGTSTP)
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            assert process.wait(60) == 0
        finally:
            process.kill()
