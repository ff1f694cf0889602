"""Note decoding: posteriors to note events, by onset peaks and hysteresis of frames.

Pure. Shapes: n frames, 88 pitches. Row k of the posteriors is centred on ``k * frame_s`` seconds;
it is decided when row k + 1 is there. An onset of it lies within half a frame, an end too or a
little before; events leave in time order across pushes. Not here: when a note is played
(``engine.midi.scheduler``).
"""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import NoteEvent, Part, Posteriors
from engine.core.settings import DecoderSettings
from engine.perform.peaks import peak_offset
from engine.perform.restrikes import RestrikeJudge, RestrikeRule
from engine.perform.thresholds import OnsetThresholds
from engine.perform.tune.share import TuneShare, one_voice
from engine.perform.tune.slurs import SlurDetector
from engine.perform.voices import Onset, Voices
from models.spec import N_PITCHES, Decoding

__all__ = ["DecoderSettings", "NoteDecoder"]

Row = NDArray[np.float32]  # (88,)
Mask = NDArray[np.bool_]  # (88,)

TOGETHER_S = 0.02
"""Seconds within which keys are struck as one."""
SLUR_VELOCITY = 80
"""Of a slurred note before which the tune had none; others are as loud as the tune's last."""
SLUR_GAP_S = 0.18
"""Seconds from the last stroke of a key in which nothing but another attack strikes it again."""


