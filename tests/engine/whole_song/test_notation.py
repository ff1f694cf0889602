"""Hands, melody, and what is written: MIDI with a tempo map, MusicXML that is read again."""

import dataclasses
from pathlib import Path

import mido
import numpy as np
import pytest

from engine.core.errors import DataError
from engine.core.notes import NoteEvent
from engine.whole_song.arranger import Arranged, from_four, in_four, score_image
from engine.whole_song.grid import Grid
from engine.whole_song.grid_notes import GridNote, hands_apart, melody_on_grid, without_doubles
from engine.whole_song.harmony import Key
from engine.whole_song.notation import to_midi, write
from engine.whole_song.song_analysis import SongAnalysis
from engine.whole_song.song_analyzer import MelodyNote, melody_of

BEATS = np.concatenate([[1.0], 1.0 + np.cumsum([0.5, 0.5, 0.6, 0.6, 0.5, 0.5, 0.5, 0.5])])


def analysis(melody: list[MelodyNote] | None = None) -> SongAnalysis:
    sound = np.zeros((32, 88, 4), np.float16)
    return SongAnalysis(Grid(BEATS), sound, [None] * 8, Key(2, False), melody or [])


def arranged() -> Arranged:
    notes = [
        GridNote(0, 8, 38, 60),
        GridNote(0, 4, 50, 60),
        GridNote(0, 4, 62, 60),
        GridNote(0, 6, 74, 90, is_melody=True),
        GridNote(8, 8, 43, 60),
        GridNote(8, 2, 71, 90, is_melody=True),
    ]
    return Arranged(hands_apart(notes), analysis())


def test_hands_are_apart_and_the_melody_is_on_the_right() -> None:
    hands = {(n.step, n.pitch): n.is_left for n in arranged().notes}
    assert hands == {
        (0, 38): True, (0, 50): True, (0, 62): False, (0, 74): False, (8, 43): True, (8, 71): False,
    }  # fmt: skip
    low = hands_apart([GridNote(0, 1, 50, 80, is_melody=True), GridNote(0, 1, 43, 60)])
    assert [n.is_left for n in low] == [True, False]


def test_a_melody_is_quantized_and_one_voice() -> None:
    melody = [MelodyNote(1.02, 1.6, 74, 80), MelodyNote(1.52, 1.53, 76, 120)]
    found = melody_on_grid(analysis(melody))
    assert [(n.step, n.length, n.pitch, n.velocity) for n in found] == [
        (0, 4, 74, 90),
        (4, 1, 76, 127),
    ]


def test_melody_events_become_notes() -> None:
    events = [
        NoteEvent(0.0, 60, 80, "melody"),
        NoteEvent(0.0, 40, 80),
        NoteEvent(0.5, 62, 80, "melody"),
        NoteEvent(0.6, 60, 0, "melody"),
        NoteEvent(0.9, 62, 0, "melody"),
        NoteEvent(0.9, 40, 0),
    ]
    assert melody_of(events) == [MelodyNote(0.0, 0.5, 60, 80), MelodyNote(0.5, 0.9, 62, 80)]


def test_no_key_is_struck_twice_at_once() -> None:
    melody = [GridNote(4, 4, 72, 90, is_melody=True)]
    notes = [GridNote(0, 8, 48, 60), GridNote(4, 4, 48, 60), GridNote(5, 1, 72, 60)]
    found = without_doubles(notes, melody)
    assert [(n.step, n.length, n.pitch) for n in found] == [(0, 4, 48), (4, 4, 48)]


def test_notes_in_seconds_follow_the_beats() -> None:
    rows = arranged().seconds()
    assert rows.shape == (6, 5)
    assert rows[rows[:, 2] == 38][0, :2].tolist() == pytest.approx([1.0, 2.0])
    assert Arranged([], analysis()).seconds().shape == (0, 5)


def test_an_image_shows_what_is_struck_and_what_sounds() -> None:
    image = score_image([GridNote(30, 8, 60, 80)])
    assert image[:, 39, 0].sum() == 1 and image[30:, 39, 1].sum() == 2


def test_midi_plays_in_time_with_the_song(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    write(arranged(), path)
    midi = mido.MidiFile(path)
    assert [track.name for track in midi.tracks] == ["livecover", "right hand", "left hand"]
    metas = {m.type: m for m in midi.tracks[0] if m.is_meta}
    assert metas["key_signature"].key == "D" and metas["time_signature"].numerator == 4
    now, onsets = 0.0, []
    for message in midi:
        now += message.time
        if message.type == "note_on" and message.velocity:
            onsets.append((round(now, 3), message.note))
    wanted = [(round(float(t), 3), int(p)) for t, _, p, *_ in arranged().seconds()]
    assert sorted(onsets) == sorted(wanted)
    ticks = [m.time for track in midi.tracks[1:] for m in track]
    assert all(tick % 240 == 0 for tick in ticks)  # sixteenths, no more and no less


def test_a_song_that_begins_at_once_has_no_empty_bar() -> None:
    early = Arranged(
        [GridNote(0, 4, 60, 80)], dataclasses.replace(analysis(), grid=Grid(BEATS - 1.0))
    )
    first = next(m for m in to_midi(early).tracks[1] if m.type == "note_on")
    assert first.time == 0


def test_a_unit_in_three_is_a_unit_in_four_whose_last_beat_goes_on() -> None:
    sound = np.tile(np.arange(1, 25, dtype=np.float32)[:, None, None], (1, 88, 4))
    wide = in_four(sound, 3)
    assert wide.shape == (32, 88, 4)
    assert wide[:, 0, 1].tolist() == [*range(1, 13), *range(9, 13), *range(13, 25), *range(21, 25)]
    assert not wide[12:16, :, [0, 2]].any() and wide[16, 0, 0] == 13
    chords = np.arange(6, dtype=np.float32)[:, None]
    assert in_four(chords, 3)[:, 0].tolist() == [0, 1, 2, 2, 3, 4, 5, 5]
    notes = [GridNote(10, 8, 60, 50), GridNote(13, 1, 62, 50), GridNote(16, 4, 64, 50)]
    assert [(n.step, n.length) for n in from_four(notes, 3)] == [(10, 2), (12, 4)]
    assert from_four(notes, 4) == notes and in_four(sound, 4) is sound


@pytest.mark.parametrize("name", ["song.mid", "song.musicxml", "song.mxl"])
def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write(arranged(), tmp_path / "none" / name)


def test_notes_before_the_song_are_not_written() -> None:
    early = dataclasses.replace(analysis(), grid=Grid(BEATS - 2.2))
    notes = [GridNote(0, 4, 60, 80), GridNote(8, 4, 62, 80), GridNote(20, 4, 64, 80)]
    midi = to_midi(Arranged(notes, early))
    assert [m.note for track in midi.tracks for m in track if m.type == "note_on"] == [62, 64]
