"""Programs that a test runs, and waiting for what they do."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_RATE = 44100


def wait_until(
    what: str,
    condition: Callable[[], bool],
    timeout: float = 60.0,
    processes: Sequence["Process"] = (),
) -> None:
    """Return once ``condition()`` holds.

    Raises AssertionError after ``timeout`` seconds, or at once if one of ``processes`` died.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        for process in processes:
            code = process.popen.poll()
            assert code is None, f"{process.name} ended with {code} before {what}: {process.tail()}"
        assert time.monotonic() < deadline, f"{timeout:g} s passed without: {what}"
        time.sleep(0.02)  # between two looks at a condition of another process


@dataclass
class Process:
    """A program of the test's own, its output in ``NAME.log``."""

    name: str
    popen: "subprocess.Popen[bytes]"
    log: Path

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        work: Path,
        env: Mapping[str, str],
        stdin: int = subprocess.DEVNULL,
    ) -> "Process":
        """Start ``command`` in ``work`` with ``env`` on top of this process's environment."""
        log = work / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                command,
                cwd=work,
                env={**os.environ, **env},
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, popen, log)

    def stop(self, timeout: float = 5.0) -> int:
        """End the program with SIGTERM, with SIGKILL after ``timeout`` seconds; return its code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.popen.wait()

    def kill(self) -> None:
        """End the program with SIGKILL, as a crash would, and reap it."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()

    def wait(self, timeout: float = 60.0) -> int:
        """Return the program's code once it has ended by itself."""
        return self.popen.wait(timeout)

    def text(self) -> str:
        """Return all that the program wrote."""
        return self.log.read_text(errors="replace")

    def tail(self, n: int = 800) -> str:
        """Return the last ``n`` characters that the program wrote."""
        return self.text()[-n:]
