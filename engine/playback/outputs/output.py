"""The protocol of an output for sound.

Samples are (n, 2) float32. An output is written to by one thread, which waits there for room. Not
here: the outputs (``pulse``, ``device``), and what is played (``engine.playback.playback_thread``).
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

DEFAULT = "default"
N_CHANNELS = 2
BLOCK_S = 0.005
"""Seconds written at once."""
BUFFER_S = 0.03
"""Seconds that the output keeps, so that a late block is not heard as a gap."""


class Output(Protocol):
    """An open output; one thread writes and asks, any may close it."""

    name: str
    sample_rate: int

    def write(self, block: Array) -> None:
        """Hand over a block (n, 2); waits for room. DeviceError once the device is gone."""

    def latency(self) -> float | None:
        """Return the seconds until a sample written now is heard.

        Too little where what was written is still on its way, None where nothing waits: what was
        written came too late. DeviceError as above.
        """

    def is_heard_in(self, source: str) -> bool:
        """Return whether the input called ``source`` is what this output plays."""

    def close(self) -> None:
        """Close it; a second call does nothing."""
