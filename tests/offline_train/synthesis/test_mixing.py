"""Mixes: one band or both, a melody always, and a chain that keeps length and time."""

import numpy as np
import pytest

from offline_train.synthesis.mixing import audible, draw_gains, master, mix

ROLES = ["lead", "voice", "second", "bass", "drums", "mma-bass", "mma-drums", "mma-chords"]


def test_a_melody_is_always_heard_and_seldom_both() -> None:
    rng = np.random.default_rng(0)
    heard = np.array([draw_gains(ROLES, rng) > 0 for _ in range(400)])
    assert (heard[:, 0] | heard[:, 1]).all()
    assert heard[:, 1].mean() > heard[:, 0].mean() > 0.1
    assert 0.05 < (heard[:, 0] & heard[:, 1]).mean() < 0.25
    hand, machine = heard[:, 3:5].any(1), heard[:, 5:].any(1)
    assert 0.1 < (hand & machine).mean() < 0.3  # both bands at once, now and then
    assert (hand | machine).mean() > 0.95


def test_a_song_without_a_voice_or_machine_is_played() -> None:
    for seed in range(20):
        gains = draw_gains(["lead", "bass", "drums"], np.random.default_rng(seed))
        assert gains[0] > 0


@pytest.mark.parametrize("role", ["recording", "solo"])
def test_what_is_alone_is_heard_as_it_is(role: str) -> None:
    assert draw_gains([role], np.random.default_rng(0)).tolist() == [1.0]


def test_what_is_far_below_the_loudest_is_not_audible() -> None:
    assert audible(np.array([1.0, 0.2, 0.05, 0.0])).tolist() == [True, True, False, False]


def test_a_mix_is_the_sum_at_a_level() -> None:
    stems = np.array([[1000, 2000], [3000, -2000]], np.int16)
    mixed = mix(stems, np.array([1.0, 0.5], np.float32))
    np.testing.assert_allclose(mixed, np.array([2000, 2000]) / 2000 * 0.7, rtol=1e-5)
    assert np.abs(mix(np.zeros((10, 1), np.int16), np.ones(1, np.float32))).max() == 0


@pytest.mark.parametrize("seed", range(12))
def test_a_master_is_finite_as_long_and_in_time(seed: int) -> None:
    click = np.zeros(16000, np.float32)
    click[8000:8080] = 0.7
    out = master(click, np.random.default_rng(seed), 16000)
    assert out.shape == click.shape and out.dtype == np.float32
    assert np.isfinite(out).all() and 0.01 < np.abs(out).max() < 2
    blocks = np.square(out).reshape(-1, 80).sum(1)
    first = int((blocks > 0.05 * blocks.max()).argmax())  # a room may be louder than the click
    assert abs(first - 100) <= 2  # 10 ms
