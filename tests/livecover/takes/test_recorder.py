"""A take from the engine's words to its files. Time is passed in; the source runs at 1000 Hz."""

import datetime
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.core.errors import ConfigError
from engine.core.note_tracker import pair_notes
from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.core.settings import EngineSettings, ModelSettings
from engine.core.tempo import Beat, BeatState, Tempo
from livecover.takes import recording_queue as module
from livecover.takes.files import TakeFiles
from livecover.takes.journal import Contents
from livecover.takes.recorder import TakeRecorder
from tests.engine.fakes import ScriptedSource
from tests.messages import refused

RATE = 8000
LATENCY = 0.2
NOON = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=datetime.UTC)
NAME = "2026-11-21 12-00-00 Take 1"


class Band:
    """A recorder, and the engine that it believes to hear. ``second`` is the engine's time."""

    def __init__(self, folder: Path, has_song: bool = True) -> None:
        self.second = 0.0
        self.n_overruns = 2  # before any take
        self.ended: list[tuple[TakeFiles, Contents]] = []
        self.recorder = TakeRecorder(
            folder,
            has_song,
            clock=lambda: self.second,
            now=lambda: NOON,
            on_end=lambda files, contents: self.ended.append((files, contents)),
            model=lambda: "live 1",
            n_overruns=lambda: self.n_overruns,
            is_threaded=False,
        )
        self.begin()

    def begin(self, rate: int = RATE, n_channels: int = 1, name: str = "song") -> None:
        source = ScriptedSource(name=name)
        source.sample_rate, source.n_channels = rate, n_channels
        self.rate, self.n_channels = rate, n_channels
        self.recorder.begin(source, self.second, LATENCY)

    def play(self, seconds: float) -> NDArray[np.float32]:
        """Hear a ramp that tells each sample's place in the engine's time."""
        n = round(seconds * self.rate)
        at = self.second + np.arange(n) / self.rate
        block = np.repeat((at / 100).astype(np.float32)[:, None], self.n_channels, axis=1)
        self.recorder.audio(block, self.second, self.second)
        self.second += seconds
        self.recorder.run_pending()
        return block

    def send(self, *events: Event) -> None:
        for event in events:
            self.recorder.sent(event, event.time + LATENCY, event.time + LATENCY)
        self.recorder.run_pending()


def note(on: float, off: float, pitch: int = 60, **more: str) -> tuple[NoteEvent, NoteEvent]:
    begin = replace(NoteEvent(on, pitch, 80), **more)  # type: ignore[arg-type]
    return begin, replace(begin, time=off, velocity=0)


def notes_of(path: Path) -> list[tuple[float, float, int]]:
    """(start, end, pitch) of a MIDI file's notes, all tracks."""
    now, events = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type in ("note_on", "note_off"):
            velocity = message.velocity if message.type == "note_on" else 0
            events.append(NoteEvent(round(now, 3), message.note, velocity))
    pairs = list(pair_notes(events))
    assert len(events) == 2 * len(pairs)
    return sorted((on.time, off.time, on.pitch) for on, off in pairs if off is not None)


@pytest.fixture
def band(tmp_path: Path) -> Band:
    return Band(tmp_path)


def test_a_take_has_notes_song_and_words_that_line_up(band: Band, tmp_path: Path) -> None:
    band.play(1.0)
    band.recorder.record(True)
    heard = band.play(2.0)
    band.send(*note(1.25, 1.75), *note(2.0, 2.5, 64, part="melody"))
    band.recorder.close()
    band.recorder.run_pending()
    assert notes_of(tmp_path / f"{NAME}.mid") == [(0.25, 0.75, 60), (1.0, 1.5, 64)]
    song, rate = soundfile.read(tmp_path / f"{NAME}.flac", dtype="float32", always_2d=True)
    assert rate == RATE and len(song) == 2 * RATE
    np.testing.assert_allclose(song, heard, atol=2**-22)  # 24 bits
    about = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert about["seconds"] == 2.0 and about["n_notes"] == 2 and about["n_melody_notes"] == 1
    assert (about["source"], about["model"], about["latency"]) == ("song", "live 1", LATENCY)
    assert about["is_whole"] is True and about["songs"] == [f"{NAME}.flac"]
    assert {path.suffix for path in tmp_path.iterdir()} == {".mid", ".flac", ".json"}
    assert [files.name for files, _ in band.ended] == [NAME]


