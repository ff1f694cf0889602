import numpy as np
import pytest

from engine.beat.filter import BeatFilter
from engine.beat.filter_settings import FilterSettings
from tests.engine.beat.activations_of import FRAME_S, activations


@pytest.mark.parametrize(
    ("period", "metre"), [(0.3, 4), (0.5, 4), (0.537, 3), (0.81, 4), (1.05, 3)]
)
def test_beat_tempo_and_bar_of_a_click_are_found(period: float, metre: int) -> None:
    beats = np.arange(0.3, 14.0, period)
    beat_filter = BeatFilter(FRAME_S)
    rows = activations(beats, metre, 12.0)
    for beat, downbeat in rows:
        beat_filter.push(beat, downbeat)
    found = beat_filter.estimate()
    position = ((len(rows) - 1) * FRAME_S - beats[0]) / period
    error = (found.phase - position + 0.5) % 1 - 0.5
    assert abs(error) * period < 0.012  # a tick and a half
    assert found.period == pytest.approx(period, rel=0.015)
    assert (found.metre, found.beat_in_bar) == (metre, int(position + error) % metre)
    assert found.confidence > 0.5
    assert found.bar_confidence > 0.8


def test_faint_beats_are_soon_as_sure_as_loud_ones() -> None:
    rows = activations(np.arange(0.3, 5.0, 0.5), 4, 3.0)
    sure = []
    for loudness in (1.0, 0.5):
        beat_filter = BeatFilter(FRAME_S)
        for beat, downbeat in rows * loudness:
            beat_filter.push(beat, downbeat)
        sure.append(beat_filter.estimate().confidence)
    assert sure[1] == pytest.approx(sure[0], abs=0.1)


def test_before_anything_is_heard_nothing_is_sure() -> None:
    beat_filter = BeatFilter(FRAME_S)
    beat_filter.push(0.05, 0.01)
    assert beat_filter.estimate().confidence < 0.1


def test_the_states_stay_a_distribution() -> None:
    rng = np.random.default_rng(0)
    beat_filter = BeatFilter(FRAME_S)
    for beat in rng.uniform(0, 1, 300):
        beat_filter.push(beat, beat * 0.3)
        found = beat_filter.estimate()
        assert 0 <= found.confidence <= 1.0001
        assert 0 <= found.phase < 1
        assert 0 <= found.beat_in_bar < found.metre


def test_what_is_not_heard_changes_no_tempo() -> None:
    beat_filter = BeatFilter(FRAME_S)
    beats = np.arange(0.3, 20.0, 0.5)
    for beat, downbeat in activations(beats, 4, 8.0):
        beat_filter.push(beat, downbeat)
    before = beat_filter.estimate()
    for _ in range(round(2.0 / FRAME_S)):
        beat_filter.push(0.0, 0.0, is_heard=False)
    after = beat_filter.estimate()
    assert after.period == pytest.approx(before.period, rel=0.015)
    error = (after.phase - before.phase - 2.0 / 0.5 + 0.5) % 1 - 0.5
    assert abs(error) < 0.05


def test_a_reset_filter_is_a_new_one() -> None:
    rows = activations(np.arange(0.2, 5.0, 0.4), 4, 4.0)
    beat_filter, found = BeatFilter(FRAME_S, FilterSettings()), []
    for _ in range(2):
        for beat, downbeat in rows:
            beat_filter.push(beat, downbeat)
        found.append(beat_filter.estimate())
        beat_filter.reset()
    assert found[0] == found[1]
