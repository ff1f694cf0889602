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


def test_defaults_are_valid() -> None:
    settings = EngineSettings()
    assert settings.midi.midi_out == ("LiveCover",)
    assert settings.time.backlog_limit == pytest.approx(0.27)
    assert TimeSettings(backlog=1.0).backlog_limit == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AudioSettings(input=" "), "audio.input must be text that is not empty, not ' '"),
        (lambda: AudioSettings(block_size=8), "audio.block_size must be a whole number from 16 to"),
        (lambda: AudioSettings(block_size=256.0), "16384 samples, not 256.0"),  # type: ignore[arg-type]
        (lambda: AudioSettings(block_size=True), "whole number from 16 to 16384 samples, not True"),
        (lambda: AudioSettings(sample_rate=100), "audio.sample_rate must be .* Hz, not 100"),
        (lambda: AudioSettings(ring=0.1), "audio.ring must be a number from 0.5 to 60 s, not 0.1"),
        (lambda: ModelSettings(model=""), "model.model must be text"),
        (lambda: ModelSettings(provider=""), "model.provider must be text"),
        (lambda: ModelSettings(threads=0), "model.threads must be a whole number from 1 to 256"),
        (lambda: ModelSettings(style=""), "model.style must be text"),
        (lambda: ModelSettings(style=" from: "), "model.style must name a MIDI file after from:"),
        (lambda: ModelSettings(style=1.5), r"model.style must be a number from 0 to 1 \(calm to"),
        (lambda: ModelSettings(style=True), "model.style must be a number .* not True"),
        (lambda: ModelSettings(style=(0.0,) * 3), "a number from 0 to 1 or 24 numbers, not"),
        (lambda: ModelSettings(style=None), "a number from 0 to 1 or 24 numbers, not None"),  # type: ignore[arg-type]
        (lambda: ModelSettings(style=("x",) * 24), "model.style must be a number"),  # type: ignore[arg-type]
        (lambda: DecoderSettings(onset_threshold=1.1), "decoder.onset_threshold .* from 0 to 1,"),
        (lambda: DecoderSettings(melody_threshold=-1), "decoder.melody_threshold .* from 0 to 1,"),
        (
            lambda: DecoderSettings(frame_on_threshold=0.2, frame_off_threshold=0.3),
            r"decoder.frame_off_threshold \(0.3\) must not be above decoder.frame_on_threshold",
        ),
        (lambda: DecoderSettings(notes_per_second=-1), "decoder.notes_per_second .* 50 notes, not"),
        (lambda: DecoderSettings(density=0), "decoder.density must be a number from 0.1 to 4, not"),
        (lambda: DecoderSettings(minimum_note=2), "decoder.minimum_note must be .* 1 s, not 2"),
        (lambda: DecoderSettings(minimum_gap=-1), "decoder.minimum_gap must be .* 1 s, not -1"),
        (lambda: DecoderSettings(maximum_note=0), "decoder.maximum_note must be .* 3600 s, not 0"),
        (lambda: DecoderSettings(polyphony=0), "decoder.polyphony must be .* 88 notes, not 0"),
        (lambda: MidiSettings(midi_out=()), "midi.midi_out must name at least one port or .mid"),
        (lambda: MidiSettings(midi_out=("",)), "midi.midi_out must be text"),
        (lambda: MidiSettings(channel=0), "midi.channel must be a whole number from 1 to 16, not"),
        (lambda: MidiSettings(transpose=99), "midi.transpose must be .* 48 semitones, not 99"),
        (lambda: MidiSettings(velocity_curve="x"), "midi.velocity_curve must be linear, soft"),
        (lambda: TimeSettings(latency=-0.1), "time.latency must be a number from 0 to 60 s"),
        (lambda: TimeSettings(late_tolerance=11), "time.late_tolerance must be .* 10 s, not 11"),
        (lambda: TimeSettings(compute_allowance=-1), "time.compute_allowance must be .* 10 s"),
        (lambda: TimeSettings(output_allowance=2), "time.output_allowance must be .* 1 s, not 2"),
        (lambda: TimeSettings(backlog=0), "time.backlog must be a number from 0.01 to 60 s"),
        (lambda: TimeSettings(backlog=float("nan")), "time.backlog must be .* not nan"),
        (lambda: GateSettings(enabled=1), "gate.enabled must be true or false, not 1"),  # type: ignore[arg-type]
        (lambda: GateSettings(threshold_dbfs=0), "gate.threshold_dbfs must be .* -1 dBFS, not 0"),
        (lambda: GateSettings(hold=0), "gate.hold must be a number from 0.1 to 3600 s, not 0"),
        (lambda: GateSettings(lead_in=2), "gate.lead_in must be a number from 0 to 1 s, not 2"),
    ],
)
def test_wrong_values_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
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
