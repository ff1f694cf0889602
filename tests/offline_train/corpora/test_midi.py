"""Reading any MIDI file: programs, pedal, beats; folders of files; what is said of broken ones."""

import random
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import DataError
from engine.midi.reader import read_midi
from offline_train.corpora import Beat, Note, Pedal, Piece, open_corpus, readable, with_pedal
from offline_train.corpora.midi import midi_beats, read_lines
from tests.messages import refused

TICKS = 100  # a beat, half a second


def on(note: int, time: int = 0, velocity: int = 64, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=note, time=time, velocity=velocity, channel=channel)


def off(note: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=note, time=time, channel=channel)


def sustain(value: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=64, value=value, time=time, channel=channel)


def program(number: int, channel: int = 0) -> mido.Message:
    return mido.Message("program_change", program=number, channel=channel)


def save(path: Path, *tracks: list[mido.Message], kind: int = 1) -> Path:
    midi = mido.MidiFile(type=kind, ticks_per_beat=TICKS)
    midi.tracks += [mido.MidiTrack(track) for track in tracks]
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.save(path)
    return path


def write_piano(path: Path, pitch: int = 60) -> Path:
    return save(path, [on(pitch), sustain(127, 50), off(pitch, 50), sustain(0, 100)])


def test_a_line_is_a_track_a_channel_and_a_program(tmp_path: Path) -> None:
    band = [program(33, 1), program(24, 2), on(40, channel=1), on(64, channel=2),
            off(40, 100, 1), off(64, 0, 2), program(27, 2), on(65, channel=2), off(65, 100, 2),
            on(36, channel=9), off(36, 50, 9)]  # fmt: skip
    lines = read_lines(save(tmp_path / "a.mid", band, kind=0))
    assert [(x.channel, x.program, x.is_drums) for x in lines] == [
        (1, 33, False), (2, 24, False), (2, 27, False), (9, 0, True),
    ]  # fmt: skip
    assert lines[2].notes == [Note(0.5, 1.0, 65, 64)]


