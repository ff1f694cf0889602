"""Disks that are full, hang or break: what is said, what is kept, and that playing goes on."""

import errno
import io
import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.core.errors import ConfigError
from engine.core.notes import NoteEvent
from livecover.takes import recording_queue
from livecover.takes.ending import recover_takes
from livecover.takes.flac import FlacFile
from livecover.takes.journal import Journal
from livecover.takes.recorder import STUCK_S, TakeRecorder
from livecover.takes.recording_queue import MAX_ENTRIES, MAX_WAITING_S, AudioEntry, RecordingQueue
from livecover.takes.writer import TakeWriter
from tests.livecover.takes.test_recorder import LATENCY, NAME, RATE, Band, note, notes_of
from tests.messages import refused


class SmallDisk:
    """A folder in which no more than ``n_bytes`` find room."""

    def __init__(self, folder: Path, n_bytes: int) -> None:
        self.folder, self.n_bytes = folder, n_bytes

    def room(self) -> int:
        return self.n_bytes - sum(p.stat().st_size for p in self.folder.iterdir() if p.is_file())

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        disk, plain = self, Path.open

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                left = memoryview(data)[: max(0, disk.room())]
                if not left:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return super().write(left)

        def open_here(path: Path, mode: str = "r", buffering: int = -1, **more: Any) -> Any:
            if path.parent != self.folder or not set(mode) & set("wax"):
                return plain(path, mode, buffering, **more)
            raw = File(path, mode.replace("b", ""))
            return raw if buffering == 0 else io.BufferedWriter(raw)

        monkeypatch.setattr(Path, "open", open_here)


def about(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{NAME}.json").read_text())
    return found


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(n).uniform(-0.3, 0.3, (n, 1)).astype(np.float32)


def play_noise(band: Band, seconds: float) -> None:
    n = round(seconds * RATE)
    band.recorder.audio(noise(n), band.second, band.second)
    band.second += seconds
    band.recorder.run_pending()


@pytest.mark.parametrize("has_song", [True, False])
def test_a_disk_that_fills_keeps_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_song: bool, capfd: Any
) -> None:
    disk = SmallDisk(tmp_path, 300_000 if has_song else 70_000)
    disk.install(monkeypatch)
    band = Band(tmp_path, has_song)
    band.recorder.record(True)
    n_sent = 0
    while not band.recorder.fault:
        play_noise(band, 0.5)
        band.send(*note(band.second - 0.4, band.second - 0.2))
        n_sent += 1
        assert n_sent < 500
    assert not band.recorder.is_recording
    assert band.recorder.fault.startswith("recording has failed: No space left on device: ")
    assert "Take 1 is not whole" in band.recorder.fault and "Make room" in band.recorder.fault
    play_noise(band, 0.5)  # playing goes on
    facts = about(tmp_path)
    assert facts["is_whole"] is False and facts["ended"] == "failed"
    assert facts["fault"] == "No space left on device" and band.ended == []
    n_kept = len(notes_of(tmp_path / f"{NAME}.mid"))
    assert 0.6 * n_sent < n_kept <= n_sent
    if has_song:
        song, _ = soundfile.read(tmp_path / f"{NAME}.flac")
        assert len(song) / RATE > 0.8 * facts["seconds"]
    kinds = {path.suffix for path in tmp_path.iterdir()}
    assert kinds == ({".mid", ".json", ".flac"} if has_song else {".mid", ".json"})
    assert capfd.readouterr().err == ""  # libsndfile's callbacks print what they raise
    disk.n_bytes = 10_000_000
    band.recorder.record(True)
    assert band.recorder.fault == "" and len(band.recorder.faults) == 1
    play_noise(band, 0.5)
    band.recorder.close()
    band.recorder.run_pending()
    assert [files.name for files, _ in band.ended] == [f"{NAME[:-1]}2"]


@pytest.mark.skipif(sys.platform == "win32", reason="there nobody can remove an open file")
def test_a_take_that_somebody_removes_is_told_at_once(tmp_path: Path) -> None:
    band = Band(tmp_path / "takes")
    band.recorder.record(True)
    band.play(1.0)
    shutil.rmtree(tmp_path / "takes")
    band.play(1.0)
    assert not band.recorder.is_recording
    assert "the take's files have been removed: " in band.recorder.fault
    assert "Take 1 is lost" in band.recorder.fault


def test_without_room_for_its_end_no_take_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallDisk(tmp_path, 20_000).install(monkeypatch)
    band = Band(tmp_path)
    band.recorder.record(True)
    play_noise(band, 0.1)
    assert "No space left" in band.recorder.fault and not band.recorder.is_recording
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_the_program_ends_the_take_not_the_recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    band = Band(tmp_path)
    band.recorder.record(True)
    band.play(1.0)
    with monkeypatch.context() as broken:
        broken.setattr(TakeWriter, "audio", lambda *_: 1 / 0)
        band.play(1.0)
    assert "recording has failed: ZeroDivisionError" in band.recorder.fault
    assert about(tmp_path)["is_whole"] is False
    assert len(soundfile.read(tmp_path / f"{NAME}.flac")[0]) == RATE
    band.recorder.record(True)
    band.play(1.0)
    band.recorder.close()
    band.recorder.run_pending()
    assert len(band.ended) == 1 and band.recorder.fault == ""


