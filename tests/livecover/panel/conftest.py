"""A panel on a free loopback port, and no real devices."""

from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from engine.audio.loopback.players import Player
from engine.audio.opening import InputInfo
from engine.core.errors import MidiError
from engine.playback.outputs.opening import OutputInfo
from livecover.panel import choices
from livecover.panel.web.server import PanelServer
from livecover.settings.panel import PanelSettings
from tests.livecover.panel.fakes import FakeInstrument


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One input, no MIDI system, two models, and nothing of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *a, **k: tmp_path / "none")

    def no_midi() -> list[str]:
        raise MidiError("no MIDI system answers:\nstart one")

    monkeypatch.setattr(
        choices, "list_inputs", lambda: [InputInfo(3, "USB Audio", 2, 48000, False, "USB Audio")]
    )
    monkeypatch.setattr(choices, "list_ports", no_midi)
    monkeypatch.setattr(choices, "list_outputs", lambda: [OutputInfo("usb", "USB Audio")])
    monkeypatch.setattr(choices, "list_players", lambda: [Player("Firefox", ("firefox",))])
    monkeypatch.setattr(choices, "list_models", lambda: ("live", "transcribe"))


@pytest.fixture
def instrument() -> FakeInstrument:
    return FakeInstrument()


@pytest.fixture
def panel(instrument: FakeInstrument) -> Iterator[PanelServer]:
    """A panel of it, that asks for times of drawing."""
    with PanelServer(instrument, PanelSettings(port=0), measure=True) as server:
        yield server
