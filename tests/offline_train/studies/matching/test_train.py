"""The recipe with a tiny network: it learns, it goes on, and what it leaves can be asked."""

from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
import torch

from engine.core.errors import DataError, ModelError
from models.papers.embedding import EmbeddingConfig, JointEmbedding
from offline_train.data.shards import StoredPiece
from offline_train.studies.matching.embedding_distance import EmbeddedSong
from offline_train.studies.matching.index import PassageIndex, benchmark, build_graph
from offline_train.studies.matching.match import MatchConfig, join_windows, match, save_matches
from offline_train.studies.matching.ranking import unit
from offline_train.studies.matching.snippets import analyze_pieces
from offline_train.studies.matching.train import (
    MatchingConfig,
    begin,
    candidates,
    kl_from_normal,
    load_checkpoint,
    load_embedding,
    losses,
    train,
)
from tests.messages import refused
from tests.offline_train.shard_fixtures import RATE, song, tones, write_folder

TINY = EmbeddingConfig(channels=(4, 4, 4, 4), dims=8, head="register", is_variational=True)


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[StoredPiece]:
    folder = tmp_path_factory.mktemp("train")
    shards = write_folder(folder / "shards", [song("one", 8.0)])
    return analyze_pieces([shards], folder / "heard", "cover")


def config(out: Path) -> MatchingConfig:
    return MatchingConfig(out, TINY, steps=2, batch=4, valid_every=1, valid_candidates=3)


def test_a_run_stops_and_goes_on(tmp_path: Path, heard: list[StoredPiece]) -> None:
    c = config(tmp_path)
    best = train(c, heard, heard)
    assert load_checkpoint(tmp_path / "last.pt")["step"] == 2
    assert isinstance(load_embedding(best), JointEmbedding)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
    assert train(c, heard, heard) == best  # nothing is left to do
    with refused(ModelError, "steps", "2", "3", "another folder"):
        train(replace(c, steps=3), heard, heard)


def test_what_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_text("no")
    with refused(ModelError, "train-embedding"):
        load_embedding(tmp_path / "x.pt")


def test_all_parts_of_the_loss_reach_the_weights(heard: list[StoredPiece]) -> None:
    torch.manual_seed(1)
    network = JointEmbedding(TINY).train()
    c = replace(config(Path()), sound_reconstruction_weight=1.0)
    parts = losses(network, candidates(heard, 3), c)
    assert set(parts) == {"ranking", "kl", "roll", "roll from sound"}
    torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_a_network_with_a_decoder_begins_as_one_without(heard: list[StoredPiece]) -> None:
    torch.manual_seed(1)
    plain, variational = JointEmbedding(replace(TINY, is_variational=False)), JointEmbedding(TINY)
    plain.eval()
    variational.eval()
    begin(variational, plain.state_dict())
    snippets = candidates(heard, 3)
    torch.testing.assert_close(
        variational.embed_score(snippets.rolls), plain.embed_score(snippets.rolls)
    )
    torch.testing.assert_close(
        variational.embed_sound(snippets.sounds), plain.embed_sound(snippets.sounds)
    )
    with pytest.raises(ValueError, match="in the smaller network only"):
        begin(plain, variational.state_dict())


def test_the_distance_from_a_standard_normal() -> None:
    zero = torch.zeros(2, 3)
    assert float(kl_from_normal(zero, zero)) == 0.0
    assert float(kl_from_normal(zero + 2, zero)) == pytest.approx(6.0)


def test_an_index_finds_what_brute_force_finds(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    vectors = unit(rng.standard_normal((300, 8)).astype(np.float32))
    numbers, starts = np.arange(300, dtype=np.int32) % 3, np.arange(300, dtype=np.float32)
    index = PassageIndex("abc", numbers, starts, np.zeros(300, np.int8), build_graph(vectors))
    index.save(tmp_path, {"of": "test"})
    assert PassageIndex.load(tmp_path, {"of": "others"}) is None
    held = PassageIndex.load(tmp_path, {"of": "test"})
    assert held is not None and len(held) == 300
    likeness, found = held.search(3 * vectors[:20], 1)
    assert found[:, 0].tolist() == list(range(20))
    assert likeness[:, 0] == pytest.approx(np.ones(20), abs=1e-5)
    assert held.passage(4) == ("b", 4.0, 0)
    figures = benchmark(vectors, 500, n_queries=20)
    assert figures.n_passages == 500 and figures.recall_at_10 > 0.9 and figures.megabytes > 0


def test_windows_that_follow_each_other_are_one_match() -> None:
    starts = np.arange(6, dtype=np.float32) * 0.504
    names = np.array([0] * 6, np.int32)
    graph = build_graph(np.eye(6, dtype=np.float32))
    index = PassageIndex(["song.mid"], names, starts, np.zeros(6, np.int8), graph)
    found = np.array([[2, -1], [3, 0], [4, -1]])
    likeness = np.array([[0.9, 0.0], [0.8, 0.3], [0.7, 0.0]], np.float32)
    first, *rest = join_windows(index, likeness, found)
    assert (first.n_windows, first.song_start, first.file) == (3, 0.0, "song.mid")
    assert first.start == pytest.approx(1.008)
    assert first.likeness == pytest.approx(0.8)
    assert "song.mid 0:01-0:04" in first.line()
    assert len(rest) == 1 and rest[0].n_windows == 1


def test_a_song_is_matched_with_a_folder(tmp_path: Path, heard: list[StoredPiece]) -> None:
    samples, notes = tones(4.0, 1)
    soundfile.write(tmp_path / "song.wav", samples, RATE)
    midi = mido.MidiFile(ticks_per_beat=480)
    track = midi.add_track("piano")
    for onset, offset, pitch, *_ in notes:
        track.append(mido.Message("note_on", note=int(pitch), velocity=80, time=48))
        ticks = round(960 * float(offset - onset))
        track.append(mido.Message("note_off", note=int(pitch), time=ticks))
    (tmp_path / "corpus").mkdir()
    midi.save(tmp_path / "corpus" / "a.mid")
    (tmp_path / "corpus" / "broken.mid").write_text("no")
    model = train(config(tmp_path / "run"), heard, heard)
    c = MatchConfig(model, tmp_path / "song.wav", tmp_path / "corpus", tmp_path / "cache", keys=12)
    found = match(c)
    assert found and {m.file for m in found} == {"a.mid"}
    assert match(c) == found  # from the kept index
    (path, *_) = save_matches(found[:1], tmp_path / "corpus", tmp_path / "out")
    assert path.is_file()
    with refused(DataError, "MIDI"):
        match(replace(c, corpus=tmp_path / "out" / "none"))


def test_the_learned_distance() -> None:
    torch.manual_seed(1)
    network = JointEmbedding(TINY).eval()
    samples, notes = tones(4.0, 1)
    sound = (samples / 32768).astype(np.float32)
    song = EmbeddedSong(network, sound)
    distance = song.distance(notes)
    assert distance is not None and 0 <= distance <= 2
    assert song.distance(notes[:0]) == 1.0
    assert EmbeddedSong(network, sound[:RATE]).distance(notes) is None
