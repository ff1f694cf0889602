"""Any song's grid in a MIDI file: second 0 is tick 0, every step at its second, on a sixteenth."""

import io

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.whole_song.arranger import Arranged
from engine.whole_song.grid import Grid, grid_of
from engine.whole_song.grid_notes import GridNote
from engine.whole_song.harmony import Key
from engine.whole_song.notation import to_midi
from engine.whole_song.song_analysis import SongAnalysis
from engine.whole_song.song_tempo import TICKS_PER_STEP, SongTempo

ON_TIME_S = 0.02


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Any tempo, steady or not, after any silence or in the midst of a bar, in four or in three."""
    period = 60 / draw(st.floats(45, 200))
    n = draw(st.integers(8, 60))
    drift = draw(st.floats(-0.3, 0.3))
    lengths = period * (1 + drift * np.sin(np.arange(n - 1) / 5))
    first = draw(st.one_of(st.just(0.0), st.floats(0, period), st.floats(0, 40)))
    beats = first + np.concatenate([[0.0], np.cumsum(lengths)])
    beats_per_bar = draw(st.sampled_from([3, 4]))
    downbeat = draw(st.integers(0, beats_per_bar - 1))
    return grid_of(beats, downbeat, float(beats[-1]) + 1, beats_per_bar)


def read_again(file: mido.MidiFile) -> mido.MidiFile:
    """The file, as someone else reads it."""
    data = io.BytesIO()
    file.save(file=data)
    return mido.MidiFile(file=io.BytesIO(data.getvalue()))


def ons_of(file: mido.MidiFile) -> list[tuple[float, int]]:
    now, found = 0.0, []
    for message in file:
        now += message.time
        if message.type == "note_on" and message.velocity:
            found.append((now, message.note))
    return found


def filled(grid: Grid) -> Arranged:
    """A note at each step that is heard, a key after the other."""
    steps = np.flatnonzero(grid.time(np.arange(grid.n_steps)) >= -0.001).tolist()
    notes = [GridNote(step, 1, 40 + step % 32, 70, is_left=step % 2 == 0) for step in steps]
    sound = np.zeros((0, 88, 4), np.float16)
    return Arranged(notes, SongAnalysis(grid, sound, [], Key(0, False), []))


@given(grids())
def test_every_step_sounds_at_its_second(grid: Grid) -> None:
    arranged = filled(grid)
    heard = sorted(ons_of(read_again(to_midi(arranged))))
    true = [float(grid.time(note.step)) for note in arranged.notes]
    assert [note for _, note in heard] == [note.pitch for note in arranged.notes]
    assert np.abs(np.array([at for at, _ in heard]) - true).max() <= ON_TIME_S


@given(grids())
def test_bars_and_sixteenths_of_the_file_are_the_songs(grid: Grid) -> None:
    tempo = SongTempo(grid)
    steps = np.arange(grid.n_steps + 1)
    seconds = grid.time(steps)
    later = steps[seconds >= 2 * (seconds[1] - seconds[0])]  # than the lead
    ticks = tempo.ticks(seconds[later])
    assert (ticks % TICKS_PER_STEP == 0).all()
    bar_lines, now = [], 0
    for message in tempo.conductor("tempo"):
        now += message.time
        if message.type == "time_signature":
            bar_lines.append((now, message.numerator / message.denominator))
    at, bar = bar_lines[-1]
    assert bar == grid.beats_per_bar / 4
    length = grid.steps_per_bar * TICKS_PER_STEP
    is_downbeat = later % grid.steps_per_bar == 0
    assert ((ticks[is_downbeat] - at) % length == 0).all()
    if len(bar_lines) == 2:  # what comes before is one bar, no longer than the others
        assert bar_lines[0][0] == 0 and at == round(bar_lines[0][1] * 16) * TICKS_PER_STEP
        assert 0 < at < length


@given(grids())
def test_a_tempo_is_one_that_programs_take(grid: Grid) -> None:
    song = 60 / np.diff(grid.beats)
    for message in SongTempo(grid).conductor("tempo"):
        if message.type == "set_tempo":
            bpm = 6e7 / message.tempo
            assert song.min() / 2 < bpm < 2.1 * song.max()


def test_a_song_that_begins_at_once_has_no_lead() -> None:
    track = SongTempo(Grid(0.004 + 0.5 * np.arange(9))).conductor("tempo", "Eb")
    metres = [m for m in track if m.type == "time_signature"]
    assert [(m.numerator, m.denominator) for m in metres] == [(4, 4)]
    assert [m.key for m in track if m.type == "key_signature"] == ["Eb"]


@pytest.mark.parametrize(
    ("first", "metre", "tempo"),
    [
        (-1.9, (1, 16), 400_000),  # the downbeat 0.1 s after the begin: a sixteenth, a bit fast
        (-0.5, (3, 4), 500_000),  # three beats before it
        (-0.25, (7, 8), 500_000),
    ],
)
def test_an_upbeat_is_a_bar_of_its_own(first: float, metre: tuple[int, int], tempo: int) -> None:
    track = SongTempo(Grid(first + 0.5 * np.arange(17))).conductor("tempo")
    (pickup, whole) = (m for m in track if m.type == "time_signature")
    assert (pickup.numerator, pickup.denominator) == metre
    assert (whole.numerator, whole.denominator) == (4, 4)
    assert next(m.tempo for m in track if m.type == "set_tempo") == tempo
