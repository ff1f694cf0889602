"""The panel's page in Chromium, before the real server and an instrument without an engine."""

import logging
import re
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import numpy as np
import platformdirs
import pytest
import soundfile

from engine.audio.loopback.players import Player
from engine.audio.opening import InputInfo
from engine.core.errors import ConfigError, DeviceError
from engine.core.notes import NoteEvent
from engine.core.settings import BeatSettings
from engine.core.song_place import SongCommand, SongPlace
from engine.core.tempo import Beat, BeatState, Tempo
from engine.model.latency import LatencyBudget
from engine.playback.outputs.opening import OutputInfo
from engine.signal.clicks import WayOut
from engine.signal.meters import Level, Status
from livecover.instrument.ports import PortState, Role
from livecover.panel import choices, measurement
from livecover.panel.web import browser as panel_browser
from livecover.panel.web.address import TokenFile
from livecover.panel.web.server import PanelServer
from livecover.settings.output import MonitorSettings, SyncSettings
from livecover.settings.panel import PanelSettings
from livecover.takes.files import TakeFiles
from tests.e2e.processes import wait_until
from tests.livecover.panel.fakes import FakeInstrument
from tests.livecover.takes.test_listing import a_take

pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")
from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from playwright.sync_api import Browser, Page  # noqa: E402

from tests.e2e.browser import DESK, PHONE, open_panel, press_pad, wait_for  # noqa: E402

pytestmark = pytest.mark.e2e


class Instrument(FakeInstrument):
    """One that plays what a test gives it."""

    seen: Status | None = None
    seen_ports: Sequence[PortState] | None = None

    def ports(self) -> list[PortState]:
        return super().ports() if self.seen_ports is None else list(self.seen_ports)

    def status(self) -> Status:
        return super().status() if self.seen is None else self.seen

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
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *a, **k: tmp_path / "none")
    monkeypatch.setattr(choices, "list_inputs", list)
    monkeypatch.setattr(choices, "list_ports", lambda: ["Synth"])
    monkeypatch.setattr(choices, "list_outputs", lambda: [OutputInfo("usb", "USB Audio")])
    monkeypatch.setattr(choices, "list_players", lambda: [Player("Firefox", ("firefox",))])
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
    page.locator("[name=rhythm][value=free]").check()
    page.locator("[name=pedal][value=harmony]").check()
    page.select_option("#melody-channel", "2")
    page.locator("#latency").fill("450")
    page.locator("#latency").press("Enter")
    page.click(".dock >> text=Mute")

    def is_set() -> bool:
        s = instrument.settings
        return (
            (s.play.parts, s.play.rhythm, s.play.hands, s.play.pedal, s.play.mute)
            == ("accompaniment", "free", True, "harmony", True)
            and (s.model.style, s.midi.velocity_curve) == ("intense", "soft")
            and (s.midi.octave, s.midi.transpose, s.midi.melody_channel) == (1, -1, 2)
            and (s.decoder.polyphony, s.time.latency) == (1, 0.45)
            and 1.0 < s.decoder.density < 1.1
        )

    wait_until("all settings", is_set)
    press_pad(page, 0.25, 0.5)
    wait_until("the pad", lambda: instrument.settings.model.style != "intense")
    assert instrument.settings.model.style == pytest.approx(0.25, abs=0.02)
    assert instrument.settings.midi.velocity_curve == pytest.approx(1.0, abs=0.06)
    assert page.locator("#pad").get_attribute("aria-valuetext") == "25 % intense, as played"


def test_the_page_shows_what_another_hand_has_set(page: Page, instrument: Instrument) -> None:
    instrument.change({"midi.transpose": 5, "play.parts": "melody", "model.style": 0.8})
    wait_for(page, "document.querySelector('#transpose').value === '5'")
    assert page.locator("[name=parts][value=melody]").is_checked()
    assert page.locator("#style-value").inner_text() == "80 % intense"


def test_midi_learn_is_offered_while_there_is_a_port_to_learn_from(
    page: Page, instrument: Instrument
) -> None:
    page.click("#learn")
    page.locator("[aria-label='Learn a MIDI control for decoder.density']").click()
    wait_until("it waits", lambda: instrument.controllers.learning == "decoder.density")
    instrument.controllers.port = ""
    page.locator("#learn").wait_for(state="hidden")
    assert page.locator(".learn-key:visible").count() == 0
    instrument.controllers.port = "LiveCover Control"
    page.locator("#learn").wait_for()


