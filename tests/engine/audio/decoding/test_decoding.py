"""Songs in formats that libsndfile does not read: by PyAV, by ffmpeg, and by nothing."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.audio.decoding.decoder import Decoder, DecodingError, SoundFormat
from engine.audio.decoding.ffmpeg import FfmpegDecoder
from engine.audio.decoding.opening import open_song
from engine.audio.decoding.pyav import PyAvDecoder
from engine.audio.files.file_source import FileSource
from engine.audio.files.song_source import SongSource
from engine.core.errors import DeviceError
from tests.messages import refused
from tests.programs import needs

RATE = 48000  # Opus has no other
SECONDS = 4
DECODERS = [
    pytest.param(PyAvDecoder(), id="PyAV"),
    pytest.param(FfmpegDecoder(), id="ffmpeg", marks=needs("ffmpeg")),
]


def bursts() -> NDArray[np.float64]:
    """Half a second of tone in each second, at another pitch; right is softer than left."""
    times = np.arange(SECONDS * RATE) / RATE
    tone = 0.4 * np.sin(2 * np.pi * 220 * (1 + np.floor(times)) * times) * (times % 1 < 0.5)
    return np.stack([tone, 0.5 * tone], 1)


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make the bursts in a format, by ffmpeg."""
    folder = tmp_path_factory.mktemp("songs")
    soundfile.write(folder / "song.wav", bursts(), RATE)

    def make(name: str, *options: str) -> Path:
        path: Path = folder / name
        if not path.exists():
            wav = str(folder / "song.wav")
            command = ["ffmpeg", "-v", "error", "-i", wav, *options, str(path)]
            subprocess.run(command, check=True)
        return path

    return make


def read(source: SongSource, block_size: int = 1000) -> NDArray[np.float32]:
    blocks = list(source.blocks(block_size))
    assert {len(block) for block in blocks[:-1]} <= {block_size}
    return np.concatenate(blocks)


def is_sounding(audio: NDArray[np.float32], second: float) -> bool:
    piece = audio[round(second * RATE) : round((second + 0.1) * RATE), 0]
    return bool(np.sqrt((piece**2).mean()) > 0.1)


