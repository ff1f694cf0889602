"""Corpora of recordings, each on a tiny folder laid out as the real one is unpacked."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.core.errors import ConfigError, DataError
from offline_train.corpora import Beat, Chord, Note, Pedal, open_corpus
from tests.offline_train.corpora.test_midi import off, on, program, save, sustain

SAMPLES = np.zeros(160, np.float32)


pytest.importorskip("mirdata")


def sound(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, SAMPLES, 16000)
    return path


# MAESTRO ------------------------------------------------------------------------------------------

MAESTRO_ROWS = [
    {
        "canonical_composer": "Alban Berg",
        "canonical_title": "Sonata Op. 1",
        "split": split,
        "year": 2018,
        "midi_filename": f"2018/MIDI-Unprocessed_Chamber{k}_MID--AUDIO_07_R3.midi",
        "audio_filename": f"2018/MIDI-Unprocessed_Chamber{k}_MID--AUDIO_07_R3.wav",
        "duration": 1.0,
    }
    for k, split in enumerate(("train", "validation", "test"))
]


def write_maestro(folder: Path, version: int) -> Path:
    for row in MAESTRO_ROWS:
        path = folder / str(row["midi_filename"])
        save(path, [program(0), on(60, velocity=70), sustain(90, 50), off(60, 50), sustain(0, 100)])
    sound(folder / str(MAESTRO_ROWS[0]["audio_filename"]))
    table: Any = MAESTRO_ROWS
    if version == 3:  # a column a field, as version 3.0.0 is published
        columns = list(MAESTRO_ROWS[0])
        table = {c: {str(k): row[c] for k, row in enumerate(MAESTRO_ROWS)} for c in columns}
    (folder / f"maestro-v{version}.0.0.json").write_text(json.dumps(table))
    return folder


@pytest.mark.parametrize("version", [2, 3])
def test_maestro(tmp_path: Path, version: int) -> None:
    corpus = open_corpus("maestro", write_maestro(tmp_path, version))
    ids = {split: corpus.ids(split) for split in ("train", "valid", "test")}
    assert [len(of) for of in ids.values()] == [1, 1, 1]
    piece = corpus.read(ids["train"][0])
    assert piece.piece_id == "2018/MIDI-Unprocessed_Chamber0_MID--AUDIO_07_R3"
    assert piece.notes == {"piano": [Note(0.0, 0.5, 60, 70)]}
    assert piece.pedals == [Pedal(0.25, True), Pedal(1.0, False)]
    assert piece.parts[0].sounding() == [Note(0.0, 1.0, 60, 70)]
    assert piece.audio == tmp_path / str(MAESTRO_ROWS[0]["audio_filename"])
    assert corpus.read(ids["test"][0]).audio is None  # the MIDI alone was fetched
    assert piece.licence == "CC-BY-NC-SA-4.0"


def test_what_is_not_maestro_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a folder with maestro-vX\.Y\.Z\.json\. MAESTRO"):
        open_corpus("maestro", tmp_path)
    for text in ("{", "[1]", '[{"split": "train"}]'):
        (tmp_path / "maestro-v2.0.0.json").write_text(text)
        with pytest.raises(
            DataError, match=r"maestro-v2\.0\.0\.json: expected (a table of MAESTRO|JSON)"
        ):
            open_corpus("maestro", tmp_path)


def test_a_broken_performance_is_named(tmp_path: Path) -> None:
    corpus = open_corpus("maestro", write_maestro(tmp_path, 2))
    (tmp_path / str(MAESTRO_ROWS[2]["midi_filename"])).write_bytes(b"MThd")
    with pytest.raises(DataError, match=r"Chamber2\w*--\w*\.midi: expected a MIDI file"):
        corpus.read(corpus.ids("test")[0])
    with pytest.raises(DataError, match="expected a listed performance, got x"):
        corpus.read("x")


# GuitarSet ----------------------------------------------------------------------------------------


def observations(*rows: tuple[float, float, object]) -> list[dict[str, object]]:
    return [{"time": t, "duration": d, "value": v, "confidence": None} for t, d, v in rows]


def write_guitarset(folder: Path) -> Path:
    """Three excerpts in JAMS, with the annotations that GuitarSet's files have."""
    strings = {0: [(0.5, 0.4, 40.04)], 3: [(0.7, 0.2, 54.93), (1.0, 0.5, 57.2)]}
    positions = [
        (0.5 * k, 0.0, {"position": k % 4 + 1, "measure": k // 4 + 1, "num_beats": 4})
        for k in range(5)
    ]
    annotations = [
        {
            "namespace": "note_midi",
            "annotation_metadata": {"data_source": str(s)},
            "data": observations(*strings.get(s, [])),
        }
        for s in range(6)
    ]
    annotations += [
        {"namespace": "beat_position", "data": observations(*positions)},
        {"namespace": "chord", "data": observations((0.0, 1.0, "D#:maj"), (1.0, 1.0, "C:min7"))},
        {"namespace": "chord", "data": observations((0.0, 2.0, "D#:maj(9)/1"))},
    ]
    (folder / "annotation").mkdir(parents=True)
    for name in ("00_BN1-129-Eb_comp", "04_Jazz2-187-F#_solo", "05_Rock3-117-Bb_comp"):
        text = json.dumps({"annotations": annotations, "file_metadata": {"duration": 2.5}})
        (folder / "annotation" / f"{name}.jams").write_text(text)
    sound(folder / "audio_mono-mic" / "00_BN1-129-Eb_comp_mic.wav")
    return folder


def test_guitarset(tmp_path: Path) -> None:
    corpus = open_corpus("guitarset", write_guitarset(tmp_path))
    assert corpus.ids("valid") == ["04_Jazz2-187-F#_solo"]
    assert corpus.ids("test") == ["05_Rock3-117-Bb_comp"]
    piece = corpus.read(*corpus.ids("train"))
    expected = [Note(0.5, 0.9, 40, 80), Note(0.7, 0.9, 55, 80), Note(1.0, 1.5, 57, 80)]
    np.testing.assert_allclose(piece.notes["guitar"], expected)
    assert piece.beats == [Beat(0.5 * k, k % 4 == 0) for k in range(5)]
    assert piece.chords == [Chord(0.0, 1.0, "D#:maj"), Chord(1.0, 2.0, "C:min7")]
    assert piece.audio == tmp_path / "audio_mono-mic" / "00_BN1-129-Eb_comp_mic.wav"
    assert not piece.has_velocities and piece.parts[0].program == 25
    assert corpus.read(*corpus.ids("test")).audio is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"annotations": [{"namespace": "chord"}]}'])
def test_a_broken_excerpt_is_named(tmp_path: Path, text: str) -> None:
    corpus = open_corpus("guitarset", write_guitarset(tmp_path))
    (tmp_path / "annotation" / "05_Rock3-117-Bb_comp.jams").write_text(text)
    with pytest.raises(DataError, match=r"Bb_comp\.jams: expected an excerpt of GuitarSet in JAMS"):
        corpus.read("05_Rock3-117-Bb_comp")


def test_what_is_not_guitarset_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a folder with annotation/\*\.jams"):
        open_corpus("guitarset", tmp_path)
    corpus = open_corpus("guitarset", write_guitarset(tmp_path))
    with pytest.raises(DataError, match=r"x\.jams: expected an excerpt of GuitarSet, found none"):
        corpus.read("x")


# Slakh --------------------------------------------------------------------------------------------

STEM = """  S0{k}:
    audio_rendered: {has_sound}
    inst_class: {family}
    integrated_loudness: -12.8
    is_drum: {is_drum}
    midi_program_name: {name}
    midi_saved: {has_sound}
    plugin_name: some.nkm
    program_num: {program}
"""
STEMS = (
    ("Guitar", "Distortion Guitar", 30, "false", "true"),
    ("Drums", "Drums", 128, "true", "true"),
    ("Sound Effects", "FX 8 (sci-fi)", 103, "false", "false"),
    ("Bass", "Electric Bass (finger)", 33, "false", "true"),
)


def write_slakh_track(folder: Path, suffix: str) -> Path:
    (folder / "MIDI").mkdir(parents=True)
    text = "UUID: 1a81ae092884234f\naudio_dir: stems\nmidi_dir: MIDI\nstems:\n"
    for k, (family, name, number, is_drum, has_sound) in enumerate(STEMS):
        text += STEM.format(
            k=k, family=family, name=name, program=number, is_drum=is_drum, has_sound=has_sound
        )
        if has_sound == "true":
            channel = 9 if is_drum == "true" else 0
            notes = [on(40 + k, channel=channel), off(40 + k, 100, channel)]
            save(folder / "MIDI" / f"S0{k}.mid", notes)
            sound(folder / "stems" / f"S0{k}{suffix}")
    (folder / "metadata.yaml").write_text(text + "target_peak: -1.0\n")
    save(folder / "all_src.mid", [on(40), off(40, 200)])
    sound(folder / f"mix{suffix}")
    return folder


@pytest.mark.parametrize("root", ["", "slakh2100_flac_redux"])
def test_slakh(tmp_path: Path, root: str) -> None:
    home = tmp_path / "slakh2100_flac_redux"
    for split, number in (("train", 1), ("validation", 1501), ("test", 1876), ("omitted", 49)):
        write_slakh_track(home / split / f"Track{number:05d}", ".flac")
    corpus = open_corpus("slakh", tmp_path / root)
    assert corpus.ids("valid") == ["Track01501"] and corpus.ids("test") == ["Track01876"]
    piece = corpus.read(*corpus.ids("train"))
    assert [(p.role, p.program, p.name) for p in piece.parts] == [
        ("guitar", 30, "Distortion Guitar"),
        ("drums", None, "Drums"),
        ("bass", 33, "Electric Bass (finger)"),
    ]
    assert piece.notes["bass"] == [Note(0.0, 0.5, 43, 64)]
    assert piece.beats == [Beat(0.0, True), Beat(0.5, False)]
    assert piece.audio == home / "train" / "Track00001" / "mix.flac"
    assert piece.licence == "CC-BY-4.0" and piece.pedals == []


def test_babyslakh_is_split_by_name(tmp_path: Path) -> None:
    tracks = [f"Track{k:05d}" for k in range(1, 21)]
    for name in tracks[1:]:
        (tmp_path / "babyslakh_16k" / name).mkdir(parents=True)
        (tmp_path / "babyslakh_16k" / name / "metadata.yaml").touch()
    write_slakh_track(tmp_path / "babyslakh_16k" / tracks[0], ".wav")
    corpus = open_corpus("slakh", tmp_path)
    ids = [corpus.ids(split) for split in ("train", "valid", "test")]
    assert sorted(sum(ids, [])) == tracks and all(ids)
    assert corpus.read("Track00001").audio == tmp_path / "babyslakh_16k" / "Track00001" / "mix.wav"


@pytest.mark.parametrize("text", ["stems: [", "stems:\n  S09: {}\n", "- 1\n", ""])
def test_broken_metadata_is_named(tmp_path: Path, text: str) -> None:
    folder = write_slakh_track(tmp_path / "Track00001", ".wav")
    corpus = open_corpus("slakh", tmp_path)
    (folder / "metadata.yaml").write_text(text)
    with pytest.raises(DataError, match=r"metadata\.yaml: expected the metadata of a Slakh track"):
        corpus.read("Track00001")


def test_what_is_not_slakh_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a folder with TrackNNNNN/metadata\.yaml below"):
        open_corpus("slakh", tmp_path)
    folder = write_slakh_track(tmp_path / "Track00001", ".wav")
    corpus = open_corpus("slakh", tmp_path)
    with pytest.raises(DataError, match="expected a track that is there, got Track00002"):
        corpus.read("Track00002")
    (folder / "MIDI" / "S00.mid").write_bytes(b"no")
    with pytest.raises(DataError, match=r"S00\.mid: expected a MIDI file"):
        corpus.read("Track00001")
    for path in (folder / "MIDI").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="Track00001: expected stems with notes in MIDI/"):
        corpus.read("Track00001")


