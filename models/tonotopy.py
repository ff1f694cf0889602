"""Initial attention between notes and frequencies: at the note's own harmonics.

hFT learns the place of each of 256 mel bins and 88 notes from random vectors, which takes
it most of a short training. Here both begin as sines and cosines of log frequency, so that a note's
query is nearest to the bins of its harmonics, a head each. All of it is learned further.
"""

import math

import torch
from torch import Tensor, nn

from models.spec import MIN_PITCH, N_PITCHES

RATES = (0.1, 6.0)  # periods an octave, of the slowest and the fastest wave
NOISE = 0.3  # share kept of a layer's random beginning


def mel_centres(n_bins: int, f_max: float) -> Tensor:
    """Return the centres in Hz (n_bins,) of HTK's mel filters from 0 to ``f_max`` Hz."""
    top = 2595 * math.log10(1 + f_max / 700)
    mel = torch.arange(1, n_bins + 1) * top / (n_bins + 1)
    centres: Tensor = 700 * (10 ** (mel / 2595) - 1)
    return centres


def places(frequency: Tensor, size: int) -> Tensor:
    """Return vectors (F, size), of variance one, of frequencies (F,) in Hz; ``size`` is even."""
    low, high = map(math.log10, RATES)
    rates = torch.logspace(low, high, size // 2) * 2 * math.pi
    phase = torch.log2(frequency / 440)[:, None] * rates
    return 2**0.5 * torch.cat([phase.sin(), phase.cos()], 1)


def places_of_bins(n_bins: int, f_max: float, size: int, n_heads: int) -> Tensor:
    """Return the position vectors of mel bins, a part for each head, (n_bins, size)."""
    return places(mel_centres(n_bins, f_max), size // n_heads).repeat(1, n_heads)


def places_of_notes(size: int, n_heads: int) -> Tensor:
    """Return queries (88, size): of the first head for the fundamental, then each harmonic."""
    fundamental = 440 * 2 ** ((torch.arange(N_PITCHES) + MIN_PITCH - 69) / 12)
    harmonics = range(1, n_heads + 1)
    return torch.cat([places(k * fundamental, size // n_heads) for k in harmonics], 1)


@torch.no_grad()
def compare_as_they_are(*layers: nn.Linear) -> None:
    """Initialise square layers near the identity, so that queries and keys compare directly."""
    for layer in layers:
        layer.weight.mul_(NOISE).add_(torch.eye(len(layer.weight)))
