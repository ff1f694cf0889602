"""The example song: what is written, what the band plays, and what ships."""

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from livecover import examples
from offline_train.corpora import Song, read_notes
from offline_train.synthesis import song as module
from offline_train.synthesis.bands.band import parse_chord
from offline_train.synthesis.song import (
    arrange_song,
    beat_times,
    parse_line,
    read_chords,
    reference_midi,
    render_song,
    write_ogg,
    write_song,
)

ROLES = {"melody", "bridge", "comp", "pad", "bass", "drums"}


@pytest.fixture(scope="module")
def song() -> Song:
    return write_song()


def test_a_line_is_pitches_and_beats() -> None:
    notes = parse_line("r:1 Bb3:.5 C#5:1.5 C4:1", [0.0, 0.5, 1.0, 2.0, 3.0], 80)
    assert [n.pitch for n in notes] == [58, 73, 60]
    assert [n.onset for n in notes] == pytest.approx([0.5, 0.75, 2.0])
    assert notes[0].offset == pytest.approx(0.75 - 0.03)
    assert {n.velocity for n in notes} == {80}


def test_chords_share_their_bar() -> None:
    beats = [0.5 * k for k in range(13)]
    chords = read_chords("C:maj | F:maj G:7\nC:maj", beats)
    assert [c[:2] for c in chords] == [(0, 2), (2, 3), (3, 4), (4, 6)]
    assert [c.symbol for c in chords] == ["C:maj", "F:maj", "G:7", "C:maj"]


def test_the_song_is_44_time_and_fills_40_to_60_seconds(song: Song) -> None:
    end = beat_times()[-1]
    assert 40 <= end + module.RING_S <= 60
    downbeats = [k for k, beat in enumerate(song.beats) if beat.is_downbeat]
    assert downbeats == list(range(0, len(song.beats), 4)) and len(song.beats) % 4 == 0
    assert song.duration == pytest.approx(end, abs=0.1)
    assert song.chords[0].start == 0.0 and song.chords[-1].end == pytest.approx(end)
    assert all(a.end == b.start for a, b in zip(song.chords, song.chords[1:], strict=False))


def test_the_last_bars_slow_down(song: Song) -> None:
    lengths = np.diff(beat_times())
    assert (np.diff(lengths) > -1e-9).all() and lengths[-1] > 1.2 * lengths[0]


def test_every_chord_symbol_is_understood_as_written(song: Song) -> None:
    for chord in song.chords:
        parsed = parse_chord(chord.symbol)
        assert parsed is not None, chord.symbol
        quality = chord.symbol.split(":")[1].split("/")[0]
        assert quality == "maj" or parsed[1] != (0, 4, 7), chord.symbol  # the fallback


def test_long_notes_of_the_tune_fit_their_chord(song: Song) -> None:
    for note in song.melody:
        (chord,) = [c for c in song.chords if c.start - 1e-6 <= note.onset < c.end - 1e-6]
        parsed = parse_chord(chord.symbol)
        assert parsed is not None
        if note.offset - note.onset > 1.0:
            assert (note.pitch - parsed[0]) % 12 in parsed[1], (note, chord)


def test_second_voice_lies_below_the_tune(song: Song) -> None:
    tune = {note.onset: note.pitch for note in song.melody}
    assert song.bridge and all(note.onset in tune for note in song.bridge)
    assert {tune[n.onset] - n.pitch for n in song.bridge} <= {3, 4, 5, 7, 8, 9}


def test_the_band_has_every_part(song: Song) -> None:
    players = {player.role: player for player in arrange_song(song)}
    assert set(players) == ROLES
    end = beat_times()[-1]
    for player in players.values():
        assert len(player.notes) > 30
        assert all(0 <= n.onset < n.offset <= end + 0.2 for n in player.notes), player.role
        assert all(0 <= n.pitch <= 127 and 1 <= n.velocity <= 127 for n in player.notes)
    assert min(n.onset for n in players["drums"].notes) < 0.1
    assert min(n.onset for n in players["melody"].notes) > 8  # after the intro
    last_chord = [n for n in players["comp"].notes if n.onset > song.chords[-1].start - 0.05]
    assert {n.pitch % 12 for n in last_chord} == {5, 9, 0}  # F, A, C: home


def test_the_arrangement_is_the_same_each_time(song: Song) -> None:
    assert arrange_song(song) == arrange_song(write_song())