# MAPS ---------------------------------------------------------------------------------------------

MAPS_TEXT = "OnsetTime\tOffsetTime\tMidiPitch\n0.500017\t0.92034\t60\n0.5\t0.75\t64\n\n"


def write_maps(folder: Path, setting: str, *pieces: str) -> None:
    for piece in pieces:
        path = folder / setting / "MUS" / f"MAPS_MUS-{piece}_{setting}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MAPS_TEXT)
        sound(path.with_suffix(".wav"))


def test_maps(tmp_path: Path) -> None:
    write_maps(tmp_path, "ENSTDkCl", "alb_se3", "bk_xmas1")
    others = [f"schu_{k}" for k in range(30)]
    write_maps(tmp_path, "AkPnBcht", "alb_se3", *others)
    write_maps(tmp_path, "StbgTGd2", "alb_se3", *others[:3])
    path = tmp_path / "ENSTDkCl" / "MUS" / "MAPS_MUS-alb_se3_ENSTDkCl.mid"
    save(path, [sustain(100), on(60, 100, 33), sustain(0, 300), off(60)])
    isolated = tmp_path / "AkPnBcht" / "ISOL" / "NO" / "MAPS_ISOL_NO_F_S0_M21_AkPnBcht.txt"
    isolated.parent.mkdir(parents=True)
    isolated.write_text(MAPS_TEXT)
    corpus = open_corpus("maps", tmp_path)
    assert corpus.ids("test") == ["MAPS_MUS-alb_se3_ENSTDkCl", "MAPS_MUS-bk_xmas1_ENSTDkCl"]
    train, valid = corpus.ids("train"), corpus.ids("valid")
    assert len(train) + len(valid) == 33 and valid  # no piece of the test set among them
    pieces = [{name.split("_", 1)[1].rsplit("_", 1)[0] for name in of} for of in (train, valid)]
    assert pieces[0].isdisjoint(pieces[1])

    piece = corpus.read("MAPS_MUS-alb_se3_ENSTDkCl")
    assert piece.notes == {"piano": [Note(0.5, 0.75, 64, 80), Note(0.500017, 0.92034, 60, 33)]}
    assert piece.pedals == [Pedal(0.0, True), Pedal(2.0, False)]
    assert piece.audio == path.with_suffix(".wav") and piece.has_velocities
    assert not corpus.read(train[0]).has_velocities
    assert piece.licence == "CC-BY-NC-SA-2.0-FR"