def test_a_track_without_a_program_takes_its_channels(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mid", [program(73, 3)], [on(72, channel=3), off(72, 100, 3)])
    assert [x.program for x in read_lines(path)] == [73]


def test_the_pedal_is_its_changes_only(tmp_path: Path) -> None:
    track = [sustain(0), on(60), sustain(64, 100), sustain(90, 10), sustain(63, 90), off(60)]
    (line,) = read_lines(save(tmp_path / "a.mid", track))
    assert line.pedals == [Pedal(0.5, True), Pedal(1.0, False)]


def test_the_grid_follows_tempo_and_time_signature(tmp_path: Path) -> None:
    track = [
        mido.MetaMessage("time_signature", numerator=2, denominator=4),
        mido.MetaMessage("time_signature", numerator=6, denominator=8, time=200),
        mido.MetaMessage("set_tempo", tempo=1_000_000),
        on(60), off(60, 300),
    ]  # fmt: skip
    beats = midi_beats(read_midi(save(tmp_path / "a.mid", track)))
    assert beats == [Beat(0.0, True), Beat(0.5, False), Beat(1.0, True), Beat(2.5, False)]


def test_a_grid_without_end_is_broken(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mid", [on(60), off(60, 200_000_000)])
    with pytest.raises(DataError, match=r"a\.mid: expected a piece of music, got more than 100000"):
        midi_beats(mido.MidiFile(path))


def test_time_in_frames_has_no_grid(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mid", [on(60), off(60, 1000)])
    content = bytearray(path.read_bytes())
    content[12:14] = b"\xe7\x28"  # 25 frames a second of 40 ticks each
    path.write_bytes(content)
    assert read_lines(path)[0].notes[0].offset == 1.0
    assert midi_beats(read_midi(path)) == []


def test_damaged_files_are_read_or_named(tmp_path: Path) -> None:
    track = [
        mido.MetaMessage("key_signature", key="C"),
        mido.MetaMessage("time_signature", numerator=3, denominator=4),
        program(5), on(60), sustain(127, 50), off(60, 50),
    ]  # fmt: skip
    content = save(tmp_path / "whole.mid", track).read_bytes()
    rng, n_read = random.Random(3), 0
    for _ in range(200):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 2)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path = tmp_path / "damaged.mid"
        path.write_bytes(damaged[: rng.choice((None, None, None, rng.randrange(len(damaged))))])
        try:
            n_read += len(read_lines(path)) >= 0
            midi_beats(read_midi(path))
        except DataError as error:
            assert "damaged.mid: expected a" in str(error)
    assert n_read > 100


@pytest.mark.parametrize(
    ("offset", "pedals", "expected"),
    [
        (0.5, [], 0.5),
        (0.5, [Pedal(0.2, True), Pedal(1.5, False)], 1.5),
        (0.5, [Pedal(0.2, True), Pedal(0.4, False)], 0.5),  # up before the key
        (0.5, [Pedal(0.6, True), Pedal(1.5, False)], 0.5),  # down after the key
        (0.5, [Pedal(0.2, True), Pedal(3.0, False)], 2.0),  # the same pitch again
        (0.5, [Pedal(0.2, True), Pedal(0.7, True), Pedal(1.0, False)], 1.0),
        (2.5, [], 2.0),
    ],
)
def test_the_pedal_holds_a_note(offset: float, pedals: list[Pedal], expected: float) -> None:
    first, second = Note(0.0, offset, 60, 80), Note(2.0, 2.2, 60, 80)
    assert with_pedal([second, first], pedals) == [
        first._replace(offset=expected),
        second._replace(offset=3.0 if pedals[-1:] == [Pedal(3.0, False)] else 2.2),
    ]


def test_a_pedal_that_stays_down_rings_to_the_end() -> None:
    notes = [Note(0.0, 0.5, 60, 80), Note(1.0, 4.0, 64, 80)]
    assert [n.offset for n in with_pedal(notes, [Pedal(0.1, True)])] == [4.0, 4.0]
    assert with_pedal([], [Pedal(0.1, True)]) == []


TIMES = st.integers(0, 40).map(lambda k: k / 4)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(TIMES, st.integers(1, 8), st.integers(60, 62)), min_size=1, max_size=12),
    st.lists(st.tuples(TIMES, st.booleans()), max_size=8, unique_by=lambda p: p[0]),
)
def test_what_sounds_with_the_pedal(
    rows: list[tuple[float, int, int]], changes: list[tuple[float, bool]]
) -> None:
    notes = [Note(t, t + n / 4, pitch, 80) for t, n, pitch in rows]
    pedals = [Pedal(*change) for change in sorted(changes)]
    held = with_pedal(notes, pedals)
    assert sorted(n[:1] + n[2:] for n in held) == sorted(n[:1] + n[2:] for n in notes)
    last = max([n.offset for n in notes] + [p.time for p in pedals])
    for note, plain in zip(held, sorted(notes), strict=True):
        later = [n.onset for n in notes if n.pitch == note.pitch and n.onset > note.onset]
        up = plain.offset  # the definition, walked in quarters of a second
        while up < last and [p.is_down for p in pedals if p.time <= up][-1:] == [True]:
            up += 0.25
        assert note.onset < note.offset == min([up, *later])


def test_a_folder_is_read_whole_and_the_broken_file_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for k in range(30):
        write_piano(tmp_path / f"sub{k % 3}" / f"{k:02d}.MID", 40 + k)
    (tmp_path / "sub0" / "00.wav").touch()
    (tmp_path / "sub0" / "._00.mid").write_bytes(b"of another system")
    (tmp_path / "broken.mid").write_bytes(b"no MIDI")
    save(tmp_path / "silent.mid", [program(3)])
    corpus = open_corpus("midi", tmp_path)
    ids = {split: corpus.ids(split) for split in ("train", "valid", "test")}
    assert sum(len(of) for of in ids.values()) == 32 and all(ids.values())
    found: list[Piece] = []
    broken: dict[str, str] = {}
    for split in ids:
        pieces = readable(corpus, split)
        found += list(pieces)
        broken |= pieces.broken
    assert set(broken) == {"broken.mid", "silent.mid"}
    assert "silent.mid: expected a MIDI file with notes, found none" in broken["silent.mid"]
    assert "skipped broken.mid of midi" in caplog.text and "pieces are broken" in caplog.text
    (piece,) = [piece for piece in found if piece.piece_id == "sub0/00.MID"]
    assert piece.audio == tmp_path / "sub0" / "00.wav"
    assert piece.licence == "unknown" and piece.beats == []
    assert piece.notes == {"piano": [Note(0.0, 0.5, 40, 64)]}
    assert piece.pedals == [Pedal(0.25, True), Pedal(1.0, False)]
    assert piece.parts[0].sounding() == [Note(0.0, 1.0, 40, 64)]
    assert (piece.n_notes, piece.duration) == (1, 0.5)


