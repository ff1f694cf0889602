"""Thresholds of single keys: which are down, the tune's, and what the song's density does."""

import numpy as np
import pytest

from engine.core.settings import DecoderSettings
from engine.perform.thresholds import OnsetThresholds
from engine.perform.tune.share import FIRM, MOST, TuneShare
from models.spec import N_PITCHES, Decoding

FRAME_S = 0.016
DECODING = Decoding(onset_threshold=0.4, restrike_threshold=0.6, notes_per_second=0.0)
NO_MUSIC = np.zeros(N_PITCHES, np.float32)


def thresholds(tune: TuneShare | None = None, notes_per_second: float = 0.0) -> OnsetThresholds:
    settings = DecoderSettings(notes_per_second=notes_per_second).resolved(DECODING)
    return OnsetThresholds(FRAME_S, settings, tune)


def least(found: OnsetThresholds, key: int, is_tune: bool = False) -> float:
    """Return the least peak, in hundredths, that begins a note of a key."""
    tune = np.full(N_PITCHES, is_tune)
    for peak in np.arange(0.01, 1.0, 0.01, dtype=np.float32):
        row = np.zeros(N_PITCHES, np.float32)
        row[key] = peak + 1e-4
        if found.reached(row, row > 0, tune, NO_MUSIC)[key]:
            return round(float(peak), 2)
    raise AssertionError


def test_a_key_that_is_down_has_the_restrikes() -> None:
    found = thresholds()
    found.strike(7)
    assert (least(found, 7), least(found, 8)) == (0.6, 0.4)
    found.release(7)
    assert least(found, 7) == 0.4
    found.strike(7)
    found.release(np.arange(N_PITCHES) == 7)
    assert least(found, 7) == 0.4


def test_the_tunes_are_lower() -> None:
    found = thresholds(TuneShare())
    assert (least(found, 7, is_tune=True), least(found, 7)) == (0.36, 0.4)


def test_the_tunes_are_lower_still_where_it_is_softly_attacked() -> None:
    share = TuneShare()
    found = thresholds(share)
    row = np.zeros(N_PITCHES, np.float32)
    row[7] = 0.5
    for _ in range(300):
        found.reached(row, row > 0, row > 0, NO_MUSIC)
    assert share.value == pytest.approx(MOST * (0.5 / FIRM) ** 6, abs=0.03)
    found.reset()
    assert share.value == MOST


@pytest.mark.parametrize("is_reset", [False, True])
def test_what_is_no_peak_begins_nothing(is_reset: bool) -> None:
    found = thresholds()
    found.strike(7)
    if is_reset:
        found.reset()
    row = np.ones(N_PITCHES, np.float32)
    assert not found.reached(row, row < 0, None, NO_MUSIC).any()
    assert least(found, 7) == (0.4 if is_reset else 0.6)


def test_a_change_keeps_the_keys_that_are_down() -> None:
    found = thresholds()
    found.strike(7)
    changed = DecoderSettings(onset_threshold=0.3, restrike_threshold=0.5).resolved(DECODING)
    found.change(changed, [7])
    assert (least(found, 7), least(found, 8), found.onset) == (0.5, 0.3, 0.3)


def test_a_song_with_too_many_peaks_raises_all_thresholds_in_music_alone() -> None:
    found = thresholds(notes_per_second=1.0)
    many = np.full(N_PITCHES, 0.5, np.float32)
    for _ in range(2000):
        found.reached(many, many > 0, None, NO_MUSIC)
    assert found.factor == 1.0
    for _ in range(2000):
        found.reached(many, many > 0, None, many)
    assert found.factor > 1.2
    assert found.onset == pytest.approx(0.4 * found.factor)
    found.reset()
    assert found.factor == 1.0
