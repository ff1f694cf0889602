"""A wider network that begins where a narrower one has come to.

New units are fresh in what they hear and silent in what they say: the wider network answers as the
narrower did, and has room to learn (Net2Net, Chen et al., ICLR 2016, without copies of units).
"""

import torch
from torch import Tensor

from models.streaming import StreamingCover

BLOCKS = {  # parameters whose axis is made of several parts, each as wide as a layer: axis, parts
    "head_in.weight": (1, 2),
    "trunk.harmonics.weight": (1, 9),
}
GATES = 3  # of a GRU, along the first axis of its parameters


def widen(network: StreamingCover, weights: dict[str, Tensor]) -> None:
    """Give a network the weights of a narrower one of the same make, in place.

    Raises
    ------
    ValueError
        If a parameter is missing, narrower than before, or the trunk's output is not as wide: what
        the cover part hears would be another thing.
    """
    wide = network.state_dict()
    if wide.keys() != weights.keys():
        odd = sorted(wide.keys() ^ weights.keys())
        raise ValueError(f"expected the same parameters, {odd[0]} is in one network only")
    if wide["transcription.linear.weight"].shape != weights["transcription.linear.weight"].shape:
        raise ValueError("the trunk's output must be as wide as before")
    network.load_state_dict({k: _widened(k, wide[k], v) for k, v in weights.items()})


def _widened(name: str, fresh: Tensor, known: Tensor) -> Tensor:
    """Return ``fresh`` with ``known`` in its place, and what is known deaf to what is new."""
    if fresh.shape == known.shape:
        return known
    sizes = list(zip(fresh.shape, known.shape, strict=True))
    if any(wide < narrow for wide, narrow in sizes):
        expected, came = tuple(known.shape), tuple(fresh.shape)
        raise ValueError(f"{name}: expected at least {expected}, came {came}")
    places = [_places(name, axis, *size) for axis, size in enumerate(sizes)]
    out = fresh.clone()
    out[places[0]] = 0
    out[torch.meshgrid(*places, indexing="ij")] = known
    return out


def _places(name: str, axis: int, wide: int, narrow: int) -> Tensor:
    """Return where the narrower axis's entries lie in the wider one."""
    parts = GATES if axis == 0 and "gru." in name else 1
    if name in BLOCKS and BLOCKS[name][0] == axis:
        parts = BLOCKS[name][1]
    starts = torch.arange(parts) * (wide // parts)
    return (starts[:, None] + torch.arange(narrow // parts)).flatten()
