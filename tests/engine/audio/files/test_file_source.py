"""Files as sources: what is read, in what time, and each thing that can be wrong with a file."""

import itertools
import logging
import struct
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.audio.devices import block_source
from engine.audio.files import sound_file
from engine.audio.files.file_source import FileSource
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from tests.engine.audio.files.sounds import read_all, refusal, tone, written


@pytest.mark.parametrize("n_channels", [1, 2, 8])
@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_every_sample_comes_whatever_the_block(tmp_path: Path, n_channels: int, rate: int) -> None:
    source = FileSource(written(tmp_path / "a.wav", 4001, n_channels, rate), paced=False)
    assert (source.sample_rate, source.n_channels) == (rate, n_channels)
    assert source.duration == pytest.approx(4001 / rate)
    for size in (1, 255, 4096):
        blocks = list(source.blocks(size))
        assert all(b.dtype == np.float32 and b.shape == (len(b), n_channels) for b in blocks)
        audio = np.concatenate(blocks)
        # 16-bit steps
        np.testing.assert_allclose(audio, tone(4001, n_channels, rate), atol=2 / 32768)
    assert source.position == source.duration


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "aiff"])
def test_other_formats_are_read(tmp_path: Path, suffix: str) -> None:
    source = FileSource(written(tmp_path / f"a.{suffix}", 44100), paced=False)
    audio = read_all(source)
    assert audio.shape[1] == 2
    assert len(audio) == pytest.approx(44100, abs=2400)  # MP3 pads by up to two frames
    middle = audio[10000:30000, 0]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("block_size", [256, 4096])
def test_mp3_in_blocks_equals_mp3_at_once(tmp_path: Path, block_size: int) -> None:
    path = written(tmp_path / "a.mp3", 44100)
    whole, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(read_all(FileSource(path, paced=False), block_size), whole)


def test_paced_playing_writes_all_and_is_never_early(tmp_path: Path) -> None:
    arrivals: list[tuple[int, float]] = []

    class RecordingClock(StreamClock):
        def update(self, total_samples: int, arrival: float) -> None:
            arrivals.append((total_samples, arrival))
            super().update(total_samples, arrival)

    source = FileSource(written(tmp_path / "a.wav", 4000, 2, 8000), block_size=300)
    ring = SampleRing(8000, 2)
    before = time.perf_counter()
    source.start(ring, RecordingClock(8000))
    assert source.is_alive() and not source.is_finished
    assert source._thread is not None
    source._thread.join(20)
    assert source.is_finished and not source.is_alive() and source.error is None
    np.testing.assert_allclose(ring.read(8000), tone(4000, 2, 8000), atol=2 / 32768)
    assert [total for total, _ in arrivals] == [*range(300, 4000, 300), 4000]
    assert all(arrival >= before + total / 8000 for total, arrival in arrivals)


def test_stop_ends_playing_and_start_begins_anew(tmp_path: Path) -> None:
    source = FileSource(written(tmp_path / "a.wav", 80000, 1, 8000))
    for _ in range(2):
        ring = SampleRing(80000, 1)
        source.start(ring, StreamClock(8000))
        assert source.is_alive()
        source.stop()
        assert not source.is_alive() and not source.is_finished
        n_written = ring.total_written
        assert n_written < 80000
        source.stop()
        assert ring.total_written == n_written


def test_file_removed_before_start_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = FileSource(written(tmp_path / "a.wav"))
    source.path.unlink()
    source.start(SampleRing(100, 2), StreamClock(44100))
    assert source._thread is not None
    source._thread.join(20)
    assert not source.is_alive() and source.error == f"no such file: {source.path}"
    assert source.is_finished  # and not lost: what is opened again starts again
    assert f"no such file: {source.path}; the song ends here" in caplog.text


@pytest.mark.parametrize("error", [OSError("no disk"), RuntimeError("odd")])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_file_that_breaks_is_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    source = FileSource(written(tmp_path / "a.wav"))
    blocks = source.blocks

    def some_blocks() -> Iterator[NDArray[np.float32]]:
        yield next(blocks())
        raise error

    monkeypatch.setattr(source, "blocks", some_blocks)
    ring = SampleRing(1000, 2)
    source.start(ring, StreamClock(44100))
    assert source._thread is not None
    source._thread.join(20)
    assert ring.total_written == 256 and source.is_finished and not source.is_alive()