def test_what_sounds_at_the_start_begins_with_the_take(band: Band, tmp_path: Path) -> None:
    over, held, long = note(0.1, 0.9), note(0.2, 1.4, 62), note(0.3, 9.0, 64)
    band.play(1.0)
    band.send(over[0], held[0], long[0], PedalEvent(0.5, True))
    band.recorder.record(True)
    band.play(1.0)
    band.send(over[1], held[1])
    band.recorder.close()
    band.recorder.run_pending()
    assert notes_of(tmp_path / f"{NAME}.mid") == [(0.0, 0.4, 62), (0.0, 1.0, 64)]
    pedals = [(m.value, m.time) for m in mido.MidiFile(tmp_path / f"{NAME}.mid") if m.is_cc(64)]
    assert [value for value, _ in pedals] == [127, 0]


def test_the_last_notes_are_waited_for_and_end_with_the_take(band: Band, tmp_path: Path) -> None:
    band.recorder.record(True)
    band.play(1.0)
    band.recorder.record(False)
    band.play(0.1)
    on, off = note(0.95, 1.2)
    band.send(on, *note(1.05, 1.1, 62))
    assert not band.ended
    band.play(0.4)
    assert band.ended
    band.send(off)
    assert notes_of(tmp_path / f"{NAME}.mid") == [(0.95, 1.0, 60)]
    assert soundfile.info(tmp_path / f"{NAME}.flac").frames == RATE


def test_a_take_may_begin_while_another_waits_for_its_last_notes(
    band: Band, tmp_path: Path
) -> None:
    band.recorder.record(True)
    band.play(1.0)
    band.recorder.record(False)
    band.recorder.run_pending()
    band.recorder.record(True)
    band.play(0.3)
    band.send(*note(0.9, 1.2))
    band.recorder.close()
    band.recorder.run_pending()
    assert notes_of(tmp_path / f"{NAME}.mid") == [(0.9, 1.0, 60)]
    assert notes_of(tmp_path / f"{NAME[:-1]}2.mid") == [(0.0, 0.2, 60)]


