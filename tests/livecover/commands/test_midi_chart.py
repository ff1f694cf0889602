"""The page of the docs is what the code says. ``LIVECOVER_WRITE_DOCS=1 pytest`` writes it anew."""

import os
from pathlib import Path

from livecover.commands.midi_chart import chart

PAGE = Path(__file__).parents[3] / "docs" / "midi-implementation.md"


def test_the_chart_is_that_of_the_code() -> None:
    if os.environ.get("LIVECOVER_WRITE_DOCS"):
        PAGE.write_text(chart(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == chart()
