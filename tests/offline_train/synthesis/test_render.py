"""MIDI of players, the synthesizer, mix and master; FluidSynth itself in the tests marked e2e."""

import stat
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.corpora import Note
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.render import (
    RENDER_RATE,
    find_soundfont,
    fluidsynth,
    master,
    mix,
    players_to_midi,
    random_synth,
)

A4 = Note(0.5, 1.5, 69, 100)
ANY_SOUNDFONT = "TimGM6mb.sf2"


def strongest_hz(mono: np.ndarray, sample_rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono))))
    return float(spectrum.argmax() * sample_rate / len(mono))


def test_players_become_tracks_of_their_own_channels() -> None:
    lead = Player("melody", 71, [A4], gain_db=0, pan=-1)
    drums = Player("drums", 8, [Note(0, 0.1, 36, 90)])
    bass = Player("bass", 33, [Note(0, 1, 40, 80)], gain_db=-6, pan=1)
    midi = players_to_midi([lead, drums, bass])
    assert [track.name for track in midi.tracks] == ["melody", "drums", "bass"]
    channels = [{m.channel for m in track if not m.is_meta} for track in midi.tracks]
    assert channels == [{0}, {9}, {1}]
    programs = [m.program for track in midi.tracks for m in track if m.type == "program_change"]
    assert programs == [71, 8, 33]
    controls = [{m.control: m.value for m in t if m.type == "control_change"} for t in midi.tracks]
    assert controls == [{7: 90, 10: 1}, {7: 90, 10: 64}, {7: 63, 10: 127}]
    on = next(m for m in midi.tracks[0] if m.type == "note_on")
    assert (on.time, on.note, on.velocity) == (960, 69, 100)  # 0.5 s is one beat of 960 ticks
    assert midi.length == pytest.approx(1.5)


def test_a_note_is_ended_before_it_is_struck_again() -> None:
    again = Player("comp", 0, [Note(0, 0.5, 60, 90), Note(0.5, 1, 60, 90), Note(1, 1, 60, 90)])
    kinds = [m.type for m in players_to_midi([again]).tracks[0] if m.type[:5] == "note_"]
    assert kinds == ["note_on", "note_off"] * 3


def test_fifteen_players_besides_the_drums_have_a_channel() -> None:
    players = [Player("comp", k, [A4]) for k in range(15)]
    tracks = players_to_midi(players).tracks
    assert len({m.channel for t in tracks for m in t if not m.is_meta} - {9}) == 15


def test_a_missing_soundfont_says_what_to_install() -> None:
    with pytest.raises(
        DataError, match=r"SoundFont none\.sf2 in /usr.*run scripts/install-system train"
    ):
        find_soundfont("none.sf2")


def test_a_soundfont_may_be_a_path(tmp_path: Path) -> None:
    (tmp_path / "own.sf2").touch()
    assert find_soundfont(str(tmp_path / "own.sf2")) == tmp_path / "own.sf2"


def test_a_missing_fluidsynth_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match="program fluidsynth; run scripts/install-system"):
        fluidsynth(players_to_midi([]), ANY_SOUNDFONT)


def test_what_fluidsynth_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "fluidsynth"
    program.write_text("#!/bin/sh\necho out of tune >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "own.sf2").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="fluidsynth made no sound: out of tune"):
        fluidsynth(players_to_midi([]), str(tmp_path / "own.sf2"))


@pytest.mark.e2e
def test_fluidsynth_plays_a_note_at_its_time_and_pitch() -> None:
    audio = fluidsynth(players_to_midi([Player("melody", 73, [A4])]), ANY_SOUNDFONT)
    assert audio.dtype == np.float32 and audio.shape[1] == 2
    assert len(audio) >= 1.5 * RENDER_RATE
    mono = audio.mean(1)
    assert np.abs(mono[: int(0.48 * RENDER_RATE)]).max() < 1e-3
    assert np.abs(mono[int(0.6 * RENDER_RATE) : RENDER_RATE]).max() > 0.01
    # The flute's sound is a little off its nominal pitch: within a quarter tone.
    sound = mono[int(0.6 * RENDER_RATE) : int(1.4 * RENDER_RATE)]
    assert strongest_hz(sound, RENDER_RATE) == pytest.approx(440, rel=0.029)


@pytest.mark.parametrize("seed", range(4))
def test_the_random_synthesizer_plays_a_note_at_its_time_and_pitch(seed: int) -> None:
    audio = random_synth(Player("melody", 0, [A4], pan=0.5), np.random.default_rng(seed))
    assert audio.dtype == np.float32 and audio.shape == (int(2.5 * RENDER_RATE), 2)
    assert not audio[: int(0.5 * RENDER_RATE)].any() and audio[int(0.55 * RENDER_RATE) :].any()
    assert not audio[int(1.6 * RENDER_RATE) :].any()
    left, right = np.sqrt((audio**2).mean(0))
    assert right > left
    spectrum = np.abs(np.fft.rfft(audio.sum(1)))
    harmonics = np.arange(len(spectrum)) / 2.5 % 440
    near = (harmonics < 20) | (harmonics > 420)  # vibrato moves them a little
    assert (spectrum[near] ** 2).sum() > 0.9 * (spectrum**2).sum()


def test_a_player_without_notes_is_silent() -> None:
    assert not random_synth(Player("pad", 0), np.random.default_rng(0)).any()


def test_a_mix_is_the_sum_at_one_level() -> None:
    long, short = np.full((5, 2), 0.1, np.float32), np.full((2, 2), 0.3, np.float32)
    np.testing.assert_allclose(mix([long, short])[:, 0], [0.7, 0.7, 0.175, 0.175, 0.175], rtol=1e-6)


def test_a_mix_of_silence_is_silence() -> None:
    assert not mix([np.zeros((4, 2), np.float32)]).any()


@pytest.mark.parametrize("seed", range(6))
def test_a_master_is_sound_of_the_same_length(seed: int) -> None:
    time = np.arange(RENDER_RATE // 2) / RENDER_RATE
    tone = np.repeat(0.5 * np.sin(2 * np.pi * 440 * time)[:, None], 2, 1).astype(np.float32)
    out = master(tone, np.random.default_rng(seed))
    assert out.shape == tone.shape and out.dtype == np.float32 and np.isfinite(out).all()
    assert 0.1 < np.abs(out).max() < 1.05
    assert strongest_hz(out.mean(1), RENDER_RATE) == pytest.approx(440, abs=3)
