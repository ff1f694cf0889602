"""What livecover does when its servers are killed in mid-song and started again.

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

from engine.errors import DeviceError
from livecover.bench import markdown, require_servers

if TYPE_CHECKING:
    from tests.e2e.chain import Chain
    from tests.e2e.servers import Process

BACK_S = 30.0
SERVERS = ("PulseAudio", "jackd", "PipeWire")


def killed(model: str, song: Path) -> str:
    """Return, for each server, how soon audio and port were back, what stuck, and what was said."""
    require_servers()
    rows = [[name, *_measure(name, model, song)] for name in SERVERS]
    return markdown(
        ["killed", "audio back, s", "port back, s", "notes before", "notes after", "stuck", "said"],
        rows,
    )


@dataclass(frozen=True, slots=True)
class _Case:
    """A chain, and how its server dies and lives again."""

    chain: "Chain"
    kill: Callable[[], None]
    start: Callable[[], None]
    has_midi: bool  # whether the MIDI server is the one that dies


@contextlib.contextmanager
def _case(name: str, work: Path) -> Iterator[_Case]:
    from tests.e2e import chain as real
    from tests.e2e import pipewire
    from tests.programs import missing_programs

    if name != "PipeWire":
        with real.chain(work) as chain:
            server = chain.pulse if name == "PulseAudio" else chain.jack
            yield _Case(chain, server.kill, server.start, name == "jackd")
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

        yield _Case(on_pipewire, kill, start, True)


def _measure(name: str, model: str, song: Path) -> list[object]:
    """Return the row of one server."""
    from tests.e2e import chain as real
    from tests.e2e import takes
    from tests.e2e.servers import wait_until

    with tempfile.TemporaryDirectory(prefix="livecover-") as folder, contextlib.ExitStack() as ends:
        work = Path(folder)
        case = ends.enter_context(_case(name, work))
        chain = case.chain
        livecover = ends.enter_context(chain.livecover("--model", model))
        heard = chain.recorder
        with chain.pulse.playing(song):
            heard.wait_for("notes", lambda messages: len(takes.unended(messages)) >= 2)
            case.kill()
        wait_until("word of the loss", lambda: _is_told(livecover), processes=[livecover])
        before = heard.messages()
        case.start()
        start = time.monotonic()
        ports = [] if not case.has_midi else [lambda: real.has_port(chain.jack.ports())]
        sounds = [lambda: chain.pulse.is_heard_by("livecover")]
        (audio,), port = _when(start, sounds), _when(start, ports)
        if case.has_midi:
            heard = ends.enter_context(real.recorder(work / "again", chain.jack))
            heard.wait_until_connected()
        n_before = 0 if case.has_midi else len(before)
        with chain.pulse.playing(song):
            heard.wait_for("notes", lambda found: len(takes.ons(found[n_before:])) >= 10)
        livecover.stop(timeout=15)
        after = heard.messages()[n_before:]
        said = re.findall(
            r"the input was lost \d+ times|a MIDI port was lost \d+ times", livecover.text()
        )
    return [
        f"{audio:.1f}",
        *(f"{seconds:.1f}" for seconds in port or ()),
        *([] if port else ["-"]),
        len(takes.ons(before)),
        len(takes.ons(after)),
        len(takes.unended([*([] if case.has_midi else before), *after])),
        ", ".join(said) or "nothing",
    ]


def _is_told(livecover: "Process") -> bool:
    return "trying again" in livecover.text() or "is gone" in livecover.text()


def _when(start: float, conditions: list[Callable[[], bool]]) -> list[float]:
    """Return the seconds until each of the conditions held."""
    from tests.e2e.servers import wait_until

    found = []
    for condition in conditions:
        wait_until("it is back", condition, BACK_S)
        found.append(time.monotonic() - start)
    return found
