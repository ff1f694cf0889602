"""The accompanist's network: a step is as the whole, a memory slides, notes rise."""

import pytest
import torch

from engine.accompany import features
from engine.accompany.chords import N_CLASSES
from engine.accompany.playing import LENGTHS
from engine.beat.steps import summary
from engine.core.chords import CHORD_DIM
from models.accompanist import CHORD_DIM as NETWORK_CHORD_DIM
from models.accompanist import (
    DONE,
    EXPECTED_DIM,
    N_CHORDS,
    N_LENGTHS,
    SUMMARY_DIM,
    Accompanist,
    AccompanistConfig,
    NoteWriter,
    Situation,
    config_from,
)
from models.causal_stack import Stack, StackConfig
from models.spec import N_PITCHES

TINY = StackConfig(width=16, layers=2, heads=2, feed_forward=24, dropout=0.1)
EQUIVARIANT = StackConfig(width=48, layers=2, heads=2, feed_forward=48, dropout=0.1, classes=12)
CONFIG = AccompanistConfig(EQUIVARIANT, TINY, writer=16, memory=12)


def test_the_network_and_the_engine_agree_on_sizes() -> None:
    assert summary.SUMMARY_DIM == SUMMARY_DIM
    assert features.EXPECTED_DIM == EXPECTED_DIM
    assert N_CLASSES == N_CHORDS
    assert CHORD_DIM == NETWORK_CHORD_DIM
    assert len(LENGTHS) == N_LENGTHS


def test_a_config_is_plain_and_comes_back() -> None:
    assert config_from(CONFIG.to_dict()) == CONFIG


@torch.no_grad()
def test_steps_are_as_the_whole_sequence() -> None:
    stack = Stack(TINY, memory=12).eval()
    x = torch.randn(3, 12, 16)
    whole, memory = stack(x), stack.init_memory(3)
    for k in range(12):
        step, memory = stack.step(x[:, k : k + 1], memory)
        torch.testing.assert_close(step, whole[:, k : k + 1], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_memory_is_a_window_that_slides() -> None:
    stack = Stack(StackConfig(16, 1, 2, 24), memory=4).eval()
    x = torch.randn(1, 9, 16)
    other = x.clone()
    other[:, :5] = torch.randn(1, 5, 16)  # what the last step cannot reach
    last = []
    for rows in (x, other):
        memory = stack.init_memory(1)
        for k in range(9):
            step, memory = stack.step(rows[:, k : k + 1], memory)
        last.append(step)
    torch.testing.assert_close(last[0], last[1], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_notes_rise_and_a_step_may_always_end() -> None:
    writer = NoteWriter(16, 16).eval()
    struck, last = torch.zeros(2, N_PITCHES), torch.tensor([DONE, 40])
    logits, rest = writer(
        torch.randn(2, 16), torch.zeros(2, CHORD_DIM), struck, last, torch.tensor([0, 50])
    )
    assert rest.shape == (2, 33)
    assert (logits[0] > -1e8).all()
    assert (logits[1, :41] < -1e8).all()
    assert (logits[1, 41:] > -1e8).all()


def test_planner_and_player_share_nothing() -> None:
    network = Accompanist(CONFIG)
    owners = [{id(p) for p in part.parameters()} for part in network.children()]
    assert sum(map(len, owners)) == len(set.union(*owners))


@pytest.mark.parametrize("name", ["planner", "player"])
def test_the_memory_is_the_config_s(name: str) -> None:
    assert getattr(Accompanist(CONFIG), name).stack.memory == 12


@torch.no_grad()
def test_a_plan_in_another_key_is_the_same_plan_moved() -> None:
    network = Accompanist(AccompanistConfig(EQUIVARIANT, TINY, 16, 12))
    planner = network.planner.eval()
    where = Situation(torch.arange(6)[None], torch.tensor([2]), torch.tensor([0.3]))
    rest = torch.rand(1, 6, 8)
    chromas, expected = torch.rand(2, 1, 6, 3, 12)
    alike = torch.rand(1, 6, 2)

    def plan(k: int) -> tuple[torch.Tensor, torch.Tensor]:
        heard = torch.cat([torch.zeros(1, 6, 176), chromas.roll(k, -1).flatten(2), rest], -1)
        moved = torch.cat([expected.roll(k, -1).flatten(2), alike], -1)
        hidden = planner(heard, moved, where)[0]
        chord = torch.full((6,), (4 + k) % 12 * 8 + 1)
        return planner.chord(hidden), planner.bass(hidden, chord)

    (chord, bass), (other, other_bass) = plan(0), plan(5)
    by_root = chord[:, :-1].reshape(6, 12, 8).roll(5, 1).flatten(1)
    torch.testing.assert_close(other[:, :-1], by_root, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(other[:, -1], chord[:, -1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(other_bass, bass.roll(5, 1), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_key_is_heard_as_its_pitch_class() -> None:
    planner = Accompanist(CONFIG).planner.eval()
    where = Situation(torch.zeros(1, 1, dtype=torch.int64), torch.tensor([0]), torch.zeros(1))
    silent = torch.zeros(1, 1, 220)
    rows = []
    for pitch in (60, 64):  # of one octave: the same, moved by four classes
        heard = silent.clone()
        heard[..., 2 * (pitch - 21)] = 1
        rows.append(planner.read(heard, torch.zeros(1, 1, 38), where)[0, 0])
    apart = [row - planner.read(silent, torch.zeros(1, 1, 38), where)[0, 0] for row in rows]
    first, second = (row.reshape(-1, 12) for row in apart)
    torch.testing.assert_close(second, first.roll(4, 1), atol=1e-6, rtol=1e-6)
