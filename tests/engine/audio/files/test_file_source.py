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
from engine.audio.files.ogg_pages import checksum, whole_pages, whole_runs
from engine.core.errors import DeviceError
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing


def tone(n_samples: int, n_channels: int, sample_rate: int) -> np.ndarray:
    times = np.arange(n_samples) / sample_rate
    return 0.5 * np.stack([np.sin(2 * np.pi * 220 * (c + 1) * times) for c in range(n_channels)], 1)


def written(path: Path, n_samples: int = 4000, n_channels: int = 2, rate: int = 44100) -> Path:
    soundfile.write(path, tone(n_samples, n_channels, rate), rate)
    return path


def read_all(source: FileSource, block_size: int | None = None) -> np.ndarray:
    return np.concatenate(list(source.blocks(block_size)))


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


def refusal(path: Path) -> str:
    with pytest.raises(DeviceError) as caught:
        FileSource(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


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


# Headers that lie, and streams joined end to end ----------------------------------------------


def seconds_held(path: Path) -> tuple[float, float]:
    """Seconds that a file declares, and that its blocks hold."""
    source = FileSource(path, paced=False)
    return source.duration, len(read_all(source, 1 << 16)) / source.sample_rate


@pytest.fixture
def no_warning(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is said, since nothing is missing."""
    yield
    assert caplog.text == ""


@pytest.mark.usefixtures("no_warning")
def test_a_flac_of_unknown_length_is_heard_whole(tmp_path: Path) -> None:
    path = written(tmp_path / "a.flac", 44100)
    data = bytearray(path.read_bytes())
    data[18:26] = (int.from_bytes(data[18:26], "big") >> 36 << 36).to_bytes(8, "big")
    path.write_bytes(data)
    assert seconds_held(path) == (1.0, 1.0)


@pytest.mark.usefixtures("no_warning")
@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_a_wav_whose_recorder_died_is_heard_to_its_end(tmp_path: Path, length: int) -> None:
    path = written(tmp_path / "a.wav", 44100)
    data = bytearray(path.read_bytes())
    at = data.index(b"data")
    data[4:8] = data[at + 4 : at + 8] = length.to_bytes(4, "little")
    path.write_bytes(data)
    assert seconds_held(path) == (1.0, 1.0)


@pytest.mark.usefixtures("no_warning")
@pytest.mark.parametrize(
    "suffix", ["flac", "ogg", "mp3", "wav", "rf64", "w64", "aiff", "caf", "au"]
)
def test_streams_joined_end_to_end_are_heard_one_after_the_other(
    tmp_path: Path, suffix: str
) -> None:
    paths = [written(tmp_path / f"{n}.{suffix}", n) for n in (44100, 22050, 88200)]
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(b"".join(path.read_bytes() for path in paths))
    expected = [read_all(FileSource(path, paced=False), 1 << 16) for path in paths]
    source = FileSource(joined, paced=False)
    np.testing.assert_array_equal(read_all(source, 1 << 16), np.concatenate(expected))
    assert source.duration == pytest.approx(3.5)
    np.testing.assert_array_equal(source.part(1.0, 0.5), expected[1])


@pytest.mark.usefixtures("no_warning")
@pytest.mark.parametrize(
    ("suffix", "subtype"), [("wav", "PCM_24"), ("aiff", "PCM_24"), ("wav", "IMA_ADPCM")]
)
def test_joined_files_of_odd_lengths_are_heard_as_each_alone(
    tmp_path: Path, suffix: str, subtype: str
) -> None:
    paths = [tmp_path / f"{n}.{suffix}" for n in (30001, 20003)]
    for path in paths:
        soundfile.write(path, tone(int(path.stem), 1, 44100), 44100, subtype=subtype)
    expected = [read_all(FileSource(path, paced=False), 1 << 16) for path in paths]
    joined = tmp_path / "joined"
    joined.write_bytes(b"".join(path.read_bytes() for path in paths))
    found = read_all(FileSource(joined, paced=False), 1 << 16)
    np.testing.assert_array_equal(found, np.concatenate(expected))


@pytest.mark.usefixtures("no_warning")
@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_joined_wavs_of_unknown_length_are_heard_one_after_the_other(
    tmp_path: Path, length: int
) -> None:
    path = written(tmp_path / "a.wav", 44100)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = length.to_bytes(4, "little")
    path.write_bytes(data + data + data)
    assert seconds_held(path) == (3.0, 3.0)


def test_a_joined_file_that_declares_too_little_is_heard_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "a.wav", 44100)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40] + (1000).to_bytes(4, "little") + whole[44:])
    assert seconds_held(path) == (2.0, 2.0)
    assert caplog.text.count("declares 1000 bytes of samples and holds 176400") == 1


def test_not_finite_in_a_joined_file_is_refused_with_its_place(tmp_path: Path) -> None:
    data = b""
    for bad in (0.0, np.nan):
        soundfile.write(tmp_path / "a.wav", [0.0] * 44100 + [bad], 44100, subtype="FLOAT")
        data += (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data)
    assert "not a finite number at 2.000 s (sample 88201)" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_a_joined_stream_of_another_rate_is_left_out_and_told(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [written(tmp_path / f"{rate}.{suffix}", rate, 1, rate) for rate in (44100, 48000)]
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(b"".join(path.read_bytes() for path in paths))
    assert seconds_held(joined) == (1.0, 1.0)
    assert "left out (48000 Hz, 1 ch)" in caplog.text


def test_what_is_missing_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "a.mp3", 88200)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    source = FileSource(path, paced=False)
    source.head(10.0)
    assert len(read_all(source, 4096)) > 44100
    read_all(source, 4096)
    assert caplog.text.count("is cut short: it declares 2.0 s and holds 1.") == 1


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_what_follows_damage_is_heard(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / f"a.{suffix}", 10 * 44100)
    whole = read_all(FileSource(path, paced=False), 1 << 16)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = np.random.default_rng(1).bytes(300)
    path.write_bytes(data)
    found = read_all(FileSource(path, paced=False), 1 << 16)
    assert len(found) > len(whole) - 0.5 * 44100
    if suffix == "flac":  # its frames know where they belong
        assert "is damaged at" in caplog.text
        assert len(found) == len(whole)
        assert (found != whole).any(axis=1).mean() < 0.1
        np.testing.assert_array_equal(found[-88200:], whole[-88200:])


def noise_ogg(path: Path, seconds: int, codec: str, rate: int) -> Path:
    """Noise, of which every second is different."""
    sound = 0.3 * np.random.default_rng(seconds).standard_normal((seconds * rate, 2))
    with soundfile.SoundFile(path, "w", rate, 2, format="OGG", subtype=codec) as file:
        for start in range(0, len(sound), rate):
            file.write(sound[start : start + rate])
    return path


def damaged(data: bytes, how: str, at: int) -> bytes:
    rest = data[at:]
    match how:
        case "random":
            return data[:at] + np.random.default_rng(1).bytes(300) + rest[300:]
        case "zeros":
            return data[:at] + bytes(15000) + rest[15000:]
        case "missing":
            return data[:at] + rest[1000:]
        case _:
            return data[:at] + b"OggS" + bytes(500) + rest


@pytest.mark.parametrize("how", ["random", "zeros", "missing", "more"])
@pytest.mark.parametrize(("codec", "rate"), [("VORBIS", 44100), ("OPUS", 48000), ("OPUS", 24000)])
def test_what_follows_damage_in_an_ogg_is_heard_where_it_belongs(
    tmp_path: Path, codec: str, rate: int, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = noise_ogg(tmp_path / "a.ogg", 8, codec, rate)
    whole = read_all(FileSource(path, paced=False), 1 << 16)
    assert caplog.text == ""
    data = path.read_bytes()
    path.write_bytes(damaged(data, how, len(data) // 2))
    source = FileSource(path, paced=False)
    found = read_all(source, 999)
    assert caplog.text.count("\n") == 1 and "s; what follows is heard" in caplog.text
    at = float(caplog.text.split("is damaged at ")[1].split()[0])
    assert 2.0 < at < 4.5
    assert source.duration == pytest.approx(8.0, abs=0.02) == len(found) / rate
    same = np.isclose(found, whole[: len(found)], atol=1e-4).all(axis=1)
    assert same[: round((at - 0.1) * rate)].all() and same[-rate:].all()
    lost = ~same[round(at * rate) + 1 :]
    assert 0.1 < np.count_nonzero(lost) / rate < 4.0
    assert np.count_nonzero(found[round((at + 0.1) * rate)]) == 0


def test_an_ogg_among_others_is_heard_and_what_damage_took_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [noise_ogg(tmp_path / f"{n}.ogg", n, "VORBIS", 44100) for n in (8, 7)]
    first, second = (pages_of(path, serial) for serial, path in enumerate(paths))
    rest = itertools.zip_longest(first[1:], second[1:], fillvalue=b"")
    path = tmp_path / "mixed.ogg"
    path.write_bytes(first[0] + second[0] + b"".join(itertools.chain(*rest)))
    whole = read_all(FileSource(paths[0], paced=False), 1 << 16)
    np.testing.assert_array_equal(read_all(FileSource(path, paced=False), 1 << 16), whole)
    assert caplog.text == ""
    data = path.read_bytes()
    middle = data.index(first[len(first) // 2]) + 200
    path.write_bytes(damaged(data, "random", middle))
    n_lost = len(whole) - len(read_all(FileSource(path, paced=False), 1 << 16))
    assert 0 < n_lost < 44100
    assert caplog.text.count("\n") == 1 and "it declares 8.0 s and holds 7." in caplog.text


def pages_of(path: Path, serial: int) -> list[bytes]:
    """The pages of an Ogg file, as those of a stream of another number."""
    with open(path, "rb") as file:
        spans = [(page.start, page.end) for page in whole_pages(file, 0)]
    data, pages = path.read_bytes(), []
    for start, end in spans:
        page = data[start : start + 14] + serial.to_bytes(4, "little") + data[start + 18 : end]
        pages.append(page[:22] + checksum(page) + page[26:])
    return pages


def test_damage_at_the_first_sound_of_a_joined_ogg_shifts_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = noise_ogg(tmp_path / "1.ogg", 2, "VORBIS", 44100).read_bytes()
    second = noise_ogg(tmp_path / "2.ogg", 3, "VORBIS", 44100).read_bytes()
    joined = tmp_path / "joined.ogg"
    joined.write_bytes(first + second)
    whole = read_all(FileSource(joined, paced=False), 1 << 16)
    joined.write_bytes(first + damaged(second, "random", 6000))
    found = read_all(FileSource(joined, paced=False), 1 << 16)
    assert "is damaged at 2.0 s" in caplog.text
    assert len(found) == len(whole)
    np.testing.assert_array_equal(found[:88200], whole[:88200])
    np.testing.assert_array_equal(found[-88200:], whole[-88200:])


def test_a_recorded_radio_begins_where_its_recording_does(tmp_path: Path) -> None:
    path = noise_ogg(tmp_path / "a.ogg", 6, "VORBIS", 44100)
    head, (run,) = whole_runs(path)
    data = path.read_bytes()
    with open(path, "rb") as file:
        pages = [page for page in whole_pages(file, 0) if page.start >= run.start]
    assert checksum(data[run.start : pages[0].end]) == data[run.start + 22 : run.start + 26]
    path.write_bytes(head + data[pages[5].start : pages[9].start] + data[pages[10].start :])
    source = FileSource(path, paced=False)
    n_expected = pages[-1].granule - pages[4].granule
    assert 0 <= n_expected - len(read_all(source)) < 4096
    assert source.n_samples == len(read_all(source))
