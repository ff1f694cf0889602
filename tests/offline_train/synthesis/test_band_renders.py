"""Finished takes: excerpts, the sources kept for tests, mono at a model's rate."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from offline_train.corpora import read_song
from offline_train.synthesis import band_renders as module
from offline_train.synthesis.band_renders import cut, render_band, waveform
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.render import RENDER_RATE, Audio
from tests.offline_train.fixtures import write_song


def test_an_excerpt_begins_at_zero(tmp_path: Path) -> None:
    part = cut(read_song(write_song(tmp_path / "007")), 1.5, 2.0)
    assert [n.onset for n in part.melody] == pytest.approx([0.0, 0.5, 1.0, 1.5])
    assert max(n.offset for n in part.melody) <= 2.0
    assert [n.onset for n in part.bridge] == pytest.approx([0.5])
    assert part.bridge[0].offset == 2.0  # cut off
    assert [b.time for b in part.beats] == pytest.approx([0.0, 0.5, 1.0, 1.5])
    assert [b.is_downbeat for b in part.beats] == [False, True, False, False]
    np.testing.assert_allclose([c[:2] for c in part.chords], [(0.0, 0.5), (0.5, 2.0)])


def test_the_test_band_has_the_unheard_source_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = set()

    def tone(players: Sequence[Player], font: str) -> Audio:
        asked.add(font)
        return np.full((RENDER_RATE, 2), 0.1, np.float32)

    monkeypatch.setattr(module, "players_to_midi", lambda players: players)
    monkeypatch.setattr(module, "fluidsynth", tone)
    song = read_song(write_song(tmp_path / "007"))
    for seed in range(5):
        audio, chosen = render_band(song, np.random.default_rng(seed), in_training=False)
        assert audio.shape[1] == 2 and chosen["players"]
    assert asked == {"TimGM6mb.sf2"}


def test_a_sample_keeps_its_time() -> None:
    click = np.zeros((RENDER_RATE, 2), np.float32)
    click[RENDER_RATE // 2] = 1
    samples = waveform(click, 16000)
    assert samples.shape == (16000,) and samples.dtype == np.float32
    assert int(np.abs(samples).argmax()) == pytest.approx(8000, abs=1)