def test_a_lost_input_is_silence_and_another_format_another_file(
    band: Band, tmp_path: Path
) -> None:
    band.recorder.record(True)
    band.play(1.0)
    band.recorder.lost()
    band.second += 0.5
    band.begin()
    again = band.play(1.0)
    band.second += 0.25
    band.begin(rate=16000, n_channels=2)
    other = band.play(1.0)
    band.recorder.close()
    band.recorder.run_pending()
    song, _ = soundfile.read(tmp_path / f"{NAME}.flac", dtype="float32", always_2d=True)
    assert not song[RATE : RATE * 3 // 2].any()
    np.testing.assert_allclose(song[RATE * 3 // 2 :], again, atol=2**-22)
    second, rate = soundfile.read(tmp_path / f"{NAME} part 2.flac", dtype="float32")
    assert rate == 16000 and len(second) == round(3.75 * 16000)
    np.testing.assert_allclose(second[-16000:], other, atol=2**-22)
    assert json.loads((tmp_path / f"{NAME}.json").read_text())["n_losses_of_input"] == 1


def test_another_input_goes_on_where_the_first_has_come_to(band: Band, tmp_path: Path) -> None:
    band.recorder.record(True)
    band.play(1.0)
    band.second -= 0.25  # it was started while the first was still heard
    band.begin(name="other")
    other = band.play(1.0)
    band.recorder.close()
    band.recorder.run_pending()
    song, _ = soundfile.read(tmp_path / f"{NAME}.flac", dtype="float32", always_2d=True)
    assert len(song) == RATE * 7 // 4
    np.testing.assert_allclose(song[RATE:], other[RATE // 4 :], atol=2**-22)


def test_a_panic_ends_the_notes_of_the_take(band: Band, tmp_path: Path) -> None:
    band.recorder.record(True)
    band.play(1.0)
    band.send(note(0.5, 9.0)[0])
    band.recorder.silenced()
    band.recorder.run_pending()
    band.play(1.0)
    band.recorder.close()
    band.recorder.run_pending()
    assert notes_of(tmp_path / f"{NAME}.mid") == [(0.5, 0.8, 60)]


def test_changes_are_texts_and_hands_are_tracks(band: Band, tmp_path: Path) -> None:
    band.recorder.record(True)
    band.play(1.0)
    calm = EngineSettings(model=ModelSettings(style="calm"))
    band.recorder.changed(calm, LATENCY)
    band.recorder.beat(Beat("clock", BeatState.LOCKED, 1.0, Tempo(90.0, 0.0)))
    band.send(*note(0.1, 0.2, hand="left"), *note(0.3, 0.4, 72, hand="right"))
    band.recorder.close()
    band.recorder.run_pending()
    file = mido.MidiFile(tmp_path / f"{NAME}.mid")
    names = ["livecover", "melody", "right hand", "left hand"]
    assert [track.name for track in file.tracks] == names
    texts = [(m.text, m.time) for m in file.tracks[0] if m.type == "text"]
    tempos = [(m.tempo, m.time) for m in file.tracks[0] if m.type == "set_tempo"]
    assert tempos == [(500_000, 0), (666_667, 1920)]  # a second at 120 beats a minute
    assert texts == [("style calm", 0)]  # at that moment too
    assert notes_of(tmp_path / f"{NAME}.mid") == [(0.1, 0.2, 60), (0.3, 0.4, 72)]


@pytest.mark.parametrize("bpm", [90.0, 120.0, 171.3])
def test_bar_lines_of_the_clock_are_the_files(band: Band, tmp_path: Path, bpm: float) -> None:
    bar_s = 3 * 60 / bpm
    lines = 0.4 + bar_s * np.arange(40)
    band.play(2.0)
    tempo = Tempo(bpm, 0.4, beat=0, beats_per_bar=3)
    band.recorder.beat(Beat("clock", BeatState.LOCKED, 1.0, tempo))
    band.recorder.record(True)
    band.play(12.0)
    in_take = [line for line in lines if 3.0 + bar_s < line < 13.0]
    for line in in_take:
        band.send(*note(line, line + 0.1))
    band.recorder.close()
    band.recorder.run_pending()
    file = mido.MidiFile(tmp_path / f"{NAME}.mid")
    assert [m.numerator for m in file.tracks[0] if m.type == "time_signature"] == [3]
    ticks = np.cumsum([m.time for m in file.tracks[2]])
    ons = [t for t, m in zip(ticks, file.tracks[2], strict=True) if m.type == "note_on"]
    assert len(ons) == len(in_take) > 2
    off = np.array(ons) % (3 * file.ticks_per_beat)
    assert np.minimum(off, 3 * file.ticks_per_beat - off).max() <= 2  # of 2880
    starts = [start for start, _, _ in notes_of(tmp_path / f"{NAME}.mid")]
    assert starts == pytest.approx([line - 2.0 for line in in_take], abs=0.002)


def test_bar_lines_of_a_beat_that_is_heard_follow_its_tempo(band: Band, tmp_path: Path) -> None:
    """A song that hurries, from 100 to 140 beats a minute; then it is lost."""
    beats = 0.3 + np.cumsum(60 / np.linspace(100, 140, 64))
    band.recorder.record(True)
    for k, (last, at) in enumerate(pairwise(beats.tolist()), 1):
        tempo = Tempo(60 / (at - last), at, k, 4)
        band.recorder.beat(Beat("heard", BeatState.LOCKED, 0.9, tempo))
        band.play(at - band.second)
        band.send(*note(at, at + 0.1))
    band.recorder.beat(Beat("heard", BeatState.LOST))
    band.recorder.close()
    band.recorder.run_pending()
    file = mido.MidiFile(tmp_path / f"{NAME}.mid")
    assert [m.numerator for m in file.tracks[0] if m.type == "time_signature"] == [4]
    ticks = np.cumsum([m.time for m in file.tracks[2]])
    ons = [t for t, m in zip(ticks, file.tracks[2], strict=True) if m.type == "note_on"]
    bars = (np.array(ons) / file.ticks_per_beat)[7::4]  # beats 8, 12, ...: bars begin there
    assert np.abs(bars - np.round(bars / 4) * 4).max() < 0.05  # of a beat
    assert np.diff(bars) == pytest.approx(4, abs=0.05)
    starts = [start for start, _, _ in notes_of(tmp_path / f"{NAME}.mid")]
    assert starts == pytest.approx(beats[1:].tolist(), abs=0.002)


def test_before_the_beat_is_found_its_tempo_was_the_same(band: Band, tmp_path: Path) -> None:
    beats = 0.3 + 0.6 * np.arange(24)
    band.recorder.record(True)
    for k, at in enumerate(beats.tolist()):
        if k > 5:
            band.recorder.beat(Beat("heard", BeatState.LOCKED, 0.9, Tempo(100.0, at, k)))
        band.play(at - band.second)
        band.send(*note(at, at + 0.1))
    band.recorder.close()
    band.recorder.run_pending()
    file = mido.MidiFile(tmp_path / f"{NAME}.mid")
    ticks = np.cumsum([m.time for m in file.tracks[2]])
    ons = [t for t, m in zip(ticks, file.tracks[2], strict=True) if m.type == "note_on"]
    assert np.diff(ons[:6]) == pytest.approx(file.ticks_per_beat, abs=1)


def test_takes_are_numbered_and_never_written_over(band: Band, tmp_path: Path) -> None:
    (tmp_path / "2025-01-01 00-00-00 Take 7.mid").touch()
    for _ in range(2):
        band.recorder.record(True)
        band.play(0.5)
        band.recorder.close()
        band.recorder.run_pending()
    assert sorted(files.name[-6:] for files, _ in band.ended) == ["Take 8", "Take 9"]


def test_a_disk_that_is_slow_costs_sound_not_time(
    band: Band, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_S", 0.4)
    band.recorder.record(True)
    block = np.full((RATE // 2, 1), 0.5, np.float32)
    for k in range(3):  # nobody takes turns meanwhile: the last one does not fit
        band.recorder.audio(block, k / 2, k / 2)
    band.recorder.run_pending()
    band.second = 1.5
    band.play(0.5)
    band.recorder.close()
    band.recorder.run_pending()
    song, _ = soundfile.read(tmp_path / f"{NAME}.flac")
    assert len(song) == 2 * RATE and not song[RATE // 2 : 3 * RATE // 2].any()
    about = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert about["n_dropped_samples"] == RATE and about["is_whole"] is False


def test_a_take_whose_input_had_gaps_is_not_whole(band: Band, tmp_path: Path) -> None:
    for n_gaps in (0, 3):
        band.recorder.record(True)
        band.play(0.5)
        band.n_overruns += n_gaps
        band.play(0.5)
        band.n_overruns -= n_gaps // 3  # another engine has begun to count
        band.recorder.close()
        band.recorder.run_pending()
    first, second = (json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json")))
    assert (first["is_whole"], first["n_overruns"]) == (True, 0)
    assert (second["is_whole"], second["n_overruns"]) == (False, 3)


def test_without_the_song_there_is_no_flac(tmp_path: Path) -> None:
    band = Band(tmp_path, has_song=False)
    band.recorder.record(True)
    band.play(1.0)
    band.recorder.close()
    band.recorder.run_pending()
    assert {path.suffix for path in tmp_path.iterdir()} == {".mid", ".json"}


def test_a_folder_that_cannot_be_written_is_refused_before_the_take(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refused(ConfigError, "cannot be written", "--record"):
        TakeRecorder(tmp_path / "file", is_threaded=False).record(True)
