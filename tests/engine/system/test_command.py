"""The boundary of the command lines: each error one line and its exit code, on any streams."""

import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest

from engine.core.errors import ConfigError, LiveCoverError
from engine.system import bounded, command
from engine.system.bounded import call_in_thread, join_thread
from engine.system.command import FAULT_FILE, end_process, run_command, say, verdict

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of logs."""
    folder = tmp_path / "logs"
    monkeypatch.setattr(platformdirs, "user_log_path", lambda *_, **__: folder)
    return folder


class Stream(io.StringIO):
    """A text stream whose writing fails."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise self._error


def raising(error: BaseException) -> Callable[[], int]:
    def body() -> int:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("no\n  such style"), 2, "lc: no such style"),
        (OSError(28, "No space left on device"), 2, "lc: No space left on device"),
        (PermissionError(13, "Permission denied", "a.mid"), 2, "lc: a.mid: Permission denied"),
        (OSError(18, "Cross-device", "a", None, "b"), 2, "lc: a and b: Cross-device"),
        (MemoryError(), 2, "lc: there is not enough memory: close other programs"),
        (RecursionError("deep"), 2, "lc: a file is nested too deeply to be read"),
        (
            ImportError("no DLL"),
            2,
            "lc: a part of the installation is missing or broken (no DLL): install again",
        ),
        (KeyboardInterrupt(), 130, "lc: stopped"),
    ],
)
def test_an_error_is_one_line(error: BaseException, code: int, line: str, capsys: Output) -> None:
    assert run_command("lc", raising(error), "stopped") == code
    assert capsys.readouterr() == ("", f"{line}\n")


def test_sigterm_is_an_interruption(capsys: Output) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def body() -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    assert run_command("lc", body, "stopped") == 130
    assert capsys.readouterr().err == "lc: stopped\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_name_that_is_no_text_can_be_told(capsys: Output) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    assert run_command("lc", raising(FileNotFoundError(2, "No such file", name))) == 2
    assert run_command("lc", raising(ConfigError(f"not {name}"))) == 2
    assert "caf\\xe9.wav: No such file" in capsys.readouterr().err


def test_bytes_that_are_no_text_are_told() -> None:
    try:
        b"\xff".decode()
    except UnicodeError as error:
        assert verdict(error)[0].startswith("expected text in UTF-8, got something else")


def test_a_fault_is_told_as_one_and_kept(logs: Path, capsys: Output) -> None:
    assert run_command("lc", raising(KeyError("x"))) == 70
    line = capsys.readouterr().err
    assert line.startswith("lc: a fault of the program's own, not of yours: KeyError: 'x'; ")
    assert str(logs / FAULT_FILE) in line
    assert line.count("\n") == 1
    assert "Traceback" in (logs / FAULT_FILE).read_text(encoding="utf-8")


def test_a_fault_is_told_where_nothing_can_be_kept(logs: Path, capsys: Output) -> None:
    logs.write_text("in the way")
    assert run_command("lc", raising(KeyError("x"))) == 70
    assert "--log-level debug shows where" in capsys.readouterr().err


def test_who_reads_no_more_is_told_nothing(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(BrokenPipeError(32, "Broken pipe")))
    assert run_command("lc", lambda: say("hello") or 0) == 141  # type: ignore[func-returns-value]
    assert capsys.readouterr().err == ""


def test_a_full_disk_under_stdout_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(OSError(28, "No space left on device")))
    assert run_command("lc", lambda: say("hello") or 0) == 2  # type: ignore[func-returns-value]
    error = capsys.readouterr().err
    assert "standard output (No space left on device)" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("stream", [None, Stream(OSError(28, "No space left on device"))])
def test_an_error_that_cannot_be_told_keeps_its_code(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    assert run_command("lc", raising(ConfigError("no"))) == 2


def test_without_a_console_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    say("hello")
    assert run_command("lc", lambda: 0) == 0


def test_letters_that_the_console_has_not_are_written_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "cp1252"))
    assert run_command("lc", lambda: say("é \U0001f3b9.mid") or 0) == 0  # type: ignore[func-returns-value]
    assert raw.getvalue().strip() == b"\xe9 \\U0001f3b9.mid"


def test_what_ends_a_thread_is_one_line(
    logs: Path, caplog: pytest.LogCaptureFixture, capsys: Output
) -> None:
    def body() -> int:
        thread = threading.Thread(target=raising(KeyError("x")), name="song")
        thread.start()
        thread.join()
        return 0

    with caplog.at_level(logging.INFO):
        assert run_command("lc", body) == 0
    assert caplog.messages == ["a fault of the program's own in song: KeyError: 'x'"]
    assert (logs / FAULT_FILE).exists()
    assert capsys.readouterr().err == ""


def test_an_exit_passes() -> None:
    with pytest.raises(SystemExit):
        run_command("lc", raising(SystemExit(2)))
    with pytest.raises(LiveCoverError):
        raise LiveCoverError("is the root of what is told")


def test_a_call_that_never_returns_does_not_keep_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(command, "list_hung_calls", lambda: [])
    monkeypatch.setattr(bounded, "_abandoned", [])  # of other tests
    end_process("lc", 2)
    assert codes == []
    monkeypatch.setattr(command, "list_hung_calls", lambda: ["the sound server", "PortAudio"])
    end_process("lc", 2)
    assert codes == [2]
    said = "lc: the sound server, PortAudio did not answer to the end and was left\n"
    assert capsys.readouterr().err == said
    monkeypatch.setattr(command, "list_hung_calls", list)
    may_end = threading.Event()
    thread = threading.Thread(target=may_end.wait, daemon=True)
    thread.start()
    assert not join_thread(thread, 0.0)
    end_process("lc", 3)
    assert codes == [2, 3] and capsys.readouterr().err == ""
    may_end.set()
    assert join_thread(thread, 60.0)
    end_process("lc", 0)
    assert codes == [2, 3]


def test_a_start_that_is_still_underway_is_left_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(command, "list_hung_calls", list)
    monkeypatch.setattr(bounded, "_abandoned", [])  # of other tests
    may_end = threading.Event()
    starting = call_in_thread(may_end.wait, "start")
    end_process("lc", 0)
    assert codes == [0]
    may_end.set()
    starting.result(60.0)


def test_lines_are_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.StringIO):
        texts: list[str] = []

        def write(self, text: str) -> int:
            self.texts.append(text)
            return len(text)

    monkeypatch.setattr(sys, "stdout", Pipe())
    say("one", "two")
    say()
    assert Pipe.texts == ["one\ntwo\n"]
