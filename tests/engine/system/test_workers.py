"""Workers end with the process that they work for, however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.system.workers import worker_pool

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

WAITING = """
import os, signal, time
from engine.system.command import run_command
from engine.system.workers import worker_pool

def work(what):
    print(os.getpid(), flush=True)
    time.sleep(600)

def body():
    with worker_pool(1) as pool:
        for _ in pool.map(work, range(3)):
            pass

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has none
    raise SystemExit(run_command("lc", body, "stopped"))
"""


@pytest.fixture
def waiting() -> "Iterator[subprocess.Popen[str]]":
    """A process whose worker works for ten minutes; its group is its own."""
    with subprocess.Popen(
        [sys.executable, "-c", WAITING],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def worker_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def has_ended(pid: int, timeout: float = 30.0) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":  # nobody waits for it
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("is_for_all", [False, True], ids=["process", "group"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_both_at_once(
    waiting: "subprocess.Popen[str]", number: signal.Signals, is_for_all: bool
) -> None:
    worker = worker_of(waiting)
    (os.killpg if is_for_all else os.kill)(waiting.pid, number)
    _, said = waiting.communicate(timeout=30)
    assert (waiting.returncode, said) == (130, "lc: stopped\n")
    assert has_ended(worker)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_ends_with_a_process_that_is_killed(waiting: "subprocess.Popen[str]") -> None:
    worker = worker_of(waiting)
    waiting.kill()
    assert has_ended(worker)


def test_what_is_done_is_returned_in_order() -> None:
    with worker_pool(2) as pool:
        assert list(pool.map(abs, [-1, -2, 3])) == [1, 2, 3]
