import numpy as np
import pytest

from engine.beat.clock import BeatClock
from engine.beat.estimate import BeatEstimate
from offline_train.evaluation.beats import BeatPredictor, KnownBeats, PredictedBeats, score_beats

PERIOD = 0.5


def test_each_beat_is_told_once_and_ahead() -> None:
    clock = BeatClock()
    predictor, asked = BeatPredictor(clock, ahead=0.1), []
    for k in range(500):
        time = k * 0.032
        position = time / PERIOD
        found = BeatEstimate(0, position % 1, PERIOD, int(position) % 4, 4, 0.9, 0.9)
        clock.update(found, time, time + 0.08, True)
        before = len(predictor.beats().beats)
        predictor.update(time + 0.08)
        asked += [time + 0.08] * (len(predictor.beats().beats) - before)
    predicted = predictor.beats()
    assert predicted.lock_s is not None and predicted.lock_s < 3.0
    assert np.diff(predicted.beats) == pytest.approx(PERIOD)
    ahead = predicted.beats - np.array(asked)
    assert ahead[1:].min() > 0.06 and ahead.max() <= 0.1
    assert np.diff(predicted.downbeats) == pytest.approx(4 * PERIOD)
    true = np.arange(0.0, 16.5, PERIOD)
    score = score_beats(KnownBeats("x", np.zeros(0, np.float32), true, true[::4]), predicted)
    assert score.beat == pytest.approx(1.0, abs=0.03)
    assert score.downbeat == pytest.approx(1.0, abs=0.15)
    assert score.is_right_level


def test_behind_the_last_true_beat_nothing_is_known() -> None:
    true = np.arange(0.0, 20.25, PERIOD)
    later = np.arange(true[-1] + PERIOD, 30.0, PERIOD)
    song = KnownBeats("x", np.zeros(0, np.float32), true, true[::4])
    score = score_beats(song, PredictedBeats(np.append(true, later), true[::4], 1.0))
    assert score.beat == score.downbeat == 1.0
    wrong = np.append(true, true[-1] + 0.2)  # as long as the last beat lasts, it is
    assert score_beats(song, PredictedBeats(wrong, true[::4], 1.0)).beat < 1.0
