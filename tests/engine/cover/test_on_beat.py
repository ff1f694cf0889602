"""A cover on the beat: the tune on its sixteenths, an accompaniment under it; free without one."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.accompany.accompanist import Accompanist
from engine.accompany.strikes import StrikeModel
from engine.beat.clock import BeatClock
from engine.beat.estimate import BeatEstimate
from engine.beat.steps.sound import SoundGatherer
from engine.core.errors import ModelError
from engine.core.notes import Event, NoteEvent, Posteriors, notes_of
from engine.core.settings import (
    BeatSettings,
    DecoderSettings,
    EngineSettings,
    GateSettings,
    MidiSettings,
    PlaySettings,
    TimeSettings,
)
from engine.cover.accompanying import (
    SAMPLING,
    Accompanying,
    needed_accompanist,
    open_accompanying,
)
from engine.cover.on_beat import KNOWN_FRAMES, BeatCoverPlayer, on_beat
from engine.cover.player import CoverPlayer, Player
from engine.cover.stream import CoverStream
from models.spec import Decoding
from tests.engine.accompany.graphs import Graphs
from tests.engine.beat.band import clicks, make_follower
from tests.engine.fakes import RATE, SPEC, Array, make_pipeline

FRAME_S = SPEC.features.frame_s
KNOWN_S = KNOWN_FRAMES * FRAME_S
SIXTEENTH = 0.125  # at 120 beats a minute
SECONDS = 12.0
COVER = EngineSettings(gate=GateSettings(enabled=False))
TUNE, UNDER = 72, 50


def strike(*notes: tuple[float, int, bool]) -> Posteriors:
    """Return posteriors of (time, pitch, is the tune's), each held for 80 ms."""
    n = round(SECONDS / FRAME_S)
    onset, frame, velocity, melody = (np.zeros((n, 88), np.float32) for _ in range(4))
    for time, pitch, is_tune in notes:
        first, key = round(time / FRAME_S), pitch - 21
        onset[first, key] = 0.9
        frame[first : first + 8, key] = 0.9
        velocity[first : first + 8, key] = 0.6
        melody[first - 1 : first + 8, key] = is_tune
    return Posteriors(np.arange(n), onset, frame, velocity, melody)


def rows(heard: Posteriors, start: int, stop: int) -> Posteriors:
    assert heard.melody is not None
    onset, frame, velocity, melody = (
        part[start:stop] for part in (heard.onset, heard.frame, heard.velocity, heard.melody)
    )
    return Posteriors(heard.frames[start:stop], onset, frame, velocity, melody)


def locked_clock(sixteenth: float = SIXTEENTH) -> BeatClock:
    """Return a clock whose bar begins at 0 s, at 120 beats a minute if not told else."""
    clock = BeatClock()
    clock.take(BeatEstimate(0, 0.0, 4 * sixteenth, 0, 4, 1.0, 0.9), 0.0)
    return clock


def make_player(
    clock: BeatClock,
    reserve: float = 0.3,
    graphs: Any = None,
    settings: EngineSettings = COVER,
    strikes: StrikeModel | None = None,
) -> BeatCoverPlayer:
    model: Any = graphs or Graphs()
    sampling = dataclasses.replace(SAMPLING["cover"], habit=0.0, evidence=1.0)
    accompanist = Accompanist(model, sampling, strikes=strikes)
    follower: Any = SimpleNamespace(clock=clock, sound=SoundGatherer(SPEC.features))
    parts = Accompanying(accompanist, follower, 0.0, lambda _: reserve, is_device=False)
    return BeatCoverPlayer(make_pipeline(), settings, parts)


def play(player: Player, heard: Posteriors, upto: float = SECONDS, step: int = 1) -> list[Event]:
    """Return what is played of posteriors that come a few frames at a time."""
    events: list[Event] = []
    nothing = np.zeros(0, np.float32)
    stop = round(upto / FRAME_S)
    for k in range(0, stop, step):
        events += player.push(nothing, rows(heard, k, min(k + step, stop)), 0.0)
    return events + list(player.finish(rows(heard, 0, 0), 0.0))


class Undecided(Graphs):
    """The accompanist hesitates between a rest and any key."""

    def note(self, hidden: Any, plan: Any, struck: Any, last: int, pitch: int) -> Any:
        found = super().note(hidden, plan, struck, last, pitch)
        logits = np.full(89, -3.0 if not struck.any() else -1e9, np.float32)
        logits[88] = 0
        return found._replace(pitch=logits)


def ons(events: list[Event], pitch: int | None = None) -> list[NoteEvent]:
    found = [event for event in notes_of(events) if event.is_on]
    return [event for event in found if pitch in (None, event.pitch)]


def off_grid(notes: list[NoteEvent]) -> Array:
    """Return how far notes are from their sixteenths, ms, rounded."""
    steps = np.array([note.time for note in notes]) / SIXTEENTH
    return np.round(1000 * SIXTEENTH * np.abs(steps - np.round(steps)))


LOOSE = strike(*((k * 4 * SIXTEENTH + late, TUNE, True) for k, late in
                 zip(range(5, 20), np.tile([-0.04, 0.03, 0.0], 5), strict=True)))  # fmt: skip


def test_the_tune_falls_on_its_sixteenths() -> None:
    notes = ons(play(make_player(locked_clock()), LOOSE), TUNE)
    assert len(notes) == 15
    assert off_grid(notes).max() == 0
    assert {note.part for note in notes} == {"melody"}


def test_a_note_of_the_tune_ends_where_the_next_begins() -> None:
    heard = strike(*((k * 4 * SIXTEENTH, TUNE + k % 3, True) for k in range(5, 20)))
    for k in range(5, 20):
        first = round(k * 4 * SIXTEENTH / FRAME_S)
        heard.frame[first : first + 60, TUNE + k % 3 - 21] = 0.9
    tune = [note for note in notes_of(play(make_player(locked_clock()), heard))
            if note.part == "melody"]  # fmt: skip
    assert [note.is_on for note in tune] == [True, False] * 15
    ended = {round(note.time / SIXTEENTH, 3) for note in tune if not note.is_on}
    assert set(range(24, 80, 4)) <= ended


def test_a_held_note_of_the_tune_that_wavers_is_not_struck_again() -> None:
    heard = strike((2.5, TUNE, True), (4.0, TUNE + 2, True))
    first, key = round(2.5 / FRAME_S), TUNE - 21
    assert heard.melody is not None
    heard.frame[first : first + 60, key] = heard.melody[first : first + 60, key] = 0.9
    heard.onset[first + 29 : first + 32, key] = 0.06, 0.12, 0.06
    assert len(ons(play(make_player(locked_clock()), heard), TUNE)) == 1
    heard.onset[first + 29 : first + 32, key] = 0.2, 0.9, 0.2
    heard.frame[first + 26 : first + 29, key] = 0.2
    assert len(ons(play(make_player(locked_clock()), heard), TUNE)) == 2


def test_an_overtone_far_above_the_tune_is_not_played() -> None:
    high = strike(
        *((k * 4 * SIXTEENTH, TUNE, True) for k in range(5, 20)),
        *((k * 4 * SIXTEENTH + 2 * SIXTEENTH, TUNE + 19, True) for k in (10, 12, 15)),
    )
    events = play(make_player(locked_clock()), high)
    assert len(ons(events, TUNE)) == 15 and not ons(events, TUNE + 19)


def two_keys(higher: int, onset: float) -> set[int]:
    """Return what is played of two keys of the tune that are struck at once."""
    heard = strike((2.5, TUNE, True), (2.52, TUNE + higher, True))
    heard.onset[round(2.5 / FRAME_S), TUNE - 21] = 1
    heard.onset[round(2.52 / FRAME_S), TUNE + higher - 21] = onset
    settings = dataclasses.replace(COVER, decoder=DecoderSettings(onset_threshold=0.1))
    events = play(make_player(locked_clock(), settings=settings), heard)
    return {note.pitch for note in ons(events) if note.part == "melody"}


def test_of_an_octave_the_key_is_played_whose_attack_is_much_plainer() -> None:
    assert two_keys(12, onset=0.15) == {TUNE}
    assert two_keys(-12, onset=0.15) == {TUNE}
    assert two_keys(12, onset=0.25) == {TUNE, TUNE + 12}


def test_of_a_semitone_the_key_is_played_that_is_sung_after_both() -> None:
    heard = strike((2.5, TUNE, True), (2.54, TUNE + 1, True))
    heard.frame[round(2.54 / FRAME_S) : round(2.9 / FRAME_S), TUNE + 1 - 21] = 0.9
    assert heard.melody is not None
    heard.melody[round(2.54 / FRAME_S) : round(2.9 / FRAME_S), TUNE + 1 - 21] = 1
    events = play(make_player(locked_clock()), heard)
    assert {n.pitch for n in ons(events) if n.part == "melody"} == {TUNE + 1}


def test_where_sixteenths_are_short_all_falls_on_eighths() -> None:
    sixteenth = 0.09
    notes = [(k * sixteenth + 0.01, TUNE, True) for k in range(9, 100, 7)]
    notes += [(k * sixteenth + 0.01, UNDER, False) for k in range(8, 100, 5)]
    player = make_player(locked_clock(sixteenth), graphs=Undecided())
    events = play(player, strike(*notes))
    tune, under = (np.array([note.time for note in ons(events, key)]) for key in (TUNE, UNDER))
    assert len(tune) == len(range(9, 100, 7))
    for times in (tune, under[under > tune[0]]):
        assert len(times)
        eighths = times / (2 * sixteenth)
        assert eighths == pytest.approx(np.round(eighths))


def test_without_time_to_wait_late_notes_stay_and_early_ones_do_not() -> None:
    notes = ons(play(make_player(locked_clock(), reserve=0.0), LOOSE), TUNE)
    assert off_grid(notes).tolist() == [0.0, 30.0, 0.0] * 5


@pytest.mark.parametrize("reserve", [0.0, 0.05, 0.3])
def test_every_note_comes_in_time_to_be_sent(reserve: float) -> None:
    player, heard = make_player(locked_clock(), reserve), LOOSE
    last = 0.0
    for k in range(round(10 / FRAME_S)):
        for event in player.push(np.zeros(0, np.float32), rows(heard, k, k + 1), 0.0):
            # the least latency counts on a frame and a half after an onset
            assert event.time >= (k - 1.5) * FRAME_S - reserve - 1e-9
            assert event.time >= last - 1e-9
            last = event.time
    assert last > 9


def test_the_accompanist_plays_under_it_from_a_beat_on() -> None:
    under = [(k * SIXTEENTH + 0.02, UNDER, False) for k in range(2, 90, 3)]
    heard = strike(*under)
    events = play(make_player(locked_clock()), heard)
    own = ons(events, 60)
    assert own[0].time == pytest.approx(4 * SIXTEENTH)  # the first beat after something was heard
    assert {round(note.time / SIXTEENTH) % 4 for note in own} == {0}
    free = ons(events, UNDER)
    assert free
    assert max(note.time for note in free) < own[0].time
    assert {note.hand for note in own} <= {"left", "right"}


def test_keys_that_were_heard_are_struck_and_the_tune_is_left_to_itself() -> None:
    even = [(k * 4 * SIXTEENTH, UNDER, False) for k in range(2, 22)]
    odd = [(k * 4 * SIXTEENTH + 2 * SIXTEENTH, TUNE, True) for k in range(2, 22)]
    events = play(make_player(locked_clock(), graphs=Undecided()), strike(*even, *odd))
    own = [note for note in ons(events, UNDER) if note.time > 16 * SIXTEENTH - 0.01]
    assert len(own) > 12
    assert off_grid(own).max() == 0
    assert all(note.part == "melody" for note in ons(events, TUNE))


def test_without_a_beat_every_note_is_played_as_it_is_heard() -> None:
    heard = strike(*((0.3 + 0.31 * k, 48 + 5 * (k % 4), k % 3 == 0) for k in range(30)))
    hands = dataclasses.replace(COVER, play=PlaySettings(hands=True))
    decoding = on_beat(SPEC.decoding)
    settings = dataclasses.replace(hands, decoder=DecoderSettings.from_spec(decoding))
    free = play(CoverPlayer(make_pipeline(), settings), heard)
    own = ons(play(make_player(BeatClock()), heard))
    assert [dataclasses.replace(note, channel=1) for note in own] == ons(free)
    assert len(ons(free)) == 30


def test_where_the_beat_is_lost_it_goes_on_free_and_nothing_hangs() -> None:
    heard = strike(*((k * 4 * SIXTEENTH + 0.02, UNDER, False) for k in range(1, 23)))
    clock = locked_clock()
    player = make_player(clock, graphs=Graphs(length=15))
    events: list[Event] = []
    for k in range(round(SECONDS / FRAME_S)):
        if k * FRAME_S == 6.0:
            clock.lose()
        events += player.push(np.zeros(0, np.float32), rows(heard, k, k + 1), 0.0)
    events += player.finish(rows(heard, 0, 0), 0.0)
    own, free = ons(events, 60), ons(events, UNDER)
    assert own and max(note.time for note in own) < 6.0
    assert [note for note in free if note.time > 6.5]
    sounding: dict[int, float] = {}
    for note in notes_of(events):
        if note.is_on:
            assert note.pitch not in sounding
            sounding[note.pitch] = note.time
        else:
            assert note.time - sounding.pop(note.pitch) < 6.0
    assert not sounding


def test_a_gap_ends_all_notes_and_the_end_leaves_out_what_was_not_played() -> None:
    heard, player = LOOSE, make_player(locked_clock())
    events: list[Event] = []
    for k in range(round(5.9 / FRAME_S)):
        events += player.push(np.zeros(0, np.float32), rows(heard, k, k + 1), 0.0)
    events += player.skip(rows(heard, 0, 0), 0.0)
    assert not player.skip(rows(heard, 0, 0), 0.0)
    assert len(ons(events)) == len([e for e in notes_of(events) if not e.is_on])
    player = make_player(locked_clock(), reserve=1.0)
    events = []
    for k in range(round(5.9 / FRAME_S)):
        events += player.push(np.zeros(0, np.float32), rows(heard, k, k + 1), 0.0)
    ended = list(player.end())
    assert not ons(ended)
    assert len(ons(events)) == len([e for e in notes_of(events + ended) if not e.is_on])


@pytest.mark.parametrize("block", [3, 5000])
def test_blocks_do_not_matter(block: int) -> None:
    song = clicks(np.arange(0.3, 14.0, 0.48), 14.0)

    def run(size: int) -> list[Event]:
        pipeline, model = make_pipeline(), Graphs()
        accompanist = Accompanist(model, SAMPLING["cover"])  # type: ignore[arg-type]
        follower = make_follower(pipeline)
        parts = Accompanying(accompanist, follower, 0.0, lambda _: 0.1, is_device=False)
        stream = CoverStream(pipeline, COVER, RATE, 1, parts)
        events: list[Event] = []
        for start in range(0, len(song), size):
            events += stream.push(song[start : start + size])
        return events + stream.finish()

    assert run(block) == run(64)
    assert len({note.pitch for note in ons(run(64))}) > 1  # the accompanist has entered


def test_settings_count_as_elsewhere() -> None:
    heard = strike(*((k * 4 * SIXTEENTH, TUNE, True) for k in range(5, 20)))
    play_settings = PlaySettings(parts="accompaniment")
    settings = dataclasses.replace(COVER, play=play_settings, midi=MidiSettings(transpose=2))
    events = play(make_player(locked_clock(), settings=settings), heard)
    assert {note.pitch for note in ons(events)} == {62, 66}
    player = make_player(locked_clock())
    ended = player.change(dataclasses.replace(COVER, play=PlaySettings(mute=True)))
    assert not ons([*ended, *play(player, heard)])


def test_whose_cover_keeps_the_beat() -> None:
    model: Any = Graphs()
    covers = dataclasses.replace(SPEC, decoding=Decoding(notes_per_second=6.0))
    follower = make_follower()

    def open_one(settings: EngineSettings) -> Accompanist:
        return Accompanist(model)

    assert needed_accompanist(COVER, covers, follower, open_one) is not None
    free = dataclasses.replace(COVER, play=PlaySettings(rhythm="free"))
    assert needed_accompanist(free, covers, follower, open_one) is None
    assert needed_accompanist(COVER, covers, None, open_one) is None
    assert needed_accompanist(COVER, SPEC, follower, open_one) is None  # it transcribes
    assert open_accompanying(make_pipeline(), free, RATE, 1, lambda _: 0.0) is None
    silent = dataclasses.replace(COVER, beat=BeatSettings(source="off"))
    assert open_accompanying(make_pipeline(), silent, RATE, 1, lambda _: 0.0) is None
    tapped = dataclasses.replace(COVER, beat=BeatSettings(source="tap"))
    assert open_accompanying(make_pipeline(), tapped, RATE, 1, lambda _: 0.0) is None


def test_more_latency_waits_longer() -> None:
    """The reserve that the settings leave is asked for anew when they change."""
    player = make_player(locked_clock())
    player._parts = dataclasses.replace(
        player._parts, reserve=lambda settings: settings.time.latency or 0.0
    )
    player.change(dataclasses.replace(COVER, time=TimeSettings(latency=0.4)))
    assert player._wait == pytest.approx(KNOWN_S + 0.4)


def test_a_missing_accompanist_is_said() -> None:
    def open_one(settings: EngineSettings) -> Accompanist:
        raise ModelError("no models")

    covers = dataclasses.replace(SPEC, decoding=Decoding(notes_per_second=6.0))
    with pytest.raises(ModelError):
        needed_accompanist(COVER, covers, make_follower(), open_one)
