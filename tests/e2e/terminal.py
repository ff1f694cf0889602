"""A program at a terminal of its own, and a shell at one, which stops and continues its jobs.

Not here: what is typed.
"""

import contextlib
import os
import shlex
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.processes import Process, wait_until

SHELL = ("setsid", "--ctty", "bash", "--norc", "--noprofile", "-i")


@contextlib.contextmanager
def at_terminal(
    name: str, command: Sequence[str], work: Path, env: Mapping[str, str]
) -> Iterator[tuple[Process, int]]:
    """Run a program at a terminal; give it and the terminal's other side."""
    ours, theirs = os.openpty()
    log = work / f"{name}.log"
    popen = subprocess.Popen(
        command,
        cwd=work,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "400", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=command[0] != SHELL[0],
    )
    os.close(theirs)

    def keep() -> None:
        with log.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while text := os.read(ours, 1 << 16):  # raises once the program has ended
                file.write(text)

    log.touch()
    keeper = threading.Thread(target=keep, name="terminal", daemon=True)
    keeper.start()
    process = Process(name, popen, log)
    try:
        yield process, ours
    finally:
        process.kill()
        keeper.join(60)
        os.close(ours)


@dataclass(frozen=True, slots=True)
class Shell:
    """An interactive bash with job control."""

    process: Process
    terminal: int

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.terminal, text.encode())

    def run(self, command: Sequence[str]) -> int:
        """Run a command in the foreground; return its process's number."""
        self.type(f"{shlex.join(command)}\n")
        wait_until("the shell's job", lambda: bool(self._jobs()), processes=[self.process])
        return self._jobs()[0]

    def _jobs(self) -> list[int]:
        pid = self.process.popen.pid
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped, with all its threads (proc(5))."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {stat_of(thread) for thread in threads} == {"T"}


def stat_of(folder: Path) -> str:
    """Return a thread's state."""
    return (folder / "stat").read_text().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def shell(work: Path, env: Mapping[str, str]) -> Iterator[Shell]:
    """Run bash at a terminal that is its own."""
    with at_terminal("shell", SHELL, work, {**env, "PS1": "", "HISTFILE": ""}) as opened:
        yield Shell(*opened)
