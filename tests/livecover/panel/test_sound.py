"""Song and piano together, and a measured way out, asked for by a page."""

import threading
from typing import Any

import pytest

from engine.core.errors import ConfigError, DeviceError
from engine.signal.clicks import WayOut
from livecover.instrument import together
from livecover.panel import measurement
from livecover.panel.command_runner import CommandRunner
from livecover.panel.requests import Change, Do
from livecover.panel.web.server import PanelServer
from livecover.settings.panel import PanelSettings
from tests.livecover.panel.fakes import TIMEOUT, Client, FakeInstrument
from tests.messages import refused, says


def heard(instrument: FakeInstrument) -> tuple[str, str, bool]:
    settings = instrument.settings
    return settings.audio.input, settings.monitor.device, settings.piano.enabled


@pytest.fixture(autouse=True)
def outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "audible_output", lambda platform: "default")


def test_together_and_back_again() -> None:
    instrument = FakeInstrument()
    runner = CommandRunner(instrument)
    runner.run(Change({"audio.input": "mic"}))
    runner.run(Do("together"))
    assert heard(instrument) == ("together", "default", True)
    assert instrument.is_playing
    runner.run(Do("together"))
    assert heard(instrument) == ("mic", "off", False)
    assert not instrument.is_playing


def test_what_began_together_goes_back_to_what_is_usual() -> None:
    instrument = FakeInstrument()
    instrument.change({"audio.input": "together", "monitor.device": "x", "piano.enabled": True})
    CommandRunner(instrument).run(Do("together"))
    assert heard(instrument) == ("loopback", "off", False)


def test_what_cannot_begin_leaves_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument = FakeInstrument()

    def start() -> None:
        raise DeviceError("another livecover plays song and piano together already")

    monkeypatch.setattr(instrument, "start", start)
    with refused(DeviceError, "another livecover"):
        CommandRunner(instrument).run(Do("together"))
    assert heard(instrument) == ("loopback", "off", False)


def test_a_way_out_is_measured_while_nothing_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    def calibrate(*_: Any) -> tuple[str, WayOut]:
        return "Headphones", WayOut(0.15237, 0.15, 0.16, 12)

    monkeypatch.setattr(measurement, "calibrate", calibrate)
    instrument = FakeInstrument()
    runner = CommandRunner(instrument)
    instrument.start()
    with refused(ConfigError, "stop first"):
        runner.run(Do("calibrate"))
    instrument.stop()
    assert runner.run(Do("calibrate")) == {
        "type": "calibrated",
        "output": "Headphones",
        "seconds": 0.1524,
        "low": 0.15,
        "high": 0.16,
        "n_heard": 12,
    }
    assert instrument.settings.calibration.outputs == {"Headphones": 0.1524}


class Clicks:
    """A measurement that goes on until it is stopped."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began = threading.Event()
        monkeypatch.setattr(measurement, "calibrate", self._calibrate)

    def _calibrate(self, _: object, stop: threading.Event, __: object) -> tuple[str, WayOut]:
        self.began.set()
        assert stop.wait(TIMEOUT)
        raise DeviceError("stopped")


@pytest.mark.parametrize("ending", ["stop", "panic", "start", "cancel_calibration"])
def test_nothing_waits_for_a_measurement_which_can_be_ended(
    ending: str, panel: PanelServer, instrument: FakeInstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks = Clicks(monkeypatch)
    with Client(panel.url) as page:
        page.say(type="do", action="calibrate")
        assert clicks.began.wait(TIMEOUT)
        assert hear_measuring(page, True)
        page.say(type="change", values={"midi.transpose": 2})
        assert instrument.changed.wait(TIMEOUT)
        page.say(type="do", action="calibrate")
        says(page.hear("error")["text"], "measured already", "cancel")
        page.say(type="do", action=ending)
        assert hear_measuring(page, False)
        assert instrument.settings.calibration.outputs == {}
        if ending != "cancel_calibration":
            assert ending in instrument.asked
            assert instrument.is_playing == (ending == "start")


def test_a_measurement_ends_with_the_panel(
    instrument: FakeInstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks = Clicks(monkeypatch)
    with PanelServer(instrument, PanelSettings(port=0)) as panel, Client(panel.url) as page:
        page.say(type="do", action="calibrate")
        assert clicks.began.wait(TIMEOUT)
        assert panel._sessions is not None
        measured = panel._sessions.runner.measurement
    with measured._running:
        assert instrument.settings.calibration.outputs == {}


def test_what_a_measurement_says_is_told(
    panel: PanelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calibrate(*_: object) -> tuple[str, WayOut]:
        raise DeviceError("no click was heard:\nturn it up")

    monkeypatch.setattr(measurement, "calibrate", calibrate)
    with Client(panel.url) as page:
        page.say(type="do", action="calibrate")
        assert page.hear("error")["text"] == "no click was heard: turn it up"
        assert hear_measuring(page, False)


def hear_measuring(page: Client, wanted: bool) -> bool:
    """Return once the state says so."""
    while page.hear("status")["measuring"] != wanted:
        pass
    return True
