"""Calls that answer in time, too late, or with an error; the deadline of a program's end."""

import ast
import queue
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.system import bounded
from engine.system.bounded import (
    begin_shutdown,
    call_with_timeout,
    get_with_timeout,
    join_thread,
    list_hung_calls,
    remaining_timeout,
    separate_shutdown,
)

ROOT = Path(__file__).parents[3]
OTHER_PROCESS = "engine/midi/ports/jack_child.py"  # it ends itself by an alarm


def test_an_answer_in_time_is_returned_and_an_error_raised() -> None:
    assert call_with_timeout(20.0, "a quick server", lambda: 7) == 7
    with pytest.raises(ValueError, match="no such stream"):
        call_with_timeout(20.0, "a quick server", fail)
    assert "a quick server" not in list_hung_calls()


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

    with pytest.raises(TimeoutError, match="a server did not answer in time"):
        call_with_timeout(0.0, "a server", answer, undo)
    with pytest.raises(TimeoutError):
        call_with_timeout(0.0, "a server", answer)
    assert list_hung_calls().count("a server") == 1
    may_answer.set()
    assert is_undone.wait(20.0)
    assert undone == [7]


class Hours:
    """A clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(bounded, "time", SimpleNamespace(monotonic=lambda: self.now))


def test_what_ends_a_program_shares_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = Hours(monkeypatch)
    assert remaining_timeout(60.0) == 60.0
    begin_shutdown()
    assert remaining_timeout(60.0) == bounded.SHUTDOWN_S and remaining_timeout(0.25) == 0.25
    hours.now += bounded.SHUTDOWN_S - 0.5
    begin_shutdown()  # it has begun already
    assert remaining_timeout(60.0) == 0.5
    hours.now += 60.0
    assert remaining_timeout(60.0) <= 0.0
    assert remaining_timeout(60.0, least=0.5) == 0.5 and remaining_timeout(0.1, least=0.5) == 0.1
    with separate_shutdown():
        assert remaining_timeout(60.0) == 60.0
    assert remaining_timeout(60.0) <= 0.0


class Hung(threading.Thread):
    """A thread that never ends by itself; it counts how often it was waited for."""

    def __init__(self, hours: Hours) -> None:
        super().__init__(daemon=True)
        self.waits: list[float] = []
        self._hours = hours

    def join(self, timeout: float | None = None) -> None:
        assert timeout is not None
        self.waits.append(timeout)
        self._hours.now += timeout
        if len(self.waits) == 3:
            begin_shutdown()

    def is_alive(self) -> bool:
        return True


def test_an_end_that_begins_during_a_wait_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = Hours(monkeypatch)
    hung = Hung(hours)
    assert not join_thread(hung, 60.0)
    assert sum(hung.waits) == pytest.approx(3 * bounded.POLL_S + bounded.SHUTDOWN_S)
    late = Hung(hours)
    assert not join_thread(late, 60.0, least=0.35)  # nothing is left of the ending
    assert sum(late.waits) == pytest.approx(0.35)


def test_an_answer_is_waited_for_no_longer_than_the_program_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded, "SHUTDOWN_S", 0.0)
    may_answer = threading.Event()
    begin_shutdown()
    with pytest.raises(TimeoutError):
        call_with_timeout(60.0, "a server in the way", may_answer.wait)
    may_answer.set()


def test_what_is_queued_is_waited_for_no_longer_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "SHUTDOWN_S", 0.0)
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    items.put(7)
    assert get_with_timeout(items, 60.0) == 7
    begin_shutdown()
    items.put(8)
    assert get_with_timeout(items, 60.0) == 8
    with pytest.raises(TimeoutError):
        get_with_timeout(items, 1e6)


def own_waits(path: Path) -> list[str]:
    """Return where a module joins a thread, or takes a lock, for a time that nobody shares."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        times: list[ast.expr] = []
        if node.func.attr == "join" and not isinstance(node.func.value, ast.Constant):
            times = node.args or [ast.Constant(None)]
        elif node.func.attr == "acquire":
            times = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
        if any(
            isinstance(time, ast.Constant) or (isinstance(time, ast.Name) and time.id.isupper())
            for time in times
        ):
            found.append(f"{path.name}:{node.lineno}")
    return found


def test_whoever_closes_something_waits_by_these_functions_alone() -> None:
    rooms = [ROOT / "engine", ROOT / "livecover"]
    paths = [path for room in rooms for path in room.rglob("*.py") if "bench" not in path.parts]
    paths.remove(ROOT / OTHER_PROCESS)
    assert [where for path in sorted(paths) for where in own_waits(path)] == []
