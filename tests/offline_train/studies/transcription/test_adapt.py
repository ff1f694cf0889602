"""A user's recordings: how they are parted, what is learned, and the model that comes of it."""

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
import torch

from engine.core.errors import DataError
from engine.model.pipeline import load_pipeline
from models.streaming import StreamingConfig, StreamingCover
from offline_train.cli import main
from offline_train.data.shards import read_shards
from offline_train.studies.transcription import adapt
from offline_train.studies.transcription.epochs import read_log
from offline_train.studies.transcription.rolls import MEASURES, Score
from tests.messages import refused
from tests.offline_train.shard_fixtures import RATE, tones

TINY = StreamingConfig(conv_channels=2, channels=4, trunk=4, context=4, hidden=4)


def record(folder: Path, name: str, seconds: float, seed: int = 1) -> None:
    """Write a recording and its MIDI, 480 ticks a beat at 120 beats a minute."""
    folder.mkdir(exist_ok=True)
    samples, notes = tones(seconds, seed)
    soundfile.write(folder / f"{name}.wav", samples, RATE)
    track, now = mido.MidiTrack([mido.Message("program_change", program=24)]), 0
    events = [(round(on * 960), 1, int(p)) for on, _, p, *_ in notes]
    events += [(round(off * 960), 0, int(p)) for _, off, p, *_ in notes]
    for tick, is_on, pitch in sorted(events):
        kind = "note_on" if is_on else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=90, time=tick - now))
        now = tick
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks.append(track)
    midi.save(folder / f"{name}.mid")


def write_start(path: Path) -> Path:
    torch.manual_seed(0)
    network = StreamingCover(TINY)
    checkpoint = {"recipe": "train-cover", "network": TINY.to_dict(), "ema": network.state_dict()}
    torch.save(checkpoint, path)
    return path


@pytest.mark.parametrize(("n", "held_out"), [(1, [0]), (2, [0, 1]), (4, [3]), (5, [0, 4])])
def test_something_is_always_held_out(n: int, held_out: list[int], tmp_path: Path) -> None:
    for k in range(n):
        record(tmp_path / "takes", f"take{k}", 6.0, seed=k)
    train, test = adapt.store_recordings(tmp_path / "takes", tmp_path / "data")
    numbers = {f: {int(p.name.split("-")[1]) for p in read_shards(f)} for f in (train, test)}
    assert sorted(numbers[test]) == held_out
    is_by_time = n < 3
    assert bool(numbers[train] & numbers[test]) == is_by_time
    for piece in read_shards(test):
        assert piece.facts["start"] == (4.5 if is_by_time else 0.0)
        assert piece.array("score")[0, 0] == pytest.approx(0.1 if not is_by_time else 0.0, abs=0.2)
        assert len(piece.array("stems")) == pytest.approx(piece.facts["seconds"] * RATE, abs=2)


def test_the_command_learns_exports_and_shows_the_gain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapt, "TRANSCRIPTION_ONSETS", (0.2, 0.4))
    record(tmp_path / "takes", "take", 8.0)
    start, out = write_start(tmp_path / "start.pt"), tmp_path / "out"
    command = ["transfer", str(tmp_path / "takes"), "--start", str(start), "--out", str(out)]
    assert main([*command, "--steps", "20", "--threads", "1", "--name", "lute"]) == 0
    said = capsys.readouterr().out
    assert "| before |" in said and "| after |" in said and "note F1 " in said
    pipeline = load_pipeline(out / "lute.onnx")
    assert pipeline.spec.name == "lute"
    assert pipeline.spec.trained["recipe"] == "livecover-train transfer"
    assert pipeline.spec.trained["steps"] == 20
    sound = np.zeros(RATE, np.float32)
    assert len(pipeline.push(sound)) + len(pipeline.flush()) > 50
    losses = [line["loss"] for line in read_log(out / "run")]
    assert len(losses) == adapt.ROUNDS and losses[-1] < losses[0]


def test_no_gain_is_said(tmp_path: Path) -> None:
    scores = [dict.fromkeys(MEASURES, Score(f1, f1, f1)) for f1 in (0.5, 0.4)]
    text = adapt.Adapted(tmp_path / "m.onnx", *scores).report()
    assert "note F1 -0.100; no gain: give more recordings, or keep the one you have" in text


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "takes", "take", 6.0)
    (tmp_path / "takes" / "take.wav").unlink()
    with refused(DataError, "MIDI", "take1.mid"):
        adapt.store_recordings(tmp_path / "takes", tmp_path / "data")
    (tmp_path / "takes" / "take.wav").write_bytes(b"no sound")
    with refused(DataError, "take.wav"):
        adapt.store_recordings(tmp_path / "takes", tmp_path / "data")
    record(tmp_path / "short", "take", 2.0)
    with pytest.raises(DataError, match="expected 5 s or more, got 2.0 s"):
        adapt.store_recordings(tmp_path / "short", tmp_path / "data")
    start = write_start(tmp_path / "start.pt")
    assert main(["transfer", str(tmp_path / "none"), "--start", str(start)]) == 2
    assert "expected a folder with MIDI files, found none" in capsys.readouterr().err
