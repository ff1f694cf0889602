"""A song in a file that is paused and moved while it is covered."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from engine.audio.files.file_source import FileSource
from engine.core.errors import ConfigError
from engine.core.settings import EngineSettings
from engine.core.song_place import SongCommand
from engine.live.engine import Engine
from tests.e2e.processes import wait_until
from tests.engine.fakes import RATE, SETTINGS, CollectingSink, ScriptedSource, make_pipeline
from tests.messages import refused

SONG_RATE = 8 * RATE


def make_engine(source: object, sink: CollectingSink) -> Engine:
    settings: EngineSettings = replace(SETTINGS, time=replace(SETTINGS.time, latency=0.2))
    return Engine(
        settings,
        open_source=lambda *_: source,  # type: ignore[arg-type]
        open_pipeline=lambda _: make_pipeline(),
        open_beat=lambda *_: None,
        open_sink=lambda *_: sink,
    )


def test_notes_end_where_a_song_is_paused_and_begin_where_it_goes_on(tmp_path: Path) -> None:
    loud = 0.5 * np.ones(60 * SONG_RATE)
    loud[1::2] *= -1  # without an offset
    loud = np.repeat(loud, 8)[: 60 * SONG_RATE]
    loud[: SONG_RATE // 10] = 0
    loud[-SONG_RATE:] = 0
    soundfile.write(tmp_path / "a.wav", loud, SONG_RATE)
    sink, source = CollectingSink(), FileSource(tmp_path / "a.wav")
    with make_engine(source, sink) as engine:
        wait_until("a note begins", lambda: len(sink.notes) == 1)
        engine.control_song(SongCommand("pause"))
        wait_until("it ends", lambda: len(sink.notes) == 2)
        song = engine.status().song
        assert song is not None and song.is_paused and song.duration == 60.0
        engine.control_song(SongCommand("seek", 58.5))
        engine.control_song(SongCommand("play"))
        assert engine.wait(30.0)
        assert engine.status().n_losses == 0
    states = [note.is_on for note in sink.notes]
    assert len(states) >= 4 and states == [True, False] * (len(states) // 2)


def test_only_a_song_in_a_file_can_be_moved() -> None:
    source = ScriptedSource(lambda own: own.play(np.zeros((100, 1), np.float32)), name="Mic")
    with (
        make_engine(source, CollectingSink()) as engine,
        refused(ConfigError, "Mic", "only a song in a file"),
    ):
        engine.control_song(SongCommand("pause"))
    assert engine.status().song is None
