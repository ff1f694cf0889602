"""Measures how livecover recovers when its servers are killed during a song and restarted.

The servers are those of the end-to-end tests (``tests/e2e``, so a checkout is needed), private to
the measurement. Seconds count from when the server answers again.
"""

import contextlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.errors import DeviceError
from livecover.bench import markdown, require_servers

if TYPE_CHECKING:
    from tests.e2e.chain import Chain
    from tests.e2e.processes import Process

BACK_S = 30.0
SERVERS = ("PulseAudio", "jackd", "PipeWire")


def killed(model: str, song: Path) -> str:
    """Return for each server how soon audio and port were back, hanging notes, and the summary."""
    require_servers()
    rows = [[name, *_measure(name, model, song)] for name in SERVERS]
    columns = ["audio back, s", "port back, s", "notes after", "stuck", "said in the summary"]
    return markdown(["killed in mid-song", *columns], rows)


@dataclass(frozen=True, slots=True)
class _Case:
    """A chain, and how to kill and restart its server."""

    chain: "Chain"
    kill: Callable[[], None]
    start: Callable[[], None]
    audio_dies: bool
    midi_dies: bool


@contextlib.contextmanager
def _case(name: str, work: Path) -> Iterator[_Case]:
    from tests.e2e import chain as real
    from tests.e2e import pipewire
    from tests.programs import missing_programs

    if name != "PipeWire":
        with real.chain(work) as chain:
            server = chain.pulse if name == "PulseAudio" else chain.jack
            yield _Case(chain, server.kill, server.start, name != "jackd", name == "jackd")
        return
    missing = missing_programs(*pipewire.PROGRAMS)
    if missing or not pipewire.library_folders():
        names = ", ".join(missing) or "pipewire-jack"
        raise DeviceError(f"missing: {names}; run scripts/install-system test")
    with real.pipewire_chain(work) as on_pipewire:

        def kill() -> None:
            on_pipewire.jack.kill()
            on_pipewire.pipewire.kill()

        def start() -> None:
            on_pipewire.pipewire.start()
            on_pipewire.jack.start()

        yield _Case(on_pipewire, kill, start, True, True)


def _measure(name: str, model: str, song: Path) -> list[object]:
    """Return the row of one server."""
    from tests.e2e import chain as real
    from tests.e2e import takes
    from tests.e2e.processes import wait_until

    with tempfile.TemporaryDirectory(prefix="livecover-") as folder, contextlib.ExitStack() as ends:
        work = Path(folder)
        case = ends.enter_context(_case(name, work))
        chain = case.chain
        livecover = ends.enter_context(chain.livecover("--model", model))
        with chain.pulse.playing(song):
            chain.recorder.wait_for("notes", lambda found: len(takes.unended(found)) >= 2)
            case.kill()
        wait_until("word of the loss", lambda: _is_reported(livecover), processes=[livecover])
        case.start()
        start = time.monotonic()
        audio = port = "-"
        if case.audio_dies:
            audio = _seconds(start, lambda: chain.pulse.is_heard_by("livecover"))
        if case.midi_dies:
            port = _seconds(start, lambda: real.has_port(chain.jack.ports()))
        before, recorder = chain.recorder.messages(), chain.recorder
        if case.midi_dies:  # and with it the recorder
            before, recorder = [], ends.enter_context(real.recorder(work / "again", chain.jack))
            recorder.wait_until_connected()
        with chain.pulse.playing(song):
            recorder.wait_for("notes", lambda found: len(takes.ons(found[len(before) :])) >= 10)
        livecover.stop(timeout=15)
        with contextlib.suppress(AssertionError):  # hanging notes are in the table
            recorder.wait_for("the end of all notes", lambda found: not takes.unended(found), 3.0)
        found, words = recorder.messages(), livecover.text()
        said = re.findall(r"the input was lost \d+ times|a MIDI port was lost \d+ times", words)
    n_after = len(takes.ons(found[len(before) :]))
    return [audio, port, n_after, len(takes.unended(found)), ", ".join(said) or "nothing"]


def _is_reported(livecover: "Process") -> bool:
    return "trying again" in livecover.text() or "is gone" in livecover.text()


def _seconds(start: float, is_back: Callable[[], bool]) -> str:
    """Return the seconds until it is back, as text."""
    from tests.e2e.processes import wait_until

    wait_until("it is back", is_back, BACK_S)
    return f"{time.monotonic() - start:.1f}"
