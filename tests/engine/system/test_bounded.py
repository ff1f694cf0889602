"""Calls that answer in time, too late, or with an error."""

import threading

import pytest

from engine.system.bounded import left_behind, within


def test_an_answer_in_time_is_returned_and_an_error_raised() -> None:
    assert within(20.0, "a quick server", lambda: 7) == 7
    with pytest.raises(ValueError, match="no such stream"):
        within(20.0, "a quick server", fail)
    assert "a quick server" not in left_behind()


def fail() -> None:
    raise ValueError("no such stream")


def test_what_answers_too_late_is_undone() -> None:
    may_answer, is_undone = threading.Event(), threading.Event()
    undone: list[int] = []

    def answer() -> int:
        assert may_answer.wait(20.0)
        return 7

    def undo(result: int) -> None:
        undone.append(result)
        is_undone.set()

    with pytest.raises(TimeoutError, match="a server did not answer within 0 s"):
        within(0.0, "a server", answer, undo)
    with pytest.raises(TimeoutError):
        within(0.0, "a server", answer)
    assert left_behind().count("a server") == 1
    may_answer.set()
    assert is_undone.wait(20.0)
    assert undone == [7]
