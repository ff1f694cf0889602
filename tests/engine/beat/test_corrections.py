"""What a player and a sequencer say of the beat: tempo, place, bar; and what is heard after it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.beat.follower import BeatFollower
from engine.beat.tapping import TapTempo
from engine.core.settings import BeatSettings
from engine.core.tempo import Beat, BeatState, Tempo
from engine.model.pipeline import Pipeline
from tests.engine.beat.band import AUTO, clicks, make_follower, play
from tests.engine.fakes import Array, make_pipeline, sound

BEATS = np.arange(0.25, 60.0, 0.5)
NEAR_S = 0.025
TAP = BeatSettings(source="tap")


class Room:
    """A follower that hears a song, and a player beside it."""

    def __init__(self, settings: BeatSettings = AUTO, song: Array | None = None) -> None:
        self.song = clicks(BEATS, 40.0) if song is None else song
        self.pipeline: Pipeline = make_pipeline()
        self.follower: BeatFollower = make_follower(self.pipeline, settings)

    def until(self, seconds: float) -> None:
        start = round(self.follower.now * 1000)
        play(self.pipeline, self.song[start : round(seconds * 1000)])

    def tap(self, *times: float) -> None:
        for time in times:
            self.until(time + 0.03)  # a tap is known a little later
            self.follower.correct("tap", time)

    @property
    def tempo(self) -> Tempo:
        tempo = self.follower.beat.tempo
        assert tempo is not None
        return tempo

    @property
    def bar_at(self) -> float:
        bar_at = self.tempo.bar_at(self.follower.now)
        assert bar_at is not None
        return bar_at


def silent(settings: BeatSettings = TAP) -> Room:
    return Room(settings, sound(40.0))


def is_near(time: float, times: np.typing.NDArray[np.float64]) -> bool:
    return bool(np.abs(times - time).min() < NEAR_S)


@given(st.floats(0.25, 1.9), st.lists(st.floats(-0.02, 0.02), min_size=3, max_size=12))
def test_taps_tell_a_tempo(period: float, uneven: list[float]) -> None:
    taps = TapTempo()
    for k, late in enumerate(uneven):
        taps.tap(3.0 + k * period + late)
    assert taps.period == pytest.approx(period, abs=0.04)
    assert taps.beat_at == pytest.approx(3.0 + (len(uneven) - 1) * period, abs=0.04)
    assert taps.n_taps == len(uneven)


@pytest.mark.parametrize("pause", [4.0, 1.1])
def test_another_count_begins_after_a_pause_and_at_another_pace(pause: float) -> None:
    taps = TapTempo()
    for time in (0.0, 0.5, 1.0, 1.0 + pause):
        taps.tap(time)
    assert taps.n_taps < 3


def test_two_taps_begin_a_beat_that_goes_on_by_itself() -> None:
    room = silent()
    room.tap(1.0, 1.6)
    assert room.follower.beat.source == "tapped"
    room.until(30.0)
    assert room.follower.beat.state is BeatState.LOCKED
    assert room.tempo.bpm == pytest.approx(100.0)
    assert is_near(room.tempo.beat_at, np.arange(1.0, 60.0, 0.6))
    assert is_near(room.bar_at, np.arange(1.0, 60.0, 2.4))  # the first tap is one


def test_with_a_tempo_one_tap_is_enough() -> None:
    room = silent(BeatSettings(source="tap", tempo=90.0, metre="3/4"))
    room.tap(2.0)
    room.until(10.0)
    assert room.tempo.bpm == pytest.approx(90.0)
    assert is_near(room.bar_at, np.arange(2.0, 60.0, 2.0))


def test_a_tap_in_a_song_moves_the_beat_and_keeps_the_tempo_that_is_known() -> None:
    room = silent()
    room.tap(1.0, 1.5, 2.0, 2.5, 3.0)
    room.until(9.0)
    room.tap(9.08, 9.62)
    assert room.tempo.bpm == pytest.approx(120.0)
    room.until(12.0)
    assert is_near(room.tempo.beat_at, np.arange(9.62, 20.0, 0.5))


def test_taps_lock_what_is_heard_before_it_would_by_itself() -> None:
    room = Room()
    room.tap(0.25, 0.75, 1.25)
    assert room.follower.beat.state is BeatState.LOCKED
    assert room.follower.beat.source == "heard"
    room.until(20.0)
    assert room.follower.beat.state is BeatState.LOCKED
    assert is_near(room.tempo.beat_at, BEATS)


def test_taps_between_the_clicks_stay_there_and_one_tap_may_be_a_mistake() -> None:
    """A song that a listener may count on the offbeat: the player does."""
    for n_taps, beats in ((1, BEATS), (4, BEATS + 0.25)):
        room = Room()
        room.until(8.0)
        room.tap(*(BEATS[18 : 18 + n_taps] + 0.25).tolist())
        room.until(35.0)
        assert is_near(room.tempo.beat_at, beats)


@pytest.mark.parametrize(("correction", "bpm"), [("halve", 60.0), ("double", 240.0)])
def test_another_level_is_kept_while_the_same_music_is_heard(correction: str, bpm: float) -> None:
    room = Room()
    room.until(10.0)
    assert room.tempo.bpm == pytest.approx(120, abs=1)
    room.follower.correct(correction, 10.0)
    beats = BEATS[::2] if correction == "halve" else np.arange(0.0, 60.0, 0.25)
    for seconds in range(11, 40):  # the beats on which bars began stay beats
        room.until(seconds)
        assert room.tempo.bpm == pytest.approx(bpm, rel=0.02)
        assert is_near(room.tempo.beat_at, beats)
        assert is_near(room.bar_at, beats)


def test_twice_as_fast_one_elsewhere_and_half_again_follow_the_same_music() -> None:
    room = Room()
    room.until(10.0)
    room.follower.correct("double", 10.0)
    room.until(14.1)
    between = float(BEATS[27]) + 0.25  # where nothing is struck
    room.until(between + 0.03)
    room.follower.correct("one", between)
    for seconds in range(16, 24):
        room.until(seconds)
        assert room.follower.beat.state is BeatState.LOCKED
        assert room.tempo.bpm == pytest.approx(240.0, rel=0.02)
        assert is_near(room.bar_at, np.arange(between, 40.0, 1.0))
    room.follower.correct("halve", 23.0)
    room.until(36.0)
    assert room.tempo.bpm == pytest.approx(120.0, rel=0.02)
    assert is_near(room.tempo.beat_at, BEATS)


def test_halved_and_doubled_again_is_as_before() -> None:
    room = silent()
    room.tap(1.0, 1.5, 2.0)
    for correction in ("double", "halve", "halve", "double"):
        room.follower.correct(correction, 0.0)
    room.until(12.0)
    assert room.tempo.bpm == pytest.approx(120.0)
    assert is_near(room.bar_at, np.arange(1.0, 20.0, 2.0))


def test_no_tempo_is_scaled_beyond_what_a_player_counts() -> None:
    room = silent()
    room.tap(1.0, 1.5)
    for _ in range(5):
        room.follower.correct("double", 0.0)
    assert room.tempo.bpm == pytest.approx(240.0)


def test_the_bar_begins_where_the_player_says_and_nothing_heard_moves_it() -> None:
    """The clicks say that bars begin with the first, the player says with the third."""
    room = Room()
    room.until(10.0)
    assert is_near(room.bar_at, BEATS[::4])
    before = room.tempo.beat
    third = float(BEATS[2::4][BEATS[2::4] > 10.0][0])
    room.until(third + 0.06)
    room.follower.correct("one", third + 0.04)
    for seconds in range(13, 40):
        room.until(seconds)
        assert is_near(room.bar_at, BEATS[2::4])
    assert before is not None
    assert room.tempo.beat is not None
    assert room.tempo.beat // 4 == pytest.approx(before // 4 + 15, abs=1)  # bars are counted on


def test_one_where_nothing_is_counted_yet_is_the_first_tap() -> None:
    room = silent(BeatSettings(source="tap", tempo=120.0))
    room.until(3.0)
    room.follower.correct("one", 3.0)
    assert room.bar_at == pytest.approx(3.0)


@pytest.mark.parametrize("correction", ["halve", "double"])
def test_where_there_is_no_beat_nothing_is_scaled(correction: str) -> None:
    room = silent()
    room.follower.correct(correction, 0.0)
    assert room.follower.beat.tempo is None


@pytest.mark.parametrize("bpm", [60.0, 120.0])
def test_a_tempo_that_is_given_is_the_level_that_is_heard(bpm: float) -> None:
    room = Room(BeatSettings(tempo=bpm))
    room.until(12.0)
    assert room.tempo.bpm == pytest.approx(bpm, rel=0.02)


def test_a_metre_that_is_given_is_counted() -> None:
    room = Room(BeatSettings(metre="3/4"))
    room.until(12.0)
    assert room.tempo.beats_per_bar == 3
    room.follower.change(BeatSettings(metre="4/4"))
    room.until(16.0)
    assert room.tempo.beats_per_bar == 4
    assert room.follower.beat.state is BeatState.LOCKED


@pytest.mark.parametrize("source", ["auto", "tap"])
def test_beats_are_later_by_the_offset(source: str) -> None:
    room = Room(BeatSettings(source=source))
    room.tap(*BEATS[:8].tolist())
    for offset, seconds in ((0.06, 14.0), (-0.04, 18.0)):
        room.follower.change(BeatSettings(source=source, offset=offset))
        room.until(seconds)
        assert is_near(room.tempo.beat_at, BEATS + offset)


def test_a_tempo_set_while_it_plays_is_taken_at_once() -> None:
    room = silent()
    room.tap(1.0, 1.5, 2.0)
    room.follower.change(BeatSettings(source="tap", tempo=100.0))
    room.until(5.0)
    assert room.tempo.bpm == pytest.approx(100.0)


def test_what_a_player_said_is_forgotten_with_the_song() -> None:
    """A song at 120, which the player counts at 60; ten seconds of silence; one at 130."""
    second = np.arange(25.0, 45.0, 60 / 130)
    song = np.concatenate([clicks(BEATS, 15.0), clicks(second, 45.0)[15000:]])
    room = Room(song=song)
    room.until(8.0)
    room.follower.correct("halve", 8.0)
    room.until(15.0)
    assert room.tempo.bpm == pytest.approx(60, rel=0.02)
    room.until(40.0)
    assert room.follower.beat.state is BeatState.LOCKED
    assert room.tempo.bpm == pytest.approx(130, rel=0.02)


def sequencer(now: float, period: float = 0.4, first: float = 0.1) -> Tempo:
    """A sequencer's tempo as it is told now."""
    beat = math.floor((now - first) / period)
    return Tempo(60 / period, first + beat * period, beat, 4)


