"""Which sink a name means, and several at once."""

from functools import partial
from pathlib import Path

import mido
import pytest
import rtmidi

from engine.core.errors import MidiError
from engine.core.notes import NoteEvent
from engine.midi.sinks import FileSink, MidiSink, PortSink, TeeSink, open_sink, sinks_of
from tests.engine.midi.takes import TAKE, read
from tests.engine.midi_fakes import Client
from tests.messages import refused


def test_open_sink_takes_a_port_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    port = partial(PortSink, connect=lambda: client, check_every=None)
    monkeypatch.setattr("engine.midi.sinks.PortSink", port)
    path = tmp_path / "Take.MID"
    sink = open_sink(["LiveCover", str(path)], autosave=None)
    assert isinstance(sink, TeeSink)
    assert sink.name == f"LiveCover + {path}"
    for event in TAKE:
        sink.send(event)
    delete = client.delete
    was_saved: list[bool] = []

    def look_and_delete() -> None:
        was_saved.append(path.exists())
        delete()

    monkeypatch.setattr(client, "delete", look_and_delete)
    sink.close()
    assert was_saved == [True]  # a port that hangs takes no time from the file
    assert client.sent[4:] == [(0xB0, 64, 0), (0xB0, 123, 0)]
    assert len(read(path)["melody"]) == 2


@pytest.mark.parametrize(
    "name", ["score.musicxml", "take.mdi", "out.wav", "takes/one.MP3", "takes/", "/dev/full"]
)
def test_a_file_of_another_kind_is_no_port(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.midi.sinks.list_ports", lambda: ["Piano:in", "Synth v1.ab"])
    with refused(MidiError, ".mid", "port", "FILE.mid"):
        open_sink([name])


def test_a_port_may_be_called_as_files_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.midi.sinks.list_ports", lambda: ["Synth v1.ab"])
    port = partial(PortSink, connect=Client, check_every=None)
    monkeypatch.setattr("engine.midi.sinks.PortSink", port)
    for name in ("Synth v1.ab", "LiveCover 2.0"):
        open_sink([name]).close()


def test_open_sink_gives_one_sink_as_it_is(tmp_path: Path) -> None:
    assert isinstance(open_sink([str(tmp_path / "take.midi")]), FileSink)


def test_a_file_by_another_spelling_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    first = open_sink(["./a.mid", "~/b.mid"], autosave=None)
    assert open_sink(["./a.mid"], sinks_of(first)) is sinks_of(first)[0]
    for sink in sinks_of(first):
        sink.send(NoteEvent(0.0, 60, 80))
        sink.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mid", "b.mid"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    link = tmp_path / "link.mid"
    link.symlink_to(tmp_path / "take.mid")
    sink = open_sink([str(link)], autosave=None)
    sink.send(NoteEvent(0.0, 60, 80))
    sink.close()
    assert link.is_symlink() and mido.MidiFile(tmp_path / "take.mid").tracks


def test_open_sink_takes_what_is_open_already(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one.mid"), str(tmp_path / "other.mid")
    first = open_sink([one, other])
    assert open_sink([other], sinks_of(first)) is sinks_of(first)[1]
    assert open_sink([one], sinks_of(first)) is sinks_of(first)[0]


def test_open_sink_closes_the_port_when_the_file_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    port = partial(PortSink, connect=lambda: client, check_every=None)
    monkeypatch.setattr("engine.midi.sinks.PortSink", port)
    with pytest.raises(MidiError, match="cannot be written"):
        open_sink([str(tmp_path / "missing" / "take.mid"), "LiveCover"])
    assert client.is_deleted


def test_one_broken_sink_does_not_silence_the_other(tmp_path: Path) -> None:
    client, other = Client(), Client()
    sinks: list[MidiSink] = [
        PortSink("a", connect=lambda: client, check_every=None),
        PortSink("b", connect=lambda: other, check_every=None),
    ]
    tee = TeeSink(sinks)
    client.error = rtmidi.SystemError("gone")
    with pytest.raises(MidiError, match="'a' is gone"):
        tee.send(TAKE[0])
    with pytest.raises(MidiError, match="'a'"):
        tee.silence()
    assert other.sent == [(0x90, 72, 90), (0xB0, 64, 0), (0xB0, 123, 0)]
    with pytest.raises(MidiError, match="'a'"):
        tee.panic()
    assert len(other.sent) == 3 + 64
    tee.close()
    assert other.is_deleted
