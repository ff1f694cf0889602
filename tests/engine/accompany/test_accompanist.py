"""The accompanist as it plays, with graphs that are made up: what it holds, lets go and knows."""

from typing import Any

import numpy as np
import pytest

from engine.accompany.accompanist import Accompanist
from engine.accompany.model import AccompanistModel, NoteLogits, Place
from engine.accompany.playing import (
    LENGTHS,
    held_rows,
    length_class,
    velocity_class,
    velocity_of,
)
from engine.accompany.sampling import SamplingSettings
from engine.accompany.step_notes import DONE
from tests.engine.accompany.graphs import C, Graphs


def play(graphs: Graphs, n: int, **settings: Any) -> list[Any]:
    model: Any = graphs
    accompanist = Accompanist(model, SamplingSettings(**settings))
    steps = []
    for k in range(n):
        accompanist.hear(np.zeros((1, 88, 2), np.float32))
        steps.append(accompanist.step(Place(k % 16, 2, 100.0)))
    return steps


def test_notes_are_struck_low_to_high_with_what_was_drawn_of_them() -> None:
    first = play(Graphs(), 1)[0]
    assert [(n.pitch, n.velocity, n.length, n.hand) for n in first.notes] == [
        (60, 84, 6, "right"),
        (64, 84, 6, "right"),
    ]


def test_a_key_is_let_go_when_its_length_is_over() -> None:
    steps = play(Graphs(length=2), 5)  # 3 steps
    assert [step.released for step in steps] == [(), (), (), (60, 64), ()]


def test_what_the_new_chord_does_not_hold_is_let_go_at_once() -> None:
    graphs = Graphs(chord=(60, 66), change=2, length=11)  # C and F sharp; 16 steps
    steps = play(graphs, 4, least_safety=0.0)
    assert steps[2].plan.is_new
    assert steps[2].released == (60,)
    assert [step.released for step in steps if step is not steps[2]] == [()] * 3


def test_a_player_knows_what_it_struck_and_holds() -> None:
    graphs = Graphs(length=3)  # 4 steps
    play(graphs, 4)
    struck, held = np.array(graphs.owns)[:, :88], np.array(graphs.owns)[:, 88:]
    assert np.flatnonzero(struck[:, 60 - 21]).tolist() == [1]
    assert struck[1, 60 - 21] == pytest.approx(84 / 127)
    assert (16 * held[:, 60 - 21]).tolist() == [0, 3, 2, 1]
    np.testing.assert_allclose(
        held[:4],
        held_rows(np.array([0]), np.array([4]), np.array([60]), 4)
        + held_rows(np.array([0]), np.array([4]), np.array([64]), 4),
    )


def test_a_pitch_that_does_not_belong_is_avoided() -> None:
    class Undecided(Graphs):
        def note(self, *args: Any) -> NoteLogits:
            said = super().note(*args)
            if self.place % 4 == 0 and args[3] == DONE:
                said.pitch[[60 - 21, 61 - 21]] = 0
            return said

    for safety, pitches in ((4.0, {60}), (0.0, {60, 61})):
        settings = {"safety": safety, "least_safety": 0.0, "density": 0.0, "candidates": 1}
        steps = play(Undecided(chord=(60,)), 160, **settings)
        assert {note.pitch for step in steps for note in step.notes[:1]} == pitches


def test_the_player_hears_no_newer_steps_than_it_learned_with() -> None:
    class Told(Graphs):
        def play(self, own: Any, plan: Any, *args: Any, is_guided: bool = True) -> Any:
            told.append((round(float(args[0][0]), 3), args[-1].lag))
            return super().play(own, plan, *args, is_guided=is_guided)

    told: list[tuple[float, int]] = []
    model: Any = Told()
    accompanist = Accompanist(model, SamplingSettings(player_lag=2))
    for k, lag in enumerate((1, 1, 1, 3)):
        accompanist.hear(np.full((1, 88, 2), k / 10, np.float32))
        accompanist.step(Place(k, lag, 100.0))
    assert told == [(0.0, 1), (0.0, 2), (0.1, 2), (0.3, 3)]
    assert [float(heard[0]) for heard, _ in model.heards] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_listening_plans_and_plays_nothing() -> None:
    model: Any = Graphs()
    accompanist = Accompanist(model)
    step = accompanist.step(Place(0, 2, 100.0), plays=False)
    assert step.notes == ()
    assert step.plan.chord == C
    assert model.owns == []


