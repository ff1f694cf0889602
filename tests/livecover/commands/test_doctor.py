"""``livecover doctor``: a check passes with what was found, fails with what to do."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from engine.audio.opening import InputInfo
from engine.core.errors import DeviceError, MidiError, ModelError
from engine.core.notes import NoteEvent, Posteriors
from engine.core.settings import AudioSettings, MidiSettings, ModelSettings
from livecover.commands import doctor as subject
from livecover.commands import doctor_configured
from livecover.commands.doctor import Check, real_time_factor, run_checks
from livecover.commands.doctor_configured import check_input, check_output, check_plugin, check_port
from livecover.settings.output import MonitorSettings, PianoSettings
from livecover.settings.sections import Settings
from tests.messages import refused, says


class FakePipeline:
    """Takes ``cost`` seconds of a clock of its own for each block."""

    def __init__(self, cost: float = 0.0) -> None:
        self.spec = SimpleNamespace(
            name="tiny",
            version="1",
            kind="stateful",
            styles={"calm": [], "intense": []},
            features=SimpleNamespace(sample_rate=16000),
        )
        self.now = 0.0
        self.n_samples = 0
        self._cost = cost

    def push(self, samples: Any) -> Posteriors:
        self.n_samples += len(samples)
        self.now += self._cost
        none = np.zeros((0, 88), np.float32)
        return Posteriors(np.zeros(0, np.int64), none, none, none)


class Port:
    """A port that keeps the notes it gets; one called New was made."""

    got: ClassVar[list[tuple[int, int, int]]] = []

    def __init__(self, name: str) -> None:
        self.is_virtual = name in ("New", "LiveCover")

    def send(self, event: NoteEvent) -> None:
        self.got.append((event.pitch, event.velocity, event.channel))

    def close(self) -> None: ...


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where all is well."""
    inputs = [InputInfo(i, f"Input {i}", 2, 48000, False, str(i)) for i in range(4)]
    source = SimpleNamespace(name="Monitor of Speakers", sample_rate=48000)
    monkeypatch.setattr(subject, "list_inputs", lambda: inputs)
    monkeypatch.setattr(subject, "open_loopback", lambda audio: source)
    monkeypatch.setattr(subject, "list_ports", lambda: ["a port"])
    monkeypatch.setattr(subject, "midi_system", lambda: "ALSA")
    monkeypatch.setattr(subject, "PortSink", lambda name: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(doctor_configured, "PortSink", Port)
    monkeypatch.setattr(subject, "load_pipeline", lambda *args: FakePipeline())


def checks(settings: Settings | None = None) -> dict[str, Check]:
    return {check.name: check for check in run_checks(settings or Settings())}


@pytest.mark.usefixtures("machine")
def test_all_is_well() -> None:
    found = checks()
    assert all(check.is_ok for check in found.values())
    assert list(found) == [
        "system",
        "audio",
        "loopback",
        "MIDI",
        "provider",
        "model",
        "headroom",
        "piano",
        "input",
        "port",
        "output",
        "plugin",
        "priority",
        "manual",
    ]
    assert found["audio"].text == "4 inputs: Input 0, Input 1, Input 2, ..."
    assert found["loopback"].text == "Monitor of Speakers, 48000 Hz"
    assert found["MIDI"].text == "ALSA, virtual ports can be opened, ports of others: 1"
    assert found["provider"].text == "cpu"
    assert found["piano"].text.startswith("FluidSynth plays ")
    assert found["manual"].text.endswith("config.toml")
    assert found["model"].text == "tiny 1, stateful, styles: calm, intense"


def fails_with(error: BaseException) -> Any:
    def fail(*args: object) -> None:
        raise error

    return fail


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("part", "replacement", "failed", "message"),
    [
        (
            "list_inputs",
            lambda: [],
            {"audio"},
            ("no input", "microphone", "--input"),
        ),
        (
            "list_inputs",
            fails_with(DeviceError("needs PortAudio")),
            {"audio"},
            ("needs PortAudio",),
        ),
        ("open_loopback", fails_with(DeviceError("no server")), {"loopback"}, ("no server",)),
        ("list_ports", fails_with(MidiError("no MIDI system")), {"MIDI"}, ("no MIDI system",)),
        ("PortSink", fails_with(MidiError("install loopMIDI")), {"MIDI"}, ("install loopMIDI",)),
        ("load_pipeline", fails_with(ModelError("gone")), {"model", "headroom"}, ("gone",)),
        (
            "FluidPiano",
            fails_with(DeviceError("needs FluidSynth")),
            {"piano"},
            ("needs FluidSynth", "--piano"),
        ),
    ],
)
def test_a_failure_says_what_to_do_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    replacement: Any,
    failed: set[str],
    message: tuple[str, ...],
) -> None:
    monkeypatch.setattr(subject, part, replacement)
    found = checks()
    assert {name for name, check in found.items() if not check.is_ok} == failed
    for name in failed:
        says(found[name].text, *message, str(subject.TROUBLE), name.lower())


