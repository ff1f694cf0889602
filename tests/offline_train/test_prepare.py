"""From a data folder to takes on disk, with a synthesizer in FluidSynth's place; once with it."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from models.features import LOG_STFT_16K, Features
from offline_train import prepare as module
from offline_train.band import Player
from offline_train.corpora import Song, read_song
from offline_train.dataset import read_takes
from offline_train.prepare import PrepareConfig, cut, features_of, prepare, render_band, waveform
from offline_train.render import RENDER_RATE, Audio
from tests.offline_train.fixtures import MELODY, PIANO, write_data, write_song

N_COVER = len(MELODY) + len(PIANO) - 1


class InProcess:
    """A pool that works in this process, so that what a test replaces is replaced in the work."""

    def __init__(self, workers: int) -> None:
        assert workers == 1

    def __enter__(self) -> "InProcess":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def submit(self, function: object, *arguments: object) -> "Future[object]":
        assert callable(function)
        future: Future[object] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The SoundFonts asked for; every rendering is a tone that lasts as long as the MIDI."""
    asked: list[str] = []

    def tone(players: list[Player], font: str) -> Audio:
        asked.append(font)
        end = max((n.offset for p in players for n in p.notes), default=0.0)
        time = np.arange(int(end * RENDER_RATE)) / RENDER_RATE
        return np.repeat(0.3 * np.sin(2764.6 * time)[:, None], 2, 1).astype(np.float32)

    monkeypatch.setattr(module, "players_to_midi", lambda players: players)
    monkeypatch.setattr(module, "fluidsynth", tone)
    monkeypatch.setattr(module, "ProcessPoolExecutor", InProcess)
    yield asked


@pytest.fixture
def config(tmp_path: Path) -> PrepareConfig:
    return PrepareConfig(write_data(tmp_path / "data"), tmp_path / "out")


def test_an_excerpt_begins_at_zero(tmp_path: Path) -> None:
    part = cut(read_song(write_song(tmp_path / "007")), 1.5, 2.0)
    assert [n.onset for n in part.melody] == pytest.approx([0.0, 0.5, 1.0, 1.5])
    assert max(n.offset for n in part.melody) <= 2.0
    assert [n.onset for n in part.bridge] == pytest.approx([0.5])
    assert part.bridge[0].offset == 2.0  # cut off
    assert [b.time for b in part.beats] == pytest.approx([0.0, 0.5, 1.0, 1.5])
    assert [b.is_downbeat for b in part.beats] == [False, True, False, False]
    np.testing.assert_allclose([c[:2] for c in part.chords], [(0.0, 0.5), (0.5, 2.0)])


def test_a_split_becomes_takes(config: PrepareConfig, renderings: list[str]) -> None:
    assert prepare(config) == 2
    takes = read_takes(config.out)
    assert [t.features.name for t in takes] == ["001-0.features.npy", "002-0.features.npy"]
    features = np.load(takes[0].features)
    assert features.dtype == np.float16 and features.shape[1] == LOG_STFT_16K.n_bins
    assert len(features) * LOG_STFT_16K.frame_s >= 7.9
    assert takes[0].notes.shape == (N_COVER, 5)
    assert takes[0].notes[:, 4].sum() == len(MELODY)
    facts = [json.loads(line) for line in (config.out / "manifest.jsonl").open()]
    assert sorted(f["name"] for f in facts) == ["001-0", "002-0"]
    assert all(f["players"] and f["seconds"] > 7 and f["start"] == 0.0 for f in facts)
    assert "TimGM6mb.sf2" not in renderings  # kept for tests
    assert json.loads((config.out / "config.json").read_text())["split"] == "train"


def test_what_is_there_is_not_rendered_again(
    config: PrepareConfig, renderings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(config)
    before = {p.name: p.read_bytes() for p in config.out.glob("*.npy")}
    (config.out / "002-0.features.npy").unlink()
    done: list[str] = []

    def read_and_note(folder: Path) -> Song:
        done.append(folder.name)
        return read_song(folder)

    monkeypatch.setattr(module, "read_song", read_and_note)
    assert prepare(config) == 2
    assert done == ["002"]
    assert {p.name: p.read_bytes() for p in config.out.glob("*.npy")} == before
    prepare(config)
    assert done == ["002"]


def test_a_broken_song_is_named_skipped_and_counted(
    config: PrepareConfig, renderings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    (config.data / "pop909" / "001" / "001.mid").write_bytes(b"no MIDI")
    with caplog.at_level(logging.WARNING):
        assert prepare(config) == 1
    (message,) = [r.getMessage() for r in caplog.records]
    assert message.startswith("skipped 001: ") and "001.mid: expected a MIDI file" in message
    assert [t.features.name for t in read_takes(config.out)] == ["002-0.features.npy"]


def test_takes_differ_and_their_seed_repeats_them(
    config: PrepareConfig, renderings: list[str], tmp_path: Path
) -> None:
    two = PrepareConfig(config.data, tmp_path / "two", takes=2, limit=1)
    again = PrepareConfig(config.data, tmp_path / "again", takes=2, limit=1)
    assert prepare(two) == prepare(again) == 2
    first, second = (np.load(two.out / f"001-{k}.features.npy") for k in (0, 1))
    assert first.shape != second.shape or not np.array_equal(first, second)
    np.testing.assert_array_equal(first, np.load(again.out / "001-0.features.npy"))


def test_long_songs_are_cut(config: PrepareConfig, renderings: list[str], tmp_path: Path) -> None:
    short = PrepareConfig(config.data, tmp_path / "short", excerpt_s=3.0)
    prepare(short)
    for line in (short.out / "manifest.jsonl").open():
        assert 0 < json.loads(line)["start"] < 5
    for take in read_takes(short.out):
        assert 0 < len(take.notes) < N_COVER and take.notes[:, 1].max() <= 3.0


def test_the_test_band_has_the_unheard_source_only(tmp_path: Path, renderings: list[str]) -> None:
    song = read_song(write_song(tmp_path / "007"))
    for seed in range(5):
        audio, chosen = render_band(song, np.random.default_rng(seed), heard=False)
        assert audio.shape[1] == 2 and chosen["players"]
    assert set(renderings) == {"TimGM6mb.sf2"}


def test_a_frame_is_centred_on_its_time() -> None:
    click = np.zeros((RENDER_RATE, 2), np.float32)
    click[RENDER_RATE // 2] = 1
    samples = waveform(click, 16000)
    assert samples.shape == (16000,) and samples.dtype == np.float32
    features = features_of(samples, Features(LOG_STFT_16K), LOG_STFT_16K)
    assert features.shape == (16000 // 256 + 1, LOG_STFT_16K.n_bins)
    loudest = int(features.sum(1).argmax())
    assert loudest * LOG_STFT_16K.frame_s == pytest.approx(0.5, abs=LOG_STFT_16K.frame_s)


@pytest.mark.e2e
def test_prepare_renders_with_fluidsynth_in_processes(
    config: PrepareConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = PrepareConfig(config.data, config.out, split="test", heard=False, workers=2)
    assert prepare(heard) == 1
    (take,) = read_takes(config.out)
    features = np.load(take.features)
    assert features.max() > 0 > features.min()  # some of it loud, some of it silent