class NoteDecoder:
    """Turns posteriors into note events, a few frames at a time or all at once, with one result.

    A note starts at an onset peak, a row above the one before and not below the one after, that is
    high enough (``thresholds``); the tune's may begin without an attack (``slurs``). It ends as
    ``voices`` says; only a re-strike, a theft or a gap's far side may cut it shorter.

    Parameters
    ----------
    frame_s
        Seconds from one frame to the next.
    settings
        Thresholds that are None take the defaults of :class:`models.spec.Decoding`.
    slur_spacing
        Seconds after an attack in which nothing but another attack begins a note.
    release
        Share of its highest frame probability below which a note ends, however likely it still is.
    restrikes
        What strikes a key again, beside the settings' threshold; None: that alone.
    wait_frames
        Frames that events may wait for, so that ends are dated back.
    tune
        Says what share of an onset's threshold is enough for the tune's key; None: all of it.
    """

    lookahead_frames = 1
    """Frames it waits for to confirm a peak."""

    def __init__(
        self,
        frame_s: float,
        settings: DecoderSettings | None = None,
        slur_spacing: float = 0.0,
        release: float = 0.0,
        restrikes: RestrikeRule | None = None,
        wait_frames: int = 0,
        tune: TuneShare | None = None,
    ) -> None:
        self.frame_s, self._slur_spacing, self._release = frame_s, slur_spacing, release
        self._judge = None if restrikes is None else RestrikeJudge(restrikes)
        self._slurs = SlurDetector()
        settings = (settings or DecoderSettings()).resolved(Decoding())
        self._voices = Voices(frame_s, settings, release)
        self._voices.wait_frames = wait_frames
        self._thresholds = OnsetThresholds(frame_s, settings, tune)
        self._take(settings)
        self.reset()

    def change(self, settings: DecoderSettings) -> None:
        """Go on with other settings; thresholds that are None are the defaults."""
        self._take(settings.resolved(Decoding()))

    def _take(self, settings: DecoderSettings) -> None:
        assert settings.melody_threshold is not None and settings.frame_off_threshold is not None
        self.settings = self._voices.settings = settings
        self._frame_off, self._melody = settings.frame_off_threshold, settings.melody_threshold
        self._thresholds.change(settings, self._voices.notes)

    def reset(self) -> None:
        """Begin a new stream; sounding notes are dropped without note-offs."""
        self._voices.reset()
        self._last_on: NDArray[np.float64] = np.full(N_PITCHES, -np.inf)
        self._tune_velocity = SLUR_VELOCITY
        self._thresholds.reset()
        self._not_before = -np.inf  # seconds; the last end that a gap or flush forced
        self._waiting: list[NoteEvent] = []
        self._last_time = -np.inf  # of what left
        self._forget_rows()

    def _forget_rows(self) -> None:
        """Make the next row the first after a gap, which counts as silence."""
        silence: Row = np.zeros(N_PITCHES, dtype=np.float32)
        self._index: int | None = None  # frame index of the row that waits for its right neighbour
        self._left: Row = silence
        self._peak: Row = silence
        self._frame: Row = silence
        self._velocity: Row = silence
        self._is_melody: Mask | None = None
        self._is_voice: Mask | None = None
        self._slurs.reset()
        self._voices.forget_rows()
        if not self._voices.notes:
            self._thresholds.release_all()
        if self._judge is not None:
            self._judge.reset()

    @property
    def threshold(self) -> float:
        """Least probability of an onset, as it follows the song."""
        return self._thresholds.onset

    @property
    def pace(self) -> float:
        """Notes that the style asks for, for each that the balanced style does."""
        return self._thresholds.pace

    @pace.setter
    def pace(self, pace: float) -> None:
        self._thresholds.pace = pace

    @property
    def wait_frames(self) -> int:
        """Frames that events wait for, so that ends are dated back; 0 where none is."""
        return self._voices.wait_frames

    @wait_frames.setter
    def wait_frames(self, wait_frames: int) -> None:
        self._voices.wait_frames = wait_frames

    def push(self, posteriors: Posteriors) -> list[NoteEvent]:
        """Return the events that ``posteriors`` (n rows) decide, in time order.

        A jump in the frame indices ends every sounding note.
        """
        self._waiting += self._decided(posteriors)
        if self._index is None or not self.wait_frames:
            return self._leave(len(self._waiting))
        self._waiting.sort(key=_order)
        settled = (self._index - self.wait_frames) * self.frame_s  # no end will be before
        return self._leave(bisect_right(self._waiting, settled, key=lambda event: event.time))

    def _leave(self, n: int) -> list[NoteEvent]:
        """Return the first n of what waits, which leave."""
        events, self._waiting = self._waiting[:n], self._waiting[n:]
        if events:
            self._last_time = events[-1].time
        return events

    def _decided(self, posteriors: Posteriors) -> list[NoteEvent]:
        """Return the events that rows decide."""
        events: list[NoteEvent] = []
        onset, frame = np.nan_to_num(posteriors.onset), np.nan_to_num(posteriors.frame)
        velocity = np.nan_to_num(posteriors.velocity)
        melody = None if posteriors.melody is None else np.nan_to_num(posteriors.melody)
        for i, index in enumerate(posteriors.frames.tolist()):
            if self._index is not None and index != self._index + 1:
                assert index > self._index, "frame indices must rise"
                events += self._end_all()
            slurred = None
            if melody is not None:
                slurred = self._slurs.push(frame[i], melody[i], self.threshold)
            if self._index is not None:
                events += self._decide(onset[i], slurred)
            self._index = index
            self._voices.push(frame[i])
            self._left, self._peak, self._frame = self._peak, onset[i], frame[i]
            self._velocity = velocity[i]
            self._is_melody = self._is_voice = None
            if melody is not None:
                self._is_melody = melody[i] >= self._melody
                self._is_voice = self._is_melody & one_voice(frame[i] * melody[i])
        return events

    def flush(self) -> list[NoteEvent]:
        """Return what waits and the ends of all sounding notes; the next push is after a gap."""
        self._waiting = sorted(self._waiting + self._end_all(), key=_order)
        return self._leave(len(self._waiting))

    def _end_all(self) -> list[NoteEvent]:
        """Return the last row's ends, then those of every note, one frame later."""
        if self._index is None:
            return []
        events = self._decide(None)
        end = (self._index + 1) * self.frame_s
        for pitch, note in list(self._voices.notes.items()):
            time = max(end, note.time + self.settings.minimum_note)
            events.append(self._end(pitch, time))
            self._not_before = max(self._not_before, time)
        self._forget_rows()
        return sorted(events, key=_order)

    def _decide(self, right: Row | None, slurred: Mask | None = None) -> list[NoteEvent]:
        """Return the waiting row's events; without a right neighbour it starts no note."""
        events: list[NoteEvent] = []
        ends = self._ending()
        onsets = [] if right is None else self._onsets(right, slurred)
        started: set[int] = set()
        # Repeated notes first: they need no voice, and their note must not be stolen before.
        onsets.sort(
            key=lambda onset: (onset.pitch in self._voices.notes, *onset.rank), reverse=True
        )
        for onset in onsets:
            victim = onset.pitch if onset.pitch in self._voices.notes else None
            if victim is None and len(self._voices.notes) >= self.settings.polyphony:
                victim = self._voices.victim(onset, started, ends)
                if victim is None:
                    continue
            if victim is not None:
                events.append(self._end(victim, min(onset.time, ends.pop(victim, onset.time))))
            events.append(self._start(onset))
            started.add(onset.pitch)
        events += [self._end(pitch, time) for pitch, time in ends.items()]
        events.sort(key=_order)
        if events:
            self._last_time = max(self._last_time, events[-1].time)
        return events

    def _ending(self) -> dict[int, float]:
        """Return {pitch: end time} of the notes that the waiting row ends."""
        assert self._index is not None
        factor = self._thresholds.factor
        if self._release:  # a key that was let go and is still heard is struck like a held one
            is_over = self._frame < self._frame_off * factor
            is_over[list(self._voices.notes)] = False
            self._thresholds.release(is_over)
        return self._voices.ending(self._index, self._frame, factor, self._last_time)

    def _onsets(self, right: Row, slurred: Mask | None) -> list[Onset]:
        """Return the waiting row's peaks that are high enough and not too near the last one.

        And what is slurred there, if its key does not sound and was not struck just before.
        """
        assert self._index is not None
        left, peak = self._left, self._peak
        is_peak = (peak > left) & (peak >= right)
        if self._judge is not None:
            is_old = self._index * self.frame_s - self._last_on > self._judge.rule.within
            is_peak &= is_old | self._judge.is_new(self._frame, left, peak, right)
        is_slur = np.zeros_like(is_peak) if slurred is None else self._new(slurred)
        is_peak = self._thresholds.reached(peak, is_peak, self._is_voice, self._frame)
        onsets: list[Onset] = []
        for pitch in np.flatnonzero(is_peak | is_slur).tolist():
            velocity = min(127, max(1, round(127 * float(self._velocity[pitch]))))
            offset = peak_offset(float(left[pitch]), float(peak[pitch]), float(right[pitch]))
            if not is_peak[pitch]:
                offset, velocity = 0.0, self._tune_velocity
            time = max(0.0, (self._index + offset) * self.frame_s)
            gap = time - float(self._last_on[pitch])
            if gap <= 0.0 or gap < self.settings.minimum_gap or time < self._not_before:
                continue
            is_melody = self._is_melody is not None and bool(self._is_melody[pitch])
            part: Part = "melody" if is_melody or is_slur[pitch] else "accompaniment"
            onsets.append(Onset(time, pitch, velocity, part))
        return onsets

    def _new(self, slurred: Mask) -> Mask:
        """Return the slurred keys (88,) that do not sound and were not struck just before."""
        assert self._index is not None
        now = self._index * self.frame_s
        if TOGETHER_S < now - float(self._last_on.max()) < self._slur_spacing:
            return np.zeros_like(slurred)
        is_new: Mask = slurred & (self._last_on < now - SLUR_GAP_S)
        is_new[list(self._voices.notes)] = False
        return is_new

    def _start(self, onset: Onset) -> NoteEvent:
        """Return the note-on, and keep the note."""
        self._last_on[onset.pitch] = onset.time
        if onset.part == "melody":
            self._tune_velocity = onset.velocity
        self._thresholds.strike(onset.pitch)
        return self._voices.start(onset, float(self._frame[onset.pitch]))

    def _end(self, pitch: int, time: float) -> NoteEvent:
        """Return the note-off, and forget the note."""
        if not self._release:
            self._thresholds.release(pitch)
        return self._voices.end(pitch, time)


def _order(event: NoteEvent) -> tuple[float, bool, int]:
    """Sort by time, note-offs first."""
    return event.time, event.is_on, event.pitch
