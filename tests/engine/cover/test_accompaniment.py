"""A stream that accompanies clicks: on their beat, from what had arrived, in any blocks."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.accompany.accompanist import USUAL_STYLE, Accompanist
from engine.accompany.sampling import SamplingSettings
from engine.accompany.step_writer import PlayState
from engine.core.errors import ConfigError, ModelError
from engine.core.notes import Event, NoteEvent, PedalEvent, notes_of
from engine.core.settings import (
    AccompanySettings,
    BeatSettings,
    DecoderSettings,
    EngineSettings,
    GateSettings,
    MidiSettings,
    PlaySettings,
)
from engine.cover import accompanying as subject
from engine.cover.accompanying import (
    Accompanying,
    asked_style,
    needed_accompanist,
    open_accompanist,
    open_accompanying,
)
from engine.cover.stream import CoverStream
from models import shipped
from models.spec import STYLE_DIM
from tests.engine.accompany.graphs import Graphs
from tests.engine.beat.band import clicks, make_follower
from tests.engine.fakes import RATE, SPEC, Array, make_pipeline
from tests.messages import says

PERIOD = 0.48
BAR_S = 4 * PERIOD
BEATS = np.arange(0.3, 40.0, PERIOD)
LEAD = 0.04
NEAR_S = 0.025
ACCOMPANY = EngineSettings(play=PlaySettings(mode="accompany"), gate=GateSettings(enabled=False))


def make_stream(settings: EngineSettings = ACCOMPANY, graphs: Any = None) -> CoverStream:
    pipeline = make_pipeline()
    follower = make_follower(pipeline)
    model: Any = graphs or Graphs()
    accompanist = Accompanist(model, SamplingSettings(candidates=1))
    parts = Accompanying(accompanist, follower, LEAD, lambda _: 0.0, is_device=False)
    return CoverStream(pipeline, settings, RATE, 1, parts)


def run(
    song: Array, settings: EngineSettings = ACCOMPANY, block: int = 64, graphs: Any = None
) -> list[Event]:
    stream = make_stream(settings, graphs)
    events: list[Event] = []
    for start in range(0, len(song), block):
        events += stream.push(song[start : start + block])
    return events + stream.finish()


def ons(events: list[Event]) -> list[NoteEvent]:
    return [event for event in notes_of(events) if event.is_on]


def test_it_plays_on_the_beat_as_it_sounds() -> None:
    notes = ons(run(clicks(BEATS, 16.0)))
    times = np.array(sorted({note.time for note in notes}))
    assert len(times) > 12
    assert np.abs(BEATS[None] - times[:, None]).min(1).max() < NEAR_S
    assert np.abs(BEATS[::4] - times[0]).min() < NEAR_S  # it enters on a bar
    assert times[0] >= BEATS[0] + 2 * BAR_S - NEAR_S


@pytest.mark.parametrize("block", [3, 5000])
def test_blocks_do_not_matter(block: int) -> None:
    song = np.concatenate([clicks(BEATS, 12.0), np.zeros((3000, 1), np.float32)])
    settings = dataclasses.replace(ACCOMPANY, play=PlaySettings(mode="accompany", pedal="harmony"))
    assert run(song, settings, block) == run(song, settings)


@pytest.mark.parametrize("ahead", [0.0, 0.1, 0.4])
def test_everything_is_written_in_time_to_be_sent(ahead: float) -> None:
    settings = dataclasses.replace(ACCOMPANY, accompany=AccompanySettings(ahead=ahead))
    song, stream = clicks(BEATS, 14.0), make_stream(settings)
    found: list[Event] = []
    for start in range(0, len(song), 10):
        events = stream.push(song[start : start + 10])
        assert all(event.time - ahead >= (start + 10) / RATE for event in events)
        found += events
    assert ons(found)


@pytest.mark.parametrize("cut", [9.0, 10.1, 11.87])
@pytest.mark.parametrize("ahead", [0.0, 0.25])
def test_what_was_sent_does_not_depend_on_what_sounds_later(cut: float, ahead: float) -> None:
    settings = dataclasses.replace(ACCOMPANY, accompany=AccompanySettings(ahead=ahead))
    song = clicks(BEATS, 14.0)
    other = song.copy()
    other[round(cut * RATE) :] = 0
    noise = song.copy()
    noise[round(cut * RATE) :] = 0.9
    whole, silent, loud = (
        [event for event in run(s, settings) if event.time - ahead <= cut]
        for s in (song, other, noise)
    )
    assert len(whole) > 4
    assert whole == silent == loud


def test_it_rests_with_the_player_and_comes_back() -> None:
    song = np.concatenate(
        [clicks(BEATS, 12.0), np.zeros((4000, 1), np.float32), clicks(BEATS - 0.3, 12.0)]
    )
    for gate in (GateSettings(enabled=False), GateSettings()):
        events = run(song, dataclasses.replace(ACCOMPANY, gate=gate), graphs=Graphs(length=11))
        times = np.array(sorted({note.time for note in ons(events)}))
        in_rest = times[(times > 12.0) & (times < 16.0)]
        assert in_rest.max(initial=0) <= 12.0 + BAR_S + PERIOD
        assert times.max() > 26
        sounding: set[int] = set()
        for note in notes_of(events):
            (sounding.add if note.is_on else sounding.discard)(note.pitch)
        assert not sounding


def test_what_it_does_is_told() -> None:
    stream = make_stream()
    states = [stream.accompanist]
    for song in (clicks(BEATS, 12.0), np.zeros((3000, 1), np.float32)):
        stream.push(song)
        states.append(stream.accompanist)
    assert states == [PlayState.LISTENING, PlayState.PLAYING, PlayState.RESTING]
    assert CoverStream(make_pipeline(), EngineSettings(), RATE, 1).accompanist is None


def test_a_gap_is_played_through() -> None:
    """Half a second that the machine had no time for is no rest."""
    stream, song = make_stream(), clicks(BEATS, 16.0)
    events = stream.push(song[:12000])
    for start in range(12000, 12500, 50):
        events += stream.skip(song[start : start + 50])
    events += stream.push(song[12500:])
    assert stream.accompanist is PlayState.PLAYING
    times = np.array(sorted({note.time for note in ons(events)}))
    assert np.diff(times).max() < 1.5 * PERIOD


def test_performance_works_as_for_a_cover() -> None:
    song = clicks(BEATS, 14.0)
    play = PlaySettings(mode="accompany", pedal="harmony")
    midi = MidiSettings(transpose=2, left_channel=3)
    events = run(song, dataclasses.replace(ACCOMPANY, play=play, midi=midi))
    assert {note.pitch for note in ons(events)} == {62, 66}
    assert {note.hand for note in ons(events)} <= {"left", "right"}
    assert any(isinstance(event, PedalEvent) for event in events)
    assert [event.time for event in events] == sorted(event.time for event in events)
    muted = PlaySettings(mode="accompany", mute=True)
    assert not ons(run(song, dataclasses.replace(ACCOMPANY, play=muted)))


def test_style_and_density_are_asked_of_the_accompanist() -> None:
    song, stream = clicks(BEATS, 1.0), make_stream()
    pipeline, accompanist = stream._pipeline, stream._player._parts.accompanist  # type: ignore[attr-defined]
    stream.push(song)
    np.testing.assert_array_equal(accompanist.style, USUAL_STYLE)
    loud = np.zeros(STYLE_DIM, np.float32)
    loud[7] = 1
    pipeline.style = loud
    stream.push(song)
    assert accompanist.style[4] > 0
    dense = dataclasses.replace(ACCOMPANY, decoder=DecoderSettings(density=2.0))
    usual = accompanist.settings.notes_per_step
    stream.change(dense)
    stream.push(song)
    assert accompanist.settings.notes_per_step == pytest.approx(2 * usual)


def test_it_hears_in_the_style_in_which_it_learned() -> None:
    stream, pipeline = make_stream(), make_pipeline()
    assert stream._pipeline.heard_style is not None
    pipeline.heard_style = np.ones(STYLE_DIM, np.float32)
    CoverStream(pipeline, EngineSettings(), RATE, 1)
    assert pipeline.heard_style is None


def test_a_style_asks_within_what_it_was_trained_with() -> None:
    style = np.zeros(STYLE_DIM, np.float32)
    style[[7, 15, 23]] = 1  # the loudest, highest, most
    asked = asked_style(style, SPEC, density=4.0)
    assert np.abs(asked[:6]).max() <= 2
    assert asked[4] == 2


def test_files_whose_beat_is_not_heard_and_missing_models(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shipped, "path", lambda: tmp_path)
    with pytest.raises(ModelError) as missing:
        open_accompanist(ACCOMPANY)
    says(missing.value, "play.mode", "accompany", str(tmp_path), "install", "--mode cover")
    model: Any = Graphs()
    monkeypatch.setattr(subject, "open_accompanist", lambda _: Accompanist(model))
    tapped = dataclasses.replace(ACCOMPANY, beat=BeatSettings(source="tap"))
    with pytest.raises(ConfigError) as refused:
        open_accompanying(make_pipeline(), tapped, RATE, 1, lambda _: 0.0)
    says(refused.value, "play.mode", "accompany", "file", "beat.source", "auto")


def test_without_a_beat_or_for_the_melody_alone() -> None:
    with pytest.raises(ConfigError) as error:
        needed_accompanist(ACCOMPANY, SPEC, None, open_accompanist)
    says(error.value, "play.mode", "accompany", "beat", "beat.source")
    with pytest.raises(ConfigError) as error:
        EngineSettings(play=PlaySettings(mode="accompany", parts="melody"))
    says(error.value, "play.parts", "melody", "play.mode", "accompany")
    spec = dataclasses.replace(SPEC, styles={})
    with pytest.raises(ConfigError) as error:
        needed_accompanist(ACCOMPANY, spec, make_follower(), open_accompanist)
    says(error.value, "play.mode", "balanced", "loudness", "model.model", "live")
    assert needed_accompanist(EngineSettings(), SPEC, None, open_accompanist) is None
