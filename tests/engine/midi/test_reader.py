"""MIDI files of others, written byte by byte: what every player plays is read."""

import io
import logging
import struct
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import DataError
from engine.midi import reader as subject
from engine.midi.reader import ForeignMidi, parse_midi, read_midi
from engine.midi.tempo_map import TempoMap, messages_of
from tests.messages import refused


def number(value: int) -> bytes:
    """A number of variable length."""
    found = bytes([value & 0x7F])
    while value := value >> 7:
        found = bytes([value & 0x7F | 0x80]) + found
    return found


def header(kind: int = 1, n_tracks: int = 1, division: int = 480) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, kind, n_tracks, division)


def chunk(content: bytes, length: int | None = None, name: bytes = b"MTrk") -> bytes:
    return name + struct.pack(">I", len(content) if length is None else length) + content


def meta(kind: int, content: bytes, delta: int = 0) -> bytes:
    return number(delta) + bytes([0xFF, kind]) + number(len(content)) + content


END = meta(0x2F, b"")
ON, OFF = b"\0\x90\x3c\x50", number(480) + b"\x80\x3c\x40"
TUNE = ON + OFF + b"\0\x90\x40\x50" + number(480) + b"\x80\x40\x40"
NOTES = [(0.0, 60), (0.5, 64)]


def notes(midi: mido.MidiFile) -> list[tuple[float, int]]:
    """Seconds and pitch of each note-on."""
    clock, found = TempoMap.of(midi), []
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                found.append((clock.seconds(tick), message.note))
    return found


def parse(data: bytes) -> ForeignMidi:
    return parse_midi(data, "a.mid")


GOOD = header() + chunk(TUNE + END)


@pytest.mark.parametrize(
    ("data", "n_broken"),
    [
        (GOOD, 0),
        (b"RIFF" + struct.pack("<I", 99) + b"RMIDdata" + struct.pack("<I", len(GOOD)) + GOOD, 0),
        (b"\0" * 128 + GOOD, 0),  # MacBinary
        (header(n_tracks=9) + chunk(TUNE + END), 0),
        (header(n_tracks=0) + chunk(TUNE + END), 0),
        (header(7) + chunk(TUNE + END), 0),
        (header(2) + chunk(TUNE + END), 0),
        (GOOD + chunk(b"some words", name=b"XFKM"), 0),
        (header() + chunk(b"abcd", name=b"XFIH") + chunk(TUNE + END), 0),
        (GOOD + b"\0\0\0", 0),
        (b"MThd" + struct.pack(">IHHH", 10, 1, 1, 480) + b"more" + chunk(TUNE + END), 0),
        (header() + chunk(TUNE), 0),  # no end
        (header() + chunk(meta(0x59, b"\x08\0") + TUNE + END), 1),  # eight sharps
        (header() + chunk(meta(0x51, b"\0\0\0") + TUNE + END), 1),  # tempo 0
        (header() + chunk(meta(0x51, b"\0") + TUNE + END), 1),
        (header() + chunk(meta(0x54, b"\xe0\0\0\0\0") + TUNE + END), 1),  # SMPTE offset
        (header() + chunk(meta(0x58, b"\x00\x02\x18\x08") + TUNE + END), 1),
        (header() + chunk(meta(0x58, b"\x04\xff\x18\x08") + TUNE + END), 1),
        (header() + chunk(meta(0x20, b"") + TUNE + END), 1),
        (header() + chunk(b"\0\xb0\x07\xff" + TUNE + END), 1),  # volume 255
        (header() + chunk(b"\0\xc0\xff" + TUNE + END), 1),
        (header() + chunk(b"\0\xf0\x05PS\xff\x01\xf7" + TUNE + END), 1),
        (header() + chunk(b"\0\xf7\x02\x01\x02" + TUNE + END), 1),
        (header() + chunk(b"\0\xf8" + TUNE + END), 1),  # a clock
        (header() + chunk(b"\0\xf2\x01\x02" + TUNE + END), 1),
        (header() + chunk(TUNE + END, length=0), 1),
        (header() + chunk(TUNE + END, length=7), 1),
        (header() + chunk(TUNE + END, length=9999), 1),
        (header() + chunk(TUNE + b"\0\x90"), 1),  # cut off
        (header(1, 2) + chunk(END, length=4 + 12) + chunk(TUNE + END), 1),
        (header() + chunk(TUNE + meta(0x2F, b"", 0xFFFFFFF)), 0),
    ],
)
def test_what_players_play_is_read(data: bytes, n_broken: int) -> None:
    midi = parse(data)
    assert notes(midi) == NOTES
    assert midi.n_broken == n_broken
    assert all(track[-1].type == "end_of_track" for track in midi.tracks)


