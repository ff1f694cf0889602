"""How a song is tuned, found from its partials, and made good frame by frame."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.model.frontend import FrontEnd, Retuner
from engine.model.pipeline import Pipeline, load_pipeline
from engine.signal.tuning import TuningEstimator, cents_of
from models import shipped
from models.spec import STYLE_DIM

Array = NDArray[np.float32]
RATE = 16000
WHITE_SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def song(cents: float, pitches: tuple[int, ...] = WHITE_SCALE, seconds: float = 8.0) -> Array:
    """A scale over a fifth, four notes a second with five partials each."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(time))
    for k in range(round(4 * seconds)):
        part = slice(k * RATE // 4, (k + 1) * RATE // 4)
        t = time[part] - time[part.start]
        for pitch in (pitches[k % 8], pitches[0] - 12, pitches[4] - 12):
            hertz = 440 * 2 ** ((pitch - 69) / 12 + cents / 1200)
            sound[part] += sum(
                np.sin(2 * np.pi * hertz * n * t) / n * np.exp(-3 * t) for n in range(1, 6)
            )
    return (0.1 * sound).astype(np.float32)


def estimated(sound: Array, block_size: int = 10**9) -> float:
    estimator = TuningEstimator(RATE)
    for start in range(0, len(sound), block_size):
        for piece in estimator.pieces(sound[start : start + block_size]):
            estimator.push(piece)
    return estimator.cents


@pytest.mark.parametrize("cents", [-49, -44, -32, -20, -10, 10, 20, 32, 44, 49])
def test_a_tuning_is_found_within_five_cents(cents: float) -> None:
    assert estimated(song(cents)) == pytest.approx(cents, abs=5)


@pytest.mark.parametrize("cents", [-5, 0, 5])
def test_a_song_in_tune_is_left_alone(cents: float) -> None:
    assert estimated(song(cents)) == 0.0


def test_a_quarter_tone_off_is_taken_as_more_white_keys_have_it() -> None:
    assert estimated(song(50)) == pytest.approx(50, abs=5)
    assert estimated(song(-50)) == pytest.approx(-50, abs=5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_and_silence_have_no_tuning(seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(8 * RATE).astype(np.float32)
    assert estimated(0.1 * noise) == 0.0
    assert estimated(np.zeros(8 * RATE, np.float32)) == 0.0


@pytest.mark.parametrize("block_size", [1001, 4096, 44100])
def test_blocks_of_any_length_give_the_same(block_size: int) -> None:
    sound = song(-32, seconds=4.0)
    assert estimated(sound, block_size) == estimated(sound)


def test_another_song_is_followed() -> None:
    assert estimated(np.concatenate([song(-30), song(25, seconds=40.0)])) == pytest.approx(
        25, abs=4
    )


def frames(frontend: FrontEnd, sound: Array) -> Array:
    frontend.reset()
    return np.concatenate([frontend.push(sound)[1], frontend.flush()[1]])


@pytest.mark.parametrize("cents", [-50.0, -32.0, 32.0, 50.0])
def test_a_retuned_frame_is_that_of_the_song_in_tune(cents: float) -> None:
    frontend = load_pipeline(shipped.path() / "live.onnx").frontend
    expected = frames(frontend, song(0.0))
    raw = np.abs(frames(frontend, song(cents)) - expected)
    frontend.cents = cents
    retuned = np.abs(frames(frontend, song(cents)) - expected)
    loud = expected > 1  # where partials are, not in the noise between them
    assert 3 * retuned[loud].mean() < raw[loud].mean()


def test_a_frame_keeps_its_centre() -> None:
    click = np.zeros(2048, np.float32)
    click[1024] = 1.0
    for cents in (-200.0, -32.0, 32.0, 200.0):
        assert int(np.argmax(np.abs(Retuner(2048, cents)(click)))) == 1024


@pytest.fixture
def pipeline() -> Pipeline:
    return load_pipeline("live", style=np.zeros(STYLE_DIM, np.float32))


def test_a_given_tuning_counts_at_once_and_is_not_estimated(pipeline: Pipeline) -> None:
    pipeline.tuning = 415.0
    assert pipeline.cents == pytest.approx(cents_of(415.0))
    pipeline.push(song(30))
    assert pipeline.cents == pytest.approx(cents_of(415.0))
    pipeline.tuning = None
    assert pipeline.cents == 0.0


def test_a_primed_song_is_in_tune_from_its_first_frame(pipeline: Pipeline) -> None:
    sound = song(-32)
    pipeline.prime(sound)
    assert pipeline.cents == pytest.approx(-32, abs=5)
    pipeline.push(sound[:RATE])
    assert pipeline.cents == pytest.approx(-32, abs=5)
    pipeline.flush()
    assert pipeline.cents == 0.0


@pytest.mark.parametrize("block_size", [997, 4096, 10**9])
def test_streams_of_any_block_size_hear_the_same_while_the_tuning_changes(
    pipeline: Pipeline, block_size: int
) -> None:
    sound = np.concatenate([song(0, seconds=3.0), song(-40, seconds=5.0)])
    found = [
        pipeline.push(sound[start : start + block_size])
        for start in range(0, len(sound), block_size)
    ]
    onset = np.concatenate([posteriors.onset for posteriors in [*found, pipeline.flush()]])
    pipeline.reset()
    expected = [pipeline.push(sound[n : n + 256]) for n in range(0, len(sound), 256)]
    whole = np.concatenate([posteriors.onset for posteriors in [*expected, pipeline.flush()]])
    np.testing.assert_allclose(onset, whole, atol=1e-4)  # as any stream: sums in another order


def test_a_song_between_two_tunings_stays_where_it_was_taken_to_be() -> None:
    def heard(n_white: int) -> TuningEstimator:
        estimator = TuningEstimator(RATE)
        estimator._histogram[:] = 0.0
        places = np.arange(12) * 50  # semitones of A and up, were it 50 cents flat: none off
        estimator._histogram[places[:n_white]] = 1.0
        return estimator

    estimator = heard(12)
    for before in (-48.0, 52.0):
        estimator.cents = before
        assert estimator._nearest(-46.0) == pytest.approx(-46.0 if before < 0 else 54.0)
    estimator = heard(1)  # A alone, a white key; a semitone below it is a black one
    estimator.cents = 52.0
    assert estimator._nearest(-48.0) == -48.0
