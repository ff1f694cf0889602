"""Sung leads: pitch, timing, words and breath, on a voice made here and on real speech."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.corpora import Note
from offline_train.synthesis.voices import voice as voice_module
from offline_train.synthesis.voices import voices as voices_module
from offline_train.synthesis.voices.syllables import (
    BINS,
    SAMPLE_RATE,
    SyllableBank,
    analyse,
    world,
)
from offline_train.synthesis.voices.voice import choir, sing
from offline_train.synthesis.voices.voices import (
    HELD_OUT_VOICES,
    TRAIN_VOICES,
    Voice,
    bank_folder,
    load_bank,
    make_bank,
    missing_programs,
    speak,
)
from tests.programs import needs

pytest.importorskip("pyworld", exc_type=ImportError)

MELODY = [
    Note(0.5, 1.0, 60, 80),
    Note(1.0, 1.5, 64, 90),
    Note(1.5, 2.4, 67, 100),
    Note(3.2, 3.7, 72, 70),
    Note(3.7, 4.6, 55, 90),
]
DURATION = 5.0


def made_bank() -> SyllableBank:
    """Three syllables: 12 frames of hiss, 40 of a vowel, 6 of hiss."""
    hz = np.linspace(0, SAMPLE_RATE / 2, BINS)
    hiss = np.log(1e-6 + 1e-2 * (hz > 4000))
    power, noise, voiced, marks = [], [], [], []
    for k, formant in enumerate((400, 600, 800)):
        vowel = -(((hz - formant) / 500) ** 2) / 2 - (hz / 2500) - 3
        power += [hiss] * 12 + [vowel] * 40 + [hiss] * 6
        noise += [np.ones(BINS)] * 12 + [0.05 + 0.3 * hz / 8000] * 40 + [np.ones(BINS)] * 6
        voiced += [False] * 12 + [True] * 40 + [False] * 6
        marks.append([58 * k, 58 * k + 12, 58 * k + 52, 58 * k + 58])
    return SyllableBank(
        np.array(power, np.float32), np.array(noise, np.float32), np.array(voiced), np.array(marks)
    )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any voice speaks with the bank made here."""
    monkeypatch.setattr(voice_module, "load_bank", lambda voice: made_bank())


