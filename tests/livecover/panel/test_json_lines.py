"""Other programs read the state as lines of JSON."""

import json

import pytest

from livecover.panel.json_lines import json_lines
from tests.livecover.panel.fakes import FakeInstrument


def test_each_line_is_the_state(capsys: pytest.CaptureFixture[str]) -> None:
    instrument = FakeInstrument()
    with json_lines() as show:
        show(instrument)
        instrument.start()
        show(instrument)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["status", "status"]
    assert [line["playing"] for line in lines] == [False, True]
