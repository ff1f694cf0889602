"""The panel's page in Chromium, before the real server and an instrument without an engine."""

import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ConfigError
from engine.notes import NoteEvent
from engine.velocity import velocity_table
from livecover.panel import choices
from livecover.panel.server import PanelServer
from livecover.panel.settings import PanelSettings
from tests.e2e.servers import wait_until
from tests.livecover.panel.fakes import FakeInstrument

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page  # noqa: E402

from tests.e2e.browser import DESK, PHONE, open_panel, press_pad, wait_for  # noqa: E402

pytestmark = pytest.mark.e2e


class Instrument(FakeInstrument):
    """One that plays what a test gives it."""

    def play(self, *notes: tuple[float, int, int]) -> None:
        """Find notes (seconds from now, pitch, velocity), each half a second long."""
        now = time.perf_counter()
        events = [NoteEvent(now + at, pitch, velocity) for at, pitch, velocity in notes]
        events += [NoteEvent(now + at + 0.5, pitch, 0) for at, pitch, _ in notes]
        events.sort(key=lambda event: event.time)
        for tap in self.taps:
            tap.found(events, [event.time for event in events])


@pytest.fixture
def instrument() -> Instrument:
    return Instrument()


@pytest.fixture
def panel(
    instrument: Instrument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PanelServer]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choices, "list_inputs", list)
    monkeypatch.setattr(choices, "list_ports", list)
    with PanelServer(instrument, PanelSettings(port=0), measure=True) as server:
        yield server


@pytest.fixture
def page(browser: Browser, panel: PanelServer) -> Iterator[Page]:
    with open_panel(browser, panel.url) as opened:
        yield opened


def test_every_control_sets_its_setting(page: Page, instrument: Instrument) -> None:
    page.locator("[name=parts][value=accompaniment]").check()
    page.click("#presets >> text=intense")
    page.click("#curves >> text=soft")
    page.locator("#density").press("ArrowRight")
    page.locator("#polyphony").press("Home")
    page.click("[aria-label='An octave up']")
    page.click("[aria-label='A semitone down']")
    page.locator("#hands").check()
    page.locator("[name=pedal][value=harmony]").check()
    page.select_option("#melody-channel", "2")
    page.locator("#latency").fill("450")
    page.locator("#latency").press("Enter")
    page.click("text=Mute")

    def is_set() -> bool:
        s = instrument.settings
        return (
            (s.play.parts, s.play.hands, s.play.pedal, s.play.mute)
            == ("accompaniment", True, "harmony", True)
            and (s.model.style, s.midi.velocity_curve) == ("intense", "soft")
            and (s.midi.octave, s.midi.transpose, s.midi.melody_channel) == (1, -1, 2)
            and (s.decoder.polyphony, s.time.latency) == (1, 0.45)
            and 1.0 < s.decoder.density < 1.1
        )

    wait_until("all settings", is_set, 5)
    press_pad(page, 0.25, 0.5)
    wait_until("the pad", lambda: instrument.settings.model.style != "intense", 5)
    assert instrument.settings.model.style == pytest.approx(0.25, abs=0.02)
    assert instrument.settings.midi.velocity_curve == pytest.approx(1.0, abs=0.06)
    assert page.locator("#pad").get_attribute("aria-valuetext") == "25 % intense, as played"


def test_the_page_shows_what_another_hand_has_set(page: Page, instrument: Instrument) -> None:
    instrument.change({"midi.transpose": 5, "play.parts": "melody", "model.style": 0.8})
    wait_for(page, "document.querySelector('#transpose').value === '5'")
    assert page.locator("[name=parts][value=melody]").is_checked()
    assert page.locator("#style-value").inner_text() == "80 % intense"


def test_a_refused_setting_is_told_and_taken_back(page: Page, instrument: Instrument) -> None:
    page.locator("#latency").fill("700")
    instrument.change({"time.latency": 0.5})
    instrument.change = _refuse  # type: ignore[method-assign]
    page.locator("#latency").press("Enter")
    page.wait_for_selector(".toast[data-kind=error] >> text=must be at least")
    wait_for(page, "document.querySelector('#latency').value === '500'")


def _refuse(values: object) -> None:
    raise ConfigError("time.latency must be at least 0.9 s")


def test_keys_play_it(page: Page, instrument: Instrument) -> None:
    def press(key: str, what: str, value: object) -> None:
        page.keyboard.press(key)
        wait_until(what, lambda: _read(instrument, what) == value, 5)

    press("Space", "is_playing", True)
    wait_for(page, "document.body.dataset.state === 'lost'")  # no device here
    assert page.locator("#veil-title").inner_text() == "Waiting for Speakers"
    press("r", "is_recording", True)
    press("m", "play.mute", True)
    press("h", "play.hold", True)
    press("]", "midi.octave", 1)
    press("-", "midi.transpose", -1)
    press("f", "play.parts", "accompaniment")
    press("3", "model.style", "intense")
    page.keyboard.press("s")
    press("ArrowLeft", "model.style", 0.98)
    press("Escape", "last", "panic")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible() and page.locator("#help kbd").count() >= 15
    page.keyboard.press("Escape")
    assert instrument.asked[-1] == "panic" and instrument.asked.count("panic") == 1
    page.locator("#transpose").focus()
    page.keyboard.press("m")  # here one types
    page.locator("#pad").focus()
    press("m", "play.mute", False)


