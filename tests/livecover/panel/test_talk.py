"""A page and the panel's server: what it is told, and what becomes of what it asks."""

import base64
import logging
import threading
import time
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from engine.core.errors import ConfigError
from engine.core.notes import NoteEvent, PedalEvent
from engine.core.tempo import Beat, BeatState, Tempo
from livecover import __version__
from livecover.panel.command_runner import CommandRunner
from livecover.panel.requests import MAX_STYLE_FILE, CorrectBeat
from livecover.panel.web import sessions
from livecover.panel.web.server import PanelServer
from livecover.panel.web.sessions import RENEWED
from livecover.settings.panel import PanelSettings
from tests.livecover.panel.fakes import TIMEOUT, Client, FakeInstrument
from tests.livecover.takes.test_listing import a_take

BLOCK = np.full((256, 2), 0.1, np.float32)


class Source:
    name, sample_rate, n_channels, block_size, latency = "a song", 8000, 2, 256, 0.0


def midi_file(tmp_path: Path) -> bytes:
    track = mido.MidiTrack(
        [mido.Message("note_on", note=60, velocity=80, time=240) for _ in range(20)]
    )
    path = tmp_path / "take.mid"
    midi = mido.MidiFile()
    midi.tracks.append(track)
    midi.save(path)
    return path.read_bytes()


def test_a_page_ends_the_program_only_where_that_is_meant(
    panel: PanelServer, instrument: FakeInstrument
) -> None:
    with Client(panel.url) as page:
        page.say(type="do", action="quit")
        assert "end it there, with Ctrl-C" in page.hear("error")["text"]
    ended = threading.Event()
    with PanelServer(instrument, PanelSettings(port=0), on_quit=ended.set) as app:
        with Client(app.url) as page:
            assert page.hear("hello")["quits"] is True
            page.say(type="do", action="quit")
            assert ended.wait(TIMEOUT)


def test_hello_says_all_there_is(panel: PanelServer, instrument: FakeInstrument) -> None:
    instrument.start()
    with Client(panel.url) as page:
        hello = page.hear("hello")
        assert hello["version"] == __version__ and hello["measure"] is True
        assert hello["quits"] is False
        assert hello["settings"]["time"]["latency"] is None
        assert hello["settings"]["midi"]["midi_out"] == ["LiveCover"]
        assert hello["limits"]["style_file"] == MAX_STYLE_FILE
        choices = page.hear("choices")["choices"]
        assert [i["name"] for i in choices["inputs"]] == [
            *("loopback", "together", "mic", "USB Audio")
        ]
        assert choices["ports"] == ["LiveCover"] and choices["models"] == ["live", "transcribe"]
        assert choices["styles"] == ["calm", "balanced", "intense"]
        assert choices["problems"] == ["no MIDI system answers: start one"]
        status = page.hear("status")
        assert status["budget"] == [["capture block", 0.005], ["half window", 0.064]]
        assert (status["playing"], status["source"], status["peak_dbfs"]) == (
            True,
            "Speakers",
            -6.0,
        )


def test_notes_chroma_and_signs_come_in_order(
    panel: PanelServer, instrument: FakeInstrument
) -> None:
    with Client(panel.url) as page:
        page.hear("hello")
        (tap,) = instrument.taps
        tap.begin(Source(), 0.0, 0.1)
        for k in range(20):
            tap.audio(BLOCK, 0.032 * k, 100.0 + 0.032 * k)
        left = NoteEvent(1.0, 48, 90, hand="left")
        tap.found([left, NoteEvent(1.0, 72, 100, "melody")], [2.00004, 2.5])
        tap.found([PedalEvent(1.5, True)], [3.0])
        tap.silenced()
        tap.found([NoteEvent(1.2, 48, 0)], [3.25])
        tap.lost()
        notes = page.hear("notes")
        assert notes["notes"] == [[2.0, 48, 90, 0, 0], [2.5, 72, 100, 1, -1]]
        assert notes["pedal"] == [[3.0, 1]] and notes["n_lost"] == 0
        assert "at" in page.hear("silence")
        assert page.hear("notes")["notes"] == [[3.25, 48, 0, 0, -1]]
        page.hear("lost")
        chroma = page.hear("chroma")
        assert len(chroma["values"]) == 12 and max(chroma["values"]) == 255
        assert 100.0 < chroma["at"] < 100.64


def test_a_page_knows_whether_there_is_a_port_for_controllers(
    panel: PanelServer, instrument: FakeInstrument
) -> None:
    with Client(panel.url) as page:
        assert page.hear("status")["learns"] is True
        instrument.controllers.port = ""  # it may be opened or closed while the page is open
        while page.hear("status")["learns"]:
            pass


