"""The ladder's songs: what is the same from rung to rung, and what is drawn from a song's seed."""

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import mido
import numpy as np
import pytest
import soundfile

from engine.core.errors import DataError
from offline_train.corpora import read_song
from offline_train.data import sound_files
from offline_train.data.shards import Piece, append_manifest, write_shard
from offline_train.evaluation.hearing.step_posteriors import sound_of
from offline_train.evaluation.report import RUNG_TITLES
from offline_train.evaluation.songs import recordings, rungs, sung_bands
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE
from offline_train.evaluation.songs.rungs import (
    EvaluateConfig,
    giantmidi_split,
    read_reference_song,
    rendered_songs,
    song_names,
)
from offline_train.synthesis import band_renders
from offline_train.synthesis.render import RENDER_RATE
from tests.messages import says
from tests.offline_train.fixtures import write_data, write_song
from tests.programs import needs


def tone(midi: mido.MidiFile, soundfont: str, sample_rate: int = RENDER_RATE) -> np.ndarray:
    """Eight seconds in FluidSynth's place; its pitch says which tracks there are."""
    names = "".join(track.name for track in midi.tracks) + soundfont
    step = 0.01 + zlib.crc32(names.encode()) % 100 / 1000
    wave = 0.2 * np.sin(np.arange(8 * sample_rate) * step)
    return np.stack([wave, wave], 1).astype(np.float32)


def hum(notes, duration, rng, voices, sample_rate):  # type: ignore[no-untyped-def]
    """A voice in the singer's place: one breath of noise for each note."""
    voice = np.zeros(round(duration * sample_rate), np.float32)
    for note in notes:
        start = round(note.onset * sample_rate)
        voice[start : start + 100] = rng.standard_normal(100)
    return voice


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(band_renders, "fluidsynth", tone)
    monkeypatch.setattr(sung_bands, "fluidsynth", tone)
    monkeypatch.setattr(sung_bands, "sing", hum)
    return write_data(tmp_path / "data")


