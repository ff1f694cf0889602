import numpy as np
import pytest

from offline_train.data.beats.offline_trackers import agreement_of


def test_trackers_agree_though_one_is_late_by_a_constant() -> None:
    ours = np.arange(0.5, 30.0, 0.5)
    theirs = np.append(ours[:-10], ours[-10:] + 0.2) + 0.05
    beats, agreement = agreement_of(ours, theirs)
    assert beats.tolist() == ours[:-10].tolist()
    assert agreement == pytest.approx(49 / 59, abs=0.01)


def test_trackers_that_heard_nothing_agree_on_nothing() -> None:
    beats, agreement = agreement_of(np.zeros(0), np.arange(0.5, 30.0, 0.5))
    assert (len(beats), agreement) == (0, 0.0)


@pytest.mark.slow
def test_trackers_that_are_installed_agree_on_a_click() -> None:
    pytest.importorskip("essentia")
    pytest.importorskip("librosa")
    from offline_train.data.beats.offline_trackers import agreed_beats

    true = np.arange(0.5, 30.0, 0.5)
    samples = np.zeros(31 * 16000, np.float32)
    for at in (true * 16000).astype(int):
        samples[at : at + 400] = np.sin(np.arange(400) * 0.4) * np.linspace(1, 0, 400)
    beats, agreement = agreed_beats(samples)
    assert agreement > 0.9
    assert np.median(np.abs(beats[:, None] - true).min(1)) < 0.05
