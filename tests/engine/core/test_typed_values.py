"""Values of TOML as a field's type has them, and what is said of one that is not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from engine.core.errors import ConfigError
from engine.core.typed_values import MAX_WHOLE, convert, nearest


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (3, float, 3.0),
        ("a/b", Path, Path("a/b")),
        (["a", "b"], tuple[Path, ...], (Path("a"), Path("b"))),
        ("a", tuple[str, ...], ("a",)),
        ("auto", Path | None, None),
        ({"x": 1}, Mapping[str, float], {"x": 1.0}),
        ("two", Literal["one", "two"], "two"),
    ],
)
def test_a_value_comes_as_its_field_has_it(value: object, hint: Any, expected: object) -> None:
    found = convert("key", value, hint)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint", "words"),
    [
        (True, int, "key must be a whole number, not True"),
        (1.5, int, "key must be a whole number, not 1.5"),
        (MAX_WHOLE, float, "key must be a number, not "),
        (7, Path | None, 'key must be a path or "auto", not 7'),
        ([1], tuple[Path, ...], "key must be a list of paths"),
        ({"x": "y"}, Mapping[str, float], "key must be a table of numbers"),
        ("three", Literal["one", "two"], "key must be one of one, two, not 'three'"),
    ],
)
def test_a_value_of_another_type_is_told(value: object, hint: Any, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        convert("key", value, hint)
    assert words in str(error.value)


def test_an_unknown_name_is_told_the_nearest_or_all() -> None:
    assert nearest("lerning_rate", ["steps", "learning_rate"]) == "; did you mean learning_rate?"
    assert nearest("xyz", ["steps", "seed"], "[{}]") == "; known: [steps], [seed]"
