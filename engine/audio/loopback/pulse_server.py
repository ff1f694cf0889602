"""Queries to a PulseAudio or PipeWire server through pulsectl: connecting, sinks' monitors."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from engine.audio.devices.source import InputInfo
from engine.audio.loopback.pulse_simple import ANSWER_S, HANGS, MISSING_LIBPULSE
from engine.core.errors import DeviceError
from engine.system.bounded import call_with_timeout

T = TypeVar("T")


def _keep_sample_rate(info: Any, struct: Any) -> None:
    """Copy a source's rate while it is valid; pulsectl's ``sample_spec`` points to freed memory.

    ``_init_from_struct`` is pulsectl's hook for such fields.
    """
    info.sample_rate = struct.sample_spec.rate


@contextlib.contextmanager
def connected() -> Iterator[Any]:
    """Give a connected ``pulsectl.Pulse``. Raises DeviceError where no server answers."""
    try:
        import pulsectl
    except (ImportError, OSError) as error:
        raise DeviceError(MISSING_LIBPULSE) from error
    pulsectl.PulseSourceInfo._init_from_struct = _keep_sample_rate
    with contextlib.ExitStack() as stack:
        try:
            pulse = stack.enter_context(pulsectl.Pulse("livecover", connect=False))
            pulse.connect()  # with its timeout argument it always takes the whole timeout
        except pulsectl.PulseError as error:
            raise DeviceError(
                "no PulseAudio or PipeWire server answers; start one ('systemctl --user start"
                " pipewire-pulse' or 'pulseaudio --start'), or give --input a device or a file"
            ) from error
        try:
            yield pulse
        except (pulsectl.PulseError, pulsectl.PulseDisconnected) as error:
            raise DeviceError(f"the sound server broke off ({error or 'disconnected'})") from error


def ask_server(question: Callable[[Any], T]) -> T:
    """Return the answer to a question put to a connected ``pulsectl.Pulse``.

    Raises DeviceError where no server answers, or not within ``ANSWER_S``.
    """

    def ask() -> T:
        with connected() as pulse:
            return question(pulse)

    try:
        return call_with_timeout(ANSWER_S, "the sound server", ask)
    except TimeoutError as error:
        raise DeviceError(HANGS) from error


def default_monitor(pulse: Any) -> Any:
    """Return the monitor source of the default sink. Raises DeviceError if there is no sink."""
    default = pulse.server_info().default_sink_name
    for source in pulse.source_list():
        if source.monitor_of_sink_name and source.monitor_of_sink_name == default:
            return source
    raise DeviceError("the sound server has no output whose sound could be heard; add a sink")


def find_source(pulse: Any, name: str) -> Any:
    """Return the source of this name. Raises DeviceError naming those there are."""
    sources = pulse.source_list()
    for source in sources:
        if source.name == name:
            return source
    names = ", ".join(s.name for s in sources) or "none"
    raise DeviceError(f"no source is called {name!r}; there are: {names} (see 'livecover devices')")


def list_monitors() -> list[InputInfo]:
    """Return every sink's monitor, the default sink's first. Raises DeviceError if none answers."""

    def find(pulse: Any) -> list[InputInfo]:
        default = pulse.server_info().default_sink_name
        monitors = [source for source in pulse.source_list() if source.monitor_of_sink_name]
        monitors.sort(key=lambda source: source.monitor_of_sink_name != default)
        return [
            InputInfo(
                index=None,
                name=source.description,
                n_channels=source.channel_count,
                sample_rate=source.sample_rate,
                is_loopback=True,
                what_to_type="loopback" if source.monitor_of_sink_name == default else source.name,
            )
            for source in monitors
        ]

    return ask_server(find)
