"""What a message for the user must say, whatever its words: the setting, the value, the remedy."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.core.errors import LiveCoverError

NUMBER = re.compile(r"-?\d+(\.\d+)?")


def says(message: object, *parts: str) -> None:
    """Assert that a message is one line, and that it has these parts in this order.

    A part is what must not get lost when the sentence is written anew: a setting, an option, a
    path, the value that came, what is allowed, what to type. Upper and lower case are one.
    """
    text = str(message)
    assert text.strip() and "\n" not in text.strip(), f"expected one line, got {text!r}"
    at = 0
    for part in parts:
        # A number stands alone: 1 is not in 0.1, nor in 16.
        pattern = (
            rf"(?<![\w.]){part}(\.0)?(?!\w|\.\d)" if NUMBER.fullmatch(part) else re.escape(part)
        )
        found = re.compile(pattern, re.IGNORECASE).search(text, at)
        assert found, f"expected {part!r} (of {parts}, in this order) in {text!r}"
        at = found.end()


@contextmanager
def refused(
    kind: type[LiveCoverError], *parts: str
) -> Iterator[pytest.ExceptionInfo[LiveCoverError]]:
    """Expect an error for the user that says these parts."""
    with pytest.raises(kind) as caught:
        yield caught
    says(caught.value, *parts)