@pytest.mark.parametrize("source", ["auto", "clock"])
def test_a_sequencer_that_plays_takes_precedence(source: str) -> None:
    room = Room(BeatSettings(source=source))
    for now in np.arange(6.0, 12.0, 0.25).tolist():
        room.until(now)
        room.follower.sequence(sequencer(now))
    room.until(12.05)
    beat, clock = room.follower.beat, room.follower.clock
    assert (beat.source, beat.state) == ("clock", BeatState.LOCKED)
    assert room.tempo.bpm == pytest.approx(150.0)
    assert room.tempo.beat_at == pytest.approx(12.1)
    assert room.tempo.beat == 30
    coming = math.ceil(clock.position(12.05))
    assert clock.time_of(coming) == pytest.approx(12.1, abs=0.01)
    assert clock.beat_in_bar(coming) == 30 % 4
    room.follower.sequence(None)
    room.until(24.0)
    if source == "auto":
        assert room.follower.beat.source == "heard"
        assert is_near(room.tempo.beat_at, BEATS)
    else:
        assert room.follower.beat.state is BeatState.LOST


def test_a_sequencer_that_stands_tells_a_tempo_where_nothing_is_heard() -> None:
    room, standing = Room(), Tempo(90.0, 10.0, None, 4)
    room.follower.sequence(standing)
    room.until(0.5)
    assert room.follower.beat == Beat("clock", BeatState.LOCKED, 1.0, standing)
    room.until(10.0)
    assert room.follower.beat.source == "heard"


