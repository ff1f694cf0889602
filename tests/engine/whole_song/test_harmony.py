"""Chords and keys from made-up posteriors."""

import numpy as np
import pytest

from engine.core.chroma import bass_of, fold
from engine.whole_song.harmony import ChordName, Key, find_key, recognise, vector_of


def sounding(*chords: tuple[int, ...]) -> np.ndarray:
    rows = np.zeros((len(chords), 88), np.float32)
    for row, pitches in zip(rows, chords, strict=True):
        row[[p - 21 for p in pitches]] = 0.8
    return rows


def test_chroma_counts_every_octave() -> None:
    chroma = fold(sounding((21, 60, 108)))
    assert chroma[0, 9] == pytest.approx(0.8) and chroma[0, 0] == pytest.approx(1.6)
    assert bass_of(sounding((36, 60)))[0].argmax() == 0
    assert not bass_of(sounding((60,))).any()


def test_chords_are_recognised_with_their_bass() -> None:
    c, a_min, f_over_a = (36, 60, 64, 67), (45, 60, 64, 69), (45, 60, 65, 69)
    found = recognise(sounding(c, c, a_min, a_min, f_over_a, f_over_a, ()))
    assert [str(chord) for chord in found] == [
        "C:maj", "C:maj", "A:min", "A:min", "F:maj/A", "F:maj/A", "None",
    ]  # fmt: skip


def test_one_wrong_beat_does_not_change_the_chord() -> None:
    c, noisy = (36, 60, 64, 67), (36, 60, 64, 67, 69)
    found = recognise(sounding(c, c, noisy, c))
    assert {str(chord) for chord in found} == {"C:maj"}


def test_a_chord_is_36_numbers() -> None:
    vector = vector_of(ChordName(9, "min", 0))
    assert np.flatnonzero(vector).tolist() == [9, 12, 16, 21, 24]
    assert not vector_of(None).any()


@pytest.mark.parametrize(
    ("pitches", "key", "sharps", "name"),
    [
        ((60, 62, 64, 65, 67, 69, 71, 60, 67, 64), Key(0, False), 0, "C"),
        ((69, 71, 72, 74, 76, 77, 68, 69, 76, 72, 69), Key(9, True), 0, "Am"),
        ((66, 68, 70, 71, 73, 75, 77, 66, 73, 70), Key(6, False), 6, "F#"),
        ((68, 70, 72, 73, 75, 77, 79, 68, 75, 72), Key(8, False), -4, "Ab"),
    ],
)
def test_keys(pitches: tuple[int, ...], key: Key, sharps: int, name: str) -> None:
    chroma = np.bincount([p % 12 for p in pitches], minlength=12).astype(float)
    found = find_key(chroma)
    assert (found, found.sharps, found.midi_name) == (key, sharps, name)


def test_every_key_has_a_name_that_midi_knows() -> None:
    import mido

    for tonic in range(12):
        for is_minor in (False, True):
            name = Key(tonic, is_minor).midi_name
            mido.MetaMessage("key_signature", key=name)
