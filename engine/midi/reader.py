"""A tolerant reader of MIDI files.

Broken events are left out and counted; declared lengths and counts are taken as hints. The result
is mido's: a file of type 0 or 1 with ticks a beat, every message within its range. Not here:
seconds (``tempo_map``), what notes mean, and writing.
Format: Standard MIDI Files 1.0 (RP-001), RIFF-RMID (RP-029).
"""

import logging
import struct
from pathlib import Path

import mido
from mido.midifiles.meta import build_meta_message

from engine.core.errors import DataError
from engine.midi.tempo_map import DEFAULT_TEMPO, SECOND, TempoMap
from engine.system.file_kinds import HEAD_BYTES, kind_of
from engine.system.paths import shown

MAX_BYTES = 64 << 20
MAX_EVENTS = 1_000_000  # a message of mido's takes half a kilobyte
MAX_SECONDS = 24 * 3600.0
TRACK = b"MTrk"
_MAX_DENOMINATOR = 128
_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # of system messages that belong into no file
_SYSEX, _ESCAPE, _META, _END_OF_TRACK = 0xF0, 0xF7, 0xFF, 0x2F

_log = logging.getLogger(__name__)


class ForeignMidi(mido.MidiFile):  # type: ignore[misc]  # it has no type information
    """A MIDI file as it was read.

    Attributes
    ----------
    n_broken : int
        Events and parts that were left out or mended.
    has_beats : bool
        Whether its time is given in beats; with SMPTE's frames, what counts as one is a second.
    """

    n_broken = 0
    has_beats = True


def read_midi(path: Path) -> ForeignMidi:
    """Return a MIDI file, read as far as it can be; says in the log what was left out.

    Raises
    ------
    DataError
        The file is missing, is not MIDI, holds no track, or is larger or longer than music is.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(
            f"{shown(path)}: expected a MIDI file, could not read it ({reason})"
        ) from error
    midi = parse_midi(data, shown(path))
    midi.filename = str(path)
    return midi


def parse_midi(data: bytes, name: str) -> ForeignMidi:
    """Return the MIDI file that ``data`` is; errors call it ``name``. Raises as ``read_midi``."""
    is_riff = data[:4] == b"RIFF"
    begin = data.find(b"MThd", 0, None if is_riff else HEAD_BYTES)
    if begin < 0 and is_riff and data[8:12] == b"RMID":
        raise DataError(f"{name}: expected a MIDI file, it holds nothing but its wrapping")
    if begin < 0:
        raise DataError(f"{name}: expected a MIDI file, got {kind_of(data[:HEAD_BYTES])}")
    if len(data) > MAX_BYTES:
        raise DataError(f"{name}: expected at most {MAX_BYTES >> 20} MB of MIDI")
    if len(data) < begin + 14:
        raise DataError(f"{name}: expected a MIDI file, it ends within its header")
    length, kind, _, division = struct.unpack_from(">IHHH", data, begin + 4)
    reader = _Reader(name)
    tracks = reader.tracks(data, begin + 8 + (length if 6 <= length <= HEAD_BYTES else 6))
    if not tracks:
        raise DataError(f"{name}: expected a MIDI file, it holds no track")
    if kind == 2:
        _follow(tracks)
    has_beats = not division & 0x8000
    ticks_per_beat = division if has_beats else _in_frames(tracks, division)
    if not ticks_per_beat:
        raise DataError(f"{name}: expected a MIDI file, it has no ticks a beat")
    kind = 0 if kind == 0 and len(tracks) == 1 else 1
    midi = ForeignMidi(type=kind, ticks_per_beat=ticks_per_beat, tracks=tracks)
    midi.has_beats, midi.n_broken = has_beats, reader.n_broken
    _check_length(midi, name)
    if midi.n_broken:
        _log.warning("%s: broken events or parts left out or mended: %d", name, midi.n_broken)
    return midi


class _Reader:
    """Finds tracks and their messages; counts what is broken and what there is."""

    def __init__(self, name: str) -> None:
        self.n_broken = 0
        self._n_events = 0
        self._name = name

    def tracks(self, data: bytes, position: int) -> list[mido.MidiTrack]:
        """Return the tracks from ``position`` on; other chunks, such as XF's, are passed over."""
        found = []
        while position + 8 <= len(data):
            kind, length = (
                data[position : position + 4],
                *struct.unpack_from(">I", data, position + 4),
            )
            begin, end = position + 8, position + 8 + length
            if kind != TRACK:
                is_chunk = _is_chunk(data, position) and _is_chunk(data, end)
                position = end if is_chunk else data.find(TRACK, position + 1)
                if position < 0:
                    break
                continue
            if not _is_chunk(data, end):  # the length is wrong, or the file was cut
                self.n_broken += 1
                following = data.find(TRACK, begin)
                end = following if following >= 0 else len(data)
            track, stop = self._track(memoryview(data)[begin:end])
            found.append(track)
            is_too_long = data[begin + stop : begin + stop + 4] == TRACK
            position = begin + stop if is_too_long else end
        return found

    def _track(self, data: memoryview) -> tuple[mido.MidiTrack, int]:
        """Return a track's messages, the last of which ends it, and the place behind that."""
        self._count()
        track, events = mido.MidiTrack(), _Events(data)
        begin = tick = last = 0
        try:
            while True:
                begin = events.position
                tick += events.number()
                message = events.message()
                if message is not None:
                    message.time, last = tick - last, tick
                    track.append(message)
                    if message.type == "end_of_track":
                        break
                self._count()
        except IndexError:  # cut off, or without its end
            self.n_broken += begin < len(data)
        if not track or track[-1].type != "end_of_track":
            track.append(mido.MetaMessage("end_of_track"))
        self.n_broken += events.n_broken
        return track, events.position

    def _count(self) -> None:
        self._n_events += 1
        if self._n_events > MAX_EVENTS:
            raise DataError(
                f"{self._name}: expected a piece of music, got over {MAX_EVENTS} events"
            )


