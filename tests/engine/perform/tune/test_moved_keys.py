"""Notes on other keys than they were heard on."""

from engine.core.notes import NoteEvent
from engine.perform.tune.moved_keys import MovedKeys


def on(pitch: int, time: float = 0.0) -> NoteEvent:
    return NoteEvent(time, pitch, 80, "melody")


def off(pitch: int, time: float = 1.0) -> NoteEvent:
    return NoteEvent(time, pitch, 0, "melody")


def test_a_note_ends_as_it_began() -> None:
    keys = MovedKeys()
    assert keys.strike(on(60), 62) == [on(62)]
    assert keys.release(off(60)) == [off(62)]
    assert keys.release(off(60)) == []


def test_what_is_down_there_ends_before_and_its_own_end_says_nothing() -> None:
    keys = MovedKeys()
    keys.strike(on(62), 62)
    assert keys.other(on(60, 0.5), 62) is not None
    assert keys.other(on(62, 0.5), 62) is None
    assert keys.strike(on(60, 0.5), 62) == [off(62, 0.5), on(62, 0.5)]
    assert keys.release(off(62)) == []
    assert keys.release(off(60)) == [off(62)]


def test_what_is_left_out_has_no_end() -> None:
    keys = MovedKeys()
    keys.leave_out(on(60))
    assert keys.release(off(60)) == []
    assert keys.strike(on(60), 60) == [on(60)]


def test_a_key_that_is_heard_again_ends_what_was_struck_for_it() -> None:
    keys = MovedKeys()
    keys.strike(on(60), 62)
    assert keys.strike(on(60, 0.5), 60) == [off(62, 0.5), on(60, 0.5)]
    assert keys.release(off(60)) == [off(60)]


def test_nothing_is_down_after_all_keys_are_up() -> None:
    keys = MovedKeys()
    keys.strike(on(60), 62)
    keys.clear()
    assert keys.other(on(61), 62) is None
    assert keys.release(off(60)) == []
