"""POP909: notes on one time axis, annotations, splits; corpora by name, and what is in them."""

from pathlib import Path

import mido
import numpy as np
import pytest

from engine.core.errors import ConfigError, DataError
from offline_train.corpora import (
    Beat,
    Chord,
    Note,
    Pedal,
    Song,
    open_corpus,
    read_notes,
    read_song,
    report,
    split_ids,
    summarise,
)
from tests.offline_train.fixtures import BRIDGE, CHORDS, MELODY, PIANO, notes_of, write_data
from tests.offline_train.fixtures import write_song as write_fixture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_fixture(tmp_path / "007")


def test_a_song_is_read_whole(folder: Path) -> None:
    song = read_song(folder)
    assert song.song_id == "007"
    np.testing.assert_allclose(song.melody, notes_of(MELODY))
    np.testing.assert_allclose(song.bridge, notes_of(BRIDGE))
    np.testing.assert_allclose(song.piano, notes_of(PIANO))
    assert song.beats[:5] == [
        Beat(0.0, True), Beat(0.5, False), Beat(1.0, False), Beat(1.5, False), Beat(2.0, True),
    ]  # fmt: skip
    assert song.chords == [Chord(2.0 * k, 2.0 * k + 2, s) for k, s in enumerate(CHORDS)]
    assert song.duration == pytest.approx(7.95)


def test_a_cover_is_melody_and_piano_without_doubled_notes(folder: Path) -> None:
    cover = read_song(folder).cover()
    assert sum(is_melody for _, is_melody in cover) == len(MELODY)
    assert sum(not is_melody for _, is_melody in cover) == len(PIANO) - 1
    assert [part for note, part in cover if note.pitch == 72 and note.onset == 0.0] == [True]
    assert [note.onset for note, _ in cover] == sorted(note.onset for note, _ in cover)


@pytest.mark.parametrize(
    ("pitch", "onset", "is_kept"), [(60, 1.04, False), (60, 1.06, True), (61, 1.0, True)]
)
def test_only_the_same_pitch_within_50_ms_is_a_double(
    pitch: int, onset: float, is_kept: bool
) -> None:
    melody, piano = [Note(1.0, 2.0, 60, 90)], [Note(onset, 2.0, pitch, 70)]
    song = Song("x", melody, [], piano, [], [])
    assert ((piano[0], False) in song.cover()) == is_kept


def test_an_empty_song_lasts_no_time() -> None:
    assert Song("x", [], [], [], [], []).duration == 0.0


def test_tempo_changes_move_later_notes(tmp_path: Path) -> None:
    midi = mido.MidiFile(ticks_per_beat=100)
    midi.tracks.append(
        mido.MidiTrack(
            [
                mido.MetaMessage("set_tempo", tempo=1_000_000, time=100),  # after 0.5 s
                mido.MetaMessage("set_tempo", tempo=250_000, time=100),  # after 1.5 s
            ]
        )
    )
    midi.tracks.append(
        mido.MidiTrack(
            [
                mido.MetaMessage("track_name", name="A"),
                mido.Message("note_on", note=60, velocity=64, time=150),
                mido.Message("note_off", note=60, time=150),
            ]
        )
    )
    midi.save(tmp_path / "a.mid")
    assert read_notes(tmp_path / "a.mid")["A"] == [Note(1.0, 1.75, 60, 64)]


def test_a_note_struck_again_ends_the_one_before(tmp_path: Path) -> None:
    midi = mido.MidiFile(ticks_per_beat=100)
    track = mido.MidiTrack([mido.MetaMessage("track_name", name="A")])
    for time, velocity in ((0, 50), (100, 60), (0, 70), (100, 0), (0, 0)):
        track.append(mido.Message("note_on", note=60, velocity=velocity, time=time))
    midi.tracks.append(track)
    midi.save(tmp_path / "a.mid")
    assert read_notes(tmp_path / "a.mid")["A"] == [Note(0.0, 0.5, 60, 50), Note(0.5, 1.0, 60, 70)]


@pytest.mark.parametrize("content", [b"", b"not a MIDI file", b"MThd\0\0\0\x06\0\1\0\1\0\x60MTrk"])
def test_a_broken_midi_file_is_named(folder: Path, content: bytes) -> None:
    (folder / "007.mid").write_bytes(content)
    with pytest.raises(DataError, match=r"007\.mid: expected a MIDI file, "):
        read_song(folder)


def test_a_key_that_music_does_not_have_is_left_out(folder: Path) -> None:
    whole = read_song(folder)
    content = (folder / "007.mid").read_bytes()
    track = b"\x00\xff\x59\x02\x0f\x00" + b"\x00\xff\x2f\x00"  # fifteen sharps
    chunk = b"MTrk" + len(track).to_bytes(4, "big") + track
    (folder / "007.mid").write_bytes(content[:14] + chunk + content[14:])
    assert read_song(folder) == whole


