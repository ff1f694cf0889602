"""What is measured by which settings, and what is done about a way out."""

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.errors import ConfigError
from engine.core.settings import AccompanySettings, AudioSettings, MidiSettings
from engine.signal.clicks import WayOut
from livecover import cli
from livecover.instrument import calibration as subject
from livecover.instrument.calibration import calibrate, describe
from livecover.instrument.way_out import port_way_out, sent_ahead
from livecover.settings.calibration import CalibrationSettings
from livecover.settings.output import MonitorSettings, PianoSettings
from livecover.settings.sections import Settings
from livecover.settings.source import load_settings
from tests.messages import refused

FOUND = WayOut(0.0342, 0.033, 0.036, 12)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was measured, on devices that are all there."""
    asked: list[str] = []

    def measure(what: Any, source: Any, stop: Any, **_: Any) -> WayOut:
        asked.append(f"{what.name} by {source.name}")
        return FOUND

    def named(name: str) -> Any:
        return SimpleNamespace(name=name, is_virtual=False, close=lambda: None)

    def playback(output: Any, reopen: Any) -> Any:
        return SimpleNamespace(name=output.name, shut_down=lambda: asked.append("closed"))

    monkeypatch.setattr(subject, "open_source", lambda text, audio: named(text))
    monkeypatch.setattr(subject, "open_output", named)
    monkeypatch.setattr(subject, "PlaybackThread", playback)
    monkeypatch.setattr(subject, "PortSink", named)
    monkeypatch.setattr(subject, "measure_output", measure)
    monkeypatch.setattr(subject, "measure_port", measure)
    return asked


def run(settings: Settings, is_port: bool | None = None) -> str:
    return calibrate(settings, threading.Event(), lambda line: None, is_port)[0]


def test_an_output_of_our_own_or_the_port(measured: list[str]) -> None:
    both = replace(Settings(), monitor=MonitorSettings("Headphones"))
    assert run(Settings()) == run(both, is_port=True) == "LiveCover"
    assert run(both) == "Headphones"
    assert run(replace(Settings(), piano=PianoSettings(enabled=True))) == "default"
    assert measured == [
        "LiveCover by loopback",
        "LiveCover by loopback",
        "Headphones by loopback",
        "closed",
        "default by loopback",
        "closed",
    ]


def test_a_file_hears_nothing_and_takes_no_notes(measured: list[str]) -> None:
    with refused(ConfigError, "'song.wav'", "--input", "mic"):
        run(replace(Settings(), audio=AudioSettings(input="song.wav")))
    with refused(ConfigError, "midi.midi_out", "--midi-out", "--monitor"):
        run(replace(Settings(), midi=MidiSettings(midi_out=("a.mid",))))


def test_the_command_saves_it(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    words = ["calibrate", "--monitor", "Headphones", "--input", "mic", "--config", str(path)]
    path.touch()
    assert cli.main(words) == 0
    assert load_settings(path, {}).calibration.outputs == {"Headphones": 0.0342}
    assert describe("Headphones", FOUND) in capsys.readouterr().out
    assert cli.main([*words, "--midi-out", "Piano"]) == 0
    assert load_settings(path, {}).calibration.outputs["Piano"] == 0.0342


def test_a_daw_s_piano_is_waited_for_or_its_notes_are_sent_ahead() -> None:
    known = CalibrationSettings(nudge=0.01, outputs={"LiveCover": 0.03, "other": 0.2})
    plain = replace(Settings(), calibration=known, accompany=AccompanySettings(ahead=0.02))
    assert port_way_out(plain) == pytest.approx(0.04)
    assert sent_ahead(plain).accompany.ahead == pytest.approx(0.06)
    heard = replace(plain, monitor=MonitorSettings("default"))
    assert port_way_out(heard) == pytest.approx(0.03)  # the nudge is the output's
    assert sent_ahead(heard) == heard
    own = replace(plain, piano=PianoSettings(enabled=True))
    assert port_way_out(own) == 0.0 and sent_ahead(own).accompany.ahead == 0.02
