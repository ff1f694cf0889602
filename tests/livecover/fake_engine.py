"""An engine that plays nothing, for the command."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from engine.model.latency import LatencyBudget
from engine.signal.meters import Status


class FakeEngine:
    """Plays ``n_looks`` looks of five seconds each, then the song is over."""

    n_looks = 5
    on_wait: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, settings: Any, taps: Any) -> None:
        self.source = SimpleNamespace(name="Speakers", sample_rate=48000, n_channels=2)
        self.sink = SimpleNamespace(name="LiveCover + take.mid", is_there=True)
        spec = SimpleNamespace(name="tiny", version="1")
        self.pipeline = SimpleNamespace(spec=spec)
        self.budget = LatencyBudget((("capture block", 0.005), ("half window", 0.064)))
        self.taps = taps
        self.n_waits = 0
        self.is_stopped = False

    def start(self) -> None: ...

    def stop(self) -> None:
        self.is_stopped = True

    def wait(self, timeout: float) -> bool:
        assert timeout <= 1.0
        self.on_wait()
        self.n_waits += 1
        return self.n_waits > self.n_looks

    def status(self) -> Status:
        return Status(5.0 * self.n_waits, -6.0, 0.069, n_notes=self.n_waits, is_connected=True)
