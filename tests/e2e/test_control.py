"""A controller and a sequencer at the real control port, from their cable to engine and takes."""

import contextlib
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mido
import pytest

from tests.e2e import songs
from tests.e2e.chain import COMMAND, Chain, recorder
from tests.e2e.processes import Process, wait_until
from tests.livecover.panel.fakes import Client

pytestmark = pytest.mark.e2e

CONTROL_IN = "livecover_control:LiveCover Control"
CONTROL_OUT = "livecover_control-01:LiveCover Control"
BPM = 126.0
START, STOP, TICK = [0xFA], [0xFC], [0xF8]
CONFIG = """\
# my stage
[record]
folder = "takes"

[control.map]
"cc 7" = "decoder.density"
"""


class Controller:
    """``jack_controller.py``, connected to livecover; hears what comes back."""

    def __init__(self, process: Process, answers: Path) -> None:
        self._process = process
        self._answers = answers

    def send(self, *messages: list[int]) -> None:
        self.send_at(*((0.0, message) for message in messages))

    def send_at(self, *timed: tuple[float, list[int]]) -> None:
        assert self._process.popen.stdin is not None
        self._process.popen.stdin.write((json.dumps(timed) + "\n").encode())
        self._process.popen.stdin.flush()

    def heard(self) -> list[list[int]]:
        return [json.loads(line)["data"] for line in self._answers.read_text().splitlines()]


@contextlib.contextmanager
def controller(chain: Chain) -> Iterator[Controller]:
    script = Path(__file__).with_name("jack_controller.py")
    command = [sys.executable, str(script), "knobs"]
    process = Process.start("knobs", command, chain.work, chain.env, stdin=subprocess.PIPE)
    with recorder(chain.work, chain.jack, "lamps") as lamps:
        try:
            chain.jack.wait_for_port("knobs:midi", process)
            yield Controller(process, lamps.folder / "midi.jsonl")
        finally:
            assert process.popen.stdin is not None
            process.popen.stdin.close()
            process.stop()


def connect(chain: Chain, livecover: Process) -> None:
    chain.jack.wait_for_port(CONTROL_OUT, livecover, timeout=60)
    chain.jack.connect("knobs:midi", CONTROL_IN)
    chain.jack.connect(CONTROL_OUT, "lamps:midi")


def setting(page: Client, name: str, value: object) -> None:
    """Return once the engine has taken the setting."""
    section, _, key = name.partition(".")
    while page.hear("settings")["settings"][section][key] != value:
        pass


def clock(bpm: float, seconds: float, jitter: float) -> list[tuple[float, list[int]]]:
    """Return ticks, each late by up to ``jitter`` seconds."""
    period, late = 60.0 / (24 * bpm), random.Random(1)
    n = round(seconds / period)
    return [(k * period + late.uniform(0.0, jitter), TICK) for k in range(n)]


