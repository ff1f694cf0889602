"""Blocks to events with the loudness model: exact notes, sleep, waking, skipping."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.notes import Event, NoteEvent, Posteriors, notes_of
from engine.core.settings import EngineSettings, GateSettings
from engine.cover.stream import CoverStream
from engine.model.frontend import FrontEnd
from engine.model.pipeline import Pipeline
from models.spec import Decoding
from tests.engine.fakes import (
    PITCH,
    RATE,
    SPEC,
    Array,
    LoudnessModel,
    loudness,
    make_pipeline,
    model_of,
    sound,
)

SETTINGS = EngineSettings()
AWAKE = dataclasses.replace(SETTINGS, gate=GateSettings(enabled=False))


def run(song: Array, block: int = 64, settings: EngineSettings = SETTINGS) -> list[NoteEvent]:
    stream = CoverStream(make_pipeline(), settings, RATE, song.shape[1])
    events: list[Event] = []
    for start in range(0, len(song), block):
        events += stream.push(song[start : start + block])
    return notes_of(events + stream.finish())


def on(frame: int) -> NoteEvent:
    return NoteEvent(frame * 0.01, PITCH, 64)


def off(frame: int) -> NoteEvent:
    return NoteEvent(frame * 0.01, PITCH, 0)


@pytest.mark.parametrize("block", [1, 7, 64, 5000])
def test_notes_are_where_the_sound_is(block: int) -> None:
    assert run(sound(1.0, (0.2, 0.4), (0.6, 0.8)), block) == [
        on(20),
        off(41),
        on(60),
        off(81),
    ]


def test_a_note_that_lasts_to_the_end_is_ended() -> None:
    assert run(sound(0.5, (0.2, 0.5))) == [on(20), off(51)]


def test_channels_are_mixed() -> None:
    assert run(sound(0.5, (0.2, 0.4), channels=2)) == [on(20), off(41)]


@pytest.mark.parametrize("wake", [4.0, 4.003, 4.0099])
@pytest.mark.parametrize("block", [7, 16, 64])
def test_sleep_changes_no_note(block: int, wake: float) -> None:
    song = sound(5.0, (0.2, 0.4), (wake, 4.5))
    assert run(song, block) == run(song, block, AWAKE)


@pytest.mark.parametrize("block", [1, 16, 640])
def test_silence_is_not_computed_and_no_loud_frame_is_missed(block: int) -> None:
    song = sound(10.0, (0.0, 0.1), (8.0, 8.1))
    pipeline = make_pipeline()
    stream = CoverStream(pipeline, SETTINGS, RATE, 1)
    was_asleep = False
    for start in range(0, len(song), block):
        stream.push(song[start : start + block])
        was_asleep = was_asleep or stream.is_asleep
    assert was_asleep
    heard = model_of(pipeline).heard
    # the window of frame k is [10 k - 20, 10 k + 20)
    assert {k for k in range(990) if 8000 - 20 < 10 * k < 8100 + 20} <= set(heard)
    assert len(heard) < 360  # of 1000: two sounds, a second of hold after each, lead-in, a block
    assert heard == sorted(set(heard))
    assert stream.n_skipped_frames == 0


class CountingModel(LoudnessModel):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.n_asked = 0

    def step(self, frames: NDArray[np.int64], features: Array, style: Array) -> Posteriors:
        self.n_asked += 1
        return super().step(frames, features, style)


@pytest.mark.parametrize("skips", [False, True], ids=["asleep", "too slow"])
def test_a_gap_asks_the_model_once(skips: bool) -> None:
    n_transformed = 0

    def transform(samples: Array) -> Array:
        nonlocal n_transformed
        n_transformed += 1
        return loudness(samples)

    model = CountingModel()
    stream = CoverStream(Pipeline(FrontEnd(SPEC.features, transform), model), SETTINGS, RATE, 1)
    for _ in range(40):  # awake, then a second of hold, then the first block asleep
        stream.push(sound(0.064, *([(0.0, 0.02)] if _ < 10 else [])))
    assert stream.is_asleep is True
    before = (model.n_asked, n_transformed)
    for _ in range(600):
        assert (stream.skip if skips else stream.push)(sound(0.064)) == []
    assert model.n_asked - before[0] <= int(skips) and n_transformed == before[1]


@pytest.mark.parametrize("block", [64, 700])
def test_skipping_ends_the_note_and_keeps_the_time(block: int) -> None:
    song = sound(2.0, (0.2, 2.0))
    pipeline = make_pipeline()
    stream = CoverStream(pipeline, SETTINGS, RATE, 1)
    before = stream.push(song[:300])
    pieces = (song[start : min(1000, start + block)] for start in range(300, 1000, block))
    skipped = notes_of([event for piece in pieces for event in stream.skip(piece)])
    after = notes_of(stream.push(song[1000:]) + stream.finish())
    assert before == [on(20)]
    assert [(event.is_on, event.time < 0.32) for event in skipped] == [(False, True)]
    assert after[0].is_on and after[0].time == pytest.approx(0.99, abs=0.011)
    assert not after[-1].is_on
    assert stream.n_skipped_frames == 70


def test_skipping_while_asleep_loses_no_time() -> None:
    song = sound(6.0, (5.0, 5.5))
    stream = CoverStream(make_pipeline(), SETTINGS, RATE, 1)
    for start in range(0, 3000, 64):
        stream.push(song[start : min(3000, start + 64)])
    assert stream.is_asleep
    assert stream.skip(song[3000:4500]) == []
    assert stream.push(song[4500:]) + stream.finish() == [on(500), off(551)]


def test_a_new_stream_on_the_same_pipeline_begins_anew() -> None:
    pipeline = make_pipeline()
    CoverStream(pipeline, SETTINGS, RATE, 1).push(sound(0.3, (0.2, 0.3)))
    stream = CoverStream(pipeline, SETTINGS, RATE, 1)
    assert stream.push(sound(0.5, (0.2, 0.4))) + stream.finish() == [on(20), off(41)]


class UnsureModel(LoudnessModel):
    """Any pitch may begin at any frame, with any certainty, whatever is heard."""

    spec = dataclasses.replace(
        SPEC,
        styles={
            name: [0.0] * (16 + k) + [1.0] + [0.0] * (7 - k)
            for name, k in (("calm", 1), ("balanced", 3), ("intense", 5))
        },
        decoding=Decoding(notes_per_second=6.0),
    )

    def step(self, frames: NDArray[np.int64], features: Array, style: Array) -> Posteriors:
        rows = [np.random.default_rng(frame).random(88) for frame in frames.tolist()]
        onset = np.array(rows, np.float32).reshape(-1, 88) ** 900  # some seven notes a second
        return Posteriors(frames, onset, np.full_like(onset, 0.5), onset)


def test_the_style_sets_the_pace_from_the_next_block_on() -> None:
    model = UnsureModel()
    pipeline = Pipeline(FrontEnd(SPEC.features, loudness), model)
    counts = {}
    for style in ("calm", "balanced", "intense"):
        pipeline.style = np.array(model.spec.styles[style], np.float32)
        stream = CoverStream(pipeline, AWAKE, RATE, 1)
        events = notes_of(stream.push(sound(20.0, (0.0, 20.0))))
        counts[style] = sum(event.is_on for event in events)
    assert counts["calm"] < 0.8 * counts["balanced"]
    assert counts["balanced"] < 0.9 * counts["intense"]


def test_an_offset_changes_no_note_and_silence_on_it_sleeps() -> None:
    song = sound(9.0, (0.2, 0.4), (0.6, 0.8)) * np.float32(0.3)
    assert run(song + np.float32(0.3)) == run(song)
    stream = CoverStream(make_pipeline(), SETTINGS, RATE, 1)
    for block in np.split(song + np.float32(0.3), 90):
        stream.push(block)
    assert stream.is_asleep


@pytest.mark.parametrize(("reserve", "known"), [(0.0, 22), (0.035, 24), (1.0, 27)])
def test_ends_are_dated_back_and_notes_wait_as_long_as_there_is_time(
    reserve: float, known: int
) -> None:
    decoder = dataclasses.replace(SETTINGS.decoder, end_threshold=0.5)
    settings = dataclasses.replace(AWAKE, decoder=decoder)
    stream = CoverStream(make_pipeline(), settings, RATE, 1, None, lambda _: reserve)
    song, came = sound(1.0, (0.2, 0.4)), {}
    for frame in range(100):
        for event in notes_of(stream.push(song[frame * RATE // 100 : (frame + 1) * RATE // 100])):
            came[event] = frame
    assert list(came) == [on(20), off(40)]
    assert came[on(20)] == known
