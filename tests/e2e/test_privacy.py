"""A day's use, every connection and every written file watched: nothing is where it should not be.

A user's day: doctor, a cover, a score, the demo, a live take with the panel, that take quantized;
and a maker's: a model trained for a step, exported and played. Nothing goes to another machine. In
the home, only livecover's own folders are written.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from livecover import examples
from tests.e2e.chain import COMMAND, PORT, START_TIMEOUT, Chain
from tests.e2e.conftest import require
from tests.e2e.processes import Process
from tests.e2e.songs import Song
from tests.e2e.watching import contacts, watched, written

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
OWN = (".cache/livecover", ".config/livecover", ".local/state/livecover")
TRAINING = (
    "tests/offline_train/exporting/test_release.py"
    "::test_own_covers_are_gone_on_with_exported_and_played"
)
SYSTEM = ("/dev/", "/proc/")  # shared memory of JACK and of threads, terminals


class Day:
    """Commands run one after the other in a fresh home, each under watch.

    ``servers`` are folders of sound servers, where their own libraries keep a cookie.
    """

    def __init__(self, work: Path, env: Mapping[str, str], *servers: Path) -> None:
        self.work, self.servers = work, servers
        self.home, self.own, tmp = (work / name for name in ("home", "own", "tmp"))
        runtime = work / "runtime"
        for folder in (self.home, self.own, tmp, runtime):
            folder.mkdir(mode=0o700, parents=True)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(tmp),
            "XDG_RUNTIME_DIR": str(runtime),  # as on a desktop
            "PYTHONDONTWRITEBYTECODE": "1",
            **env,
        }
        self.logs: list[Path] = []

    def start(self, name: str, *command: str) -> Process:
        """Start a command in the user's own folder."""
        self.logs.append(log := self.work / f"{name}.strace")
        clean = ["env", "-i", *(f"{key}={value}" for key, value in self.env.items())]
        return Process.start(name, watched([*clean, *command], log), self.own, {})

    def run(self, name: str, *command: str) -> Process:
        """Run a command to its end."""
        process = self.start(name, *command)
        process.wait(240)
        return process

    def contacts(self) -> set[str]:
        return {contact for log in self.logs for contact in contacts(log)}

    def strays(self) -> Iterator[Path]:
        """Yield what was written outside livecover's folders and the one it was told to use."""
        allowed = [self.work / name for name in ("own", "tmp", "runtime")]
        allowed += [*(self.home / name for name in OWN), *self.servers]
        parents = {parent for path in allowed for parent in path.parents}
        for log in self.logs:
            for path in written(log, self.own):
                is_own = any(path.is_relative_to(folder) for folder in allowed)
                if not is_own and path not in parents and not str(path).startswith(SYSTEM):
                    yield path


def test_nothing_leaves_the_machine_in_a_days_use(chain: Chain, tune: Song) -> None:
    require("strace")
    day = Day(chain.work / "day", {**chain.pulse.env, **chain.jack.env}, chain.pulse.runtime)
    song = str(examples.path())

    doctor = day.run("doctor", *COMMAND, "doctor")
    assert "ok    model" in doctor.text(), doctor.tail()
    for name, *command in (
        ("devices", *COMMAND, "devices"),
        ("cover", *COMMAND, "--input", song, "--midi-out", "cover.mid"),
        ("score", *COMMAND, "--input", song, "--arranger", "--midi-out", "score.musicxml"),
        ("demo", sys.executable, "-m", "livecover.demo", "--out", "demo"),
    ):
        assert (done := day.run(name, *command)).popen.returncode == 0, done.tail()

    command = [*COMMAND, "--input", "loopback", "--midi-out", "LiveCover", "--record", "takes"]
    live = day.start("live", *command, "--panel", "--panel-port", "0")
    try:
        chain.jack.wait_for_port(PORT, live, timeout=START_TIMEOUT)
        chain.wait_until_heard(live)
        chain.play(tune)
    finally:
        assert live.stop(timeout=20) == 0, live.tail()
    (take,) = (day.own / "takes").glob("*.mid")
    assert (done := day.run("quantize", *COMMAND, "quantize", str(take))).popen.returncode == 0, (
        done.tail()
    )
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(ROOT),
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    pytest_ = [sys.executable, "-m", "pytest", *options, "--basetemp", str(day.own / "train")]
    training = day.run("training", *pytest_, str(ROOT / TRAINING))
    assert training.popen.returncode == 0, training.tail()

    assert day.contacts() == set()
    assert sorted({str(path) for path in day.strays()}) == []


def test_the_watch_sees_what_it_should(tmp_path: Path) -> None:
    require("strace")
    day = Day(tmp_path / "day", {})
    code = """if True:
        import pathlib, socket
        outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        outside.connect(("192.0.2.1", 443))  # TEST-NET-1: nobody; a datagram's connect sends none
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 9))
        pathlib.Path("mine").touch()
        (pathlib.Path.home() / "stray").mkdir()
        (pathlib.Path.home() / ".cache" / "livecover").mkdir(parents=True)
    """
    assert day.run("code", sys.executable, "-c", code).popen.returncode == 0
    assert ["192.0.2.1" in contact for contact in day.contacts()] == [True]
    assert list(day.strays()) == [day.home / "stray"]
