"""The beat beside a model: where its frames stand in the stream, gaps, no network."""

import logging
from pathlib import Path

import numpy as np
import pytest

from engine.beat import opening
from engine.beat.opening import open_beat
from engine.core.settings import BeatSettings
from engine.core.tempo import BeatState
from engine.cover.stream import CoverStream
from engine.model.frontend import FrontEnd
from engine.model.pipeline import Pipeline
from models import shipped
from tests.engine.beat.band import clicks, follow, make_follower
from tests.engine.cover.test_stream import AWAKE, SETTINGS
from tests.engine.fakes import RATE, SPEC, LoudnessModel, loudness, make_pipeline

PERIOD = 0.48
BEATS = np.arange(0.3, 30.0, PERIOD)
NEAR_S = 0.025  # a click is a frame early or late, and lasts two


@pytest.mark.parametrize("block", [7, 64, 1000])
def test_beats_are_told_where_the_clicks_are(block: int) -> None:
    follower, _ = follow(clicks(BEATS, 10.0), block)
    beat = follower.beat
    assert (beat.source, beat.state) == ("heard", BeatState.LOCKED)
    assert beat.tempo is not None
    assert beat.tempo.bpm == pytest.approx(60 / PERIOD, abs=0.5)
    assert follower.now < beat.tempo.beat_at <= follower.now + PERIOD
    assert np.abs(BEATS - beat.tempo.beat_at).min() < NEAR_S


def test_the_beat_is_the_same_for_blocks_of_any_length() -> None:
    song = clicks(BEATS, 9.0)
    found = [follow(song, block)[0].beat for block in (1, 7, 64, 9000)]
    assert found[0].tempo is not None
    assert found == [found[0]] * 4


def test_bars_begin_on_the_loud_clicks_and_are_counted_on() -> None:
    follower, _ = follow(clicks(BEATS, 12.0), 64)
    tempo = follower.beat.tempo
    assert tempo is not None and tempo.beat is not None
    bar_at = tempo.bar_at(11.9)
    assert bar_at is not None
    assert np.abs(BEATS[::4] - bar_at).min() < NEAR_S
    assert 3 <= tempo.beat // 4 <= 6


def test_after_a_gap_the_frames_stand_where_they_are() -> None:
    """Sleep lets 1.7 s of a song pass unheard; the clicks go on as if nothing was."""
    song = clicks(BEATS, 14.0)[:, 0]
    follower, pipeline = follow(song[:8000, None], 64)
    for start in range(8000, 9700, 50):
        pipeline.skip(song[start : start + 50])
    states = [follower.beat.state]
    assert follower.now == pytest.approx(9.7)
    for start in range(9700, 14000, 50):
        pipeline.push(song[start : start + 50])
        assert follower.beat.tempo is not None
        assert np.abs(BEATS - follower.beat.tempo.beat_at).min() < NEAR_S
    states.append(follower.beat.state)
    assert states == [BeatState.HOLDING, BeatState.LOCKED]


def test_a_follower_that_comes_later_tells_the_same_times() -> None:
    song = clicks(BEATS, 12.0)[:, 0]
    pipeline = make_pipeline()
    pipeline.push(song[:3333])
    follower = make_follower(pipeline)
    pipeline.push(song[3333:])
    assert follower.now == pytest.approx(12.0)
    assert follower.beat.tempo is not None
    assert np.abs(BEATS - follower.beat.tempo.beat_at).min() < NEAR_S


def test_where_the_models_features_are_others_it_computes_its_own() -> None:
    from engine.beat.follower import BeatFollower
    from engine.beat.tracker import BeatTracker
    from tests.engine.beat.band import LoudBeats

    song = clicks(BEATS, 10.0)[:, 0]
    deaf = Pipeline(FrontEnd(SPEC.features, lambda samples: 0 * loudness(samples)), LoudnessModel())
    own = FrontEnd(SPEC.features, loudness)
    follower = BeatFollower(BeatSettings(), SPEC.features, BeatTracker(LoudBeats()), own)  # type: ignore[arg-type]
    deaf.tap = follower
    for start in range(0, 8000, 64):
        deaf.push(song[start : min(start + 64, 8000)])
    deaf.skip(song[8000:9000])
    deaf.push(song[9000:])
    assert follower.beat.state is BeatState.LOCKED
    assert follower.beat.tempo is not None
    assert np.abs(BEATS - follower.beat.tempo.beat_at).min() < NEAR_S


@pytest.mark.parametrize("settings", [SETTINGS, AWAKE])
def test_a_cover_is_the_same_with_and_without(settings) -> None:  # type: ignore[no-untyped-def]
    song = clicks(BEATS[(BEATS < 4) | (BEATS > 9)], 12.0)
    covers = []
    for has_beat in (False, True):
        pipeline = make_pipeline()
        if has_beat:
            make_follower(pipeline)
        stream = CoverStream(pipeline, settings, RATE, 1)
        events = []
        for start in range(0, len(song), 50):
            events += stream.push(song[start : start + 50])
        covers.append(events + stream.finish())
    assert covers[0] == covers[1]


def test_a_new_stream_begins_without_a_beat() -> None:
    follower, pipeline = follow(clicks(BEATS, 10.0), 64)
    pipeline.reset()
    assert follower.beat.tempo is None
    assert follower.now == 0.0


def test_without_a_network_a_line_says_so_and_all_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shipped, "path", lambda: tmp_path)
    with caplog.at_level(logging.WARNING):
        assert open_beat(BeatSettings(), SPEC.features) is not None
    assert "the beat is not heard" in caplog.text
    assert "beat.onnx" in caplog.text
    assert opening.__name__ in {record.name for record in caplog.records}


def test_when_off_nothing_is_opened(caplog: pytest.LogCaptureFixture) -> None:
    assert open_beat(BeatSettings(source="off"), SPEC.features) is None
    assert not caplog.records
