"""A sound server that only keeps lists, with as much of pulsectl as is used of it."""

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, TypeVar

from engine.core.errors import DeviceError

T = TypeVar("T")


class FakePulse:
    """Sinks, streams and modules; ``default`` is the default sink."""

    def __init__(self, *sinks: str) -> None:
        self._indices = itertools.count(7)
        self.default = sinks[0]
        self.sinks: list[Any] = []
        self.streams: list[Any] = []
        self.modules: list[Any] = []
        self.refuses = False
        self.takes_what_is_new = False
        self._events = threading.Condition()
        self._n_events = self._n_told = 0  # what happens between two listenings is told at the next
        self._tell: Callable[[Any], None] = lambda event: None
        for sink in sinks:
            self._add_sink(sink)

    def play(self, program: str, sink: str, *, is_corked: bool = False, **properties: str) -> Any:
        """Let a program play to a sink; return its stream."""
        own = {
            "application.name": program,
            "application.process.binary": program.casefold(),
            "application.process.id": str(os.getpid() + 1),
        }
        given = {key.replace("_", "."): value for key, value in properties.items()}
        index = next(self._indices)
        stream = SimpleNamespace(index=index, corked=is_corked, proplist={**own, **given})
        stream.sink = self._index(sink)
        self.streams.append(stream)
        self._notify()
        return stream

    def place(self, stream: Any) -> str:
        """Return the name of the sink where a stream is."""
        return next(str(sink.name) for sink in self.sinks if sink.index == stream.sink)

    def wait_until(self, holds: Callable[[], bool]) -> bool:
        """Return whether it came true before long."""
        with self._events:
            return self._events.wait_for(holds, 60)

    def _index(self, name: str) -> int:
        return next(int(sink.index) for sink in self.sinks if sink.name == name)

    def _add_sink(self, name: str) -> None:
        sink = SimpleNamespace(index=next(self._indices), name=name, description=f"The {name}")
        sink.monitor_source_name = f"{name}.monitor"
        self.sinks.append(sink)

    def _notify(self) -> None:
        with self._events:
            self._n_events += 1
            self._events.notify_all()

    # pulsectl's

    def server_info(self) -> Any:
        return SimpleNamespace(default_sink_name=self.default)

    def sink_list(self) -> list[Any]:
        return list(self.sinks)

    def source_list(self) -> list[Any]:
        return [
            SimpleNamespace(
                name=sink.monitor_source_name,
                monitor_of_sink_name=sink.name,
                sample_rate=48000,
                channel_count=2,
            )
            for sink in self.sinks
        ]

    def sink_input_list(self) -> list[Any]:
        return list(self.streams)

    def module_list(self) -> list[Any]:
        return list(self.modules)

    def sink_default_set(self, sink: Any) -> None:
        self.default = sink.name

    def module_load(self, name: str, argument: str) -> None:
        if self.refuses:
            raise RuntimeError("access denied")
        index = next(self._indices)
        self.modules.append(SimpleNamespace(index=index, name=name, argument=argument))
        sink = argument.split()[0].partition("=")[2]
        self._add_sink(sink)
        if self.takes_what_is_new:
            self.default = sink

    def module_unload(self, index: int) -> None:
        (module,) = (module for module in self.modules if module.index == index)
        self.modules.remove(module)
        name = module.argument.split()[0].partition("=")[2]
        self.sinks = [sink for sink in self.sinks if sink.name != name]

    def sink_input_move(self, index: int, sink: int) -> None:
        (stream,) = (stream for stream in self.streams if stream.index == index)
        if stream.proplist.get("media.role") == "fixed":
            raise RuntimeError("may not be moved")
        stream.sink = sink
        self._notify()

    def event_mask_set(self, *masks: str) -> None:
        self._n_told = self._n_events

    def event_callback_set(self, tell: Callable[[Any], None]) -> None:
        self._tell = tell

    def event_listen(self, timeout: float) -> None:
        with self._events:
            if self._events.wait_for(lambda: self._n_events != self._n_told, timeout):
                self._n_told = self._n_events
                self._tell(None)

    # as engine.audio.loopback.pulse_server has it

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        yield self

    def ask(self, question: Callable[[Any], T]) -> T:
        return question(self)


def no_server(question: object) -> Any:
    """Be a server that is gone."""
    raise DeviceError("no PulseAudio or PipeWire server answers")
