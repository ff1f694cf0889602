"""A file into a file with a real model, tiny: the same notes as the stream gives, and as live."""

import dataclasses
import re
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.core.errors import ConfigError, DeviceError, MidiError, ModelError
from engine.core.notes import NoteEvent, notes_of
from engine.core.settings import (
    AudioSettings,
    DecoderSettings,
    EngineSettings,
    MidiSettings,
    ModelSettings,
    TimeSettings,
)
from engine.cover.stream import CoverStream, open_pipeline
from engine.live.engine import Engine
from engine.model.window_model import WindowModel
from engine.signal import level
from engine.whole_song.cover import Cover, cover_file
from models.spec import STYLE_DIM
from tests.engine.fakes import CollectingSink, ScriptedSource

Array = NDArray[np.float32]
SAMPLE_RATE = 8000


@pytest.fixture
def song(tmp_path: Path, tiny_song: Array) -> Path:
    """A stereo file of 3 s at twice the tiny model's rate."""
    path = tmp_path / "song.wav"
    mono = np.repeat(tiny_song, 2)
    soundfile.write(path, np.stack((mono, 0.5 * mono), 1), SAMPLE_RATE, subtype="FLOAT")
    return path


@pytest.fixture
def settings(tmp_path: Path, song: Path, tiny_stateful_path: Path) -> EngineSettings:
    """Thresholds so low that the untrained model plays."""
    return EngineSettings(
        audio=AudioSettings(input=str(song), ring=30.0),
        model=ModelSettings(model=str(tiny_stateful_path)),
        decoder=DecoderSettings(
            onset_threshold=0.05, frame_on_threshold=0.05, frame_off_threshold=0.02
        ),
        midi=MidiSettings(midi_out=(str(tmp_path / "cover.mid"),), channel=5),
        time=TimeSettings(latency=1.0, late_tolerance=10.0, backlog=30.0),
    )


def test_a_window_model_covers_a_file_by_half_windows(
    settings: EngineSettings, tiny_window_path: Path
) -> None:
    model = ModelSettings(model=str(tiny_window_path), style=(0.0,) * STYLE_DIM)
    settings = dataclasses.replace(settings, model=model)
    cover = cover_file(settings)
    assert cover.is_whole
    pipeline = open_pipeline(settings.model)
    assert isinstance(pipeline.model, WindowModel)
    pipeline.model = pipeline.model.offline_variant()
    assert pipeline.spec.step_frames == 24
    stream = CoverStream(pipeline, settings, SAMPLE_RATE, 2)
    block, _ = soundfile.read(settings.audio.input, dtype="float32")
    stream.prime(block)
    assert ons(cover.notes) == ons(notes_of([*stream.push(block), *stream.finish()]))


def ons(events: list[NoteEvent]) -> list[tuple[int, int, int]]:
    """Return (milliseconds, pitch, velocity) of the note-ons, in order."""
    return sorted((round(1000 * e.time), e.pitch, e.velocity) for e in events if e.is_on)


def test_a_cover_lies_in_the_file_as_it_is_returned(settings: EngineSettings) -> None:
    shares: list[float] = []
    cover = cover_file(settings, shares.append)
    assert cover.is_whole
    assert cover.seconds == pytest.approx(3.0)
    assert cover.real_time_factor == pytest.approx(cover.elapsed / 3.0)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert cover.n_notes == len(ons(cover.notes)) > 5
    assert len(cover.notes) == 2 * cover.n_notes
    take = mido.MidiFile(settings.midi.midi_out[0])
    notes = [m for track in take.tracks for m in track if m.type.startswith("note")]
    assert {note.channel for note in notes} == {4}
    assert sorted((n.note, n.velocity) for n in notes if n.type == "note_on") == sorted(
        (e.pitch, e.velocity) for e in cover.notes if e.is_on
    )


def test_live_plays_the_notes_of_the_file(
    settings: EngineSettings, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(level, "TARGET_DBFS", -120.0)  # which a file knows before its first note
    samples, _ = soundfile.read(song, dtype="float32", always_2d=True)

    def script(source: ScriptedSource) -> None:
        source.play(samples)
        source.finish()

    source = ScriptedSource(script)
    source.sample_rate, source.n_channels = SAMPLE_RATE, 2
    sink = CollectingSink()
    with Engine(settings, open_source=lambda *_: source, open_sink=lambda *_: sink) as engine:
        assert engine.wait(60.0)
    assert ons(sink.notes) == ons(cover_file(settings).notes)
    assert 2 * len(ons(sink.notes)) == len(sink.notes)


def test_a_stopped_cover_keeps_what_it_has(settings: EngineSettings) -> None:
    cover = cover_file(settings, is_stopped=lambda: True)
    assert not cover.is_whole
    assert cover.seconds == pytest.approx(0.5)
    assert 0 < len(cover.notes) == 2 * cover.n_notes
    assert all(event.time <= 0.7 for event in cover.notes)
    assert Path(settings.midi.midi_out[0]).exists()


def test_the_style_changes_the_notes(settings: EngineSettings) -> None:
    intense = dataclasses.replace(
        settings, model=dataclasses.replace(settings.model, style="intense")
    )
    assert ons(cover_file(settings).notes) != ons(cover_file(intense).notes)


def test_errors_come_before_the_work(settings: EngineSettings, tmp_path: Path) -> None:
    def with_section(**sections: object) -> EngineSettings:
        return dataclasses.replace(settings, **sections)  # type: ignore[arg-type]

    with pytest.raises(DeviceError, match="no such file"):
        cover_file(with_section(audio=AudioSettings(input=str(tmp_path / "none.wav"))))
    with pytest.raises(ModelError):
        cover_file(with_section(model=ModelSettings(model=str(tmp_path / "none.onnx"))))
    with pytest.raises(ConfigError, match="has no style 'wild'"):
        model = dataclasses.replace(settings.model, style="wild")
        cover_file(with_section(model=model))
    with pytest.raises(MidiError, match="cannot be written"):
        cover_file(with_section(midi=MidiSettings(midi_out=(str(tmp_path / "no" / "x.mid"),))))


def test_nothing_has_no_real_time_factor() -> None:
    assert Cover([], 0.0, 1.0, True).real_time_factor == 0.0


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (0.0, "no notes from .*: it is silent"),
        (1e-4, r"no notes from .*: its peak of -80 dBFS is below gate\.threshold_dbfs \(-70\)"),
        (0.1, "notes from .*: the model finds hardly any music in it"),
    ],
)
def test_a_cover_with_hardly_a_note_says_so(
    settings: EngineSettings,
    song: Path,
    caplog: pytest.LogCaptureFixture,
    level: float,
    said: str,
) -> None:
    samples = np.full((20 * SAMPLE_RATE, 2), level, np.float32)
    soundfile.write(song, samples, SAMPLE_RATE, subtype="FLOAT")
    decoder = dataclasses.replace(settings.decoder, onset_threshold=1.0, notes_per_second=0.0)
    cover = cover_file(dataclasses.replace(settings, decoder=decoder))
    assert cover.n_notes < 2
    assert re.search(said, caplog.text)
    assert Path(settings.midi.midi_out[0]).exists()
