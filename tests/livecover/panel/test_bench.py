"""The panel's benchmark: its page, and its arithmetic; the figures themselves are no tests."""

import pytest

from engine.core.notes import NoteEvent, PedalEvent
from livecover.bench.panel import SentLog, figures, page_open
from tests.livecover.panel.fakes import TIMEOUT, FakeInstrument


def test_a_page_of_its_own_process_comes_speaks_and_goes() -> None:
    instrument = FakeInstrument()
    with page_open(instrument, False, SentLog(), []):
        assert instrument.changed.wait(TIMEOUT)
    assert set(instrument.asked) == {"change"}
    assert instrument.taps == []


def test_only_note_ons_count() -> None:
    log = SentLog()
    log.sent(NoteEvent(0.0, 60, 90), 2.00004, 2.001)
    log.sent(NoteEvent(0.0, 60, 0), 3.0, 3.001)
    log.sent(PedalEvent(0.0, True), 3.0, 3.001)
    assert log.sent_at == {(2.0, 60): 2.001}
    assert log.errors == pytest.approx([0.00096])


def test_figures_are_milliseconds_and_may_be_none() -> None:
    assert figures([0.001, -0.003]) == ["2.00", "2.90", "3.00", "2"]
    assert figures([]) == ["nan", "nan", "nan", "0"]
