"""A VST3 or Audio Unit instrument, played by pedalboard (extra ``monitor``; GPL-3)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.midi.messages import Message
from engine.system.extras import needs

Array = NDArray[np.float32]


def load_plugin(path: Path) -> Any:
    """Return an instrument. Raises DeviceError where pedalboard, or the instrument, is missing."""
    try:
        from pedalboard._pedalboard import load_plugin as load
    except ImportError as error:
        message = needs("an instrument's plugin needs pedalboard", "monitor")
        raise DeviceError(f"{message}; or leave piano.plugin out") from error
    try:
        plugin = load(str(path))
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())  # pedalboard's is of several lines
        raise DeviceError(f"{path} is not a plugin that can be loaded here ({reason})") from error
    if not plugin.is_instrument:
        raise DeviceError(f"{path} is an effect; give an instrument, which plays notes")
    return plugin


class PluginPiano:
    """An instrument's plugin as a synthesizer, at the sample.

    Parameters
    ----------
    plugin
        As :func:`load_plugin` returns it.
    sample_rate
        Hertz.
    gain
        Factor.
    """

    def __init__(self, plugin: Any, sample_rate: int, gain: float = 1.0) -> None:
        self._plugin = plugin
        self._sample_rate = sample_rate
        self._gain = np.float32(gain)

    def render(self, n: int, messages: Sequence[tuple[int, Message]]) -> Array:  # noqa: D102
        timed = [(bytes(message), at / self._sample_rate) for at, message in messages]
        sound = self._plugin(
            timed,
            duration=n / self._sample_rate,
            sample_rate=float(self._sample_rate),
            num_channels=2,
            buffer_size=n,
            reset=False,
        )
        block = np.zeros((n, 2), np.float32)
        heard = np.asarray(sound, np.float32).T[:n]
        block[: len(heard)] = self._gain * heard
        return block

    def close(self) -> None:
        """Silence it."""
        self._plugin.reset()
