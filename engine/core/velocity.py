"""Velocity curves. Not here: where they are applied (``engine.perform.performer``)."""

import functools
import math

from engine.core.errors import ConfigError

GAMMAS = {"linear": 1.0, "soft": 1.5, "hard": 0.67}
"""Named curves: out = 127 * (in / 127) ** gamma."""

FIXED_VELOCITY = 80
"""What the curve ``fixed`` makes of every velocity."""


def parse_curve(curve: str | float) -> float | None:
    """Return the gamma that ``curve`` names, None for ``fixed``.

    Raises ConfigError unless ``curve`` is linear, soft, hard, fixed or a number from 0.1 to 10.
    """
    if curve == "fixed":
        return None
    if isinstance(curve, str) and curve in GAMMAS:
        return GAMMAS[curve]
    try:
        gamma = math.nan if isinstance(curve, bool) else float(curve)
    except (TypeError, ValueError):
        gamma = math.nan
    if not 0.1 <= gamma <= 10.0:
        raise ConfigError(
            "midi.velocity_curve must be linear, soft, hard, fixed or a number from 0.1 to 10,"
            f" not {curve!r}"
        )
    return gamma


@functools.cache
def velocity_table(curve: str | float, lowest: int = 1, highest: int = 127) -> tuple[int, ...]:
    """Return what becomes of each velocity from 0 to 127. Raises ConfigError as `parse_curve`.

    1 to 127 of the curve are spread over ``lowest`` to ``highest``.

    >>> velocity_table("soft")[64], velocity_table("linear")[64], velocity_table("hard")[64]
    (45, 64, 80)
    >>> [velocity_table("linear", 40, 100)[velocity] for velocity in (0, 1, 64, 127)]
    [0, 40, 70, 100]
    """
    gamma = parse_curve(curve)
    table = [0]
    for velocity in range(1, 128):
        curved = FIXED_VELOCITY if gamma is None else 127 * (velocity / 127) ** gamma
        place = (min(127.0, max(1.0, curved)) - 1) / 126
        table.append(round(lowest + place * (highest - lowest)))
    return tuple(table)
