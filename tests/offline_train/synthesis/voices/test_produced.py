"""Leads as records have them: in tune and in time after all that is done to a voice."""

import numpy as np
import pytest

from offline_train.corpora import Note
from offline_train.synthesis.voices import voice as voice_module
from offline_train.synthesis.voices.manners import SHARES, draw_pop_singer
from offline_train.synthesis.voices.produced import process, sing_behind, sing_lead
from offline_train.synthesis.voices.singing import Singer, draw_singer, plan_line
from offline_train.synthesis.voices.syllables import FRAME, SAMPLE_RATE
from offline_train.synthesis.voices.voices import TRAIN_VOICES
from tests.offline_train.synthesis.voices.test_voice import MELODY, made_bank, share_in_tune

pytest.importorskip("pyworld", exc_type=ImportError)

VOICE = TRAIN_VOICES[0]


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any voice speaks with the bank made in the tests."""
    monkeypatch.setattr(voice_module, "load_bank", lambda voice: made_bank())


def test_manners_differ_and_are_all_drawn() -> None:
    rng = np.random.default_rng(0)
    singers = [draw_pop_singer(VOICE, rng) for _ in range(300)]
    assert sum(SHARES.values()) == pytest.approx(1.0)
    for is_so in (
        [s.is_tuned for s in singers],
        [s.effort > 0 for s in singers],
        [s.effort < 0 for s in singers],
        [s.scoop_cents[1] > 250 for s in singers],
    ):
        assert 0.08 < np.mean(is_so) < 0.3
    assert all(s.vibrato_cents < 50 for s in singers)


def test_a_tuned_singer_stays_on_the_pitch() -> None:
    rng = np.random.default_rng(3)
    singer = next(s for s in iter(lambda: draw_pop_singer(VOICE, rng), None) if s.is_tuned)
    free = draw_singer(VOICE, np.random.default_rng(0))

    def off(who: Singer) -> float:
        plan = plan_line(MELODY, 1001, made_bank(), who, np.random.default_rng(0))
        body = slice(int(0.55 / FRAME), int(0.7 / FRAME))
        return float(np.abs(plan.cents[body] - 6000).max())

    assert off(singer) < 1.0 < off(free)


@pytest.mark.parametrize("seed", range(6))
def test_a_lead_is_in_tune_and_in_time(seed: int) -> None:
    sound = sing_lead(MELODY, 5.0, np.random.default_rng(seed), [VOICE])
    assert sound.shape == (80_000,) and sound.dtype == np.float32 and np.isfinite(sound).all()
    assert share_in_tune(sound, MELODY) > 0.7  # a double an octave off, a slide, an echo
    assert np.array_equal(sound, sing_lead(MELODY, 5.0, np.random.default_rng(seed), [VOICE]))


def test_a_click_stays_where_it_is() -> None:
    click = np.zeros(8000, np.float32)
    click[4000:4016] = 0.5
    for seed in range(8):
        out = process(click, np.random.default_rng(seed))
        assert out.shape == click.shape
        assert abs(int(np.abs(out).argmax()) - 4008) < 32


def test_a_choir_sings_what_is_in_its_range() -> None:
    chord = [Note(0.5, 2.0, pitch, 80) for pitch in (36, 55, 59, 62, 90)]
    sound, notes = sing_behind(chord, 2.5, np.random.default_rng(0), [VOICE])
    assert [note.pitch for note in notes] == [55, 59, 62]
    assert np.abs(sound[SAMPLE_RATE : SAMPLE_RATE + 8000]).max() > 0.01
