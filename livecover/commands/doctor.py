"""``livecover doctor``: checks what playing needs, and says what to do about each fault.

Not here: the checks of what the settings name (``doctor_configured``).
"""

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from engine.audio.loopback.opening import open_loopback
from engine.audio.opening import list_inputs
from engine.core.errors import DeviceError, LiveCoverError, ModelError
from engine.midi.sinks import PortSink, list_ports, midi_system
from engine.model.graph import RUNTIME_VERSION, choose_provider
from engine.model.pipeline import Pipeline, load_pipeline
from engine.playback.fluid import FluidPiano
from engine.system.command import verdict
from livecover.commands.doctor_configured import (
    check_input,
    check_output,
    check_plugin,
    check_port,
    check_priority,
)
from livecover.commands.manual import all_settings, manual
from livecover.settings.sections import Settings
from livecover.sounds.synth import soundfont_of

PORT_NAME = "LiveCover doctor"
HEADROOM_S = 1.0
PIANO_RATE = 48000
MAX_REAL_TIME_FACTOR = 0.5
TROUBLE = manual() / "trouble.md"
"""The page with more; each check's name in lower case is a heading there."""
BLOCK_S = 0.016
"""Seconds of audio in one block of the measurement, about a device's block."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check: ``text`` is what was found, and what to do if it failed."""

    name: str
    is_ok: bool
    text: str


def run_checks(
    settings: Settings, clock: Callable[[], float] = time.perf_counter
) -> Iterator[Check]:
    """Yield the results one by one, since each check takes time; ``clock`` returns seconds."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("system", _system),
        ("audio", _audio),
        ("loopback", lambda: _loopback(settings)),
        ("MIDI", _midi),
        ("provider", lambda: _provider(settings.model.provider)),
        ("model", lambda: _model(settings)),
        ("headroom", lambda: _headroom(settings, clock)),
        ("piano", lambda: _piano(settings)),
        ("input", lambda: check_input(settings)),
        ("port", lambda: check_port(settings)),
        ("output", lambda: check_output(settings)),
        ("plugin", lambda: check_plugin(settings)),
        ("priority", check_priority),
        ("manual", _manual),
    ]
    for name, check in checks:
        try:
            yield Check(name, True, check())
        except LiveCoverError as error:
            yield Check(name, False, f"{error}; see {TROUBLE}, {name.lower()}")
        except Exception as error:  # go on with the other checks
            yield Check(name, False, verdict(error)[0])


def _system() -> str:
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}"
        f" ({platform.machine()}), ONNX Runtime {RUNTIME_VERSION}"
    )


def _audio() -> str:
    inputs = list_inputs()
    if not inputs:
        raise DeviceError("no input at all; connect a microphone, or give a file with --input")
    names = ", ".join(info.name for info in inputs[:3])
    return f"{len(inputs)} inputs: {names}{', ...' if len(inputs) > 3 else ''}"


def _loopback(settings: Settings) -> str:
    source = open_loopback(settings.audio)
    return f"{source.name}, {source.sample_rate} Hz"


def _midi() -> str:
    ports = list_ports()
    sink = PortSink(PORT_NAME)
    sink.close()
    return f"{midi_system()}, virtual ports can be opened, ports of others: {len(ports)}"


def _provider(wished: str) -> str:
    return choose_provider(wished)


def _model(settings: Settings) -> str:
    spec = _pipeline(settings).spec
    styles = ", ".join(spec.styles) or "none"
    return f"{spec.name} {spec.version}, {spec.kind}, styles: {styles}"


def _headroom(settings: Settings, clock: Callable[[], float]) -> str:
    factor = real_time_factor(_pipeline(settings), clock)
    said = f"real-time factor {factor:.2f} on {settings.model.threads} thread(s)"
    if factor > MAX_REAL_TIME_FACTOR:
        raise ModelError(
            f"{said}, where {MAX_REAL_TIME_FACTOR:.2f} is the most for playing live; close busy"
            " programs, plug in the charger, or choose a smaller --model"
        )
    return said


def _piano(settings: Settings) -> str:
    soundfont = soundfont_of(settings.piano)
    try:
        FluidPiano(soundfont, PIANO_RATE).close()
    except DeviceError as error:
        raise DeviceError(f"{error}; only --piano needs it") from error
    return f"FluidSynth plays {soundfont.name}"


def _manual() -> str:
    first = manual() / "index.md"
    if not first.is_file():
        raise LiveCoverError(f"expected the manual's {first}; reinstall livecover")
    return f"{first}; every setting: {all_settings()}"


def _pipeline(settings: Settings) -> Pipeline:
    return load_pipeline(settings.model.model, settings.model.provider, settings.model.threads)


def real_time_factor(pipeline: Pipeline, clock: Callable[[], float]) -> float:
    """Return seconds of computing for a second of audio, from samples to posteriors.

    ``clock`` returns seconds. The audio is noise; the time does not depend on it.
    """
    rate = pipeline.spec.features.sample_rate
    noise = np.random.default_rng(0).normal(0.0, 0.1, round(HEADROOM_S * rate)).astype(np.float32)
    size = round(BLOCK_S * rate)
    start = clock()
    for first in range(0, len(noise), size):
        pipeline.push(noise[first : first + size])
    return (clock() - start) / HEADROOM_S
