"""The engine with an accompanist: when notes are due, changes while it plays."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.accompany.accompanist import Accompanist
from engine.accompany.sampling import SamplingSettings
from engine.core.errors import ConfigError
from engine.core.notes import notes_of
from engine.core.settings import AccompanySettings, BeatSettings, EngineSettings, PlaySettings
from engine.live.engine import Engine
from tests.engine.accompany.graphs import Graphs
from tests.engine.beat.band import clicks, make_follower
from tests.engine.fakes import (
    SETTINGS,
    CollectingSink,
    ListeningTap,
    ScriptedSource,
    make_pipeline,
)
from tests.messages import refused

BEATS = np.arange(0.3, 60.0, 0.48)
ACCOMPANY = replace(SETTINGS, play=PlaySettings(mode="accompany"), beat=BeatSettings())
NEAR_S = 0.03


class Stage:
    """An engine, what it plays and where."""

    def __init__(self, settings: EngineSettings = ACCOMPANY, seconds: float = 16.0) -> None:
        self.source, self.sink, self.tap = ScriptedSource(), CollectingSink(), ListeningTap()
        self.song = clicks(BEATS, seconds)
        self.engine = Engine(
            settings,
            [self.tap],
            open_source=lambda *_: self.source,
            open_pipeline=lambda _: make_pipeline(),
            open_beat=lambda beat, _: None if beat.source == "off" else make_follower(),
            open_accompanist=make_accompanist,
            open_sink=lambda *_: self.sink,
        )

    def play(self, start: float, stop: float) -> None:
        rate = self.source.sample_rate
        self.source.play(self.song[round(start * rate) : round(stop * rate)])

    def end(self) -> None:
        self.source.finish()
        assert self.engine.wait(20.0)


def make_accompanist(settings: EngineSettings) -> Accompanist:
    graphs: Any = Graphs()
    return Accompanist(graphs, SamplingSettings(candidates=1), settings.accompany.seed)


@pytest.mark.parametrize(("ahead", "later"), [(0.0, 0.0), (0.02, 0.0), (0.02, 0.25)])
def test_notes_are_due_on_the_beat_less_what_the_way_out_takes(ahead: float, later: float) -> None:
    own = AccompanySettings(ahead=ahead, song_later=later)
    stage = Stage(replace(ACCOMPANY, accompany=own))
    with stage.engine:
        assert stage.engine.budget.total == pytest.approx(later - ahead)
        stage.play(0, 16)
        stage.end()
    sent = [(event, due) for event, due, _ in stage.tap.sent_events]
    assert len(sent) > 20
    for event, due in sent:
        captured = stage.source.begun + event.time - stage.source.latency
        assert due == pytest.approx(captured + later - ahead, abs=0.01)
    ons = np.array(sorted({note.time for note in notes_of(e for e, _ in sent) if note.is_on}))
    assert np.abs(BEATS[None] - ons[:, None]).min(1).max() < NEAR_S


def test_the_mode_changes_while_it_plays() -> None:
    stage = Stage(replace(SETTINGS, beat=BeatSettings()))
    with stage.engine:
        stage.play(0, 3)
        assert stage.sink.has(4)
        stage.engine.change(ACCOMPANY)
        assert stage.engine.status().accompanist == "listening"
        stage.play(3, 16)
        assert stage.tap.is_locked.wait(20.0)
        stage.engine.change(replace(ACCOMPANY, play=PlaySettings(mode="cover")))
        assert stage.engine.status().accompanist == ""
        assert stage.engine.budget.total == 0.5
        stage.end()
    sounding = 0
    for event in stage.sink.notes:
        sounding += 1 if event.is_on else -1
    assert sounding == 0


def test_ahead_and_performance_change_without_beginning_anew() -> None:
    stage = Stage()
    with stage.engine:
        stage.play(0, 12)
        assert stage.sink.has(10)
        stage.engine.change(replace(ACCOMPANY, accompany=AccompanySettings(ahead=0.03)))
        assert stage.engine.budget.total == pytest.approx(-0.03)
        stage.engine.change(replace(ACCOMPANY, play=PlaySettings(mode="accompany", pedal="off")))
        assert stage.engine.status().accompanist == "playing"
        stage.engine.panic()
        stage.play(12, 16)
        stage.end()


def test_the_beat_cannot_be_taken_away_from_it() -> None:
    stage = Stage()
    with stage.engine:
        stage.play(0, 8)
        with refused(ConfigError, "play.mode", "accompany", "beat"):
            stage.engine.change(replace(ACCOMPANY, beat=BeatSettings(source="off")))
        assert stage.engine.settings == ACCOMPANY
        stage.play(8, 16)
        stage.end()
    assert stage.sink.notes


def test_a_seed_is_the_accompanists() -> None:
    stage = Stage()
    with stage.engine:
        before = stage.engine._worker.accompanist
        stage.engine.change(replace(ACCOMPANY, accompany=AccompanySettings(seed=7)))
        assert stage.engine._worker.accompanist is not before
        stage.end()
