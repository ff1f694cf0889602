"""A take as a MIDI file of type 1: conductor, melody, accompaniment or its two hands.

Times are seconds of the take. Not here: how it was recorded.
"""

from collections.abc import Sequence

import mido

from engine.core.note_tracker import NoteTracker
from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.midi.file import paired
from engine.midi.messages import message
from engine.midi.tempo_map import SECOND, TICKS_PER_BEAT, TempoMap
from engine.midi.writer import Placed, conductor, midi_file, track_of
from livecover.takes.journal import Contents

BPM = 120.0
"""Beats a minute if the song's tempo is not known."""


def track_name(event: NoteEvent) -> str:
    """Return the track that a note belongs to.

    >>> track_name(NoteEvent(0.0, 60, 80, "accompaniment", "left"))
    'left hand'
    """
    if event.part == "melody" or event.hand is None:
        return event.part
    return f"{event.hand} hand"


def closed(events: Sequence[Event], end: float) -> list[Event]:
    """Return ``events`` paired (``engine.midi.file.paired``); what is open ends at ``end``.

    A note of length 0 is left out.
    """
    early = sorted((e for e in events if _order(e) < (end, True)), key=_order)
    sounding = NoteTracker()
    for event in early:
        sounding.track(event)
    return paired([*early, *sounding.ends(end, least=0.0)])


def to_midi(contents: Contents) -> mido.MidiFile:
    """Return the file; a track without notes is there for the two parts only."""
    tempo = tempo_map(contents.tempos, contents.bars)
    events = closed(contents.events, contents.seconds)
    by_track: dict[str, list[Event]] = {"melody": [], "accompaniment": []}
    for name in ("right hand", "left hand"):
        by_track[name] = []
    for event in events:
        if isinstance(event, NoteEvent):
            by_track[track_name(event)].append(event)
    if by_track["right hand"] or by_track["left hand"]:
        if not by_track["accompaniment"]:
            del by_track["accompaniment"]
    else:
        del by_track["right hand"], by_track["left hand"]
    pedals = [event for event in events if isinstance(event, PedalEvent)]
    tracks = [_conductor(contents, tempo)]
    for name, notes in by_track.items():
        channels = {event.channel for event in notes}
        # The pedal of a channel stands in each of its tracks: a DAW may play each for itself.
        own = [event for event in pedals if event.channel in channels]
        messages = _messages(sorted([*own, *notes], key=_order), channels or {1}, tempo)
        tracks.append(track_of(messages, name))
    return midi_file(tracks)


def _order(event: Event) -> tuple[float, bool]:
    return event.time, event.is_on if isinstance(event, NoteEvent) else event.is_down


def tempo_map(
    tempos: Sequence[tuple[float, float]], bars: Sequence[tuple[float, int]] = ()
) -> TempoMap:
    """Return the map of tempos (second, beats a minute); known bar lines lie on the file's.

    What comes before a bar line (second, beats of the bar) is stretched, so that whole bars of the
    file end there. Where bars are known, the song's first tempo was that before it was known, too.
    """
    bpm = tempos[0][1] if tempos and bars else BPM
    changes = [(0.0, 0.0, _tempo(bpm))]
    told = [(max(0.0, second), bpm, 0) for second, bpm in tempos]
    for second, value, n_beats in sorted([*told, *((s, 0.0, n) for s, n in bars)]):
        bpm = value or bpm
        start, tick, before = changes[-1]
        exact = TempoMap(changes).exact_tick(second)
        if n_beats and second > start:
            bar = n_beats * TICKS_PER_BEAT
            exact = max(round(exact / bar), int(tick // bar) + 1) * bar
            before = (second - start) * SECOND * TICKS_PER_BEAT / (exact - tick)
        changes[-1] = (start, tick, before)
        if exact <= tick:
            changes.pop()
        changes.append((second, exact, _tempo(bpm)))
    return TempoMap(changes)


def _tempo(bpm: float) -> float:
    """Return microseconds a beat."""
    return 60 * SECOND / bpm


def _conductor(contents: Contents, tempo: TempoMap) -> mido.MidiTrack:
    """Return the track of tempos and texts, and the take's end."""
    others: list[Placed] = [(tempo.tick(second), _text(text)) for second, text in contents.texts]
    others += [(0, _metre(n_beats)) for _, n_beats in contents.bars[:1]]
    track = conductor(tempo, "livecover", others)
    end = max(0, tempo.tick(contents.seconds) - sum(message.time for message in track))
    track.append(mido.MetaMessage("end_of_track", time=end))
    return track


def _metre(n_beats: int) -> mido.MetaMessage:
    return mido.MetaMessage("time_signature", numerator=n_beats, denominator=4)


def _text(text: str) -> mido.MetaMessage:
    """Return a text event; mido writes Latin-1, so other letters become question marks."""
    return mido.MetaMessage("text", text=text.encode("latin-1", "replace").decode("latin-1"))


def _messages(events: Sequence[Event], channels: set[int], tempo: TempoMap) -> list[Placed]:
    programs: list[Placed] = [
        (0, mido.Message("program_change", channel=channel - 1, program=0))
        for channel in sorted(channels)
    ]
    return programs + [
        (tempo.tick(event.time), mido.Message.from_bytes(message(event))) for event in events
    ]