@pytest.mark.usefixtures("machine")
def test_an_unknown_provider() -> None:
    found = checks(Settings(model=ModelSettings(provider="abacus")))
    assert not found["provider"].is_ok
    assert "not 'abacus'" in found["provider"].text


def test_real_time_factor_counts_one_second_of_audio() -> None:
    pipeline = FakePipeline(cost=0.002)
    factor = real_time_factor(pipeline, lambda: pipeline.now)  # type: ignore[arg-type]
    assert pipeline.n_samples == 16000
    assert factor == pytest.approx(0.002 * np.ceil(1 / subject.BLOCK_S))


@pytest.mark.usefixtures("machine")
def test_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = FakePipeline(cost=0.016)
    monkeypatch.setattr(subject, "load_pipeline", lambda *args: pipeline)
    found = {check.name: check for check in run_checks(Settings(), lambda: pipeline.now)}
    assert not found["headroom"].is_ok
    advice = ("busy programs", "charger", "--model")
    says(
        found["headroom"].text,
        "1.01",
        "1 thread",
        "0.50",
        *advice,
        str(subject.TROUBLE),
        "headroom",
    )


@pytest.mark.usefixtures("machine")
def test_every_check_has_a_heading_in_the_page() -> None:
    page = subject.TROUBLE.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    assert {name.lower() for name in checks()} <= {heading.lower() for heading in headings}


@pytest.mark.usefixtures("machine")
def test_what_nobody_thought_of_fails_one_check_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def unanswered() -> list[str]:
        raise PermissionError(13, "Permission denied", "/dev/snd/seq")

    monkeypatch.setattr(subject, "list_ports", unanswered)
    found = checks()
    assert found["MIDI"] == Check("MIDI", False, "/dev/snd/seq: Permission denied")
    assert found["model"].is_ok


def test_a_test_note_sounds_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_configured, "PortSink", Port)
    monkeypatch.setattr(Port, "got", [])
    waited: list[float] = []
    names = ("Synth", "New", str(tmp_path / "take.mid"))
    text = check_port(Settings(midi=MidiSettings(names, channel=3)), waited.append)
    assert Port.got == [(60, 64, 3), (60, 0, 3)] and waited == [doctor_configured.TEST_S]
    assert "Synth has taken a test note" in text and "New will be made" in text
    assert "take.mid can be written" in text and not (tmp_path / "take.mid").exists()


def test_a_note_ends_also_where_waiting_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_configured, "PortSink", Port)
    monkeypatch.setattr(Port, "got", [])
    with pytest.raises(KeyboardInterrupt):
        check_port(Settings(midi=MidiSettings(("Synth",))), fails_with(KeyboardInterrupt()))
    assert Port.got[-1] == (60, 0, 1)


def test_what_the_settings_name_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    device = SimpleNamespace(
        name="USB", sample_rate=48000, n_channels=2, close=lambda: closed.append("output")
    )
    device.stop = lambda: closed.append("input")
    device.is_heard_in = lambda source: source == "its monitor"
    monkeypatch.setattr(doctor_configured, "open_source", lambda text, audio: device)
    monkeypatch.setattr(doctor_configured, "open_output", lambda name: device)
    monkeypatch.setattr(
        doctor_configured,
        "open_live_synth",
        lambda piano, rate: SimpleNamespace(close=lambda: closed.append("plugin")),
    )
    chosen = Settings(
        audio=AudioSettings(input="USB"),
        monitor=MonitorSettings("USB"),
        piano=PianoSettings(plugin="grand.vst3"),
    )
    assert check_input(chosen) == "USB, 48000 Hz, 2 ch"
    assert check_output(chosen) == "USB, 48000 Hz"
    assert check_plugin(chosen) == "grand.vst3 can be loaded"
    assert closed == ["input", "input", "output", "plugin"]
    assert check_input(Settings()).startswith("what this computer plays")
    assert check_output(Settings()).startswith("off") and check_plugin(Settings()).startswith(
        "none"
    )
    device.name = "its monitor"
    with refused(DeviceError, "its monitor", "livecover together"):
        check_output(chosen)
    missing = fails_with(DeviceError("no output is called USB"))
    monkeypatch.setattr(doctor_configured, "open_output", missing)
    with pytest.raises(DeviceError):
        check_output(chosen)
