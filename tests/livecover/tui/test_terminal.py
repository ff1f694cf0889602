"""The view in a real terminal (a pty): keys work, and the terminal is left as it was."""

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")
ENTER, LEAVE, HIDE, SHOW = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h"
TIMEOUT = 60.0
ROOT = Path(__file__).parents[3]


class Terminal:
    """A terminal of 80 by 24 with the program in it."""

    def __init__(self, tmp_path: Path, how: str) -> None:
        self.result = tmp_path / "result.json"
        self._ours, self._theirs = os.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self._theirs)
        self.output = b""
        command = [sys.executable, "-m", "tests.livecover.tui.terminal", how, str(self.result)]
        env = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        env.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C arrives
        )

    def wait_for(self, text: bytes) -> None:
        """Return once it was written."""
        deadline = time.monotonic() + TIMEOUT
        while text not in self.output:
            assert time.monotonic() < deadline, (text, self.output[-2000:])
            self._read(0.2)

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def end(self) -> tuple[int, list[object]]:
        """Return the program's code, and what keys have made of style, parts and mute."""
        deadline = time.monotonic() + TIMEOUT
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.output[-2000:]
            self._read(0.1)  # a full terminal would hold it up
        while self._read(0.0):
            pass
        assert termios.tcgetattr(self._theirs) == self.before
        assert self.output.rindex(LEAVE) > self.output.rindex(ENTER)
        assert self.output.rindex(SHOW) > self.output.rindex(HIDE)
        return self.process.returncode, json.loads(self.result.read_text(encoding="utf-8"))

    def _read(self, timeout: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], timeout)
        if ready:
            self.output += os.read(self._ours, 1 << 16)
        return bool(ready)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for end in (self._ours, self._theirs):
            os.close(end)


@contextlib.contextmanager
def terminal(tmp_path: Path, how: str = "") -> Iterator[Terminal]:
    opened = Terminal(tmp_path, how)
    try:
        yield opened
    finally:
        opened.close()


def test_keys_play_and_quit(tmp_path: Path) -> None:
    with terminal(tmp_path) as one:
        one.wait_for(b"nothing plays")
        one.press(b"1\x1b[C\x1b[Camy\x1b[5~z\x1b")
        one.wait_for(b"MUTE")
        one.wait_for(b"accompaniment")
        one.wait_for(b"cover, free")
        one.press(b"y")
        one.wait_for(b"cover, beat")
        one.press(b"q")
        assert one.end() == (0, [0.1, "accompaniment", True])
        assert ENTER in one.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_leave_the_terminal_as_it_was(tmp_path: Path, number: signal.Signals) -> None:
    with terminal(tmp_path) as one:
        one.wait_for(b"nothing plays")
        one.process.send_signal(number)
        assert one.end()[0] == 0


def test_so_does_ctrl_c(tmp_path: Path) -> None:
    with terminal(tmp_path) as one:
        one.wait_for(b"nothing plays")
        one.press(b"m")
        one.wait_for(b"MUTE")
        one.press(b"\x03")
        assert one.end() == (0, ["balanced", "full", True])


def test_so_does_a_fault(tmp_path: Path) -> None:
    with terminal(tmp_path, "raise") as one:
        one.wait_for(b"nothing plays")
        one.press(b"m")
        assert one.end()[0] == 1
        assert one.output.index(b"a fault of ours") > one.output.rindex(LEAVE)
