"""Takes played into files by processes of their own, with a plugin that wants a main thread."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.core.errors import DeviceError
from engine.core.notes import NoteEvent
from livecover.settings.output import PianoSettings
from livecover.sounds.synth import open_live_synth
from livecover.takes import rendering
from livecover.takes.files import TakeFiles
from livecover.takes.journal import Contents
from livecover.takes.rendering import Renderer
from livecover.takes.sound import RING_S, SAMPLE_RATE

PEDALBOARD = """
import os, threading
from pathlib import Path
import numpy as np

class Click:
    is_instrument = True
    def __init__(self, path):
        self.path = Path(path)
    def __call__(self, messages, duration, sample_rate, num_channels, buffer_size, reset):
        sound = np.zeros((num_channels, buffer_size), np.float32)
        for data, at in messages:
            if data[0] & 0xF0 == 0x90:
                sound[:, round(at * sample_rate)] = 0.5
        return sound
    def reset(self):
        pass

def load_plugin(path):
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("load plugins on the main thread")
    if "crash" in path:
        os.abort()
    if "wait" in path:
        open(path).read()  # a pipe
    return Click(path)
"""


@pytest.fixture
def takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of takes, and a pedalboard that refuses all but main threads."""
    package = tmp_path / "modules" / "pedalboard"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "_pedalboard.py").write_text(PEDALBOARD)
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setattr(rendering, "NICE", 0)
    folder = tmp_path / "takes"
    folder.mkdir()
    return folder


def contents() -> Contents:
    notes = [NoteEvent(0.25, 60, 80), NoteEvent(0.75, 60, 0)]
    return Contents(events=[*notes], seconds=1.0)


def ended(renderer: Renderer) -> None:
    thread = renderer._thread
    if thread is not None:
        thread.join(120)


def test_a_plugin_plays_takes_one_after_the_other(takes: Path) -> None:
    renderer = Renderer()
    for name in ("a", "b"):
        renderer.render(
            TakeFiles(takes, name), contents(), PianoSettings(enabled=True, plugin="click.vst3")
        )
    ended(renderer)
    for name in ("a", "b"):
        piano, rate = soundfile.read(TakeFiles(takes, name).piano)
        assert rate == SAMPLE_RATE and len(piano) == round((1.0 + RING_S) * rate)
        assert np.flatnonzero(piano[:, 0]).tolist() == [rate // 4]
    assert len(list(takes.iterdir())) == 2


def test_live_too_a_plugin_has_a_process_of_its_own(takes: Path) -> None:
    settings = PianoSettings(enabled=True, plugin="click.vst3")
    synth = open_live_synth(settings, SAMPLE_RATE)
    sound = synth.render(240, [(24, (0x90, 60, 80))])
    assert np.flatnonzero(sound[:, 1]).tolist() == [24]
    synth.close()
    with pytest.raises(DeviceError, match="the plugin crash.vst3 cannot be opened: its process "):
        open_live_synth(replace(settings, plugin="crash.vst3"), SAMPLE_RATE)


def test_no_module_of_the_working_folder_is_run(
    takes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # as where Python was started with -c
    monkeypatch.chdir(tmp_path)
    for name in ("soundfile", "numpy", "pickle"):
        Path(f"{name}.py").write_text("open('was here', 'w')")
    renderer = Renderer()
    renderer.render(
        TakeFiles(takes, "a"), contents(), PianoSettings(enabled=True, plugin="click.vst3")
    )
    ended(renderer)
    assert TakeFiles(takes, "a").piano.exists() and not Path("was here").exists()


def test_what_breaks_is_told_and_the_next_take_is_played(takes: Path, caplog: Any) -> None:
    broken = Renderer()
    broken.render(
        TakeFiles(takes, "a"), contents(), PianoSettings(enabled=True, plugin="crash.vst3")
    )
    ended(broken)
    (record,) = caplog.records
    assert "the take's piano could not be written: " in record.getMessage()
    missing = Renderer()
    missing.render(
        TakeFiles(takes, "b"),
        contents(),
        PianoSettings(enabled=True, soundfont=str(takes / "none.sf2")),
    )
    ended(missing)
    assert "none.sf2 cannot be read" in caplog.records[1].getMessage()
    assert list(takes.iterdir()) == []


def test_a_full_disk_leaves_no_half_file(takes: Path, caplog: Any) -> None:
    renderer = Renderer()
    renderer.render(
        TakeFiles(takes / "nowhere", "a"),
        contents(),
        PianoSettings(enabled=True, plugin="click.vst3"),
    )
    ended(renderer)
    assert "could not be written: " in caplog.text and "No such file" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="needs a named pipe")
def test_nobody_waits_for_a_take_that_is_played(takes: Path, caplog: Any) -> None:
    pipe = takes / "wait"
    os.mkfifo(pipe)
    renderer = Renderer()
    renderer.render(
        TakeFiles(takes, "a"), contents(), PianoSettings(enabled=True, plugin=str(pipe))
    )
    thread = renderer._thread
    assert thread is not None
    with pipe.open("w"):  # once the process has opened it to read
        renderer.shut_down(0.0)
        assert thread.is_alive() and "still being written" in caplog.text
        assert not TakeFiles(takes, "a").piano.exists()
    thread.join(120)
    assert TakeFiles(takes, "a").piano.is_file()  # livecover's end is not the process's


def test_too_many_takes_are_not_played(
    takes: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(rendering, "MAX_WAITING", 0)
    Renderer().render(TakeFiles(takes, "a"), contents(), PianoSettings(enabled=True))
    assert "the piano of a is not written: 0 takes wait" in caplog.text
