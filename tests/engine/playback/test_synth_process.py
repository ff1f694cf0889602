"""Synthesizers in a process of their own: what breaks there breaks nothing here."""

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.errors import DeviceError
from engine.core.notes import NoteEvent
from engine.playback import playback_clock
from engine.playback import synth_process as subject
from engine.playback.piano import Piano
from engine.playback.playback_thread import PlaybackThread
from engine.playback.synth_process import SynthProcess
from tests.engine.playback.synth_fakes import BREAK, open_fragile
from tests.engine.playback.test_playback_thread import RATE, Hum, Wall

ON, BREAKING = (0x90, 60, 80), (0x90, BREAK, 80)
Open = Callable[..., SynthProcess]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Open a stand-in that breaks in one way."""
    synths: list[SynthProcess] = []

    def open_one(way: str, timeout: float = 60.0) -> SynthProcess:
        synths.append(SynthProcess("it", partial(open_fragile, way, tmp_path), timeout))
        return synths[-1]

    yield open_one
    for synth in synths:
        synth._process.kill()


def test_it_is_the_synth_and_closes_it(opened: Open, tmp_path: Path) -> None:
    synth = opened("")
    assert int((tmp_path / "opened").read_text()) not in (os.getpid(), os.getppid())
    for n in (1, 240, 100_000):  # more than a pipe takes at once
        sound = synth.render(n, [(0, ON), (n - 1, ON)])
        assert sound.shape == (n, 2) and sound.dtype == np.float32 and np.all(sound == n - 1)
        sound *= 0.5  # it is the caller's own
    assert not synth.render(5, []).any()
    synth.close()
    synth.close()
    assert synth._process.wait(60) == 0 and (tmp_path / "closed").exists()


def test_what_it_prints_is_no_sound(opened: Open) -> None:
    synth = opened("print")
    assert np.all(synth.render(8, [(3, BREAKING)]) == 3)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("abort", r"its process has ended \((SIGABRT|code \d+)\)"),
        ("hang", "it has not answered for 0.5 s"),
        ("raise", "ZeroDivisionError in the plugin"),
    ],
)
def test_what_breaks_is_an_error_then_and_later(opened: Open, way: str, words: str) -> None:
    synth = opened(way, timeout=60.0)
    synth.render(8, [(0, ON)])
    if way == "hang":
        synth._timeout = 0.5
    with pytest.raises(DeviceError, match=words):
        synth.render(8, [(0, BREAKING)])
    if way != "raise":
        assert synth._process.wait(60) != 0  # it does not stay
        with pytest.raises(DeviceError, match="its process has ended"):
            synth.render(8, [])
    synth.close()


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("missing", "^there is no such plugin$"),
        ("raise while opened", r"^it cannot be opened \(KeyError 'no licence'\); give another$"),
        ("abort while opened", r"^it cannot be opened: its process has ended \(.*\); give another"),
        ("hang while opened", "^it was not ready in time: give another$"),
    ],
)
def test_what_cannot_be_opened_is_told(
    opened: Open, monkeypatch: pytest.MonkeyPatch, way: str, words: str
) -> None:
    if way == "hang while opened":
        monkeypatch.setattr(subject, "OPEN_TIMEOUT", 0.0)
    with pytest.raises(DeviceError, match=words):
        opened(way)


@pytest.mark.skipif(sys.platform == "win32", reason="an alarm of the system's")
def test_a_process_that_hangs_ends_though_nobody_is_left(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    synth = opened("hang")
    synth._process.stdin.write(subject._ASKED.pack(8, 1) + subject._MESSAGE.pack(0, *BREAKING))  # type: ignore[union-attr]
    synth._process.stdin.close()  # type: ignore[union-attr]
    assert synth._process.wait(60) < 0


@pytest.mark.parametrize("way", ["abort", "hang"])
def test_the_song_plays_on_beside_a_plugin_that_breaks(
    opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: Any, way: str
) -> None:
    monkeypatch.setattr(playback_clock, "SETTLE_S", 0.01)
    wall = Wall()
    playback = PlaybackThread(wall, lambda: wall)
    wall.is_gated = True
    piano = Piano(opened(way, timeout=0.5), RATE)
    playback.play([Hum(), piano])
    assert np.all(wall.hear() == 0.25)
    playback.found([NoteEvent(0.0, BREAK, 80)], [playback._clock.host_time])
    assert np.all(wall.hear(6) == 0.25)
    (record,) = (r for r in caplog.records if "and is silent" in r.getMessage())
    assert record.getMessage().startswith("the piano failed (DeviceError it")
    piano.shut_down()
    playback._stop.set()
    wall.is_gated = False
    wall.asked.put(None)
    playback._thread.join(60)
