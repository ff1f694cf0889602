"""A folder of songs and covers becomes a model with one command; three pianists that differ."""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine.core.errors import DataError
from engine.model.model_files import load_model
from models.streaming import StreamingConfig, StreamingCover
from offline_train.cli import main
from offline_train.corpora import Beat, Chord, Note, Song
from offline_train.exporting import thresholds
from offline_train.studies.own_covers.pianists import PIANISTS
from offline_train.studies.own_covers.proof import Manner, Proof, manner_of
from offline_train.studies.pairs import build as building
from offline_train.studies.pairs.cover import read_cover
from offline_train.studies.pairs.sound import SAMPLE_RATE
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.render import players_to_midi
from offline_train.training.cover import task
from tests.messages import refused
from tests.offline_train.studies.pairs.test_pairs import LEAD, SECONDS, bent, recording, sound, tune

SMALL = StreamingConfig(conv_channels=4, channels=8, trunk=8, context=8, hidden=8)


def write_midi(path: Path, notes: np.ndarray, role: str = "piano") -> None:
    played = [Note(float(n[0]), float(n[1]), int(n[2]), int(n[3])) for n in notes]
    players_to_midi([Player(role, 0, played)]).save(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two songs with covers in MIDI, and one with another song's; their features are made up."""
    inside = tmp_path / "mine"
    inside.mkdir()
    asked = []  # what is measured, in this order
    for name, song, covered in (("a", 1, 1), ("b", 2, 2), ("other", 1, 2)):
        notes = bent(tune(covered), seed=4)
        write_midi(inside / f"{name}.mid", notes)
        soundfile.write(inside / f"{name}.wav", sound(SECONDS), SAMPLE_RATE)
        asked += [
            recording(tune(song), SECONDS),
            recording(notes, float(notes[:, 1].max()), LEAD, seed=9),
        ]
    waiting = iter(asked)

    def measured(_: np.ndarray) -> object:
        return next(waiting)

    monkeypatch.setattr(building, "measure", measured)
    monkeypatch.setattr(building, "require_synctoolbox", lambda: None)
    weights = StreamingCover(SMALL).state_dict()
    start = {"recipe": "train-cover", "network": SMALL.to_dict(), "ema": weights}
    torch.save(start, tmp_path / "start.pt")
    return inside


def test_one_command_makes_a_model_of_own_covers_and_resumes(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("LIVECOVER_DATA", raising=False)  # no corpus is needed
    monkeypatch.setattr(thresholds, "TUNING_S", 0.2)
    monkeypatch.setattr(task, "VALIDATION_CROPS", 8)
    caplog.set_level(logging.INFO)
    out = tmp_path / "run"
    command = ["own-covers", str(folder), "--out", str(out), "--name", "me", "--hours", "1e-9"]
    command += ["--start-from", str(tmp_path / "start.pt"), "--set", "n_frames=64", "batch=1"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "a: accepted" in said and "other: rejected" in said and "2 of 3 pairs kept" in said
    assert f"livecover --model {out / 'me.onnx'} --rhythm free" in said
    assert "tuning thresholds on the covers" in caplog.text
    spec = load_model(out / "me.onnx").spec
    assert spec.name == "me" and spec.trained["songs"] == 1
    assert spec.decoding.notes_per_second > 0

    monkeypatch.setattr(building, "build_song", None)  # no pair is done again, and
    assert main([*command, "--transcriber", "basic-pitch"]) == 0  # MIDI is not transcribed
    assert "2 of 3 pairs kept" in capsys.readouterr().out


def test_a_cover_in_midi_has_its_notes_and_sounds(tmp_path: Path) -> None:
    write_midi(tmp_path / "cover.mid", tune(1))
    cover = read_cover(tmp_path / "cover.mid")
    assert cover.notes is not None and len(cover.notes) == len(tune(1))
    np.testing.assert_allclose(np.sort(cover.notes[:, 0]), np.sort(tune(1)[:, 0]), atol=2e-3)
    assert len(cover.samples) == pytest.approx(SECONDS * SAMPLE_RATE, rel=0.02)
    assert float(np.abs(cover.samples).max()) == pytest.approx(0.7)
    assert not cover.notes[:, 4].any()  # which notes are the tune is not known
    write_midi(tmp_path / "short.mid", tune(1, 3.0))
    with refused(DataError, "short.mid", "20 s", "20 min", "3.0"):
        read_cover(tmp_path / "short.mid")
    (tmp_path / "broken.mid").write_bytes(b"no MIDI")
    with pytest.raises(DataError, match=r"broken\.mid"):
        read_cover(tmp_path / "broken.mid")


@pytest.fixture
def a_song() -> Song:
    beats = [Beat(0.5 * k, k % 4 == 0) for k in range(65)]
    melody = [Note(0.5 * k, 0.5 * k + 0.4, 64 + k % 7, 90) for k in range(60)]
    chords = [
        Chord(2.0 * k, 2.0 * k + 2, ("C:maj", "A:min", "F:maj", "G:7")[k % 4]) for k in range(16)
    ]
    return Song("x", melody, [], [], beats, chords)


def test_the_pianists_differ_plainly_and_play_what_hands_can(a_song: Song) -> None:
    manners = {}
    for name, pianist in PIANISTS.items():
        notes = pianist(a_song, np.random.default_rng(1))
        assert notes == pianist(a_song, np.random.default_rng(1)) == sorted(notes)
        assert all(21 <= n.pitch <= 108 and 1 <= n.velocity <= 127 for n in notes)
        assert all(n.offset > n.onset for n in notes)
        for pitch in {n.pitch for n in notes}:
            onsets = [n.onset for n in notes if n.pitch == pitch]
            assert all(b - a >= 0.03 for a, b in pairwise(onsets))
        manners[name] = manner_of([(np.array([(*n, 0) for n in notes], np.float32), 32.0)])
    sparse, dense, arpeggio = manners.values()
    assert sparse.notes_a_second < arpeggio.notes_a_second < dense.notes_a_second
    assert sparse.pitch > arpeggio.pitch > dense.pitch
    assert sparse.velocity < arpeggio.velocity < dense.velocity


def test_a_model_is_told_by_the_pianist_it_is_nearest_to() -> None:
    def manner(rate: float) -> Manner:
        return Manner(rate, 60 + rate, 80, 10, 0.5, 0.3, 0.6, float("nan"))

    pianists = {"few": manner(2), "some": manner(5), "many": manner(9)}
    models = {"few": manner(3), "some": manner(5.5), "many": manner(7.5)}
    proof = Proof(pianists, models, manner(5))
    assert proof.holds() and [proof.nearest(name) for name in models] == list(models)
    table = proof.table()
    assert "the model of many" in table and "the model they began with" in table
    assert not Proof(pianists, {**models, "many": manner(4)}, manner(5)).holds()