def test_a_seed_makes_it_repeatable_and_another_differs() -> None:
    class Chance(Graphs):
        def note(self, *args: Any) -> NoteLogits:
            said = super().note(*args)
            said.pitch[40:50] = 0
            return said

    def pitches(seed: int) -> list[Any]:
        model: Any = Chance()
        accompanist = Accompanist(model, seed=seed)
        found = [accompanist.step(Place(k, 2, 100.0)).notes for k in range(16)]
        accompanist.reset()
        assert [accompanist.step(Place(k, 2, 100.0)).notes for k in range(16)] == found
        return found

    assert pitches(1) == pitches(1)
    assert pitches(1) != pitches(2)


def test_what_is_expected_of_a_long_song_is_bounded() -> None:
    model: Any = Graphs()
    accompanist = Accompanist(model)
    accompanist.hear(np.random.default_rng(0).random((2000, 88, 2)).astype(np.float32))
    accompanist.step(Place(0, 2, 100.0))
    assert len(accompanist._heard) < 500


@pytest.mark.parametrize("steps", [1, 2, 8, 9, 16, 48, 400])
def test_lengths_have_the_nearest_class(steps: int) -> None:
    nearest = np.abs(LENGTHS - steps).min()
    assert abs(LENGTHS[length_class(np.array([steps]))[0]] - steps) == nearest


def test_velocities_come_back_within_their_class() -> None:
    velocities = np.arange(1, 128)
    assert np.abs(velocity_of(velocity_class(velocities)) - velocities).max() <= 4


def test_a_folder_that_is_no_accompanist(tmp_path: Any) -> None:
    from engine.core.errors import ModelError

    with pytest.raises(ModelError, match=r"plan\.onnx"):
        AccompanistModel(tmp_path)


def test_guidance_goes_further_where_plan_and_sound_lead() -> None:
    class Led(Graphs):
        def note(self, *args: Any) -> NoteLogits:
            said = super().note(*args)
            if self.place % 4 == 0 and args[3] == DONE:
                said.pitch[[60 - 21, 64 - 21]] = (1, 0) if args[0].any() else (0, 0)
            return said

    for guidance, share in ((0.0, 0.73), (3.0, 0.98)):
        steps = play(Led(chord=(60,)), 800, guidance=guidance, safety=0.0)
        first = [step.notes[0].pitch for step in steps if step.notes]
        assert np.mean(np.array(first) == 60) == pytest.approx(share, abs=0.07)


def test_of_several_candidates_the_steadiest_is_played() -> None:
    class Moody(Graphs):
        def note(self, *args: Any) -> NoteLogits:
            said = super().note(*args)
            said.pitch[DONE] = 0  # may always rest
            return said

    def attacks(**settings: Any) -> list[bool]:
        return [bool(step.notes) for step in play(Moody(chord=(60,)), 320, **settings)]

    def changed(bars: list[bool]) -> int:
        return sum(a != b for a, b in zip(bars, bars[16:], strict=False))

    several = attacks(candidates=6, density=0.0)
    assert changed(several) < changed(attacks(candidates=1, density=0.0)) / 2


class Free(Graphs):
    """May rest, or strike any one key, as likely as a rest on the whole."""

    def note(self, *args: Any) -> NoteLogits:
        said = super().note(*args)
        is_first = args[3] == DONE
        said.pitch[:DONE] = -np.log(88) if is_first else -1e9
        said.pitch[DONE] = 0
        return said


