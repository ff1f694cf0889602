"""What live hears of songs with a human cover, kept once."""

from pathlib import Path

import numpy as np
import pytest

from offline_train.data.accompaniment.heard_covers import load_heard_covers
from offline_train.evaluation.hearing import heard_covers as subject
from offline_train.evaluation.hearing.heard_covers import Covered, keep_heard

SECONDS, PERIOD = 12.0, 0.6


def piece(name: str, n_beats: int = 20) -> Covered:
    """Return A4 on each beat, a bar of four."""
    times = PERIOD * np.arange(n_beats)
    t = np.arange(int(SECONDS * 16000)) / 16000
    tone = 0.3 * np.sin(2 * np.pi * 440 * t) * np.exp(-6 * (t % PERIOD))
    beats = np.stack([times, np.arange(n_beats) % 4 == 0], 1)
    notes = np.array([(time, time + 0.3, 69, 80, 1) for time in times], np.float32)
    return Covered(name, tone.astype(np.float32), beats, notes)


def test_a_piece_is_heard_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_heard(iter([piece("a"), piece("short", 8)]), tmp_path) == 1
    (cover,) = load_heard_covers(tmp_path)
    assert cover.onset.shape == cover.melody.shape == cover.frame.shape
    assert cover.onset[:, 69 - 21].max() > 100
    assert len(cover.sound()) == len(cover.onset)
    assert cover.sound().mean(0).argmax() == 69 - 21
    assert cover.is_downbeat.tolist() == [k % 4 == 0 for k in range(20)]
    assert len(cover.notes) == 20 and cover.beats[1] == pytest.approx(PERIOD)
    monkeypatch.setattr(subject, "listen", None)
    assert keep_heard(iter([piece("a")]), tmp_path) == 1
