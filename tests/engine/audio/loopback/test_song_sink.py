"""What plays is moved into the silent sink, and back, on a server that only keeps lists."""

import json
import os
from pathlib import Path

import pytest

from engine.audio.loopback import moved_streams, song_sink
from engine.audio.loopback.moved_streams import SINK, MovedStreams, put_back_left
from engine.audio.loopback.players import PlayerChoice, players_of
from engine.audio.loopback.song_sink import SongSink, acquire_song_sink, release_song_sink
from engine.core.errors import DeviceError
from tests.engine.audio.loopback.pulse_fakes import FakePulse, no_server
from tests.messages import refused

FILE = "together.json"


@pytest.fixture
def pulse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakePulse:
    server = FakePulse("speakers", "hdmi")
    monkeypatch.setattr(song_sink, "connected", server.connected)
    for module in (song_sink, moved_streams):
        monkeypatch.setattr(module, "ask_server", server.ask)
    monkeypatch.setattr(moved_streams, "state_folder", lambda: tmp_path)
    return server


def test_what_plays_goes_there_and_back(pulse: FakePulse, tmp_path: Path) -> None:
    player = pulse.play("Firefox", "hdmi")
    silent = pulse.play("Mail", "speakers", is_corked=True)
    sink = SongSink("auto", tmp_path)
    assert pulse.wait_until(lambda: pulse.place(player) == SINK)
    later = pulse.play("Firefox", "speakers")
    assert pulse.wait_until(lambda: pulse.place(later) == SINK)
    assert pulse.place(silent) == pulse.default == "speakers"
    assert json.loads((tmp_path / FILE).read_text()) == {
        str(player.index): "hdmi",
        str(later.index): "speakers",
    }
    sink.close()
    sink.close()
    assert (pulse.place(player), pulse.place(later)) == ("hdmi", "speakers")
    assert not pulse.modules and len(pulse.sinks) == 2 and not (tmp_path / FILE).exists()


def test_an_output_that_is_gone_by_then_is_the_default(pulse: FakePulse, tmp_path: Path) -> None:
    player = pulse.play("Firefox", "hdmi")
    sink = SongSink("all", tmp_path)
    assert pulse.wait_until(lambda: pulse.place(player) == SINK)
    pulse.sinks = [one for one in pulse.sinks if one.name != "hdmi"]
    sink.close()
    assert pulse.place(player) == "speakers"


def test_another_player_by_name(pulse: FakePulse, tmp_path: Path) -> None:
    song, other = pulse.play("Firefox", "speakers"), pulse.play("Spotify", "speakers")
    sink = SongSink("spot", tmp_path)
    assert pulse.wait_until(lambda: pulse.place(other) == SINK)
    assert pulse.place(song) == "speakers"
    sink.player = "FIREFOX"
    assert pulse.wait_until(lambda: pulse.place(song) == SINK)
    sink.close()
    assert pulse.place(song) == pulse.place(other) == "speakers"


def test_what_may_not_be_moved_is_named(
    pulse: FakePulse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fixed = pulse.play("Fixed", "hdmi", media_role="fixed")
    player = pulse.play("Firefox", "hdmi")
    sink = SongSink("all", tmp_path)
    assert pulse.wait_until(lambda: pulse.place(player) == SINK)
    sink.close()
    assert pulse.place(fixed) == "hdmi" and "Fixed cannot be moved" in caplog.text


def test_a_server_that_makes_what_is_new_its_default_has_its_own_again(
    pulse: FakePulse, tmp_path: Path
) -> None:
    pulse.takes_what_is_new = True
    sink = SongSink("auto", tmp_path)
    assert pulse.default == "speakers"
    sink.close()


def test_a_server_that_makes_none_is_told_of(pulse: FakePulse, tmp_path: Path) -> None:
    pulse.refuses = True
    for _ in range(2):  # the file is free again
        with refused(DeviceError, "access denied", "--input"):
            SongSink("auto", tmp_path)


def test_there_is_one_at_a_time(
    pulse: FakePulse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(song_sink, "LOCK_TIMEOUT", 0.01)
    sink = SongSink("auto", tmp_path)
    with refused(DeviceError, "another livecover", "stop that one"):
        SongSink("auto", tmp_path)
    assert put_back_left(tmp_path) == ""
    sink.close()
    SongSink("auto", tmp_path).close()


def test_two_sources_share_it(pulse: FakePulse) -> None:
    player = pulse.play("Firefox", "hdmi")
    acquire_song_sink("none")
    acquire_song_sink("auto")
    assert pulse.wait_until(lambda: pulse.place(player) == SINK)
    release_song_sink()
    assert pulse.place(player) == SINK
    release_song_sink()
    release_song_sink()
    assert pulse.place(player) == "hdmi" and not pulse.modules


def test_what_a_killed_one_left_is_put_back(pulse: FakePulse, tmp_path: Path) -> None:
    assert put_back_left(tmp_path) == ""
    player = pulse.play("Firefox", "hdmi")
    pulse.module_load("module-null-sink", f"sink_name={SINK} channels=2")
    pulse.streams[0].sink = pulse.sinks[-1].index
    MovedStreams(tmp_path).write({str(player.index): "hdmi"})
    assert "1 streams" in put_back_left(tmp_path)
    assert pulse.place(player) == "hdmi" and not pulse.modules
    assert not (tmp_path / FILE).exists()


def test_a_file_that_says_nothing_is_no_hindrance(pulse: FakePulse, tmp_path: Path) -> None:
    for content in ("", "[]", "{"):
        (tmp_path / FILE).write_text(content)
        assert "0 streams" in put_back_left(tmp_path)
        assert not (tmp_path / FILE).exists()


def test_without_a_server_the_file_stays(
    pulse: FakePulse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_process(folder: Path | None) -> None:
        raise OSError  # a guard would look for a server too, and have the lock meanwhile

    monkeypatch.setattr(song_sink, "guard", no_process)
    sink = SongSink("auto", tmp_path)
    monkeypatch.setattr(moved_streams, "ask_server", no_server)
    sink.close()
    assert (tmp_path / FILE).exists()
    assert "no PulseAudio" in put_back_left(tmp_path)
    assert (tmp_path / FILE).exists()


def test_whose_streams_are_chosen(pulse: FakePulse) -> None:
    song = pulse.play("Firefox", "hdmi")
    paused = pulse.play("Spotify", "hdmi", is_corked=True)
    pulse.play("Mail", "hdmi", media_role="event")
    pulse.play("livecover", "hdmi")
    pulse.play("us", "hdmi", application_process_id=str(os.getpid()))
    pulse.play("", "hdmi")
    streams = pulse.streams
    assert PlayerChoice("all").choose(streams) == [song, paused]
    assert PlayerChoice("spotify").choose(streams) == [paused]
    assert PlayerChoice("none").choose(streams) == []
    auto = PlayerChoice("auto")
    assert auto.choose([paused]) == []
    assert auto.choose(streams) == [song]
    paused.corked = False  # the choice was made
    assert auto.choose(streams) == [song]
    assert [player.name for player in players_of(streams)] == ["Firefox", "Spotify"]
