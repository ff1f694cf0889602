"""The builder of pairs: alignment of features with a known warp, verdicts, folders, resuming."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from engine.core.errors import ConfigError, DataError, DeviceError
from offline_train.cli import main
from offline_train.data.shards import Piece, read_shards, write_shard
from offline_train.studies.pairs import build as building
from offline_train.studies.pairs.acceptance import (
    Figures,
    Limits,
    check_figures,
    check_lengths,
    figures,
)
from offline_train.studies.pairs.align import align, subsequence
from offline_train.studies.pairs.build import PairsConfig, build
from offline_train.studies.pairs.folder import Pair, find_pairs, kept_apart
from offline_train.studies.pairs.proof import random_warp
from offline_train.studies.pairs.results import PairResult, read_result, write_parts
from offline_train.studies.pairs.sound import (
    CHROMA_RATE,
    ONSET_RATE,
    SAMPLE_RATE,
    Recording,
    music_range,
    read_mono,
)
from offline_train.studies.pairs.transcribe import warp_notes
from tests.messages import refused
from tests.offline_train.shard_fixtures import song as sines
from tests.offline_train.shard_fixtures import write_folder

SECONDS = 40.0
LEAD = 1.5


def tune(seed: int, seconds: float = SECONDS) -> np.ndarray:
    """Notes (n, 5) of a made-up piece: a chord each second, a tune of quarter seconds over it."""
    rng = np.random.default_rng(seed)
    notes = []
    for second in range(int(seconds)):
        root = int(rng.choice([0, 2, 4, 5, 7, 9]))
        notes += [(second, second + 1, 48 + root + third, 60, 0) for third in (0, 4, 7)]
        beats = np.flatnonzero(rng.random(4) < 0.7) / 4
        pitches = rng.choice([0, 2, 4, 5, 7, 9, 11], len(beats))
        notes += [
            (second + b, second + b + 0.25, 72 + p, 80, 1)
            for b, p in zip(beats, pitches, strict=True)
        ]
    return np.array(notes, np.float32)


def recording(notes: np.ndarray, seconds: float, start: float = 0.0, seed: int = 0) -> Recording:
    """What ``measure`` would give for notes, with noise."""
    rng = np.random.default_rng(seed)
    chroma = 0.1 * rng.random((12, int(seconds * CHROMA_RATE)))
    onsets = 0.1 * rng.random((12, int(seconds * ONSET_RATE)))
    flux = 0.1 * rng.random((4, int(seconds * ONSET_RATE)))
    for onset, offset, pitch, *_ in notes:
        chroma[int(pitch) % 12, round(onset * CHROMA_RATE) : round(offset * CHROMA_RATE)] += 0.4
        for blurred, height in ((onsets[int(pitch) % 12 :], 0.6), (flux, 0.8)):
            frame = round(onset * ONSET_RATE)
            blurred[0, max(frame - 1, 0) : frame + 2] += height
    arrays = (a.astype(np.float32) for a in (chroma, onsets, flux))
    return Recording(seconds, start, seconds, 0.0, *arrays)


def bent(notes: np.ndarray, seed: int) -> np.ndarray:
    times, mapped = random_warp(SECONDS, np.random.default_rng(seed))
    played = notes.copy()
    played[:, :2] = np.interp(notes[:, :2], times, mapped) + LEAD
    return played


@pytest.fixture(scope="module")
def song() -> Recording:
    return recording(tune(1), SECONDS)


def cover_of(seed: int, transposition: int = 0) -> tuple[np.ndarray, Recording]:
    played = bent(tune(seed), seed=4)
    played[:, 2] += transposition
    return played, recording(played, float(played[:, 1].max()) + seed / 2, LEAD, seed=9)


@pytest.mark.parametrize("transposition", [0, 3, -4])
def test_a_bent_transposed_cover_comes_back_onto_the_song(
    song: Recording, transposition: int
) -> None:
    played, cover = cover_of(1, transposition)
    alignment = align(song, cover)
    assert alignment is not None and alignment.transposition == transposition
    notes = warp_notes(played, alignment)
    true = tune(1)
    errors = alignment.to_song(played[:, 0].astype(float)) - true[:, 0]
    assert np.mean(np.abs(errors) <= 0.05) >= 0.95  # the bar of the project
    assert np.median(np.abs(errors)) < 0.015  # the grid is 10 ms
    assert set(notes[:, 2]) <= set(true[:, 2])
    assert check_figures(figures(song, cover, alignment), Limits()) is None


def test_another_songs_cover_is_rejected(song: Recording) -> None:
    _, cover = cover_of(2)
    alignment = align(song, cover)
    assert alignment is None or check_figures(figures(song, cover, alignment), Limits()) is not None


def test_time_on_the_song_rises_strictly_even_beyond_the_ends(song: Recording) -> None:
    alignment = align(song, cover_of(1)[1])
    assert alignment is not None
    times = alignment.to_song(np.linspace(-5, 60, 5000))
    assert (np.diff(times) > 0).all()


def test_a_subsequence_is_found_where_it_lies() -> None:
    base = np.eye(12, dtype=np.float32)[:, np.random.default_rng(0).integers(0, 12, 80)]
    cost, path = subsequence(base[:, 20:50], base)
    assert cost == pytest.approx(0, abs=1e-6)
    np.testing.assert_array_equal(path, [np.arange(30), np.arange(20, 50)])


def test_a_query_over_twice_as_long_is_not_found() -> None:
    cost, path = subsequence(np.ones((12, 30), np.float32), np.ones((12, 10), np.float32))
    assert cost == np.inf and path.shape == (2, 0)


GOOD = Figures(
    song_seconds=200, cover_seconds=200, start=0, end=200, covered=1, used=1, transposition=0,
    key_cost=0.1, key_margin=0.1, onset_agreement=1, chroma_agreement=0.8, agreeing=1, worst=10,
    tempo=1, slowest=1.1, fastest=0.9, bend=0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, None),
        ({"key_cost": 0.6}, "not this song"),
        ({"key_margin": 0.0}, "key"),
        ({"onset_agreement": 0.1}, "alignment"),
        ({"chroma_agreement": 0.1}, "harmony"),
        ({"agreeing": 0.4}, "harmony"),
        ({"covered": 0.4, "start": 30, "end": 110}, "part"),
        ({"used": 0.4}, "part"),
        ({"bend": 0.3}, "tempo"),
    ],
)
def test_each_figure_has_its_reason(change: dict[str, Any], kind: str | None) -> None:
    reason = check_figures(dataclasses.replace(GOOD, **change), Limits())
    assert reason is None if kind is None else reason is not None and reason.startswith(f"{kind}:")
    assert reason is None or "\n" not in reason


def test_a_cover_of_half_the_song_is_rejected_by_its_length(song: Recording) -> None:
    half = dataclasses.replace(song, end=SECONDS / 2)
    reason = check_lengths(song, half, Limits())
    assert reason is not None and reason.startswith("length:") and "part of the song" in reason
    assert check_lengths(song, song, Limits()) is None


def test_a_bar_that_is_no_number_is_named() -> None:
    with refused(ConfigError, "key_cost", "0", "nan"):
        Limits(key_cost=float("nan"))


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """A chord struck twice a second."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * f * time) for f in (220, 277.2, 329.6, 880))
    noise = 1e-4 * np.random.default_rng(seed).standard_normal(len(time))
    return (0.1 * tones * (0.8 - (time % 0.5)) + noise).astype(np.float32)


