"""Recordings: songs of packages and their excerpts, shards that resume."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.data import recordings
from offline_train.data.recordings import (
    Excerpt,
    Recording,
    excerpts,
    read_excerpt,
    songs,
    write_recordings,
)
from offline_train.data.shards import manifest_hash, read_shards
from offline_train.data.sources import SOURCES, Source
from offline_train.data.teacher import TeacherPosteriors

Array = NDArray[np.float32]

BAND = Source("band", "a-songs", "MIT", "A Band", "train", ("songs/*/*.ogg",), stems=True)
ALBUM = Source("album", "b-music", "CC-BY-3.0", "B", "train", ("music/*.ogg",))
OTHER = Source("other", "b-music", "GPL-2", "C", "heldout", ("other/*.ogg",))
LOCAL = (BAND, ALBUM, OTHER)


def tone(f0_hz: float, seconds: float, amplitude: float = 0.3, rate: int = 8000) -> Array:
    time = np.arange(round(seconds * rate)) / rate
    return np.asarray(amplitude * np.sin(2 * np.pi * f0_hz * time), np.float32)


def save(path: Path, samples: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, 8000, format="OGG", subtype="VORBIS")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A band's song in two stems, two songs of an album, a jingle, a broken file, one held out."""
    root = tmp_path_factory.mktemp("music") / "packages"
    save(root / "a-songs/songs/first/song.ogg", tone(220, 50))
    save(root / "a-songs/songs/first/guitar.ogg", tone(440, 48))
    for name, f0_hz in (("one", 330), ("two", 550)):
        save(root / f"b-music/music/{name}.ogg", tone(f0_hz, 60))
    save(root / "b-music/music/jingle.ogg", tone(330, 5))
    (root / "b-music/music/broken.ogg").write_bytes(b"OggS, but not really" * 50)
    save(root / "b-music/other/three.ogg", tone(660, 50))
    return root


@pytest.fixture
def folder(packages: Path, tmp_path: Path) -> Path:
    """A copy of the packages: encoding them takes longer."""
    return Path(shutil.copytree(packages, tmp_path / "packages"))


class Listener:
    """A teacher that hears one thing, at once."""

    def posteriors(self, samples: Array, sample_rate: int) -> TeacherPosteriors:
        onset = np.full((len(samples) // 256 + 1, 88), 0.5, np.float32)
        return TeacherPosteriors(onset, np.full_like(onset, 0.25))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "Teacher", Listener)


def test_licences_allow_it_and_no_artist_is_on_both_sides() -> None:
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    for source in SOURCES:
        assert source.credit
        assert not {"NC", "ND"} & set(source.licence.split("-"))
    for split in ("train", "heldout"):
        assert [s for s in SOURCES if s.split == split]
    held_out = [s for s in SOURCES if s.split == "heldout"]
    for source in SOURCES:
        if source.split == "train":
            for other in held_out:
                shared = {p for p in source.patterns if p in other.patterns}
                assert source.package != other.package or not shared
                assert source.credit != other.credit


def test_songs_take_turns_and_the_broken_one_is_named(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = songs(folder, "train", LOCAL)
    assert [song.title for song in found] == ["first", "one", "two"]
    assert [song.source.name for song in found] == ["band", "album", "album"]
    assert len(found[0].files) == 2 and found[0].seconds == pytest.approx(50, abs=0.1)
    assert "broken.ogg" in caplog.text
    assert [song.title for song in songs(folder, "heldout", LOCAL)] == ["three"]


def test_a_folder_without_music_and_an_unknown_split_say_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run fetch"):
        songs(tmp_path, "train", LOCAL)
    with pytest.raises(DataError, match="split must be one of train, heldout"):
        songs(tmp_path, "test", LOCAL)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "limit_s", "expected"),
    [
        (100.0, 0.0, [(0.0, 100.0)]),
        (100.0, 150.0, [(0.0, 100.0)]),
        (300.0, 150.0, [(75.0, 150.0)]),
        (400.0, 0.0, [(0.0, 400 / 3), (400 / 3, 400 / 3), (800 / 3, 400 / 3)]),
    ],
)
def test_excerpts_are_the_middle_in_equal_pieces(
    seconds: float, limit_s: float, expected: list[tuple[float, float]]
) -> None:
    song = Recording(ALBUM, "Ünë – Song.v2", (), seconds)
    cut = excerpts(song, limit_s)
    assert np.allclose([(e.start, e.seconds) for e in cut], expected)
    assert len({e.name for e in cut}) == len(cut)
    assert all("." not in e.name and e.name.isascii() for e in cut)


