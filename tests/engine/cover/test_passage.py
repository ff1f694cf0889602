"""What a passage says of its steps, and a cover that is played by it."""

from dataclasses import replace
from typing import Any

import numpy as np

from engine.accompany.strikes import Strikes
from engine.core.notes import NoteEvent
from engine.cover.on_beat import BeatCoverPlayer
from engine.cover.passage import MOST_STEPS_AFTER, STEPS_BEFORE
from tests.engine.accompany.graphs import Graphs
from tests.engine.cover.test_on_beat import (
    SIXTEENTH,
    TUNE,
    UNDER,
    Undecided,
    locked_clock,
    make_player,
    ons,
    play,
    strike,
)
from tests.engine.fakes import SPEC

AHEAD_S = 2.0
EVERY = [(k * 4 * SIXTEENTH, TUNE, True) for k in range(4, 20)]


class Told:
    """Says of each step what it is told by how many steps the bar is old; keeps what it was asked.

    The tune and the accompaniment are as likely as ``tune`` and ``under`` on the places that they
    name, and elsewhere not at all.
    """

    def __init__(self, tune: dict[int, float], under: dict[int, float] | None = None) -> None:
        self.tune, self.under = tune, under or {}
        self.n_steps: list[int] = []

    def read(self, heard: Any, sound: Any, places: Any) -> Strikes:
        assert len(sound) == len(heard)
        self.n_steps.append(len(heard))
        found = np.zeros((2, len(heard), 88), np.float32)
        for row, place in enumerate(places.tolist()):
            found[0, row, TUNE - 21] = self.tune.get(place, 0.0)
            found[1, row, UNDER - 21] = self.under.get(place, 0.0)
        return Strikes(*found)


def player_told(told: Told, reserve: float = AHEAD_S, graphs: Any = None) -> BeatCoverPlayer:
    strikes: Any = told
    return make_player(locked_clock(), reserve, graphs or Graphs(), strikes=strikes)


def steps(notes: list[NoteEvent]) -> list[int]:
    return [round(note.time / SIXTEENTH) for note in notes]


def test_a_note_of_the_tune_is_one_where_it_is_likely_to_be_struck() -> None:
    told = Told({place: 0.9 for place in (0, 8)})  # and not on the second and fourth beats
    notes = ons(play(player_told(told), strike(*EVERY)), TUNE)
    assert steps(notes) == list(range(16, 80, 8))


def test_a_late_singer_may_be_meant_on_the_step_before() -> None:
    late = [(time + SIXTEENTH, TUNE, True) for time, _, _ in EVERY]
    told = Told({place: 0.9 for place in (0, 4, 8, 12)})
    assert len(ons(play(player_told(told), strike(*late)), TUNE)) == len(EVERY)


def test_what_is_unlikely_is_told_by_what_the_singer_is_used_to() -> None:
    for usual, n_struck in ((0.9, 12), (0.1, 16)):
        told = Told({0: usual, 4: usual, 8: 0.02, 12: usual})
        notes = ons(play(player_told(told), strike(*EVERY)), TUNE)
        assert len(notes) == n_struck


def test_more_is_heard_as_the_tunes_where_the_passage_tells_what_is_not() -> None:
    faint = strike(*EVERY)
    assert faint.melody is not None
    faint = replace(faint, melody=0.2 * SPEC.decoding.melody_threshold * faint.melody)
    told = Told({place: 0.9 for place in (0, 4, 8, 12)})
    for reserve, n in ((AHEAD_S, len(EVERY)), (0.0, 0)):
        player = player_told(told, reserve)
        assert len([note for note in ons(play(player, faint), TUNE) if note.part == "melody"]) == n


def test_the_accompaniment_strikes_what_is_likely() -> None:
    silence = strike((0.5, 30, False), *((k * SIXTEENTH, 30, False) for k in range(8, 80)))
    told = Told({}, {0: 0.95, 8: 0.95})
    notes = ons(play(player_told(told, graphs=Undecided()), silence), UNDER)
    assert len(notes) > 5
    assert {step % 8 for step in steps(notes)} == {0}


def test_without_time_to_hear_what_follows_nothing_is_asked() -> None:
    told = Told({})
    notes = ons(play(player_told(told, reserve=0.0), strike(*EVERY)), TUNE)
    assert len(notes) == len(EVERY)
    assert len(told.n_steps[1:]) <= 1  # at the end, when nothing more comes


def test_it_is_asked_for_some_steps_at_once() -> None:
    told = Told({place: 0.9 for place in range(16)})
    play(player_told(told), strike(*EVERY))
    n_steps, asked = round(12.0 / SIXTEENTH), told.n_steps[1:]
    assert len(asked) < n_steps / 3
    assert max(asked) >= 16


def test_the_longest_passage_is_read_before_a_song_so_that_none_takes_memory_later() -> None:
    told = Told({place: 0.9 for place in range(16)})
    player = player_told(told)
    assert told.n_steps == [STEPS_BEFORE + 1 + MOST_STEPS_AFTER]
    play(player, strike(*EVERY))
    assert max(told.n_steps[1:]) <= told.n_steps[0]


def test_blocks_do_not_matter() -> None:
    told = Told({place: 0.9 for place in (0, 8)}, {4: 0.9})
    once = play(player_told(told), strike(*EVERY), step=50)
    assert once == play(player_told(told), strike(*EVERY), step=2)