class Threaded:
    """A recorder with its thread, and an engine's clock that a test moves."""

    def __init__(self, folder: Path) -> None:
        self.second = 0.0
        self.recorder = TakeRecorder(folder, clock=lambda: self.second)
        source: Any = type("Source", (), {"name": "s", "sample_rate": RATE, "n_channels": 1})
        self.recorder.begin(source, 0.0, LATENCY)
        self.recorder.record(True)

    def play(self, seconds: float) -> None:
        for _ in range(round(10 * seconds)):
            self.recorder.audio(noise(RATE // 10), self.second, self.second)
            self.second += 0.1
            on, off = note(self.second, self.second + 0.05)
            self.recorder.sent(on, 0.0, 0.0)
            self.recorder.sent(off, 0.0, 0.0)


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Sound that is written waits for the second event; the first tells that it does."""
    reached, released = threading.Event(), threading.Event()
    write = FlacFile.write

    def wait(self: FlacFile, block: Any) -> None:
        reached.set()
        assert released.wait(60)
        write(self, block)

    monkeypatch.setattr(FlacFile, "write", wait)
    yield reached, released
    released.set()


def test_a_disk_that_hangs_is_told_and_what_waits_has_a_bound(
    tmp_path: Path, hung: tuple[threading.Event, threading.Event], caplog: Any
) -> None:
    reached, released = hung
    studio = Threaded(tmp_path)
    studio.play(0.1)
    assert reached.wait(60) and studio.recorder.fault == ""
    studio.play(STUCK_S + 1)
    assert studio.recorder.fault.startswith("recording waits: the disk of ")
    assert caplog.text.count("playing goes on") == 1
    studio.play(600.0)
    waiting = studio.recorder._queue
    n_sounds = sum(isinstance(e, AudioEntry) for e in waiting._entries)
    assert n_sounds <= 10 * MAX_WAITING_S + 1 and len(waiting) < 2 * MAX_ENTRIES
    with refused(ConfigError, "nothing can be recorded", "not answered"):
        studio.recorder.record(False)
        studio.recorder.record(True)
    released.set()
    studio.recorder.shut_down(still=60)
    (path,) = tmp_path.glob("*.json")
    facts = json.loads(path.read_text())
    assert facts["is_whole"] is False and facts["n_dropped_samples"] > 500 * RATE
    assert not list(tmp_path.glob("*.journal"))


def test_the_way_out_does_not_wait_for_a_disk_that_hangs(
    tmp_path: Path, hung: tuple[threading.Event, threading.Event]
) -> None:
    reached, released = hung
    studio = Threaded(tmp_path)
    studio.play(2.0)
    assert reached.wait(60)
    studio.recorder.shut_down(still=0.01)
    thread = studio.recorder._thread
    assert thread is not None and thread.is_alive()
    assert (
        "the next start of livecover completes it from what was written"
        in studio.recorder.faults[0]
    )
    assert list(tmp_path.glob("*.journal")) and not list(tmp_path.glob("*.json"))
    released.set()
    thread.join(60)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_is_told_and_nothing_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    studio = Threaded(tmp_path)
    thread = studio.recorder._thread
    assert thread is not None
    monkeypatch.setattr(TakeWriter, "update", die)
    studio.play(0.1)
    thread.join(60)
    assert not studio.recorder.is_recording
    assert studio.recorder.fault.startswith("recording has failed: RuntimeError its thread has")
    studio.play(60.0)
    assert len(studio.recorder._queue) == 0
    with refused(ConfigError, "nothing can be recorded", "failed"):
        studio.recorder.record(True)


@pytest.mark.parametrize("put", ["sound", "note", "action"])
def test_whatever_waits_has_a_bound(put: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_queue, "MAX_ENTRIES", 50)
    queue = RecordingQueue()
    puts: dict[str, Callable[[int], None]] = {
        "sound": lambda k: queue.put_audio(AudioEntry(noise(RATE), RATE, k, k, RATE)),
        "note": lambda k: queue.put_event(NoteEvent(k, 30 + k % 60, 80 * (k // 60 % 2))),
        "action": lambda k: queue.put(lambda: None),
    }
    for k in range(5000):
        puts[put](k)
    assert len(queue) <= 150
    assert queue.is_broken is (put == "action")
    n = 0
    while (entry := queue.get()) is not None:
        n += entry.n // RATE if isinstance(entry, AudioEntry) else 1
    if put == "sound":
        assert n == 5000  # what is missing is told by one entry
    puts[put](0)
    assert len(queue) == (1 if put != "note" else 0)  # an end without a beginning


def test_names_that_are_no_utf8_do_not_end_a_take(tmp_path: Path) -> None:
    folder = tmp_path / "r\udce9cord"
    try:
        folder.mkdir()
    except OSError:
        folder = tmp_path  # a file system of UTF-8 alone
    band = Band(folder)
    band.begin(name="caf\udce9.wav")
    band.recorder.record(True)
    band.play(1.0)
    band.recorder.close()
    band.recorder.run_pending()
    assert about(folder)["source"] == "caf\udce9.wav" and about(folder)["is_whole"] is True
    take = band.ended[0][0]
    Journal(take.journal, {"source": "caf\udce9.wav"}).close()
    (said,) = recover_takes(folder)
    assert said.startswith("recovered")