def track(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return f0 in hertz every 5 ms, 0 where unvoiced."""
    wide = sound.astype(np.float64)
    f0, times = world().dio(wide, SAMPLE_RATE, f0_floor=70, f0_ceil=1200)
    refined: NDArray[np.float64] = world().stonemask(wide, f0, times, SAMPLE_RATE)
    return refined


def share_in_tune(sound: NDArray[np.float32], notes: list[Note]) -> float:
    """Return the share of voiced frames in note bodies within 50 cents of the note."""
    f0 = track(sound)
    errors: list[float] = []
    for note in notes:
        body = f0[int((note.onset + 0.06) / 0.005) : int((note.offset - 0.1) / 0.005)]
        wanted = 440 * 2 ** ((note.pitch - 69) / 12)
        errors += list(1200 * np.abs(np.log2(body[body > 0] / wanted)))
    assert len(errors) > 100
    return float(np.mean(np.array(errors) < 50))


def level(sound: NDArray[np.float32], start: float, end: float, high: bool = False) -> float:
    part = sound[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)].astype(np.float64)
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    hz = np.fft.rfftfreq(len(part), 1 / SAMPLE_RATE)
    return float(10 * np.log10(power[hz > 4500 if high else hz < 3000].sum() + 1e-12))


def test_voices_for_training_and_for_judging_share_no_speaker() -> None:
    heard = {(v.program, v.name) for v in TRAIN_VOICES}
    unheard = {(v.program, v.name) for v in HELD_OUT_VOICES}
    assert len(heard) == len(TRAIN_VOICES) and len(unheard) == len(HELD_OUT_VOICES)
    assert not heard & unheard
    assert {v.is_high for v in HELD_OUT_VOICES} == {True, False}
    assert all(v.vibrato_cents[1] < 50 for v in (*TRAIN_VOICES, *HELD_OUT_VOICES))


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("seed", range(3))
def test_sings_the_notes_pitches(seed: int) -> None:
    sound = sing(MELODY, DURATION, np.random.default_rng(seed))
    assert sound.shape == (80_000,) and sound.dtype == np.float32
    assert 0.5 < np.abs(sound).max() <= 1.0
    assert share_in_tune(sound, MELODY) > 0.85


@pytest.mark.usefixtures("made")
def test_vowels_start_on_the_onsets_after_consonants() -> None:
    for seed in range(4):
        sound = sing(MELODY, DURATION, np.random.default_rng(seed))
        for onset in (0.5, 3.2):  # after silence: the hiss lies before, the vowel after
            before = level(sound, onset - 0.055, onset - 0.015)
            after = level(sound, onset + 0.015, onset + 0.055)
            assert after - before > 10
            assert level(sound, onset - 0.055, onset - 0.015, high=True) > -15
        assert not sound[: int(0.05 * SAMPLE_RATE)].any()


@pytest.mark.usefixtures("made")
def test_breathes_between_phrases_and_falls_silent() -> None:
    notes = [Note(0.3, 0.6, 60, 90), Note(2.5, 3.0, 60, 90)]
    levels = []
    for seed in range(8):
        sound = sing(notes, 4.0, np.random.default_rng(seed))
        assert np.abs(sound[int(1.0 * SAMPLE_RATE) : int(1.8 * SAMPLE_RATE)]).max() < 1e-3
        assert np.abs(sound[int(3.2 * SAMPLE_RATE) :]).max() < 1e-2
        levels.append(np.abs(sound[int(2.2 * SAMPLE_RATE) : int(2.38 * SAMPLE_RATE)]).max())
    assert sum(lv > 1e-3 for lv in levels) >= 4  # most phrases begin with a breath


@pytest.mark.usefixtures("made")
def test_the_same_seed_sings_the_same_and_another_does_not() -> None:
    first = sing(MELODY, DURATION, np.random.default_rng(7))
    assert np.array_equal(first, sing(MELODY, DURATION, np.random.default_rng(7)))
    assert not np.array_equal(first, sing(MELODY, DURATION, np.random.default_rng(8)))


@pytest.mark.usefixtures("made")
def test_louder_notes_are_louder() -> None:
    notes = [Note(0.5, 1.5, 60, 40), Note(2.0, 3.0, 60, 120)]
    sound = sing(notes, 4.0, np.random.default_rng(0))
    assert level(sound, 2.2, 2.8) - level(sound, 0.7, 1.3) > 6


@pytest.mark.usefixtures("made")
def test_a_singer_has_one_voice_and_stays_inside_the_song() -> None:
    chord = [Note(0.2, 2.0, 60, 90), Note(0.2, 2.0, 67, 90), Note(1.0, 1.005, 72, 90)]
    beyond = [Note(-1.0, 0.1, 60, 90), Note(2.9, 9.0, 64, 90), Note(5.0, 6.0, 60, 90)]
    sound = sing(chord + beyond, 3.0, np.random.default_rng(0))
    assert len(sound) == 3 * SAMPLE_RATE and np.isfinite(sound).all()
    f0 = track(sound)[60:180]
    assert abs(12 * np.log2(np.median(f0[f0 > 0]) / 391.995)) < 0.5  # the chord's top, G4


@pytest.mark.usefixtures("made")
def test_no_notes_are_silence_and_other_rates_fit() -> None:
    assert not sing([], 1.0, np.random.default_rng(0)).any()
    pytest.importorskip("soxr")
    sound = sing(MELODY, 5.0, np.random.default_rng(0), sample_rate=44_100)
    assert len(sound) == 220_500


@pytest.mark.usefixtures("made")
def test_a_choir_sings_every_note_of_a_chord() -> None:
    chord = [Note(0.5, 2.5, pitch, 90) for pitch in (55, 59, 62)]
    sound = choir(chord, 3.0, np.random.default_rng(0), n_singers=3).astype(np.float64)
    part = sound[SAMPLE_RATE : 2 * SAMPLE_RATE]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    for pitch in (55, 59, 62):
        hz = 440 * 2 ** ((pitch - 69) / 12)
        near = spectrum[int(hz * 0.97) : int(hz * 1.03) + 2].max()
        assert near > 5 * np.median(spectrum[150:350])
    assert not choir([], 1.0, np.random.default_rng(0)).any()


@pytest.mark.usefixtures("made")
def test_impossible_requests_are_refused() -> None:
    with pytest.raises(DataError, match="at least one voice"):
        sing(MELODY, DURATION, np.random.default_rng(0), voices=())
    with pytest.raises(DataError, match="MIDI pitches 0 to 127"):
        sing([Note(0.0, 1.0, 200, 90)], DURATION, np.random.default_rng(0))


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    voice = Voice("espeak-ng", "en", "la", True)
    assert missing_programs([voice]) == ["espeak-ng"]
    with pytest.raises(DataError, match="install the package espeak-ng"):
        speak(voice, "la")


def test_a_voice_without_vowels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert analyse(np.zeros(8000)) is None
    monkeypatch.setattr(voices_module, "speak", lambda voice, word: np.zeros(8000))
    with pytest.raises(DataError, match="found none in 2 words"):
        make_bank(Voice("espeak-ng", "en", "la na", True))


@needs("espeak-ng")
def test_real_speech_becomes_syllables_once(tmp_path: Path) -> None:
    pytest.importorskip("soxr")
    voice = Voice("espeak-ng", "en-us+f2", "sing day", True)
    bank = load_bank(voice, tmp_path)
    assert bank.log_power.shape == bank.aperiodicity.shape == (len(bank.is_voiced), BINS)
    assert bank.marks.shape == (2, 4)
    for start, vowel, vowel_end, stop in bank.marks:
        assert start <= vowel < vowel_end <= stop
        assert bank.is_voiced[vowel:vowel_end].all()
    hiss = slice(bank.marks[0][0] + 4, bank.marks[0][1] - 6)
    assert not bank.is_voiced[hiss].any()  # the s of "sing"
    stored = list(tmp_path.iterdir())
    assert len(stored) == 1
    load_bank.cache_clear()
    assert np.array_equal(load_bank(voice, tmp_path).log_power, bank.log_power)
    stored[0].write_bytes(b"broken")  # is made again; espeak-ng speaks a little otherwise at times
    load_bank.cache_clear()
    again = load_bank(voice, tmp_path)
    assert len(again.marks) == 2
    load_bank.cache_clear()
    assert np.array_equal(load_bank(voice, tmp_path).log_power, again.log_power)
    load_bank.cache_clear()


@needs("espeak-ng")
def test_a_real_voice_sings_in_tune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("soxr")
    monkeypatch.setattr(voices_module, "bank_folder", lambda: tmp_path)
    voice = Voice("espeak-ng", "en-us+f2", "love day sing light", True)
    sound = sing(MELODY, DURATION, np.random.default_rng(1), [voice])
    assert share_in_tune(sound, MELODY) > 0.85


def test_banks_lie_in_the_users_cache() -> None:
    assert bank_folder().name == "voices"


def test_a_missing_vocoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(DataError, match="install pyworld"):
        world()
