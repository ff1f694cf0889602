"""Notes to a MIDI file, read again by mido."""

import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mido
import pytest

from engine.core.errors import MidiError
from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.midi import file as midi_file
from engine.midi.file import paired
from engine.midi.sinks import FileSink
from tests.engine.midi.takes import TAKE, read
from tests.messages import refused


def record(path: Path, events: Sequence[Event]) -> None:
    sink = FileSink(path, autosave=None)
    for event in events:
        sink.send(event)
    sink.close()


def test_a_file_has_melody_and_accompaniment_tracks(tmp_path: Path) -> None:
    record(tmp_path / "take.mid", [replace(event, channel=3) for event in TAKE])
    assert read(tmp_path / "take.mid") == {
        "livecover": [],
        "melody": [(0.5, "note_on", 2, 72, 90), (1.0, "note_off", 2, 72, 0)],
        "accompaniment": [(0.5, "note_on", 2, 48, 60), (2.25, "note_off", 2, 48, 0)],
    }
    assert [path.name for path in tmp_path.iterdir()] == ["take.mid"]


def test_open_notes_end_with_the_take() -> None:
    assert paired(TAKE[:3])[-1] == NoteEvent(1.0, 48, 0)


def test_pedals_stand_in_the_file_and_go_up_with_it(tmp_path: Path) -> None:
    record(tmp_path / "take.mid", [*TAKE[:2], PedalEvent(0.75, True), *TAKE[2:]])
    pedals = [m for m in mido.MidiFile(tmp_path / "take.mid") if m.type == "control_change"]
    assert [(m.control, m.value) for m in pedals] == [(64, 127), (64, 0)]


def test_pairs_are_mended() -> None:
    stray, again = NoteEvent(0.1, 30, 0), NoteEvent(0.75, 48, 70, "melody")
    assert paired([stray, *TAKE, again]) == [
        *TAKE[:2],
        NoteEvent(0.75, 48, 0, "accompaniment"),
        again,
        TAKE[2],
        NoteEvent(2.25, 48, 0, "melody"),
    ]


def test_a_file_replaces_what_was_there_only_when_used(tmp_path: Path) -> None:
    path = tmp_path / "take.mid"
    path.write_bytes(b"an earlier take")
    FileSink(path).close()
    assert path.read_bytes() == b"an earlier take"
    sink = FileSink(path)
    sink.panic()
    sink.close()
    assert read(path)["melody"] == []


def test_autosave_leaves_a_whole_file_while_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_saved = threading.Event()
    write = FileSink._write

    def write_and_tell(sink: FileSink, data: bytes) -> None:
        write(sink, data)
        has_saved.set()

    monkeypatch.setattr(FileSink, "_write", write_and_tell)
    path = tmp_path / "take.mid"
    sink = FileSink(path, autosave=0.001)
    sink.send(TAKE[0])
    assert has_saved.wait(10.0)
    assert len(read(path)["melody"]) == 2  # the open note is ended in the file
    for event in TAKE[1:]:
        sink.send(event)
    sink.close()
    sink.close()
    assert read(path)["accompaniment"][-1][0] == 2.25
    with pytest.raises(MidiError, match="is closed"):
        sink.send(TAKE[0])


def test_failed_autosave_is_logged_and_close_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    has_failed = threading.Event()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    monkeypatch.setattr(midi_file.log, "warning", lambda *_: has_failed.set())
    sink = FileSink(tmp_path / "take.mid", autosave=0.001)
    with caplog.at_level(logging.WARNING):
        sink.send(TAKE[0])
        assert has_failed.wait(10.0)
    with pytest.raises(MidiError, match="No space left on device"):
        sink.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("autosave", [None, 0.001])
def test_a_disk_that_hangs_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autosave: float | None
) -> None:
    hangs, may_answer, has_answered = threading.Event(), threading.Event(), threading.Event()
    replace_file = os.replace

    def hang(*paths: Path) -> None:
        hangs.set()
        assert may_answer.wait(60)
        replace_file(*paths)
        has_answered.set()

    monkeypatch.setattr("os.replace", hang)
    monkeypatch.setattr(midi_file, "SAVE_S", 0.0)
    sink = FileSink(tmp_path / "take.mid", autosave)
    sink.send(TAKE[0])
    assert autosave is None or hangs.wait(60)
    with refused(MidiError, "last saved", "disk", "not answer"):
        sink.close()
    may_answer.set()
    assert has_answered.wait(60)


def test_unwritable_path_is_refused_before_anything_plays(tmp_path: Path) -> None:
    with refused(MidiError, "missing/take.mid'", "No such file"):
        FileSink(tmp_path / "missing" / "take.mid")
    with refused(MidiError, "is a folder", "give a path"):
        FileSink(tmp_path)
