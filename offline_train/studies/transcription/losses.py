"""The β-weighted cross-entropy of "Neural Music Transcription with Spatiotemporal Vision Models".

Section 3.1 prints L = 0.95 / (1 - β) (1 - y) log(1 - ŷ) + 0.05 / β y log ŷ, a sign short, and says
that β = 0.05 leaves cross-entropy as it is and 0.5 balances keys that sound against those that do
not. As printed β = 0.5 would make a sounding key count nineteen times less than a silent one, and
the recall of 0.91 that the paper reports for it could not be. What is meant are the inverse
fractions, (1 - β) / 0.95 and β / 0.05: they turn the share of 5% into one of β.
"""

from torch import Tensor
from torch.nn.functional import logsigmoid

from engine.core.errors import ConfigError

SHARE = 0.05
"""How much of a piano roll sounds, the paper's estimate."""


def beta_weights(beta: float, as_printed: bool = False) -> tuple[float, float]:
    """Return what a silent cell counts and what a sounding one.

    Parameters
    ----------
    beta : float
        The share that sounding cells shall seem to have, above 0 and below 1.
    as_printed : bool
        The fractions as the paper prints them.

    Raises
    ------
    ConfigError
        If beta is out of range.

    Examples
    --------
    >>> beta_weights(0.05)
    (1.0, 1.0)
    >>> [round(weight, 3) for weight in beta_weights(0.5)]
    [0.526, 10.0]
    >>> [round(weight, 3) for weight in beta_weights(0.5, as_printed=True)]
    [1.9, 0.1]
    """
    if not 0 < beta < 1:
        raise ConfigError(f"beta must be above 0 and below 1, not {beta}")
    silent, sounding = (1 - beta) / (1 - SHARE), beta / SHARE
    return (1 / silent, 1 / sounding) if as_printed else (silent, sounding)


def seeming_share(beta: float, as_printed: bool = False) -> float:
    """Return the share of cells that sound, as the weights let it seem.

    >>> round(seeming_share(0.2), 6)
    0.2
    """
    silent, sounding = beta_weights(beta, as_printed)
    return SHARE * sounding / (SHARE * sounding + (1 - SHARE) * silent)


def beta_cross_entropy(
    logits: Tensor, roll: Tensor, beta: float, as_printed: bool = False
) -> Tensor:
    """Return the mean over cells of the weighted cross-entropy, of one shape of logits and roll.

    From logits, so that it stays a number where the paper's code, which takes logarithms of
    probabilities, gives none.
    """
    silent, sounding = beta_weights(beta, as_printed)
    cells = silent * (1 - roll) * logsigmoid(-logits) + sounding * roll * logsigmoid(logits)
    return -cells.mean()
