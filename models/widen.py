"""A larger network that begins with the weights of a smaller one.

New units have new input weights and zero output weights: the larger network computes what the
smaller did, and has room to learn (Net2Net, Chen et al., ICLR 2016, without copies of units).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from models.streaming import StreamingCover
from models.trunk import harmonic_offsets

GATES = 3  # of a GRU, along the first axis of its parameters
FIXED = (
    "trunk.gru.weight_hh_l0",
    "transcription.comparison.compare.weight",
    "transcription.refined_comparison.compare.weight",
)
"""Parameters, where a network has them, as large as those of whatever begins with it."""
NEW = (
    "transcription.gru.",
    "transcription.keyboard.",
    "transcription.refined_comparison.",
    "transcription.register_bias",
    "ahead.",
)
"""Parameters that a smaller or older network may lack; they, or what reads them, are 0 at first."""


def widen(network: StreamingCover, weights: dict[str, Tensor]) -> None:
    """Give a network the weights of a narrower one of the same make, in place.

    Raises
    ------
    ValueError
        If a parameter is missing, wider than here, or the trunk and what compares pitches are not
        as wide: the transcription would change.
    """
    wide = network.state_dict()
    fresh = {name for name in wide if name.startswith(NEW)}
    odd = sorted((wide.keys() - fresh) ^ (weights.keys() - fresh))
    if odd:
        raise ValueError(f"expected the same parameters, {odd[0]} is in one network only")
    for name in FIXED:
        if name in weights and wide[name].shape != weights[name].shape:
            raise ValueError(
                f"{name}: expected as wide as before, {tuple(weights[name].shape)}, came"
                f" {tuple(wide[name].shape)}"
            )
    n_offsets = len(harmonic_offsets(network.config.partials))
    known = {
        name: enlarged(name, wide[name], value, _parts(name, value.dim(), n_offsets))
        for name, value in _with_partials(weights, n_offsets).items()
    }
    network.load_state_dict(wide | known)


def _with_partials(weights: dict[str, Tensor], n_offsets: int) -> dict[str, Tensor]:
    """Return weights with zeros for additional partials, which come last."""
    name = "trunk.harmonics.weight"
    known, n_channels = weights[name], len(weights["trunk.spectrum.weight"])
    n_more = n_offsets * n_channels - known.shape[1]
    if n_more < 0:
        raise ValueError(
            f"{name}: expected at least {known.shape[1] // n_channels - 1} partials, came"
            f" {n_offsets - 1}"
        )
    return weights | {name: functional.pad(known, (0, 0, 0, 0, 0, n_more))}


def _parts(name: str, n_axes: int, n_offsets: int) -> list[int]:
    """Return the number of parts, each as wide as a layer, of each axis of a parameter."""
    parts = [1] * n_axes
    if "gru." in name:
        parts[0] = GATES
    elif name == "head_in.weight":
        parts[1] = 2
    elif name == "trunk.harmonics.weight":
        parts[1] = n_offsets
    return parts


def enlarged(name: str, fresh: Tensor, known: Tensor, parts: Sequence[int] = ()) -> Tensor:
    """Return ``fresh`` with ``known`` in its place; known outputs ignore new inputs.

    Parameters
    ----------
    name
        Of the parameter, for errors.
    fresh, known
        Of as many axes; the first is of outputs. ``known`` fits into ``fresh``.
    parts
        Equal parts that each axis is made of, 1 each if not said; each part grows at its end.

    Raises
    ------
    ValueError
        If it does not fit.
    """
    if fresh.shape == known.shape:
        return known
    sizes = list(zip(fresh.shape, known.shape, strict=True))
    if any(large < small for large, small in sizes):
        expected, came = tuple(known.shape), tuple(fresh.shape)
        raise ValueError(f"{name}: expected at least {expected}, came {came}")
    places = [
        (torch.arange(n)[:, None] * (large // n) + torch.arange(small // n)).flatten()
        for n, (large, small) in zip(parts or [1] * len(sizes), sizes, strict=True)
    ]
    out = fresh.clone()
    out[places[0]] = 0
    out[torch.meshgrid(*places, indexing="ij")] = known
    return out