def test_a_page_lets_a_controller_learn(panel: PanelServer, instrument: FakeInstrument) -> None:
    with Client(panel.url) as page:
        told = [page.hear("learn") for _ in range(3)]
        assert told[0] == {
            "type": "learn",
            "key": "model.style",
            "waiting": False,
            "control": "cc 1",
        }
        page.hear("choices")
        page.say(type="do", action="learn", key="decoder.density")
        while (message := page.hear("learn"))["key"] != "decoder.density":
            pass
        assert (message["waiting"], message["control"]) == (True, None)
        assert instrument.controllers.learning == "decoder.density"
        page.say(type="do", action="learn", key="decoder.density")
        assert page.hear("learn")["waiting"] is False
        page.say(type="do", action="forget", key="model.style")
        message = page.hear("learn")
        assert (message["key"], message["control"]) == ("model.style", None)
        assert "cc 1" not in instrument.settings.control.map


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"action": "learn"}, "this message must have action and key, not action"),
        ({"action": "learn", "key": "audio.input"}, "no controller can control audio.input"),
        ({"action": "start", "key": "x"}, "this message must have action, not action, key"),
        ({"action": "snapshot", "key": "C"}, "a snapshot is A or B, not C"),
    ],
)
def test_what_cannot_be_learned(panel: PanelServer, asked: dict[str, str], text: str) -> None:
    with Client(panel.url) as page:
        page.hear("choices")
        page.say(type="do", **asked)
        assert page.hear("error")["text"] == text


def test_the_beat_is_told_and_corrected(panel: PanelServer, instrument: FakeInstrument) -> None:
    with Client(panel.url) as page:
        beat = page.hear("status")["beat"]
        assert beat == {"source": "off", "state": "lost", "bpm": None}
        instrument.beat = Beat("heard", BeatState.HOLDING, 0.7, Tempo(120.04, 10.0, 8, 3))
        while (beat := page.hear("status")["beat"])["bpm"] is None:
            pass
        assert beat == {
            **{"source": "heard", "state": "holding", "bpm": 120.04},
            **{"at": 10.0, "number": 8, "metre": 3},
        }
        page.say(type="beat", correction="tap", at=None)
        page.say(type="beat", correction="halve", at=1e9)
        while len(instrument.asked) < 2:
            page.hear("status")
    assert instrument.asked == ["tap", "halve"]


def test_a_tap_counts_when_it_was_and_not_when_it_came() -> None:
    instrument = FakeInstrument()
    now = time.perf_counter()
    for at in (now - 0.2, now - 60.0, now + 60.0):
        CommandRunner(instrument).run(CorrectBeat("tap", at))
    assert instrument.corrected_at[0] == now - 0.2
    assert min(instrument.corrected_at[1:]) >= now
    assert max(instrument.corrected_at[1:]) < now + 60.0


def test_changes_are_done_and_told_to_every_page(
    panel: PanelServer, instrument: FakeInstrument
) -> None:
    with Client(panel.url) as one, Client(panel.url) as other:
        one.hear("choices"), other.hear("hello")
        one.say(type="change", values={"model.style": 0.7, "midi.transpose": -2})
        for page in (one, other):
            settings = page.hear("settings")["settings"]
            assert settings["model"]["style"] == 0.7 and settings["midi"]["transpose"] == -2
        instrument.change({"midi.octave": 1})  # by anyone
        assert other.hear("settings")["settings"]["midi"]["octave"] == 1


def test_what_is_wrong_is_said_to_who_asked_and_changes_nothing(
    panel: PanelServer, instrument: FakeInstrument
) -> None:
    with Client(panel.url) as page:
        page.hear("choices")
        wrong: list[tuple[str | bytes, str]] = [
            ("no JSON", "a message must be a JSON object"),
            (b"\x00", "a message must be a JSON object"),
            ('{"type":"fly"}', "unknown type of message fly"),
            (
                '{"type":"change","values":{"midi.channel":17}}',
                "midi.channel must be a whole number from 1 to 16, not 17",
            ),
            (
                '{"type":"change","values":{"audio.input":"/etc/passwd"}}',
                "audio.input: expected one of the panel's choices, got '/etc/passwd'",
            ),
            ('{"type":"do","action":"record"}', "nothing plays: start first, then record"),
        ]
        for text, expected in wrong:
            page.say(text)
            assert page.hear("error")["text"] == expected
    assert instrument.asked == []