def test_the_shipped_reference_is_what_is_written(song: Song, tmp_path: Path) -> None:
    reference_midi(song).save(tmp_path / "now.mid")
    shipped = examples.path("auld-lang-syne.mid")
    assert shipped.read_bytes() == (tmp_path / "now.mid").read_bytes()
    tracks = read_notes(shipped)
    assert [n.pitch for n in tracks["melody"]] == [n.pitch for n in song.melody]
    onsets = [n.onset for n in tracks["melody"]]
    assert onsets == pytest.approx([n.onset for n in song.melody], abs=0.001)
    assert tracks["chords"]
    markers = [m.text for t in mido.MidiFile(shipped).tracks for m in t if m.type == "marker"]
    assert markers == [chord.symbol for chord in song.chords]


def test_the_shipped_song_is_small_long_and_clean() -> None:
    path = examples.path()
    assert path.stat().st_size < 1_500_000
    sound, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert sample_rate == 44100 and sound.shape[1] == 2
    assert len(sound) / sample_rate == pytest.approx(beat_times()[-1] + module.RING_S, abs=0.01)
    assert 0.5 < np.abs(sound).max() < 0.99
    level_db = 20 * np.log10(np.sqrt((sound**2).mean()))
    assert -20 < level_db < -12
    assert np.abs(sound[-200:]).max() < 1e-3  # faded out
    assert not np.array_equal(sound[:, 0], sound[:, 1])


def test_the_tune_sounds_in_the_shipped_song(song: Song) -> None:
    """Nearly every note of the tune stands 6 dB above its neighbours of a semitone."""
    sound, sample_rate = soundfile.read(examples.path(), dtype="float32")
    mono = sound.mean(1)
    n_fft = 1 << 17  # zero-padded: bins of 0.34 Hz
    hertz = np.arange(n_fft // 2 + 1) * sample_rate / n_fft

    def stands_out(onset: float, offset: float, pitch: int) -> bool:
        start, stop = ((np.array([onset + 0.04, min(offset, onset + 0.5)])) * sample_rate).astype(
            int
        )
        spectrum = np.abs(np.fft.rfft(mono[start:stop] * np.hanning(stop - start), n_fft))
        levels = []
        for p in (pitch - 1, pitch, pitch + 1):
            low, high = 440 * 2 ** ((p - 69 + np.array([-0.25, 0.25])) / 12)
            levels.append(spectrum[(hertz >= low) & (hertz <= high)].max())
        return bool(levels[1] > 2 * max(levels[0], levels[2]))

    heard = [stands_out(n.onset, n.offset, n.pitch) for n in song.melody]
    moved = [stands_out(n.onset, n.offset, n.pitch + 1) for n in song.melody]
    assert np.mean(heard) > 0.9 and np.mean(moved) < 0.1


def test_long_sound_is_written_whole(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, (44100 * 3 + 17, 2)).astype(np.float32)
    write_ogg(tmp_path / "noise.ogg", sound)
    assert soundfile.info(tmp_path / "noise.ogg").frames == len(sound)


@pytest.mark.e2e
def test_a_rendering_of_a_few_seconds_gives_sound(song: Song) -> None:
    players = arrange_song(song)
    for player in players:
        player.notes = [n for n in player.notes if n.onset < 3.0]
    sound = render_song(players, 5.0, "TimGM6mb.sf2")
    assert sound.shape == (5 * 44100, 2) and np.isfinite(sound).all()
    assert np.abs(sound).max() == pytest.approx(10 ** (module.PEAK_DBFS / 20), rel=1e-3)
    seconds = np.sqrt((sound.reshape(5, 44100, 2) ** 2).mean((1, 2)))
    assert (seconds[:3] > 0.01).all() and seconds[4] < 0.1 * seconds[0]
    assert np.abs(sound[-100:]).max() < 1e-3


@pytest.mark.e2e
def test_the_script_writes_sound_and_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SOUNDFONT", "TimGM6mb.sf2")
    seconds = np.zeros((44100, 2), np.float32)
    monkeypatch.setattr(module, "render_song", lambda players, length: seconds)
    module.make_song(tmp_path / "out.ogg")
    assert soundfile.info(tmp_path / "out.ogg").frames == 44100
    assert (tmp_path / "out.mid").read_bytes() == examples.path("auld-lang-syne.mid").read_bytes()
