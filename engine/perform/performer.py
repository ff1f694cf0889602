"""Decoded notes to MIDI notes: parts, hands, pedal, transposition, velocity curve, channels.

Not here: decoding (``engine.perform.decoder``), scheduling (``engine.midi.scheduler``).
"""

from collections.abc import Sequence
from dataclasses import replace

from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.core.settings import MidiSettings, PlaySettings
from engine.core.velocity import velocity_table
from engine.perform.hands import Hands
from engine.perform.pedal import Pedal
from engine.perform.tune.register import TuneOctave


class Performer:
    """Turns note events into the events of a MIDI port, a few at a time or all at once.

    A note ends as it began, whatever was changed in between: at the same key of the same channel.
    New settings count from the next note on. What leaves the MIDI range is not played.

    Parameters
    ----------
    play, midi
        As :meth:`change` takes them.
    """

    def __init__(self, play: PlaySettings, midi: MidiSettings) -> None:
        self._open: dict[int, NoteEvent] = {}  # what sounds, by the decoder's pitch
        self._downs: tuple[PedalEvent, ...] = ()  # pedals that are down
        self._time = 0.0
        self._play, self._midi = play, midi
        self._tune_octave = TuneOctave()
        self._hands, self._pedal = Hands(play.hand_span), Pedal()

    def change(self, play: PlaySettings, midi: MidiSettings) -> list[Event]:
        """Take other settings; return the note-offs and pedals that end for them."""
        ended: list[Event] = []
        if (play.hands, play.hand_span) != (self._play.hands, self._play.hand_span):
            ended += self._end_notes()  # the new hands start without keys
            self._hands = Hands(play.hand_span)
        if play.pedal != self._play.pedal:
            ended += self._lift()
            self._pedal = Pedal()
        self._play, self._midi = play, midi
        return ended

    def push(self, events: Sequence[NoteEvent], now: float | None = None) -> list[Event]:
        """Return what to play for ``events``, which are in time order.

        ``now`` is a time before which no later event lies; the pedal moves between notes by it.
        """
        raised = self._tune_octave.play(events, self._midi.melody_octave is None)
        wanted = [event for event in raised if not event.is_on or self._is_wanted(event)]
        if self._play.hands:
            wanted = self._hands.push(wanted)
        moves: Sequence[Event] = wanted
        if self._play.pedal != "off":
            moves = self._pedal.push(wanted, now)
        self._time = max([self._time, now or 0.0, *(event.time for event in events)])
        return [played for move in moves for played in self._played(move)]

    def release_all(self) -> list[Event]:
        """Return the note-offs of all that sounds, and the pedal up; before a gap or the end."""
        ended = [*self._end_notes(), *self._lift()]
        self._tune_octave.reset()
        self._hands.reset()
        self._pedal.reset()
        return ended

    def _is_wanted(self, event: NoteEvent) -> bool:
        play = self._play
        return not play.mute and play.parts in ("full", event.part)

    def _note(self, event: NoteEvent) -> list[NoteEvent]:
        """Return what is played for one event: nothing, it, or a note-off and a note-on."""
        before = self._open.pop(event.pitch, None)
        ended = [] if before is None else [replace(before, time=event.time, velocity=0)]
        if not event.is_on:
            return ended
        midi = self._midi
        octaves = midi.octave + self._part_octave(event)
        pitch = event.pitch + midi.transpose + 12 * octaves
        if not 0 <= pitch <= 127:
            return ended
        pitch = folded(pitch, midi.lowest_key, midi.highest_key)
        for other, note in list(self._open.items()):
            if note.pitch == pitch:  # of another transposition
                ended.append(replace(self._open.pop(other), time=event.time, velocity=0))
        table = velocity_table(midi.velocity_curve, midi.lowest_velocity, midi.highest_velocity)
        velocity = table[event.velocity]
        channel = self._channel(event)
        played = replace(event, pitch=pitch, velocity=velocity, channel=channel)
        self._open[event.pitch] = played
        return [*ended, played]

    def _part_octave(self, event: NoteEvent) -> int:
        """Return the octaves that a note's part has of its own."""
        if event.part == "melody":
            return self._midi.melody_octave or 0
        return self._midi.left_octave if event.hand == "left" else 0

    def _channel(self, event: NoteEvent) -> int:
        """Return the channel that a note's part and hand are sent to."""
        midi = self._midi
        if event.part == "melody" and midi.melody_channel is not None:
            return midi.melody_channel
        if event.hand == "left" and event.part != "melody" and midi.left_channel is not None:
            return midi.left_channel
        return midi.channel

    def _played(self, event: Event) -> Sequence[Event]:
        """Return what is played for one event; of the pedal, once for every channel."""
        if isinstance(event, NoteEvent):
            return self._note(event)
        if not event.is_down:
            return self._lift(event.time)
        self._downs = tuple(replace(event, channel=c) for c in channels(self._midi))
        return self._downs

    def _lift(self, time: float | None = None) -> list[Event]:
        """Return what lifts the pedals that are down."""
        time = self._time if time is None else time
        lifted: list[Event] = [replace(down, time=time, is_down=False) for down in self._downs]
        self._downs = ()
        return lifted

    def _end_notes(self) -> list[Event]:
        """Return the ends of all that sounds."""
        ended = [
            replace(note, time=max(self._time, note.time), velocity=0)
            for note in self._open.values()
        ]
        self._open.clear()
        return list(ended)


def folded(pitch: int, lowest: int, highest: int) -> int:
    """Return the pitch, moved by octaves into a range that holds one.

    >>> folded(30, 36, 96), folded(60, 36, 96), folded(100, 36, 96)
    (42, 60, 88)
    """
    while pitch < lowest:
        pitch += 12
    while pitch > highest:
        pitch -= 12
    return pitch


def channels(midi: MidiSettings) -> tuple[int, ...]:
    """Return every channel that notes may be sent to.

    >>> channels(MidiSettings(channel=2, melody_channel=1))
    (1, 2)
    """
    used = {midi.channel, midi.melody_channel, midi.left_channel}
    return tuple(sorted(channel for channel in used if channel is not None))
