"""A file that is accompanied into a file, as it would have been live."""

from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from engine.accompany.accompanist import Accompanist
from engine.accompany.sampling import SamplingSettings
from engine.core.settings import AudioSettings, EngineSettings, MidiSettings, PlaySettings
from engine.cover.accompanying import Accompanying
from engine.model.pipeline import Pipeline
from engine.whole_song import cover as subject
from engine.whole_song.cover import cover_file
from tests.engine.accompany.graphs import Graphs
from tests.engine.beat.band import clicks, make_follower
from tests.engine.fakes import RATE, make_pipeline

BEATS = np.arange(0.3, 30.0, 0.48)
NEAR_S = 0.03


class OpenedError(Exception):
    """The stream is to be opened."""


@pytest.mark.parametrize(("mode", "waits"), [("cover", True), ("accompany", False)])
def test_a_cover_hears_later_sound_and_an_accompanist_at_once(
    mode: str, waits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def open_stream(pipeline: Pipeline, *_: object) -> object:
        opened.append(pipeline.model.wait_frames > 0)
        raise OpenedError

    pipeline = make_pipeline()
    later = make_pipeline().model
    monkeypatch.setattr(later, "wait_frames", 8)
    monkeypatch.setattr(pipeline.model, "offline_variant", lambda: later)
    monkeypatch.setattr(subject, "open_pipeline", lambda _: pipeline)
    monkeypatch.setattr(subject, "open_stream", open_stream)
    soundfile.write(tmp_path / "song.wav", np.zeros(8 * RATE), 8 * RATE)
    settings = EngineSettings(
        audio=AudioSettings(input=str(tmp_path / "song.wav")), play=PlaySettings(mode=mode)
    )
    with pytest.raises(OpenedError):
        cover_file(settings)
    assert opened == [waits]


def test_the_notes_are_in_the_file_on_the_songs_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_accompanying(pipeline: Pipeline, *_: object) -> Accompanying:
        model: Any = Graphs()
        accompanist = Accompanist(model, SamplingSettings(candidates=1))
        return Accompanying(accompanist, make_follower(pipeline), 0.04, lambda _: 0.0, False)

    monkeypatch.setattr(subject, "open_pipeline", lambda _: make_pipeline())
    monkeypatch.setattr(subject, "open_accompanying", open_accompanying)
    song, midi = tmp_path / "song.wav", tmp_path / "piano.mid"
    soundfile.write(song, np.repeat(clicks(BEATS, 15.0), 8), 8 * RATE)
    settings = EngineSettings(
        audio=AudioSettings(input=str(song)),
        play=PlaySettings(mode="accompany"),
        midi=MidiSettings(midi_out=(str(midi),)),
    )
    cover = cover_file(settings)
    ons = np.array(sorted({note.time for note in cover.notes if note.is_on}))
    assert len(ons) > 10
    assert np.abs(BEATS[None] - ons[:, None]).min(1).max() < NEAR_S
    messages = [m for track in mido.MidiFile(midi).tracks for m in track]
    n_on = sum(m.type == "note_on" and m.velocity > 0 for m in messages)
    assert n_on == cover.n_notes
    assert len([m for m in messages if m.type.startswith("note")]) == 2 * n_on