def config(data: Path, rung: rungs.Rung, **changes: object) -> EvaluateConfig:
    return EvaluateConfig(data, data / "cache", rung=rung, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("rung", ["b", "c", "e"])
def test_a_band_in_stereo_is_the_same_band_in_training(data: Path, rung: rungs.Rung) -> None:
    mono = read_reference_song(config(data, rung, excerpt_s=3.0), "902")
    stereo = read_reference_song(config(data, rung, excerpt_s=3.0, is_stereo=True), "902")
    assert mono.sound.ndim == 1 and stereo.sound.shape == (*mono.sound.shape, 2)
    np.testing.assert_allclose(stereo.samples, mono.samples, atol=2**-15)
    assert np.abs(stereo.sound[:, 1]).max() > 0.01


@pytest.mark.parametrize(("rung", "in_training"), [("a", True), ("b", False)])
def test_rungs_a_and_b_are_the_renderings_of_the_published_figures(
    data: Path, rung: rungs.Rung, in_training: bool
) -> None:
    song = read_reference_song(config(data, rung), "902")
    rng = np.random.default_rng(zlib.crc32(f"7/902/{in_training}".encode()))
    audio, _ = band_renders.render_band(read_song(data / "pop909" / "902"), rng, in_training)
    wanted = np.clip(band_renders.waveform(audio, SAMPLE_RATE), -1, 1)
    assert song.samples == pytest.approx(wanted, abs=2**-15)
    assert song.notes is not None and len(song.notes) == 16 + 24
    assert song.beats is not None and song.beats[:3].tolist() == [0, 0.5, 1]


def test_the_excerpt_is_the_songs_own_and_shared_by_b_and_c(data: Path) -> None:
    songs = [read_reference_song(config(data, rung, excerpt_s=3.0), "902") for rung in ("b", "c")]
    for song in songs:
        assert song.notes is not None and song.beats is not None
        assert song.notes[:, 1].max() <= 3
        assert len(song.beats) in (5, 6)
    assert np.array_equal(np.asarray(songs[0].notes), np.asarray(songs[1].notes))
    n = min(len(song.samples) for song in songs)
    assert not np.allclose(songs[0].samples[:n], songs[1].samples[:n], atol=0.05)


def test_an_excerpt_of_a_song_of_even_tempo_lies_where_it_was_cut(data: Path) -> None:
    own = config(data, "b", excerpt_s=3.0)
    sound, song = sound_of(own, "902"), read_reference_song(own, "902")
    assert song.notes is not None and sound.start > 0
    whole = np.array([note.onset for note, _ in read_song(data / "pop909" / "902").cover()])
    onsets = song.notes[:, :1] + sound.start
    assert np.abs(onsets - whole).min(1).max() < 1e-4


def test_rung_c_is_drawn_from_the_songs_seed(data: Path) -> None:
    one = read_reference_song(config(data, "c"), "902")
    two = read_reference_song(EvaluateConfig(data, data / "other", rung="c"), "902")
    other = read_reference_song(config(data, "c", seed=8), "902")
    assert (one.samples == two.samples).all()
    assert not np.array_equal(one.samples, other.samples)
    assert np.abs(one.samples).max() <= 1


@needs("timidity", "mma")
def test_rung_e_is_another_band_on_the_same_excerpt(data: Path) -> None:
    b, e = (read_reference_song(config(data, rung, excerpt_s=3.0), "902") for rung in ("b", "e"))
    assert b.notes is not None and e.notes is not None and np.array_equal(b.notes, e.notes)
    again = read_reference_song(EvaluateConfig(data, data / "x", rung="e", excerpt_s=3.0), "902")
    assert np.array_equal(e.samples, again.samples)
    level = [np.sqrt(np.mean(np.square(song.samples[:SAMPLE_RATE]))) for song in (b, e)]
    assert level[1] > 0.1 * level[0]


def test_each_choice_has_a_folder_of_its_own(data: Path) -> None:
    configs = [
        config(data, "b"),
        config(data, "c"),
        config(data, "e"),
        config(data, "b", split="valid"),
        config(data, "b", excerpt_s=0.0),
        config(data, "b", seed=8),
        config(data, "d", recordings=data / "x"),
        config(data, "d", recordings=data / "y"),
    ]
    assert len({c.folder for c in configs}) == len(configs)


def test_a_broken_song_is_skipped_and_named(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    (data / "pop909" / "002" / "002.mid").write_bytes(b"not MIDI")
    songs = list(rendered_songs(config(data, "b", split="train")))
    assert [song.name for song in songs] == ["001"]
    assert "skipped 002" in caplog.text and "002.mid" in caplog.text


def test_every_rung_has_a_title() -> None:
    assert set(RUNG_TITLES) == set(get_args(rungs.Rung))


def test_limit(data: Path) -> None:
    assert song_names(config(data, "b", split="train", limit=1)) == ["001"]
    assert song_names(config(data, "b", split="train")) == ["001", "002"]


def write_giantmidi(data: Path, n: int) -> None:
    for k in range(n):
        midi = mido.MidiFile(ticks_per_beat=480)
        track = mido.MidiTrack()
        track.append(mido.Message("control_change", control=64, value=127, time=0))
        track.append(mido.Message("note_on", note=60 + k, velocity=80, time=480))
        track.append(mido.Message("note_on", note=60 + k, velocity=0, time=240))
        track.append(mido.Message("control_change", control=64, value=0, time=480))
        track.append(mido.Message("note_on", note=40, velocity=80, time=480))
        track.append(mido.Message("note_on", note=40, velocity=0, time=480))
        midi.tracks.append(track)
        (data / "giantmidi").mkdir(exist_ok=True)
        midi.save(data / "giantmidi" / f"piece{k}.mid")


def test_every_fifth_piece_is_kept_from_training(data: Path) -> None:
    write_giantmidi(data, 7)
    split = giantmidi_split(data)
    assert [name.removesuffix(".mid") for name in split.held_out] == ["piece0", "piece5"]
    assert len(split.train) == 5 and not set(split.train) & set(split.held_out)


def test_without_giantmidi_it_says_where_to_get_it(data: Path) -> None:
    with pytest.raises(DataError, match="giantmidi"):
        giantmidi_split(data)


def test_the_piano_plays_a_held_out_piece_and_the_pedal_holds_the_truth(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(keys, pedals, seconds, rng, sample_rate):  # type: ignore[no-untyped-def]
        assert [round(key.offset - key.onset, 3) for key in keys] == [0.25, 0.5]
        assert [pedal.is_down for pedal in pedals] == [True, False]
        return np.full((round(seconds * sample_rate), 2), 0.1, np.float32)

    monkeypatch.setattr(rungs, "play_piano", play)
    write_giantmidi(data, 3)
    piano = config(data, "piano")
    song = read_reference_song(piano, song_names(piano)[0])
    assert song.notes is not None and song.beats is None
    lengths = (song.notes[:, 1] - song.notes[:, 0]).tolist()
    assert lengths == pytest.approx([0.75, 0.5])  # the first rings until the pedal goes up
    assert song.seconds == pytest.approx(2.25, abs=0.01)


def test_a_folder_of_sounds_with_a_human_cover_beside_one(data: Path, tmp_path: Path) -> None:
    folder = write_song(tmp_path / "mine")
    sound = np.sin(np.arange(8 * SAMPLE_RATE) / 9).astype(np.float32)
    for name in ("mine.wav", "yours.wav"):
        soundfile.write(folder / name, sound, SAMPLE_RATE)
    own = config(data, "folder", recordings=folder, excerpt_s=4.0)
    assert song_names(own) == ["mine.wav", "yours.wav"]
    mine, yours = (read_reference_song(own, name) for name in song_names(own))
    assert mine.seconds == yours.seconds == 4 and yours.notes is None
    assert mine.notes is not None
    assert mine.notes[:, 0].min() == 0  # the middle four seconds, from a beat
    assert (mine.notes[:, 0] < 4).all() and mine.notes[:, 4].sum() == 8
    shutil.copy(folder / "mine.mid", folder / "yours.mid")  # is seen, though it comes late
    late = read_reference_song(own, "yours.wav").notes
    assert late is not None and np.array_equal(late, mine.notes)


def test_of_a_song_of_an_hour_the_middle_in_training_and_no_more_is_read(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (rungs, recordings):
        monkeypatch.setattr(module, "LONGEST_S", 3.0)
    sound = np.arange(8 * SAMPLE_RATE, dtype=np.float32) / (8 * SAMPLE_RATE)
    soundfile.write(tmp_path / "long.wav", sound, SAMPLE_RATE, subtype="FLOAT")
    read: list[tuple[Path, float, float]] = []

    def read_part(path: Path, start: float, seconds: float) -> np.ndarray:
        read.append((path, start, seconds))
        return sound_files.read_stereo_part(path, start, seconds)

    monkeypatch.setattr(recordings, "read_stereo_part", read_part)
    whole = config(data, "folder", recordings=tmp_path, excerpt_s=0.0)
    song = read_reference_song(whole, "long.wav")
    assert song.seconds == 3.0 and read == [(tmp_path / "long.wav", 2.5, 3.0)]
    assert "long.wav: of 8 s the 3 in the middle are used" in caplog.text


def test_of_a_recording_that_holds_less_than_it_declares_the_beginning_in_training(
    data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cut.flac"
    sound = np.random.default_rng(1).normal(0, 0.1, 9 * SAMPLE_RATE).astype(np.float32)
    soundfile.write(path, sound, SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 9])
    song = read_reference_song(
        config(data, "folder", recordings=tmp_path, excerpt_s=2.0), path.name
    )
    assert 0.3 < song.seconds < 1.5


def test_shards_of_recordings(data: Path, tmp_path: Path) -> None:
    stems = np.round(1000 * np.ones((5 * SAMPLE_RATE, 1))).astype(np.int16)
    folder = tmp_path / "shards"
    folder.mkdir()
    pieces = [Piece(name, {"stems": stems}, {"seconds": 5.0}) for name in ("one", "two")]
    append_manifest(folder, write_shard(folder / "recordings-00000.tar", pieces))
    real = config(data, "d", recordings=folder, excerpt_s=3.0)
    assert song_names(real) == ["one", "two"]
    song = read_reference_song(real, "one")
    assert song.seconds == 3 and song.notes is None
    assert song.samples == pytest.approx(1000 / 32768, abs=1e-4)


def test_shards_of_pairs_bring_their_covers(data: Path, tmp_path: Path) -> None:
    notes = np.array([(0.5, 1.2, 60, 80, 0), (1.5, 2, 62, 80, 1), (4.5, 5, 64, 80, 0)], np.float32)
    piece = Piece("a", {"stems": np.zeros((80000, 1), np.int16), "notes": notes}, {"seconds": 5.0})
    (tmp_path / "valid").mkdir()
    append_manifest(tmp_path / "valid", write_shard(tmp_path / "valid" / "a.tar", [piece]))
    own = config(data, "folder", recordings=tmp_path / "valid", excerpt_s=3.0)
    heard = read_reference_song(own, "a").notes  # of the middle three seconds
    assert heard is not None
    np.testing.assert_allclose(heard, [(0.5, 1, 62, 80, 1)])


@pytest.mark.parametrize("folder", [None, Path("nowhere"), Path(".")])
def test_rung_d_without_recordings_says_what_it_expects(
    folder: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="expects --recordings FOLDER"):
        song_names(config(tmp_path, "d", recordings=folder))


def write_singer(folder: Path, name: str, seconds: float, n_sung: int = 20) -> None:
    folder.mkdir(exist_ok=True)
    sound = 0.1 * np.sin(np.arange(round(seconds * SAMPLE_RATE)) / 7)
    soundfile.write(folder / f"{name}.wav", sound, SAMPLE_RATE)
    lines = [f": {10 * k} 4 {k % 12} la" for k in range(n_sung)]
    (folder / f"{name}.txt").write_text("\n".join(["#BPM:150", "#GAP:500", *lines]))


def test_of_a_singer_the_beginning_and_what_is_sung_in_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "SUNG_S", 15.0)
    write_singer(tmp_path / "songs", "one", 20.0)
    own = config(data, "sung", recordings=tmp_path / "songs", excerpt_s=5.0)
    assert song_names(own) == ["one.wav"]
    song = read_reference_song(own, "one.wav")
    assert song.seconds == 15 and song.notes is None and song.sung is not None
    assert song.sung[:2].tolist() == [[0.5, 0.9, 60], [1.5, 1.9, 61]]
    assert song.sung[-1, 0] == 13.5  # not in the last second
    kept = read_reference_song(own, "one.wav")
    assert kept.sung is not None and np.array_equal(kept.sung, song.sung)
    write_singer(tmp_path / "songs", "one", 20.0, 12)  # it is written anew, and that is seen
    assert len(np.asarray(read_reference_song(own, "one.wav").sung)) == 12


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda folder: (folder / "one.txt").unlink(), ("one.txt", "karaoke file", "one.wav")),
        (lambda folder: (folder / "one.txt").write_text("words"), ("one.txt", "#BPM:")),
        (lambda folder: write_singer(folder, "one", 20.0, 9), ("one.txt", "10", "got 9")),
        (lambda folder: (folder / "one.wav").write_bytes(b"no sound"), ("one.wav",)),
    ],
)
def test_a_singer_who_cannot_be_measured_is_told(
    change: Callable[[Path], object], parts: tuple[str, ...], data: Path, tmp_path: Path
) -> None:
    write_singer(tmp_path / "songs", "one", 20.0)
    change(tmp_path / "songs")
    with pytest.raises(DataError) as caught:
        read_reference_song(config(data, "sung", recordings=tmp_path / "songs"), "one.wav")
    says(caught.value, *parts)


def test_rung_sung_needs_sound_files(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        song_names(config(data, "sung", recordings=tmp_path))
    says(caught.value, "rung sung", "--recordings FOLDER", str(tmp_path))