def test_silence_and_applause_around_the_music_are_found() -> None:
    pytest.importorskip("librosa")
    rng = np.random.default_rng(1)
    applause = 0.1 * rng.standard_normal(4 * SAMPLE_RATE).astype(np.float32)
    silence = np.zeros(3 * SAMPLE_RATE, np.float32)
    start, end = music_range(np.concatenate([silence, sound(12), applause, silence]))
    assert start == pytest.approx(3, abs=0.7) and end == pytest.approx(15, abs=0.7)
    assert music_range(silence) == (0.0, 0.0)


def test_what_cannot_be_a_song_is_named(tmp_path: Path) -> None:
    short, broken = tmp_path / "short.wav", tmp_path / "broken.mp3"
    soundfile.write(short, sound(3), SAMPLE_RATE)
    broken.write_bytes(b"no sound" * 99)
    with refused(DataError, "short.wav", "20 s", "20 min", "3.0"):
        read_mono(short)
    with pytest.raises(DeviceError, match=r"broken\.mp3 is not an audio file"):
        read_mono(broken)


def lay_out(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_gives_every_cover_of_every_song(tmp_path: Path) -> None:
    lay_out(tmp_path, "b.side/song.mp3", "b.side/cover.wav", "b.side/cover2.flac", "b.side/x.txt")
    lay_out(tmp_path, "a/song.ogg", "a/cover-1.mp3", "none/cover.mp3", "two/song.mp3")
    pairs = find_pairs(tmp_path)
    assert [p.name for p in pairs] == ["a-cover-1", "b_side-cover", "b_side-cover2"]
    assert [p.title for p in pairs] == ["a", "b.side", "b.side"]
    assert pairs[0].song == tmp_path / "a/song.ogg"


def test_covers_may_lie_beside_their_songs_and_midi_wins(tmp_path: Path) -> None:
    lay_out(tmp_path, "x.wav", "x.mid", "x-cover 2.mp3", "x-cover 2.mid", "alone.wav", "no.mid")
    lay_out(tmp_path, "y.mp3", "y.cover.ogg", "z/song.wav", "z/cover.mid", "z/cover.wav", "y.txt")
    assert [(p.title, p.cover.name) for p in find_pairs(tmp_path)] == [
        ("x", "x-cover 2.mid"),
        ("x", "x.mid"),
        ("y", "y.cover.ogg"),
        ("z", "cover.mid"),
    ]


def test_a_table_gives_pairs_with_names_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("song,cover\nx/s.mp3,x/c.mp3\ny/s.mp3,y/c.mp3\n")
    pairs = find_pairs(tmp_path)
    assert [(p.name, p.title) for p in pairs] == [("s-c", "x/s"), ("s-c-2", "y/s")]
    assert pairs[1].cover == tmp_path / "y/c.mp3"
    (tmp_path / "pairs.csv").write_text("song,piano\na,b\n")
    with refused(DataError, "pairs.csv", "line 2", "song", "cover"):
        find_pairs(tmp_path)


def test_a_folder_without_pairs_says_how_they_lie(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected SONG/song\.\* beside SONG/cover"):
        find_pairs(tmp_path)


@pytest.mark.parametrize("n", range(40))
def test_some_songs_are_kept_apart_and_none_comes_to_them_from_the_others(n: int) -> None:
    titles = [f"song {k}" for k in range(n)]
    apart = kept_apart(titles)
    assert (len(apart) >= 1) == (n >= 2) and len(apart) < max(n, 1)
    if n >= 2:  # with one more, what is learned from stays so
        assert kept_apart([*titles, "another"]) - {"another"} <= apart


def written_pair(folder: Path, name: str) -> PairResult:
    """An accepted pair as ``build`` leaves it, of sines."""
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    piece = Piece(name, sines(name, 2.0).arrays, {"seconds": 2.0, "kind": "pair"})
    line = write_shard(folder / "shards" / f"{name}.tar", [piece])
    return PairResult(name, "", "", "accepted", "", [], shard=dataclasses.asdict(line))


def test_the_covers_of_a_song_are_all_learned_from_or_all_kept_apart(tmp_path: Path) -> None:
    titles = ["a", "b", "c"]
    pairs = [Pair(f"{t}-{k}", t, Path(), Path()) for t in titles for k in (1, 2)]
    results = [written_pair(tmp_path, pair.name) for pair in pairs]
    apart = write_parts(tmp_path, pairs, results)
    assert apart == sorted(kept_apart(titles))
    learned = {piece.name[0] for piece in read_shards(tmp_path / "train")}
    checked = {piece.name[0] for piece in read_shards(tmp_path / "valid")}
    assert checked == set(apart) and learned == set(titles) - set(apart)
    assert len(read_shards(tmp_path / "shards")) == 6
    assert read_shards(tmp_path / "valid")[0].array("notes").shape[1] == 5

    assert write_parts(tmp_path, pairs, results[:1]) == []  # the others were rejected since
    assert [piece.name for piece in read_shards(tmp_path / "train")] == ["a-1"]
    with pytest.raises(DataError, match="valid: expected shards"):
        read_shards(tmp_path / "valid")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PairsConfig:
    """One song with a good, a foreign and a broken cover; their features are made up."""
    folder = tmp_path / "in" / "tune"
    folder.mkdir(parents=True)
    recordings = [recording(tune(1), SECONDS), cover_of(1)[1], cover_of(2)[1]]
    lengths = [r.seconds for r in recordings]
    for name, seconds in zip(("song", "cover-good", "cover-other"), lengths, strict=True):
        soundfile.write(folder / f"{name}.wav", sound(seconds), SAMPLE_RATE)
    (folder / "cover-broken.mp3").write_bytes(b"no sound")

    def measured(samples: np.ndarray) -> Recording:
        nearest = np.abs(np.array(lengths) - len(samples) / SAMPLE_RATE).argmin()
        return recordings[int(nearest)]

    monkeypatch.setattr(building, "measure", measured)
    monkeypatch.setattr(building, "require_synctoolbox", lambda: None)
    monkeypatch.setattr(building, "open_transcriber", lambda *_: lambda *_: cover_of(1)[0])
    return PairsConfig(tmp_path / "in", tmp_path / "out")


def test_a_folder_becomes_midi_shards_and_a_report(
    config: PairsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, apart = build(config)
    results = {r.name: r for r in made}
    assert {name: r.status for name, r in results.items()} == {
        "tune-cover-good": "accepted",
        "tune-cover-other": "rejected",
        "tune-cover-broken": "broken",
    }
    assert "cover-broken.mp3" in results["tune-cover-broken"].reason
    assert [p.name for p in (config.out / "midi").glob("*.mid")] == ["tune-cover-good.mid"]
    assert mido.MidiFile(config.out / "midi/tune-cover-good.mid").length == pytest.approx(40, abs=1)
    (piece,) = read_shards(config.out / "train")
    assert apart == []  # of one song
    stems, notes = piece.array("stems"), piece.array("notes")
    assert stems.dtype == np.int16 and stems.shape[1] == 1 and notes.shape[1] == 5
    assert len(stems) == round(piece.facts["seconds"] * 16000)
    first = tune(1)[tune(1)[:, 0] >= piece.facts["start"], 0].min()
    assert notes[:, 0].min() + piece.facts["start"] == pytest.approx(first, abs=0.05)
    report = json.loads((config.out / "report.json").read_text())
    assert (report["accepted"], report["rejected"], report["broken"]) == (1, 1, 1)
    assert "tune-cover-good: accepted" in (config.out / "report.md").read_text()

    def fail(*_: object) -> None:
        raise AssertionError("a finished pair is not done again")

    monkeypatch.setattr(building, "build_song", fail)
    assert {r.name: r.status for r in build(config)[0]} == {n: r.status for n, r in results.items()}


def test_what_is_missing_or_changed_is_done_again(config: PairsConfig) -> None:
    build(config)
    shard = config.out / "shards" / "tune-cover-good.tar"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:100])
    stored = config.out / "pairs" / "tune-cover-other.json"
    stored.write_text(stored.read_text()[:40])
    build(config)
    assert shard.read_bytes() == whole
    again = read_result(stored)
    assert again is not None and again.status == "rejected"
    strict = dataclasses.replace(config, limits=Limits(covered=1.2))
    assert [r.status for r in build(strict)[0]].count("accepted") == 0
    assert not list((config.out / "midi").glob("*.mid"))


def test_a_pair_that_its_owner_vouches_for_is_taken(config: PairsConfig) -> None:
    strict = Limits(onset_agreement=9.0)
    vouched = dataclasses.replace(config, limits=strict, accept=("tune-cover-good",))
    statuses = {result.name: result.status for result in build(vouched)[0]}
    assert statuses["tune-cover-good"] == "accepted" != statuses["tune-cover-other"]
    with refused(DataError, "nothing", "tune-cover-broken"):
        build(dataclasses.replace(config, accept=("nothing",)))


def test_a_folder_of_other_shards_is_left_alone(config: PairsConfig) -> None:
    train = write_folder(config.out / "train", [sines("a", 1.0)])
    before = (train / "manifest.jsonl").read_text()
    with refused(DataError, "train", "--out"):
        build(config)
    assert (train / "manifest.jsonl").read_text() == before


@pytest.mark.slow
def test_a_real_sound_is_measured() -> None:
    pytest.importorskip("synctoolbox")
    from offline_train.studies.pairs.sound import measure

    result = measure(np.concatenate([np.zeros(2 * SAMPLE_RATE, np.float32), sound(22)]))
    assert result.chroma.shape[1] * 2 == result.onsets.shape[1] == result.flux.shape[1]
    strongest = set(np.argsort(result.chroma.mean(1))[-3:])
    assert strongest == {9, 1, 4}  # A, C sharp, E
    beats = result.onsets.sum(0)[2 * ONSET_RATE : 22 * ONSET_RATE].reshape(-1, ONSET_RATE // 2)
    assert (beats.mean(0).argmax() + 6) % 50 <= 12  # struck every half second, within 60 ms


@pytest.mark.parametrize("seed", range(3))
def test_the_known_warp_rises_smoothly_within_its_tempo(seed: int) -> None:
    times, mapped = random_warp(90, np.random.default_rng(seed))
    tempo = np.diff(mapped) / np.diff(times)
    assert 0.85 - 1e-6 <= tempo.min() < tempo.max() <= 1.15 + 1e-6
    assert tempo.std() > 0.02
    assert np.abs(np.diff(np.log(tempo))).max() < 0.02


def test_a_folder_of_broken_pairs_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = tmp_path / "songs" / "one"
    song.mkdir(parents=True)
    for name in ("song.wav", "cover.wav"):
        (song / name).write_bytes(b"no sound")
    command = ["pairs", str(song.parent), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "no pair was accepted, nothing to train on" in capsys.readouterr().err
