"""A take as a MIDI file of type 1: conductor, melody, accompaniment or its two hands.

Times are seconds of the take. Not here: how it was recorded.
"""

from collections.abc import Sequence

import mido

from engine.core.note_tracker import NoteTracker
from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.midi.file import TICKS_PER_BEAT, paired
from engine.midi.messages import message
from livecover.takes.journal import Contents

BPM = 120.0
"""Beats a minute where nobody knows the song's."""


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

    A note that begins and ends at the same moment is left out.
    """
    early = sorted((e for e in events if _order(e) < (end, True)), key=_order)
    sounding = NoteTracker()
    for event in early:
        sounding.track(event)
    return paired([*early, *sounding.ends(end, least=0.0)])


def to_midi(contents: Contents) -> mido.MidiFile:
    """Return the file; a track without notes is there for the two parts only."""
    clock = _Clock(contents.tempos, contents.bars)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
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
    _conductor(file.add_track("livecover"), contents, clock)
    for name, notes in by_track.items():
        channels = {event.channel for event in notes}
        # The pedal of a channel stands in each of its tracks: a DAW may play each for itself.
        own = [event for event in pedals if event.channel in channels]
        _fill(file.add_track(name), sorted([*own, *notes], key=_order), channels or {1}, clock)
    return file


def _order(event: Event) -> tuple[float, bool]:
    return event.time, event.is_on if isinstance(event, NoteEvent) else event.is_down


class _Clock:
    """Seconds to ticks under a map of tempos; bar lines that are known lie on the file's.

    What comes before a bar line is stretched, so that whole bars of the file end there.
    """

    def __init__(
        self, tempos: Sequence[tuple[float, float]], bars: Sequence[tuple[float, int]] = ()
    ) -> None:
        self.steps = [(0.0, 0.0, BPM)]  # (second, tick, beats a minute)
        told = [(max(0.0, second), bpm, 0) for second, bpm in tempos]
        bpm = BPM
        for second, value, n_beats in sorted([*told, *((s, 0.0, n) for s, n in bars)]):
            bpm = value or bpm
            start, tick, before = self.steps[-1]
            exact = self._exact(second)
            if n_beats and second > start:
                bar = n_beats * TICKS_PER_BEAT
                exact = max(round(exact / bar), int(tick // bar) + 1) * bar
                before = 60 * (exact - tick) / TICKS_PER_BEAT / (second - start)
            self.steps[-1] = (start, tick, before)
            if exact <= tick:
                self.steps.pop()
            self.steps.append((second, exact, bpm))

    def _exact(self, second: float) -> float:
        start, tick, bpm = next(s for s in reversed(self.steps) if s[0] <= second)
        return tick + (second - start) * bpm / 60 * TICKS_PER_BEAT

    def ticks(self, second: float) -> int:
        """Return the tick nearest to a second of the take."""
        return max(0, round(self._exact(max(0.0, second))))


def _conductor(track: mido.MidiTrack, contents: Contents, clock: _Clock) -> None:
    """Write tempos and texts, and the take's end."""
    metas = [
        (clock.ticks(second), mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm)))
        for second, _, bpm in clock.steps
    ]
    metas += [(clock.ticks(second), _text(text)) for second, text in contents.texts]
    metas += [(0, _metre(n_beats)) for _, n_beats in contents.bars[:1]]
    now = 0
    for tick, meta in sorted(metas, key=lambda pair: pair[0]):
        track.append(meta.copy(time=tick - now))
        now = tick
    end = max(0, clock.ticks(contents.seconds) - now)
    track.append(mido.MetaMessage("end_of_track", time=end))


def _metre(n_beats: int) -> mido.MetaMessage:
    return mido.MetaMessage("time_signature", numerator=n_beats, denominator=4)


def _text(text: str) -> mido.MetaMessage:
    """Return a text event; mido writes Latin-1, so other letters become question marks."""
    return mido.MetaMessage("text", text=text.encode("latin-1", "replace").decode("latin-1"))


def _fill(
    track: mido.MidiTrack, events: Sequence[Event], channels: set[int], clock: _Clock
) -> None:
    for channel in sorted(channels):
        track.append(mido.Message("program_change", channel=channel - 1, program=0))
    now = 0
    for event in events:
        tick = clock.ticks(event.time)
        track.append(mido.Message.from_bytes(message(event), time=tick - now))
        now = tick
