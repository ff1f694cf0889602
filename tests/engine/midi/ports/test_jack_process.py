"""A client of JACK in a process of its own, on stand-ins for that process."""

from pathlib import Path

import pytest
import rtmidi

from engine.midi.ports import jack_process as midi_process
from engine.midi.ports.jack_process import JackInput, JackOutput
from engine.system import bounded
from engine.system.bounded import begin_shutdown

READY = "import json, sys\nprint(json.dumps({'reply': 'JACK'}), flush=True)\n"
ECHO = (
    READY
    + """
for line in sys.stdin:
    what, *how = json.loads(line)
    if what == "close":
        break
    if what == "send":
        print(json.dumps({"received": [how, 0.5]}), flush=True)
    elif what == "ports":
        print(json.dumps({"connections": ["piano:in"]}), flush=True)
        print(json.dumps({"reply": ["piano:in"]}), flush=True)
    else:
        print(json.dumps({"error": f"no {what}"}), flush=True)
"""
)


def become(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(midi_process, "_CODE", code)


def test_what_is_asked_is_answered_and_what_is_heard_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    become(monkeypatch, ECHO)
    output = JackOutput("livecover")
    assert output.system == "JACK"
    output.send_message((0x90, 60, 100))
    assert output.get_ports() == ["piano:in"]
    assert output.connections == ("piano:in",)
    with pytest.raises(rtmidi.SystemError, match="no open"):
        output.open_virtual_port("LiveCover")
    output.delete()
    output = JackOutput("livecover")
    with pytest.raises(rtmidi.SystemError, match="no reconnect"):
        output.reconnect(["late:in"])
    assert output.connections == ("late:in",)  # so that the next one does, if this one breaks too
    output.delete()
    control = JackInput("livecover_control")
    control._write("send", 0xB0, 1, 2)
    assert control.get_ports() == ["piano:in"]  # so what was said before has come
    assert control.get_message() == ([0xB0, 1, 2], 0.5)
    assert control.get_message() is None
    control.delete()


def test_no_server_is_the_error_that_rtmidi_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, 'print(\'{"error": "JACK server not running?"}\')')
    with pytest.raises(rtmidi.SystemError, match="not running"):
        JackOutput("livecover")


def test_a_server_that_ends_takes_its_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, READY + "sys.stdin.readline()")
    output = JackOutput("livecover")
    for _ in range(2):
        with pytest.raises(rtmidi.SystemError, match="the JACK server is gone"):
            output.get_ports()
    with pytest.raises(rtmidi.SystemError, match="gone"):
        output.send_message((0x90, 60, 100))
    output.delete()


def test_a_server_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi_process, "ANSWER_S", 0.01)
    monkeypatch.setattr(midi_process, "CLOSE_S", 0.01)
    waits = "import signal, threading; signal.alarm(3); threading.Event().wait()"  # as the real one
    become(monkeypatch, READY + waits)
    output = JackOutput("livecover")
    with pytest.raises(rtmidi.SystemError, match="does not answer"):
        for _ in range(100_000):  # far more than a pipe holds
            output.send_message((0x90, 60, 100))
    output.delete()
    output = JackOutput("livecover")
    with pytest.raises(rtmidi.SystemError, match="does not answer"):
        output.get_ports()
    with pytest.raises(rtmidi.SystemError, match="is gone"):
        output.send_message((0x90, 60, 100))
    output.delete()


def test_a_client_that_leaves_slowly_is_not_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(midi_process, "CLOSE_S", 0.01)
    left = tmp_path / "left"
    leaves = f"import pathlib, time; time.sleep(0.2); pathlib.Path({str(left)!r}).touch()"
    become(monkeypatch, READY + f"sys.stdin.readline(); {leaves}")
    output = JackOutput("livecover")
    output.delete()
    assert not left.exists()
    assert output._process.wait(30) == 0
    assert left.exists()


def test_a_server_that_lets_nobody_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi_process, "START_S", 0.01)
    become(monkeypatch, "import threading; threading.Event().wait()")
    with pytest.raises(rtmidi.SystemError, match="does not answer"):
        JackOutput("livecover")


def test_a_server_that_lets_nobody_in_does_not_keep_a_program_that_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded, "SHUTDOWN_S", 0.0)
    monkeypatch.setattr(midi_process, "START_S", 1e6)
    become(monkeypatch, "import threading; threading.Event().wait()")
    begin_shutdown()
    with pytest.raises(rtmidi.SystemError, match="does not answer"):
        JackOutput("livecover")
