"""Which channels of an input are heard: blocks (n, opened) become (n, wanted)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError

MAX_LIVE_CHANNELS = 2
"""Channels taken from a device where none are named; plugin devices offer 32, copies or silent."""


class ChannelPick:
    """The channels that are taken of an input.

    Parameters
    ----------
    wanted
        Counted from 1; None is the first two.
    n_offered
        By the input.
    name
        The input's, for the message.

    Raises
    ------
    DeviceError
        The input does not have a channel that is wanted.
    """

    def __init__(self, wanted: Sequence[int] | None, n_offered: int, name: str) -> None:
        if wanted is not None and max(wanted) > n_offered:
            raise DeviceError(
                f"{name} has {n_offered} channels, and audio.channels asks for {max(wanted)}:"
                f" give channels from 1 to {n_offered}"
            )
        self.n_opened = min(n_offered, MAX_LIVE_CHANNELS) if wanted is None else max(wanted)
        """Channels to open, from the first on."""
        self._columns = [channel - 1 for channel in wanted or ()]
        self.n_picked = len(self._columns) or self.n_opened

    def __call__(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the wanted channels of a block, as it is where all are."""
        return block[:, self._columns] if self._columns else block
