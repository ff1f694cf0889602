"""Takes of the real command: ended by the user, and by a kill."""

import json
from pathlib import Path

import pytest
import soundfile

from tests.e2e import takes
from tests.e2e.chain import Chain, run_livecover
from tests.e2e.songs import Song

pytestmark = pytest.mark.e2e


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


def test_a_take_ends_with_the_command(chain: Chain, tune: Song) -> None:
    with chain.livecover("--record", "takes") as livecover:
        chain.play(tune)
        assert livecover.stop(timeout=20) == 0, livecover.tail()
    folder = chain.work / "takes"
    sent = takes.ons(chain.recorder.messages())
    kept = takes.ons(takes.read_midi_file(only(folder, "*.mid")))
    assert sent and sorted(m.pitch for m in kept) == sorted(m.pitch for m in sent)
    about = json.loads(only(folder, "*.json").read_text())
    assert about["is_whole"] is (about["n_overruns"] == 0) and about["n_notes"] == len(kept)
    song = soundfile.info(only(folder, "*.flac"))
    assert song.frames / song.samplerate == pytest.approx(about["seconds"], abs=0.1)
    assert not list(folder.glob("*.journal"))


def test_a_killed_take_is_recovered_by_the_next_start(rough_chain: Chain, tune: Song) -> None:
    chain = rough_chain
    with chain.livecover("--record", "takes") as livecover:
        with chain.pulse.playing(tune.path):
            chain.recorder.wait_for("five notes", lambda m: len(takes.ons(m)) >= 5)
            livecover.kill()
    sent = takes.ons(chain.recorder.messages())
    folder = chain.work / "takes"
    assert soundfile.info(only(folder, "*.flac")).frames > 0  # as the kill left it
    said = run_livecover(chain.work, "--record", "takes", "--input", "none.wav")
    assert "recovered" in said.stdout and "none.wav" in said.stderr, said
    path = only(folder, "*.mid")
    kept = takes.ons(takes.read_midi_file(path))
    last = max(m.time for m in sent) - min(m.time for m in sent)
    kept_last = max(m.time for m in kept) - min(m.time for m in kept)
    assert last - kept_last <= 1.0
    song = soundfile.SoundFile(only(folder, "*.flac"))
    assert len(song.read()) == song.frames
    assert json.loads(only(folder, "*.json").read_text())["ended"] == "killed"
    assert not list(folder.glob("*.journal"))