def _read(instrument: Instrument, what: str) -> object:
    if what == "last":
        return instrument.asked[-1]
    owner: Any = instrument.settings if "." in what else instrument
    for name in what.split("."):
        owner = getattr(owner, name)
    return owner


def test_snapshots_keep_all_settings(page: Page, instrument: Instrument) -> None:
    instrument.change({"midi.transpose": 3, "play.parts": "melody"})
    wait_for(page, "document.querySelector('#transpose').value === '3'")
    page.keyboard.press("b")
    page.click("#presets >> text=calm")
    page.click("[aria-label='A semitone up']")
    wait_until("B", lambda: instrument.settings.midi.transpose == 4, 5)
    page.keyboard.press("a")
    wait_until("A", lambda: instrument.settings.midi.transpose == 3, 5)
    assert instrument.settings.model.style == "balanced"
    page.keyboard.press("b")
    wait_until("B again", lambda: instrument.settings.model.style == "calm", 5)
    assert instrument.settings.play.parts == "melody"


def test_a_style_comes_from_a_file(page: Page, instrument: Instrument, tmp_path: Path) -> None:
    song = Path(__file__).parents[2] / "livecover" / "examples" / "auld-lang-syne.mid"
    page.set_input_files("#style-file", song)
    wait_until("the style", lambda: isinstance(instrument.settings.model.style, tuple), 5)
    wait_for(page, "document.querySelector('#pad').dataset.place === 'none'")
    text = tmp_path / "words.txt"
    text.write_text("no music")
    page.set_input_files("#style-file", text)
    page.wait_for_selector(".toast[data-kind=error] >> text=from a MIDI file")


def test_notes_land_at_their_time(page: Page, panel: PanelServer, instrument: Instrument) -> None:
    page.keyboard.press("Space")
    wait_until("it plays", lambda: instrument.is_playing, 5)
    instrument.play(*((0.3 + 0.05 * k, 48 + k, 80) for k in range(20)))
    wait_for(page, "livecoverMeasure().length === 20")
    notes = page.evaluate("livecoverMeasure()")
    assert [note["pitch"] for note in notes] == [*range(48, 68)]
    assert all(note["late"] >= 0 for note in notes)  # when they land; how soon is a benchmark
    wait_until("the page's report", lambda: len(panel.drawn) == 20, 5)
    assert all(at >= due for due, _, at in panel.drawn)


def test_what_is_silenced_never_lands(page: Page, instrument: Instrument) -> None:
    instrument.play((0.2, 60, 80), (3.0, 72, 80))
    wait_for(page, "livecoverMeasure().length === 1")
    page.click("text=Panic")
    wait_until("panic", lambda: "panic" in instrument.asked, 5)
    page.wait_for_timeout(200)
    instrument.play((3.0, 64, 80))
    wait_for(page, "livecoverMeasure().length === 2")
    assert [note["pitch"] for note in page.evaluate("livecoverMeasure()")] == [60, 64]


def test_a_lost_connection_is_shown_and_heals(
    browser: Browser, panel: PanelServer, instrument: Instrument
) -> None:
    context = browser.new_context(viewport=DESK)  # type: ignore[arg-type]
    page = context.new_page()
    sockets: list[Any] = []

    def route(socket: Any) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile(r"/socket$"), route)
    page.goto(panel.url)
    wait_for(page, "document.body.dataset.state === 'idle'")
    page.evaluate(
        "window.seen = []; new MutationObserver(() => seen.push(document.body.dataset.state))"
        ".observe(document.body, {attributes: true, attributeFilter: ['data-state']})"
    )
    sockets[0].close()
    wait_for(page, "seen.includes('offline') && seen.at(-1) === 'idle'")
    instrument.change({"midi.octave": 2})
    wait_for(page, "document.querySelector('#octave').value === '2'")
    assert len(sockets) == 2
    context.close()


def test_it_fits_a_phone_and_names_everything(browser: Browser, panel: PanelServer) -> None:
    with open_panel(browser, panel.url, PHONE, has_touch=True, reduced_motion="reduce") as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate("document.querySelector('#still').ariaPressed") == "true"
        unnamed = page.evaluate(
            """[...document.querySelectorAll("button, input, select, [role=slider]")].filter(
                 (e) => e.checkVisibility()
                   && !(e.labels?.length || e.ariaLabel || e.innerText.trim()))
               .map((e) => e.outerHTML)"""
        )
        assert unnamed == []
        small = page.evaluate(
            """[...document.querySelectorAll(".dock .big-key, .stepper button, .row button")]
               .filter((e) => e.getBoundingClientRect().height < 44).map((e) => e.outerHTML)"""
        )
        assert small == []


def test_the_theme_switch_wins_over_the_system(page: Page) -> None:
    def ground() -> Any:
        return page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    dark = ground()
    page.click("#theme")
    assert ground() != dark
    page.reload()
    page.wait_for_selector("#presets .key")
    assert ground() != dark


MODULES = """async () => {
  const [curve, clock, keyboard, timeline, scales, notes, pad] = await Promise.all(
    ["curve", "clock", "keyboard", "timeline", "scales", "notes", "pad"].map(
      (name) => import(new URL(`js/${name}.js`, location.href))));
  return (%s)(curve, clock, keyboard, timeline, scales, notes, pad);
}"""


def ask(page: Page, code: str) -> Any:
    """Return what a function of the page's pure modules returns."""
    return page.evaluate(
        MODULES % f"(curve, clock, keyboard, timeline, scales, notes, pad) => {code}"
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
