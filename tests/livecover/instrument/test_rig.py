"""What stands around the instrument, on an output that only counts."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DeviceError, MidiError
from engine.core.notes import NoteEvent
from engine.core.tempo import Beat, BeatState, Tempo
from engine.midi.messages import Message
from engine.sync.clock_writer import START, STOP, TICK
from engine.sync.link_writer import Timeline, Transport
from livecover.instrument import link_output, sound_output, sync_output
from livecover.instrument import rig as subject
from livecover.instrument.ports import PortState
from livecover.instrument.rig import Rig
from livecover.settings.calibration import CalibrationSettings
from livecover.settings.output import (
    MonitorSettings,
    PianoSettings,
    RecordSettings,
    SyncSettings,
)
from livecover.settings.sections import Settings
from livecover.takes.files import TakeFiles
from livecover.takes.journal import Contents, Journal
from livecover.takes.sound import RING_S, render_take
from tests.messages import refused

RATE = 8000


class Wall:
    """An output that takes everything quickly and is always 40 ms late."""

    name, sample_rate = "wall", RATE

    def __init__(self) -> None:
        self.is_closed = False

    def write(self, block: NDArray[np.float32]) -> None:
        time.sleep(1e-3)  # a device makes its writer wait

    def latency(self) -> float:
        return 0.04

    def is_heard_in(self, source: str) -> bool:
        return source == "wall.monitor"

    def close(self) -> None:
        self.is_closed = True


class Tone:
    """A synthesizer whose every note-on is a click of 0.5, at the sample."""

    def render(self, n: int, messages: Sequence[tuple[int, Message]]) -> NDArray[np.float32]:
        sound = np.zeros((n, 2), np.float32)
        for at, message in messages:
            if message[0] & 0xF0 == 0x90:
                sound[at] = 0.5
        return sound

    def close(self) -> None: ...


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wall]:
    output = Wall()
    monkeypatch.setattr(sound_output, "open_output", lambda device: output)
    monkeypatch.setattr(sound_output, "open_live_synth", lambda settings, rate: Tone())
    monkeypatch.setattr(sound_output, "check_piano", lambda settings: None)
    yield output


def settings(folder: Path, **sections: Any) -> Settings:
    return Settings(record=RecordSettings(folder=str(folder)), **sections)


def test_without_monitor_and_piano_no_output_is_opened(tmp_path: Path) -> None:
    with Rig(settings(tmp_path)) as rig:
        assert rig.taps == () and rig.recovered == []
        assert rig.needed(settings(tmp_path)) == settings(tmp_path)


def test_the_latency_holds_what_the_piano_needs_and_the_monitor_alone_needs_none(
    wall: Wall, tmp_path: Path
) -> None:
    with Rig(settings(tmp_path, piano=PianoSettings(enabled=True))) as rig:
        assert rig.sound is not None
        latency, needed = rig.sound.playback.latency, rig.needed(Settings())
        assert needed.time.output_allowance == pytest.approx(latency, abs=1e-3)
        assert 0.03 < needed.time.output_allowance < 0.2
    assert wall.is_closed
    with Rig(settings(tmp_path, monitor=MonitorSettings(device="default"))) as rig:
        needed = rig.needed(Settings())
        assert needed.time == Settings().time
        assert len(rig.taps) == 1
        assert rig.sound is not None
        least = rig.sound.playback.latency + 0.05  # a song that is accompanied is heard later here
        assert least < needed.accompany.song_later < least + 0.1


def test_an_input_that_hears_the_output_is_refused(wall: Wall, tmp_path: Path) -> None:
    def open_engine(settings: object, taps: object) -> Any:
        return SimpleNamespace(
            source=SimpleNamespace(name="wall.monitor"), stop=lambda: stopped.append(True)
        )

    stopped: list[bool] = []
    with Rig(settings(tmp_path, monitor=MonitorSettings(device="wall")), open_engine) as rig:
        with refused(DeviceError, "hear itself", "livecover together", "another output"):
            rig.open_engine(Settings(), ())
    assert stopped


def test_what_a_killed_program_left_is_named(tmp_path: Path) -> None:
    journal = Journal(TakeFiles(tmp_path, "x").journal, {})
    journal.reached(2.0, 0)
    journal.close()
    with Rig(settings(tmp_path)) as rig:
        assert len(rig.recovered) == 1 and "recovered" in rig.recovered[0]
    assert json.loads((tmp_path / "x.json").read_text())["seconds"] == 2.0


def test_a_disk_that_hangs_does_not_hold_up_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    released = threading.Event()

    def recover(folder: Path) -> list[str]:
        assert released.wait(60)
        return ["recovered late.mid"]

    monkeypatch.setattr(subject, "RECOVERY_S", 0.01)
    monkeypatch.setattr(subject, "recover_takes", recover)
    with Rig(settings(tmp_path)) as rig:
        assert rig.recovered == [] and "its disk does not answer" in caplog.text
    (thread,) = (t for t in threading.enumerate() if t.name == "recovery")
    released.set()
    thread.join(60)
    assert "recovered late.mid" in caplog.text


def test_a_take_sounds_as_its_notes_stand(tmp_path: Path) -> None:
    song = np.zeros((RATE, 1), np.float32)
    song[100] = 0.25
    soundfile.write(tmp_path / "x.flac", song, RATE, subtype="PCM_24")
    events = [NoteEvent(0.25, 60, 80), NoteEvent(0.75, 60, 0), NoteEvent(1.5, 62, 80)]
    contents = Contents(events=list(events), songs=["x.flac"], seconds=2.0)
    files = TakeFiles(tmp_path, "x")
    assert render_take(files, contents, lambda rate: Tone()) == [files.piano, files.mix]
    piano, rate = soundfile.read(files.piano)
    mix, _ = soundfile.read(files.mix)
    assert rate == RATE and len(piano) == len(mix) == round((2.0 + RING_S) * RATE)
    assert np.flatnonzero(piano[:, 0]).tolist() == [RATE // 4, RATE * 3 // 2]
    assert np.flatnonzero(mix[:, 1]).tolist() == [100, RATE // 4, RATE * 3 // 2]


def test_gains_and_mute_count_at_once(wall: Wall, tmp_path: Path) -> None:
    both = settings(
        tmp_path, monitor=MonitorSettings(device="default"), piano=PianoSettings(enabled=True)
    )
    with Rig(both) as rig:
        sound = rig.sound
        assert sound is not None and sound._monitor is not None and sound._piano is not None
        quiet = replace(
            both,
            monitor=replace(both.monitor, gain_db=-20.0),
            piano=replace(both.piano, mute=True),
        )
        with rig.changing(quiet):
            pass
        assert rig.sound is sound and not wall.is_closed
        assert sound._monitor.gain == pytest.approx(0.1) and sound._piano.gain == 0.0


def test_an_output_that_is_heard_later_is_led_and_counted(wall: Wall, tmp_path: Path) -> None:
    """At once, also where it is nudged by hand."""
    known = CalibrationSettings(outputs={"wall": 0.15})
    monitor, piano = MonitorSettings(device="default"), PianoSettings(enabled=True)
    plain = settings(tmp_path, monitor=monitor, piano=piano)
    with Rig(replace(plain, calibration=known)) as rig:
        assert rig.sound is not None and rig.sound.playback.way_out == 0.15
        least = rig.sound.playback.latency + 0.15
        needed = rig.needed(replace(plain, calibration=known))
        assert needed.time.output_allowance == pytest.approx(least, abs=1e-3)
        assert needed.accompany.song_later > least
        nudged = replace(plain, calibration=replace(known, nudge=0.05))
        with rig.changing(nudged) as needed:
            assert needed.time.output_allowance == pytest.approx(least + 0.05, abs=1e-3)
        assert rig.sound.playback.way_out == pytest.approx(0.2)
        assert rig._way_out() == pytest.approx(0.2)
    alone = settings(tmp_path, monitor=monitor, calibration=known)
    with Rig(alone) as rig:
        allowance = rig.needed(alone).time.output_allowance
        assert allowance == pytest.approx(alone.time.output_allowance + 0.15)
    daw = replace(alone, calibration=CalibrationSettings(outputs={"LiveCover": 0.03}))
    with Rig(daw) as rig:
        assert rig.sound is not None and rig.sound._monitor is not None
        assert rig.sound._monitor.extra_delay == rig._way_out() == 0.03


def test_outputs_change_while_it_runs(wall: Wall, ports: list["Port"], tmp_path: Path) -> None:
    """What is new is open before what was is closed."""
    off = settings(tmp_path)
    piano = replace(off, piano=PianoSettings(enabled=True), sync=SyncSettings("Clock"))
    with Rig(off) as rig:
        with rig.changing(piano) as needed:
            assert needed.time.output_allowance > off.time.output_allowance
            assert rig.taps == ()
        assert len(rig.taps) == 2 and not wall.is_closed and ports[0].is_open
        with rig.changing(replace(piano, sync=SyncSettings("Other"))):
            assert [port.is_open for port in ports] == [True, True]
        assert [port.is_open for port in ports] == [False, True]
        with rig.changing(off) as needed:
            assert needed == off
        assert rig.taps == () and wall.is_closed and not ports[1].is_open


def test_what_cannot_be_opened_leaves_all_as_it_was(
    wall: Wall, ports: list["Port"], tmp_path: Path
) -> None:
    off = settings(tmp_path)
    with Rig(off) as rig:
        with refused(MidiError, "clock.mid"):
            wanted = replace(off, piano=PianoSettings(enabled=True), sync=SyncSettings("clock.mid"))
            rig.changing(wanted).__enter__()
        assert rig.taps == () and wall.is_closed
        with pytest.raises(MidiError), rig.changing(replace(off, sync=SyncSettings("Clock"))):
            raise MidiError("the engine does not take it")
        assert rig.taps == () and not ports[0].is_open


def test_a_soundfont_that_is_not_there_is_named_before_an_output_is_opened(tmp_path: Path) -> None:
    piano = PianoSettings(enabled=True, soundfont=str(tmp_path / "none.sf2"))
    with refused(DeviceError, "none.sf2"):
        Rig(settings(tmp_path, piano=piano))


class Port:
    """A MIDI port that keeps what it gets."""

    opened: ClassVar[list["Port"]] = []
    latency = 0.011

    def __init__(self, name: str, **_: Any) -> None:
        self.name, self.is_open = name, True
        self.sent: list[int] = []
        self.has_started = threading.Event()
        self.opened.append(self)

    def send_realtime(self, message: Sequence[int]) -> None:
        self.sent.append(message[0])
        if message[0] == START:
            self.has_started.set()

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> list[Port]:
    monkeypatch.setattr(sync_output, "PortSink", Port)
    monkeypatch.setattr(Port, "opened", [])
    return Port.opened


def one_beat() -> Beat:
    return Beat("heard", BeatState.LOCKED, 1.0, Tempo(120.0, time.perf_counter() + 0.2, 4))


def test_a_port_of_its_own_gets_clock_and_is_stopped_at_the_end(
    ports: list[Port], tmp_path: Path
) -> None:
    with Rig(settings(tmp_path, sync=SyncSettings("Clock", -0.01))) as rig:
        assert rig.sync is not None and rig.taps == (rig.sync.sender,)
        sender = rig.sync.sender
        sender.begin(SimpleNamespace(name="", sample_rate=RATE, n_channels=2), 0.0, 0.2)
        assert sender._writer.song.delay == pytest.approx(0.2 - 0.01 - Port.latency)
        sender.beat(one_beat())
        (port,) = ports
        assert port.name == "Clock" and port.has_started.wait(60)
        assert set(port.sent) <= {TICK, START}
    assert port.sent[-1] == STOP and not port.is_open
    assert port.sent.count(START) == 1


def test_the_notes_port_gets_clock_too(ports: list[Port], tmp_path: Path) -> None:
    notes = Port("LiveCover")

    def open_engine(settings: object, taps: object) -> Any:
        return SimpleNamespace(sink=notes)

    with Rig(settings(tmp_path, sync=SyncSettings("LiveCover")), open_engine) as rig:
        assert rig.sync is not None
        rig.open_engine(Settings(), ())
        rig.sync.sender.beat(one_beat())
        assert notes.has_started.wait(60)
    assert ports == [notes] and notes.is_open


def test_clock_to_a_file_is_refused(tmp_path: Path) -> None:
    with refused(MidiError, "clock.mid", "name of a port"):
        Rig(settings(tmp_path, sync=SyncSettings("clock.mid")))


class Session:
    """A session of Ableton Link that keeps what it is told."""

    opened: ClassVar[list["Session"]] = []
    n_peers = 2

    def __init__(self) -> None:
        self.told: list[Timeline | Transport] = []
        self.is_open = True
        self.has_started = threading.Event()
        self.opened.append(self)

    def send(self, message: Timeline | Transport) -> None:
        self.told.append(message)
        if isinstance(message, Transport):
            self.has_started.set()

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    monkeypatch.setattr(link_output, "LinkSession", Session)
    monkeypatch.setattr(Session, "opened", [])
    return Session.opened


def test_a_session_of_link_has_the_beat_and_is_stopped_at_the_end(
    sessions: list[Session], tmp_path: Path
) -> None:
    off = settings(tmp_path)
    on = replace(off, sync=SyncSettings(link=True, link_offset=0.02))
    with Rig(off) as rig:
        assert rig.n_link_peers is None
        with rig.changing(on):
            pass
        assert rig.link is not None and rig.taps == (rig.link.sender,)
        (session,) = sessions
        rig.link.sender.begin(SimpleNamespace(name="", sample_rate=RATE, n_channels=2), 0.0, 0.2)
        assert rig.link.sender._writer.song.delay == pytest.approx(0.22)
        rig.link.sender.beat(one_beat())
        assert session.has_started.wait(60)
        assert rig.n_link_peers == 2
        assert rig.ports() == [PortState("link", "Ableton Link", "open", "2 peers")]
        with rig.changing(replace(on, sync=SyncSettings(link=True, link_offset=0.0))):
            pass
        assert rig.link.sender.offset == 0.0 and len(sessions) == 1
    last = session.told[-1]
    assert isinstance(last, Transport) and not last.is_playing
    assert not session.is_open


def test_link_is_off_again(sessions: list[Session], tmp_path: Path) -> None:
    on = settings(tmp_path, sync=SyncSettings(link=True))
    with Rig(on) as rig:
        with rig.changing(replace(on, sync=SyncSettings())):
            assert sessions[0].is_open
        assert not sessions[0].is_open and rig.taps == ()