def test_hardware_and_daw_work_the_instrument(chain: Chain, tune: songs.Song) -> None:
    (chain.work / "mine.toml").write_text(CONFIG)
    panel = ("--config", "mine.toml", "--panel", "--panel-port", "0", "--no-open-browser")
    with controller(chain) as knobs, chain.livecover(*panel) as livecover:
        connect(chain, livecover)
        found = re.search(r"panel at (http://\S+/)", livecover.text())
        assert found is not None
        with Client(found[1]) as page:
            page.hear("choices")
            while not page.hear("status")["learns"]:
                pass

            knobs.send(*([0xB0, 1, value] for value in range(128)))
            setting(page, "model.style", 1.0)

            # Another hand moves what a fader shows: it follows; the one that spoke hears nothing.
            page.say(type="change", values={"decoder.density": 4.0})
            wait_until("the fader follows", lambda: [0xB0, 7, 127] in knobs.heard())
            assert [0xB0, 1, 127] not in knobs.heard()

            page.say(type="do", action="learn", key="play.mute")
            while not page.hear("learn")["waiting"]:
                pass
            knobs.send([0x91, 36, 100], [0x91, 36, 0])
            while (learned := page.hear("learn"))["key"] != "play.mute":
                pass
            assert learned["control"] == "ch 2 note 36"
            knobs.send([0x91, 36, 100], [0x91, 36, 0])
            setting(page, "play.mute", True)
            wait_until("the lamp shines", lambda: [0x91, 36, 127] in knobs.heard())
            knobs.send([0x91, 36, 100], [0x91, 36, 0])
            setting(page, "play.mute", False)

            ticks = clock(BPM, 25.0, jitter=0.008)
            knobs.send_at(*ticks[:96], (ticks[96][0] - 0.001, START), *ticks[96:])
            while not page.hear("status")["recording"]:
                pass
            chain.play(tune)
            while (status := page.hear("status"))["now"] < time.perf_counter() - 0.5:
                pass  # what has piled up
            assert status["beat"]["bpm"] == pytest.approx(BPM, abs=0.5)
            assert (status["beat"]["source"], status["beat"]["metre"]) == ("clock", 4)
            assert status["beat"]["number"] is not None
            knobs.send(STOP)
            while page.hear("status")["recording"]:
                pass
            page.say(type="do", action="unsaved")
            page.say(type="save", id=page.hear("unsaved")["id"])
            page.hear("saved")
    text = (chain.work / "mine.toml").read_text()
    assert text.startswith("# my stage\n") and '"ch 2 note 36" = "play.mute"\n' in text
    (path,) = (chain.work / "takes").glob("*.mid")
    take = mido.MidiFile(path)
    assert any(message.type == "note_on" for message in take)
    tempos = [mido.tempo2bpm(m.tempo) for m in take if m.type == "set_tempo"]
    assert tempos[-1] == pytest.approx(BPM, abs=0.5)


def test_program_changes_recall_scenes(chain: Chain) -> None:
    panel = ("--panel", "--panel-port", "0", "--no-open-browser")
    with controller(chain) as knobs, chain.livecover(*panel) as livecover:
        connect(chain, livecover)
        found = re.search(r"panel at (http://\S+/)", livecover.text())
        assert found is not None
        with Client(found[1]) as page:
            page.hear("choices")
            for name, transpose, parts in (("verse", 0, "full"), ("solo", 12, "melody")):
                page.say(type="change", values={"midi.transpose": transpose, "play.parts": parts})
                page.say(type="do", action="keep_scene", key=name)
                page.hear("scenes")
            page.say(type="do", action="scene_programs", key="scenes")
            assert page.hear("scenes")["programs"] == "scenes"

            def sound() -> tuple[object, object]:
                now = page.hear("settings")["settings"]
                return now["midi"]["transpose"], now["play"]["parts"]

            knobs.send([0xC0, 0])
            while sound() != (0, "full"):
                pass
            knobs.send([0xC5, 1])
            while sound() != (12, "melody"):
                pass
            knobs.send([0xC0, 9])  # there is no tenth
            while not any("program 9" in line["text"] for line in page.hear("log")["lines"]):
                pass
            assert page.hear("status")["playing"]


def test_learn_writes_the_file(chain: Chain) -> None:
    (chain.work / "livecover.toml").write_text("# my stage\n")
    with controller(chain) as knobs:
        command = [*COMMAND, "learn", "decoder.density"]
        learning = Process.start("learning", command, chain.work, chain.env)
        connect(chain, learning)
        knobs.send(TICK, [0xB2, 30, 64])
        assert learning.wait() == 0, learning.tail()
    assert learning.text().endswith('livecover.toml: "ch 3 cc 30" = "decoder.density"\n')
    assert (chain.work / "livecover.toml").read_text() == (
        '# my stage\n\n[control.map]\n"ch 3 cc 30" = "decoder.density"\n'
    )
