"""However the command is ended: signals, hangs, full disks; every note ends, in time."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

import pytest
from rich.console import Console

from livecover import playing as subject
from livecover.cli import main
from livecover.instrument.instrument import Instrument
from livecover.settings.sections import Settings
from livecover.takes.recorder import TakeRecorder
from tests.livecover.fake_engine import FakeEngine

HANGUP = getattr(signal, "SIGHUP", signal.SIGTERM)
Output = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, HANGUP])
def test_signals_stop_cleanly(
    engines: list[FakeEngine],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    number: signal.Signals,
) -> None:
    monkeypatch.setattr(FakeEngine, "on_wait", lambda self: signal.raise_signal(number))
    before = signal.getsignal(number)
    assert main([]) == 0
    assert engines[0].is_stopped
    assert engines[0].n_waits == 1
    assert "1 notes in 0:05" in capsys.readouterr().out
    assert signal.getsignal(number) is before


def test_a_controller_may_stop_and_start(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def midi_control(instrument: Instrument) -> Iterator[None]:
        def stop_once() -> None:
            if len(engines) == 1:
                instrument.stop()
                instrument.start()

        monkeypatch.setattr(FakeEngine, "on_wait", lambda self: stop_once())
        yield

    monkeypatch.setattr(subject, "midi_control", midi_control)
    assert main([]) == 0
    assert [engine.is_stopped for engine in engines] == [True, True]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_starts_ends_it_in_order(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(FakeEngine, "start", lambda engine: signal.raise_signal(number))
    assert main([]) == 0
    assert engines[0].is_stopped and engines[0].n_waits == 0


def test_a_start_that_hangs_is_not_waited_for(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    may_start, is_over = threading.Event(), threading.Event()

    def hang(engine: FakeEngine) -> None:
        signal.raise_signal(signal.SIGTERM)
        assert may_start.wait(20.0)

    def stop(engine: FakeEngine) -> None:
        is_over.set()

    monkeypatch.setattr(FakeEngine, "start", hang)
    monkeypatch.setattr(FakeEngine, "stop", stop)
    assert main([]) == 0
    assert not is_over.is_set()
    may_start.set()
    assert is_over.wait(20.0)  # what starts after all is stopped


def test_a_terminal_that_hangs_up_twice_is_no_hurry(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(engine: FakeEngine) -> None:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)

    monkeypatch.setattr(FakeEngine, "on_wait", twice)
    assert main([]) == 0
    assert engines[0].is_stopped


def test_a_second_signal_does_not_wait(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(engine: FakeEngine) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(FakeEngine, "on_wait", twice)
    assert main([]) == 130
    assert engines[0].is_stopped


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyError("x"), 70, "livecover: a fault of the program's own, not of yours: KeyError: 'x'"),
        (OSError(28, "No space left on device", "a.mid"), 2, "livecover: a.mid: No space left"),
    ],
)
def test_whatever_ends_it_ends_the_notes_too(
    error: Exception,
    code: int,
    line: str,
    engines: list[FakeEngine],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    def broken(engine: FakeEngine) -> None:
        raise error

    monkeypatch.setattr(FakeEngine, "on_wait", broken)
    assert main([]) == code
    assert engines[0].is_stopped
    told = capsys.readouterr().err
    assert told.startswith(line) and told.count("\n") == 1
    assert main(["--log-level", "debug"]) == code
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_under_stdout_ends_the_notes(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys.stdout, "write", full)
    assert main([]) == 2
    assert engines[0].is_stopped
    assert "No space left on device" in capsys.readouterr().err


def test_a_take_that_is_not_whole_is_said_at_the_end(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def fail(self: TakeRecorder) -> None:
        self.faults.append("recording has failed: No space left on device")

    monkeypatch.setattr(TakeRecorder, "close", fail)
    monkeypatch.setattr(FakeEngine, "stop", lambda self: self.taps[0].close())
    assert main(["--record", "takes", "--midi-out", "LiveCover"]) == 2
    out, err = capsys.readouterr()
    assert "notes in" in out
    assert err.splitlines()[-1] == "livecover: recording has failed: No space left on device"


def test_who_stops_it_before_it_is_ready_waits_for_no_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[Instrument] = []
    monkeypatch.setattr(subject, "midi_control", opened.append)
    stop = threading.Event()
    stop.set()
    subject.attend(Instrument(Settings()), Console(), stop, lambda refresh: False)
    assert opened == []