class _Events:
    """The bytes of a track, event by event; IndexError at their end."""

    def __init__(self, data: memoryview) -> None:
        self.position = 0
        self.n_broken = 0
        self._data = data
        self._running = 0  # status

    def number(self) -> int:
        """Return a number of variable length, of four bytes at most."""
        value = 0
        for _ in range(4):
            byte = self._byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                break
        return value

    def message(self) -> mido.Message | mido.MetaMessage | None:
        """Return the next event as a message, None where it is broken or belongs into no file."""
        status = self._data[self.position]
        if status < 0x80:
            if not self._running:
                self.n_broken += 1
                self.position += 1
                return None
            status = self._running
        else:
            self.position += 1
        if status < 0xF0:
            self._running = status
            return self._of_channel(status)
        if status == _META:
            return self._meta(self._byte(), self._content(self.number()))
        if status in (_SYSEX, _ESCAPE):
            return self._exclusive(status, self._content(self.number()))
        self.position += _DATA_BYTES.get(status, 0)
        self.n_broken += 1
        return None

    def _of_channel(self, status: int) -> mido.Message | None:
        """Return a channel's message: a value above 127 is 127, a key or controller is none."""
        values = self._content(1 if status & 0xE0 == 0xC0 else 2)
        if max(values) > 127:
            self.n_broken += 1
            if values[0] > 127:
                return None
        return mido.Message.from_bytes([status, *(min(value, 127) for value in values)])

    def _meta(self, kind: int, content: bytes) -> mido.MetaMessage | None:
        if kind == _END_OF_TRACK:
            return mido.MetaMessage("end_of_track")
        try:
            message = build_meta_message(kind, content)
            message.copy()  # checks what it holds
            message.bytes()
            is_sound = _is_sound(message)
        except Exception:  # KeySignatureError descends from it, and what else mido lets through
            is_sound = False
        self.n_broken += not is_sound
        return message if is_sound else None

    def _exclusive(self, status: int, content: bytes) -> mido.Message | None:
        """Return a system exclusive message; what goes on in pieces (F7) is left out."""
        content = content.removesuffix(b"\xf7")
        if status == _SYSEX and (not content or max(content) < 128):
            return mido.Message("sysex", data=content)
        self.n_broken += 1
        return None

    def _byte(self) -> int:
        self.position += 1
        return self._data[self.position - 1]

    def _content(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self._data):
            raise IndexError("the track ends within an event")
        content = bytes(self._data[self.position : end])
        self.position = end
        return content


def _is_sound(message: mido.MetaMessage) -> bool:
    """Return whether a tempo or a metre can be."""
    if message.type == "set_tempo":
        return bool(message.tempo > 0)
    if message.type == "time_signature":
        return bool(message.numerator > 0 and message.denominator <= _MAX_DENOMINATOR)
    return True


def _is_chunk(data: bytes, position: int) -> bool:
    """Return whether a chunk begins here, or the file ends, but for some bytes of padding."""
    return len(data) - 8 < position <= len(data) or data[position : position + 4].isalnum()


def _follow(tracks: list[mido.MidiTrack]) -> None:
    """Let tracks, which format 2 has for pieces of their own, follow one another."""
    end = 0
    for track in tracks:
        length = sum(message.time for message in track)
        track.insert(0, mido.MetaMessage("set_tempo", tempo=DEFAULT_TEMPO, time=end))
        end += length


def _in_frames(tracks: list[mido.MidiTrack], division: int) -> int:
    """Let a beat last a second where time is given in SMPTE's frames; return its ticks.

    29 stands for 29.97 frames a second; there is no other tempo then.
    """
    frames, ticks = 256 - (division >> 8), division & 0xFF
    second = SECOND * 1001 // 1000 if frames == 29 else SECOND
    for track in tracks:
        waited, kept = 0, []
        for message in track:
            if message.type == "set_tempo":
                waited += message.time
                continue
            message.time += waited
            waited = 0
            kept.append(message)
        track[:] = kept
    tracks[0].insert(0, mido.MetaMessage("set_tempo", tempo=second))
    return (30 if frames == 29 else frames) * ticks


def _check_length(midi: mido.MidiFile, name: str) -> None:
    """Raise DataError where notes come after days; an end that does comes at the last of them."""
    clock = TempoMap.of(midi)
    for track in midi.tracks:
        last = sum(message.time for message in track[:-1])
        if clock.seconds(last) > MAX_SECONDS:
            raise DataError(f"{name}: expected a piece of music, it lasts more than a day")
        if clock.seconds(last + track[-1].time) > MAX_SECONDS:
            track[-1].time = 0