FREE: dict[str, Any] = dict(
    safety=0.0,
    caution=0.0,
    least_safety=0.0,
    density=0.0,
    fullness=0.0,
    candidates=1,
    top_p=1.0,
)


def struck(n: int, heard: Any = None, **settings: Any) -> list[int | None]:
    """Return the key struck on each step, from 0; None where it rests."""
    model: Any = Free()
    accompanist = Accompanist(model, SamplingSettings(**FREE, **settings))
    keys = []
    for k in range(n):
        accompanist.hear(np.zeros((1, 88, 2), np.float32))
        notes = accompanist.step(Place(k % 16, 0, 100.0), struck=heard).notes
        keys.append(notes[0].pitch - 21 if notes else None)
    return keys


class Either(Free):
    """Thinks a second chord, a fifth above, as likely as ``second`` says: it shares one tone."""

    second = 0.4

    def plan(self, *args: Any) -> Any:
        p, bass = super().plan(*args)
        p[7 * 8] += np.float32(self.second)
        return p / p.sum(), bass


def test_what_is_not_safe_enough_is_not_struck() -> None:
    def classes(least: float) -> set[int]:
        model: Any = Either()
        settings = SamplingSettings(**(FREE | {"least_safety": least}))
        accompanist = Accompanist(model, settings)
        steps = [accompanist.step(Place(k % 16, 0, 100.0)) for k in range(300)]
        return {note.pitch % 12 for step in steps for note in step.notes}

    assert classes(0.2) == {0, 2, 4, 7, 11}
    assert classes(0.6) == {0, 4, 7}
    assert classes(0.8) == {7}


def test_where_nothing_is_safe_enough_it_rests() -> None:
    settings = SamplingSettings(**(FREE | {"least_safety": 1.1}))
    model: Any = Free()
    accompanist = Accompanist(model, settings)
    steps = [accompanist.step(Place(k % 16, 0, 100.0)) for k in range(64)]
    assert not any(step.notes for step in steps)


@pytest.mark.parametrize("is_sure", [False, True])
def test_caution_rests_where_no_pitch_is_safe(is_sure: bool) -> None:
    class Unsure(Free):
        def plan(self, *args: Any) -> Any:
            p, bass = super().plan(*args)
            p[: 12 * 8 : 8] += np.float32(0 if is_sure else 1)  # each major chord
            return p / p.sum(), bass

    def n_struck(caution: float) -> int:
        model: Any = Unsure()
        settings = SamplingSettings(**(FREE | {"caution": caution}))
        accompanist = Accompanist(model, settings)
        steps = [accompanist.step(Place(k % 16, 0, 100.0)) for k in range(300)]
        return sum(bool(step.notes) for step in steps)

    usual, careful = n_struck(0.0), n_struck(2.0)
    assert careful == usual if is_sure else careful < usual / 3


def test_what_was_heard_is_struck_as_far_as_it_counts() -> None:
    heard = np.full(88, 0.01, np.float32)
    heard[40] = 0.9
    assert struck(200, heard).count(40) < 10
    assert struck(200, heard, evidence=2.0).count(40) > 60


def test_habit_strikes_and_rests_as_a_bar_ago() -> None:
    def changed(keys: list[int | None]) -> int:
        return sum((a is None) != (b is None) for a, b in zip(keys, keys[16:], strict=False))

    assert changed(struck(400, habit=3.0)) < changed(struck(400)) / 3


def test_pulse_strikes_more_on_beats_less_so_between_them_and_nothing_else() -> None:
    def rests(keys: list[int | None]) -> list[int]:
        return [keys[place::4].count(None) for place in range(4)]

    plain, with_pulse = rests(struck(400)), rests(struck(400, pulse=3.0))
    assert with_pulse[0] < with_pulse[2] < plain[2] - 20
    assert with_pulse[0] < plain[0] / 4
    for place in (1, 3):
        assert abs(with_pulse[place] - plain[place]) < 20


