"""The command from its words to its exit code, with a tiny model and without devices."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from rich.console import Console

from engine.core.errors import DeviceError
from livecover import cli as subject
from livecover import playing
from livecover.cli import is_for_files, main
from livecover.commands.console import logged
from livecover.commands.doctor import Check
from livecover.instrument.scenes import Scenes
from livecover.options.parser import parse
from livecover.settings.sections import Settings
from livecover.settings.source import load_settings
from tests.livecover.fake_engine import FakeEngine
from tests.messages import says
from tests.tiny import TINY_FEATURES

HANGUP = getattr(signal, "SIGHUP", signal.SIGTERM)
Output = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def song(folder: Path, tiny_song: NDArray[np.float32]) -> Path:
    """A song as a file, at twice the rate of the tiny model."""
    path = folder / "song.wav"
    soundfile.write(path, np.repeat(tiny_song, 2), 2 * TINY_FEATURES.sample_rate)
    return path


def test_a_file_becomes_a_file(song: Path, tiny_stateful_path: Path, capsys: Output) -> None:
    code = main(
        ["--input", str(song), "--midi-out", "a.mid", "--midi-out", "b.mid"]
        + ["--model", str(tiny_stateful_path), "--style", "calm"]
    )
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert "notes from 0:03 of " in out and "real-time factor" in out
    assert mido.MidiFile("a.mid").length == mido.MidiFile("b.mid").length


def test_a_stop_keeps_what_was_covered(
    song: Path, tiny_stateful_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def interrupt(share: float) -> None:
        if not Path("interrupted").exists():
            Path("interrupted").touch()
            signal.raise_signal(signal.SIGINT)

    told = contextlib.nullcontext(interrupt)
    monkeypatch.setattr(subject, "progress_bar", lambda console, what: told)
    code = main(["--input", str(song), "--midi-out", "a.mid", "--model", str(tiny_stateful_path)])
    out, _ = capsys.readouterr()
    assert code == 0
    assert out.startswith("stopped early: ")
    assert Path("a.mid").exists()


def test_playing_says_who_how_late_and_how_it_went(
    engines: list[FakeEngine], capsys: Output
) -> None:
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].endswith("Speakers (48000 Hz, 2 ch) to LiveCover + take.mid")
    assert "model tiny 1, balanced, on cpu" in out
    assert "latency 69 ms = 5.0 capture block + 64.0 half window" in out
    assert "6 notes in 0:30: 0 late, 0 dropped" in out
    assert engines[0].is_stopped
    lines = [line.split("INFO ")[1] for line in err.splitlines()]
    assert [line.split()[0] for line in lines] == ["0:10", "0:20"]


def test_on_a_terminal_there_is_one_line_that_changes(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    assert main([]) == 0
    _, err = capsys.readouterr()
    assert "0:05 ███████░   -6 dB" in err and "0:25" in err
    assert "INFO" not in err


def test_learn_writes_a_line(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    def learn(settings: Settings, name: str, *_: object) -> dict[str, str]:
        return {"cc 7": name}

    monkeypatch.setattr(subject, "learn", learn)
    Path("mine.toml").write_text("# mine\n", encoding="utf-8")
    words = ["--config", "mine.toml", "--control", "nano", "--style", "calm"]  # for this once
    assert main(["learn", "decoder.density", *words]) == 0
    assert capsys.readouterr().out == 'mine.toml: "cc 7" = "decoder.density"\n'
    assert Path("mine.toml").read_text(encoding="utf-8") == (
        '# mine\n\n[control.map]\n"cc 7" = "decoder.density"\n'
    )


def test_an_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    def lost(settings: Any, taps: Any) -> None:
        raise DeviceError("no input\n is called 'x'")

    monkeypatch.setattr(playing, "Engine", lost)
    assert main(["--input", "x"]) == 2
    assert capsys.readouterr().err == "livecover: no input is called 'x'\n"


def test_a_traceback_of_some_library_is_one_line(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def complain(engine: FakeEngine) -> None:
        try:
            raise ValueError("odd")
        except ValueError:
            logging.getLogger("uvicorn").exception("failed\n")

    monkeypatch.setattr(FakeEngine, "on_wait", complain)
    assert main([]) == 0
    told = capsys.readouterr().err
    assert "ERROR failed (ValueError: odd)" in told and "Traceback" not in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--chanel 3", ("--chanel", "did you mean", "--channel")),
        ("--config none.toml", ("none.toml",)),
        ("--channel 17", ("midi.channel", "1", "16", "17")),
        ("--input none.wav --midi-out a.mid", ("none.wav",)),
    ],
)
def test_what_is_wrong_ends_with_code_2(
    words: str, message: tuple[str, ...], capsys: Output
) -> None:
    assert main(words.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    says(err, "livecover: ", *message)
    assert not Path("a.mid").exists()


def test_a_file_to_a_port_is_played_in_time(engines: list[FakeEngine], song: Path) -> None:
    assert main(["--input", str(song), "--midi-out", "a.mid", "--midi-out", "LiveCover"]) == 0
    assert len(engines) == 1


def test_a_device_to_a_file_is_played_in_time(engines: list[FakeEngine]) -> None:
    assert main(["--input", "mic", "--midi-out", "a.mid"]) == 0
    assert len(engines) == 1


@pytest.mark.parametrize(("is_ok", "code"), [(True, 0), (False, 1)])
def test_doctor(is_ok: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    found = [Check("audio", True, "4 inputs"), Check("MIDI", is_ok, "ALSA")]
    monkeypatch.setattr(subject, "run_checks", lambda settings: iter(found))
    assert main(["doctor"]) == code
    mark = "ok  " if is_ok else "FAIL"
    assert capsys.readouterr().out == f"ok    audio     4 inputs\n{mark}  MIDI      ALSA\n"


def test_devices(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr(subject, "describe_devices", lambda: ["Inputs", "  one"])
    assert main(["devices"]) == 0
    assert capsys.readouterr().out == "Inputs\n  one\n"


def test_the_log_level_is_kept_and_given_back(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(
        FakeEngine, "on_wait", lambda self: logging.getLogger("engine").warning("too slow")
    )
    before = logging.getLogger().handlers[:]
    assert main(["--log-level", "error"]) == 0
    assert "too slow" not in capsys.readouterr().err
    assert main(["--log-level", "warning"]) == 0
    assert "WARNING too slow" in capsys.readouterr().err
    assert logging.getLogger().handlers == before


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "livecover", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.startswith("livecover ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [("", True), ("--record takes", False), ("--piano", False), ("--monitor default", False)],
)
def test_a_file_for_files_is_played_in_time_where_someone_listens(
    words: str, expected: bool
) -> None:
    request = parse(["--input", "song.wav", "--midi-out", "a.mid", *words.split()])
    assert is_for_files(load_settings(None, request.overrides)) is expected


@pytest.fixture
def broken(folder: Path) -> Path:
    """The user's own file, with a fault."""
    (folder / "none").mkdir()
    path = folder / "none" / "config.toml"
    path.write_text("[time]\nlatncy = 0.3\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("command", ["devices", "doctor"])
def test_a_broken_file_does_not_keep_from_looking(
    broken: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(subject, "describe_devices", lambda: ["all there is"])
    monkeypatch.setattr(subject, "run_checks", lambda s: [Check("a", True, "all there is")])
    assert main([command, "--style", "calm"]) == 2
    out, err = capsys.readouterr()
    assert "all there is" in out
    says(err, f"livecover: {broken}: ", "time.latncy", "did you mean", "time.latency")
    assert main([command, "--threads", "0"]) == 2  # an option's fault is no file's
    assert capsys.readouterr().out == ""


def test_a_broken_file_keeps_from_playing(broken: Path, capsys: Output) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"livecover: {broken}: ") and len(err.splitlines()) == 1


def test_what_a_strangers_file_cannot_set_is_logged(
    engines: list[FakeEngine], folder: Path, capsys: Output
) -> None:
    (folder / "livecover.toml").write_text('[piano]\nplugin = "./evil.vst3"\n', encoding="utf-8")
    assert main([]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "WARNING" in line]
    says(line, "WARNING", "livecover.toml", "piano.plugin", "--config livecover.toml")


def test_a_strangers_file_says_nothing_to_the_terminal(
    engines: list[FakeEngine], folder: Path, capsys: Output
) -> None:
    (folder / "livecover.toml").write_text('[control.map]\n"cc 9" = "\\u001b[2J"\n', "utf-8")
    assert main([]) == 2
    assert "\\x1b[2J" in capsys.readouterr().err
    with logged(Console(stderr=True), "info"):
        logging.getLogger("a library").info("opened %s", "\x1b[2Jsong.wav")
    assert capsys.readouterr().err.endswith(" INFO opened \\x1b[2Jsong.wav\n")


def test_other_programs_read_all_that_is_said_as_json(
    engines: list[FakeEngine], capsys: Output
) -> None:
    assert main(["--status", "json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["type"] for line in lines} == {"text", "status"}
    assert lines[0]["text"].startswith("livecover ")
    assert max(line["seconds"] for line in lines if line["type"] == "status") > 0


def test_a_scene_is_where_it_begins(engines: list[FakeEngine], capsys: Output) -> None:
    Scenes(lambda: load_settings(None, {"midi.transpose": 3, "midi.octave": 1})).keep("Verse")
    assert main(["config", "show", "--scene", "Verse", "--transpose", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "octave = 1  # default: 0" in lines and "transpose = 1  # default: 0" in lines
    assert main(["config", "show", "--scene", "0"]) == 0
    assert main(["config", "show", "--scene", "Chorus"]) == 2
    says(capsys.readouterr().err, "Chorus", "kept are: Verse")
