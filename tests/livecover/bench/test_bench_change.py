"""The benchmark of changes: it waits for the note that was found after a change."""

from engine.core.notes import NoteEvent
from engine.core.settings import EngineSettings
from livecover.bench.change import FirstNote


def test_only_a_note_found_after_the_change_counts() -> None:
    tap = FirstNote()
    tap.begin_waiting()
    early, late = NoteEvent(1.0, 60, 64), NoteEvent(2.0, 62, 64)
    tap.found([early], [1.2])
    tap.changed(EngineSettings(), 0.2)
    tap.found([NoteEvent(1.9, 60, 0), late], [2.1, 2.2])
    tap.sent(early, 1.2, 1.2)
    assert not tap.has_left.is_set()
    tap.sent(late, 2.2, 2.2)
    assert tap.has_left.is_set() and tap.left == 2.2 and tap.taken > 0