@needs("ffmpeg")
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("song.m4a", ()),
        ("song.mp4", ("-f", "lavfi", "-i", "color=size=64x64:rate=10", "-t", "4")),
        ("song.webm", ()),
        ("song.wma", ()),
        ("song.aac", ()),
        ("lossless.m4a", ("-c:a", "alac")),
        ("song.mkv", ("-c:a", "flac")),
        ("song.wv", ()),
    ],
)
def test_every_format_is_read(
    decoder: Decoder,
    name: str,
    options: Sequence[str],
    song: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = open_song(song(name, *options), paced=False, decoders=[decoder])
    assert not isinstance(source, FileSource)
    audio = read(source)
    assert audio.dtype == np.float32 and audio.shape[1] == source.n_channels == 2
    assert source.duration == pytest.approx(SECONDS, abs=0.6)  # by packets, as long as those
    assert len(audio) / RATE == pytest.approx(SECONDS, abs=0.1) and source.sample_rate == RATE
    assert [is_sounding(audio, s) for s in (0.2, 0.75, 1.2, 1.75, 3.2, 3.75)] == [True, False] * 3
    left, right = np.sqrt((audio[: RATE // 2] ** 2).mean(0))
    assert right == pytest.approx(0.5 * left, rel=0.15)
    assert source.position == pytest.approx(len(audio) / RATE)
    assert not caplog.records


@needs("ffmpeg")
@pytest.mark.parametrize("name", ["song.aiff", "song.opus", "song.mp3", "song.ogg", "song.flac"])
def test_what_libsndfile_reads_needs_no_decoder(name: str, song: Callable[..., Path]) -> None:
    source = open_song(song(name), paced=False, decoders=[])
    assert isinstance(source, FileSource)
    assert [is_sounding(read(source), s) for s in (1.2, 1.75)] == [True, False]


@needs("ffmpeg")
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_hole_keeps_what_follows_in_its_place(
    decoder: Decoder,
    song: Callable[..., Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = bytearray(song("lossless.m4a", "-c:a", "alac").read_bytes())
    third = len(data) // 3
    data[third : third + len(data) // 8] = bytes(len(data) // 8)
    (tmp_path / "hole.m4a").write_bytes(data)
    audio = read(open_song(tmp_path / "hole.m4a", paced=False, decoders=[decoder]))
    assert len(audio) / RATE == pytest.approx(SECONDS, abs=0.1)
    assert [is_sounding(audio, s) for s in (0.2, 0.75, 3.2, 3.75)] == [True, False] * 2
    assert "is damaged" in caplog.text


@needs("ffmpeg")
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_file_cut_short_is_played_as_far_as_it_goes(
    decoder: Decoder,
    song: Callable[..., Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = song("fast.m4a", "-movflags", "faststart", "-c:a", "alac").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(data[: len(data) // 2])
    source = open_song(tmp_path / "cut.m4a", paced=False, decoders=[decoder])
    audio = read(source)
    assert 0.5 * RATE < len(audio) < 3.5 * RATE
    assert len(audio) / RATE == pytest.approx(source.duration, abs=0.3)
    assert "is cut short: it declares 4.0 s" in caplog.text


@needs("ffmpeg")
@pytest.mark.parametrize("decoder", DECODERS)
def test_what_has_no_sound_is_told(
    decoder: Decoder, song: Callable[..., Path], tmp_path: Path
) -> None:
    whole = song("song.m4a").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(whole[: len(whole) // 2])  # its index was at the end
    (tmp_path / "noise.wma").write_bytes(b"\x30\x26\xb2\x75" + bytes(999))
    for name, kind in (("cut.m4a", "an AAC file (M4A)"), ("noise.wma", "a Windows Media file")):
        with refused(DeviceError, name, kind, decoder.name, "another file"):
            open_song(tmp_path / name, decoders=[decoder])


@needs("ffmpeg")
@pytest.mark.parametrize("decoder", DECODERS)
def test_no_other_file_or_address_is_opened(
    decoder: Decoder, song: Callable[..., Path], tmp_path: Path
) -> None:
    lists = {
        "list.mp4": f"ffconcat version 1.0\nfile '{song('song.m4a')}'\n",
        "list.webm": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{song('song.aac')}\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(DecodingError):
            decoder.format_of(tmp_path / name)


@needs("ffmpeg")
@pytest.mark.parametrize("decoder", DECODERS)
def test_odd_names_are_read(decoder: Decoder, song: Callable[..., Path], tmp_path: Path) -> None:
    names = ["-i.m4a", "50 %d.m4a"]
    if sys.platform == "linux":  # elsewhere no file can be called so
        names += ["http:song.m4a", "caf\udce9.m4a"]
    for name in names:
        path = tmp_path / name
        path.write_bytes(song("song.m4a").read_bytes())
        assert len(read(open_song(path, paced=False, decoders=[decoder])))


class Absent:
    name = "absent"

    def is_there(self) -> bool:
        return False

    def format_of(self, path: Path) -> SoundFormat:
        raise NotImplementedError

    def pieces(
        self, path: Path, on_damage: Callable[[], None] = lambda: None
    ) -> Iterator[NDArray[np.float32]]:
        raise NotImplementedError


class Scripted(Absent):
    """A decoder of what a test says."""

    name = "scripted"

    def __init__(self, form: SoundFormat, pieces: Sequence[NDArray[np.float32]]) -> None:
        self._format, self._pieces = form, pieces

    def is_there(self) -> bool:
        return True

    def format_of(self, path: Path) -> SoundFormat:
        return self._format

    def pieces(
        self, path: Path, on_damage: Callable[[], None] = lambda: None
    ) -> Iterator[NDArray[np.float32]]:
        yield from self._pieces


@pytest.fixture
def m4a(tmp_path: Path) -> Path:
    path = tmp_path / "song.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " * 9)
    return path


def test_without_a_decoder_it_is_said_what_to_install(m4a: Path) -> None:
    with refused(
        DeviceError, "song.m4a", "an AAC file (M4A)", "PyAV", "ffmpeg", "type:", "formats"
    ):
        open_song(m4a, decoders=[Absent()])


def test_a_length_that_nobody_knows_is_counted(m4a: Path) -> None:
    pieces = [np.ones((n, 1), np.float32) for n in (3, 0, 700, 1)]
    source = open_song(m4a, False, decoders=[Scripted(SoundFormat(8000, 1, 0.0, None), pieces)])
    assert source.n_samples == 704
    assert [len(block) for block in source.blocks(300)] == [300, 300, 104]
    assert source.part(0.05, 0.01).shape == (80, 1) and len(source.head(9.0)) == 704


def test_limits_hold_for_decoded_songs_too(m4a: Path) -> None:
    many = Scripted(SoundFormat(44100, 12, 1.0, None), [])
    with refused(DeviceError, "12 channels", "1 to 8"):
        open_song(m4a, decoders=[many])
    with refused(DeviceError, "0 samples"):
        open_song(m4a, decoders=[Scripted(SoundFormat(44100, 2, 0.0, 9.0), [])])


def test_a_song_that_breaks_off_is_said(m4a: Path, caplog: pytest.LogCaptureFixture) -> None:
    piece = np.zeros((8000, 1), np.float32)
    source = open_song(m4a, False, decoders=[Scripted(SoundFormat(8000, 1, 9.0, None), [piece])])
    with caplog.at_level(logging.WARNING):
        assert len(read(source)) == 8000
    assert "is broken at 1.0 s" in caplog.text
