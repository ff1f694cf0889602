"""A plugin that crashes while it plays, on real servers: the piano is silent, MIDI goes on."""

import os
from pathlib import Path

import pytest

from tests.e2e import songs, takes
from tests.e2e.chain import chain
from tests.e2e.conftest import require_chain
from tests.e2e.processes import wait_until
from tests.e2e.ways_out import SINKS

pytestmark = pytest.mark.e2e

PEDALBOARD = """
import os
import numpy as np

class Fragile:
    is_instrument = True
    n_notes = 0
    def __call__(self, messages, duration, sample_rate, num_channels, buffer_size, reset):
        self.n_notes += sum(data[0] & 0xF0 == 0x90 for data, at in messages)
        if self.n_notes >= 3:
            os.abort()
        return np.zeros((num_channels, buffer_size), np.float32)
    def reset(self):
        pass

def load_plugin(path):
    return Fragile()
"""


def test_midi_goes_on_where_a_plugin_crashes(tmp_path: Path) -> None:
    require_chain()
    package = tmp_path / "modules" / "pedalboard"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "_pedalboard.py").write_text(PEDALBOARD)
    tune = songs.tune_song(tmp_path / "tune.wav")
    with chain(tmp_path, sinks=SINKS) as running:
        paths = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        running.env["PYTHONPATH"] = os.pathsep.join(paths)
        (tmp_path / "mine.toml").write_text('[piano]\nplugin = "fragile.vst3"\n')
        options = ["--config", "mine.toml", "--piano", "--monitor", "room", "--rhythm", "free"]
        with running.livecover(*options) as livecover:
            running.play(tune)
            told = "the piano failed (DeviceError its process has ended (SIGABRT)) and is silent"
            wait_until("word of the crash", lambda: told in livecover.text(), 20, [livecover])
            n_before = len(takes.ons(running.recorder.messages()))
            assert n_before >= 3
            running.play(tune)
            heard = running.recorder.messages()
            assert len(takes.ons(heard)) - n_before >= len(songs.TUNE) // 2
            assert takes.has_pairs_only(heard)
            assert livecover.stop(10) == 0, livecover.tail()
        assert "Traceback" not in livecover.text()