def test_channels_and_gain_of_the_input_are_set(page: Page, instrument: Instrument) -> None:
    page.locator("#tab-sound").click()
    page.locator("#input-channels").fill("3, 4")
    page.locator("#input-channels").blur()
    page.locator("#input-gain").fill("6")
    wait_until("both", lambda: instrument.settings.audio.gain_db == 6)
    assert instrument.settings.audio.channels == (3, 4)
    instrument.change({"audio.channels": None})
    wait_for(page, "document.querySelector('#input-channels').value === ''")


def test_how_stereo_and_tuning_are_heard_is_set(page: Page, instrument: Instrument) -> None:
    page.locator("#tab-sound").click()
    assert page.locator("output[for=centre]").inner_text() == "70 %"
    page.locator("#centre").fill("0.25")
    wait_until("fainter sides", lambda: instrument.settings.model.centre == 0.25)
    page.locator("#input-tuning").fill("442")
    page.locator("#input-tuning").blur()
    wait_until("the tuning", lambda: instrument.settings.model.tuning == 442)
    page.locator("#input-tuning").fill("")
    page.locator("#input-tuning").blur()
    wait_until("what is heard", lambda: instrument.settings.model.tuning is None)


def test_a_nudge_is_set_and_a_measurement_that_fails_is_told(
    page: Page, instrument: Instrument
) -> None:
    instrument.is_playing = True
    page.locator("#tab-sound").click()
    page.locator("#nudge").fill("20")
    page.locator("#nudge").blur()
    wait_until("the nudge", lambda: instrument.settings.calibration.nudge == 0.02)
    page.click("#calibrate")
    page.wait_for_selector("text=stop first")
    assert page.locator("#calibration-value").inner_text() == ""
    assert page.locator("#calibrate").is_visible()
    assert page.locator("#together").get_attribute("aria-pressed") == "false"
    instrument.change({"audio.input": "together"})
    wait_for(page, "document.querySelector('#together').getAttribute('aria-pressed') === 'true'")


