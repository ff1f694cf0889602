"""What ``livecover together`` sets, on systems that are not at hand too."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from engine.audio.loopback import together
from engine.core.errors import ConfigError, DeviceError
from engine.core.settings import AudioSettings, TimeSettings
from engine.playback.outputs import device, opening
from livecover.instrument.together import TOGETHER_LATENCY_S, for_together
from livecover.settings.output import MonitorSettings
from livecover.settings.sections import Settings
from tests.messages import refused


def test_input_monitor_and_piano() -> None:
    settings = for_together(Settings(), {}, "linux")
    assert settings.audio.input == "together" and settings.piano.enabled
    assert settings.monitor.device == "default"


def test_an_output_that_is_named_stays() -> None:
    mine = replace(Settings(), monitor=MonitorSettings("Headphones"))
    assert for_together(mine, {"audio.input": "together"}, "win32").monitor.device == "Headphones"


def test_the_song_waits_so_that_its_notes_are_heard_well() -> None:
    assert for_together(Settings(), {}, "linux").time.latency == TOGETHER_LATENCY_S
    chosen = replace(Settings(), time=TimeSettings(latency=0.25))
    assert for_together(chosen, {}, "linux").time.latency == 0.25
    assert for_together(Settings(), {"time.latency": None}, "linux").time.latency is None


def test_another_input_is_refused() -> None:
    with refused(ConfigError, "'mic'", "--input", "--monitor"):
        for_together(Settings(), {"audio.input": "mic"}, "linux")


class Names:
    """PortAudio's outputs, the first of them the default."""

    def __init__(self, *names: str) -> None:
        self.default = type("Default", (), {"device": (0, 0)})
        self.found: list[dict[str, Any]] = [
            {"index": index, "name": name} for index, name in enumerate(names)
        ]


@pytest.mark.parametrize(
    ("names", "heard"),
    [
        (("Speakers",), "default"),
        (("BlackHole 2ch", "BlackHole 16ch", "MacBook Speakers"), "MacBook Speakers"),
        (("CABLE Input (VB-Audio Virtual Cable)", "Realtek"), "Realtek"),
    ],
)
def test_elsewhere_an_output_that_is_heard(
    names: tuple[str, ...], heard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, names)
    assert for_together(Settings(), {}, "darwin").monitor.device == heard


def test_virtual_outputs_alone_are_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, ("BlackHole 2ch",))
    with refused(DeviceError, "virtual", "headphones"):
        for_together(Settings(), {}, "darwin")


def use(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    listed = Names(*names)
    monkeypatch.setattr(opening, "portaudio", lambda: listed)
    for module in (opening, device):
        monkeypatch.setattr(module, "devices", lambda *_: listed.found)


def test_elsewhere_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "list_virtual_devices", lambda: [])
    with refused(DeviceError, "BlackHole", "livecover together"):
        together.open_together(AudioSettings(), "darwin")
    speakers: Any = SimpleNamespace(name="Loopback of Realtek")
    monkeypatch.setattr(together, "WasapiLoopback", lambda *_: speakers)
    with refused(DeviceError, "VB-CABLE", "livecover together"):
        together.open_together(AudioSettings(), "win32")
    speakers.name = "Loopback of CABLE Input"
    assert together.open_together(AudioSettings(), "win32") is speakers
