"""Hand-written posteriors give exact events; any posteriors give well-formed ones."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.notes import NoteEvent, Part, Posteriors
from engine.core.settings import DecoderSettings
from engine.perform.decoder import NoteDecoder
from engine.perform.peaks import peak_offset
from engine.perform.restrikes import RestrikeRule
from engine.perform.tune.share import TuneShare
from models.spec import Decoding

FRAME = 1 / 64  # seconds, exact in binary so that times can be compared with ==
MIDDLE_C = 60 - 21


class Roll:
    """Posteriors under construction: ``n`` frames of nothing, then what a test draws."""

    def __init__(self, n: int, first: int = 0) -> None:
        self.frames = np.arange(first, first + n, dtype=np.int64)
        self.onset, self.frame, self.velocity, self.melody = (
            np.zeros((n, 88), dtype=np.float32) for _ in range(4)
        )

    def note(
        self,
        start: int,
        stop: int,
        pitch: int = MIDDLE_C,
        velocity: float = 0.5,
        shape: Iterable[float] = (0.9,),
        melody: bool = False,
    ) -> "Roll":
        """Draw frames [start, stop) and an onset of ``shape`` from ``start`` on."""
        self.frame[start:stop, pitch] = 0.9
        values = list(shape)
        self.onset[start : start + len(values), pitch] = values
        self.velocity[start : start + len(values), pitch] = velocity
        self.melody[start : start + len(values), pitch] = float(melody)
        return self

    def posteriors(self) -> Posteriors:
        return Posteriors(self.frames, self.onset, self.frame, self.velocity, self.melody)


def decode(roll: Roll, flush: bool = True, **changes: float | int | None) -> list[NoteEvent]:
    decoder = NoteDecoder(FRAME, DecoderSettings(**changes))  # type: ignore[arg-type]
    events = decoder.push(roll.posteriors())
    return events + (decoder.flush() if flush else [])


def on(
    frame: float, velocity: int = 64, pitch: int = 60, part: Part = "accompaniment"
) -> NoteEvent:
    return NoteEvent(frame * FRAME, pitch, velocity, part)


def off(frame: float, pitch: int = 60, part: Part = "accompaniment") -> NoteEvent:
    return on(frame, 0, pitch, part)


def test_one_note() -> None:
    assert decode(Roll(40).note(10, 30)) == [on(10), off(30)]


def test_nothing_below_the_threshold() -> None:
    assert decode(Roll(40).note(10, 30, shape=(0.49,))) == []


def test_onset_exactly_at_the_threshold_counts() -> None:
    assert decode(Roll(40).note(10, 30, shape=(0.5,))) == [on(10), off(30)]


def test_sub_frame_onset() -> None:
    # The parabola through 0.2, 0.8, 0.6 is highest 0.25 frames after its middle.
    events = decode(Roll(40).note(9, 30, shape=(0.2, 0.8, 0.6)))
    assert events[0].time == pytest.approx(10.25 * FRAME, abs=1e-8)


def test_plateau_of_two_gives_its_middle_once() -> None:
    assert decode(Roll(40).note(10, 30, shape=(0.8, 0.8))) == [on(10.5), off(30)]


def test_long_plateau_gives_one_note() -> None:
    assert decode(Roll(40).note(10, 30, shape=[1.0] * 12)) == [on(10.5), off(30)]


def test_rising_slope_waits_for_its_peak() -> None:
    assert decode(Roll(40).note(10, 30, shape=(0.6, 0.7, 0.9, 0.7)), flush=False)[0].time == (
        pytest.approx(12 * FRAME, abs=1e-8)
    )


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_peak_offset_stays_within_half_a_frame(left: float, peak: float, right: float) -> None:
    assert -0.5 <= peak_offset(left, peak, right) <= 0.5


def test_onset_in_the_first_row() -> None:
    assert decode(Roll(40).note(0, 20)) == [on(0), off(20)]


def test_peak_in_the_last_row_is_not_confirmed() -> None:
    assert decode(Roll(40).note(39, 40)) == []


def test_hysteresis_holds_between_the_thresholds() -> None:
    roll = Roll(60).note(10, 20)
    roll.frame[20:40, MIDDLE_C] = 0.4  # below on (0.5), above off (0.3)
    assert decode(roll) == [on(10), off(40)]


def test_frame_that_never_reaches_the_on_threshold_ends_at_its_own_height() -> None:
    roll = Roll(60).note(10, 20)
    roll.frame[10:30, MIDDLE_C] = 0.25  # half the on threshold, so half the off threshold: 0.15
    roll.frame[30:40, MIDDLE_C] = 0.2
    roll.frame[40:50, MIDDLE_C] = 0.1
    assert decode(roll, minimum_note=4 * FRAME) == [on(10), off(40)]


def test_a_note_that_no_frame_supports_ends_after_the_minimum() -> None:
    roll = Roll(60).note(10, 20)
    roll.frame[10:40, MIDDLE_C] = 0.07  # below a quarter of the off threshold
    assert decode(roll, minimum_note=4 * FRAME) == [on(10), off(14)]


def test_early_end_is_delayed_to_the_minimum_note() -> None:
    assert decode(Roll(40).note(10, 11), minimum_note=5 * FRAME) == [on(10), off(15)]


def test_minimum_note_need_not_be_whole_frames() -> None:
    assert decode(Roll(40).note(10, 11), minimum_note=5.25 * FRAME) == [on(10), off(15.25)]


def test_dip_within_the_minimum_does_not_end() -> None:
    roll = Roll(40).note(10, 30)
    roll.frame[11:13, MIDDLE_C] = 0.0
    assert decode(roll, minimum_note=5 * FRAME) == [on(10), off(30)]


def fading() -> Roll:
    """Return a note that is let go in row 30, and in doubt until row 36."""
    roll = Roll(60).note(10, 36)
    roll.frame[30:36, MIDDLE_C] = 0.35
    return roll


@pytest.mark.parametrize(
    ("end_threshold", "wait_frames", "end"),
    [(0.0, 6, 36), (0.5, 0, 35), (0.5, 3, 33), (0.5, 7, 30), (0.3, 6, 35), (0.5, 6, 30)],
)
def test_a_note_ended_where_it_was_last_sure(
    end_threshold: float, wait_frames: int, end: int
) -> None:
    settings = DecoderSettings(end_threshold=end_threshold)
    decoder = NoteDecoder(FRAME, settings, wait_frames=wait_frames)
    assert decoder.push(fading().posteriors()) + decoder.flush() == [on(10), off(end)]


def test_what_may_end_earlier_is_waited_for() -> None:
    decoder = NoteDecoder(FRAME, DecoderSettings(end_threshold=0.5), wait_frames=6)
    rows = fading().note(33, 50, MIDDLE_C + 4)
    events = decoder.push(rows.posteriors()) + decoder.flush()
    assert [event.time for event in events] == [10 * FRAME, 30 * FRAME, 33 * FRAME, 49 * FRAME]


def test_live_no_end_comes_before_what_was_struck() -> None:
    decoder = NoteDecoder(FRAME, DecoderSettings(end_threshold=0.5))
    rows = fading().note(36, 50, MIDDLE_C + 4)
    events = decoder.push(rows.posteriors()) + decoder.flush()
    assert [event.time for event in events] == [10 * FRAME, 35 * FRAME, 36 * FRAME, 49 * FRAME]


def test_maximum_note() -> None:
    assert decode(Roll(200).note(10, 190), maximum_note=1.0) == [on(10), off(74)]


def test_restrike_ends_the_note_first() -> None:
    roll = Roll(60).note(10, 50).note(30, 50, velocity=1.0)
    assert decode(roll) == [on(10), off(30), on(30, 127), off(50)]


def test_restrike_needs_its_own_threshold() -> None:
    roll = Roll(60).note(10, 50).note(30, 50, shape=(0.7,))
    assert decode(roll, restrike_threshold=0.8) == [on(10), off(50)]
    assert len(decode(roll, restrike_threshold=0.6)) == 4


def test_restrike_threshold_is_for_sounding_pitches_only() -> None:
    roll = Roll(60).note(10, 20).note(30, 50, shape=(0.7,))
    assert decode(roll, restrike_threshold=0.8) == [on(10), off(20), on(30), off(50)]


def test_a_note_may_end_at_a_share_of_its_highest() -> None:
    roll = Roll(60).note(10, 50)
    roll.frame[20:, MIDDLE_C] = 0.4
    for release, end in ((0.0, 60), (0.5, 20)):
        decoder = NoteDecoder(FRAME, DecoderSettings(), release=release)
        assert [*decoder.push(roll.posteriors()), *decoder.flush()] == [on(10), off(end)]


def test_a_rule_may_say_what_strikes_again() -> None:
    rule, steady, dipped = RestrikeRule(), Roll(60), Roll(60)
    for roll in (steady, dipped):
        roll.note(10, 50).note(29, 50, shape=(0.1, 0.2, 0.1))
    dipped.frame[25:28, MIDDLE_C] = 0.1
    settings = DecoderSettings(restrike_threshold=0.1, frame_off_threshold=0.05)
    for roll, again in ((steady, []), (dipped, [off(30), on(30)])):
        decoder = NoteDecoder(FRAME, settings, restrikes=rule)
        heard = [*decoder.push(roll.posteriors()), *decoder.flush()]
        assert heard == [on(10), *again, off(50)]


def test_restrike_too_soon_is_ignored() -> None:
    roll = Roll(60).note(10, 50).note(13, 50)
    assert decode(roll, minimum_gap=3.5 * FRAME) == [on(10), off(50)]
    assert decode(roll, minimum_gap=3 * FRAME, minimum_note=0.0) == [
        on(10),
        off(13),
        on(13),
        off(50),
    ]


def test_restrike_may_cut_the_minimum_note() -> None:
    roll = Roll(60).note(10, 11).note(15, 40)
    events = decode(roll, minimum_note=10 * FRAME, minimum_gap=2 * FRAME)
    assert events == [on(10), off(15), on(15), off(40)]


def test_velocity_is_clipped_to_midi() -> None:
    quiet, loud = Roll(40).note(10, 30, velocity=0.0), Roll(40).note(10, 30, velocity=1.5)
    assert decode(quiet)[0].velocity == 1
    assert decode(loud)[0].velocity == 127


def test_part_follows_the_melody_posterior_on_and_off() -> None:
    assert decode(Roll(40).note(10, 30, melody=True)) == [
        on(10, part="melody"),
        off(30, part="melody"),
    ]


def test_of_the_tune_a_share_of_the_threshold_is_enough() -> None:
    for melody, n in ((True, 2), (False, 0)):
        roll = Roll(40).note(10, 30, shape=(0.46,), melody=melody)
        decoder = NoteDecoder(FRAME, DecoderSettings(), tune=TuneShare())
        assert len(decoder.push(roll.posteriors()) + decoder.flush()) == n


def test_without_a_melody_head_all_is_accompaniment() -> None:
    roll = Roll(40).note(10, 30)
    bare = Posteriors(roll.frames, roll.onset, roll.frame, roll.velocity)
    assert NoteDecoder(FRAME).push(bare) == [on(10), off(30)]


def test_lowest_and_highest_pitch() -> None:
    events = decode(Roll(40).note(10, 30, pitch=0).note(10, 30, pitch=87))
    assert [event.pitch for event in events] == [21, 108, 21, 108]


def test_gap_ends_every_note_one_frame_after_the_last() -> None:
    decoder = NoteDecoder(FRAME)
    first = decoder.push(Roll(20).note(10, 20).posteriors())
    second = decoder.push(Roll(20, first=100).note(5, 15).posteriors())
    assert first == [on(10)]
    assert second == [off(20), on(105), off(115)]


def test_gap_within_one_push() -> None:
    roll = Roll(40).note(10, 40).note(30, 40)
    roll.frames[20:] += 100
    assert decode(roll) == [on(10), off(20), on(130), off(140)]


def test_flush_ends_everything_and_the_stream_goes_on() -> None:
    decoder = NoteDecoder(FRAME)
    assert decoder.push(Roll(20).note(10, 20).posteriors()) == [on(10)]
    assert decoder.flush() == [off(20)]
    assert decoder.flush() == []
    assert decoder.push(Roll(20, first=20).note(5, 15).posteriors()) == [on(25), off(35)]


def test_reset_forgets_without_events() -> None:
    decoder = NoteDecoder(FRAME)
    decoder.push(Roll(20).note(10, 20).posteriors())
    decoder.reset()
    assert decoder.flush() == []
    assert decoder.push(Roll(20).note(5, 15).posteriors()) == [on(5), off(15)]


def test_full_polyphony_steals_the_quietest_oldest_accompaniment() -> None:
    roll = Roll(60)
    roll.note(10, 50, pitch=0, velocity=0.5).note(12, 50, pitch=1, velocity=0.3)
    roll.note(14, 50, pitch=2, velocity=0.3).note(8, 50, pitch=3, velocity=0.1, melody=True)
    roll.note(20, 50, pitch=4, velocity=0.4)
    events = decode(roll, polyphony=4)
    assert [(e.time, e.pitch) for e in events if 15 * FRAME < e.time < 30 * FRAME] == [
        (20 * FRAME, 22),
        (20 * FRAME, 25),
    ]


def test_full_polyphony_drops_a_new_note_that_is_the_quietest() -> None:
    roll = Roll(60)
    for pitch in range(4):
        roll.note(10, 50, pitch=pitch, velocity=0.5)
    roll.note(20, 50, pitch=4, velocity=0.4)
    assert {event.pitch for event in decode(roll, polyphony=4)} == {21, 22, 23, 24}


def test_a_chord_larger_than_the_cap_keeps_the_melody_and_the_loudest() -> None:
    roll = Roll(60).note(10, 50, pitch=20, velocity=0.1, melody=True)
    for pitch in range(6):
        roll.note(10, 50, pitch=pitch, velocity=0.1 * (pitch + 2))
    assert {event.pitch - 21 for event in decode(roll, polyphony=3)} == {4, 5, 20}


def test_thresholds_come_from_the_model_unless_set() -> None:
    tuned = Decoding(0.2, 0.4, 0.1, 0.6, 0.7, 5.0)
    assert DecoderSettings.from_spec(tuned).onset_threshold == 0.2
    mine = DecoderSettings(onset_threshold=0.9).resolved(tuned)
    assert (mine.onset_threshold, mine.frame_on_threshold, mine.melody_threshold) == (0.9, 0.4, 0.7)


def test_nan_from_a_broken_model_is_silence() -> None:
    roll = Roll(40).note(10, 30)
    roll.onset[25], roll.frame[20:], roll.velocity[10] = np.nan, np.nan, np.nan
    assert decode(roll) == [on(10, 1), off(20)]


# Density ----------------------------------------------------------------------------------------


def faint_song(level: float, seconds: float = 40.0) -> Posteriors:
    """Five notes a second, sure and less sure, all of it times ``level``; before it a rest."""
    rng = np.random.default_rng(1)
    roll = Roll(round(seconds / FRAME))
    for start in np.arange(100, len(roll.frames) - 20, 0.2 / FRAME).astype(int).tolist():
        pitch, height = int(rng.integers(20, 70)), float(rng.uniform(0.2, 1.0))
        roll.note(start, start + 14, pitch, shape=(height * level,))
    roll.frame *= level
    return roll.posteriors()


def played(level: float, **changes: float) -> list[NoteEvent]:
    decoder = NoteDecoder(FRAME, DecoderSettings(**changes))  # type: ignore[arg-type]
    events = decoder.push(faint_song(level)) + decoder.flush()
    return [event for event in events if event.is_on]


def test_a_faint_song_keeps_its_notes() -> None:
    target = len(played(1.0)) / 38
    fixed, followed = (len(played(0.6, notes_per_second=t)) for t in (0.0, target))
    assert fixed < 0.4 * len(played(1.0))
    assert 0.6 * len(played(1.0)) < followed <= len(played(1.0))


def test_density_thins_the_notes_out() -> None:
    ratio = len(played(1.0, density=0.5)) / len(played(1.0))
    assert 0.45 < ratio < 0.65  # the first seconds are played in full


def test_the_surest_notes_remain() -> None:
    few, all_ = played(1.0, density=0.5), played(1.0)
    assert set(few) <= set(all_)


def test_a_rest_is_not_heard_and_a_gap_forgets_nothing() -> None:
    song = faint_song(0.6, 20.0)
    rest = Roll(2000, first=len(song)).posteriors()
    sleep = faint_song(0.6, 20.0)
    sleep.frames[:] += len(song) + 5000

    def notes_after(*parts: Posteriors) -> int:
        decoder = NoteDecoder(FRAME, DecoderSettings(notes_per_second=6.0))
        for part in parts[:-1]:
            decoder.push(part)
        decoder.flush()
        return sum(event.is_on for event in decoder.push(parts[-1]))

    assert notes_after(song, rest, sleep) == notes_after(song, sleep) > notes_after(sleep)


def test_reset_forgets_the_song() -> None:
    decoder = NoteDecoder(FRAME, DecoderSettings(notes_per_second=6.0))
    first = decoder.push(faint_song(0.6))
    decoder.reset()
    assert decoder.push(faint_song(0.6)) == first


def test_a_faster_style_has_more_notes() -> None:
    counts = []
    for pace in (0.5, 1.0, 2.0):
        decoder = NoteDecoder(FRAME, DecoderSettings(notes_per_second=3.0))
        decoder.pace = pace
        assert decoder.pace == pace
        counts.append(sum(event.is_on for event in decoder.push(faint_song(1.0))))
    assert counts[0] < counts[1] < counts[2]
