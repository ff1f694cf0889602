"""``livecover panel`` as a process of its own, from its address to Ctrl-C."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from livecover.cli import main
from tests.livecover.panel.fakes import TIMEOUT, Client
from tests.tiny import TINY_FEATURES

ROOT = Path(__file__).parents[3]
Process = subprocess.Popen[str]


@pytest.fixture
def command(
    tmp_path: Path, tiny_song: NDArray[np.float32], tiny_stateful_path: Path
) -> Iterator[Process]:
    """The command, given a song, a tiny model and a file for the notes."""
    rate = TINY_FEATURES.sample_rate
    soundfile.write(tmp_path / "song.wav", np.repeat(tiny_song[:6000], 2), 2 * rate)  # 1.5 s
    words = ["--panel-port", "0", "--input", "song.wav", "--midi-out", "a.mid"]
    process = subprocess.Popen(
        [sys.executable, "-m", "livecover", "panel", *words, "--model", str(tiny_stateful_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path)},
    )
    with process:
        yield process
        process.kill()


@pytest.mark.skipif(os.name == "nt", reason="a process gets no Ctrl-C of its own there")
def test_from_idle_to_playing_to_ctrl_c(command: Process, tmp_path: Path) -> None:
    assert command.stdout is not None
    first = command.stdout.readline()
    assert first.startswith("panel at http://127.0.0.1:"), first
    with Client(first.split()[-1]) as page:
        assert page.hear("hello")["settings"]["audio"]["input"] == "song.wav"
        assert page.hear("status")["playing"] is False
        page.say(type="change", values={"midi.transpose": 12})
        page.say(type="do", action="start")
        assert max(page.hear("chroma")["values"]) == 255
        status = page.hear("status")
        assert status["playing"] and status["connected"] and status["source"].endswith("song.wav")
        parts = sum(seconds for _, seconds in status["budget"])
        assert parts == pytest.approx(status["latency"], abs=1e-3)
        page.say(type="do", action="unsaved")
        unsaved = page.hear("unsaved")
        assert unsaved["lines"] == [["midi.transpose", "0", "12"]]  # and no option
        page.say(type="save", id=unsaved["id"])
        assert page.hear("saved")["path"] == str(tmp_path / "livecover" / "config.toml")
        while page.hear("status")["playing"]:  # the song ends, the panel stays
            pass
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=TIMEOUT)
    assert command.returncode == 0 and "notes in 0:0" in out, err
    saved = (tmp_path / "livecover" / "config.toml").read_text("utf-8")
    assert saved.endswith("\n[midi]\ntranspose = 12\n") and saved.count("=") == 1
    assert (tmp_path / "a.mid").exists()


def read_all(terminal: int) -> None:
    """Read what is written to a terminal, so that nobody waits for room, until it is closed."""
    with contextlib.suppress(OSError):
        while os.read(terminal, 4096):
            pass
    os.close(terminal)


def with_browser(folder: Path) -> tuple[dict[str, str], Path]:
    """An environment whose browser writes what it is given into a file; and that file."""
    given = folder / "given"
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {given}.new && mv {given}.new {given}\n')
    browser.chmod(0o755)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder)}
    env |= {"BROWSER": str(browser), "DISPLAY": ":0"}
    return env | {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}, given


@pytest.mark.skipif(os.name == "nt", reason="a terminal of POSIX's")
def test_the_browser_is_given_a_file_and_no_token(tmp_path: Path) -> None:
    env, given = with_browser(tmp_path)
    terminal, its_end = os.openpty()
    threading.Thread(target=read_all, args=(terminal,), daemon=True).start()
    command = [sys.executable, "-m", "livecover", "panel", "--panel-port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=its_end, text=True, env=env, cwd=tmp_path
    ) as process:
        os.close(its_end)
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        try:
            with Client(url) as page:
                while not given.exists():  # each status is a moment later
                    page.hear("status")
            (word,) = given.read_text().split()
            path = Path(unquote(urlsplit(word).path))
            assert url in path.read_text() and url.split("/")[3] not in word
            assert path.is_relative_to(tmp_path) and path.stat().st_mode & 0o777 == 0o600
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT) == 0
        finally:
            process.kill()
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt", reason="a browser that is a script of POSIX's")
def test_an_icon_opens_the_panel_without_a_terminal_and_once(tmp_path: Path) -> None:
    env, given = with_browser(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "livecover", "app", "--panel-port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        try:
            with Client(url) as page:
                assert page.hear("hello")["quits"] is True
                while not given.exists():  # each status is a moment later
                    page.hear("status")
                first = given.read_text()
                given.unlink()
                again = subprocess.run(
                    command, capture_output=True, env=env, cwd=tmp_path, timeout=TIMEOUT
                )
                assert (again.returncode, again.stdout, again.stderr) == (0, b"", b"")
                assert given.read_text() == first
                page.say(type="do", action="quit")
                assert process.wait(TIMEOUT) == 0
        finally:
            process.kill()


def test_a_port_that_is_taken_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["panel", "--panel-port", str(port)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert err.startswith(
        f"livecover: port {port} is in use, perhaps by another livecover: stop it"
    )