def test_calm_strikes_less_between_half_beats_and_nothing_else() -> None:
    def rests(keys: list[int | None]) -> list[int]:
        return [keys[place::2].count(None) for place in range(2)]

    plain, calm = rests(struck(400, calm=0.0)), rests(struck(400, calm=2.0))
    assert calm[1] > plain[1] + 40
    assert abs(calm[0] - plain[0]) < 25


def test_between_half_beats_the_best_of_several_is_not_struck_more_often_than_one() -> None:
    class Rare(Either):
        def note(self, *args: Any) -> NoteLogits:
            said = super().note(*args)
            said.pitch[:DONE] -= np.float32(1.2)
            return said

    def n_struck(candidates: int) -> list[int]:
        model: Any = Rare()
        settings = FREE | {"candidates": candidates, "calm": 0.0, "steadiness": 0.0}
        accompanist = Accompanist(model, SamplingSettings(**settings))
        steps = [accompanist.step(Place(k % 16, 0, 100.0)) for k in range(400)]
        return [sum(bool(step.notes) for step in steps[place::2]) for place in range(2)]

    one, best = n_struck(1), n_struck(8)
    assert best[0] > 1.5 * one[0]
    assert abs(best[1] - one[1]) < 25


def test_a_key_struck_lately_gives_way_to_others_and_not_to_a_rest() -> None:
    heard = np.full(88, 0.01, np.float32)
    heard[[40, 50]] = 0.5

    def again(keys: list[int | None]) -> int:
        return sum(a is not None and a == b for a, b in zip(keys, keys[1:], strict=False))

    held, plain = (struck(400, heard, evidence=1.0, restrike=r) for r in (6.0, 0.0))
    assert again(held) < again(plain) / 4
    assert abs(held.count(None) - plain.count(None)) < 40


def test_a_key_struck_lately_is_tied_over_beside_others_unless_it_is_heard() -> None:
    def chords(heard: float, tie: float) -> list[tuple[int, ...]]:
        model: Any = Graphs(chord=(60, 64))
        accompanist = Accompanist(model, SamplingSettings(tie=tie))
        found = []
        for k in range(8):
            model.chord = (60, 64, 67) if k == 4 else (60, 64)
            step = accompanist.step(Place(k, 2, 100.0), struck=np.full(88, heard, np.float32))
            found.append(tuple(note.pitch for note in step.notes))
        return [found[0], found[4]]

    assert chords(0.05, tie=0.1) == [(60, 64), (67,)]
    assert chords(0.2, tie=0.1) == chords(0.05, tie=0.0) == [(60, 64), (60, 64, 67)]


def test_of_a_step_one_key_is_struck_though_all_were_lately() -> None:
    model: Any = Graphs()
    accompanist = Accompanist(model, SamplingSettings(tie=0.1))
    silent = np.zeros(88, np.float32)
    steps = [accompanist.step(Place(k, 2, 100.0), struck=silent) for k in range(5)]
    assert [note.pitch for note in steps[4].notes] == [60]


def test_lengths_may_be_a_quantile_of_what_is_likely() -> None:
    class Unsure(Graphs):
        def note(self, *args: Any) -> NoteLogits:
            said = super().note(*args)
            said.rest[:16] = np.log(np.array([4, 3, 2, 1, *[1e-9] * 12]) / 10)
            return said

    for hold, length in ((0.3, 1), (0.5, 2), (0.95, 4)):
        steps = play(Unsure(), 40, hold=hold)
        assert {note.length for step in steps for note in step.notes} == {length}


def test_touch_is_drawn_apart_from_keys() -> None:
    class Soft(Graphs):
        def note(self, *args: Any) -> NoteLogits:
            said = super().note(*args)
            said.rest[16 + 4 : 16 + 12] = np.linspace(0, 1, 8)
            return said

    def velocities(touch: float) -> set[int]:
        steps = play(Soft(chord=(60,)), 160, temperature=1e-3, touch=touch)
        return {note.velocity for step in steps for note in step.notes}

    assert len(velocities(1.0)) > 4
    assert len(velocities(1e-3)) == 1
