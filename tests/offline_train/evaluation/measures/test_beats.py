import numpy as np
import pytest

from offline_train.evaluation.measures.beats import (
    BeatScore,
    beat_table,
    distances,
    f_measure,
    level,
)

TRUE = np.arange(0.5, 30.0, 0.5)


def test_beats_near_enough_are_found_and_the_first_seconds_do_not_count() -> None:
    assert f_measure(TRUE, TRUE + 0.06) == pytest.approx(1.0, abs=0.02)
    assert f_measure(TRUE, TRUE + 0.08) == 0.0
    assert f_measure(TRUE, TRUE[TRUE > 5]) == pytest.approx(1.0, abs=0.02)
    assert f_measure(TRUE, np.zeros(0)) == 0.0


def test_distances_are_signed_and_leave_out_what_was_no_guess_at_a_beat() -> None:
    assert distances(TRUE, TRUE + 0.01) == pytest.approx(0.01)
    assert distances(TRUE, TRUE - 0.03) == pytest.approx(-0.03)
    assert len(distances(TRUE, TRUE + 0.25)) == 0


@pytest.mark.parametrize(("predicted", "expected"), [(TRUE, 1.0), (TRUE[::2], 0.5)])
def test_the_level_is_the_tempo_told_over_the_songs(predicted: np.ndarray, expected: float) -> None:
    assert level(TRUE, predicted) == pytest.approx(expected)


def test_too_few_beats_have_no_level() -> None:
    assert level(TRUE, TRUE[:3]) is None


def score(pace: float | None, lock: float | None) -> BeatScore:
    return BeatScore("x", 0.5, None, np.array([0.01, -0.03]), lock, pace)


def test_the_table_counts_wrong_levels_and_songs_that_never_lock() -> None:
    lines = dict(
        line.rsplit("  ", 1)
        for line in beat_table([score(1.05, 2.0), score(2.0, 4.0), score(None, None)]).splitlines()
    )
    figures = {name.strip(): value for name, value in lines.items()}
    assert figures["wrong level"] == "0.67"
    assert figures["of them half, twice the tempo"] == "0.00, 0.33"
    assert figures["seconds until locked, median"] == "4.0"
    assert figures["predicted beats' distance, median"] == "20.0 ms"
    assert figures["downbeat F1"] == "-"


def test_a_song_has_a_line() -> None:
    assert "tempo 2.00 of the song's" in score(2.0, None).line()