def test_who_taps_follows_no_sequencer() -> None:
    room = silent()
    room.tap(1.0, 1.5)
    room.follower.sequence(sequencer(2.0))
    room.until(3.0)
    assert room.follower.beat.source == "tapped"


words = st.tuples(
    st.sampled_from(["tap", "tap", "tap", "halve", "double", "one", "wait", "tempo", "sequence"]),
    st.floats(0.01, 1.2),
)


@settings(max_examples=25)
@given(st.lists(words, max_size=25))
def test_whatever_is_said_the_position_never_goes_back(said: list[tuple[str, float]]) -> None:
    room = Room(song=clicks(BEATS, 40.0))
    before, bar = 0.0, 0
    for word, seconds in said:
        room.until(room.follower.now + seconds)
        now, clock = room.follower.now, room.follower.clock
        if word == "tempo":
            room.follower.change(BeatSettings(tempo=60 + 100 * seconds))
        elif word == "sequence":
            room.follower.sequence(sequencer(now) if seconds < 0.6 else None)
        elif word != "wait":
            room.follower.correct(word, now - 0.02)
        assert clock.position(now) >= before - 1e-9
        before = clock.position(now)
        assert clock.bar_of(math.floor(before)) >= bar
        bar = clock.bar_of(math.floor(before))
