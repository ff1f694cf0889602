"""The cover's player on the beat: the tune as it is heard, an accompaniment as a pianist plays it.

Where a beat is followed, the tune's notes fall on its sixteenths, as far as the latency leaves
time to wait for the late ones, and the accompanist plays under them: by what was heard on each
sixteenth, and as a pianist would go on. Where none is followed, every note is played when and as it
is heard. The accompanist enters on a beat, and leaves where the beat is lost or the music rests.

Times are seconds of the stream. A note is sent by the same latency after its time, whoever plays.
Not here: which notes (``engine.accompany``, ``engine.perform.decoder``).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.accompany.step_writer import STEPS, PlayState, StepWriter
from engine.beat.history import BeatHistory
from engine.core.notes import Event, NoteEvent, Posteriors
from engine.core.settings import DecoderSettings, EngineSettings
from engine.core.tempo import BeatState
from engine.cover.accompanying import Accompanying, play_in_style, two_hands
from engine.cover.hearing import CoverHearing, by_steps, for_the_tune
from engine.cover.key_owners import KeyOwners, SourcedEvent
from engine.cover.passage import PassageReader, TuneJudge
from engine.cover.pending import MOST_MOVED_S, PendingNotes
from engine.cover.style import style_pace
from engine.model.pipeline import Pipeline
from engine.perform.decoder import NoteDecoder
from engine.perform.performer import Performer
from engine.perform.restrikes import RestrikeRule
from engine.perform.touch import Touch
from engine.perform.tune.intonation import Intonation
from engine.perform.tune.register import TuneRegister
from models.spec import MIN_PITCH, N_PITCHES, Decoding

Array = NDArray[np.float32]

KNOWN_FRAMES = 0.5  # from an event to the newest frame, where all events before it are known
SHORTEST_STEP_S = 0.1  # where sixteenths are shorter, notes fall on eighths
MELODY_SHARE = 0.5  # of the model's threshold: the rest is the accompanist's
READ_MELODY_SHARE = 0.1  # where the passage is read, which tells what of that is none
LEAST_READ_S = 0.4  # of time to wait, from which on most steps are read
LEFT_RATIO = 5 / 3  # of that, from which on the accompanist leaves a key to the tune
SLUR_SPACING_S = 0.1  # after an attack the tune begins a note without one
SETTLED_S = 0.1  # after an onset a voice has settled; for as long it is heard then
OCTAVE, OVERTONE = 12, 0.2  # share of an attack's probability, of what only sounds with it
RELEASE = 0.35  # of its highest probability of sounding: below it a note of the tune ends
RESTRIKE_RATIO = 2.5  # of the model's threshold
RULE = RestrikeRule(-1.25)  # beside that: what is hardly a new note is none
VOICING = 0.94  # loudness of an accompaniment under a tune
READ_EVIDENCE = 4.0  # how much it counts what the passage around a step says, and beside it
READ_PULSE = 1.0  # the pulse, as ``SamplingSettings`` has both
USUAL_READ = 0.17  # what, read, speaks neither for nor against a key
LEFT_READ = 0.4  # from which on the accompanist leaves a key to the tune
EVIDENCE_SHARE = 0.35  # of the threshold of an onset: what speaks neither for nor against a key


class BeatCoverPlayer:
    """Plays a cover on the beat.

    Parameters
    ----------
    pipeline
        Whose posteriors come, in the style that is asked for.
    settings
        Of decoder, performance and density.
    parts
        What it is made with; the follower is the pipeline's tap.
    """

    def __init__(self, pipeline: Pipeline, settings: EngineSettings, parts: Accompanying) -> None:
        spec = pipeline.spec
        self.piece_samples: int | None = spec.features.hop_length
        self._pipeline, self._parts, self._settings = pipeline, parts, settings
        pipeline.heard_style = None
        frame_s = self._frame_s = spec.features.frame_s
        least = pipeline.model.least_spec.lookahead_frames
        self._beat_delay = spec.features.half_window_s + least * frame_s
        self._reads = False  # whether the passage around most steps will be known
        self._decoder = NoteDecoder(frame_s, self._decoding, SLUR_SPACING_S, RELEASE, RULE)
        self._intonation, self._touch = Intonation(frame_s), Touch()
        self._hearing = CoverHearing(frame_s, parts.follower.sound)
        self._beat = BeatHistory(parts.follower.clock)
        self._writer = StepWriter(
            parts.accompanist,
            self._beat,
            self._hearing.notes,
            lead=0.0,
            hearing=0.0,
            waits=True,
            listen_bars=0,
        )
        self._writer.struck, self._writer.loudness = self._struck, lambda: VOICING
        self._performer = Performer(two_hands(settings.play), settings.midi)
        self._heard = parts.accompanist.settings
        strikes = parts.accompanist.strikes
        self._passage = strikes and PassageReader(strikes, self._writer, self._hearing)
        self._pending = PendingNotes(
            self._writer.time_of,
            self._step_of,
            self._is_note,
            lambda: self._decoder.settings.minimum_note,
            self._is_rather,
        )
        self._owners = KeyOwners()
        self._register, self._strays = TuneRegister(), set[int]()
        self._judge = TuneJudge()
        self._due = 0.0  # the time up to which all is played, or is now
        self._is_idle = False  # no frame is pending and no note sounds
        self._style: Array | None = None
        self.change(settings)

    @property
    def _decoding(self) -> DecoderSettings:
        spec = self._pipeline.spec
        share = READ_MELODY_SHARE if self._reads else MELODY_SHARE
        return self._settings.decoder.resolved(on_beat(spec.decoding, share))

    def change(self, settings: EngineSettings) -> Sequence[Event]:
        """Take other settings; return the note-offs for them."""
        self._settings = settings
        reserve = self._parts.reserve(settings)
        self._reads = self._passage is not None and reserve >= LEAST_READ_S
        self._decoder.change(self._decoding)
        self._wait = KNOWN_FRAMES * self._frame_s + reserve
        self._style = None
        return self._performer.change(two_hands(settings.play), settings.midi)

    def push(self, samples: Array, heard: Posteriors, now: float) -> Sequence[Event]:
        """Return the events that are due, in time order."""
        del samples
        self._hear_beat(now, self._due)
        if not len(heard):
            return ()
        self._is_idle = False
        self._take_style()
        return [event for rows in by_steps(heard) for event in self._hear(rows, now)]

    def _hear(self, heard: Posteriors, now: float) -> list[Event]:
        """Return what is due once the next posteriors are known."""
        self._hearing.push(heard)
        newest = float(heard.frames[-1]) * self._frame_s
        self._know(newest, self._wait, now)
        self._take(self._intonation.play(heard, self._decoder.push(for_the_tune(heard))))
        return self._play()

    def skip(self, pending: Posteriors, now: float) -> Sequence[Event]:
        """At the start of a gap pending frames are played and all notes end."""
        return () if self._is_idle else self.finish(pending, now)

    def finish(self, pending: Posteriors, now: float) -> Sequence[Event]:
        """Play all that was heard; return the last events and the end of all notes."""
        if self._passage:
            self._passage.is_over = True
        events = [*self.push(np.zeros(0, np.float32), pending, now)]
        self._take(self._intonation.end(self._decoder.flush()))
        self._know(self._hearing.until, 0.0, now)
        events += [*self._play(), *self.end()]
        if self._passage:
            self._passage.is_over = False
        return events

    def end(self) -> Sequence[Event]:
        """Return the note-offs of all notes; what was not played yet is not."""
        self._is_idle = True
        self._intonation.end(self._decoder.flush())
        self._pending.clear()
        self._register, self._strays = TuneRegister(), set()
        self._judge = TuneJudge()
        self._owners.clear()
        self._writer.rest(self._due)
        return self._performer.release_all()

    def _take_style(self) -> None:
        """Let decoder and accompanist play in the style that is asked for."""
        style, spec = self._pipeline.style, self._pipeline.spec
        if self._style is not style:
            self._style = style
            self._decoder.pace = style_pace(style, spec)
            play_in_style(self._parts.accompanist, style, spec, self._settings)

    def _struck(self, begin: float, end: float) -> Array | None:
        """Return how likely each key (88,) was struck on a step, but not by the tune."""
        step = round(self._beat.position(begin) * STEPS)
        if step % self._grain:
            return np.zeros(N_PITCHES, np.float32)
        read = self._passage and self._passage.on_step(step)
        if read:
            self._weigh(READ_EVIDENCE, USUAL_READ, READ_PULSE)
            return np.where(read.tune < LEFT_READ, read.accompaniment, 0)
        usual = EVIDENCE_SHARE * self._decoder.threshold
        self._weigh(self._heard.evidence, usual, self._heard.pulse)
        assert self._decoder.settings.melody_threshold is not None
        left = LEFT_RATIO * self._decoder.settings.melody_threshold
        return self._hearing.but_the_tune(begin, begin + self._grain * (end - begin), left)

    def _weigh(self, evidence: float, usual: float, pulse: float) -> None:
        """Let evidence count so much, nothing where it is as likely as ``usual``; and the pulse."""
        accompanist = self._parts.accompanist
        accompanist.settings = replace(
            accompanist.settings, evidence=evidence, usual_evidence=usual, pulse=pulse
        )

    def _take(self, notes: Sequence[NoteEvent]) -> None:
        """Keep notes until they are due."""
        for event in self._touch.play(notes):
            if not self._is_stray(event):
                self._pending.add(event, self._due)

    @property
    def _grain(self) -> int:
        """Steps from one on which notes fall to the next."""
        return 1 if self._beat.period >= SHORTEST_STEP_S * STEPS else 2

    def _is_stray(self, event: NoteEvent) -> bool:
        """Return whether an event is of an overtone that was taken for a note of the tune."""
        if event.is_on and event.part == "melody" and not self._register.admits(event.pitch):
            self._strays.add(event.pitch)
        elif event.is_on:
            self._strays.discard(event.pitch)
        return event.pitch in self._strays

    def _step_of(self, event: NoteEvent) -> int | None:
        """Return the step to which a note is moved; None where it stays."""
        if self._beat.state is BeatState.LOST:
            return None
        step = self._nearest(event.time)
        return step if abs(self._writer.time_of(step) - event.time) <= MOST_MOVED_S else None

    def _nearest(self, time: float) -> int:
        return self._grain * round(self._beat.position(time) * STEPS / self._grain)

    def _is_note(self, event: NoteEvent) -> bool:
        """Return whether a note-on is one: of the tune, if the passage around it says so."""
        if not self._passage or event.part != "melody" or self._beat.state is BeatState.LOST:
            return True
        step = self._nearest(event.time)
        read = self._passage.on_step(step)
        if read is None:
            return True
        before = self._passage.on_step(step - self._grain)
        return self._judge.is_note(event.pitch - MIN_PITCH, read, before)

    def _is_rather(self, event: NoteEvent, other: NoteEvent) -> bool:
        """Return whether the first of two notes of the tune is sung and not the other.

        Of an octave, by their attacks; of a semitone, by what is sung after both.
        """
        if abs(event.pitch - other.pitch) == OCTAVE:
            struck, also = (
                self._hearing.struck(e.pitch - MIN_PITCH, e.time) for e in (event, other)
            )
            return also < OVERTONE * struck
        latest = max(event.time, other.time)
        begin = max(latest, min(latest + SETTLED_S, self._hearing.until - SETTLED_S))
        first, second = (
            self._hearing.sung(e.pitch - MIN_PITCH, begin, begin + SETTLED_S)
            for e in (event, other)
        )
        return first > second

    def _know(self, newest: float, wait: float, now: float) -> None:
        """Take that frames are known up to ``newest``, and what is due so long before."""
        due = self._due = max(self._due, newest - wait)
        self._hear_beat(now, due)
        self._writer.hearing = due - newest

    def _hear_beat(self, now: float, due: float) -> None:
        """Take where the beat is: it is heard before the notes are, by what the model waits for."""
        self._beat.hear(max(now - self._beat_delay, due), due)

    def _play(self) -> list[Event]:
        """Play all that is due, in time order."""
        due = self._due
        events: list[SourcedEvent] = [("accompanist", event) for event in self._writer.tick(due)]
        is_on_beat = self._writer.state is PlayState.PLAYING
        for event in self._pending.due(due):
            if event.part == "melody":
                events.append(("melody", event))
            elif not (is_on_beat and event.is_on):
                events.append(("free", event))
        events.sort(key=lambda item: (item[1].time, item[1].is_on, item[0] != "melody"))
        return self._performer.push(self._owners.play(events), due)


def on_beat(decoding: Decoding, melody_share: float = MELODY_SHARE) -> Decoding:
    """Return the thresholds with which the tune is decoded on the beat.

    More belongs to it, since the rest is the accompanist's; and it strikes keys again less.
    ``melody_share`` is of the model's threshold.
    """
    return replace(
        decoding,
        melody_threshold=melody_share * decoding.melody_threshold,
        restrike_threshold=min(RESTRIKE_RATIO * decoding.restrike_threshold, 1.0),
    )
