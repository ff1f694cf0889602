"""From a data folder to shards on disk, with a synthesizer in FluidSynth's place; once with it."""

import dataclasses
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import mido
import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.corpora import Note, Song
from offline_train.data.prepare import PrepareConfig, plan, prepare
from offline_train.data.shards import manifest_hash, read_manifest, read_shards
from offline_train.synthesis import stems as stems_module
from offline_train.synthesis.render import Audio
from tests.messages import refused
from tests.offline_train.fixtures import MELODY, PIANO, write_data

N_COVER = len(MELODY) + len(PIANO) - 1


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The SoundFonts asked for; every rendering is a tone that lasts as long as the MIDI."""
    asked: list[str] = []

    def tone(midi: mido.MidiFile, font: str, sample_rate: int) -> Audio:
        asked.append(font)
        time = np.arange(int(midi.length * sample_rate)) / sample_rate
        return np.repeat(0.3 * np.sin(2764.6 * time)[:, None], 2, 1).astype(np.float32)

    def voice(
        notes: Sequence[Note], seconds: float, rng: np.random.Generator, *_: object, **__: object
    ) -> Audio:
        asked.append("voice")
        return 0.1 * rng.standard_normal(round(seconds * 16000)).astype(np.float32)

    def machine(song: Song, rng: np.random.Generator) -> list[object]:
        return []

    monkeypatch.setattr(stems_module, "fluidsynth", tone)
    monkeypatch.setattr(stems_module, "sing", voice)
    monkeypatch.setattr(stems_module, "mma_players", machine)
    yield asked


@pytest.fixture
def config(tmp_path: Path) -> PrepareConfig:
    return PrepareConfig(write_data(tmp_path / "data", 3), tmp_path / "out", pieces=2, workers=0)


def test_a_split_becomes_shards(config: PrepareConfig, renderings: list[str]) -> None:
    assert prepare(config) == 3
    lines = read_manifest(config.out)
    assert [(line.file, line.pieces) for line in lines.values()] == [
        ("shard-00000.tar", 2),
        ("shard-00001.tar", 1),
    ]
    pieces = read_shards(config.out)
    assert sorted(p.name for p in pieces) == ["001-0", "002-0", "003-0"]
    for piece in pieces:
        stems, roles = piece.array("stems"), piece.facts["roles"]
        assert stems.dtype == np.int16 and stems.shape[1] == len(roles)
        assert len(stems) == round(piece.facts["seconds"] * 16000)
        assert "lead" in roles and piece.facts["kind"] == "pop909"
        cover, score = piece.array("notes"), piece.array("score")
        assert cover.shape == (N_COVER, 5) and cover[:, 4].sum() == len(MELODY)
        drums = [k for k, role in enumerate(roles) if role == "drums"]
        assert not np.isin(score[:, 4], drums).any()
        lead = score[score[:, 4] == roles.index("lead")]
        assert len(lead) == len(MELODY)
        assert piece.array("beats").shape == (16, 2)
    assert "TimGM6mb.sf2" not in renderings  # kept for tests


def test_a_stem_has_the_common_level(config: PrepareConfig, renderings: list[str]) -> None:
    prepare(config)
    for piece in read_shards(config.out):
        level = np.sqrt(np.square(piece.array("stems") / 32768.0).mean(0))
        assert ((level > 0.03) & (level < 0.13)).all()


def test_what_is_there_is_not_rendered_again_and_what_was_cut_is(
    config: PrepareConfig, renderings: list[str]
) -> None:
    prepare(config)
    before, facts = manifest_hash(config.out), (config.out / "config.json").read_text()
    path = config.out / "shard-00001.tar"
    path.write_bytes(path.read_bytes()[:-512])
    kept = (config.out / "shard-00000.tar").stat().st_mtime_ns
    assert prepare(config) == 3
    assert (config.out / "shard-00000.tar").stat().st_mtime_ns == kept
    assert manifest_hash(config.out) == before
    renderings.clear()
    assert prepare(config) == 3 and not renderings
    assert (config.out / "config.json").read_text() == facts


def test_other_settings_need_another_folder(config: PrepareConfig, renderings: list[str]) -> None:
    prepare(config)
    with refused(DataError, "excerpt_s", "seed", "another folder"):
        prepare(dataclasses.replace(config, seed=2, excerpt_s=3.0))
    prepare(dataclasses.replace(config, workers=1))


def test_a_broken_song_is_named_skipped_and_counted(
    config: PrepareConfig, renderings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    (config.data / "pop909" / "001" / "001.mid").write_bytes(b"no MIDI")
    with caplog.at_level(logging.WARNING):
        assert prepare(config) == 2
    skipped, count = [r.getMessage() for r in caplog.records]
    assert skipped.startswith("skipped 001: ") and "001.mid: expected a MIDI file" in skipped
    assert count.endswith("1 of 3 pieces could not be made")


def test_takes_differ_and_their_seed_repeats_them(
    config: PrepareConfig, renderings: list[str], tmp_path: Path
) -> None:
    two = dataclasses.replace(config, out=tmp_path / "two", takes=2, limit=1)
    again = dataclasses.replace(config, out=tmp_path / "again", takes=2, limit=1)
    assert prepare(two) == prepare(again) == 2
    assert manifest_hash(two.out) == manifest_hash(again.out)
    first, second = read_shards(two.out)
    assert first.facts["seed"] != second.facts["seed"]
    assert first.facts["sources"] != second.facts["sources"]


def test_songs_at_the_start_can_be_left_out(
    config: PrepareConfig, renderings: list[str], tmp_path: Path
) -> None:
    assert prepare(config) == 3
    rest = dataclasses.replace(config, out=tmp_path / "rest", skip=1)
    assert prepare(rest) == 2
    every, some = ({p.name for p in read_shards(c.out)} for c in (config, rest))
    assert some < every


def test_long_songs_are_cut(config: PrepareConfig, renderings: list[str]) -> None:
    short = dataclasses.replace(config, excerpt_s=3.0)
    prepare(short)
    for piece in read_shards(short.out):
        assert 0 < piece.facts["start"] < 5 and piece.facts["seconds"] == 3.0
        notes = piece.array("notes")
        assert 0 < len(notes) < N_COVER and notes[:, 1].max() <= 3.0


def test_the_piano_alone_is_one_stem(config: PrepareConfig, renderings: list[str]) -> None:
    solo = dataclasses.replace(config, solo=True)
    assert prepare(solo) == 3
    for piece in read_shards(solo.out):
        assert piece.facts["roles"] == ["solo"] and piece.facts["kind"] == "solo"
        assert "notes" not in piece
        assert len(piece.array("score")) == len(PIANO)


def test_the_plan_takes_every_song_once_a_take(config: PrepareConfig) -> None:
    twice = plan(dataclasses.replace(config, takes=2))
    assert [len(shard) for shard in twice] == [2, 2, 2]
    assert sorted(x for shard in twice for x in shard) == [
        (song, take) for song in ("001", "002", "003") for take in (0, 1)
    ]


@pytest.mark.e2e
@pytest.mark.usefixtures("small_sounds")
def test_prepare_renders_with_real_programs_in_processes(config: PrepareConfig) -> None:
    assert prepare(dataclasses.replace(config, workers=2)) == 3
    again = dataclasses.replace(config, out=config.out.with_name("again"), workers=1)
    assert prepare(again) == 3
    assert manifest_hash(again.out) == manifest_hash(config.out)
    config_facts = json.loads((config.out / "config.json").read_text())
    assert config_facts["split"] == "train"
