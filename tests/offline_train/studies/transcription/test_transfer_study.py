"""Paper 2's study on a tiny slice, its sounds, its tables and its answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.core.errors import ConfigError, DataError
from models.features import LOG_STFT_16K
from models.papers.unet_lstm import UnetLstmConfig
from offline_train.corpora import Note
from offline_train.corpora.midi import read_notes
from offline_train.data.shards import append_manifest, read_shards, write_shard
from offline_train.studies.experiments import ExperimentConfig, run_experiment
from offline_train.studies.transcription import sounds, transfer_study
from offline_train.studies.transcription.rolls import MEASURES, Score
from offline_train.studies.transcription.sounds import SoundConfig, as_guitar, prepare_sounds
from offline_train.studies.transcription.tables import (
    epochs_to_reach,
    transfer_answers,
    transfer_table,
)
from offline_train.synthesis.band_renders import HELD_OUT_SOUNDFONT
from tests.messages import refused
from tests.offline_train.fixtures import write_data, write_solo
from tests.offline_train.shard_fixtures import song, tones


def make_data(folder: Path) -> Path:
    """Shards of sines where the study looks for its sounds."""
    for domain in sounds.DOMAINS:
        for split, n in (("train", 2), ("valid", 1), ("test", 1)):
            own = folder / f"{domain}-{split}"
            own.mkdir(parents=True)
            for k in range(n):
                shard = own / f"shard-{k:05d}.tar"
                append_manifest(own, write_shard(shard, [song(f"{domain}-{k:05d}", 2.0)]))
    return folder


def test_the_study_runs_to_its_end_and_again_from_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = transfer_study.Scale(
        0.1, 0.05, 0.05, 3.0, 32, 2, 2, 1, UnetLstmConfig(channels=(2, 2), hidden=4), n_recordings=0
    )
    monkeypatch.setitem(transfer_study.SCALES, "tiny", tiny)
    quick = replace(LOG_STFT_16K, name="quick", n_bins=176, hop_length=512)  # for the CQT
    monkeypatch.setattr(transfer_study, "CQT_TRANSFER", quick)
    make_data(tmp_path / "out" / "data")
    config = ExperimentConfig(tmp_path, tmp_path / "out", "tiny")
    report = run_experiment("transfer", config)
    assert report.count("| synthesized → piano |") == 3
    for words in ("Table 1. Frame", "Table 2. Note", "Table 3. Note with offset", "RQ1", "RQ3"):
        assert words in report
    assert (config.out / "figure3.png").stat().st_size > 5000
    results = transfer_study.read_results(config.out / "results.json")
    assert list(results) == [t.name for t in transfer_study.TRAININGS]

    monkeypatch.setattr(transfer_study, "fit", None)  # nothing is left to learn
    assert run_experiment("transfer", config) == report
    with refused(ConfigError, "'tiny'", "'small'", "another folder"):
        run_experiment("transfer", replace(config, size="small"))


def test_excerpts_become_recordings_that_can_be_learned_from(tmp_path: Path) -> None:
    make_data(tmp_path)
    folder = tmp_path / "recordings"
    assert transfer_study.write_recordings(tmp_path / "guitar-train", folder, 1) == 1
    (wave,), (midi,) = folder.glob("*.wav"), folder.glob("*.mid")
    assert wave.stem == midi.stem == "guitar-00000"
    (piece,) = read_shards(tmp_path / "guitar-train")[:1]
    onsets = [note.onset for note in read_notes(midi)["solo"]]
    assert np.allclose(onsets, np.sort(np.array(piece.array("score"))[:, 0]), atol=2e-3)
    assert soundfile.info(wave).duration == pytest.approx(2.0)


@pytest.mark.parametrize(("name", "size"), [("nothing", "tiny"), ("transfer", "huge")])
def test_a_wrong_name_or_size_is_refused(name: str, size: str, tmp_path: Path) -> None:
    config = ExperimentConfig(tmp_path, tmp_path, size)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="must be one of"):
        run_experiment(name, config)


def scores(f1: float) -> dict[str, Score]:
    return dict.fromkeys(MEASURES, Score(f1, f1, f1))


RESULTS = {
    t.name: {"piano": scores(0.1 * (k + 1)), "guitar": scores(0.05 * (k + 1))}
    for k, t in enumerate(transfer_study.TRAININGS)
}


def test_the_table_has_the_papers_form() -> None:
    text = transfer_table(RESULTS, "note")
    rows = [line.split("|")[1].strip() for line in text.splitlines()[4:]]
    assert rows == [
        "synthesized",
        "piano",
        "guitar",
        "*after transfer from synthesized instruments*",
        "synthesized → piano",
        "synthesized → guitar",
        "*after transfer from the guitar*",
        "guitar → piano",
        "*after transfer from the piano*",
        "piano → guitar",
    ]
    assert "| piano | 0.200 | 0.200 | 0.200 | 0.100 | 0.100 | 0.100 |" in text


def test_the_answers_follow_from_the_figures() -> None:
    curve = [{"epoch": k, "note_f1": 0.1 * k} for k in (1, 2, 3)]
    faster = [{"epoch": k, "note_f1": 0.29} for k in (1, 2)]
    curves = {t.name: faster if t.start else curve for t in transfer_study.TRAININGS}
    assert epochs_to_reach(curves, "piano", "synthesized-to-piano") == 1
    assert epochs_to_reach(curves, "piano", "piano") == 3
    text = transfer_answers(RESULTS, curves, 3)
    assert "RQ1, piano: trained on synthesized instruments alone 0.100; " in text
    assert "itself 0.200, 50% of it" in text
    assert "RQ2, piano: from nothing 0.200, after transfer 0.400 (+0.200)" in text
    assert "was reached after epoch 1" in text
    assert "RQ3, piano: after synthesized instruments 0.400, after the guitar 0.600: the guitar"


def test_a_guitar_has_six_strings_and_a_range() -> None:
    chord = [Note(0.1 * k, 5.0, 28 + 3 * k, 80) for k in range(9)]
    played = as_guitar([*chord, Note(6.0, 7.0, 100, 80)])
    assert all(40 <= note.pitch <= 88 for note in played)
    for time in np.arange(0.0, 7.0, 0.05):
        assert sum(n.onset <= time < n.offset for n in played) <= 6


@pytest.mark.parametrize("domain", ["guitar", "synthesized"])
def test_sounds_are_made_once_from_the_scores(
    domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sounds, "PLAYERS", {domain: sounds._play_font([(HELD_OUT_SOUNDFONT, 24)])})
    data = write_data(tmp_path / "data")
    write_solo(data / "giantmidi", 4)
    config = SoundConfig(data, tmp_path / "out", domain, "train", minutes=0.1, seconds=3.0)
    folder = prepare_sounds(config)
    pieces = read_shards(folder)
    assert len(pieces) == config.n_pieces == 2
    kinds = {piece.facts["score"].split(":")[0] for piece in pieces}
    assert kinds == ({"pop909"} if domain == "guitar" else {"pop909", "giantmidi"})
    for piece in pieces:
        sound, score = piece.array("stems"), piece.array("score")
        assert sound.dtype == np.int16 and sound.shape[1] == 1
        assert 1.0 < len(sound) / 16000 <= 3.0
        assert len(score) and np.abs(sound).max() > 1000
    before = [p.shard.stat().st_mtime_ns for p in pieces]
    prepare_sounds(config)
    assert [p.shard.stat().st_mtime_ns for p in read_shards(folder)] == before


def test_recordings_are_the_target_where_a_user_has_them(tmp_path: Path) -> None:
    """MAPS as it lies on disk: its piece is cut and heard, and nothing is played."""
    folder = tmp_path / "maps" / "AkPnBcht" / "MUS"
    folder.mkdir(parents=True)
    samples, notes = tones(6.0, 1)
    for name in ("alb_se3", "bach_846"):  # whichever of them training holds
        path = folder / f"MAPS_MUS-{name}_AkPnBcht"
        soundfile.write(path.with_suffix(".wav"), np.stack([samples] * 2, 1), 16000)
        rows = [f"{on:.4f}\t{off:.4f}\t{int(p)}" for on, off, p, *_ in notes]
        path.with_suffix(".txt").write_text("\n".join(["OnsetTime\tOffsetTime\tMidiPitch", *rows]))
    config = SoundConfig(tmp_path, tmp_path / "out", "piano", "train", minutes=0.05, seconds=3.0)
    (piece,) = read_shards(prepare_sounds(config))
    assert piece.facts["sources"] == ["maps"]
    start, score = piece.facts["start"], piece.array("score")
    assert len(piece.array("stems")) == 48_000
    expected = [n[0] - start for n in notes if start <= n[0] < start + 3]
    np.testing.assert_allclose(score[:, 0], expected, atol=1e-3)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with refused(ConfigError, "domain", "synthesized", "piano", "guitar"):
        prepare_sounds(SoundConfig(tmp_path, tmp_path, "drums", "train", 1))
    with pytest.raises(DataError, match="giantmidi: expected a folder"):
        prepare_sounds(SoundConfig(tmp_path, tmp_path, "piano", "train", 1))