@pytest.mark.parametrize("row", ["0.5 0.7", "a b c", "0.7 0.5 60", "0.5 0.7 128", "0.5 nan 60"])
def test_a_broken_line_of_maps_is_named(tmp_path: Path, row: str) -> None:
    write_maps(tmp_path, "ENSTDkAm", "a")
    (path,) = tmp_path.rglob("*.txt")
    path.write_text(MAPS_TEXT + row + "\n")
    with pytest.raises(DataError, match=r"a_ENSTDkAm\.txt: expected onset, offset .* in line 5"):
        open_corpus("maps", tmp_path).read(path.stem)


def test_what_is_not_maps_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected files MAPS_MUS-PIECE_SETTING\.txt below it"):
        open_corpus("maps", tmp_path)
    write_maps(tmp_path, "ENSTDkAm", "a")
    with pytest.raises(DataError, match="expected a piece that is there, got b"):
        open_corpus("maps", tmp_path).read("b")
    (path,) = tmp_path.rglob("*.txt")
    path.write_text(MAPS_TEXT.splitlines()[0])
    with pytest.raises(DataError, match="expected a text file with a line a note, found none"):
        open_corpus("maps", tmp_path).read(path.stem)


# All ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["maestro", "guitarset", "slakh"])
def test_whoever_lacks_mirdata_is_told(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"mirdata.datasets.{name}", None)
    with pytest.raises(ConfigError, match=r"needs mirdata, which is not installed; type: "):
        open_corpus(name, tmp_path)
