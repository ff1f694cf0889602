"""A recorder that is killed in mid-take: what is on the disk, and what is made of it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import mido
import pytest
import soundfile

from livecover.takes.ending import recover_takes
from livecover.takes.files import TakeFiles, unfinished
from livecover.takes.journal import Journal

SINGER = """
import sys, time, pathlib, types
import numpy as np
from engine.core.notes import NoteEvent
from livecover.takes.recorder import TakeRecorder
recorder = TakeRecorder(pathlib.Path(sys.argv[1]))
source = types.SimpleNamespace(name="song", sample_rate=44100, n_channels=2)
recorder.begin(source, 0.0, 0.2)
recorder.record(True)
start = time.perf_counter()
block = np.random.default_rng(0).uniform(-0.1, 0.1, (441, 2)).astype(np.float32)
for k in range(100_000):
    second = k / 100
    time.sleep(0.01)  # never faster than the writer's clock, however late this process is
    recorder.audio(block, second, start + second)
    on = NoteEvent(second, 40 + k % 40, 80)
    recorder.sent(on, 0.0, 0.0)
    print(second, flush=True)
"""


def test_a_killed_take_has_lost_less_than_a_second(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SINGER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as singer:
        assert singer.stdout is not None
        for line in singer.stdout:
            if float(line) > 2.2:
                break
        assert unfinished(tmp_path) == []  # it is being written
        singer.send_signal(signal.SIGKILL)
        sung = float((singer.stdout.read().splitlines() or [line])[-1])
    (song,) = tmp_path.glob("*.flac")
    before = soundfile.info(song).frames / 44100  # as the kill left it
    samples, _ = soundfile.read(song)
    assert len(samples) == round(before * 44100) and sung - before < 1.0
    (said,) = recover_takes(tmp_path)
    (midi,) = tmp_path.glob("*.mid")
    assert str(midi) in said and "killed" in said
    file = mido.MidiFile(midi)
    n_notes = sum(m.type == "note_on" and m.velocity > 0 for t in file.tracks for m in t)
    assert sung - n_notes / 100 < 1.0
    about = json.loads(midi.with_suffix(".json").read_text())
    assert about["ended"] == "killed" and about["is_whole"] is False
    assert not list(tmp_path.glob("*.journal")) and recover_takes(tmp_path) == []


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    take = TakeFiles(tmp_path, "x")
    journal = Journal(take.journal, {"source": "song"})
    journal.reached(3.0, 0)
    journal.close()
    with take.journal.open("ab") as file:
        file.write(b'["note", 2.5, 60')
    (said,) = recover_takes(tmp_path)
    assert "0 notes, 3.0 s" in said


def test_what_is_no_journal_is_named_and_stays(tmp_path: Path) -> None:
    (tmp_path / "a.journal").write_text("nonsense\n")
    (tmp_path / "b.journal").touch()  # killed before its first line
    (said,) = recover_takes(tmp_path)
    assert "could not be recovered" in said and "move the file away" in said
    assert [path.name for path in tmp_path.iterdir()] == ["a.journal"]


@pytest.mark.parametrize("line", ['["begin", 9, {}]', '["song"]', '["flight", 1]'])
def test_a_journal_of_another_version_is_left_alone(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.journal").write_text(f"{line}\n")
    (said,) = recover_takes(tmp_path)
    assert "could not be recovered" in said
