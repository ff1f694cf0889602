"""Song and piano together, and a measured way out, asked for by a page."""

from typing import Any

import pytest

from engine.core.errors import ConfigError, DeviceError
from engine.signal.clicks import WayOut
from livecover.instrument import together
from livecover.panel import command_runner
from livecover.panel.command_runner import CommandRunner
from livecover.panel.requests import Change, Do
from tests.livecover.panel.fakes import FakeInstrument
from tests.messages import refused


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

    monkeypatch.setattr(command_runner, "calibrate", calibrate)
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
