"""What a file is, told by its first bytes, and what to do about it."""

from pathlib import Path

import pytest

from engine.audio.opening import is_file_input, open_source
from engine.core.errors import ConfigError, DeviceError
from engine.core.settings import AudioSettings
from engine.system.file_kinds import HEAD_BYTES, kind_of, why_no_audio


def refusal(text: str | Path) -> str:
    with pytest.raises((DeviceError, ConfigError)) as caught:
        open_source(str(text), AudioSettings(), paced=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", "an empty file"),
        (b"\xef\xbb\xbf <HTML><body>", "a web page (HTML)"),
        (b"MThd\0\0\0\6", "a MIDI file"),
        (b"RIFF\0\0\0\0RMIDdata", "a MIDI file"),
        (b"RIFF\0\0\0\0CDDAfmt ", "a pointer to a track of a CD"),
        (b"RIFF\0\0\0\0????", "an unknown file"),
        (b"FORM\0\0\0\0AIFC", "an AIFF file"),
        (b"\0\0\0\x20ftypM4A ", "an AAC file (M4A)"),
        (b"\0\0\0\x20ftypisom", "a video (MP4)"),
        (b"\0\0\0\x20ftypM4P ", "a file with copy protection (DRM)"),
        (b"\xff\xfb\x90\x00", "an MP3 file"),
        (b"OggS\0\2".ljust(28, b"\0") + b"\x01vorbis", "an Ogg file"),
        (b"OggS\0\2".ljust(28, b"\0") + b"Speex   1.2", "a Speex file"),
        (b"\xff\xf1\x50\x80", "an AAC file"),
        (b"\xff", "an unknown file"),
        (b"#EXTM3U\nsong.mp3\n", "a playlist"),
        (b"<?xml version='1.0'?>", "an XML document"),
        (("é" * HEAD_BYTES).encode()[:HEAD_BYTES], "a text"),
        (b"\0\1\2\3", "an unknown file"),
    ],
)
def test_what_it_is(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


@pytest.mark.parametrize(
    ("name", "head", "told"),
    [
        ("page.mp3", b"<!DOCTYPE html><html>" * 100, "a web page (HTML): a download that failed"),
        ("song.m4a", b"\0\0\0\x20ftypM4A " * 9, "an AAC file (M4A): "),
        ("film.mkv", b"\x1a\x45\xdf\xa3" * 99, "a Matroska or WebM video: "),
        (
            "book.m4b",
            b"\0\0\0\x20ftypaax " * 9,
            "copy protection (DRM): play it in its own program",
        ),
        (
            "song.oga",
            b"OggS\0\2".ljust(28, b"\0") + b"\x7fFLAC\1\0",
            "an Ogg FLAC file: ",
        ),
        (
            "film.ogg",
            b"OggS\0\2".ljust(28, b"\0") + b"\x80theora",
            "an Ogg video: ",
        ),
        ("list.m3u", b"#EXTM3U\nsong.mp3\n", "a playlist: give one of the files that it names"),
        ("song.mid", b"MThd\0\0\0\6\0\1\0\1", "a MIDI file: it holds notes already"),
        ("cut.flac", b"fLaC" + b"\0" * 99, "a FLAC file, but broken or of another codec: "),
        ("odd.wav", b"\0\1\2\3" * 99, "an unknown file: "),
        ("none.wav", b"", "is empty"),
    ],
)
def test_what_is_no_song_is_told_for_what_it_is(
    tmp_path: Path, name: str, head: bytes, told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(head)
    assert told in refusal(path)


@pytest.mark.parametrize("name", ["song.m4a", "Musik/song.wma", "film.mp4", "song.MID", "a.m3u"])
def test_a_missing_file_is_no_missing_device(name: str) -> None:
    assert is_file_input(name)
    assert refusal(name) == f"no such file: {name}"


@pytest.mark.parametrize(
    "text", ["https://www.youtube.com/watch?v=abc", "HTTP://a/b.mp3", "www.a.com/b"]
)
def test_an_address_is_told(text: str) -> None:
    assert "livecover fetches nothing" in refusal(text)


@pytest.mark.parametrize("form", ["file://{}", "file://localhost{}", "file:{}"])
def test_a_file_by_its_address(tmp_path: Path, form: str) -> None:
    path = tmp_path / "no song.wav"
    assert refusal(form.format(str(path).replace(" ", "%20"))) == f"no such file: {path}"


def test_a_share_of_another_machine_is_told() -> None:
    assert "is an address" in refusal("file://server/song.wav")


def test_the_nearest_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "Autumn Leaves.flac").touch()
    assert "did you mean" in refusal(tmp_path / "Autum Leaves.flac")


def test_what_cannot_be_opened_is_unknown(tmp_path: Path) -> None:
    assert "an unknown file" in why_no_audio(tmp_path / "none", "why")


def test_words_of_the_library_that_mislead_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "cut.mp3").write_bytes(b"\xff\xfb\x90\x00" * 20)
    told = why_no_audio(tmp_path / "cut.mp3", "File does not exist or is not a regular file")
    assert "an MP3 file, but broken or of another codec: there is no whole frame" in told
    assert "does not exist" not in told
