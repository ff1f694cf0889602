"""``livecover devices``: what to type for each thing, and a word where a part is missing."""

import pytest

from engine.audio.opening import InputInfo
from engine.core.errors import DeviceError, MidiError
from engine.playback.outputs.opening import OutputInfo
from livecover.commands import devices as subject
from livecover.commands.devices import describe_devices

INPUTS = [
    InputInfo(None, "Monitor of Speakers", 2, 48000, True, "loopback"),
    InputInfo(3, "USB Audio", 1, 44100, False, "USB Audio"),
]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two inputs, a port, a model and two providers."""
    monkeypatch.setattr(subject, "list_inputs", lambda: INPUTS)
    monkeypatch.setattr(subject, "list_ports", lambda: ["Yamaha P-125:MIDI 1 20:0"])
    monkeypatch.setattr(subject, "list_controllers", lambda: ["Launchpad:MIDI 1 24:0"])
    outputs = [OutputInfo("alsa_output.pci", "Built-in Audio")]
    monkeypatch.setattr(subject, "list_outputs", lambda: outputs)
    monkeypatch.setattr(subject, "midi_system", lambda: "ALSA")
    monkeypatch.setattr(subject, "list_models", lambda: ("live", "transcribe"))
    monkeypatch.setattr(subject, "available_providers", lambda: ("cuda", "cpu"))


def rows(lines: list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines]


@pytest.mark.usefixtures("machine")
def test_everything_with_what_to_type() -> None:
    assert rows(describe_devices()) == [
        "Inputs (* records what this computer plays)",
        "* Monitor of Speakers, 2 ch, 48000 Hz --input loopback",
        'USB Audio, 1 ch, 44100 Hz --input "USB Audio"',
        "an audio file --input song.mp3",
        "",
        "Outputs, for the song or the piano",
        "Built-in Audio --monitor alsa_output.pci",
        "",
        "MIDI ports",
        'Yamaha P-125:MIDI 1 20:0 --midi-out "Yamaha P-125:MIDI 1 20:0"',
        "a new virtual port (ALSA) --midi-out LiveCover",
        "a MIDI file --midi-out take.mid",
        "",
        "Controllers",
        'Launchpad:MIDI 1 24:0 --control "Launchpad:MIDI 1 24:0"',
        'a new virtual port (ALSA) --control "LiveCover Control"',
        "",
        "Models",
        "live --model live",
        "transcribe --model transcribe",
        "a file --model path/to/model.onnx",
        "",
        "ONNX Runtime providers",
        "cuda --provider cuda",
        "cpu --provider cpu",
    ]


@pytest.mark.usefixtures("machine")
def test_what_is_missing_is_said_and_the_rest_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_audio() -> list[InputInfo]:
        raise DeviceError("audio input needs PortAudio")

    def no_midi() -> list[str]:
        raise MidiError("no MIDI system answers")

    monkeypatch.setattr(subject, "list_inputs", no_audio)
    monkeypatch.setattr(subject, "list_ports", no_midi)
    monkeypatch.setattr(subject, "list_models", lambda: ())
    lines = rows(describe_devices())
    assert "none: audio input needs PortAudio" in lines
    assert "none: no MIDI system answers" in lines
    for always in (
        "an audio file --input song.mp3",
        "a MIDI file --midi-out take.mid",
        "a file --model path/to/model.onnx",
    ):
        assert always in lines
    assert "cpu --provider cpu" in lines