def test_a_measurement_is_cancelled_and_holds_up_nothing(
    page: Page, instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calibrate(_: object, stop: threading.Event, __: object) -> tuple[str, WayOut]:
        stop.wait()
        raise DeviceError("stopped")

    monkeypatch.setattr(measurement, "calibrate", calibrate)
    page.locator("#tab-sound").click()
    for ending in ("#calibrate-cancel", ".panic", "#start"):
        page.click("#calibrate")
        page.wait_for_selector("#calibrate-cancel:visible")
        assert page.locator("#calibration-value").inner_text() == "measuring…"
        nudge = instrument.settings.calibration.nudge
        page.click("[aria-label='Heard 1 ms later']")  # other controls work
        wait_until("the nudge", lambda: instrument.settings.calibration.nudge > nudge)  # noqa: B023
        page.click(ending)
        page.wait_for_selector("#calibrate:visible")
        assert page.locator("#calibration-value").inner_text() == ""
    assert instrument.asked.count("panic") == 1 and instrument.is_playing
    assert page.locator(".toast").count() == 0


def test_a_command_is_about_what_was_chosen_just_before(
    page: Page, instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    change = instrument.change

    def change_slowly(values: Mapping[str, object]) -> None:
        time.sleep(0.3)  # as an output that is opened
        change(values)

    def calibrate(*_: object) -> tuple[str, WayOut]:
        measured.append(instrument.settings.monitor.device)
        raise DeviceError("stopped")

    monkeypatch.setattr(measurement, "calibrate", calibrate)
    monkeypatch.setattr(instrument, "change", change_slowly)
    page.locator("#tab-sound").click()
    for n, device in enumerate(("usb", "default", "usb"), 1):
        page.evaluate(
            """(device) => {
              const chosen = document.querySelector("#monitor-device");
              chosen.value = JSON.stringify(device);
              chosen.dispatchEvent(new Event("change", { bubbles: true }));
              document.querySelector("#calibrate").click();
            }""",
            device,
        )
        wait_until("it measures", lambda: len(measured) == n)  # noqa: B023
        page.wait_for_selector("#calibrate:visible")
    assert measured == ["usb", "default", "usb"]


def test_each_channel_has_a_meter_and_clipping_lights_the_lamp(
    page: Page, instrument: Instrument
) -> None:
    instrument.is_playing = True
    levels = (Level(-30.0, -15.0), Level(-50.0, -50.0))
    instrument.seen = Status(1.0, -30.0, levels=levels, is_connected=True)
    wait_for(page, "document.querySelectorAll('#meter .meter-cover').length === 2")
    wait_for(page, "document.querySelector('#meter').getAttribute('aria-valuenow') === '-15'")
    assert page.locator("#clip").get_attribute("data-lit") != "true"
    clipped = (levels[0], replace(levels[1], n_clipped=3))
    instrument.seen = replace(instrument.seen, n_clipped=3, levels=clipped)
    wait_for(page, "document.querySelectorAll('#meter .meter-peak')[1].dataset.clipped === 'true'")
    assert page.locator("#meter .meter-peak").first.get_attribute("data-clipped") == "false"
    page.wait_for_selector("#clip[data-lit=true]")
    page.click("#clip")
    page.wait_for_selector("#clip[data-lit=false]")
    wait_for(page, "!document.querySelector('[data-clipped=true]')")


LIT = "[...document.querySelectorAll('#beat-lights li')].findIndex((li) => li.className === 'lit')"


def test_the_beat_is_shown_and_tapped(page: Page, instrument: Instrument) -> None:
    """The light stands on the beat of the bar, whose place is told; a tap says when it was."""
    text = "document.querySelector('#{}').textContent"
    assert page.evaluate(text.format("beat-source")) == "off"
    now = time.perf_counter()
    third = Tempo(6.0, now + 8.0, 27)  # ten seconds a beat; 26 is the third of the seventh bar
    instrument.beat = Beat("heard", BeatState.LOCKED, 0.9, third)
    wait_for(page, f"{text.format('beat-place')} === '7.3'")
    assert page.evaluate(LIT) == 2
    assert page.evaluate(text.format("beat-tempo")) == "♩ 6.0"
    assert page.evaluate(text.format("beat-source")) == "heard"
    instrument.beat = Beat("clock", BeatState.HOLDING, 0.9, replace(third, beats_per_bar=3))
    wait_for(page, "document.querySelectorAll('#beat-lights li').length === 3")
    wait_for(page, "document.querySelector('#beat').dataset.state === 'holding'")
    before = time.perf_counter()
    page.click("[data-beat=tap]")
    page.keyboard.press("t")
    page.locator("[data-beat=one]").press("Enter")
    for correction in ("halve", "double"):
        page.click(f"[data-beat={correction}]")
    wait_until("all corrections", lambda: len(instrument.asked) == 5)
    assert instrument.asked == ["tap", "tap", "one", "halve", "double"]
    assert all(before - 0.05 < at < time.perf_counter() for at in instrument.corrected_at)
    instrument.beat = Beat("heard")
    wait_for(page, f"{text.format('beat-source')} === 'listening'")
    wait_for(page, f"{LIT} === -1")


def test_what_is_known_of_the_beat_is_set(page: Page, instrument: Instrument) -> None:
    page.locator("[name=beat-source][value=tap]").check()
    page.locator("[name=metre][value='3/4']").check()
    page.locator("#beat-bpm").fill("96.5")
    page.locator("#beat-bpm").press("Enter")
    page.click("[aria-label='10 ms later']")
    wanted = BeatSettings("tap", 96.5, "3/4", 0.01)
    wait_until("the beat", lambda: instrument.settings.beat == wanted)
    page.locator("#beat-bpm").fill("")
    page.locator("#beat-bpm").press("Enter")
    page.locator("[name=metre][value=auto]").check()
    wanted = BeatSettings("tap", None, None, 0.01)
    wait_until("the beat again", lambda: instrument.settings.beat == wanted)


def test_a_recording_that_failed_is_told(page: Page, instrument: Instrument) -> None:
    instrument.is_playing = True
    instrument.seen = Status(1.0, is_connected=True)
    instrument.recorder.fault = "recording has failed: No space left on device"
    page.wait_for_selector(".toast[data-kind=error] >> text=No space left on device")
    wait_for(page, "document.querySelector('#state-text').textContent === 'recording has failed'")


def test_a_port_that_is_gone_is_told_and_counted(page: Page, instrument: Instrument) -> None:
    instrument.is_playing = True
    instrument.seen = Status(1.0, is_connected=True, is_midi_connected=False, n_midi_losses=2)
    words = "Waiting for the MIDI port"
    wait_for(page, f"document.querySelector('#state-text').textContent === '{words}'")
    wait_for(page, "document.querySelector('#n-midi-losses').textContent === '2'")
    instrument.seen = replace(instrument.seen, is_midi_connected=True)
    wait_for(page, "document.querySelector('#state-text').textContent === 'Playing'")


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
        wait_until(what, lambda: _read(instrument, what) == value)

    press("Space", "is_playing", True)
    wait_for(page, "document.body.dataset.state === 'lost'")  # no device here
    assert page.locator("#veil-title").inner_text() == "Waiting for Speakers"
    press("r", "is_recording", True)
    press("m", "play.mute", True)
    press("h", "play.hold", True)
    press("]", "midi.octave", 1)
    press("-", "midi.transpose", -1)
    press("f", "play.parts", "accompaniment")
    press("y", "play.rhythm", "free")
    press("y", "play.rhythm", "beat")
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
    if what == "is_recording":
        return instrument.recorder.is_recording
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
    wait_until("B", lambda: instrument.settings.midi.transpose == 4)
    page.keyboard.press("a")
    wait_until("A", lambda: instrument.settings.midi.transpose == 3)
    assert instrument.settings.model.style == "balanced"
    page.keyboard.press("b")
    wait_until("B again", lambda: instrument.settings.model.style == "calm")
    assert instrument.settings.play.parts == "melody"


def lit(page: Page) -> str:
    """The snapshot that a page shows, and what it would copy to."""
    lamps = page.locator("[data-snapshot][aria-pressed=true]").all_inner_texts()
    return f"{' '.join(lamps)}, {page.locator('#copy-snapshot').inner_text()}"


def test_snapshots_outlive_the_page_and_are_the_same_on_another(
    browser: Browser, page: Page, panel: PanelServer, instrument: Instrument
) -> None:
    assert lit(page) == "A, Copy to B"
    page.click("[aria-label='A semitone up']")
    wait_until("A", lambda: instrument.settings.midi.transpose == 1)
    with open_panel(browser, panel.url) as other:
        page.keyboard.press("b")
        wait_for(other, "document.querySelector('[data-snapshot=B]').ariaPressed === 'true'")
        assert lit(other) == "B, Copy to A"
        other.click("[aria-label='A semitone up']")  # of B, whichever page it is done on
        wait_for(page, "document.querySelector('#transpose').value === '2'")
    page.reload()
    page.wait_for_selector("#presets .key")
    assert lit(page) == "B, Copy to A"
    page.keyboard.press("a")
    wait_until("A again", lambda: instrument.settings.midi.transpose == 1)
    page.keyboard.press("b")
    wait_until("B again", lambda: instrument.settings.midi.transpose == 2)


def test_save_shows_what_it_writes(page: Page, instrument: Instrument) -> None:
    page.click("#save")
    page.wait_for_selector("#unsaved-none >> text=There are no changes")
    assert page.locator("#unsaved-write").is_disabled()
    instrument.change({"midi.octave": 1})  # by a knob, say: the dialog follows
    page.wait_for_selector("#unsaved-lines >> text=midi.octave")
    assert page.locator("#unsaved-lines tbody").inner_text().split() == ["midi.octave", "?", "1"]
    page.keyboard.press("m")  # no key plays while a dialog is open
    page.keyboard.press("Escape")
    assert not page.locator("#unsaved").is_visible()
    instrument.change({"midi.octave": 2})
    wait_for(page, "document.querySelector('#octave').value === '2'")
    assert not page.locator("#unsaved").is_visible()  # closed is closed
    page.click("#save")
    page.click("#unsaved-write")
    page.wait_for_selector(".toast >> text=Saved to mine.toml")
    assert not page.locator("#unsaved").is_visible()
    assert instrument.asked[-1] == "save" and not instrument.settings.play.mute


def test_a_style_comes_from_a_file(page: Page, instrument: Instrument, tmp_path: Path) -> None:
    song = Path(__file__).parents[2] / "livecover" / "examples" / "auld-lang-syne.mid"
    page.set_input_files("#style-file", song)
    wait_until("the style", lambda: isinstance(instrument.settings.model.style, tuple))
    wait_for(page, "document.querySelector('#pad').dataset.place === 'none'")
    text = tmp_path / "words.txt"
    text.write_text("no music")
    page.set_input_files("#style-file", text)
    page.wait_for_selector(".toast[data-kind=error] >> text=Expected a MIDI file")


def test_notes_land_at_their_time(page: Page, panel: PanelServer, instrument: Instrument) -> None:
    page.keyboard.press("Space")
    wait_until("it plays", lambda: instrument.is_playing)
    instrument.play(*((0.3 + 0.05 * k, 48 + k, 80) for k in range(20)))
    wait_for(page, "livecoverMeasure().length === 20")
    notes = page.evaluate("livecoverMeasure()")
    assert [note["pitch"] for note in notes] == [*range(48, 68)]
    assert all(note["late"] >= 0 for note in notes)  # when they land; how soon is a benchmark
    wait_until("the page's report", lambda: len(panel.drawn) == 20)
    assert all(at >= due for due, _, at in panel.drawn)


def test_what_is_silenced_never_lands(page: Page, instrument: Instrument) -> None:
    instrument.play((0.2, 60, 80), (3.0, 72, 80))
    wait_for(page, "livecoverMeasure().length === 1")
    page.click("text=Panic")
    wait_until("panic", lambda: "panic" in instrument.asked)
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


@pytest.mark.parametrize("width", [390, 1000, 1240, 1440])
def test_what_goes_wrong_has_its_room(
    width: int, browser: Browser, panel: PanelServer, instrument: Instrument
) -> None:
    counts = {name: 1234 for name in ("n_late", "n_dropped", "n_overruns", "n_midi_losses")}
    levels = tuple(Level(-12.0, -1.0) for _ in range(8))
    status = Status(
        seconds=3700.0,
        latency=0.185,
        is_connected=True,
        levels=levels,
        a4_hz=431.8,
        beat=Beat("heard", BeatState.LOCKED, 1.0, Tempo(120.0, 10.0, 0)),
        **counts,  # type: ignore[arg-type]
    )
    instrument.seen = status
    instrument.is_playing = True
    with open_panel(browser, panel.url, {"width": width, "height": 800}) as page:
        wait_for(page, "document.querySelector('#n-midi-losses').textContent === '1234'")
        wide = page.evaluate(
            """[...document.querySelectorAll(".link, .bar")]
               .filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.className)"""
        )
        assert wide == []
        assert page.locator(".time").inner_text().split() == ["61:40", "♩", "120", "A", "432"]


def test_the_roll_keeps_its_place_whatever_group_is_shown(page: Page) -> None:
    places = set()
    for group in ("play", "sound", "midi", "scenes", "takes", "log"):
        page.click(f"#tab-{group}")
        places.add(str(page.locator("#stage").bounding_box()))
    assert len(places) == 1


PARTS = tuple(
    (name, 0.0123)
    for name in (
        *("capture block", "resampler", "half window", "lookahead", "step", "onset peak"),
        *("compute", "output", "MIDI graph"),
    )
)
"""Of the latency, as most there are."""


@pytest.mark.parametrize("group", ["play", "sound", "midi"])
def test_all_controls_are_in_sight_on_a_desk(
    group: str, page: Page, instrument: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    instrument.seen_ports = [
        PortState(role, "a port with a long name", "refused", "in use") for role in get_args(Role)
    ]
    monkeypatch.setattr(FakeInstrument, "budget", LatencyBudget(PARTS))
    page.click(f"#tab-{group}")
    wait_for(page, "document.querySelectorAll('#ports li').length === 6")
    wait_for(page, f"document.querySelectorAll('#budget-parts li').length === {len(PARTS)}")
    hidden = page.evaluate(
        f"""[...document.querySelectorAll("#view-{group} :is(button, input, select, .ports li)")]
            .filter((e) => e.checkVisibility())
            .filter((e, _, all) => e.getBoundingClientRect().bottom
               > document.querySelector(".dock").getBoundingClientRect().top)
            .map((e) => e.outerHTML)"""
    )
    assert hidden == []
    view = f"document.querySelector('#view-{group}')"
    assert page.evaluate(f"{view}.scrollHeight <= {view}.clientHeight")


def test_programs_are_listed_with_their_icons(
    page: Page, panel: PanelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apps = tmp_path / "icons" / "hicolor" / "scalable" / "apps"
    apps.mkdir(parents=True)
    (apps / "fox.svg").write_bytes((files("livecover.panel") / "page" / "icon.svg").read_bytes())
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    players = [Player("Fox & Co/1", ("fox",)), Player("Plain")]
    inputs = [InputInfo(None, p.name, 2, 48000, True, f"app:{p.name}") for p in players]
    monkeypatch.setattr(choices, "list_players", lambda: players)
    monkeypatch.setattr(choices, "list_inputs", lambda: inputs)
    page.select_option("#input", label="Refresh list…")
    for name in ("input", "player"):
        shown = f"""[...document.querySelectorAll("#{name} option img")].slice(-2).map((img) =>
            [decodeURIComponent(new URL(img.src).pathname.split("/").slice(2).join("/")),
             img.complete && img.naturalWidth > 0]).join()"""
        wait_for(page, f"{shown} === 'icons/Fox & Co/1,true,symbols/program.svg,true'")
    page.select_option("#input", label="Fox & Co/1, 2 ch, 48000 Hz")
    wait_until("it is heard", lambda: panel._instrument.settings.audio.input == "app:Fox & Co/1")


def test_quit_asks_and_then_ends_the_program(browser: Browser, instrument: Instrument) -> None:
    ended = threading.Event()
    settings = PanelSettings(port=0)
    with (
        PanelServer(instrument, settings, on_quit=ended.set) as server,
        open_panel(browser, server.url) as page,
    ):
        page.click("#quit")
        page.click("#quitting >> text=Close")
        assert not ended.is_set()
        page.click("#quit")
        page.click("#quit-now")
        wait_until("the program is asked to end", ended.is_set)
        server.stop()
        wait_for(
            page, "document.querySelector('#veil-title').textContent === 'livecover has ended'"
        )


def test_a_panel_in_a_terminal_has_no_quit(page: Page) -> None:
    assert page.locator("#quit").is_hidden()


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
            """[...document.querySelectorAll(
                 ".dock .big-key, .stepper button, .row button, .beat .key")]
               .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 44)
               .map((e) => e.outerHTML)"""
        )
        assert small == []


def test_the_file_that_the_browser_is_given_leads_to_the_page(
    browser: Browser, panel: PanelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    monkeypatch.setattr(webbrowser, "open", given.append)
    monkeypatch.setattr(panel_browser, "has_window", lambda: True)
    monkeypatch.setattr(panel_browser, "cache_folder", lambda: tmp_path / "cache")
    with panel_browser.opened(panel.url):
        context = browser.new_context()
        page = context.new_page()
        page.goto(given[0])
        page.wait_for_selector("#presets .key")
        assert page.url == panel.url
        context.close()


def test_the_theme_switch_wins_over_the_system(page: Page) -> None:
    def ground() -> Any:
        return page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    dark = ground()
    page.click("#theme")
    assert ground() != dark
    page.reload()
    page.wait_for_selector("#presets .key")
    assert ground() != dark


def test_the_sound_is_set(page: Page, instrument: Instrument) -> None:
    page.click("#tab-sound")
    page.select_option("#monitor-device", label="USB Audio")
    page.locator("#piano-enabled").check()
    page.click("[aria-label='Mute the piano']")
    page.locator("#monitor-gain").press("Home")
    page.click("#tab-midi")
    page.select_option("#sync-port", label="Synth")
    page.click("[aria-label='Clock 1 ms later']")
    page.locator("#link").check()
    page.click("[aria-label='Link 1 ms earlier']")

    def is_set() -> bool:
        s = instrument.settings
        return (s.monitor, s.piano.enabled, s.piano.mute, s.sync) == (
            MonitorSettings("usb", -60.0),
            True,
            True,
            SyncSettings("Synth", 0.001, True, -0.001),
        )

    wait_until("all of it", is_set)
    state = "document.querySelector('#ports [data-state={}] .name')?.textContent === '{}'"
    instrument.seen_ports = [
        PortState("notes", "Synth", "gone"),
        PortState("controllers", "Pads", "refused", "in use"),
        PortState("clock", "Clock", "open"),
        PortState("link", "Ableton Link", "open", "2 peers"),
    ]
    wait_for(page, state.format("gone", "Synth"))
    wait_for(page, state.format("refused", "Pads"))
    assert page.locator("#ports .detail").all_inner_texts() == ["in use", "2 peers"]
    assert page.locator("#link-state").inner_text() == "2 peers"
    assert page.locator("#sync-state").inner_text() == "waits for a beat"
    page.keyboard.press("m")  # what was chosen in a list has given up the keys
    wait_until("mute", lambda: instrument.settings.play.mute)


def test_scenes_takes_and_log(page: Page, instrument: Instrument, tmp_path: Path) -> None:
    page.click("#tab-scenes")
    page.fill("#scene-name", "Verse")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-scene=Verse]")
    instrument.change({"midi.octave": 1})
    page.click("[data-scene=Verse]")
    wait_until("the scene", lambda: instrument.settings.midi.octave == 0)
    page.locator("#scene-programs").check()
    wait_until("program", lambda: instrument.settings.control.map["program"] == "scenes")

    instrument.change({"record.folder": str(tmp_path)})
    a_take(tmp_path, "x Take 1", ".mid")
    page.click("#tab-takes")
    page.wait_for_selector("#takes >> text=x Take 1")
    assert page.locator("#takes .about").inner_text() == "1:01, 7 notes"
    page.click("[aria-label='Delete x Take 1']")
    page.click("#delete >> text=Keep")
    assert TakeFiles(tmp_path, "x Take 1").midi.exists()
    page.click("[aria-label='Delete x Take 1']")
    page.click("#delete .danger")
    page.wait_for_selector("#takes-none:visible")
    assert not TakeFiles(tmp_path, "x Take 1").midi.exists()

    page.click("#tab-log")
    logging.getLogger("livecover").error("the synth is gone")
    page.wait_for_selector("#log [data-level=error] >> text=the synth is gone")
    page.reload()
    page.wait_for_selector("#log >> text=the synth is gone")  # the tab stays, and so does the log


def test_chord_key_and_bars_are_named(page: Page, instrument: Instrument) -> None:
    page.keyboard.press("Space")
    wait_until("it plays", lambda: instrument.is_playing)
    instrument.play(*((0.2 + 0.4 * k, pitch, 80) for k in range(6) for pitch in (45, 60, 64, 67)))
    wait_for(page, "document.querySelector('#chord').textContent === 'Am7'")
    wait_for(page, "document.querySelector('#key').textContent !== ''")


def test_latency_is_set_by_the_millisecond(page: Page, instrument: Instrument) -> None:
    page.locator("#latency").fill("333")
    page.locator("#latency").press("Enter")
    wait_until("the latency", lambda: instrument.settings.time.latency == 0.333)
    page.keyboard.press("h")  # the field has given up the keys
    wait_until("hold", lambda: instrument.settings.play.hold)


def test_a_small_tablet_shows_all_that_ends_the_music(browser: Browser, panel: PanelServer) -> None:
    with open_panel(browser, panel.url, {"width": 1024, "height": 600}) as page:
        assert page.evaluate("document.documentElement.scrollHeight") <= 600
        for name in ("#start", ".panic", "#record", "#beat", "#roll"):
            box = page.locator(name).bounding_box()
            assert box is not None and box["y"] >= 0 and box["y"] + box["height"] <= 600
        wide = page.evaluate(
            """[...document.querySelectorAll(".link, .bar, .beat, .dock, .tabs")]
               .filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.className)"""
        )
        assert wide == []
        page.click(".panic")


def test_the_address_is_shown_renewed_and_followed(
    browser: Browser, instrument: Instrument
) -> None:
    with PanelServer(instrument, PanelSettings(host="0.0.0.0", port=0)) as server:
        with open_panel(browser, server.url) as page:
            page.click("#tablet-open")
            if server.network_url:  # where this machine has a network
                assert page.locator("#tablet-address").inner_text() == server.network_url
                wait_for(page, "document.querySelector('#tablet-code').naturalWidth > 0")
            before = server.url
            page.click("#tablet-renew")
            page.wait_for_url(lambda url: not url.startswith(before))
            page.wait_for_selector("#presets .key")
            assert page.url == server.url != before


def test_an_old_page_says_that_the_server_is_new(
    browser: Browser, instrument: Instrument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bookmark finds the next livecover; a page of the one before says so and loads anew."""
    tokens = TokenFile(tmp_path / "token")
    with PanelServer(instrument, PanelSettings(port=0), tokens=tokens) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        context = browser.new_context(viewport=DESK)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("#presets .key")
        first = server.url
    monkeypatch.setattr("livecover.panel.web.server.fingerprint", lambda page: "another")
    with PanelServer(instrument, PanelSettings(port=port), tokens=tokens) as server:
        assert server.url == first
        page.click("#newer-load")
        page.wait_for_selector("#presets .key")
        assert page.locator("#newer").is_hidden()
        context.close()


def test_the_keys_are_those_of_the_docs(page: Page) -> None:
    table = (Path(__file__).parents[2] / "docs" / "panel.md").read_text().split("## Keys")[1]
    documented = re.findall(r"^\| (.+?) \|", table.split("\n## ")[0], re.MULTILINE)[1:]
    words = " ".join(documented).replace(", then arrows", "").replace("1 to 9", "1–9").split()
    keys = [word if len(word) == 1 else word.rstrip(",") for word in words if word != "and"]
    page.keyboard.press("?")
    assert sorted(keys) == sorted(page.locator("#help kbd").all_inner_texts())


@pytest.mark.parametrize("size", [DESK, {"width": 1024, "height": 600}, PHONE])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing(
    theme: str, size: dict[str, int], browser: Browser, panel: PanelServer, tmp_path: Path
) -> None:
    """In every group of controls and every dialog, as axe-core judges (WCAG 2.2 AA)."""
    a_take(tmp_path, "x Take 1", ".mid", ".flac")
    panel._instrument.change({"record.folder": str(tmp_path)})
    panel._instrument.scenes.keep("Verse")
    with open_panel(browser, panel.url, size, color_scheme=theme, bypass_csp=True) as page:
        for tab in ("play", "sound", "midi", "scenes", "takes", "log"):
            page.click(f"#tab-{tab}")
            page.wait_for_timeout(150)
            assert findings(page) == []
        for opener, dialog in (("#help-open", "#help"), ("#tablet-open", "#tablet")):
            page.click(opener)
            assert findings(page) == []
            page.locator(dialog).press("Escape")


def findings(page: Page) -> list[str]:
    """Return axe's findings, a line each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:150]} {node.get('failureSummary', '')[:200]}"
        for one in found
        for node in one["nodes"]
    ]


def test_a_song_is_opened_paused_sought_and_looped(
    page: Page, instrument: Instrument, tmp_path: Path
) -> None:
    asked: list[SongCommand] = []
    instrument.song.command = asked.append  # type: ignore[assignment, method-assign]
    soundfile.write(tmp_path / "song.wav", np.zeros(8000), 8000)
    page.locator("#tab-sound").click()
    page.locator("#song-file").set_input_files(tmp_path / "song.wav")
    wait_until("it is the input", lambda: instrument.settings.audio.input.endswith("song.wav"))
    wait_for(page, "document.querySelector('#live').textContent.includes('Save leaves it out')")
    page.click("#save")
    page.wait_for_selector("#unsaved-song:visible")
    page.click("#unsaved >> text=Close")
    assert page.locator("#song-pause").is_disabled()
    instrument.is_playing = True
    instrument.seen = Status(1.0, is_connected=True, song=SongPlace(20.0, 60.0))
    wait_for(page, "document.querySelector('#song-clock').textContent === '0:20 of 1:00'")
    page.locator("#song-pause").click()
    page.locator("#song-a").click()
    instrument.seen = replace(instrument.seen, song=SongPlace(30.0, 60.0, is_paused=True))
    wait_for(page, "document.querySelector('#song-pause').textContent === 'Play'")
    page.locator("#song-b").click()
    page.locator("#song-pause").click()
    page.locator("#song-place").fill("45")
    page.locator("#song-unloop").click()
    wait_until("all is asked", lambda: len(asked) == 5)
    assert asked == [
        SongCommand("pause"),
        SongCommand("loop", 20.0, 30.0),
        SongCommand("play"),
        SongCommand("seek", 45.0),
        SongCommand("unloop"),
    ]