def test_a_missing_midi_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.mid: expected a MIDI file"):
        read_song(tmp_path / "nowhere")


def test_a_song_without_melody_is_named(folder: Path) -> None:
    midi = mido.MidiFile(folder / "007.mid")
    midi.tracks = [t for t in midi.tracks if t.name != "MELODY"]
    midi.save(folder / "007.mid")
    with pytest.raises(DataError, match=r"tracks MELODY and PIANO, \['MELODY'\] empty"):
        read_song(folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [("beat_midi.txt", "0.0 1.0\n"), ("beat_midi.txt", "a b c\n"), ("chord_midi.txt", "0 1\n")],
)
def test_broken_annotations_are_named(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(DataError, match="007: expected rows of numbers in its annotations"):
        read_song(folder)


def test_missing_annotations_are_named(folder: Path) -> None:
    (folder / "chord_midi.txt").unlink()
    with pytest.raises(DataError, match=r"chord_midi\.txt: expected a text file"):
        read_song(folder)


def test_splits_are_by_song(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", 3)
    assert split_ids(data, "train") == ["001", "002", "003"]
    assert split_ids(data, "test") == ["902"]


def test_whoever_lacks_the_data_is_told_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a folder .*github\.com/music-x-lab/POP909"):
        split_ids(tmp_path, "train")


@pytest.mark.parametrize("text", ["{", "[]", '{"pop909": {}}'])
def test_a_broken_list_of_splits_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "splits.json").write_text(text)
    with pytest.raises(DataError, match=r'splits\.json: expected (\{"pop909": \{"train"|JSON)'):
        split_ids(tmp_path, "train")


def test_a_song_is_a_piece(tmp_path: Path) -> None:
    data = write_data(tmp_path, 1)
    midi = mido.MidiFile(data / "pop909" / "902" / "902.mid")
    piano = next(track for track in midi.tracks if track.name == "PIANO")
    piano.insert(1, mido.Message("control_change", control=64, value=127))
    midi.save(data / "pop909" / "902" / "902.mid")
    piece = open_corpus("pop909", data).read("902")
    song = read_song(data / "pop909" / "902")
    assert piece.notes == {"melody": song.melody, "bridge": song.bridge, "piano": song.piano}
    assert (piece.beats, piece.chords) == (song.beats, song.chords)
    assert piece.pedals == [Pedal(0.0, True)]
    assert (piece.licence, piece.audio, piece.duration) == ("MIT", None, song.duration)
    assert [part.role for part in Song("x", [], [], song.piano, [], []).piece().parts] == ["piano"]


def test_pop909_is_found_by_its_own_folder_too(tmp_path: Path) -> None:
    data = write_data(tmp_path, 3)
    for folder in (data, data / "pop909"):
        corpus = open_corpus("pop909", folder)
        assert [corpus.ids(split) for split in ("train", "valid", "test")] == [
            ["001", "002", "003"], ["901"], ["902"],
        ]  # fmt: skip
    with pytest.raises(DataError, match="expected a split of train, valid, test, got 'validation'"):
        corpus.ids("validation")


def test_a_corpus_that_is_not_known_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"expected a corpus of pop909, .*'maestr0'; did you mean"
    ):
        open_corpus("maestr0", tmp_path)
    with pytest.raises(DataError, match="nowhere: expected a folder that holds the corpus midi"):
        open_corpus("midi", tmp_path / "nowhere")
    with pytest.raises(DataError, match="expected a folder with pop909/ and splits"):
        open_corpus("pop909", tmp_path)


def test_what_is_in_a_corpus_is_counted_and_what_is_broken_is_named(tmp_path: Path) -> None:
    data = write_data(tmp_path, 3)
    (data / "pop909" / "002" / "002.mid").write_bytes(b"no MIDI")
    summary = summarise(open_corpus("pop909", data))
    train, valid, test = summary.splits
    assert (train.n_pieces, valid.n_pieces, test.n_pieces) == (2, 1, 1)
    assert train.n_notes == 2 * (len(MELODY) + len(BRIDGE) + len(PIANO))
    assert train.hours == pytest.approx(2 * 7.95 / 3600)
    assert list(train.broken) == ["002"] and not test.broken
    lines = report(summary).splitlines()
    assert lines[0] == "pop909, licence MIT: weights trained on it may be published"
    assert lines[2].split() == ["train", "2", "0.00", str(train.n_notes), "0", "0", "1"]
    assert lines[-1].startswith("broken: ") and "002.mid: expected a MIDI file" in lines[-1]
