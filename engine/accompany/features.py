"""What repetition lets expect of the coming steps.

Songs repeat themselves. Where the last bars resemble bars heard before, what came after those is
likely to come now: ``expect`` says what that was. Shapes: S steps, P = 88 pitches, heard (S, P, 2)
as ``engine.beat.steps.gathering`` has it.
"""

import numpy as np
from numpy.typing import NDArray

from engine.beat.steps.summary import HARMONY_DIM

Array = NDArray[np.float32]
Steps = NDArray[np.int64]

EXPECTED_DIM = 38

PERIODS = np.arange(8, 385, 8)
"""Steps after which a song may repeat itself: half bars up to 24 bars."""
COMPARED = 32  # steps
LEAST_COMPARED = 16
SHARPNESS = 40.0


def expect(summaries: Array, targets: Steps, lag: int) -> Array:
    """Return what repetition lets expect of target steps (n,), (n, 38).

    The harmony of a summary (36), how alike the best passage is, and how alike passages are in
    the mean of their weights. Nothing but steps up to ``target - lag`` is looked at.

    Parameters
    ----------
    summaries
        (S, 44) of the steps heard, the first being step 0.
    targets
        Steps that are to be played; ``targets - lag`` must be below S.
    lag
        Steps by which hearing is late.
    """
    harmony = summaries[:, :HARMONY_DIM]
    compared = np.sqrt(harmony[:, np.r_[0:12, 24:36]])
    length = np.linalg.norm(compared, axis=1, keepdims=True)
    compared = compared / np.maximum(length, 0.1)
    periods = PERIODS[PERIODS >= max(lag, 1)]
    newest = targets - lag
    if not len(summaries) or newest.max(initial=-1) < 0:
        return np.zeros((len(targets), EXPECTED_DIM), np.float32)
    alike = np.full((len(periods), len(targets)), -np.inf, np.float32)
    first = max(int(newest.min()) - COMPARED + 1, 0)
    products = compared[first : int(newest.max()) + 1] @ compared.T
    own = newest[:, None] - np.arange(COMPARED)  # the steps that are compared, (n, 32)
    for k, period in enumerate(periods):
        other = own - period
        is_there = other >= 0
        n = is_there.sum(1)
        found = products[np.maximum(own - first, 0), np.maximum(other, 0)] * is_there
        is_enough = n >= LEAST_COMPARED
        alike[k, is_enough] = (found.sum(1) / np.maximum(n, 1))[is_enough]
    out = np.zeros((len(targets), EXPECTED_DIM), np.float32)
    is_any = np.isfinite(alike).any(0) if len(periods) else np.zeros(len(targets), bool)
    if not is_any.any():
        return out
    alike, chosen = alike[:, is_any], targets[is_any]
    best = alike.max(0)
    weight = np.exp(SHARPNESS * (alike - best))
    weight /= weight.sum(0)
    sources = np.maximum(chosen[None] - periods[:, None], 0)
    out[is_any, :HARMONY_DIM] = (weight[..., None] * harmony[sources]).sum(0)
    out[is_any, HARMONY_DIM] = best
    out[is_any, HARMONY_DIM + 1] = (weight * np.where(np.isfinite(alike), alike, 0)).sum(0)
    return out