def test_actions(panel: PanelServer, instrument: FakeInstrument) -> None:
    with Client(panel.url) as page:
        page.hear("choices")
        for action in ("start", "record", "end_record", "stop"):
            page.say(type="do", action=action)
        while instrument.asked != ["start", "record True", "record False", "stop"]:
            page.hear("status")


def test_a_fault_of_ours_is_logged_and_not_shown(
    panel: PanelServer, instrument: FakeInstrument, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a fault of ours")

    instrument.stop = fail  # type: ignore[method-assign]
    with Client(panel.url) as page:
        page.say(type="do", action="stop")
        assert page.hear("error")["text"] == "livecover failed to do this; its log says more"
    assert "a fault of ours" in caplog.text


def test_what_is_saved_is_what_was_shown(panel: PanelServer, instrument: FakeInstrument) -> None:
    with Client(panel.url) as page, Client(panel.url) as other:
        page.hear("choices"), other.hear("hello")
        page.say(type="change", values={"midi.transpose": 3})
        page.say(type="do", action="unsaved")
        shown = page.hear("unsaved")
        assert (shown["path"], shown["lines"]) == ("mine.toml", [["midi.transpose", "?", "3"]])
        other.say(type="change", values={"play.mute": True})
        other.hear("settings")
        page.say(type="save", id=shown["id"])
        assert page.hear("error")["text"] == (
            "nothing was saved: settings have changed since they were shown"
        )
        assert "save" not in instrument.asked
        page.say(type="do", action="unsaved")
        page.say(type="save", id=page.hear("unsaved")["id"])
        assert page.hear("saved")["path"] == "mine.toml"


def test_snapshots_are_the_programs_and_every_page_shows_the_same(
    panel: PanelServer, instrument: FakeInstrument
) -> None:
    with Client(panel.url) as page, Client(panel.url) as other:
        assert page.hear("hello")["snapshot"] == other.hear("hello")["snapshot"] == "A"
        page.hear("choices")
        page.say(type="change", values={"midi.transpose": 3, "play.mute": True})
        page.say(type="do", action="snapshot", key="B")
        page.say(type="change", values={"midi.transpose": 4, "model.style": [0.5] * 24})
        until(other, "B", transpose=4)
    with Client(panel.url) as page:  # loaded anew
        assert page.hear("hello")["snapshot"] == "B"
        page.say(type="do", action="snapshot", key="A")
        settings = until(page, "A", transpose=3)
        assert settings["model"]["style"] == "balanced"
        assert settings["play"]["mute"] is True  # is in neither
        page.say(type="do", action="snapshot", key="B")
        until(page, "B", transpose=4)
        page.say(type="do", action="copy_snapshot")
        page.say(type="do", action="snapshot", key="A")
        assert until(page, "A", transpose=4)["model"]["style"] == [0.5] * 24


def until(page: Client, snapshot: str, transpose: int) -> dict[str, Any]:
    """Return the settings once they are those."""
    while True:
        message = page.hear("settings")
        settings: dict[str, Any] = message["settings"]
        if (message["snapshot"], settings["midi"]["transpose"]) == (snapshot, transpose):
            return settings


def test_a_snapshot_that_cannot_be_played_leaves_the_other(
    panel: PanelServer, instrument: FakeInstrument
) -> None:
    def refuse(values: object) -> None:
        raise ConfigError("the input is gone")

    with Client(panel.url) as page:
        page.hear("choices")
        page.say(type="do", action="snapshot", key="B")
        page.say(type="change", values={"midi.transpose": 4})
        until(page, "B", transpose=4)
        instrument.change = refuse  # type: ignore[method-assign]
        page.say(type="do", action="snapshot", key="A")
        assert page.hear("error")["text"] == "the input is gone"
    with Client(panel.url) as page:
        assert page.hear("hello")["snapshot"] == "B"


def test_panic_waits_for_nothing(panel: PanelServer, instrument: FakeInstrument) -> None:
    instrument.is_free.clear()
    with Client(panel.url) as page:
        page.hear("choices")
        page.say(type="do", action="start")
        page.say(type="do", action="panic")
        page.hear("silence")
        assert instrument.asked == ["panic"]
        instrument.is_free.set()
        while not page.hear("status")["playing"]:
            pass


def test_a_desk_that_is_too_full_says_so(
    panel: PanelServer, instrument: FakeInstrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    instrument.is_free.clear()
    with Client(panel.url) as page:
        page.hear("choices")
        for _ in range(sessions.MAX_COMMANDS + 2):
            page.say(type="do", action="start")
        assert "still busy" in page.hear("error")["text"]
        instrument.is_free.set()


def test_a_style_comes_by_its_file(
    panel: PanelServer, instrument: FakeInstrument, tmp_path: Path
) -> None:
    data = base64.b64encode(midi_file(tmp_path)).decode()
    with Client(panel.url) as page:
        page.say(type="style_file", name="take.mid", data=data)
        style = page.hear("settings")["settings"]["model"]["style"]
        assert len(style) == 24 and sum(style) == pytest.approx(3.0, abs=1e-4)
        page.say(type="style_file", name="song.mid", data=base64.b64encode(b"RIFF").decode())
        assert page.hear("error")["text"].startswith("song.mid: expected a MIDI file")


def test_ping_and_drawn(panel: PanelServer) -> None:
    with Client(panel.url) as page:
        page.say(type="drawn", notes=[[2.0, 60, 2.01]])
        page.say(type="ping", id=7)
        pong = page.hear("pong")
        assert pong["id"] == 7 and pong["now"] > 0
        assert list(panel.drawn) == [(2.0, 60, 2.01)]


def test_nothing_is_kept_while_nobody_looks(panel: PanelServer, instrument: FakeInstrument) -> None:
    with Client(panel.url) as page:
        page.hear("hello")
        (tap,) = instrument.taps
    with Client(panel.url) as page:  # a later page hears nothing of before
        page.hear("hello")
        tap.found([NoteEvent(1.0, 50, 90)], [2.0])
        assert page.hear("notes")["notes"] == [[2.0, 50, 90, 0, -1]]


def test_a_fault_of_ours_does_not_end_the_news(
    panel: PanelServer,
    instrument: FakeInstrument,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sessions, "PAUSE_S", 0.0)
    with Client(panel.url) as page:
        page.hear("hello")
        (tap,) = instrument.taps
        tap.found([NoteEvent(1.0, 48, 90)], [])  # a due for each was promised
        tap.found([NoteEvent(1.0, 50, 90)], [2.0])
        page.hear("status"), page.hear("status")
    assert "could not send what happened" in caplog.text


def test_scenes_are_kept_recalled_and_deleted(
    panel: PanelServer, instrument: FakeInstrument
) -> None:
    with Client(panel.url) as page:
        instrument.change({"midi.transpose": 3})
        page.say(type="do", action="keep_scene", key="Verse")
        assert page.hear("scenes")["names"] == ["Verse"]
        instrument.change({"midi.transpose": 0})
        page.say(type="do", action="recall_scene", key="Verse")
        page.hear("scenes")
        assert instrument.settings.midi.transpose == 3
        page.say(type="do", action="scene_programs", key="scenes")
        assert page.hear("scenes")["programs"] == "scenes"
        assert instrument.settings.control.map["program"] == "scenes"
        page.say(type="do", action="delete_scene", key="Verse")
        assert page.hear("scenes")["names"] == []


def test_takes_are_listed_and_deleted(
    panel: PanelServer, instrument: FakeInstrument, tmp_path: Path
) -> None:
    instrument.change({"record.folder": str(tmp_path)})
    a_take(tmp_path, "x Take 1", ".mid")
    with Client(panel.url) as page:
        page.say(type="do", action="takes")
        told = page.hear("takes")
        assert told["folder"] == str(tmp_path)
        assert [(take["name"], take["files"]) for take in told["takes"]] == [("x Take 1", ["midi"])]
        page.say(type="do", action="delete_take", key="x Take 1")
        assert page.hear("takes")["takes"] == []


def test_the_log_is_told(panel: PanelServer) -> None:
    log = logging.getLogger("livecover")
    with Client(panel.url) as early:
        early.hear("log")  # the server keeps lines from now on at the latest
    log.warning("the first\nline")
    with Client(panel.url) as page:
        lines = page.hear("log")["lines"]
        assert [lines[-1]["level"], lines[-1]["text"]] == ["warning", "the first line"]
        log.error("the second")
        while not (new := [line for line in page.hear("log")["lines"] if line not in lines]):
            pass
        assert new[-1]["text"] == "the second" and new[-1]["number"] > lines[-1]["number"]


def test_a_renewed_address_closes_the_other_pages(panel: PanelServer) -> None:
    before = panel.url
    with Client(before) as page, Client(before) as other:
        path = page.hear("address")["path"]
        assert before.endswith(path) and page.hear("status")
        page.say(type="do", action="renew_address")
        renewed = page.hear("address")["path"]
        assert renewed != path and panel.url.endswith(renewed)
        with pytest.raises(ConnectionClosed) as caught:
            for _ in range(1000):
                other.hear("status")
        assert caught.value.rcvd is not None and caught.value.rcvd.code == RENEWED
    with pytest.raises(InvalidStatus):
        Client(before).__enter__()
    with Client(panel.url) as page:
        assert page.hear("hello")
