"""Every value that a setting refuses, with what it says."""

from collections.abc import Callable

import pytest

from engine.core.errors import ConfigError
from engine.core.settings import (
    AudioSettings,
    DecoderSettings,
    EngineSettings,
    GateSettings,
    MidiSettings,
    ModelSettings,
    TimeSettings,
)
from models.spec import STYLE_DIM, Decoding
from tests.messages import refused


def test_defaults_are_valid() -> None:
    settings = EngineSettings()
    assert settings.midi.midi_out == ("LiveCover",)
    assert settings.time.backlog_limit == pytest.approx(0.27)
    assert TimeSettings(backlog=1.0).backlog_limit == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AudioSettings(input=" "), ("audio.input", "text", "' '")),
        (lambda: AudioSettings(block_size=8), ("audio.block_size", "16")),
        (lambda: AudioSettings(block_size=256.0), ("16384", "256.0")),  # type: ignore[arg-type]
        (lambda: AudioSettings(block_size=True), ("16", "16384", "True")),
        (lambda: AudioSettings(sample_rate=100), ("audio.sample_rate", "100")),
        (lambda: AudioSettings(ring=0.1), ("audio.ring", "0.5", "60", "0.1")),
        (lambda: ModelSettings(model=""), ("model.model", "text")),
        (lambda: ModelSettings(provider=""), ("model.provider", "text")),
        (lambda: ModelSettings(threads=0), ("model.threads", "1", "256")),
        (lambda: ModelSettings(style=""), ("model.style", "text")),
        (lambda: ModelSettings(style=" from: "), ("model.style", "MIDI file", "from:")),
        (lambda: ModelSettings(style=1.5), ("model.style", "0", "1", "calm")),
        (lambda: ModelSettings(style=True), ("model.style", "True")),
        (lambda: ModelSettings(style=(0.0,) * 3), ("0", "1", "24")),
        (lambda: ModelSettings(style=None), ("0", "1", "24", "None")),  # type: ignore[arg-type]
        (lambda: ModelSettings(style=("x",) * 24), ("model.style", "number")),  # type: ignore[arg-type]
        (lambda: DecoderSettings(onset_threshold=1.1), ("decoder.onset_threshold", "0", "1")),
        (lambda: DecoderSettings(melody_threshold=-1), ("decoder.melody_threshold", "0", "1")),
        (
            lambda: DecoderSettings(frame_on_threshold=0.2, frame_off_threshold=0.3),
            ("decoder.frame_off_threshold", "0.3", "decoder.frame_on_threshold"),
        ),
        (lambda: DecoderSettings(notes_per_second=-1), ("decoder.notes_per_second", "50")),
        (lambda: DecoderSettings(density=0), ("decoder.density", "0.1", "4")),
        (lambda: DecoderSettings(minimum_note=2), ("decoder.minimum_note", "1", "2")),
        (lambda: DecoderSettings(minimum_gap=-1), ("decoder.minimum_gap", "1", "-1")),
        (lambda: DecoderSettings(maximum_note=0), ("decoder.maximum_note", "3600", "0")),
        (lambda: DecoderSettings(polyphony=0), ("decoder.polyphony", "88", "0")),
        (lambda: MidiSettings(midi_out=()), ("midi.midi_out", "port", ".mid")),
        (lambda: MidiSettings(midi_out=("",)), ("midi.midi_out", "text")),
        (lambda: MidiSettings(channel=0), ("midi.channel", "1", "16")),
        (lambda: MidiSettings(transpose=99), ("midi.transpose", "48", "99")),
        (lambda: MidiSettings(velocity_curve="x"), ("midi.velocity_curve", "linear", "soft")),
        (lambda: TimeSettings(latency=-0.1), ("time.latency", "0", "60")),
        (lambda: TimeSettings(late_tolerance=11), ("time.late_tolerance", "10", "11")),
        (lambda: TimeSettings(compute_allowance=-1), ("time.compute_allowance", "10")),
        (lambda: TimeSettings(output_allowance=2), ("time.output_allowance", "1", "2")),
        (lambda: TimeSettings(backlog=0), ("time.backlog", "0.01", "60")),
        (lambda: TimeSettings(backlog=float("nan")), ("time.backlog", "nan")),
        (lambda: GateSettings(enabled=1), ("gate.enabled", "true or false", "1")),  # type: ignore[arg-type]
        (lambda: GateSettings(threshold_dbfs=0), ("gate.threshold_dbfs", "-1", "0")),
        (lambda: GateSettings(hold=0), ("gate.hold", "0.1", "3600", "0")),
        (lambda: GateSettings(lead_in=2), ("gate.lead_in", "0", "1", "2")),
    ],
)
def test_wrong_values_are_refused(make: Callable[[], object], message: tuple[str, ...]) -> None:
    with refused(ConfigError, *message):
        make()


def test_one_output_may_be_given_bare() -> None:
    assert MidiSettings(midi_out="Piano").midi_out == ("Piano",)  # type: ignore[arg-type]


def test_a_style_of_numbers_becomes_floats() -> None:
    assert ModelSettings(style=(1,) * STYLE_DIM).style == (1.0,) * STYLE_DIM


def test_a_models_own_thresholds_stand_unless_set() -> None:
    tuned = Decoding(0.2, 0.4, 0.1, 0.6, 0.7, 5.0)
    own = DecoderSettings(minimum_note=0.1, melody_threshold=0.9).resolved(tuned)
    assert (own.onset_threshold, own.restrike_threshold, own.melody_threshold) == (0.2, 0.6, 0.9)
    assert (own.minimum_note, own.notes_per_second, own.density) == (0.1, 5.0, 1.0)
    assert DecoderSettings(notes_per_second=0.0).resolved(tuned).notes_per_second == 0.0
    assert DecoderSettings.from_spec(tuned) == DecoderSettings().resolved(tuned)
