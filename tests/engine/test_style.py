"""Presets by name, numbers as they are."""

import dataclasses

import numpy as np
import pytest

from engine.errors import ConfigError
from engine.style import style_vector
from tests.engine.fakes import SPEC


def test_a_preset_is_found_by_name() -> None:
    found = style_vector("intense", SPEC)
    assert found.dtype == np.float32
    assert found.tolist() == [1.0] * 24


def test_numbers_pass() -> None:
    assert style_vector([0.5] * 24, SPEC).tolist() == [0.5] * 24


@pytest.mark.parametrize("style", [[], [0.5] * 23, [0.5] * 25, [[0.5] * 24], [float("nan")] * 24])
def test_other_numbers_are_refused(style: list[float]) -> None:
    with pytest.raises(ConfigError, match="a style must be a preset's name or 24 finite numbers"):
        style_vector(style, SPEC)


def test_an_unknown_preset_names_the_nearest_and_all() -> None:
    with pytest.raises(
        ConfigError, match=r"has no style 'intens' \(it has balanced, intense\); did you mean inten"
    ):
        style_vector("intens", SPEC)


def test_a_model_without_presets_says_so() -> None:
    with pytest.raises(ConfigError, match=r"it has none"):
        style_vector("calm", dataclasses.replace(SPEC, styles={}))
