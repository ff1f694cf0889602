"""The page's modules that need no page: time, keys, curve, scales, notes. Asked in Chromium."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from engine.core.velocity import velocity_table
from livecover.panel.web.server import PanelServer
from livecover.settings.panel import PanelSettings
from tests.livecover.panel.fakes import FakeInstrument

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page  # noqa: E402

from tests.e2e.browser import open_panel  # noqa: E402

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One page for all: nothing here changes it."""
    with (
        PanelServer(FakeInstrument(), PanelSettings(port=0)) as panel,
        open_panel(browser, panel.url) as opened,
    ):
        yield opened


MODULES = """async () => {
  const [curve, clock, keyboard, timeline, scales, notes, pad, pace, harmony] = await Promise.all(
    ["curve", "clock", "keyboard", "timeline", "scales", "notes", "pad", "pace", "harmony"].map(
      (name) => import(new URL(`js/${name}.js`, location.href))));
  return (%s)(curve, clock, keyboard, timeline, scales, notes, pad, pace, harmony);
}"""


def ask(page: Page, code: str) -> Any:
    """Return what a function of the page's pure modules returns."""
    return page.evaluate(
        MODULES % f"(curve, clock, keyboard, timeline, scales, notes, pad, pace, harmony) => {code}"
    )


def test_curve_and_pad_are_one_number(page: Page) -> None:
    for shape in ("linear", "soft", "hard", 0.5, 2.0):
        table = ask(page, f"[1, 20, 64, 100, 127].map((v) => curve.velocityOut({shape!r}, v))")
        ours = velocity_table(shape)
        assert table == [ours[v] for v in (1, 20, 64, 100, 127)]
    assert ask(page, "[0, 0.5, 1].map(curve.curveAt)") == [2.83, 1.0, 0.35]
    assert ask(page, "[0.1, 0.4, 0.9].map((y) => curve.loudnessOf(curve.curveAt(y)))") == (
        pytest.approx([0.1, 0.4, 0.9], abs=0.01)
    )
    assert ask(page, "curve.curveThrough(0.5, 0.25)") == 2.0
    assert ask(page, "[curve.loudnessOf('fixed'), pad.intensityOf('from:a.mid')]") == [None, None]
    assert ask(page, "['calm', 0.3, 'intense'].map(pad.intensityOf)") == [0, 0.3, 1]


def test_the_clock_trusts_the_quickest_answer(page: Page) -> None:
    told = ask(
        page,
        """(() => { const c = new clock.ServerClock();
             c.add(1.0, 1.2, 101.19); c.add(2.0, 2.002, 102.001); c.add(3.0, 3.4, 103.01);
             return [c.toPage(102.001), c.toServer(c.toPage(7))]; })()""",
    )
    assert told == pytest.approx([2.001, 7])


def test_the_clock_glides_to_what_it_learns(page: Page) -> None:
    told = ask(
        page,
        """(() => { const c = new clock.ServerClock();
             for (let k = 0; k < 12; k += 1) c.add(k, k + 0.002, k + 100.001);
             for (let k = 12; k < 24; k += 1) c.add(k, k + 0.002, k + 100.051);
             const before = c.toPage(100); c.tick(1);
             const soon = c.toPage(100); c.tick(9);
             return [before, soon, c.toPage(100)]; })()""",
    )
    assert told == pytest.approx([0.0, -0.02, -0.05])  # 20 ms a second


def test_keys_lie_as_on_a_piano(page: Page) -> None:
    keys = ask(page, "keyboard.layKeys(21, 108, 1040)")
    assert (len(keys["whites"]), len(keys["blacks"])) == (52, 36)
    assert all(math.isclose(key["width"], 20) for key in keys["whites"])
    for black in keys["blacks"]:  # over the gap between its neighbours
        left = next(k for k in keys["whites"] if k["pitch"] == black["pitch"] - 1)
        gap = left["x"] + left["width"]
        assert black["x"] < gap < black["x"] + black["width"]
    assert ask(page, "keyboard.widen([36, 96], 30)") == [24, 96]
    assert ask(page, "keyboard.widen([36, 96], 108)") == [36, 108]
    assert ask(page, "keyboard.pitchName(60)") == "C4"


@pytest.mark.parametrize(
    ("key", "chord"),
    [("F major", "B♭/F"), ("G minor", "B♭/F"), ("D major", "A♯/F"), ("", "A♯/F")],
)
def test_chords_are_spelled_as_their_key_is(page: Page, key: str, chord: str) -> None:
    names = f"harmony.namesIn('{key}')"
    assert ask(page, f"harmony.chordOf(new Set([5, 10, 2]), 53, {names})") == chord
    weights = [5.0 if (k - 10) % 12 in (0, 2, 4, 5, 7, 9, 11) else 0.0 for k in range(12)]
    weights[10] = weights[5] = 9.0
    assert ask(page, f"harmony.keyOf({weights})") == "B♭ major"


def test_time_is_height(page: Page) -> None:
    lay = "timeline.layTimeline(600, 0.2)"
    top, bottom, ear = ask(
        page, f"(({{keysTop, keysBottom, ear}}) => [keysTop, keysBottom, ear])({lay})"
    )
    assert ask(page, f"[0, -0.2].map({lay}.y)") == [top, ear]
    assert bottom < ask(page, f"{lay}.y(-0.1)") < ear < 600
    assert ask(page, f"{lay}.y({lay}.seconds)") == pytest.approx(0)


def test_notes_end_as_they_are_told(page: Page) -> None:
    ends = ask(
        page,
        """(() => { const n = new notes.NoteStore(4);
             n.take([1, 60, 90, 0, 0]); n.take([2, 60, 80, 0, 0]); n.take([2.5, 60, 0, 0, 0]);
             n.take([3, 64, 70, 1, 1]); n.take([9, 65, 70, 1, 1]); n.silence(4);
             return [[...n.end], [...n.velocity], n.next]; })()""",
    )
    assert ends == [[2, 2.5, 4, 9], [90, 80, 70, 0], 4]


def test_scales_go_there_and_back(page: Page) -> None:
    assert ask(page, "[0.25, 1, 4].map(scales.SCALES.octaves.toPlace)") == [-2, 0, 2]
    assert ask(
        page,
        "[1, 16, 88].map((v) => scales.SCALES.voices.toValue(scales.SCALES.voices.toPlace(v)))",
    ) == [1, 16, 88]  # noqa: E501
    assert ask(page, "['', '250'].map(scales.SCALES.milliseconds.toValue)") == [None, 0.25]


def test_the_pace_tells_a_machine_that_cannot_keep_up(page: Page) -> None:
    run = "((p) => Array.from({length: 180}, (_, k) => p.frame(%s)).filter(Boolean).length)"
    assert ask(page, f"{run % '0.017'}(new pace.Pace())") == 0
    assert ask(page, f"{run % '0.03'}(new pace.Pace())") == 2
    assert ask(page, f"{run % 'k % 3 ? 0.017 : 0.03'}(new pace.Pace())") == 0
    assert ask(page, f"{run % '9'}(new pace.Pace())") == 0
