"""People's recorded speech: its packages, its syllables, and who is kept apart."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.synthesis.stems import people_sources
from offline_train.synthesis.voices import recorded
from offline_train.synthesis.voices.people import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from offline_train.synthesis.voices.recorded import RECORDED, read_speech
from offline_train.synthesis.voices.syllables import SAMPLE_RATE, analyse_phrase
from offline_train.synthesis.voices.voices import (
    HELD_OUT_VOICES,
    TRAIN_VOICES,
    Voice,
    load_bank,
    missing_programs,
)

pytest.importorskip("pyworld", exc_type=ImportError)

PERSON = Voice("klettres-data", "xx", "usr/share/klettres/xx/*/*.ogg", True)


def spoken(n_syllables: int, hiss: float = 0.0) -> NDArray[np.float64]:
    """Return a vowel of 150 Hz that swells and fades, 0.3 s each time."""
    time = np.arange(round(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
    vowel = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 20))
    one = 0.1 * vowel * np.sin(np.pi * time / 0.3) ** 2
    sound = np.concatenate([np.zeros(1600), *[one] * n_syllables, np.zeros(1600)])
    return sound + hiss * np.random.default_rng(0).standard_normal(len(sound))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a fetched package with no recordings yet."""
    monkeypatch.setattr(recorded, "packages_folder", lambda: tmp_path)
    folder = tmp_path / "klettres-data/usr/share/klettres/xx/syllab"
    folder.mkdir(parents=True)
    return folder


def test_people_are_in_one_split_and_their_packages_are_known() -> None:
    people = [(v.program, v.name) for v in (*TRAIN_PEOPLE, *HELD_OUT_PEOPLE)]
    assert len(set(people)) == len(people) > 40
    assert {package for package, _ in people} == set(RECORDED)
    assert not any(source.licence.startswith("CC-BY-NC") for source in RECORDED.values())
    assert not missing_programs((*TRAIN_PEOPLE, *HELD_OUT_PEOPLE))  # recordings need none
    for voices in (TRAIN_PEOPLE, HELD_OUT_PEOPLE):
        assert {v.is_high for v in voices} == {True, False}


def test_validation_sings_with_nobody_of_training() -> None:
    assert people_sources(is_held_out=True).voices == HELD_OUT_PEOPLE
    voices = people_sources().voices
    assert set(TRAIN_PEOPLE) | set(TRAIN_VOICES) == set(voices)
    assert not set(voices) & {*HELD_OUT_PEOPLE, *HELD_OUT_VOICES}


@pytest.mark.parametrize("hiss", [0.0, 0.001])
@pytest.mark.parametrize("n_syllables", [1, 3])
def test_a_phrase_is_cut_between_its_vowels(n_syllables: int, hiss: float) -> None:
    syllables = analyse_phrase(spoken(n_syllables, hiss))
    assert len(syllables) == n_syllables
    for syllable in syllables:
        ((start, vowel, vowel_end, stop),) = syllable.marks
        assert start <= vowel < vowel_end <= stop == len(syllable.is_voiced) <= 65
        assert syllable.is_voiced[vowel:vowel_end].all()
    assert analyse_phrase(np.zeros(8000)) == []


def test_recordings_become_a_voice(package: Path, tmp_path: Path) -> None:
    pytest.importorskip("soxr")
    both = np.stack([spoken(2), spoken(2)], 1)
    soundfile.write(package / "two.ogg", both, SAMPLE_RATE)
    soundfile.write(package / "dull.ogg", spoken(1), 8000)
    (package / "broken.ogg").write_bytes(b"no sound")
    assert [len(x) for x in read_speech("klettres-data", PERSON.words)] == [len(both)]
    assert len(load_bank.__wrapped__(PERSON, tmp_path).marks) == 2


def test_what_has_no_speech_is_refused(package: Path, tmp_path: Path) -> None:
    pytest.importorskip("soxr")
    with pytest.raises(DataError, match=r"expected recordings usr/share/klettres/xx/.*found none"):
        load_bank.__wrapped__(PERSON, tmp_path)
    soundfile.write(package / "silence.ogg", np.zeros(8000), SAMPLE_RATE)
    with pytest.raises(DataError, match="klettres-data xx: expected speech with vowels"):
        load_bank.__wrapped__(PERSON, tmp_path)


def test_telephony_is_decoded(package: Path) -> None:
    codec = pytest.importorskip("G722")
    tone = (8000 * np.sin(np.arange(16_000) * 2 * np.pi * 440 / SAMPLE_RATE)).astype(np.int16)
    (package / "tone.g722").write_bytes(codec.G722(16_000, 64_000).encode(tone.tolist()))
    (sound,) = read_speech("klettres-data", "usr/share/klettres/xx/*/*.g722")
    assert len(sound) == 16_000
    power = np.abs(np.fft.rfft(sound * np.hanning(16_000)))
    assert abs(int(power.argmax()) - 440) <= 1 and 0.2 < np.abs(sound).max() < 0.3
