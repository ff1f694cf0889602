"""A signal stops the program at whatever it interrupts."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from livecover.commands.signals import SignalEvent, stop_on_signals

INTERRUPTED = """
import signal, sys
from livecover.commands.signals import stop_on_signals

for line in range(40):
    with stop_on_signals() as stop:
        left = line

        def at_line(frame, event, argument):
            global left
            if frame.f_code.co_name == "wait" and event == "line":
                left -= 1
                if left == 0:
                    signal.raise_signal(signal.SIGINT)
            return at_line

        sys.settrace(at_line)
        stop.wait(0.001)
        sys.settrace(None)
print("over")
"""


def test_no_signal_holds_up_who_waits_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == ("over\n", 0), done.stderr


def test_everyone_who_waits_is_told() -> None:
    event = SignalEvent()
    assert not event.wait(0.0)
    waiting = [threading.Thread(target=event.wait) for _ in range(3)]
    for thread in waiting:
        thread.start()
    event.set()
    for thread in waiting:
        thread.join(20.0)
        assert not thread.is_alive()
    assert event.wait() and event.is_set()
    with pytest.raises(NotImplementedError):
        event.clear()


@pytest.mark.skipif(sys.platform == "win32", reason="a signal of POSIX")
@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_terminal_that_closes_stops_it_unless_it_was_started_with_nohup(is_ignored: bool) -> None:
    handler = signal.SIG_IGN if is_ignored else signal.SIG_DFL
    before = signal.signal(signal.SIGHUP, handler)
    try:
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.is_set() is not is_ignored
        assert signal.getsignal(signal.SIGHUP) is handler
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_second_interrupt_does_not_wait() -> None:
    with stop_on_signals() as stop, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        signal.raise_signal(signal.SIGINT)
