"""Scores as others read them: one piano, its staves, key, metre, chord symbols, what is shown."""

import io
import zipfile
from dataclasses import replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import pytest

from engine.whole_song.arranger import Arranged, nothing
from engine.whole_song.grid import Grid
from engine.whole_song.grid_notes import GridNote
from engine.whole_song.harmony import ChordName, Key
from engine.whole_song.musicxml import write_compressed, write_score
from engine.whole_song.song_analysis import SongAnalysis

C_MAJOR = Key(0, False)
C, G7 = ChordName(0, "maj", 4), ChordName(7, "7", 7)


def arranged(
    *notes: GridNote, key: Key = C_MAJOR, beats_per_bar: int = 4, n_bars: int = 2
) -> Arranged:
    grid = Grid(0.5 * np.arange(n_bars * beats_per_bar + 1), beats_per_bar)
    chords: list[ChordName | None] = [C] * (n_bars * beats_per_bar)
    chords[beats_per_bar + 1 :] = [G7] * (len(chords) - beats_per_bar - 1)
    sound = np.zeros((0, 88, 4), np.float16)
    return Arranged(list(notes), SongAnalysis(grid, sound, chords, key, []))


def written(score: Arranged, title: str = "Song") -> Element:
    file = io.BytesIO()
    write_score(score, title, file)
    return ElementTree.fromstring(file.getvalue())


def accidentals(score: Arranged) -> list[str | None]:
    return [note.findtext("accidental") for note in written(score).iter("note")]


def test_a_score_is_one_piano_with_two_staves() -> None:
    root = written(arranged(GridNote(0, 16, 60, 80), GridNote(0, 16, 48, 80, is_left=True)))
    assert root.findtext("work/work-title") == "Song"
    assert [name.text for name in root.iter("part-name")] == ["Piano"]
    assert len(root.findall("part")) == 1
    assert root.findtext(".//attributes/staves") == "2"
    assert [clef.findtext("sign") for clef in root.iter("clef")] == ["G", "F"]
    assert [(n.findtext("staff"), n.findtext("voice")) for n in root.iter("note")] == [
        ("1", "1"), ("2", "5"),
    ]  # fmt: skip
    assert root.findtext(".//per-minute") == "120"


def test_only_what_the_key_does_not_say_has_an_accidental() -> None:
    scale = [62, 64, 66, 67, 69, 71, 73, 74]
    score = arranged(*(GridNote(4 * k, 4, p, 80) for k, p in enumerate(scale)), key=Key(2, False))
    assert set(accidentals(score)) == {None}


def test_an_accidental_holds_to_the_end_of_the_bar() -> None:
    pitches = [66, 66, 65, 65, 65, 66, 78, 65]
    score = arranged(*(GridNote(4 * k, 4, p, 80) for k, p in enumerate(pitches)))
    shown = [a for a in accidentals(score)][: len(pitches) + 1]
    assert [a for a in shown if a] == ["sharp", "natural", "sharp", "sharp", "natural"]


def test_a_tied_note_shows_its_accidental_once() -> None:
    score = arranged(GridNote(8, 16, 66, 80))
    assert [a for a in accidentals(score) if a] == ["sharp"]


def test_nothing_is_hidden() -> None:
    root = written(arranged(GridNote(4, 4, 60, 80)))
    assert all(note.get("print-object") is None for note in root.iter("note"))
    rests = [note for note in root.iter("note") if note.find("rest") is not None]
    assert [rest.findtext("type") for rest in rests] == ["quarter", "half", None]
    assert rests[-1].find("rest").get("measure") == "yes"  # type: ignore[union-attr]


def test_chord_symbols_stand_where_harmony_changes() -> None:
    root = written(arranged(GridNote(0, 16, 60, 80), GridNote(16, 16, 62, 80)))
    symbols = [
        (
            h.findtext("root/root-step"),
            kind.get("text"),
            h.findtext("bass/bass-step"),
            h.findtext("offset"),
        )
        for h in root.iter("harmony")
        for kind in h.iter("kind")
    ]
    assert symbols == [("C", "", "E", None), ("G", "7", None, "4")]


@pytest.mark.parametrize("beats_per_bar", [3, 4])
def test_bars_and_upbeat(beats_per_bar: int) -> None:
    bar = 4 * beats_per_bar
    score = arranged(
        GridNote(2 * bar - 4, 4, 60, 80),
        GridNote(2 * bar, bar, 64, 80),
        beats_per_bar=beats_per_bar,
        n_bars=6,
    )
    measures = written(score).findall("part/measure")
    assert [m.get("number") for m in measures] == ["0", "1"]  # no empty bars around
    assert measures[0].get("implicit") == "yes"
    assert measures[0].findtext("attributes/time/beats") == str(beats_per_bar)
    lengths = [
        sum(int(n.findtext("duration", "")) for n in m.iter("note") if n.findtext("staff") == "1")
        for m in measures
    ]
    assert lengths == [4, bar]


def test_an_empty_score_is_a_bar_of_rest() -> None:
    root = written(nothing(60.0), "si\x07lence \udce9")
    assert len(root.findall("part/measure")) == 1
    assert root.findtext("work/work-title") == "silence "
    assert all(note.find("rest") is not None for note in root.iter("note"))


def test_a_compressed_score_names_its_file() -> None:
    file = io.BytesIO()
    write_compressed(arranged(GridNote(0, 4, 60, 80)), "Song", file)
    with zipfile.ZipFile(io.BytesIO(file.getvalue())) as archive:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        (root_file,) = container.iter("rootfile")
        score = ElementTree.fromstring(archive.read(str(root_file.get("full-path"))))
    assert score.tag == "score-partwise"


def test_a_notation_library_reads_it_again() -> None:
    music21 = pytest.importorskip("music21")
    left = [replace(GridNote(k, 8, 40 + k, 60), is_left=True) for k in range(0, 32, 8)]
    score = arranged(GridNote(0, 6, 74, 90), GridNote(6, 14, 72, 90), *left, key=Key(2, False))
    file = io.BytesIO()
    write_score(score, "Song", file)
    parsed = music21.converter.parseData(file.getvalue().decode(), format="musicxml")
    assert len(parsed.parts) == 2  # a part for each staff is how it has them
    pitches = [{p.midi for n in part.recurse().notes for p in n.pitches} for part in parsed.parts]
    chords = [c.figure for c in parsed.recurse().getElementsByClass("ChordSymbol")]
    assert pitches[1] == {40, 48, 56, 64} and {72, 74} <= pitches[0]
    assert chords == ["C/E", "G7"]
