"""A client that leaves a JACK server which waits for each client, on a machine that is held up."""

import signal
import threading
import time
from pathlib import Path

import pytest

from engine.midi.ports import jack_process
from engine.midi.ports.jack_process import JackOutput
from tests.e2e.conftest import require
from tests.e2e.jack_server import jack_server
from tests.e2e.processes import wait_until

pytestmark = pytest.mark.e2e


def test_a_client_that_leaves_late_does_not_hang_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("jackd")
    with jack_server(tmp_path) as jack:
        for key, value in jack.env.items():
            monkeypatch.setenv(key, value)
        output = JackOutput("late")
        output.open_virtual_port("out")
        wait_until("its port", lambda: "late:out" in jack.ports())
        output._process.send_signal(signal.SIGSTOP)
        leaving = threading.Thread(target=output.delete)
        leaving.start()
        time.sleep(2 * jack_process.CLOSE_S)  # as long as it is held up
        output._process.send_signal(signal.SIGCONT)
        leaving.join()
        wait_until("it has left", lambda: "late:out" not in jack.ports(), 10)
        after = JackOutput("after")
        after.open_virtual_port("out")
        wait_until("the next one's port", lambda: "after:out" in jack.ports(), 10)
        after.delete()
