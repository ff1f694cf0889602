"""What rings and what blurs under pedals written down by hand."""

import numpy as np
import pytest

from offline_train.corpora import Chord, Pedal
from offline_train.evaluation.measures.pedalling import PedalScore, score_pedal

CHORDS = [Chord(0.0, 2.0, "C:maj"), Chord(2.0, 4.0, "F:maj"), Chord(4.0, 6.0, "N")]
NOTES = np.array([(0.0, 1.0, 60, 80), (0.0, 1.0, 64, 80), (2.0, 3.0, 65, 80)], np.float32)


def score(pedals: list[Pedal], human: list[Pedal] | None = None) -> PedalScore:
    return score_pedal(NOTES, pedals, human or pedals, CHORDS, 6.0)


def test_without_a_pedal_nothing_rings() -> None:
    assert score([]) == PedalScore(seconds=6.0)


def test_a_pedal_changed_with_the_chord_blurs_nothing() -> None:
    found = score([Pedal(0.1, True), Pedal(2.0, False), Pedal(2.1, True), Pedal(4.0, False)])
    assert found.ringing_s == pytest.approx(3.0)  # C and E for a second each, then F
    assert found.blurred_s == 0.0
    assert found.down_s == pytest.approx(3.8)
    assert found.changes_a_minute == pytest.approx(20.0)
    assert found.changes.f1 == 1.0 and found.changes_late.f1 == 0.0


def test_a_pedal_left_down_blurs_the_next_chord() -> None:
    found = score([Pedal(0.1, True)])
    assert found.ringing_s == pytest.approx(5.0 + 5.0 + 3.0)
    assert found.blurred_s == pytest.approx(
        2.0
    )  # E under F major; C belongs to it; N blurs nothing
    assert found.down_share == pytest.approx(5.9 / 6.0)


def test_a_note_foreign_to_its_own_chord_is_no_fault_of_the_pedal() -> None:
    foreign = np.array([(0.5, 0.6, 61, 80)], np.float32)
    pedals = [Pedal(0.0, True), Pedal(2.0, False)]
    assert score_pedal(foreign, pedals, pedals, CHORDS, 6.0).blurred_s == 0.0


def test_changes_near_the_humans() -> None:
    ours = [Pedal(0.0, True), Pedal(2.15, False), Pedal(2.2, True), Pedal(4.5, False)]
    human = [Pedal(0.0, True), Pedal(2.0, False), Pedal(2.1, True), Pedal(4.0, False)]
    found = score(ours, human)
    assert (found.changes.n_matched, found.changes.n_reference) == (1, 2)
    assert (found + found).changes.n_matched == 2