def test_running_status_goes_on_after_other_events() -> None:
    assert notes(parse(header() + chunk(ON + meta(1, b"x") + b"\0\x43\x50" + END))) == [
        (0.0, 60),
        (0.0, 67),
    ]


def test_a_velocity_too_large_is_the_largest_and_a_key_too_high_is_none() -> None:
    midi = parse(header() + chunk(b"\0\x90\x3c\xc8" + b"\0\x90\xbc\x50" + END))
    assert [(m.note, m.velocity) for m in midi.tracks[0] if m.type == "note_on"] == [(60, 127)]
    assert midi.n_broken == 2


def test_pieces_of_their_own_follow_one_another() -> None:
    fast = meta(0x51, (250_000).to_bytes(3, "big")) + TUNE + END
    midi = parse(header(2, 2) + chunk(fast) + chunk(TUNE + END))
    assert notes(midi) == [(0.0, 60), (0.25, 64), (0.5, 60), (1.0, 64)]
    assert midi.type == 1


@pytest.mark.parametrize(("frames", "second"), [(25, 1.0), (29, 1.001), (30, 1.0)])
def test_time_in_frames(frames: int, second: float) -> None:
    per_second = (30 if frames == 29 else frames) * 40
    tempo = meta(0x51, (250_000).to_bytes(3, "big"))  # which has no meaning there
    content = ON + tempo + number(per_second) + b"\x90\x43\x50" + END
    midi = parse(header(division=(256 - frames) << 8 | 40) + chunk(content))
    assert notes(midi) == [(0.0, 60), (pytest.approx(second), 67)]
    assert not midi.has_beats


def test_what_is_left_out_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(header() + chunk(meta(0x59, b"\x08\0") * 3 + TUNE + END))
    with caplog.at_level(logging.WARNING):
        midi = read_midi(path)
    assert midi.filename == str(path)
    assert caplog.messages == [f"{path}: broken events or parts left out or mended: 3"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a MIDI file, got an empty file"),
        (b"not MIDI at all", "expected a MIDI file, got a text"),
        (b"<!DOCTYPE html><html>", r"expected a MIDI file, got a web page \(HTML\)"),
        (b"RIFF\0\0\0\0WAVEfmt ", "expected a MIDI file, got a WAV file"),
        (b"MThd\0\0\0\x06\0\1", "expected a MIDI file, it ends within its header"),
        (b"RIFF\0\0\0\0RMID", "expected a MIDI file, it holds nothing but its wrapping"),
        (header(), "expected a MIDI file, it holds no track"),
        (header() + b"\0" * 99, "expected a MIDI file, it holds no track"),
        (header(division=0) + chunk(TUNE), "expected a MIDI file, it has no ticks a beat"),
        (header(division=1) + chunk(number(0xFFFFFFF) + ON[1:]), "it lasts more than a day"),
    ],
)
def test_what_is_no_midi_is_told(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"^a\.mid: .*{message}"):
        parse(data)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with refused(DataError, "b.mid", "expected a MIDI file"):
        read_midi(tmp_path / "b.mid")
    with pytest.raises(DataError, match="could not read it"):
        read_midi(Path("a\0b"))


def test_hostile_sizes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_EVENTS", 3)
    with pytest.raises(DataError, match="over 3 events"):
        parse(GOOD)
    monkeypatch.setattr(subject, "MAX_BYTES", 20)
    with pytest.raises(DataError, match="at most 0 MB"):
        parse(GOOD)


def test_a_number_without_end_takes_no_memory() -> None:
    midi = parse(header() + chunk(ON + b"\xff" * 4096))
    assert notes(midi) == [(0.0, 60)]


@given(st.data())
def test_damage_is_read_or_told(data: st.DataObject) -> None:
    whole = bytearray(
        header(1, 2) + chunk(meta(0x59, b"\x02\0") + meta(3, b"name") + END) + chunk(TUNE + END)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    try:
        midi = parse(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    except DataError as error:
        assert str(error).startswith("a.mid: expected ")
        return
    written = io.BytesIO()
    midi.save(file=written)  # every message is within its range
    assert notes(mido.MidiFile(file=io.BytesIO(written.getvalue()))) == notes(midi)


@given(st.binary(max_size=200))
def test_anything_is_read_or_told(content: bytes) -> None:
    try:
        midi = parse(header() + chunk(content) + chunk(TUNE + END))
    except DataError as error:
        assert "more than a day" in str(error)
        return
    assert messages_of(midi, "end_of_track")
