"""A take as a score: two hands, pedal, bars and chord symbols, in four and in three."""

import io
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import mido
import numpy as np
import pytest

from engine.core.errors import DataError
from engine.whole_song.arranger import Arranged
from engine.whole_song.grid import Grid
from engine.whole_song.harmony import ChordName, Key
from engine.whole_song.musicxml import write_score
from engine.whole_song.song_analysis import SongAnalysis
from livecover.commands.take_score import run, score_take
from models.spec import N_PITCHES
from tests.messages import refused

BEAT_S = 0.5


def analysis(beats_per_bar: int = 4, n_bars: int = 4) -> SongAnalysis:
    """C for a bar, then G, at 120 beats a minute."""
    n_beats = beats_per_bar * n_bars
    chords: list[ChordName | None] = [
        ChordName(root := 0 if k < beats_per_bar else 7, "maj", root) for k in range(n_beats)
    ]
    sound = np.zeros((0, N_PITCHES, 4), np.float16)
    grid = Grid(BEAT_S * np.arange(n_beats + 1), beats_per_bar)
    return SongAnalysis(grid, sound, chords, Key(0, False), [])


def a_take(**tracks: list[tuple[float, float, int]]) -> mido.MidiFile:
    """Tracks of (onset, offset, pitch) in seconds, with the pedal down from 0.5 to 2 s in each."""
    file = mido.MidiFile(type=1, ticks_per_beat=960)
    file.add_track("livecover").append(mido.MetaMessage("set_tempo", tempo=500_000))
    for name, notes in tracks.items():
        rows = [(0.5, 1, mido.Message("control_change", control=64, value=127))]
        rows += [(2.0, 1, mido.Message("control_change", control=64, value=0))]
        rows += [(on, 2, mido.Message("note_on", note=p, velocity=80)) for on, _, p in notes]
        rows += [(off, 0, mido.Message("note_off", note=p)) for _, off, p in notes]
        track, now = file.add_track(name.replace("_", " ")), 0
        for at, _, message in sorted(rows, key=lambda row: row[:2]):
            tick = round(at * 1920)
            track.append(message.copy(time=tick - now))
            now = tick
    return file


def written(arranged: Arranged) -> Element:
    file = io.BytesIO()
    write_score(arranged, "a take", file)
    return fromstring(file.getvalue().split(b'partwise.dtd">')[1])


def staff_of(note: Element) -> str:
    return note.findtext("staff", "")


@pytest.mark.parametrize("metre", [3, 4])
def test_hands_pedal_bars_and_chords(metre: int) -> None:
    """A waltz, too; notes that were up to a thirty-second off lie on their sixteenths."""
    late = 0.02
    file = a_take(
        melody=[(0.0 + late, 0.5, 72), (0.5 + late, 1.0, 74), (metre * 0.5 + late, 2.5, 76)],
        right_hand=[(0.5 + late, 1.0, 64)],
        left_hand=[(0.0 + late, 1.0, 48), (metre * 0.5 + late, 2.5, 43)],
    )
    score = score_take(file, analysis(metre))
    assert [(n.step, n.pitch, n.is_left) for n in score.notes if n.is_left] == [
        (0, 48, True),
        (4 * metre, 43, True),
    ]
    assert score.pedals == ((4, True), (16, False))
    root = written(score)
    bars = root.findall("part/measure")
    assert root.findtext("part/measure/attributes/time/beats") == str(metre)
    assert len(bars) == 2
    for bar in bars:
        for staff in "12":
            length = sum(
                int(n.findtext("duration", "0"))
                for n in bar.findall("note")
                if staff_of(n) == staff and n.find("chord") is None
            )
            assert length == 4 * metre
    assert [b.findtext("harmony/root/root-step") for b in bars] == ["C", "G"]
    pedals = [p.get("type") for p in root.iter("pedal")]
    assert pedals == ["start", "stop"]
    left = [n for n in root.iter("note") if staff_of(n) == "2" and n.find("pitch") is not None]
    assert {n.findtext("pitch/octave") for n in left} == {"3", "2"}


def test_without_tracks_of_hands_the_notes_are_split() -> None:
    file = a_take(accompaniment=[(0.0, 1.0, 40), (0.0, 1.0, 76)], melody=[(1.0, 1.5, 80)])
    score = score_take(file, analysis())
    assert {n.pitch: n.is_left for n in score.notes} == {40: True, 76: False, 80: False}


def test_a_pedal_that_is_changed_at_once_is_written_as_a_change() -> None:
    score = score_take(a_take(melody=[(0.0, 3.9, 72)]), analysis())
    moves = ((0, True), (4, False), (5, True), (8, False), (8, True), (8, False))
    kinds = [
        p.get("type") for p in written(Arranged(score.notes, score.analysis, moves)).iter("pedal")
    ]
    assert kinds == ["start", "stop", "start", "stop"]


def test_what_is_no_take_is_told(tmp_path: Path) -> None:
    with refused(DataError, "no notes"):
        score_take(a_take(melody=[]), analysis())
    with refused(DataError, "expected a take"):
        list(run([tmp_path]))
