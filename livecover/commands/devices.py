"""``livecover devices``: lists inputs, outputs, MIDI ports, controllers, models and providers.

If audio or MIDI is missing, its section says so and what to do.
"""

import re
from collections.abc import Callable, Sequence

from engine.audio.opening import InputInfo, list_inputs
from engine.core.errors import LiveCoverError
from engine.midi.ports.names import list_controllers
from engine.midi.sinks import list_ports, midi_system
from engine.model.graph import available_providers
from engine.model.model_files import list_models
from engine.playback.outputs.opening import list_outputs
from livecover.mapping.settings import PORT

Row = tuple[str, str]  # what it is, what to type

MAX_COLUMN = 60


def describe_devices() -> list[str]:
    """Return the lines, each with the option to type."""
    sections: list[tuple[str, Callable[[], list[Row]], list[Row]]] = [
        (
            "Inputs (* records what this computer plays)",
            _inputs,
            [("  an audio file", "--input song.mp3")],
        ),
        ("Outputs, for the song or the piano", _outputs, []),
        ("MIDI ports", _ports, [("  a MIDI file", "--midi-out take.mid")]),
        ("Controllers", _controllers, []),
        ("Models", _models, [("  a file", "--model path/to/model.onnx")]),
        ("ONNX Runtime providers", _providers, []),
    ]
    lines: list[str] = []
    for title, find, always in sections:
        lines.append(title)
        rows = []
        try:
            rows = find()
        except LiveCoverError as error:
            lines.append(f"    none: {error}")
        lines += [*_columns([*rows, *always]), ""]
    return lines[:-1]


def _inputs() -> list[Row]:
    return [(_describe(info), f"--input {quoted(info.what_to_type)}") for info in list_inputs()]


def _describe(info: InputInfo) -> str:
    mark = "*" if info.is_loopback else " "
    return f"{mark} {info.name}, {info.n_channels} ch, {info.sample_rate} Hz"


def _ports() -> list[Row]:
    rows = [(f"  {name}", f"--midi-out {quoted(name)}") for name in list_ports()]
    return [*rows, (f"  a new virtual port ({midi_system()})", "--midi-out LiveCover")]


def _outputs() -> list[Row]:
    return [(f"  {info.text}", f"--monitor {quoted(info.name)}") for info in list_outputs()]


def _controllers() -> list[Row]:
    rows = [(f"  {name}", f"--control {quoted(name)}") for name in list_controllers()]
    return [*rows, (f"  a new virtual port ({midi_system()})", f"--control {quoted(PORT)}")]


def _models() -> list[Row]:
    return [(f"  {name}", f"--model {name}") for name in list_models()]


def _providers() -> list[Row]:
    return [(f"  {name}", f"--provider {name}") for name in available_providers()]


def quoted(text: str) -> str:
    """Return ``text`` for any shell: in double quotes if needed.

    >>> quoted("loopback"), quoted("USB Audio")
    ('loopback', '"USB Audio"')
    """
    return text if re.fullmatch(r"[\w.:/-]+", text) else f'"{text}"'


def _columns(rows: Sequence[Row]) -> list[str]:
    """Return the rows with the second column aligned, except after a long first one.

    >>> _columns([("a", "--x"), ("abc", "--y")])
    ['  a    --x', '  abc  --y']
    """
    width = min(MAX_COLUMN, max((len(first) for first, _ in rows), default=0))
    return [f"  {first:<{width}}  {second}" for first, second in rows]