def test_a_copy_is_in_the_split_of_the_original(tmp_path: Path) -> None:
    for k in range(20):
        write_piano(tmp_path / f"{k}.mid", 40 + k)
        write_piano(tmp_path / "copies" / f"again-{k}.mid", 40 + k)
    corpus = open_corpus("midi", tmp_path)
    test = corpus.ids("test")
    assert test and {f"copies/again-{name}" for name in test if "/" not in name} == {
        name for name in test if "/" in name
    }


def test_every_fifth_piece_of_giantmidi_is_kept_for_tests(tmp_path: Path) -> None:
    for name in "gfedcba":
        save(tmp_path / "giantmidi" / f"{name}.mid", [program(40), on(60), off(60, 100)])
    corpus = open_corpus("giantmidi", tmp_path)  # the folder above serves as well
    assert corpus.ids("test") == ["a.mid", "f.mid"]
    assert corpus.ids("valid") == ["b.mid", "g.mid"]
    assert corpus.ids("train") == ["c.mid", "d.mid", "e.mid"]
    piece = corpus.read("a.mid")
    assert list(piece.notes) == ["piano"] and piece.licence == corpus.licence == "CC-BY-4.0"


def test_a_recording_whose_movements_are_there_is_left_out(tmp_path: Path) -> None:
    names = ("A_Etudes_g0hoN6_HDVU", "B_Etudes_g0hoN6_HDVU_no_9_cut", "C_Toccata_EUHobIa3TL0")
    for name in names:
        write_piano(tmp_path / f"{name}.mid")
    corpus = open_corpus("giantmidi", tmp_path)
    assert [corpus.ids(split) for split in ("test", "valid", "train")] == [
        [], [f"{names[1]}.mid"], [f"{names[2]}.mid"],
    ]  # fmt: skip


def test_a_movement_cut_from_a_long_recording_begins_after_a_second(tmp_path: Path) -> None:
    for name, lead in (("whole", 5.0), ("cut", 1600.0)):
        ticks = round(lead * 2 * TICKS)
        events = [sustain(127, ticks // 2), on(60, ticks - ticks // 2), off(60, TICKS)]
        save(tmp_path / f"{name}.mid", events)
    corpus = open_corpus("giantmidi", tmp_path)
    for name, begin, pedal in (("whole", 5.0, 2.5), ("cut", 1.0, 0.0)):
        (part,) = corpus.read(f"{name}.mid").parts
        assert [(n.onset, n.offset) for n in part.notes] == [(begin, begin + 0.5)]
        assert [p.time for p in part.pedals] == [pedal]


def test_freedoom_is_a_band_on_a_grid(tmp_path: Path) -> None:
    save(
        tmp_path / "d_e1m1.mid",
        [program(30), on(52), off(52, 200)],
        [program(33, 1), on(28, channel=1), off(28, 200, 1)],
        [on(36, channel=9), off(36, 100, 9)],
    )
    corpus = open_corpus("freedoom", tmp_path)
    piece = next(corpus.read(i) for s in ("train", "valid", "test") for i in corpus.ids(s))
    assert [(p.role, p.program) for p in piece.parts] == [
        ("guitar", 30), ("bass", 33), ("drums", None),
    ]  # fmt: skip
    assert piece.beats == [Beat(0.0, True), Beat(0.5, False)]
    assert piece.licence == "BSD-3-Clause"


@pytest.mark.parametrize("name", ["midi", "giantmidi", "freedoom"])
def test_a_folder_without_midi_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").touch()
    with refused(DataError, "MIDI"):
        open_corpus(name, tmp_path)


def test_a_piece_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_piano(tmp_path / "a.mid")
    with pytest.raises(DataError, match=r"b\.mid: expected a MIDI file, could not read it"):
        open_corpus("midi", tmp_path).read("b.mid")