def test_stems_are_summed_to_mono_at_16_khz(folder: Path) -> None:
    song = songs(folder, "train", LOCAL)[0]
    samples = read_excerpt(Excerpt(song, 10.0, 4.0))
    assert samples.dtype == np.float32 and abs(len(samples) - 64000) <= 1
    spectrum = np.abs(np.fft.rfft(samples[:64000]))
    assert spectrum[[220 * 4, 440 * 4]].min() > 10 * np.median(spectrum) + 1000
    ends_early = read_excerpt(Excerpt(song, 46.0, 4.0))  # the guitar's stem is over at 48 s
    assert abs(len(ends_early) - 64000) <= 1


def test_a_mix_that_is_too_loud_is_scaled(tmp_path: Path) -> None:
    paths = (tmp_path / "a.ogg", tmp_path / "b.ogg")
    for path in paths:
        save(path, tone(300, 2, amplitude=0.9))
    samples = read_excerpt(Excerpt(Recording(BAND, "loud", paths, 2.0), 0.0, 2.0))
    assert np.abs(samples).max() == pytest.approx(1.0)


@pytest.mark.usefixtures("quick")
def test_pieces_hold_audio_labels_and_where_they_come_from(folder: Path, tmp_path: Path) -> None:
    written = write_recordings(folder, tmp_path / "out", "train", limit_s=3.0, sources=LOCAL)
    pieces = read_shards(tmp_path / "out")
    assert [piece.name for piece in pieces] == [
        "band-first-0024",
        "album-one-0028",
        "album-two-0028",
    ]
    stems, labels = pieces[0].array("stems"), pieces[0].array("teacher")
    assert stems.dtype == np.int16 and stems.shape == (48000, 1)
    assert labels.dtype == np.uint8 and labels.shape == (48000 // 256 + 1, 88, 2)
    assert (labels[..., 0] == 128).all() and (labels[..., 1] == 64).all()
    facts = pieces[0].facts
    assert facts["kind"] == "recording" and facts["package"] == "a-songs"
    assert facts["licence"] == "MIT" and facts["file"] == "first"
    assert facts["start"] == pytest.approx(23.5, abs=0.1) and facts["seconds"] == 3.0
    assert written.pieces == 3 and written.seconds == pytest.approx(9.0)
    assert written.by_package == pytest.approx({"a-songs": 3.0, "b-music": 6.0})


@pytest.mark.usefixtures("quick")
def test_a_run_goes_on_and_makes_a_short_shard_anew(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def write() -> int:
        return write_recordings(
            folder, out, "train", limit_s=2.0, pieces_per_shard=1, sources=LOCAL
        ).pieces

    assert write() == 3
    before, kept = manifest_hash(out), (out / "recordings-00000.tar").stat().st_mtime_ns
    (out / "recordings-00001.tar").unlink()
    with (out / "recordings-00002.tar").open("r+b") as file:
        file.truncate(1000)
    assert write() == 3
    assert manifest_hash(out) == before
    assert (out / "recordings-00000.tar").stat().st_mtime_ns == kept
    with pytest.raises(DataError, match=r"other settings \(pieces, split\)"):
        write_recordings(folder, out, "heldout", limit_s=2.0, sources=LOCAL)


@pytest.mark.usefixtures("quick")
def test_a_file_that_breaks_in_the_middle_is_skipped_and_counted(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    chosen = songs(folder, "train", LOCAL)
    shutil.copyfile(folder / "b-music/music/broken.ogg", folder / "b-music/music/one.ogg")
    monkeypatch.setattr(recordings, "songs", lambda *args: chosen)
    written = write_recordings(folder, tmp_path / "out", "train", limit_s=2.0, sources=LOCAL)
    assert written.skipped == ["album-one-0029"] and written.pieces == 2
    assert "one.ogg" in caplog.text
