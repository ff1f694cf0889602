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
        If the model has no preset of that name; it names the nearest and all there are.
    """
    if not isinstance(style, str):
        return np.asarray(style, np.float32)
    if style in spec.styles:
        return np.asarray(spec.styles[style], np.float32)
    near = difflib.get_close_matches(style, spec.styles, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    known = ", ".join(sorted(spec.styles)) or "none"
    raise ConfigError(f"model {spec.name} has no style {style!r} (it has {known}){hint}")
