"""From a style's name to the 24 numbers that a model takes."""

import difflib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from models.spec import ModelSpec


def style_vector(style: str | Sequence[float], spec: ModelSpec) -> NDArray[np.float32]:
    """Return a style (24,) float32: a preset of the model by name, or the numbers themselves.

    Raises
    ------
    ConfigError
        If the model has no preset of that name (it names the nearest and all there are), or there
        are not as many finite numbers as the model takes.
    """
    if not isinstance(style, str):
        numbers = np.asarray(style, np.float32)
        if numbers.shape != (spec.style_dim,) or not np.isfinite(numbers).all():
            raise ConfigError(
                f"a style must be a preset's name or {spec.style_dim} finite numbers, not {style!r}"
            )
        return numbers
    if style in spec.styles:
        return np.asarray(spec.styles[style], np.float32)
    near = difflib.get_close_matches(style, spec.styles, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    known = ", ".join(sorted(spec.styles)) or "none"
    raise ConfigError(f"model {spec.name} has no style {style!r} (it has {known}){hint}")
