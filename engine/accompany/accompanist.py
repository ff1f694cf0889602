"""The accompanist as it plays: sixteenth by sixteenth, from what was heard to notes.

Pure: no clock, no sound, chance from a seed alone. The caller says where the step lies and brings
what was heard since the last one. Not here: beat clock, MIDI.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.accompany.chords import CLASS_TONES, NO_CHORD
from engine.accompany.features import COMPARED, PERIODS, expect
from engine.accompany.model import AccompanistModel, Place
from engine.accompany.planning import Plan, choose
from engine.accompany.playing import HELD_SCALE, LENGTHS, velocity_of
from engine.accompany.sampling import SamplingSettings, Step, StepNote, draw
from engine.accompany.step_notes import DONE, Hidden, StepNotes
from engine.accompany.strikes import StrikeModel
from engine.beat.steps.summary import SUMMARY_DIM, summarise
from engine.core.notes import Hand
from models.spec import MIN_PITCH, N_PITCHES

Array = NDArray[np.float32]

HEARD_DIM = 2 * N_PITCHES + SUMMARY_DIM
N_STYLES = 6
KEPT_STEPS = int(PERIODS[-1]) + COMPARED + 16  # of what was heard
MOST_NOTES = 10
LEAST_SAFETY = 0.02
IMPOSSIBLE = -1e9  # in logits
SURE_NOT = 1e-3
MOST_EVIDENCE = 6.5  # for a key or against it, in logits, before it is weighed
BEAT_STEPS = 4
HALF_BEAT_STEPS = 2
BAR_STEPS = 16
TIED_STEPS = 8  # since a key was struck, in which it may be tied
METRE_WEIGHTS = (1.0, 0.0, 0.5, 0.0)  # of a beat's sixteenths
USUAL_OVER = 32  # steps over which the number of notes is led back
USUAL_STYLE: Array = np.repeat(np.array([0, 1], np.float32), N_STYLES)
_N_LENGTHS = len(LENGTHS)
_N_VELOCITIES = 16


class Accompanist:
    """Plays one song.

    Parameters
    ----------
    model
        The graphs, which no other accompanist uses meanwhile.
    settings
        Of sampling.
    seed
        Of every choice.
    style
        (12,) what is asked for: six values in deviations from the usual (notes a step, share of
        steps with any, mean and spread of pitch, velocity, length), and 1 for each that is asked
        for. The usual of each if not given.
    part
        0 without, 1 with the melody.
    strikes
        What a passage says of its steps, for who plays later than it hears.

    Attributes
    ----------
    settings, style
        May be replaced between two steps.
    """

    def __init__(
        self,
        model: AccompanistModel,
        settings: SamplingSettings | None = None,
        seed: int = 0,
        style: Array | None = None,
        part: int = 0,
        strikes: StrikeModel | None = None,
    ) -> None:
        self._model, self.settings = model, settings or SamplingSettings()
        self.style = USUAL_STYLE if style is None else style
        self._part, self._seed, self.strikes = part, seed, strikes
        self.reset()

    def reset(self) -> None:
        """Begin another song, as if newly made."""
        self._model.reset()
        self._rng = np.random.default_rng(self._seed)
        self._heard = np.zeros((0, HEARD_DIM), np.float32)
        self._struck = np.zeros(N_PITCHES, np.float32)  # on the step before
        self._left = np.zeros(N_PITCHES, np.int64)  # steps for which keys are still held
        self._since = np.full(N_PITCHES, KEPT_STEPS)  # steps since keys were struck
        self._plan: Plan | None = None
        self._usual = self.settings.notes_per_step
        self._attacks: deque[bool] = deque(maxlen=BAR_STEPS)  # whether each last step had one

    def let_go(self) -> tuple[int, ...]:
        """Let go all keys, as before a rest; return which were held."""
        held = np.flatnonzero(self._left) + MIN_PITCH
        self._left[:] = 0
        self._struck[:] = 0
        return tuple(held.tolist())

    def hear(self, heard: Array) -> None:
        """Take what was heard on the next steps, (n, 88, 2), as ``gathering`` has it."""
        rows = np.concatenate([heard.reshape(len(heard), -1), summarise(heard)], 1)
        self._heard = np.concatenate([self._heard, rows])[-KEPT_STEPS:]

    def step(self, where: Place, plays: bool = True, struck: Array | None = None) -> Step:
        """Return what is done on a step, ``where.lag`` steps after the newest that was heard.

        One that does not play only listens and plans. ``struck`` (88,) is how likely each key was
        struck on this very step, where that is known; it counts as the settings' evidence says.
        """
        heard, expected = self._known(where.lag)
        chord, bass = self._model.plan(heard, expected, where)
        is_beat = where.place % 4 == 0
        plan = choose(chord, bass, self._plan, is_beat, self.settings.plan)
        released = self._release(plan)
        self._plan = plan
        if not plays:
            return Step(plan, released, ())
        own = np.concatenate([self._struck, np.minimum(self._left / HELD_SCALE, 1)])
        own = own.astype(np.float32)
        hidden = self._hidden(own, plan, *self._for_player(heard, where))
        said = StepNotes(self._model, hidden, plan.row[:-1], self.settings.guidance)
        best = self._best(said, plan, self._bias(plan, struck, where.place), where.place)
        notes = self._tied(best, struck)
        self._keep(notes)
        self._usual += (len(notes) - self._usual) / USUAL_OVER
        self._attacks.append(bool(notes))
        return Step(plan, released, notes)

    def _hidden(self, own: Array, plan: Plan, heard: Array, where: Place) -> Hidden:
        """Return the player's hidden state, and that without plan and sound where it guides."""
        style, part = self.style, self._part
        guided = self._model.play(own, plan.row, heard, style, part, where)
        if not self.settings.guidance:
            return Hidden(guided, None)
        no_plan, silence = np.zeros_like(plan.row), np.zeros_like(heard)
        free = self._model.play(own, no_plan, silence, style, part, where, is_guided=False)
        return Hidden(guided, free)

    def _known(self, lag: int) -> tuple[Array, Array]:
        n = len(self._heard)
        if not n:
            return np.zeros(HEARD_DIM, np.float32), expect(_NOTHING, np.array([lag]), lag)[0]
        summaries = self._heard[:, -SUMMARY_DIM:]
        return self._heard[-1], expect(summaries, np.array([n - 1 + lag]), lag)[0]

    def _for_player(self, heard: Array, where: Place) -> tuple[Array, Place]:
        """Return what the player reads: with newer steps it strikes beside the beats."""
        back = self.settings.player_lag - where.lag
        if back <= 0 or len(self._heard) <= back:
            return heard, where
        return self._heard[-1 - back], replace(where, lag=self.settings.player_lag)

    def _release(self, plan: Plan) -> tuple[int, ...]:
        """Let go what has ended, and what the new chord does not hold."""
        ended = self._left == 1
        self._left = np.maximum(self._left - 1, 0)
        if plan.is_new and plan.chord != NO_CHORD:
            pitches = np.arange(N_PITCHES) + MIN_PITCH
            is_foreign = (self._left > 0) & (CLASS_TONES[plan.chord, pitches % 12] == 0)
            ended |= is_foreign
            self._left[is_foreign] = 0
        return tuple(int(key) + MIN_PITCH for key in np.flatnonzero(ended))

    def _best(self, said: StepNotes, plan: Plan, bias: Array, place: int) -> tuple[StepNote, ...]:
        """Return the best of some candidates, by harmony and steadiness.

        Steadiness is to strike, or not, as a bar ago. Harmony is how likely the notes belong to
        what sounds, in the mean; a rest is neither better nor worse in it than those that play.
        Between half-beats the first one says whether any is struck: the best of several are
        struck more often than each is, and what was struck there once would be in every bar.
        """
        drawn = [self._write(said, bias.copy()) for _ in range(max(self.settings.candidates, 1))]
        if place % HALF_BEAT_STEPS:
            drawn = [notes for notes in drawn if bool(notes) == bool(drawn[0])]
        if len(drawn) == 1:
            return drawn[0]
        safe = np.log(np.maximum(plan.safety, LEAST_SAFETY))
        harmony = [float(np.mean([safe[n.pitch % 12] for n in notes] or np.nan)) for notes in drawn]
        usual = float(np.nanmean(harmony)) if any(drawn) else 0.0
        is_steady = [self._was_struck_a_bar_ago() in (None, bool(notes)) for notes in drawn]
        worth = np.nan_to_num(harmony, nan=usual) + self.settings.steadiness * np.array(is_steady)
        return drawn[int(np.argmax(worth))]

    def _was_struck_a_bar_ago(self) -> bool | None:
        return self._attacks[0] if len(self._attacks) == BAR_STEPS else None

    def _write(self, said: StepNotes, bias: Array) -> tuple[StepNote, ...]:
        keys: tuple[int, ...] = ()
        notes: list[StepNote] = []
        while len(notes) < MOST_NOTES:
            logits = self._give_way(said.next_pitch(keys) + bias, keeps_rest=not notes)
            key = self._draw(logits, self.settings.temperature)
            if key == DONE:
                break
            keys = (*keys, key)
            rest = said.rest(keys)
            length = self._length(rest[:_N_LENGTHS])
            velocities = rest[_N_LENGTHS : _N_LENGTHS + _N_VELOCITIES]
            velocity = self._draw(velocities, self.settings.touch)
            hand: Hand = "right" if rest[-1] > 0 else "left"
            notes.append(
                StepNote(
                    key + MIN_PITCH,
                    int(velocity_of(np.array(velocity))),
                    int(LENGTHS[length]),
                    hand,
                )
            )
            bias[DONE] = -self.settings.fullness
        return tuple(notes)

    def _tied(self, notes: tuple[StepNote, ...], heard: Array | None) -> tuple[StepNote, ...]:
        """Return a step's notes without those that are tied over from before.

        A pianist strikes a chord's other keys and holds what was struck lately; one is struck.
        """
        if heard is None or not self.settings.tie:
            return notes
        is_tied = (self._since <= TIED_STEPS) & (heard < self.settings.tie)
        return tuple(note for note in notes if not is_tied[note.pitch - MIN_PITCH]) or notes[:1]

    def _give_way(self, logits: Array, keeps_rest: bool) -> Array:
        """Return logits (89,) in which keys that were struck lately give way to others.

        Where ``keeps_rest``, a rest stays as likely as it was.
        """
        restrike = self.settings.restrike
        if not restrike:
            return logits
        moved = logits.copy()
        for steps in (BEAT_STEPS, BEAT_STEPS // 2):
            moved[:DONE] -= restrike / 2 * (self._since <= steps)
        if keeps_rest:
            moved[DONE] += np.logaddexp.reduce(moved[:DONE]) - np.logaddexp.reduce(logits[:DONE])
        return moved

    def _bias(self, plan: Plan, heard: Array | None, place: int) -> Array:
        """Return what is added to the logits (89,): safe pitches, heard ones, usual density."""
        s = self.settings
        bias = np.zeros(N_PITCHES + 1, np.float32)
        classes = (np.arange(N_PITCHES) + MIN_PITCH) % 12
        bias[:N_PITCHES] = s.safety * np.log(np.maximum(plan.safety[classes], LEAST_SAFETY))
        safest = np.log(max(float(plan.safety.max()), LEAST_SAFETY))
        bias[:N_PITCHES] -= (s.safety - s.caution) * safest
        bias[:N_PITCHES][plan.safety[classes] < s.least_safety] = IMPOSSIBLE
        if heard is not None and s.evidence:
            worth = _logit(heard) - _logit(s.usual_evidence)
            bias[:N_PITCHES] += s.evidence * np.clip(worth, -MOST_EVIDENCE, MOST_EVIDENCE)
        bias[DONE] = s.density * np.log(max(self._usual, 0.05) / s.notes_per_step)
        bias[DONE] -= s.pulse * METRE_WEIGHTS[place % BEAT_STEPS]
        bias[DONE] += s.calm * (place % HALF_BEAT_STEPS)
        was_struck = self._was_struck_a_bar_ago()
        if was_struck is not None:
            bias[DONE] += -s.habit if was_struck else s.habit
        return bias

    def _draw(self, logits: Array, temperature: float) -> int:
        """Return a choice by temperature, of the likeliest that make up ``top_p``."""
        return draw(logits, temperature, self.settings.top_p, self._rng)

    def _length(self, logits: Array) -> int:
        """Return the class of a note's length."""
        hold = self.settings.hold
        if hold is None:
            return self._draw(logits, self.settings.touch)
        p = np.exp((logits - logits.max()).astype(np.float64))
        return int(np.searchsorted(np.cumsum(p / p.sum()), hold))

    def _keep(self, notes: Sequence[StepNote]) -> None:
        self._struck[:] = 0
        self._since += 1
        for note in notes:
            self._struck[note.pitch - MIN_PITCH] = note.velocity / 127
            self._left[note.pitch - MIN_PITCH] = note.length
            self._since[note.pitch - MIN_PITCH] = 1


def _logit(p: Array | float) -> Array:
    p = np.clip(p, SURE_NOT, 1 - SURE_NOT)
    return np.asarray(np.log(p / (1 - p)), np.float32)


_NOTHING = np.zeros((1, SUMMARY_DIM), np.float32)
