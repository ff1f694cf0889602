"""The kit for a GPU, on a CPU and tiny: packed, rendered with small sounds, trained and resumed."""

import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.errors import DataError
from offline_train.cli import main
from offline_train.data.shards import read_shards
from offline_train.recipes.gpu import pack as packing
from offline_train.recipes.gpu.render_ahead import RenderConfig, rendering
from offline_train.synthesis.render import find_soundfont
from offline_train.synthesis.sound_sources import SMALL_SOUNDFONTS, small_sources, tiny_soundfont
from offline_train.synthesis.stems import play_song
from offline_train.synthesis.voices.syllables import BINS
from offline_train.synthesis.voices.voices import bank_path
from tests.messages import refused
from tests.offline_train.fixtures import write_data

TEST_FONT = "TimGM6mb.sf2"  # what the tests' machine has


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with three songs and a solo; the small sounds are the tests' own."""
    data = write_data(tmp_path / "data", 3)
    (data / "giantmidi").mkdir()
    for name in "abcdef":
        shutil.copy(data / "pop909" / "001" / "001.mid", data / "giantmidi" / f"{name}.mid")
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    for name in SMALL_SOUNDFONTS:
        (fonts / name).symlink_to(find_soundfont(TEST_FONT).resolve())
    monkeypatch.setenv("LIVECOVER_SOUNDFONTS", str(fonts))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = Path(__file__).parents[4]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]))
    for voice in small_sources().voices:
        path = bank_path(voice)
        path.parent.mkdir(parents=True, exist_ok=True)
        quiet = np.full((60, BINS), -2.0, np.float16)
        marks = np.array([[0, 10, 50, 60]])
        np.savez(
            path, log_power=quiet, aperiodicity=0 * quiet, is_voiced=quiet[:, 0] < 0, marks=marks
        )
    return data


SMALL = ["--cores", "2", "--songs", "2", "--solos", "2", "--least", "1", "--excerpt", "4"]


@pytest.mark.slow
def test_it_renders_trains_and_goes_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--data", str(data), "--out", str(tmp_path / "out")]
    where += ["--prepared", str(tmp_path / "prepared"), "--device", "cpu"]
    command = ["gpu", "transcriber", "--minutes", "10", *SMALL, *where]
    command += ["--set", "n_frames=64", "batch=1", "valid=valid"]
    last = tmp_path / "out" / "transcriber" / "last.pt"
    hours = 1e-9  # one step, whatever the machine
    for steps in (1, 2):
        assert main([*command, f"hours={hours}"]) == 0
        assert str(last) in capsys.readouterr().out
        checkpoint = torch.load(last, weights_only=True)
        assert checkpoint["step"] == steps
        hours = (checkpoint["seconds"] + 1e-6) / 3600
    for name in ("train", "giantmidi-solo-train", "valid"):
        assert read_shards(tmp_path / "prepared" / name)


def test_songs_are_played_with_small_sounds_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from offline_train.corpora import read_song

    monkeypatch.setenv("PATH", "")  # no program is there
    song = read_song(data / "pop909" / "001")
    stems = play_song(song, 8.0, np.random.default_rng(3), small_sources())
    again = play_song(song, 8.0, np.random.default_rng(3), small_sources())
    assert {"lead", "bass", "chords"} <= {stem.role for stem in stems}
    assert not [stem.role for stem in stems if stem.role.startswith("mma-")]
    for one, other in zip(stems, again, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


def test_a_processes_log_is_named_if_it_renders_nothing(data: Path, tmp_path: Path) -> None:
    config = RenderConfig(data, tmp_path / "prepared", 1, excerpt_s=4.0, songs=2, solos=0, valid=1)
    for path in (data / "pop909").glob("*/chord_midi.txt"):
        if path.parent.name in _train_songs(data):
            path.write_text("broken")
    with refused(DataError, "train", "2", "0", "train.log"), rendering(config):
        raise AssertionError("nothing was rendered")


def _train_songs(data: Path) -> list[str]:
    from offline_train.corpora import split_ids

    return split_ids(data, "train")


def test_the_kit_has_all_that_it_needs_and_no_test_songs(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "PACKAGES", ("mido",))
    monkeypatch.setattr(packing, "CODE", ("offline_train/training",))
    out = tmp_path / "kit.tar.xz"
    size = packing.pack(out, data, "installed", "abc123", 1)
    assert size == out.stat().st_size
    with tarfile.open(out) as tar:
        names = tar.getnames()
        main_file = tar.extractfile("kit/run.py")
        assert main_file is not None
        text = main_file.read().decode()
    assert '["LIVECOVER_COMMIT"] = "abc123"' in text
    compile(text, "run.py", "exec")
    assert "kit/code/offline_train/training/loop.py" in names
    assert "kit/site/mido/__init__.py" in names
    assert {f"kit/soundfonts/{name}" for name in SMALL_SOUNDFONTS} <= set(names)
    assert sum(name.startswith("kit/cache/livecover/voices/") for name in names) == 4
    songs = {name.split("/")[3] for name in names if name.startswith("kit/data/pop909/")}
    assert songs == {_train_songs(data)[0], *_split(data, "valid")[:1]}
    monkeypatch.setattr(packing, "MOST_BYTES", 1000)
    with refused(DataError, "kit.tar.xz", "--songs"):
        packing.pack(out, data, "installed", "abc123", 1)
    monkeypatch.setattr(packing, "PACKAGES", ("no such package",))
    with refused(DataError, "no such package"):
        packing.pack(out, data, "installed", "abc123", 1)


def _split(data: Path, name: str) -> list[str]:
    from offline_train.corpora import split_ids

    return split_ids(data, name)


def test_a_soundfont_without_a_program_plays_its_first(data: Path) -> None:
    from offline_train.corpora import Note
    from offline_train.synthesis.bands.band import Player
    from offline_train.synthesis.render import players_to_midi

    notes = [Note(0.0, 0.5, 60, 100)]
    midi = players_to_midi([Player("lead", 40, notes), Player("drums", 99, notes)])
    sound = tiny_soundfont(midi, SMALL_SOUNDFONTS[0], 16000)
    assert sound.shape[1] == 2 and len(sound) == pytest.approx(1.5 * 16000, rel=0.01)
    assert float(np.abs(sound[:4000]).max()) > 0.001
