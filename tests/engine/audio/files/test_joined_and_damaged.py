"""Files whose headers lie, that are joined end to end, or damaged: all that is there is heard."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.files.file_source import FileSource
from engine.audio.files.ogg_pages import checksum, whole_pages, whole_runs
from tests.engine.audio.files.sounds import read_all, refusal, tone, written


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