def test_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.wav") == f"no such file: {tmp_path / 'no.wav'}"


def test_folder(tmp_path: Path) -> None:
    assert "cannot be read: it is a folder" in refusal(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    assert "a.wav is empty (0 bytes)" in refusal(tmp_path / "a.wav")


def test_text_renamed(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("Dear all,\nthis is not a song.\n" * 9)
    assert "is not an audio file that can be read" in refusal(tmp_path / "a.wav")


def test_no_samples(tmp_path: Path) -> None:
    assert "holds no audio (0 samples)" in refusal(written(tmp_path / "a.wav", 0))


def test_zero_channels(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    data = bytearray(path.read_bytes())
    data[22:24] = struct.pack("<H", 0)
    path.write_bytes(data)
    message = refusal(path)
    assert "is not an audio file" in message or "has 0 channels" in message


def test_too_many_channels(tmp_path: Path) -> None:
    assert "has 9 channels; 1 to 8 can be played" in refusal(written(tmp_path / "a.wav", 50, 9))


@pytest.mark.parametrize("rate", [4000, 384000])
def test_sample_rate_out_of_range(tmp_path: Path, rate: int) -> None:
    message = refusal(written(tmp_path / "a.wav", rate=rate))
    assert f"a sample rate of {rate} Hz; 8000 to 192000 Hz" in message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused_with_its_place(tmp_path: Path, bad: float) -> None:
    audio = np.zeros((100000, 2), np.float32)
    audio[88200, 1] = bad
    soundfile.write(tmp_path / "a.wav", audio, 44100, subtype="FLOAT")
    assert "not a finite number at 2.000 s (sample 88200)" in refusal(tmp_path / "a.wav")


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.wav")

    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sound_file, "SequentialFile", denied)
    assert refusal(path) == f"{path} cannot be read: Permission denied"


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_cut_short_plays_what_is_there_and_warns(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(1).normal(0, 0.1, (88200, 2))  # so that OGG has many pages
    soundfile.write(path, noise, 44100)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with caplog.at_level(logging.WARNING):
        audio = read_all(FileSource(path, paced=False))
    assert 22050 < len(audio) < 66150
    assert "cut short" in caplog.text or "is broken" in caplog.text


def test_a_long_file_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        silence = np.zeros((8000 * 60, 1), np.float32)
        for _ in range(60):
            file.write(silence)
    source = FileSource(path, paced=False)
    assert source.duration == 3600
    tracemalloc.start()
    n = sum(len(block) for block in itertools.islice(source.blocks(4096), None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n == 3600 * 8000
    assert peak < 1 << 20
    tracemalloc.start()
    assert len(source.part(3000.0, 1.0)) == 8000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 22


class StoppedProgram:
    """Time that passes in waits only, and 30 s more, once, while the program is stopped."""

    def __init__(self) -> None:
        self.now, self.waits = 100.0, list[float]()

    def perf_counter(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds + (30.0 if len(self.waits) == 5 else 0.0)
        return False

    def is_set(self) -> bool:
        return False


def test_a_file_goes_on_where_it_was_after_the_program_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FileSource(written(tmp_path / "a.wav", 80 * 256, rate=8000), paced=True)
    program, clock, ring = StoppedProgram(), StreamClock(8000), SampleRing(80 * 256, 2)
    monkeypatch.setattr(block_source, "time", program)
    monkeypatch.setattr(source, "_stop", program)
    source._play(ring, clock)
    block = 256 / 8000
    assert program.waits[:5] == pytest.approx([block] * 5)
    assert program.waits[5] == 0.0  # what was due meanwhile, and no more than that
    assert program.waits[6:] == pytest.approx([block] * 74)
    assert ring.total_written == 80 * 256
    assert clock.time_of(80 * 256) == pytest.approx(program.now, abs=0.01)
